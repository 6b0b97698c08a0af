//! How it ends: exit codes, and errors in words.

use std::{fmt, io, process::ExitCode};

use anyhow::Error;
use grantbook_api::{client::ClientError, people::text::clean};

use crate::shared::output::Output;

/// How a command that got its answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, or: allowed.
    Yes,
    /// Not allowed.
    Denied,
    /// What was looked at is not as it should be; the output says so.
    Failed,
}

/// The arguments fit the grammar but not each other, or ask for what this build does not have.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

const YES: u8 = 0;
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const DENIED: u8 = 3;

/// Reports a failure and gives the exit code.
pub(crate) fn code(out: &Output, result: Result<Verdict, Error>) -> ExitCode {
    ExitCode::from(match result {
        Ok(Verdict::Yes) => YES,
        Ok(Verdict::Denied) => DENIED,
        Ok(Verdict::Failed) => FAILURE,
        // Whoever read our output has seen enough, as in `grantbook audit | head`.
        Err(error) if is_broken_pipe(&error) => YES,
        Err(error) => {
            report(out, &error);
            number(&error)
        }
    })
}

fn number(error: &Error) -> u8 {
    if error.is::<Usage>() {
        return USAGE;
    }
    match error.downcast_ref::<ClientError>() {
        Some(
            ClientError::BadUrl | ClientError::BadHeader { .. } | ClientError::BadId | ClientError::WriteAsOf,
        ) => USAGE,
        Some(client) if client.status() == Some(403) => DENIED,
        _ => FAILURE,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn report(out: &Output, error: &Error) {
    let problem = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Problem(problem)) => Some(problem),
        _ => None,
    };
    if let (Some(problem), true) = (problem, out.is_json()) {
        out.note(&serde_json::to_string(problem).unwrap_or_default());
        return;
    }
    let place = problem.and_then(|problem| problem.pointer.as_deref()).unwrap_or_default();
    if place.is_empty() {
        out.note(&format!("error: {}", words(error)));
    } else {
        out.note(&format!("error: {} (at {place})", words(error)));
    }
    if let Some(hint) = error.downcast_ref().and_then(hint) {
        out.note(&format!("hint: {hint}"));
    }
}

/// The error and its causes, but for those that the text before already tells.
fn words(error: &Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = clean(&cause.to_string());
        if told.contains(&cause) {
            told
        } else if told.is_empty() {
            cause
        } else {
            format!("{told}: {cause}")
        }
    })
}

/// What to do about it.
fn hint(error: &ClientError) -> Option<&'static str> {
    match (error.status(), error.code()) {
        (Some(401), _) => {
            Some("the key is missing, wrong, revoked or expired: look at GRANTBOOK_KEY or --key")
        }
        (_, Some("outcome_unknown")) => Some(
            "it may have taken effect: repeat it with the same --idempotency-key, or look with `grantbook audit`",
        ),
        _ => match error {
            ClientError::Transport(fault) if fault.is_connect() => {
                Some("is `grantbook serve` running at --url (GRANTBOOK_URL)?")
            }
            ClientError::Transport(_) => Some(
                "a write may have taken effect: repeat it with the same --idempotency-key, or look first",
            ),
            ClientError::Problem(_)
            | ClientError::Unexpected { .. }
            | ClientError::Malformed(_)
            | ClientError::Contradiction
            | ClientError::BadUrl
            | ClientError::WatchEnded(_)
            | ClientError::BadId
            | ClientError::WriteAsOf
            | ClientError::DryRun(_)
            | ClientError::BadHeader { .. } => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use grantbook_api::words::problem::Problem;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = Error::msg("disk full").context("cannot write: disk full").context("init");
        assert_eq!(words(&error), "init: cannot write: disk full");
    }

    #[test]
    fn a_refusal_is_told_from_a_failure_and_from_wrong_usage() {
        let problem =
            |status| Error::from(ClientError::Problem(Box::new(Problem::new(status, "c", "t", "d"))));
        assert_eq!(number(&problem(403)), 3);
        assert_eq!(number(&problem(401)), 1);
        assert_eq!(number(&problem(503)), 1);
        assert_eq!(number(&Error::from(Usage("u".into()))), 2);
        assert_eq!(number(&Error::from(ClientError::BadUrl)), 2);
        assert_eq!(number(&Error::from(ClientError::Contradiction).context("check")), 1);
    }
}
