//! Records with what was rendered of them, each thing at most once; the newest are kept for all who follow.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use grantbook_domain::{
    id::{InstallationId, OrgId},
    position::Position,
    record::Recorded,
};
use grantbook_views::{Snapshot, ViewError};
use serde::Serialize;

use crate::subscribe::feed::{Changed, changes_of, record_of};

/// How many records are kept,
const KEPT: usize = 256;
/// as long as what is told of them is not longer than this, in bytes.
const KEPT_BYTES: usize = 64 << 20;
/// Records whose changes are about more accounts than this are not kept,
const PRINCIPALS_MAX: usize = 20_000;
/// nor those whose changes are longer, in bytes.
const LENGTH_MAX: usize = 512 << 10;

/// A record, rendered when first asked for.
#[derive(Debug)]
pub struct Rendered {
    /// The record.
    pub recorded: Recorded,
    installation: InstallationId,
    text: OnceLock<String>,
    changes: OnceLock<Vec<(Changed, String)>>,
    /// Held while the changes are computed: who comes meanwhile waits for them.
    computing: Mutex<()>,
}

impl Rendered {
    fn new(installation: InstallationId, recorded: Recorded) -> Self {
        Self {
            recorded,
            installation,
            text: OnceLock::new(),
            changes: OnceLock::new(),
            computing: Mutex::new(()),
        }
    }

    /// The whole record, JSON in one line.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| json(&record_of(self.installation, &self.recorded)))
    }

    /// Its changes of access, each with its JSON in one line. `snapshot` is of this record or later.
    pub fn changes(&self, snapshot: &Snapshot) -> Result<&[(Changed, String)], ViewError> {
        if self.changes.get().is_none() {
            let _one_at_a_time = self.computing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.changes.get().is_none() {
                let changes = changes_of(snapshot, self.installation, &self.recorded)?;
                let told = changes.into_iter().map(|changed| {
                    let text = json(&changed.told);
                    (changed, text)
                });
                self.changes.set(told.collect()).unwrap_or_default();
            }
        }
        Ok(self.changes.get().map(Vec::as_slice).unwrap_or_default())
    }

    /// How much is told of it, as far as somebody has asked.
    fn bytes(&self) -> usize {
        let changes = self.changes.get().map(Vec::as_slice).unwrap_or_default();
        self.text.get().map_or(0, String::len) + changes.iter().map(|(_, text)| text.len()).sum::<usize>()
    }

    fn is_large(&self) -> bool {
        let changes = self.changes.get().map(Vec::as_slice).unwrap_or_default();
        changes.iter().map(|(changed, _)| changed.change.principals.len()).sum::<usize>() > PRINCIPALS_MAX
            || changes.iter().map(|(_, text)| text.len()).sum::<usize>() > LENGTH_MAX
    }
}

/// The newest records that somebody asked for.
#[derive(Debug)]
pub struct Newest {
    installation: InstallationId,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    records: HashMap<(OrgId, Position), Arc<Rendered>>,
    /// Oldest first.
    order: VecDeque<(OrgId, Position)>,
}

impl Newest {
    /// None yet.
    pub fn new(installation: InstallationId) -> Self {
        Self { installation, held: Mutex::default() }
    }

    /// The record at a position of the view. It is kept if it is new.
    pub fn get(
        &self,
        snapshot: &Snapshot,
        (org, position): (OrgId, Position),
        is_new: bool,
    ) -> Result<Arc<Rendered>, ViewError> {
        if let Some(told) = self.held().records.get(&(org, position)) {
            return Ok(Arc::clone(told));
        }
        let record = snapshot.record(org, position)?;
        let record = record.ok_or_else(|| ViewError::BadRow {
            table: "history",
            detail: "a record that is pointed to is not there".to_owned(),
        })?;
        let told = Arc::new(Rendered::new(self.installation, Recorded { position, org, record }));
        Ok(if is_new { self.held().keep(told) } else { told })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The one that is kept: another may have been quicker.
    fn keep(&mut self, told: Arc<Rendered>) -> Arc<Rendered> {
        let place = (told.recorded.org, told.recorded.position);
        if let Some(known) = self.records.get(&place) {
            return Arc::clone(known);
        }
        self.records.insert(place, Arc::clone(&told));
        self.order.push_back(place);
        let large: Vec<_> =
            self.records.iter().filter(|(_, told)| told.is_large()).map(|(place, _)| *place).collect();
        for place in large {
            self.records.remove(&place);
        }
        let mut bytes: usize = self.records.values().map(|told| told.bytes()).sum();
        while self.order.len() > KEPT || bytes > KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            bytes -= self.records.remove(&oldest).map_or(0, |told| told.bytes()).min(bytes);
        }
        told
    }
}

/// The words of the wire always serialize.
fn json(thing: &impl Serialize) -> String {
    serde_json::to_string(thing).unwrap_or_default()
}
