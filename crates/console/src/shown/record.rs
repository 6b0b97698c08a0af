//! Records of the audit log, in words.

use grantbook_api::{
    people::{events, explanation::actor_words, names::NameBook, text::clean},
    questions::audit::AuditItem,
};

use crate::shown::time::minute;

/// Events of a record that a row shows.
const EVENTS: usize = 10;

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

pub(crate) async fn row(item: &AuditItem, names: &NameBook<'_>) -> ShownRecord {
    let mut shown = Vec::new();
    for event in item.events.iter().take(EVENTS) {
        let name = event.get("type").and_then(|name| name.as_str()).unwrap_or("?");
        shown.push(ShownEvent { name: clean(name), words: clean(&events::words(event, names).await) });
    }
    ShownRecord {
        at: minute(&item.at),
        actor: clean(&actor_words(&item.actor)),
        events: shown,
        more: item.events.len().saturating_sub(EVENTS),
        reason: clean(item.reason.as_deref().unwrap_or("-")),
        source: item.source_ip.clone().unwrap_or_else(|| "-".to_owned()),
        position: item.position.clone(),
    }
}
