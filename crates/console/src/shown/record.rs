//! Records of the audit log, in words.

use grantbook_api::{
    people::{
        events as event_text,
        explanation::actor_words,
        names::{Kind, NameBook},
        text::clean,
    },
    questions::audit::AuditItem,
    words::reference::{Actor, ActorType},
};

use serde_json::Value;

use crate::shown::time::minute;

/// Events of a record that a row of a list shows; its page shows more.
pub(crate) const FEW: usize = 5;

/// An event.
#[derive(Debug)]
pub(crate) struct ShownEvent {
    /// `KeyRevoked`.
    pub(crate) name: String,
    pub(crate) words: String,
}

/// A record.
#[derive(Debug)]
pub(crate) struct ShownRecord {
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) events: Vec<ShownEvent>,
    /// How many more events it has.
    pub(crate) more: usize,
    pub(crate) reason: String,
    pub(crate) source: String,
    pub(crate) position: String,
}

/// The first events of a record.
pub(crate) async fn events(events: &[Value], names: &NameBook<'_>, most: usize) -> Vec<ShownEvent> {
    let mut shown = Vec::new();
    for event in events.iter().take(most) {
        let name = event.get("type").and_then(Value::as_str).unwrap_or("?");
        shown.push(ShownEvent { name: clean(name), words: clean(&event_text::words(event, names).await) });
    }
    shown
}

/// Who made it; what comes live has no names of people.
async fn actor(actor: &Actor, names: &NameBook<'_>) -> String {
    let kind = match actor.kind {
        ActorType::User => Kind::User,
        ActorType::Token => Kind::Token,
        ActorType::System | ActorType::Operator => return actor_words(actor),
    };
    match (&actor.name, &actor.id) {
        (None, Some(id)) => names.full(kind, id).await,
        _ => actor_words(actor),
    }
}

/// A record with its first events.
pub(crate) async fn row(item: &AuditItem, names: &NameBook<'_>, most: usize) -> ShownRecord {
    ShownRecord {
        at: minute(&item.at),
        actor: clean(&actor(&item.actor, names).await),
        events: events(&item.events, names, most).await,
        more: item.events.len().saturating_sub(most),
        reason: clean(item.reason.as_deref().unwrap_or("-")),
        source: item.source_ip.clone().unwrap_or_else(|| "-".to_owned()),
        position: item.position.clone(),
    }
}
