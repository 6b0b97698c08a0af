//! The journal's last head that was seen here, kept in a file of its own beside whatever else the process keeps: a journal
//! that was exchanged for an older copy is recognized by it, whether or not there is a view.

mod compare;
mod file;
mod keeper;

use std::path::Path;

use crate::{
    Journal,
    follow::{
        burned::Burned,
        doubt::{Doubts, JournalDoubt},
        open::{OpenError, make_directory},
    },
};
use tokio::task::spawn_blocking;

pub use compare::{Verdict, compare};
pub use file::{HEAD_FILE, HeadFile, HeadFileError, KnownHead, SeenEnd};
pub use keeper::HeadKeeper;

/// What is said where nothing is known.
pub const UNKNOWN: &str = "No journal-head.json here: a rollback before this start cannot be detected. The head is recorded from now on.";

/// Reads what is known in a data directory, which is made if need be, and compares the journal with it; a contradiction is
/// raised as a doubt. Returns the file, and what it knew.
///
/// # Errors
///
/// The file cannot be read or the directory not made, or the journal does not answer.
pub async fn recall<J: Journal>(
    journal: &J,
    data: &Path,
    doubts: &Doubts,
) -> Result<(HeadFile, Option<KnownHead>), OpenError> {
    let directory = data.to_owned();
    let (file, known) = spawn_blocking(move || {
        make_directory(&directory)?;
        let file = HeadFile::in_directory(&directory);
        let known = file.read()?;
        Ok::<_, OpenError>((file, known))
    })
    .await??;
    if let Some(known) = &known {
        judge(journal, known, doubts).await?;
    }
    Ok((file, known))
}

/// Raises what speaks against the journal.
pub async fn judge<J: Journal>(journal: &J, known: &KnownHead, doubts: &Doubts) -> Result<(), OpenError> {
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
pub async fn keep<J: Journal>(journal: &J, file: HeadFile, end: SeenEnd) -> Result<(), OpenError> {
    let known = KnownHead::new(journal.identity(), end);
    Ok(spawn_blocking(move || file.keep(&known)).await??)
}

/// That the file can be written: asked before something is appended whose answer must not be lost afterwards.
pub async fn expect_writable(file: &HeadFile) -> Result<(), OpenError> {
    let file = file.clone();
    Ok(spawn_blocking(move || file.expect_writable()).await??)
}

/// What is said where something was appended and the file could not be written then.
pub fn not_kept(error: &OpenError) -> String {
    format!(
        "done, but the journal's head was not recorded ({error}): a rollback to before this cannot be detected here"
    )
}

/// The doubt that a journal's end raises against what is known; for a report.
pub async fn doubt_of<J: Journal>(journal: &J, known: &KnownHead) -> Result<Option<JournalDoubt>, OpenError> {
    Ok(compare(journal, known).await?.doubt())
}
