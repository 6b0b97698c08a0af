//! The file: one line of JSON, exchanged whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Identity, hash::Hash};
use grantbook_files::{self as files, Draft};
use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
pub const HEAD_FILE: &str = "journal-head.json";
/// The layout that this version reads and writes.
const FORMAT: u16 = 1;
/// Longer files are not ours.
const MOST_BYTES: u64 = 4096;

/// The last item that was seen of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenEnd {
    /// Its sequence, 0 if there was none.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What was seen of a journal: which it is, and the last frame that was acknowledged to this process or read by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownHead {
    format: u16,
    /// Which journal.
    pub identity: Identity,
    /// Sequence and hash of the last frame.
    pub end: SeenEnd,
}

impl KnownHead {
    /// A journal that was seen up to there.
    pub const fn new(identity: Identity, end: SeenEnd) -> Self {
        Self { format: FORMAT, identity, end }
    }
}

/// Why what is known cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not hold what it should.
    #[error(
        "{} is not a valid head file: {why}. Compare the journal with a backup (`grantbook journal verify` prints its end), then remove the file",
        path.display()
    )]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is about another journal.
    #[error("{} is about another journal: give each journal its own --data, or remove the file", .0.display())]
    OtherJournal(PathBuf),
}

/// Where the head of a journal is kept. Its functions block.
#[derive(Debug, Clone)]
pub struct HeadFile {
    path: PathBuf,
}

impl HeadFile {
    /// The file of the processes with this data directory.
    pub fn in_directory(data: &Path) -> Self {
        Self { path: data.join(HEAD_FILE) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known; none if there is no file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not understood: then nothing is known, and it must not pass for that.
    pub fn read(&self) -> Result<Option<KnownHead>, HeadFileError> {
        let bytes = match fs::metadata(&self.path).map(|file| file.len()) {
            Ok(length) if length > MOST_BYTES => return Err(self.not_understood("it is too long")),
            Ok(_) => fs::read(&self.path).map_err(|source| self.failed(source))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed(source)),
        };
        let known: KnownHead =
            serde_json::from_slice(&bytes).map_err(|fault| self.not_understood(&fault.to_string()))?;
        if known.format != FORMAT {
            return Err(self.not_understood(&format!("format {} is not {FORMAT}", known.format)));
        }
        Ok(Some(known))
    }

    /// Keeps a head, durably, unless a later one of the same journal is kept already.
    ///
    /// # Errors
    ///
    /// It cannot be written, or the file is about another journal.
    pub fn keep(&self, head: &KnownHead) -> Result<(), HeadFileError> {
        match self.read()? {
            Some(known) if known.identity != head.identity => {
                Err(HeadFileError::OtherJournal(self.path.clone()))
            }
            Some(known) if known.end.sequence >= head.end.sequence => Ok(()),
            _ => self.replace(head),
        }
    }

    /// Keeps a head whatever is kept there: after a rollback was accepted.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn replace(&self, head: &KnownHead) -> Result<(), HeadFileError> {
        self.write(head).map_err(|source| self.failed(source))
    }

    /// That a head can be kept. What is kept stays.
    ///
    /// # Errors
    ///
    /// The file is not understood, or cannot be replaced or made.
    pub fn expect_writable(&self) -> Result<(), HeadFileError> {
        if let Some(known) = self.read()? {
            return self.replace(&known);
        }
        // Dropped, a draft leaves nothing.
        Draft::begin(&self.path).map(drop).map_err(|source| self.failed(source))
    }

    fn write(&self, head: &KnownHead) -> io::Result<()> {
        let mut line = serde_json::to_vec(head)?;
        line.push(b'\n');
        files::replace(&self.path, &line)
    }

    fn failed(&self, source: io::Error) -> HeadFileError {
        HeadFileError::Io { path: self.path.clone(), source }
    }

    fn not_understood(&self, why: &str) -> HeadFileError {
        HeadFileError::NotUnderstood { path: self.path.clone(), why: why.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use grantbook_domain::{id::InstallationId, time::Timestamp};

    fn head(installation: u128, sequence: u64) -> KnownHead {
        let installation = InstallationId::from_u128(installation);
        let identity = Identity { installation, created_at: Timestamp::from_millis(5) };
        KnownHead::new(identity, SeenEnd { sequence, hash: Hash::of(&sequence.to_be_bytes()) })
    }

    #[test]
    fn the_latest_head_of_one_journal_is_kept_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        assert_eq!(file.read().unwrap(), None);
        file.keep(&head(1, 7)).unwrap();
        assert_eq!(file.read().unwrap(), Some(head(1, 7)));
        file.keep(&head(1, 6)).unwrap();
        assert_eq!(file.read().unwrap(), Some(head(1, 7)), "it never goes back by itself");
        assert!(matches!(file.keep(&head(2, 9)), Err(HeadFileError::OtherJournal(_))));
        file.replace(&head(1, 3)).unwrap();
        assert_eq!(file.read().unwrap(), Some(head(1, 3)));
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn whether_it_can_be_written_is_asked_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(&directory.path().join("data"));
        assert!(matches!(file.expect_writable(), Err(HeadFileError::Io { .. })));
        fs::create_dir(directory.path().join("data")).unwrap();
        file.expect_writable().unwrap();
        assert_eq!(fs::read_dir(directory.path().join("data")).unwrap().count(), 0);
        file.keep(&head(1, 7)).unwrap();
        file.expect_writable().unwrap();
        assert_eq!(file.read().unwrap(), Some(head(1, 7)));
        assert_eq!(fs::read_dir(directory.path().join("data")).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, file.path()).unwrap();
        file.replace(&head(1, 7)).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(file.read().unwrap(), Some(head(1, 7)));
    }

    #[test]
    fn what_is_not_understood_does_not_pass_for_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        let whole = serde_json::to_string(&head(1, 7)).unwrap();
        let later = whole.replace("\"format\":1", "\"format\":2");
        let cut: String = whole.chars().take(whole.len() - 3).collect();
        for text in [String::new(), cut, later, " ".repeat(5000)] {
            fs::write(file.path(), &text).unwrap();
            assert!(matches!(file.read(), Err(HeadFileError::NotUnderstood { .. })), "{text:?}");
            assert!(file.keep(&head(1, 8)).is_err(), "and is not written over");
        }
    }
}
