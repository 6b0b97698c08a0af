//! What is sent: one message for each event of a record, then one for each change of access that it caused.

use grantbook_api::questions::feed::{CloudEvent, TYPE_PREFIX};
use grantbook_domain::{
    id::InstallationId,
    position::Position,
    record::Recorded,
    webhook::{CHANGE_NAMES, MessageKind, Webhook},
};
use grantbook_views::{Snapshot, ViewError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    subscribe::feed::{changes_of, events_of},
    wire::position,
};

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
    let (position, index) = (position::decode(installation, position).ok()?, index.parse().ok()?);
    (message_id(installation, position, index) == id).then_some((position, index))
}

/// What a record's messages say, in order; none in the place of one that the webhook does not want. The changes, which
/// cost more to find than events do, are there only for a webhook that may want one.
pub(crate) fn told_of(
    snapshot: &Snapshot,
    installation: InstallationId,
    recorded: &Recorded,
    webhook: &Webhook,
) -> Result<Vec<Option<CloudEvent>>, ViewError> {
    let events = &recorded.record.events;
    let wanted = |kind, name: &str| webhook.wants(kind, name);
    let mut told: Vec<Option<CloudEvent>> = vec![None; events.len()];
    if events.iter().any(|event| wanted(MessageKind::Record, event.kind().name())) {
        let pairs = events_of(installation, recorded).into_iter().zip(events);
        let kept =
            pairs.map(|(told, event)| wanted(MessageKind::Record, event.kind().name()).then_some(told));
        told = kept.collect();
    }
    if CHANGE_NAMES.iter().any(|name| wanted(MessageKind::Change, name)) {
        for change in changes_of(snapshot, installation, recorded)? {
            let is_wanted = wanted(MessageKind::Change, change.told.kind.name());
            told.push(is_wanted.then(|| change.message(recorded)));
        }
    }
    Ok(told)
}

/// Message `index` of the record at a position, which says this.
pub(crate) fn message_of(
    installation: InstallationId,
    position: Position,
    index: u32,
    told: &CloudEvent,
) -> Message {
    let CloudEvent { kind, time, data, .. } = told;
    let name = kind.strip_prefix(TYPE_PREFIX).unwrap_or(kind).to_owned();
    let body = body(&name, time, data);
    Message { id: message_id(installation, position, index), name, body }
}

/// The message that a test sends; `id` is of no record.
pub(crate) fn test_message(id: String, at: &str, webhook: &Webhook) -> Message {
    let data = json!({"webhook": webhook.id.to_string()});
    Message { id, name: "WebhookTest".to_owned(), body: body("WebhookTest", at, &data) }
}

/// In the order in which people read it.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    timestamp: &'a str,
    data: &'a Value,
}

/// JSON values and texts always serialize.
fn body(name: &str, timestamp: &str, data: &Value) -> Vec<u8> {
    serde_json::to_vec(&Payload { name, timestamp, data }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_its_id_and_by_no_other() {
        let (mine, other) = (InstallationId::from_u128(1), InstallationId::from_u128(2));
        for (position, index) in [(Position::of(1, 0), 0), (Position::of(u64::MAX >> 11, 1023), 7)] {
            let id = message_id(mine, position, index);
            assert!(!id.contains('.'));
            assert_eq!(named(mine, &id), Some((position, index)));
            assert_eq!(named(other, &id), None);
            assert_eq!(named(mine, &id.replace('-', "-0")), None, "not as it is written");
        }
        for id in ["", "msg_", "msg_-", "msg_x-0", "x", "msg_AAAAAAAAAAAAAAAAAAAAAA-0"] {
            assert_eq!(named(mine, id), None, "{id}");
        }
    }
}
