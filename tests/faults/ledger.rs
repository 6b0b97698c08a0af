//! A view of its own, made of the journal as it is read from outside: what each record changed of access, and the digest
//! that every view must have.

use anyhow::Result;
use grantbook_domain::{id::InstallationId, record::Recorded};
use grantbook_views::{Batch, ViewWriter};

use crate::history::View;

/// Follows the journal from nothing.
pub(crate) struct Ledger {
    writer: ViewWriter,
    taken: usize,
    changes: Vec<(u64, Vec<String>)>,
}

impl Ledger {
    pub(crate) fn new(installation: InstallationId) -> Result<Self> {
        Ok(Self { writer: ViewWriter::in_memory(installation)?, taken: 0, changes: Vec::new() })
    }

    /// Takes what is new in the journal; the changes of access so far, by position.
    pub(crate) fn take(&mut self, journal: &[Recorded]) -> Result<Vec<(u64, Vec<String>)>> {
        let new = journal.get(self.taken..).unwrap_or_default();
        if let Some(last) = new.last() {
            let last_sequence = last.position.sequence();
            self.writer.apply(&Batch { records: new, last_sequence, checkpoint: &[] }, false)?;
            let snapshot = self.writer.reader().snapshot()?;
            for recorded in new {
                let changes = snapshot.changes_of(recorded)?;
                let name = |gained| if gained { "AccessGained" } else { "AccessLost" };
                let names: Vec<String> = changes.iter().map(|one| name(one.gained).to_owned()).collect();
                if !names.is_empty() {
                    self.changes.push((recorded.position.get(), names));
                }
            }
            self.taken = journal.len();
        }
        Ok(self.changes.clone())
    }

    /// What a view of the whole journal is.
    pub(crate) fn view(&self) -> Result<View> {
        let snapshot = self.writer.reader().snapshot()?;
        let digest = snapshot.digest(None)?.to_string();
        Ok(View { node: "nothing".to_owned(), sequence: snapshot.sequence()?, digest })
    }
}
