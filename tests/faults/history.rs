//! What clients did and saw during a run, as data: the only thing that the checker looks at besides the journal.
//!
//! Times are microseconds of this process's own steady clock since the run began. Positions are numbers, so that they
//! can be compared; 0 is before every record.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use serde::Serialize;

/// Microseconds since the run began.
pub(crate) type Micros = u64;

/// Something that happened, told by whoever saw it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// One attempt at a command, with its answer.
    Command(Command),
    /// One question to one node, with its answer.
    Check(Check),
    /// Somebody listens from some position on.
    Subscribed(Subscribed),
    /// Something that a subscriber got.
    Message(Message),
    /// The digest of a node's view.
    View(View),
    /// What befell the stage, and when it was over.
    Fault(Fault),
}

/// One attempt at a command. Attempts with the same request id are the same command.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Command {
    /// Its `Idempotency-Key`.
    pub(crate) request: String,
    /// Which service was asked.
    pub(crate) service: String,
    /// The events that it makes if it is accepted, in order.
    pub(crate) makes: Vec<&'static str>,
    /// Whose access it ends: the subject of later checks.
    pub(crate) revokes: Option<String>,
    /// The name that it wants to have for its own, if others want it too.
    pub(crate) wants_name: Option<String>,
    pub(crate) sent: Micros,
    pub(crate) answered: Micros,
    pub(crate) outcome: Outcome,
}

/// What was answered to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It has its record here.
    Acknowledged {
        position: u64,
        /// The answer, without a secret.
        body: String,
    },
    /// It has no effect, decided on the state at `position`.
    Refused { status: u16, code: String, position: u64 },
    /// Nobody knows.
    Unknown { why: String },
}

/// One question whether somebody may do something.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// Which node was asked.
    pub(crate) node: String,
    /// About whom, as [`Command::revokes`] calls it.
    pub(crate) subject: String,
    /// The id of the service token.
    pub(crate) token: String,
    /// The id of its key.
    pub(crate) key: String,
    /// May it `update` this project?
    pub(crate) project: String,
    /// The answer must not be older.
    pub(crate) at_least: u64,
    /// It was asked for the latest: not older than anything acknowledged before it was sent.
    pub(crate) latest: bool,
    pub(crate) sent: Micros,
    pub(crate) answered: Micros,
    pub(crate) said: Said,
}

/// What was answered to a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Said {
    Allowed {
        position: u64,
    },
    Denied {
        position: u64,
        reason: String,
    },
    /// No answer about access: 503, or no answer at all.
    Unavailable {
        code: String,
    },
}

/// What a way of listening promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Promise {
    /// Each message once.
    Once,
    /// Each message, perhaps again, and never an older one for the first time.
    AtLeastOnce,
}

/// Somebody listens.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Subscribed {
    pub(crate) subscriber: String,
    /// What it gets.
    pub(crate) kind: Kind,
    pub(crate) promise: Promise,
    /// It gets everything behind this position.
    pub(crate) behind: u64,
}

/// What subscribers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Every record, as one message.
    Record,
    /// Every event of a record.
    Event,
    /// Every change of access that a record caused.
    Change,
    /// Every event of a record, and then every change that it caused.
    Both,
}

/// Something that a subscriber got.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) subscriber: String,
    pub(crate) position: u64,
    /// Its place among the messages of one position.
    pub(crate) index: u32,
    /// The event's or the change's name; of a record, its events' names, parted by commas.
    pub(crate) name: String,
    pub(crate) at: Micros,
}

/// The digest of a view.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) node: String,
    /// The sequence of its last frame.
    pub(crate) sequence: u64,
    /// In hexadecimal.
    pub(crate) digest: String,
}

/// What befell the stage.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fault {
    pub(crate) name: String,
    pub(crate) begun: Micros,
    /// Everything was as before again.
    pub(crate) ended: Micros,
}

/// Gathers entries from many threads.
#[derive(Debug)]
pub(crate) struct History {
    began: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), entries: Mutex::new(Vec::new()) }
    }

    /// What time it is in this run.
    pub(crate) fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn add(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Everything so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something about everything so far, without a copy.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes entries, a line of JSON each: what is kept of a run that failed.
pub(crate) fn write(entries: &[Entry], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for entry in entries {
        serde_json::to_writer(&mut file, entry)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}
