//! `/v1/webhooks`: where messages are sent; how that goes is in `deliveries`

use grantbook_api::nouns::webhooks::{CreateWebhook, MessageKind, RotateWebhook, UpdateWebhook};
use grantbook_domain::{
    command::{Command, WebhookCommand},
    id::WebhookId,
    refusal::Kind,
    webhook,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    subscribe::webhooks::Configured,
    wire::{event_names, reference::id_in_path},
    write::parse::{NewSecret, ParseContext, ParsedWrite},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateWebhook { url, events, kinds, description, enabled } = shape(body)?;
    event_names::require_messages(events.as_ref())?;
    let configured = configured(context)?;
    require_reachable(&url, Some(configured))?;
    let id = context.ids.id();
    let both = vec![webhook::MessageKind::Record, webhook::MessageKind::Change];
    let command = Command::Webhook(WebhookCommand::Create {
        id,
        url,
        events: events.unwrap_or_default(),
        kinds: kinds.map_or(both, |kinds| kinds.into_iter().map(kind).collect()),
        description,
        enabled: enabled.unwrap_or(true),
        key: configured.key.name(),
    });
    let secret = Some(NewSecret::Webhook(id, configured.key.clone()));
    Ok(ParsedWrite { secret, ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn update(id: &str, body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Webhook)?;
    let UpdateWebhook { url, events, kinds, description, enabled } = shape(body)?;
    event_names::require_messages(events.as_ref())?;
    if let Some(url) = &url {
        require_reachable(url, context.webhooks)?;
    }
    let kinds = kinds.map(|kinds| kinds.into_iter().map(kind).collect());
    let command = Command::Webhook(WebhookCommand::Update { id, url, events, kinds, description, enabled });
    Ok(ParsedWrite::new(command, id.to_string()))
}

pub(crate) fn rotate(id: &str, body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let id: WebhookId = id_in_path(id, Kind::Webhook)?;
    let RotateWebhook { grace_seconds } = shape(body)?;
    let configured = configured(context)?;
    let command = Command::Webhook(WebhookCommand::Rotate { id, key: configured.key.name(), grace_seconds });
    let secret = Some(NewSecret::Webhook(id, configured.key.clone()));
    Ok(ParsedWrite { secret, ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Webhook)?;
    Ok(ParsedWrite::new(Command::Webhook(WebhookCommand::Delete { id }), id.to_string()))
}

fn configured<'a>(context: &ParseContext<'a>) -> Result<&'a Configured, Failure> {
    context.webhooks.ok_or_else(Failure::webhooks_not_configured)
}

/// Says early what every attempt would say: nothing is ever sent there.
fn require_reachable(url: &str, configured: Option<&Configured>) -> Result<(), Failure> {
    let Some(configured) = configured else { return Ok(()) };
    configured.precheck(url).map_err(|why| Failure::invalid_at("/url", why.to_string()))
}

fn kind(kind: MessageKind) -> webhook::MessageKind {
    match kind {
        MessageKind::Record => webhook::MessageKind::Record,
        MessageKind::Change => webhook::MessageKind::Change,
    }
}
