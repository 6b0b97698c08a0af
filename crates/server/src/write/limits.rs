//! `GET /v1/limits`: what the organization may hold, and what it holds, as commands are decided

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use grantbook_api::limits::{LimitItem, LimitList};
use grantbook_domain::{access::rights::Ask, limits::Limit, state::OrgState};

use crate::{
    http::{
        problem::Failure,
        query,
        respond::{json, with_position},
    },
    schedule::{Class, Party, workers},
    state::{Web, authn},
    write::plan,
};

pub(crate) async fn get(State(web): State<Arc<Web>>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&web, &uri, &headers).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(web: &Arc<Web>, uri: &Uri, headers: &HeaderMap) -> Result<Response, Failure> {
    let commands = web.commands()?.clone();
    let who = authn::authenticate(web, headers).await?;
    query::require_none(uri)?;
    commands.confirm().await.map_err(|why| Failure::unconfirmed(&why))?;
    let party = Party { org: who.org, principal: Some(who.caller.principal) };
    let place = web.app.scheduler.enter(Class::Questions, party).await?;
    let (at, position) = (web.app.clock.now(), web.position_text(commands.acknowledged(who.org)));
    let state = commands.state(who.org).ok_or_else(Failure::bad_credential)?;
    let answered = workers::spawn(move || {
        let _held_until_answered = place;
        if !plan::may_ask(&state, at, who.caller, Ask::Limits) {
            return Err(Failure::forbidden(Ask::Limits.needs()));
        }
        let items = Limit::ALL.into_iter().map(|limit| item(&state, limit, commands.limits().of(limit)));
        let list = LimitList { items: items.collect(), position };
        Ok(with_position(json(StatusCode::OK, &list)?, &list.position))
    });
    answered.await.map_err(|error| Failure::internal(&error))?
}

fn item(state: &OrgState, limit: Limit, value: u64) -> LimitItem {
    LimitItem {
        name: limit.name().to_owned(),
        counts: limit.counts().to_owned(),
        value,
        used: state.use_of(limit),
        advice: limit.advice().to_owned(),
    }
}
