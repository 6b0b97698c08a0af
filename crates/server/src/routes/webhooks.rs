//! `/v1/webhooks`: where messages are sent; how that goes is in `deliveries`

use axum::{http::Uri, response::Response};
use grantbook_api::webhooks::{CreateWebhook, MessageKind, RotateWebhook, UpdateWebhook};
use grantbook_domain::{
    command::{Command, WebhookCommand},
    id::WebhookId,
    refusal::Kind,
    rights::Ask,
    webhook,
};
use serde_json::Value;

use crate::{
    context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
        paging::PageRequest,
    },
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        deliveries, event_names,
        parse::{NewSecret, ParseContext, ParsedWrite, id_in_path},
        render,
    },
    webhooks::Configured,
};

pub(crate) fn create(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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

pub(crate) fn update(id: &str, body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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

pub(crate) fn rotate(id: &str, body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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

/// Webhooks tell what happens in the organization, so whoever looks at them may read the audit log too.
pub(super) fn require<'r>(authorizer: &mut Authorizer<'r>) -> Result<Permit<'r>, Failure> {
    let _permit = authorizer.require(Ask::Webhooks, &Resource::Whole)?;
    authorizer.require(Ask::Audit, &Resource::Whole)
}

/// A living webhook, for who may look at webhooks.
pub(super) fn find<'r>(
    reading: &'r ReadContext,
    id: &str,
) -> Result<(webhook::Webhook, Permit<'r>), Failure> {
    let mut authorizer = Authorizer::new(reading)?;
    let _permit = require(&mut authorizer)?;
    let id: WebhookId = id_in_path(id, Kind::Webhook)?;
    authorizer.find(Ask::Webhooks, &id, Kind::Webhook)
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let wanted = PageRequest::plain("webhooks", query::read(&uri)?)?;
        let permit = require(&mut Authorizer::new(reading)?)?;
        let show = |webhook: &webhook::Webhook| Ok(Some(render::webhook(webhook)));
        wanted.page(permit, |rows, listing| rows.webhooks(reading.org, listing), show)
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        query::require_no_other(&uri)?;
        let (found, permit) = find(reading, &id)?;
        deliveries::shown(permit, &found)
    });
    answer.await
}
