//! What is handed to the command service, and what it answers.

use std::{sync::Arc, time::Duration};

use grantbook_domain::{
    command::{Author, Command},
    event::Event,
    id::OrgId,
    position::Position,
    record::Record,
    refusal::Refusal,
    state::OrgState,
    time::Timestamp,
};

use grantbook_journal::follow::doubt::JournalDoubt;

/// A command with all that its record will say besides its events.
#[derive(Debug, Clone)]
pub struct Submission {
    /// In which organization.
    pub org: OrgId,
    /// Who asks.
    pub author: Author,
    /// What is asked.
    pub command: Command,
    /// Present iff the caller sent a request id.
    pub idempotency: Option<Idempotency>,
    /// Only if the organization's last record is at this position.
    pub if_position: Option<Position>,
    /// From where.
    pub source_ip: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What is wrong with the two texts above.
    pub faults: TextFaults,
}

/// What is wrong with texts that came beside a command. It refuses the command, unless that only takes access away: then the
/// text is left out of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFaults {
    /// With the request id; without a valid form it is no `idempotency` at all.
    pub request_id: Option<String>,
    /// With the reason.
    pub reason: Option<String>,
}

/// A request id of the caller's, and what it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The `Idempotency-Key`; scoped to organization and principal.
    pub key: String,
    /// First 128 bits of SHA-256 over method, path and canonical body.
    pub request_hash: [u8; 16],
}

/// What became of an accepted command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of its record; for a command that changed nothing, of the last record it was decided on.
    pub position: Position,
    /// Its record; none if it changed nothing.
    pub record: Option<Arc<Record>>,
    /// Whether it had its effect earlier, under the same request id.
    pub replayed: bool,
    /// The organization after it (for a replayed one: now).
    pub state: OrgState,
}

/// What a command would do.
#[derive(Debug, Clone)]
pub struct PlannedOutcome {
    /// The head that it was decided on.
    pub position: Position,
    /// When: what the record's time would be.
    pub at: Timestamp,
    /// The organization as it is.
    pub before: OrgState,
    /// The organization as it would be.
    pub after: OrgState,
    /// The events of the record; none if it changes nothing.
    pub events: Vec<Event>,
}

/// Why a command was not accepted, or what is not known about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// It was refused; nothing was appended.
    #[error("{0}")]
    Refused(Refusal),
    /// The organization's head is not where the caller thinks; nothing was appended.
    #[error("the organization's head is at another position")]
    Moved,
    /// The request id was used for another request; nothing was appended.
    #[error("the request id was used with another request")]
    IdempotencyMismatch,
    /// A text beside it cannot be kept; nothing was appended.
    #[error("{0}")]
    BadText(String),
    /// Its record would be too long; nothing was appended.
    #[error("the record would have {bytes} bytes, at most {limit} are taken")]
    RecordTooLarge {
        /// Its length.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// Other writers came first, again and again; nothing was appended.
    #[error("other writers came first, again and again")]
    Contended,
    /// It may have its effect, now or later; the same request id tells.
    #[error("it is unknown whether the command was accepted; the same request id tells")]
    OutcomeUnknown,
    /// The journal takes nothing at present; nothing was appended.
    #[error("the journal is not available: {0}")]
    JournalUnavailable(String),
    /// The journal is not believed any more; nothing was appended.
    #[error("{0}")]
    JournalDoubted(JournalDoubt),
    /// There is no such organization.
    #[error("no such organization")]
    UnknownOrganization,
    /// The organization's commands have made more work than they may; nothing was appended.
    #[error("the organization's commands make more work than they may: come again in {} s", .wait.as_secs().saturating_add(1))]
    Busy {
        /// Until when.
        wait: Duration,
    },
    /// Too many commands wait already; nothing was appended.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The process is ending; nothing was appended.
    #[error("the process is ending")]
    Stopping,
}

impl From<Refusal> for SubmitError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
