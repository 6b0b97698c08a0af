//! The boundary at which damage to the file ends in an error.
//!
//! redb verifies checksums only after an unclean end; what it reads later it takes as it is. On a page that was changed
//! outside it, it returns an error, or panics. Reading the whole file before each use would cost as much as the use, and
//! redb's own integrity check rolls back a damaged last commit without saying so, which for a journal is worse than an error.
//! So everything that touches redb goes through [`catching_panics`], which turns a panic into an error. A panic in redb leaves no
//! state of ours half changed: reads have none, and after a failed commit the writer writes nothing any more.

use std::{
    cell::Cell,
    io::ErrorKind,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use redb::Database;

use crate::{ReadError, outcome::Reason};

thread_local! {
    /// Whether this thread is behind the boundary: then a panic becomes an error, and the hook prints nothing.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Does something with redb. The error is what a panic said.
pub(super) fn catching_panics<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| tell(info, &*before)));
    });
    let outer = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("redb failed on the file's contents ({})", text.unwrap_or("no reason given"))
    })
}

fn tell(info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    if GUARDED.try_with(Cell::get).unwrap_or_default() {
        tracing::debug!(%info, "the store panicked on a damaged file");
    } else {
        before(info);
    }
}

/// Whether an error of redb says that the file is damaged, and not that the disk does not answer.
pub(super) fn is_damage(error: &redb::Error) -> bool {
    if let redb::Error::Io(error) = error {
        return matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
        );
    }
    !matches!(error, redb::Error::PreviousIo | redb::Error::DatabaseAlreadyOpen)
}

/// The open file.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// Gone only while it is dropped.
    db: Option<Database>,
    path: PathBuf,
}

impl OpenFile {
    pub(super) fn new(db: Database, path: &Path) -> Self {
        Self { db: Some(db), path: path.to_owned() }
    }

    /// Reads; `place` is the sequence that the error names if the file turns out to be damaged.
    pub(super) fn read<T>(
        &self,
        place: u64,
        work: impl FnOnce(&Database) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let Some(db) = &self.db else { return Err(ReadError::Unavailable(Arc::new(Reason("it is closed")))) };
        match catching_panics(|| work(db)) {
            Ok(Err(ReadError::Damaged { sequence })) => {
                Err(self.damaged(sequence, "the row is not understood"))
            }
            Ok(Err(ReadError::Unavailable(cause))) => match cause.downcast_ref::<redb::Error>() {
                Some(error) if is_damage(error) => Err(self.damaged(place, &error.to_string())),
                _ => Err(ReadError::Unavailable(cause)),
            },
            Ok(answer) => answer,
            Err(panic) => Err(self.damaged(place, &panic)),
        }
    }

    /// Writes; none if it panicked, with what it said.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Database) -> T) -> Result<T, ReadError> {
        let Some(db) = &self.db else { return Err(ReadError::Unavailable(Arc::new(Reason("it is closed")))) };
        catching_panics(|| work(db)).map_err(|panic| self.damaged(0, &panic))
    }

    pub(super) fn damaged(&self, sequence: u64, what: &str) -> ReadError {
        let file = self.path.display().to_string();
        ReadError::DamagedFile { file, sequence, what: what.to_owned() }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing writes, and may fail on the same page as what came before: that was told already.
        catching_panics(|| drop(db)).unwrap_or_default();
    }
}
