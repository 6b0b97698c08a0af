//! `Grantbook-At-Least`, and reading one's own writes.

use std::time::Duration;

use axum::http::HeaderMap;
use grantbook_api::words::header;
use grantbook_domain::{id::OrgId, position::Position};

use crate::{
    http::{problem::Failure, single_header::single},
    state::{Web, authn},
    wire::position,
};
use grantbook_journal::follow::read_barrier::Unconfirmed;
use grantbook_node::read::{ReadNode, Stale, Unready};

/// How long a read waits for the view.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What a caller demands that the node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// What it has.
    Nothing,
    /// A position.
    Position(Position),
    /// All that was acknowledged before the question came.
    Latest,
}

/// Waits until the view has what the caller demands, and what this process acknowledged itself.
pub(crate) async fn wait(web: &Web, org: OrgId, headers: &HeaderMap) -> Result<(), Failure> {
    let demand = demanded(web, headers)?;
    let own = acknowledged(web, org);
    let position = match demand {
        Demand::Position(position) => own.max(position),
        Demand::Nothing | Demand::Latest => own,
    };
    let node = web.node()?;
    let stale = node.wait_for(org, position, WAIT_MAX).await.map_err(|unready| failure(web, &unready))?;
    if demand == Demand::Latest {
        return latest(web, node, org).await;
    }
    authn::note_stale(stale);
    Ok(())
}

/// The same where the caller demands something; whether it does.
pub(crate) async fn wait_if_demanded(web: &Web, org: OrgId, headers: &HeaderMap) -> Result<bool, Failure> {
    if demanded(web, headers)? == Demand::Nothing {
        return Ok(false);
    }
    wait(web, org, headers).await.map(|()| true)
}

/// The last position that this process acknowledged to the organization, its own or that of a command service that it
/// passed a request on to.
fn acknowledged(web: &Web, org: OrgId) -> Position {
    if let Some(commands) = web.app.parts.commands() {
        return commands.acknowledged(org);
    }
    let passed_on = web.app.forwarder.as_ref().zip(web.app.parts.node());
    passed_on.map_or(Position::START, |(forwarder, node)| forwarder.acknowledged(org, node.sequence()))
}

/// Whether the view had to catch up with what was passed on. It may have failed to: then the read is refused later.
pub(crate) async fn has_to_catch_up(web: &Web, org: OrgId) -> bool {
    if web.app.forwarder.is_none() || acknowledged(web, org) == Position::START {
        return false;
    }
    if let Ok(node) = web.node() {
        let _refused_later = node.wait_for(org, acknowledged(web, org), WAIT_MAX).await;
    }
    true
}

/// Waits until the view has the position of a cursor, which another node may have made. Whether the cursor is genuine, and
/// whether the view has come so far, is judged where it is read.
pub(crate) async fn reach_cursor(web: &Web, org: OrgId, cursor: Option<&str>) -> Result<(), Failure> {
    if let Some(position) = cursor.and_then(|text| web.cursors.named_position(text)) {
        let _judged_later = web.node()?.wait_for(org, position, WAIT_MAX).await;
    }
    Ok(())
}

/// Asks the journal's leader for its head and waits until the view has reached it. What is answered then is not stale,
/// whatever the node was before.
async fn latest(web: &Web, node: &ReadNode, org: OrgId) -> Result<(), Failure> {
    match node.confirm().await {
        Ok(()) => Ok(()),
        Err(Unconfirmed::NotReached) => Err(failure(web, &node.behind(org))),
        Err(why @ Unconfirmed::Unanswered(_)) => Err(Failure::unconfirmed(&why)),
    }
}

fn demanded(web: &Web, headers: &HeaderMap) -> Result<Demand, Failure> {
    match single(headers, header::AT_LEAST)? {
        None => Ok(Demand::Nothing),
        Some(header::LATEST) => Ok(Demand::Latest),
        Some(text) => position::decode(web.app.installation, text)
            .map(Demand::Position)
            .map_err(|error| Failure::invalid(format!("Grantbook-At-Least: {error}"))),
    }
}

/// Whether the view may be believed now, and how stale it is if this node answers all the same.
pub(crate) async fn believed(web: &Web, node: &ReadNode) -> Result<Option<Stale>, Failure> {
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
