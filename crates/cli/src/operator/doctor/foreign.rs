//! Messages in the journal's stream that nobody appended to it.

use crate::operator::doctor::{Finding, Status, finding};
use grantbook_api::questions::readiness::ForeignMessages;
use grantbook_server::{
    admin::journal_tools::{self, ForeignFound},
    app::config::NatsOptions,
};

const CHECK: &str = "foreign";
const ADVICE: &str = "they have no effect; `grantbook journal verify` lists them. Those on the subject of \"burned\" are of `journal accept-rollback`; for others somebody can publish there who should not: give each kind of process its own account or credential, as `grantbook nats config` does, and exchange the keys";

/// What is found in the journal's stream itself.
pub(super) async fn stream(options: &NatsOptions) -> Finding {
    match journal_tools::foreign(options).await {
        Ok(found) => {
            let ForeignFound { met, read, head } = found;
            let as_far_as = if read < head { format!(", up to {read} of {head}") } else { String::new() };
            let unread = if read < head { Status::Unknown } else { Status::Ok };
            let (status, what) = match met.count {
                0 => (unread, format!("no foreign messages{as_far_as}")),
                count => (
                    Status::Warn,
                    format!("{count} foreign messages{as_far_as}, the last one at sequence {}", met.last),
                ),
            };
            finding(CHECK, status, what, ADVICE)
        }
        Err(error) => {
            finding(CHECK, Status::Unknown, error.to_string(), "this needs the permissions of a reader")
        }
    }
}

/// What a node has met, if anything.
pub(super) fn node(node: &str, met: &ForeignMessages) -> Option<Finding> {
    let ForeignMessages { count, last_sequence } = met;
    let what = || format!("{node}: {count} foreign messages, the last one at sequence {last_sequence}");
    (*count > 0).then(|| finding(CHECK, Status::Warn, what(), ADVICE))
}
