//! Which of all messages somebody wants.

use std::collections::BTreeSet;

use grantbook_api::questions::feed::ChangeType;
use grantbook_domain::{event::Event, id::ProjectId, principal::Principal, record::Record};
use grantbook_views::{RecordChange, Touched};

/// Which kinds of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Kinds {
    /// Records, or events, and changes of access.
    #[default]
    Both,
    /// Records, or events.
    Records,
    /// Changes of access.
    Changes,
}

/// Conditions; a message must meet every one that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Of these kinds.
    pub kinds: Kinds,
    /// An event, or change, of one of these names; empty: of any. A record: with such an event.
    pub events: BTreeSet<String>,
    /// Touching this user or service token; of a change: its access.
    pub principal: Option<Principal>,
    /// Touching this project; of a change: access on it, or to something in it.
    pub project: Option<ProjectId>,
}

impl Filter {
    /// Whether it can take changes of access at all.
    pub fn wants_changes(&self) -> bool {
        self.kinds != Kinds::Records
            && (self.events.is_empty()
                || self.names(ChangeType::AccessGained)
                || self.names(ChangeType::AccessLost))
    }

    /// Whether it can take records, or events, at all.
    pub fn wants_records(&self) -> bool {
        self.kinds != Kinds::Changes
    }

    /// Whether it takes a record as a whole: each condition by some event of it, as the audit log's filters do.
    pub fn takes_record(&self, record: &Record) -> bool {
        if !self.wants_records() {
            return false;
        }
        let named = self.events.is_empty()
            || record.events.iter().any(|event| self.events.contains(event.kind().name()));
        if !named || (self.principal.is_none() && self.project.is_none()) {
            return named;
        }
        let touched: Vec<Touched> = record.events.iter().map(Touched::by).collect();
        self.principal.is_none_or(|one| touched.iter().any(|touched| touched.principals.contains(&one)))
            && self.project.is_none_or(|id| touched.iter().any(|touched| touched.projects.contains(&id)))
    }

    /// Whether it takes one event by itself.
    pub fn takes_event(&self, event: &Event) -> bool {
        let named = self.events.is_empty() || self.events.contains(event.kind().name());
        if !self.wants_records() || !named {
            return false;
        }
        if self.principal.is_none() && self.project.is_none() {
            return true;
        }
        let touched = Touched::by(event);
        self.principal.is_none_or(|one| touched.principals.contains(&one))
            && self.project.is_none_or(|id| touched.projects.contains(&id))
    }

    /// Whether it takes a change of access.
    pub fn takes_change(&self, change: &RecordChange) -> bool {
        let kind = if change.gained { ChangeType::AccessGained } else { ChangeType::AccessLost };
        self.kinds != Kinds::Records
            && (self.events.is_empty() || self.names(kind))
            && self.principal.is_none_or(|one| change.principals.contains(&one))
            && self.project.is_none_or(|id| !change.within(id).is_empty())
    }

    fn names(&self, kind: ChangeType) -> bool {
        self.events.contains(kind.name())
    }
}
