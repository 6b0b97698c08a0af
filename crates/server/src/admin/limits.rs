//! What the organizations of a journal hold, beside the limits that commands are decided under.

use grantbook_command::replay;
use grantbook_domain::limits::{Limit, Limits};
use grantbook_journal::follow::open::{JournalAddress, OpenJournal};

use crate::{Boxed, admin::error::AdminError};

/// One organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationUse {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it uses of each limit that bounds what it holds.
    pub used: Vec<LimitUse>,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitUse {
    /// The limit.
    pub limit: Limit,
    /// How much; of those on one thing, by the thing that has most.
    pub used: u64,
    /// How much may be.
    pub most: u64,
}

impl LimitUse {
    /// Whether more is there than may be made: by an earlier version, or under a higher figure.
    pub const fn is_beyond(&self) -> bool {
        self.used > self.most
    }
}

/// Replays the journal; the organizations of this id or name, or all of them. The embedded journal must not be in use.
///
/// # Errors
///
/// The journal does not open, or cannot be replayed.
pub fn use_of_organizations<'a>(
    address: &'a JournalAddress,
    limits: &'a Limits,
    which: Option<&'a str>,
) -> Boxed<'a, Result<Vec<OrganizationUse>, AdminError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(address).await?;
        let fold = match &opened {
            OpenJournal::Embedded(journal) => replay(journal.as_ref(), address).await,
            OpenJournal::JetStream(journal) => replay(journal.as_ref(), address).await,
        };
        opened.close().await?;
        let mut found: Vec<_> = fold?
            .organizations()
            .map(|one| {
                let state = one.state();
                let id = state.id().map(|id| id.to_string()).unwrap_or_default();
                let used = Limit::ALL.into_iter().filter_map(|limit| {
                    state.use_of(limit).map(|used| LimitUse { limit, used, most: limits.of(limit) })
                });
                OrganizationUse { id, name: state.name().to_owned(), used: used.collect() }
            })
            .filter(|one| which.is_none_or(|which| which == one.id || which == one.name))
            .collect();
        found.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(found)
    })
}
