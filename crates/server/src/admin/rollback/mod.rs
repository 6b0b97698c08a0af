//! Going on from a journal that lost its end: an operator's act. It burns the sequences of what was lost, so that no
//! position ever names two records, and says so in every organization.

mod lost;
mod plan;

use grantbook_journal::{
    Identity, Journal,
    follow::{
        burned::{self, Burned},
        known_head::{self, HeadFile, KnownHead, SeenEnd, Verdict},
        open::{JournalAddress, OpenError, OpenJournal},
    },
    stamp::{clock::Clock, ids::IdSource},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use grantbook_domain::{
    command::{Author, Command},
    id::OrgId,
};
use grantbook_views::ViewError;
use tokio::task::spawn_blocking;

pub use lost::{LostEvent, LostEvents};

use crate::{Boxed, admin::error::AdminError};
use grantbook_command::{CommandService, Submission, TextFaults, expect_reason, replay};
use grantbook_node::{error::ReadSideError, head_of_view::head_of_view, read_side::VIEW_FILE};

/// What becomes of a view that holds what was lost.
pub const LOST_VIEW_FILE: &str = "view.lost.redb";

/// What is accepted.
#[derive(Debug, Clone)]
pub struct AcceptOptions {
    /// The journal that is gone on from.
    pub journal: JournalAddress,
    /// The data directory that knows how far the lost one had come.
    pub data: PathBuf,
    /// Why, for the records.
    pub reason: String,
    /// A sequence that the lost journal had at least, by what others know of it.
    pub above: Option<u64>,
    /// A view that knows what was lost; none: the one in the data directory.
    pub view: Option<PathBuf>,
    /// Whether nothing is done, and only told.
    pub dry_run: bool,
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The last sequence of the journal that is gone on from.
    pub kept: u64,
    /// The last sequence that the lost journal is known to have had.
    pub lost: u64,
    /// Up to where positions name two records, because the journal was written to after it was put back; none if no
    /// position does, as far as is known here.
    pub reused_up_to: Option<u64>,
    /// How many sequences were burned now.
    pub burned: u64,
    /// In how many organizations a record says so.
    pub organizations: usize,
    /// What was lost; none if no view knows.
    pub events: Option<LostEvents>,
    /// Where the view is now that held it.
    pub view: Option<PathBuf>,
}

/// Burns what lies between the journal's end and the end that it is known to have had, and records it in every
/// organization. What was interrupted is taken up again.
///
/// # Errors
///
/// [`AdminError::NothingLost`] if the journal holds everything that is known of it; [`OpenError::Doubted`] if it is another
/// journal or broken, which cannot be accepted; otherwise what the journal says.
pub fn accept<'a>(
    options: &'a AcceptOptions,
    progress: &'a mut (dyn FnMut(u64, u64) + Send),
) -> Boxed<'a, Result<Accepted, AdminError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(&options.journal).await?;
        let accepted = match &opened {
            OpenJournal::Embedded(journal) => accept_on(journal, options, progress).await,
            OpenJournal::JetStream(journal) => accept_on(journal, options, progress).await,
        };
        let closed = opened.close().await;
        accepted.and_then(|accepted| Ok(closed.map(|()| accepted)?))
    })
}

async fn accept_on<J: burned::Burn>(
    journal: &Arc<J>,
    options: &AcceptOptions,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Accepted, AdminError> {
    let file = HeadFile::in_directory(&options.data);
    let Known { head, viewed, named } = Known::read(options, &file, journal.identity()).await?;
    // Before anything is changed: a journal that does not fold is not accepted.
    let fold = replay(journal.as_ref(), &options.journal).await?;
    if fold.organizations().next().is_none() {
        return Err(AdminError::NoOrganization);
    }
    expect_reason(&options.reason, &fold, Clock::system().now())?;
    let known: Vec<KnownHead> = head.into_iter().chain(viewed.clone()).chain(named).collect();
    let planned = plan::plan(journal.as_ref(), &fold, &known, options.above).await?;
    let burned = planned.burned;
    let view = options.view.clone().unwrap_or_else(|| options.data.join(VIEW_FILE));
    let events = lost::listed(journal.as_ref(), &view, burned.kept).await?;
    let (events, reused) = events.map_or((None, None), |(events, reused)| (Some(events), reused));
    let is_lost = match &viewed {
        Some(viewed) => contradicts(journal.as_ref(), viewed).await?,
        None => false,
    };
    let mut accepted = Accepted {
        kept: burned.kept,
        lost: burned.lost,
        reused_up_to: planned.reused.max(reused),
        burned: burned.lost.saturating_sub(planned.head),
        organizations: 0,
        events,
        view: None,
    };
    if options.dry_run {
        accepted.organizations = fold.organizations().count();
        return Ok(accepted);
    }
    drop(fold);
    journal.burn(burned, planned.head, progress).await?;
    let (organizations, end) = record(journal, burned, options).await?;
    accepted.organizations = organizations;
    let data = options.data.clone();
    let head = KnownHead::new(journal.identity(), end);
    accepted.view = spawn_blocking(move || {
        let moved = is_lost.then(|| set_aside(&data)).transpose()?;
        // Last: until it is replaced, the command may be run again.
        file.replace(&head)?;
        Ok::<_, AdminError>(moved)
    })
    .await??;
    Ok(accepted)
}

/// What is known of the lost journal here.
struct Known {
    /// By the data directory's own file.
    head: Option<KnownHead>,
    /// By the view in it.
    viewed: Option<KnownHead>,
    /// By the view that was named.
    named: Option<KnownHead>,
}

impl Known {
    /// Positions must not name two records because a view could not be looked at: then nothing is planned.
    async fn read(options: &AcceptOptions, file: &HeadFile, identity: Identity) -> Result<Self, AdminError> {
        let (file, own, named) = (file.clone(), options.data.join(VIEW_FILE), options.view.clone());
        let read = spawn_blocking(move || {
            let viewed = of_view(&own, identity)?;
            let named = match named {
                Some(path) if path != own => {
                    Some(of_view(&path, identity)?.ok_or(ReadSideError::NoSuchView(path))?)
                }
                _ => None,
            };
            Ok(Self { head: file.read()?, viewed, named })
        });
        read.await?
    }
}

/// What a view knows that nobody may use meanwhile. Blocks.
fn of_view(path: &Path, identity: Identity) -> Result<Option<KnownHead>, AdminError> {
    head_of_view(path, identity).map_err(|error| {
        let is_in_use = matches!(
            &error,
            ViewError::Open { source, .. } if matches!(**source, redb::Error::DatabaseAlreadyOpen)
        );
        if is_in_use { ReadSideError::ViewInUse(path.to_owned()).into() } else { error.into() }
    })
}

/// Whether what was seen is not in the journal.
async fn contradicts<J: Journal>(journal: &J, seen: &KnownHead) -> Result<bool, AdminError> {
    Ok(known_head::compare(journal, seen).await? != Verdict::Holds)
}

/// Appends the record to every organization that does not have it yet; to how many, and the journal's end then.
async fn record<J: Journal>(
    journal: &Arc<J>,
    burned: Burned,
    options: &AcceptOptions,
) -> Result<(usize, SeenEnd), AdminError> {
    let done = burned::recorded(journal.as_ref(), burned).await?;
    let fold = replay(journal.as_ref(), &options.journal).await?;
    if plan::is_occupied(&fold, burned) {
        // Somebody wrote meanwhile: every reader would stop at the record.
        return Err(AdminError::Contended);
    }
    let all: BTreeSet<OrgId> = fold.organizations().filter_map(|one| one.state().id()).collect();
    let service = CommandService::start(Arc::clone(journal), fold, Clock::system(), IdSource::system());
    let (handle, last) = (service.handle(), service.last());
    let mut outcome = Ok(());
    for org in all.difference(&done) {
        let Burned { kept, lost } = burned;
        let submission = Submission {
            org: *org,
            author: Author::Operator,
            command: Command::AcceptRollback { kept, lost },
            idempotency: None,
            if_position: None,
            source_ip: None,
            reason: Some(options.reason.clone()),
            faults: TextFaults::default(),
        };
        outcome = handle.submit(submission).await.map(drop);
        if outcome.is_err() {
            break;
        }
    }
    service.shutdown().await;
    outcome?;
    let end = *last.borrow();
    Ok((all.len(), end))
}

/// Moves the view away that holds what was lost: the next start fills another one. Blocks.
fn set_aside(data: &Path) -> Result<PathBuf, AdminError> {
    let (view, aside) = (data.join(VIEW_FILE), data.join(LOST_VIEW_FILE));
    fs::rename(&view, &aside).map_err(|source| OpenError::Write { path: aside.clone(), source })?;
    Ok(aside)
}
