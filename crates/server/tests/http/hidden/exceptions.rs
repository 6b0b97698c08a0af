//! Where an answer may differ, as docs/access.md states it. Each must be needed.

use std::collections::BTreeMap;

use crate::hidden::{
    Case,
    world::{ALL_ON_PROJECT, AUDITOR, CREATOR, Form, HISTORIAN, MANAGER, MANAGER_OF_DENIED, PLANNER},
};

/// One stated exception.
struct Exception {
    why: &'static str,
    covers: fn(&Case<'_>) -> bool,
}

const EXCEPTIONS: [Exception; 8] = [
    Exception {
        why: "names, e-mails and external ids are unique: the code says so, and nothing else",
        covers: |case| {
            let is_unique = matches!(case.hidden.form, Form::Name | Form::Email | Form::External);
            let taken = ["name_taken", "email_taken", "external_id_taken"];
            is_unique && case.about_hidden.status == 409 && taken.contains(&case.about_hidden.code())
        },
    },
    Exception {
        why: "who may give grants names accounts by their exact ids",
        covers: |case| {
            let gives = [ALL_ON_PROJECT, HISTORIAN, PLANNER].contains(&case.caller);
            gives && is_account(case) && case.operation == "POST /v1/grants" && case.place == "body /to/id"
        },
    },
    Exception {
        why: "who manages a group names accounts by their exact ids",
        covers: |case| {
            let manages = [MANAGER, MANAGER_OF_DENIED].contains(&case.caller);
            let adds = case.operation == "POST /v1/groups/{id}/members" && case.place == "body /member/id";
            manages && is_account(case) && adds
        },
    },
    Exception {
        why: "ids that Grantbook made are not registered for objects",
        covers: |case| {
            let registers = case.operation == "POST /v1/objects" && case.place == "body /id";
            registers && case.hidden.form == Form::Id && case.about_hidden.status == 400
        },
    },
    Exception {
        why: "who reads access to an object asks about accounts and keys by their exact ids",
        covers: |case| {
            let reads = [ALL_ON_PROJECT, HISTORIAN, PLANNER].contains(&case.caller);
            let is_subject = ["/principal/id", "/key", "/subject/id", "query principal"]
                .iter()
                .any(|place| case.place.ends_with(place));
            reads && is_subject && asks_about_objects(case.operation)
        },
    },
    Exception {
        why: "who reads access to the organization asks about everybody and everything",
        covers: |case| case.caller == PLANNER && OF_EVERYBODY.contains(&case.operation),
    },
    Exception {
        why: "who reads the audit log reads of everything",
        covers: |case| {
            [AUDITOR, HISTORIAN].contains(&case.caller) && OF_THE_AUDIT_LOG.contains(&case.operation)
        },
    },
    Exception {
        why: "callers may learn what they may do themselves",
        covers: |case| {
            let asks = ["GET /v1/permissions", "POST /access/v1/search/action"].contains(&case.operation);
            case.caller == CREATOR && asks && ["group", "role"].contains(&case.hidden.what)
        },
    },
];

/// Questions that need `read_acls` on the organization.
const OF_EVERYBODY: &[&str] = &[
    "GET /v1/access",
    "GET /v1/accessible",
    "GET /v1/report",
    "GET /v1/timeline",
    "POST /access/v1/search/resource",
];

/// Questions that need `read` on the audit log.
const OF_THE_AUDIT_LOG: &[&str] = &["GET /v1/audit", "GET /v1/diff", "GET /v1/grants/history"];

/// Answers that speak of hidden things which their requests do not name: the caller, the operations, and why that is right.
const MENTIONS: [(&[&str], &[&str], &str); 3] = [
    (&[PLANNER], OF_EVERYBODY, "everybody's access"),
    (
        &[ALL_ON_PROJECT, HISTORIAN, PLANNER],
        &["POST /v1/explain"],
        "whose the key is that an explanation is asked for",
    ),
    (&[AUDITOR, HISTORIAN], OF_THE_AUDIT_LOG, "the audit log"),
];

fn is_account(case: &Case<'_>) -> bool {
    ["user", "token"].contains(&case.hidden.what)
}

fn asks_about_objects(operation: &str) -> bool {
    let asks = ["GET /v1/permissions", "POST /v1/check", "POST /v1/explain", "POST /access/v1/"];
    asks.iter().any(|one| operation.starts_with(one))
}

/// How often each was needed.
#[derive(Default)]
pub(super) struct Exceptions {
    used: BTreeMap<&'static str, usize>,
}

impl Exceptions {
    pub(super) fn cover(&mut self, case: &Case<'_>) -> bool {
        let found = EXCEPTIONS.iter().find(|one| (one.covers)(case));
        found.inspect(|one| *self.used.entry(one.why).or_default() += 1).is_some()
    }

    pub(super) fn may_mention(&mut self, caller: &str, operation: &str) -> bool {
        let found = MENTIONS
            .iter()
            .find(|(callers, operations, _)| callers.contains(&caller) && operations.contains(&operation));
        found.inspect(|(_, _, why)| *self.used.entry(*why).or_default() += 1).is_some()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (why, times) in &other.used {
            *self.used.entry(why).or_default() += times;
        }
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.used.iter().map(|(why, times)| format!("exception, {times} times: {why}")).collect()
    }

    /// An exception that nothing needs is none.
    pub(super) fn require_used(&self) {
        let all = EXCEPTIONS.iter().map(|one| one.why).chain(MENTIONS.iter().map(|(_, _, why)| *why));
        let unused: Vec<_> = all.filter(|why| !self.used.contains_key(why)).collect();
        assert!(unused.is_empty(), "needed by nothing: {unused:?}");
    }
}
