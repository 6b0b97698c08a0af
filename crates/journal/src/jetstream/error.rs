//! Why a journal in NATS is not opened, in an operator's words.

use crate::jetstream::connection::ApiError;

/// Why a journal in NATS is not opened.
#[derive(Debug, thiserror::Error)]
pub enum JetStreamError {
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
    /// No server took the connection.
    #[error("cannot connect to {servers}: {fault}")]
    Connect {
        /// Which.
        servers: String,
        /// What the client says.
        fault: String,
    },
    /// The server is too old to be trusted with a journal.
    #[error(
        "the NATS server {server} is version {version}, at least {least} is needed: earlier ones lose or repeat messages in cases that a journal meets (docs/operating.md)"
    )]
    TooOld {
        /// Its name.
        server: String,
        /// Its version.
        version: String,
        /// The oldest that is taken.
        least: &'static str,
    },
    /// The server's JetStream speaks an older API than its version should.
    #[error("the NATS server {server} has JetStream API level {level}, at least {least} is needed")]
    ApiLevel {
        /// Its name.
        server: String,
        /// Its level.
        level: u64,
        /// The lowest that is taken.
        least: u64,
    },
    /// JetStream is not there for us.
    #[error("JetStream is not enabled for us on the NATS server {server}: {fault}")]
    NoJetStream {
        /// Its name.
        server: String,
        /// What it says.
        fault: String,
    },
    /// A frame would not fit.
    #[error(
        "the NATS server {server} takes messages of {bytes} bytes, a frame may need {needed}: raise max_payload"
    )]
    MaxPayload {
        /// Its name.
        server: String,
        /// What it takes.
        bytes: usize,
        /// What is needed.
        needed: usize,
    },
    /// There is no such stream.
    #[error("there is no stream {stream}: run `grantbook init --nats ...` first")]
    Missing {
        /// Its name.
        stream: String,
    },
    /// Only the stream of a demo is ever deleted.
    #[error("the stream {stream} is not a demo's: it is not deleted")]
    NotOfDemo {
        /// Its name.
        stream: String,
    },
    /// There is no such stream beside the journal's.
    #[error("there is no stream {stream}: run `grantbook nats prepare --nats ...` first")]
    NotPrepared {
        /// Its name.
        stream: String,
    },
    /// A stream beside the journal's is beside another one.
    #[error(
        "the stream {stream} was made from another journal than this one: give it, or this one, another name"
    )]
    OfOtherJournal {
        /// Its name.
        stream: String,
    },
    /// There are frames in it.
    #[error(
        "the stream {stream} holds a journal already: init makes the first organization of a new one; use `grantbook org create` for another organization"
    )]
    NotEmpty {
        /// Its name.
        stream: String,
    },
    /// It was made by something else.
    #[error("the stream {stream} was not made by Grantbook: {fault}")]
    Foreign {
        /// Its name.
        stream: String,
        /// What is missing.
        fault: String,
    },
    /// A copy into it did not come to its end.
    #[error(
        "a copy into the stream {stream} has not been finished: run `grantbook journal copy` again, which goes on"
    )]
    Copying {
        /// Its name.
        stream: String,
    },
    /// A stream in the subscribers' account is not the mirror that it should be.
    #[error("the stream {stream} is not the mirror that subscribers need: {}; delete it in their account, and run this again: it holds nothing that its origin does not", .drifts.join("; "))]
    NotAMirror {
        /// Its name.
        stream: String,
        /// Each setting that is wrong, in words.
        drifts: Vec<String>,
    },
    /// What nodes have beside the journal cannot be made.
    #[error("{0}")]
    Beside(String),
    /// Somebody changed it so that it may lose or exchange frames.
    #[error("the stream {stream} has drifted from what a journal needs: {}", .drifts.join("; "))]
    Drifted {
        /// Its name.
        stream: String,
        /// Each setting: what it is and what it must be.
        drifts: Vec<String>,
    },
    /// It cannot be placed.
    #[error("the stream {stream} cannot be made on {replicas} servers: {fault} (see --replicas)")]
    Replicas {
        /// Its name.
        stream: String,
        /// On how many.
        replicas: u8,
        /// What the server says.
        fault: String,
    },
    /// The target of a copy is another journal.
    #[error("the stream {stream} holds another journal than the one to be copied")]
    OtherJournal {
        /// Its name.
        stream: String,
    },
    /// A copied frame did not land where it belongs.
    #[error("the frame of sequence {sequence} cannot be copied: {fault}")]
    Copy {
        /// Which.
        sequence: u64,
        /// Why.
        fault: String,
    },
    /// A question was not answered, or with a refusal.
    #[error("{0}")]
    Api(#[from] ApiError),
}
