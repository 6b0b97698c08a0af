//! A record's events as messages.

use grantbook_api::questions::{
    audit::AuditItem,
    feed::{CloudEvent, EventData, TYPE_PREFIX},
};
use grantbook_domain::{event::Event, id::InstallationId, record::Recorded};

use crate::wire::{names, position, render};

/// The whole record as the audit log has it, but for people's names.
pub fn record_of(installation: InstallationId, recorded: &Recorded) -> AuditItem {
    let record = &recorded.record;
    AuditItem {
        position: position::encode(installation, recorded.position),
        at: record.at.to_string(),
        actor: names::named_actor(record.actor, None),
        credential: record.credential.map(|id| id.to_string()),
        source_ip: record.source_ip.as_ref().map(names::clear),
        request_id: record.request_id.clone(),
        reason: record.reason.clone(),
        events: record.events.iter().map(render::event).collect(),
    }
}

/// One message for each event of a record, in order.
pub fn events_of(installation: InstallationId, recorded: &Recorded) -> Vec<CloudEvent> {
    let record = &recorded.record;
    let position = position::encode(installation, recorded.position);
    let of = u32::try_from(record.events.len()).unwrap_or(u32::MAX);
    let message = |(index, event): (u32, &Event)| {
        let data = EventData {
            position: position.clone(),
            index,
            of,
            at: record.at.to_string(),
            actor: names::named_actor(record.actor, None),
            credential: record.credential.map(|id| id.to_string()),
            reason: record.reason.clone(),
            request_id: record.request_id.clone(),
            event: render::event(event),
        };
        CloudEvent {
            specversion: "1.0".to_owned(),
            id: format!("{position}/{index}"),
            source: source(recorded),
            kind: format!("{TYPE_PREFIX}{}", event.kind().name()),
            subject: subject(recorded, event),
            time: data.at.clone(),
            datacontenttype: "application/json".to_owned(),
            data: render::value(&data),
        }
    };
    (0..).zip(&record.events).map(message).collect()
}

/// The organization.
pub(super) fn source(recorded: &Recorded) -> String {
    format!("urn:grantbook:organization:{}", recorded.org)
}

/// The thing that an event is about, as `type:id`; of a membership, the group.
fn subject(recorded: &Recorded, event: &Event) -> String {
    match event {
        Event::OrganizationCreated { .. }
        | Event::OrganizationUpdated { .. }
        | Event::RollbackAccepted { .. }
        | Event::CatalogExtended { .. } => {
            format!("organization:{}", recorded.org)
        }
        Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
            format!("user:{}", user.id)
        }
        Event::TokenCreated { token }
        | Event::TokenUpdated { token }
        | Event::TokenDeleted { token }
        | Event::TokenExpired { token } => format!("token:{}", token.id),
        Event::KeyIssued { key }
        | Event::KeyRotated { key, old: _ }
        | Event::KeyRevoked { key }
        | Event::KeyExpired { key } => format!("key:{}", key.id),
        Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
            format!("group:{}", group.id)
        }
        Event::MemberAdded { membership }
        | Event::MemberRemoved { membership }
        | Event::MemberExpired { membership } => format!("group:{}", membership.group),
        Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
            format!("role:{}", role.id)
        }
        Event::ProjectCreated { project }
        | Event::ProjectUpdated { project }
        | Event::ProjectDeleted { project } => format!("project:{}", project.id),
        Event::ObjectRegistered { object }
        | Event::ObjectUpdated { object }
        | Event::ObjectRemoved { object } => {
            format!("{}:{}", object.object.object_type, object.object.id)
        }
        Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
            format!("grant:{}", grant.id)
        }
        Event::WebhookCreated { webhook }
        | Event::WebhookUpdated { webhook }
        | Event::WebhookRotated { webhook }
        | Event::WebhookDeleted { webhook } => format!("webhook:{}", webhook.id),
    }
}
