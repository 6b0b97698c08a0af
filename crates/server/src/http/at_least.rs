//! `Grantbook-At-Least`, and reading one's own writes.

use std::time::Duration;

use axum::http::HeaderMap;
use grantbook_api::header;
use grantbook_domain::{id::OrgId, position::Position};

use crate::{
    http::{Web, idempotency::single, problem::Failure},
    position,
    read::{ReadNode, Unready},
};

/// How long a read waits for the view.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Waits until the view has what the caller demands, and what this process acknowledged itself.
pub(crate) async fn wait(web: &Web, org: OrgId, headers: &HeaderMap) -> Result<(), Failure> {
    let demanded = demanded(web, headers)?;
    let own = web.app.parts.commands().map_or(Position::START, |commands| commands.acknowledged(org));
    let position = own.max(demanded);
    web.node()?.wait_for(org, position, WAIT_MAX).await.map_err(|unready| failure(web, &unready))
}

fn demanded(web: &Web, headers: &HeaderMap) -> Result<Position, Failure> {
    let Some(text) = single(headers, header::AT_LEAST)? else { return Ok(Position::START) };
    position::decode(web.app.installation, text)
        .map_err(|error| Failure::invalid(format!("Grantbook-At-Least: {error}")))
}

/// Whether the view may be believed now.
pub(crate) async fn believed(web: &Web, node: &ReadNode) -> Result<(), Failure> {
    let nobody = OrgId::from_u128(0);
    let believed = node.wait_for(nobody, Position::START, Duration::ZERO).await;
    believed.map_err(|unready| failure(web, &unready))
}

fn failure(web: &Web, unready: &Unready) -> Failure {
    match unready {
        Unready::Behind { reached } => Failure::behind(web.position_text(*reached)),
        Unready::Stale { .. } => Failure::unavailable("stale", unready.to_string()),
        Unready::Starting => Failure::unavailable("starting", unready.to_string()),
        Unready::Quarantined { .. } => Failure::unavailable("quarantined", unready.to_string()),
        Unready::Stopped => Failure::unavailable("stopping", unready.to_string()),
    }
}
