//! The answer to a write: a function of the record that it made, so that a repeated request gets it again.

use axum::http::StatusCode;
use grantbook_api::words::secret;
use grantbook_domain::{
    event::{Event, kind::EventKind},
    model,
};
use serde_json::Value;

use crate::{wire::render, write::parse::Secrets};

/// Status and body of the answer to the command that made these events. Secrets that are not at hand are withheld.
pub(crate) fn of_events(events: &[Event], secrets: &Secrets) -> (StatusCode, Value) {
    match events.first() {
        Some(Event::KeyIssued { key }) if key.session.is_some() => {
            let shown = render::session(key).map(|mut shown| {
                let text = secrets.of_key(key.id).map(secret::Secret::new);
                shown.secret_withheld = text.is_none();
                shown.secret = Some(text);
                render::value(&shown)
            });
            (StatusCode::CREATED, shown.unwrap_or_default())
        }
        Some(Event::KeyIssued { key }) => {
            (StatusCode::CREATED, render::value(&with_secret(render::key(key), key, secrets)))
        }
        Some(Event::KeyRotated { key, old }) => {
            let mut shown = with_secret(render::key(key), key, secrets);
            shown.old_valid_until = render::time(old.expires_at);
            (StatusCode::CREATED, render::value(&shown))
        }
        Some(Event::WebhookCreated { webhook } | Event::WebhookRotated { webhook }) => {
            let mut shown = render::webhook(webhook);
            let text = secrets.of_webhook(webhook).map(secret::Secret::new);
            shown.secret_withheld = text.is_none();
            shown.secret = Some(text);
            (StatusCode::CREATED, render::value(&shown))
        }
        Some(event) => {
            let status = if makes(event.kind()) { StatusCode::CREATED } else { StatusCode::OK };
            (status, render::content(event))
        }
        None => (StatusCode::OK, Value::Null),
    }
}

/// Whether the thing after such an event answers a request that made something.
const fn makes(kind: EventKind) -> bool {
    match kind {
        EventKind::OrganizationCreated
        | EventKind::CatalogExtended
        | EventKind::UserCreated
        | EventKind::TokenCreated
        | EventKind::KeyIssued
        | EventKind::KeyRotated
        | EventKind::GroupCreated
        | EventKind::MemberAdded
        | EventKind::RoleCreated
        | EventKind::ProjectCreated
        | EventKind::ObjectRegistered
        | EventKind::GrantCreated
        | EventKind::WebhookCreated
        | EventKind::WebhookRotated => true,
        EventKind::OrganizationUpdated
        | EventKind::RollbackAccepted
        | EventKind::UserUpdated
        | EventKind::UserDeactivated
        | EventKind::TokenUpdated
        | EventKind::TokenDeleted
        | EventKind::TokenExpired
        | EventKind::KeyRevoked
        | EventKind::KeyExpired
        | EventKind::GroupUpdated
        | EventKind::GroupDeleted
        | EventKind::MemberRemoved
        | EventKind::MemberExpired
        | EventKind::RoleUpdated
        | EventKind::RoleDeleted
        | EventKind::ProjectUpdated
        | EventKind::ProjectDeleted
        | EventKind::ObjectUpdated
        | EventKind::ObjectRemoved
        | EventKind::GrantRevoked
        | EventKind::GrantExpired
        | EventKind::WebhookUpdated
        | EventKind::WebhookDeleted => false,
    }
}

fn with_secret(
    mut shown: grantbook_api::nouns::keys::Key,
    key: &model::Key,
    secrets: &Secrets,
) -> grantbook_api::nouns::keys::Key {
    let text = secrets.of_key(key.id).map(secret::Secret::new);
    shown.secret_withheld = text.is_none();
    shown.secret = Some(text);
    shown
}
