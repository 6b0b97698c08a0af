//! `/healthz`, `/readyz`, `/metrics` and `/openapi.json`: for those who run it; no key needed

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use grantbook_api::questions::readiness::{
    ForeignMessages, FreshnessBounds, GapsMet, Health, PeerNode, Quarantine, Readiness, RelayLine,
};
use grantbook_domain::position::Position;

use crate::{
    braintrust::sdk::logs,
    http::{
        metric_text::{counter, gauge},
        problem::Failure,
        respond::json,
    },
    state::{Parts, Web, metrics},
    subscribe::relay::RelayHandle,
};
use grantbook_command::CommandHandle;
use grantbook_node::{
    peers::{Disagreement, Status},
    project::NodeState,
    read::{Freshness, NodeStatus, ReadNode, WhenStale},
};

pub(crate) async fn healthz(State(web): State<Arc<Web>>) -> Result<Response, Failure> {
    json(StatusCode::OK, &Health { status: "ok".to_owned(), node: readiness(&web, status(&web)) })
}

pub(crate) async fn readyz(State(web): State<Arc<Web>>) -> Result<Response, Failure> {
    let readiness = readiness(&web, status(&web));
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &readiness)
}

/// How the process follows the journal: by its view, or by the fold if it has no view.
fn status(web: &Web) -> NodeStatus {
    if let Some(node) = web.app.parts.node() {
        let known = web.app.parts.commands().map_or(0, CommandHandle::last_sequence);
        return node.status().with_head(known);
    }
    match web.app.parts.commands().and_then(CommandHandle::behind) {
        Some(behind) => NodeStatus::of(behind, NodeState::Running),
        None => NodeStatus {
            sequence: 0,
            head: 0,
            lag_frames: 0,
            age_ms: 0,
            contact_ms: None,
            state: NodeState::Running,
        },
    }
}

/// The state's name, the reason if it is not `running`, and whether the node still answers.
fn judged(web: &Web, status: &NodeStatus) -> (&'static str, Option<String>, bool) {
    let freshness = &web.app.freshness;
    match &status.state {
        NodeState::Running => {
            if let Some(cause) = web.app.parts.commands().and_then(CommandHandle::halted) {
                let why = format!("halted: no writes are taken until the process is started again: {cause}");
                return ("halted", Some(why), false);
            }
            if !status.is_stale(freshness) {
                return ("running", None, true);
            }
            let why = format!(
                "stale: for {} ms this node could not prove that it is up to date ({} frames behind)",
                status.age_ms, status.lag_frames
            );
            let answers = freshness.when_stale == WhenStale::Mark && web.app.parts.node().is_some();
            ("stale", Some(why), answers)
        }
        NodeState::Starting => {
            let why = "starting: the view has not caught up with the journal yet";
            ("starting", Some(why.to_owned()), false)
        }
        NodeState::Quarantined { sequence, why } => {
            ("quarantined", Some(format!("quarantined at sequence {sequence}: {why}")), false)
        }
        NodeState::Stopped => ("stopped", Some("stopped".to_owned()), false),
    }
}

fn readiness(web: &Web, status: NodeStatus) -> Readiness {
    let (state, reason, ready) = judged(web, &status);
    let role = match &web.app.parts {
        Parts::All(..) => "all",
        Parts::Command(_) => "command",
        Parts::Read(_) => "read",
    };
    let position = |sequence: u64| (sequence > 0).then(|| web.position_text(Position::of(sequence, 0)));
    let gaps = web.app.gaps.now();
    Readiness {
        ready,
        reason,
        role: role.to_owned(),
        state: state.to_owned(),
        position: position(status.sequence),
        view_digest: view_digest(web, status.sequence),
        head: position(status.head),
        lag_frames: status.lag_frames,
        lag_records_least: status.lag_records().0,
        lag_records_most: status.lag_records().1,
        age_ms: Some(status.age_ms),
        disagreement: disagreements(web).first().map(ToString::to_string),
        peers: peers(web),
        journal_doubt: web.app.doubts.get().map(|doubt| doubt.to_string()),
        relay: web
            .app
            .relay
            .iter()
            .flat_map(RelayHandle::lines)
            .map(|line| RelayLine {
                stream: line.stream,
                state: line.state.word().to_owned(),
                reason: line.state.why().map(str::to_owned),
                position: position(line.sequence),
                lag_frames: status.head.saturating_sub(line.sequence),
            })
            .collect(),
        last_contact_ms: status.contact_ms,
        gaps: GapsMet { met: gaps.met, sequences: gaps.sequences },
        foreign_messages: foreign_messages(web),
        quarantine: match status.state {
            NodeState::Quarantined { sequence, why } => Some(Quarantine { sequence, reason: why }),
            NodeState::Starting | NodeState::Running | NodeState::Stopped => None,
        },
        freshness: bounds(&web.app.freshness),
    }
}

/// What the view holds, unless it has gone on meanwhile.
fn view_digest(web: &Web, sequence: u64) -> Option<String> {
    let mark = web.app.parts.node().map(ReadNode::mark);
    mark.filter(|mark| mark.sequence == sequence).map(|mark| mark.digest.to_string())
}

fn bounds(freshness: &Freshness) -> FreshnessBounds {
    let millis = |bound: std::time::Duration| u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    FreshnessBounds {
        max_lag_ms: millis(freshness.max_lag),
        max_silence_ms: millis(freshness.max_silence),
        when_stale: freshness.when_stale.name().to_owned(),
    }
}

/// What is known here of messages that nobody appended: by the view, or by the fold if there is no view.
fn foreign_messages(web: &Web) -> ForeignMessages {
    let parts = &web.app.parts;
    let met = parts.node().map(ReadNode::foreign).or_else(|| parts.commands().map(CommandHandle::foreign));
    let met = met.unwrap_or_default();
    ForeignMessages { count: met.count, last_sequence: met.last }
}

/// The messages that nobody appended, for Prometheus.
fn foreign_metrics(text: &mut String, foreign: &ForeignMessages) {
    let help =
        "Foreign messages in the journal's stream: sent by something other than Grantbook, and ignored.";
    counter(text, "grantbook_foreign_messages_total", help, foreign.count);
    let help = "Sequence of the last foreign message in the journal's stream; 0 if there is none.";
    gauge(text, "grantbook_foreign_message_last_sequence", help, foreign.last_sequence);
}

/// Most other nodes that an answer lists.
const PEERS_MAX: usize = 100;

/// What is heard of the other nodes.
fn peers(web: &Web) -> Vec<PeerNode> {
    let now = web.app.clock.now().millis();
    let told = |status: Status| PeerNode {
        node: status.node.to_string(),
        position: (status.sequence > 0).then(|| web.position_text(Position::of(status.sequence, 0))),
        lag_frames: status.head.saturating_sub(status.sequence),
        view_digest: status.marks.iter().max_by_key(|mark| mark.sequence).map(|mark| mark.digest.to_string()),
        heard_ms: u64::try_from(now.saturating_sub(status.at)).unwrap_or_default(),
        name: status.name,
        state: status.state,
    };
    web.app
        .parts
        .node()
        .map(ReadNode::peers)
        .unwrap_or_default()
        .into_iter()
        .take(PEERS_MAX)
        .map(told)
        .collect()
}

/// Where the view holds something else than other nodes' views.
fn disagreements(web: &Web) -> Vec<Disagreement> {
    web.app.parts.node().map(ReadNode::disagreements).unwrap_or_default()
}

pub(crate) async fn metrics(State(web): State<Arc<Web>>) -> Response {
    let mut text = web.metrics.text();
    text.push_str(&metrics::sharing(&web.app.scheduler, [&web.streams, &web.watchers]));
    text.push_str(&web.security.metrics());
    let status = status(&web);
    let (sequence, head) = (status.sequence, status.head);
    let told = readiness(&web, status);
    let gauges = [
        ("lag_frames", "Frames that the view is behind the journal.", told.lag_frames),
        (
            "lag_records_least",
            "Records that the view is behind the journal, at least.",
            told.lag_records_least,
        ),
        ("lag_records_most", "Records that the view is behind the journal, at most.", told.lag_records_most),
        ("lag_age_ms", "For how long the view has been behind, in ms.", told.age_ms.unwrap_or_default()),
        ("view_sequence", "Sequence of the last frame in the view.", sequence),
        ("journal_head", "Sequence of the last frame in the journal.", head),
        (
            "view_disagreements",
            "Journal positions at which this node's view differs from another node's.",
            u64::try_from(disagreements(&web).len()).unwrap_or(u64::MAX),
        ),
        ("ready", "Whether the node answers.", u64::from(told.ready)),
        ("stale", "Whether the node is beyond its bounds.", u64::from(told.state == "stale")),
        (
            "quarantined",
            "1 if the node is quarantined: its projector stopped at something that it could not accept.",
            u64::from(told.quarantine.is_some()),
        ),
        (
            "quarantine_sequence",
            "The last sequence that a quarantined node applied; 0 if the node is not quarantined.",
            told.quarantine.as_ref().map_or(0, |quarantine| quarantine.sequence),
        ),
        ("max_lag_ms", "For how long the node may be behind, in ms.", told.freshness.max_lag_ms),
        (
            "max_silence_ms",
            "For how long the node may be without word from the journal's leader, in ms.",
            told.freshness.max_silence_ms,
        ),
        (
            "marks_stale",
            "Whether the node, if stale, answers with a mark instead of refusing.",
            u64::from(told.freshness.when_stale == WhenStale::Mark.name()),
        ),
    ];
    for (name, help, value) in gauges {
        gauge(&mut text, &format!("grantbook_{name}"), help, value);
    }
    doubt_metric(&mut text, &told);
    if let Some(contact) = told.last_contact_ms {
        let help = "How long ago the journal's leader last answered, in ms; absent if it never did.";
        gauge(&mut text, "grantbook_last_contact_ms", help, contact);
    }
    if let Some(node) = web.app.parts.node() {
        text.push_str(&crate::state::maintenance::text(node.maintenance()));
    }
    let help = "Frames that were missing or damaged on one NATS replica, so that other replicas were asked.";
    counter(&mut text, "grantbook_gaps_total", help, told.gaps.met);
    foreign_metrics(&mut text, &told.foreign_messages);
    optional_metrics(&mut text, &web, head);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Metrics of the optional parts of a process.
fn optional_metrics(text: &mut String, web: &Web, head: u64) {
    if let Some(relay) = &web.app.relay {
        text.push_str(&relay.metrics(head));
    }
    if let Some(deliveries) = web.app.webhooks.as_ref().and_then(|webhooks| webhooks.deliveries.as_ref()) {
        text.push_str(&deliveries.metrics());
    }
    if web.app.braintrust {
        text.push_str(&logs::metrics());
    }
    if let Some(forwarder) = &web.app.forwarder {
        text.push_str(&forwarder.metrics());
    }
}

fn doubt_metric(text: &mut String, told: &Readiness) {
    let help = "1 if the journal contradicts what was seen of it before, or cannot be read any more.";
    gauge(text, "grantbook_journal_doubted", help, u64::from(told.journal_doubt.is_some()));
}

pub(crate) async fn openapi(State(web): State<Arc<Web>>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], web.document.clone()).into_response()
}
