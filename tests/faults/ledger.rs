//! A view of its own, made of the journal as it is read from outside: what each record changed of access, and the digest
//! that every view must have.

use anyhow::Result;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    record::Recorded,
};
use grantbook_views::{Batch, ViewWriter};

use crate::history::View;

/// Follows the journal from nothing.
pub(crate) struct Ledger {
    writer: ViewWriter,
    taken: usize,
    changes: Vec<(u64, Vec<String>)>,
    /// What the view was each time that it had taken something.
    made: Vec<View>,
}

impl Ledger {
    pub(crate) fn new(installation: InstallationId) -> Result<Self> {
        Ok(Self {
            writer: ViewWriter::in_memory(installation)?,
            taken: 0,
            changes: Vec::new(),
            made: Vec::new(),
        })
    }

    /// Takes what is new in the journal; the changes of access in an organization so far, by position.
    pub(crate) fn take(&mut self, journal: &[Recorded], org: OrgId) -> Result<Vec<(u64, Vec<String>)>> {
        let new = journal.get(self.taken..).unwrap_or_default();
        if let Some(last) = new.last() {
            let last_sequence = last.position.sequence();
            self.writer.apply(&Batch { records: new, last_sequence, checkpoint: &[] }, false)?;
            let snapshot = self.writer.reader().snapshot()?;
            for recorded in new.iter().filter(|recorded| recorded.org == org) {
                let changes = snapshot.changes_of(recorded)?;
                let name = |gained| if gained { "AccessGained" } else { "AccessLost" };
                let names: Vec<String> = changes.iter().map(|one| name(one.gained).to_owned()).collect();
                if !names.is_empty() {
                    self.changes.push((recorded.position.get(), names));
                }
            }
            self.taken = journal.len();
            let (node, digest) = ("anew".to_owned(), self.writer.digest().to_string());
            self.made.push(View { node, sequence: last_sequence, digest });
        }
        Ok(self.changes.clone())
    }

    /// What the view was, wherever it stood.
    pub(crate) fn made(&self) -> &[View] {
        &self.made
    }
}
