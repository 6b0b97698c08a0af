//! Why a call of the client has no answer.

use crate::{
    questions::{plan::Plan, watch::WatchEnd},
    words::problem::Problem,
};

/// No answer. Of a check: treat it as a denial.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused, and says why.
    #[error("{}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// The server, or something in between, refused without saying why in our words.
    #[error("the server answered with status {status} and no explanation")]
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
    /// The server could not be reached, or the answer did not arrive whole. A write may have taken effect: repeat it
    /// with the same `Idempotency-Key`.
    #[error("no answer from the server")]
    Transport(#[from] reqwest::Error),
    /// The answer is not of the form expected.
    #[error("the server's answer cannot be understood")]
    Malformed(#[source] serde_json::Error),
    /// The answer to a check contradicts itself.
    #[error("the server's answer contradicts itself")]
    Contradiction,
    /// The base is not an `http` or `https` URL, or holds more than scheme, host, port and path.
    #[error("not the URL of a server: expected something like http://127.0.0.1:7878")]
    BadUrl,
    /// The caller may watch no more.
    #[error("{}: {}", .0.reason, .0.detail)]
    WatchEnded(WatchEnd),
    /// An id that cannot stand in a path: empty, `.` or `..`.
    #[error("not an id")]
    BadId,
    /// A write by a client whose questions are about the past.
    #[error("the past cannot be changed: as_of is for questions")]
    WriteAsOf,
    /// The client's writes are dry runs: nothing was written, and this is what the write would do.
    #[error("nothing was written: this was a dry run")]
    DryRun(Box<Plan>),
    /// A text that cannot be sent in this header.
    #[error("the text for {name} holds characters that cannot be sent in a header")]
    BadHeader {
        /// The header.
        name: &'static str,
    },
}

impl ClientError {
    /// The problem's stable code, if the server gave one.
    pub fn code(&self) -> Option<&str> {
        if let Self::Problem(problem) = self { Some(&problem.code) } else { None }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Unexpected { status } => Some(*status),
            Self::Transport(_)
            | Self::Malformed(_)
            | Self::Contradiction
            | Self::BadUrl
            | Self::WatchEnded(_)
            | Self::BadId
            | Self::WriteAsOf
            | Self::DryRun(_)
            | Self::BadHeader { .. } => None,
        }
    }
}
