//! The one thread that writes: everything that waits goes into one commit.

use std::{
    io,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AppendError, Cause, ReadError,
    embedded::{
        file::{FOREIGN, FRAMES, LAST, foreign_value},
        panic_boundary::OpenFile,
    },
    outcome::Guard,
};

/// Most appends in one commit.
const BATCH_MAX: usize = 1024;
/// No further append joins a commit of so many bytes.
const BATCH_MAX_BYTES: usize = 8 * 1024 * 1024;

/// What is appended.
#[derive(Debug)]
pub(crate) enum Append {
    /// A frame, if its guard holds.
    Frame { org: OrgId, guard: Guard, frame: Bytes },
    /// A foreign message, if the stream's last sequence is this one.
    Foreign { token: String, head: u64, bytes: Bytes },
}

impl Append {
    fn len(&self) -> usize {
        match self {
            Self::Frame { frame: bytes, .. } | Self::Foreign { bytes, .. } => bytes.len(),
        }
    }
}

/// An append that waits.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) what: Append,
    pub(super) answer: oneshot::Sender<Result<u64, AppendError>>,
}

/// Starts the thread; it ends when every sender of requests is gone.
pub(super) fn spawn(
    file: Arc<OpenFile>,
    requests: mpsc::Receiver<Request>,
    head: watch::Sender<u64>,
    failed: Failure,
) -> io::Result<JoinHandle<()>> {
    let writer = Writer { file, requests, head, failed };
    thread::Builder::new().name("journal-writer".to_owned()).spawn(move || writer.run())
}

/// The first failure of the store. After it nothing is written any more: what the file holds is known again only when
/// it is opened anew.
pub(super) type Failure = Arc<OnceLock<Cause>>;

struct Writer {
    file: Arc<OpenFile>,
    requests: mpsc::Receiver<Request>,
    head: watch::Sender<u64>,
    failed: Failure,
}

/// Why a whole batch came to nothing, as far as is known.
enum BatchError {
    /// Before the commit began: nothing was written.
    Before(redb::Error),
    /// In the commit: it may be on the disk.
    Within(redb::CommitError),
    /// Somewhere: the store panicked on what it read.
    Damaged(ReadError),
}

impl From<redb::Error> for BatchError {
    fn from(error: redb::Error) -> Self {
        Self::Before(error)
    }
}

impl Writer {
    fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let batch = self.gather(first);
            match self.failed.get() {
                Some(cause) => answer_all(batch, &AppendError::Unavailable(Arc::clone(cause))),
                None => self.write(batch),
            }
        }
    }

    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut bytes = first.what.len();
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX && bytes < BATCH_MAX_BYTES {
            let Ok(next) = self.requests.try_recv() else { break };
            bytes += next.what.len();
            batch.push(next);
        }
        batch
    }

    fn write(&self, batch: Vec<Request>) {
        let before = *self.head.borrow();
        let committed = self.file.write(|db| commit(db, before, &batch));
        match committed.unwrap_or_else(|error| Err(BatchError::Damaged(error))) {
            Ok((head, outcomes)) => {
                // Before the answers: whoever got one must find the head there.
                if head != before {
                    self.head.send_replace(head);
                }
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    answer(request, outcome);
                }
            }
            Err(BatchError::Before(error)) => {
                let cause = self.fail(Arc::new(error));
                answer_all(batch, &AppendError::Unavailable(cause));
            }
            // Conflicts too: what they conflict with may be a frame of this very commit.
            Err(BatchError::Within(error)) => {
                let cause = self.fail(Arc::new(error));
                answer_all(batch, &AppendError::OutcomeUnknown(cause));
            }
            Err(BatchError::Damaged(error)) => {
                let cause = self.fail(Arc::new(error));
                answer_all(batch, &AppendError::OutcomeUnknown(cause));
            }
        }
    }

    fn fail(&self, cause: Cause) -> Cause {
        Arc::clone(self.failed.get_or_init(|| cause))
    }
}

type Outcome = Result<u64, AppendError>;

/// Writes what the guards let through, durably; the new head and one outcome per request, in order.
fn commit(db: &Database, head: u64, batch: &[Request]) -> Result<(u64, Vec<Outcome>), BatchError> {
    let transaction = begin(db)?;
    let (head_after, outcomes) = insert_all(&transaction, head, batch)?;
    if head_after == head {
        transaction.abort().map_err(redb::Error::from)?;
    } else {
        transaction.commit().map_err(BatchError::Within)?;
    }
    Ok((head_after, outcomes))
}

fn begin(db: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = db.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

fn insert_all(
    transaction: &WriteTransaction,
    mut head: u64,
    batch: &[Request],
) -> Result<(u64, Vec<Outcome>), redb::Error> {
    let mut frames = transaction.open_table(FRAMES)?;
    let mut last = transaction.open_table(LAST)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for Request { what, .. } in batch {
        let org = match what {
            Append::Frame { org, .. } => Some(*org),
            Append::Foreign { token, .. } => token.parse().ok(),
        };
        let own = match org {
            Some(org) => last.get(org.bytes())?.map_or(0, |sequence| sequence.value()),
            None => 0,
        };
        let (holds, actual) = match what {
            Append::Frame { guard: Guard::Organization(after), .. } => (own == *after, own),
            Append::Frame { guard: Guard::Stream(expected), .. } => (own == 0 && head == *expected, head),
            Append::Foreign { head: expected, .. } => (head == *expected, head),
        };
        if !holds {
            outcomes.push(Err(AppendError::Conflict { actual: Some(actual) }));
            continue;
        }
        head += 1;
        match what {
            Append::Frame { org, frame, .. } => insert(&mut frames, head, *org, frame)?,
            Append::Foreign { token, bytes, .. } => {
                let value = foreign_value(token, bytes);
                transaction.open_table(FOREIGN)?.insert(head, value.as_slice())?;
            }
        }
        if let Some(org) = org {
            last.insert(org.bytes(), head)?;
        }
        outcomes.push(Ok(head));
    }
    Ok((head, outcomes))
}

fn insert(
    frames: &mut Table<'_, u64, &'static [u8]>,
    sequence: u64,
    org: OrgId,
    frame: &[u8],
) -> Result<(), redb::Error> {
    let mut value = Vec::with_capacity(16 + frame.len());
    value.extend_from_slice(&org.bytes());
    value.extend_from_slice(frame);
    frames.insert(sequence, value.as_slice())?;
    Ok(())
}

fn answer_all(batch: Vec<Request>, error: &AppendError) {
    for request in batch {
        answer(request, Err(error.clone()));
    }
}

/// A caller that no longer waits has taken the outcome for unknown, and is free to.
fn answer(request: Request, outcome: Outcome) {
    drop(request.answer.send(outcome));
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A writer whose queue is full of appends of these organizations behind these guards; its answers.
    fn waiting(appends: &[(u128, u64)]) -> (Writer, watch::Receiver<u64>, Vec<oneshot::Receiver<Outcome>>) {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let (queue, requests) = mpsc::channel(BATCH_MAX);
        let (tell, head) = watch::channel(0);
        let mut answers = Vec::new();
        for (org, after) in appends {
            let (answer, answered) = oneshot::channel();
            let (org, frame) = (OrgId::from_u128(*org), Bytes::from_static(b"frame"));
            let guard = Guard::Organization(*after);
            queue.try_send(Request { what: Append::Frame { org, guard, frame }, answer }).unwrap();
            answers.push(answered);
        }
        let file = Arc::new(OpenFile::new(db, std::path::Path::new("journal.redb")));
        let writer = Writer { file, requests, head: tell, failed: Failure::default() };
        (writer, head, answers)
    }

    #[test]
    fn what_waits_shares_one_commit_and_a_conflict_disturbs_none_of_it() {
        let (mut writer, head, answers) = waiting(&[(1, 0), (2, 0), (1, 0), (3, 7), (1, 1), (2, 1), (4, 0)]);
        let first = writer.requests.try_recv().unwrap();
        let batch = writer.gather(first);
        assert_eq!(batch.len(), 7, "all that waits is taken");
        writer.write(batch);
        let outcomes: Vec<_> = answers
            .into_iter()
            .map(|mut answer| match answer.try_recv().unwrap() {
                Ok(sequence) => Ok(sequence),
                Err(AppendError::Conflict { actual }) => Err(actual),
                Err(error) => panic!("{error}"),
            })
            .collect();
        let expected = [Ok(1), Ok(2), Err(Some(1)), Err(Some(0)), Ok(3), Err(Some(2)), Ok(4)];
        assert_eq!(outcomes, expected);
        assert_eq!(*head.borrow(), 4);
    }
}
