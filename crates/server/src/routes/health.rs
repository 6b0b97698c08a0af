//! `/healthz`, `/readyz`, `/metrics` and `/openapi.json`: for those who run it; no key needed

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use grantbook_api::readiness::{Health, Readiness, RelayLine};
use grantbook_domain::position::Position;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    command::CommandHandle,
    http::{Web, metrics::gauge, problem::Failure, read::json},
    nodes::Disagreement,
    pulse::Behind,
    read::{NodeState, NodeStatus, ReadNode},
    relay::RelayHandle,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(openapi))
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", operation_id = "healthz", security(()),
    responses((status = 200, body = Health, description = "It does.")))]
async fn healthz() -> Result<Response, Failure> {
    json(StatusCode::OK, &Health { status: "ok".to_owned() })
}

/// Whether the node answers, and how far behind the journal it is.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "readyz", security(()),
    responses((status = 200, body = Readiness, description = "It answers."), (status = 503, body = Readiness, description = "It does not; the reason says why.")))]
async fn readyz(State(web): State<Arc<Web>>) -> Result<Response, Failure> {
    let readiness = readiness(&web);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &readiness)
}

/// How the process follows the journal: by its view, or by the fold if it has no view.
fn status(web: &Web) -> NodeStatus {
    if let Some(node) = web.app.parts.node() {
        let known = web.app.parts.commands().map_or(0, CommandHandle::last_sequence);
        return node.status().with_head(known);
    }
    let behind = web.app.parts.commands().and_then(CommandHandle::behind);
    let Some(Behind { sequence, head, unproved }) = behind else {
        return NodeStatus { sequence: 0, head: 0, lag_frames: 0, age_ms: 0, state: NodeState::Running };
    };
    NodeStatus::of(sequence, head, unproved, NodeState::Running)
}

fn readiness(web: &Web) -> Readiness {
    let status = status(web);
    let reason = match &status.state {
        NodeState::Running if status.is_stale() => Some(format!(
            "stale: for {} ms nothing has proved that all of the journal is known here ({} frames behind)",
            status.age_ms, status.lag_frames
        )),
        NodeState::Running => {
            web.app.parts.commands().and_then(CommandHandle::halted).map(|cause| {
                format!("halted: no writes are taken until the process is started again: {cause}")
            })
        }
        NodeState::Starting => Some("starting: the view has not caught up with the journal yet".to_owned()),
        NodeState::Quarantined { sequence, why } => {
            Some(format!("quarantined at sequence {sequence}: {why}"))
        }
        NodeState::Stopped => Some("stopped".to_owned()),
    };
    let position = |sequence: u64| (sequence > 0).then(|| web.position_text(Position::of(sequence, 0)));
    Readiness {
        ready: reason.is_none(),
        reason,
        position: position(status.sequence),
        head: position(status.head),
        lag_frames: status.lag_frames,
        age_ms: Some(status.age_ms),
        disagreement: disagreements(web).first().map(ToString::to_string),
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
    }
}

/// Where the view holds something else than other nodes' views.
fn disagreements(web: &Web) -> Vec<Disagreement> {
    web.app.parts.node().map(ReadNode::disagreements).unwrap_or_default()
}

/// Counters in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "metrics", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "Counters.")))]
async fn metrics(State(web): State<Arc<Web>>) -> Response {
    let mut text = web.metrics.text();
    let status = status(&web);
    let ready = readiness(&web).ready;
    gauge(
        &mut text,
        "grantbook_lag_frames",
        "Frames that the view is behind the journal.",
        status.lag_frames,
    );
    gauge(&mut text, "grantbook_lag_age_ms", "For how long the view has been behind, in ms.", status.age_ms);
    gauge(&mut text, "grantbook_view_sequence", "Sequence of the last frame in the view.", status.sequence);
    gauge(&mut text, "grantbook_journal_head", "Sequence of the last frame in the journal.", status.head);
    gauge(
        &mut text,
        "grantbook_view_disagreements",
        "Places of the journal at which another node's view holds something else.",
        disagreements(&web).len() as u64,
    );
    gauge(&mut text, "grantbook_ready", "Whether the node answers.", u64::from(ready));
    if let Some(relay) = &web.app.relay {
        text.push_str(&relay.metrics(status.head));
    }
    if let Some(deliveries) = web.app.webhooks.as_ref().and_then(|webhooks| webhooks.deliveries.as_ref()) {
        text.push_str(&deliveries.metrics());
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", operation_id = "openapi", security(()),
    responses((status = 200, body = serde_json::Value, description = "OpenAPI.")))]
async fn openapi(State(web): State<Arc<Web>>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], web.document.clone()).into_response()
}
