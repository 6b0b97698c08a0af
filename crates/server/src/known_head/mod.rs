//! The journal's last head that was seen here, kept in a file of its own beside whatever else the process keeps: a journal
//! that was exchanged for an older copy is recognized by it, whether or not there is a view.

mod compare;
mod file;
mod keeper;

use std::path::Path;

use grantbook_journal::Journal;
use tokio::task::spawn_blocking;

pub(crate) use compare::{Verdict, compare};
pub(crate) use file::of_view;
pub use file::{HEAD_FILE, HeadFile, HeadFileError, KnownHead, SeenEnd};
pub(crate) use keeper::HeadKeeper;

use crate::{
    app::VIEW_FILE,
    doubt::{Doubts, JournalDoubt},
    rollback::Burned,
    start::{StartError, make_directory},
};

/// What is said where nothing is known.
pub(crate) const UNKNOWN: &str = "No journal-head.json here: a rollback before this start cannot be detected. The head is recorded from now on.";

/// Reads what is known in a data directory, which is made if need be, and compares the journal with it; a contradiction is
/// raised as a doubt. Returns the file, and what it knew.
///
/// # Errors
///
/// The file cannot be read or the directory not made, or the journal does not answer.
pub(crate) async fn recall<J: Journal>(
    journal: &J,
    data: &Path,
    doubts: &Doubts,
) -> Result<(HeadFile, Option<KnownHead>), StartError> {
    let directory = data.to_owned();
    let (file, known) = spawn_blocking(move || {
        make_directory(&directory)?;
        let file = HeadFile::in_directory(&directory);
        let known = file.read()?;
        Ok::<_, StartError>((file, known))
    })
    .await??;
    if let Some(known) = &known {
        judge(journal, known, doubts).await?;
    }
    Ok((file, known))
}

/// The same for a command that runs to its end: a doubt ends it, also one that only the view in the directory raises.
/// The flag says whether anything was known.
pub(crate) async fn require<J: Journal>(journal: &J, data: &Path) -> Result<(HeadFile, bool), StartError> {
    let doubts = Doubts::default();
    let (file, known) = recall(journal, data, &doubts).await?;
    let is_known = known.is_some();
    let (view, identity) = (data.join(VIEW_FILE), journal.identity());
    match spawn_blocking(move || file::of_view(&view, identity)).await? {
        Ok(Some(seen)) => judge(journal, &seen, &doubts).await?,
        Ok(None) => {}
        // One in use has a process that compares it, and damage of a view says nothing against the journal.
        Err(error) => tracing::debug!(%error, "the view is not compared with the journal"),
    }
    match doubts.get() {
        Some(doubt) => Err(StartError::Doubted(doubt)),
        None => Ok((file, is_known)),
    }
}

/// Raises what speaks against the journal.
async fn judge<J: Journal>(journal: &J, known: &KnownHead, doubts: &Doubts) -> Result<(), StartError> {
    match compare(journal, known).await? {
        Verdict::Holds => {}
        Verdict::GivenUp(Burned { kept, lost }) => {
            let sequence = known.end.sequence;
            tracing::warn!(
                sequence,
                kept,
                lost,
                "what was seen here was lost, and an operator went on without it"
            );
        }
        Verdict::Doubt(doubt) => doubts.raise(doubt),
    }
    Ok(())
}

/// Keeps the end of a journal. A file that knows more stays as it is.
pub(crate) async fn keep<J: Journal>(journal: &J, file: HeadFile, end: SeenEnd) -> Result<(), StartError> {
    let known = KnownHead::new(journal.identity(), end);
    Ok(spawn_blocking(move || file.keep(&known)).await??)
}

/// That the file can be written: asked before something is appended whose answer must not be lost afterwards.
pub(crate) async fn expect_writable(file: &HeadFile) -> Result<(), StartError> {
    let file = file.clone();
    Ok(spawn_blocking(move || file.expect_writable()).await??)
}

/// What is said where something was appended and the file could not be written then.
pub(crate) fn not_kept(error: &StartError) -> String {
    format!(
        "done, but the journal's head was not recorded ({error}): a rollback to before this cannot be detected here"
    )
}

/// The doubt that a journal's end raises against what is known; for a report.
pub(crate) async fn doubt_of<J: Journal>(
    journal: &J,
    known: &KnownHead,
) -> Result<Option<JournalDoubt>, StartError> {
    Ok(compare(journal, known).await?.doubt())
}
