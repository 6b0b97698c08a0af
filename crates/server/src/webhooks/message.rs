//! What is sent: one message for each event of a record and for each change of access that it caused.

use grantbook_domain::{
    id::InstallationId,
    position::Position,
    record::Recorded,
    webhook::{MessageKind, Webhook},
};
use grantbook_views::{Snapshot, ViewError};
use serde_json::{Value, json};

use crate::{position, routes::{names, render}};

/// One message, in the form of the Standard Webhooks specification.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The same for every attempt and every receiver.
    pub(crate) id: String,
    /// Its name, such as `GrantCreated`.
    pub(crate) name: String,
    /// `{type, timestamp, data}` as JSON text.
    pub(crate) body: Vec<u8>,
}

/// The id of a record's message: no `.`, which parts what is signed.
pub(crate) fn message_id(installation: InstallationId, position: Position, index: u32) -> String {
    format!("msg_{}-{index}", position::encode(installation, position))
}

/// Position and place of a message by its id.
pub(crate) fn named(installation: InstallationId, id: &str) -> Option<(Position, u32)> {
    let (position, index) = id.strip_prefix("msg_")?.rsplit_once('-')?;
    let place = (position::decode(installation, position).ok()?, index.parse().ok()?);
    (message_id(installation, place.0, place.1) == id).then_some(place)
}

/// All messages of a record, in order; none where the webhook does not want one.
pub(crate) fn messages_of(
    _snapshot: &Snapshot,
    installation: InstallationId,
    recorded: &Recorded,
    webhook: &Webhook,
) -> Result<Vec<Option<Message>>, ViewError> {
    let record = &recorded.record;
    let at = position::encode(installation, recorded.position);
    let message = |(index, event): (u32, _)| {
        let name = render::name_of(event);
        let data = json!({
            "position": at,
            "index": index,
            "of": record.events.len(),
            "at": record.at.to_string(),
            "actor": names::named_actor(record.actor, None),
            "credential": record.credential.map(|id| id.to_string()),
            "reason": record.reason,
            "request_id": record.request_id,
            "event": render::event(event),
        });
        webhook.wants(MessageKind::Record, name).then(|| Message {
            id: message_id(installation, recorded.position, index),
            name: name.to_owned(),
            body: body(name, &record.at.to_string(), data),
        })
    };
    Ok((0..).zip(&record.events).map(message).collect())
}

/// The message that a test sends; `id` is of no record.
pub(crate) fn test_message(id: String, at: &str, webhook: &Webhook) -> Message {
    let data = json!({"webhook": webhook.id.to_string()});
    Message { id, name: "WebhookTest".to_owned(), body: body("WebhookTest", at, data) }
}

fn body(name: &str, at: &str, data: Value) -> Vec<u8> {
    json!({"type": name, "timestamp": at, "data": data}).to_string().into_bytes()
}
