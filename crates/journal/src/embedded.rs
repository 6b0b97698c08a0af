//! The journal in one file of one machine: nothing to install, nothing acknowledged before it is on the disk.
//!
//! A redb file with three tables, and a fourth once there are foreign messages. One thread writes: it takes every append that waits, of whatever organizations,
//! and commits them in one transaction with one fsync, so that those who wait for the disk share the next one.
//!
//! What redb promises and what it does not: a commit returns after fsync, and after a crash the last commit whose
//! checksums hold is the state. Reads do not verify checksums; a frame's own hashes do that, in
//! [`Chains`](crate::chain::Chains). After an unclean end redb walks the whole file on opening, which takes time in
//! proportion to its size. We commit in one phase: two would guard against an attacker who controls names in the
//! journal *and* the moment of crashes, at the price of a second fsync for every commit.

mod file;
mod read;
mod writer;

use std::{num::NonZeroUsize, path::Path, sync::Arc, thread::JoinHandle, time::Duration};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use redb::Database;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
};

pub use file::{EmbeddedError, FILE_FORMAT, FILE_NAME};
pub(crate) use writer::Append;

use crate::{
    AppendError, Cause, Identity, Item, Journal, ReadError, Tail,
    embedded::{
        panic_boundary::{OpenFile, catching_panics, is_damage},
        writer::{Failure, Request},
    },
    frame::FRAME_MAX_BYTES,
    moved_beyond,
    outcome::{Guard, Reason},
};

/// How many appends may wait for the writer before the next ones wait for a place.
const QUEUE: usize = 1024;

/// A journal in a redb file. One process at a time has it open.
///
/// Dropping it waits for the appends under way, then gives the file free; every acknowledged append is on the disk
/// already.
#[derive(Debug)]
pub struct EmbeddedJournal {
    identity: Identity,
    file: Arc<OpenFile>,
    head: watch::Receiver<u64>,
    failed: Failure,
    /// Gone only while it is dropped: the writer ends when all senders are gone.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedJournal {
    /// Makes a journal in `directory`, and the directory if need be. Refuses if one with frames is there; one
    /// without frames, as an interrupted `create` leaves it, is made anew. Blocks.
    pub fn create(directory: &Path, identity: Identity) -> Result<Self, EmbeddedError> {
        let path = directory.join(FILE_NAME);
        let made = catching_panics(|| file::create(directory, identity));
        Self::start(told(made, &path)?, (identity, 0), &path)
    }

    /// Opens the journal in `directory`; makes none. Blocks, after a crash for as long as the file takes to read.
    pub fn open(directory: &Path) -> Result<Self, EmbeddedError> {
        let path = directory.join(FILE_NAME);
        let (db, identity, head) = told(catching_panics(|| file::open(directory)), &path)?;
        Self::start(db, (identity, head), &path)
    }

    /// Whether `directory` holds a journal file, usable or not.
    pub fn exists(directory: &Path) -> bool {
        directory.join(FILE_NAME).exists()
    }

    /// Ends the writer after the appends under way and gives the file free. Blocks; so does dropping.
    pub fn close(mut self) {
        self.stop();
    }

    fn start(db: Database, (identity, head): (Identity, u64), path: &Path) -> Result<Self, EmbeddedError> {
        let file = Arc::new(OpenFile::new(db, path));
        let (requests, waiting) = mpsc::channel(QUEUE);
        let (tell, head) = watch::channel(head);
        let failed = Failure::default();
        let writer = writer::spawn(Arc::clone(&file), waiting, tell, Arc::clone(&failed));
        let writer = writer.map_err(EmbeddedError::Io)?;
        Ok(Self { identity, file, head, failed, requests: Some(requests), writer: Some(writer) })
    }

    fn stop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has answered nothing: its callers know that the outcome is unknown.
            writer.join().unwrap_or_default();
        }
    }

    /// Appends frames of any organizations and foreign messages, each behind the one before, sharing commits; what became
    /// of each.
    pub(crate) async fn append_in_order(&self, appends: Vec<Append>) -> Vec<Result<u64, AppendError>> {
        let mut sent = Vec::with_capacity(appends.len());
        for what in appends {
            sent.push(self.enqueue(what).await);
        }
        let mut outcomes = Vec::with_capacity(sent.len());
        for one in sent {
            outcomes.push(match one {
                Ok(answered) => answer_of(answered).await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Puts foreign messages of this last token of a subject behind the stream's last sequence `head`, sharing commits; the
    /// sequence of the last one.
    ///
    /// # Errors
    ///
    /// As [`Journal::put_foreign`], of the first that was not put; those before it are there.
    pub async fn put_foreign_run(
        &self,
        token: &str,
        head: u64,
        messages: Vec<Bytes>,
    ) -> Result<u64, AppendError> {
        let foreign = |(head, bytes)| Append::Foreign { token: token.to_owned(), head, bytes };
        let appends = (head..).zip(messages).map(foreign).collect();
        let mut last = head;
        for outcome in self.append_in_order(appends).await {
            last = outcome?;
        }
        Ok(last)
    }

    async fn send(&self, org: OrgId, guard: Guard, frame: Bytes) -> Result<u64, AppendError> {
        answer_of(self.enqueue(Append::Frame { org, guard, frame }).await?).await
    }

    /// Hands something to the writer; the answer comes later.
    async fn enqueue(
        &self,
        what: Append,
    ) -> Result<oneshot::Receiver<Result<u64, AppendError>>, AppendError> {
        if let Append::Frame { frame, .. } = &what
            && frame.len() > FRAME_MAX_BYTES
        {
            return Err(AppendError::TooLarge { bytes: frame.len(), limit: FRAME_MAX_BYTES });
        }
        let (answer, answered) = oneshot::channel();
        let sent = match &self.requests {
            Some(requests) => requests.send(Request { what, answer }).await.is_ok(),
            None => false,
        };
        if !sent {
            return Err(AppendError::Unavailable(Arc::new(Reason("the journal's writer has ended"))));
        }
        Ok(answered)
    }
}

async fn answer_of(answered: oneshot::Receiver<Result<u64, AppendError>>) -> Result<u64, AppendError> {
    answered.await.unwrap_or_else(|_| {
        Err(AppendError::OutcomeUnknown(Arc::new(Reason("the journal's writer ended without an answer"))))
    })
}

impl Drop for EmbeddedJournal {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Journal for EmbeddedJournal {
    type Tail = EmbeddedTail;

    fn identity(&self) -> Identity {
        self.identity
    }

    /// The file is locked.
    fn is_shared(&self) -> bool {
        false
    }

    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.send(org, Guard::Organization(after), frame).await
    }

    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.send(org, Guard::Stream(head), frame).await
    }

    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        let what = Append::Foreign { token: token.to_owned(), head, bytes };
        answer_of(self.enqueue(what).await?).await
    }

    fn tail(&self, after: u64) -> EmbeddedTail {
        EmbeddedTail { file: Arc::clone(&self.file), head: self.head.clone(), after }
    }

    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        blocking(&self.file, move |file| file.read(sequence, |db| read::one(db, sequence))).await
    }

    async fn head(&self) -> Result<u64, ReadError> {
        Ok(*self.head.borrow())
    }

    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        let place = after.saturating_add(1);
        blocking(&self.file, move |file| file.read(place, |db| read::next_of(db, org, after))).await
    }

    fn halted(&self) -> Option<Cause> {
        self.failed.get().map(Arc::clone)
    }
}

/// Reads an [`EmbeddedJournal`] in order. The file stays open as long as one is there.
#[derive(Debug)]
pub struct EmbeddedTail {
    file: Arc<OpenFile>,
    head: watch::Receiver<u64>,
    after: u64,
}

impl Tail for EmbeddedTail {
    async fn next(&mut self, limit: NonZeroUsize, patience: Duration) -> Result<Vec<Item>, ReadError> {
        if !moved_beyond(&mut self.head, self.after, patience).await {
            return Ok(Vec::new());
        }
        let after = self.after;
        let items = blocking(&self.file, move |file| behind(file, after, limit)).await?;
        match items.last() {
            Some(last) => self.after = last.sequence(),
            // The head has moved on, yet nothing is there.
            None => return Err(self.file.damaged(after.saturating_add(1), "nothing is there")),
        }
        Ok(items)
    }
}

/// The next items; those before damage are good, and the damage is met again behind them.
fn behind(file: &OpenFile, after: u64, limit: NonZeroUsize) -> Result<Vec<Item>, ReadError> {
    let mut items = Vec::new();
    let read = file.read(after.saturating_add(1), |db| read::behind(db, after, limit, &mut items));
    if items.is_empty() { read.map(|()| items) } else { Ok(items) }
}

/// What redb did, in our words. A file that is open is given free first.
fn told<T>(outcome: Result<Result<T, EmbeddedError>, String>, path: &Path) -> Result<T, EmbeddedError> {
    let damaged = |what: String| EmbeddedError::DamagedFile { path: path.to_owned(), what };
    match outcome {
        Ok(Err(EmbeddedError::Store(error))) if is_damage(&error) => Err(damaged(error.to_string())),
        Ok(outcome) => outcome,
        Err(panic) => Err(damaged(panic)),
    }
}

/// Reads the file beside the runtime.
async fn blocking<T: Send + 'static>(
    file: &Arc<OpenFile>,
    read: impl FnOnce(&OpenFile) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    let file = Arc::clone(file);
    match spawn_blocking(move || read(&file)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(ReadError::Unavailable(Arc::new(error))),
    }
}

pub(crate) mod panic_boundary;
#[cfg(test)]
mod tests;
