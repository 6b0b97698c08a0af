//! The streams beside the journal, and the relays that fill them.

use crate::operator::doctor::{Finding, Status, finding};
use grantbook_api::questions::readiness::RelayLine;
use grantbook_server::admin::journal_tools::{DerivedFindings, DerivedState};

/// What is found of a stream beside a journal that ends at `head`.
pub(super) fn stream(found: &DerivedFindings, head: u64) -> Finding {
    const REFUSED: &str = "relays refuse to publish to this stream: find out who created or changed it, then delete or repair it";
    let DerivedFindings { stream, state } = found;
    if stream.ends_with("_NODES") {
        return of_nodes(stream, state);
    }
    match state {
        DerivedState::Absent => finding(
            stream,
            Status::Warn,
            "is not there",
            "subscribers over NATS need it: run `grantbook nats prepare`",
        ),
        DerivedState::Unknown(why) => finding(
            stream,
            Status::Unknown,
            why.clone(),
            "a relay needs the subjects $JS.API.STREAM.INFO and $JS.API.STREAM.MSG.GET of it",
        ),
        DerivedState::Foreign => {
            finding(stream, Status::Unsafe, "was made from another journal, or by something else", REFUSED)
        }
        DerivedState::Drifted(drifts) => finding(stream, Status::Unsafe, drifts.join("; "), REFUSED),
        DerivedState::Good { place: None, .. } => finding(stream, Status::Ok, "as it must be, empty", ""),
        DerivedState::Good { messages, place: Some(place) } if place.sequence > head => finding(
            stream,
            Status::Unsafe,
            format!("{messages} messages, up to frame {} of a journal that ends at {head}", place.sequence),
            "the journal was restored from an older copy: delete the stream, and run `grantbook nats prepare`",
        ),
        DerivedState::Good { messages, place: Some(place) } => {
            // A record need not change anybody's access: there the last message tells only what is surely there.
            let is_behind = stream.ends_with("_EVENTS") && place.sequence < head;
            let status = if is_behind { Status::Warn } else { Status::Ok };
            let found =
                format!("as it must be, {messages} messages, the last of frame {} of {head}", place.sequence);
            finding(
                stream,
                status,
                found,
                "if no relay is catching up, start one: `grantbook serve read --relay`",
            )
        }
    }
}

/// What is found of the stream in which nodes say how they are.
fn of_nodes(stream: &str, state: &DerivedState) -> Finding {
    match state {
        DerivedState::Good { messages, .. } => {
            finding(stream, Status::Ok, format!("as it must be, {messages} messages"), "")
        }
        DerivedState::Absent => finding(
            stream,
            Status::Warn,
            "is not there",
            "nodes compare themselves through it: run `grantbook nats prepare`",
        ),
        DerivedState::Unknown(why) => {
            finding(stream, Status::Unknown, why.clone(), "allow the subject $JS.API.STREAM.INFO of it")
        }
        DerivedState::Foreign => finding(stream, Status::Unsafe, "was made by something else", REMAKE),
        DerivedState::Drifted(drifts) => finding(stream, Status::Unsafe, drifts.join("; "), REMAKE),
    }
}

const REMAKE: &str = "disagreeing nodes may go unreported: delete it and run `grantbook nats prepare`; it holds only each node's last status";

/// What a node says of its relay.
pub(super) fn line(node: &str, line: &RelayLine) -> Finding {
    let RelayLine { stream, state, reason, lag_frames, .. } = line;
    let status = match state.as_str() {
        "ready" | "active" | "standby" => Status::Ok,
        "broken" => Status::Unsafe,
        _ => Status::Warn,
    };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let found = format!("{node}: {stream} {state}, {lag_frames} frames behind{reason}");
    finding("relay", status, found, "look at the node's log")
}
