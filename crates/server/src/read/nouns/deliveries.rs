//! `/v1/webhooks/{id}/...`: how deliveries go, on the node that delivers, and what can be asked of them

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, Uri, request::Parts},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    nouns::webhooks::{Attempt, DeadLetter, Delivery, DeliveryState, ReplayWebhook, Webhook},
    words::list::{Page, PageQuery},
};
use grantbook_domain::{position::Position, webhook};

use crate::{
    http::{
        body,
        path::InPath,
        problem::Failure,
        query,
        respond::{json, with_position},
    },
    read::{
        context::{Permit, ReadContext, paging},
        nouns::webhooks::find,
    },
    state::{Web, authn},
    subscribe::webhooks::{Deliveries, DeliveryAttempt, DeliveryStatus, SteerError, message_id},
    wire::{position, render},
};

impl From<SteerError> for Failure {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::NoSuchLetter => Self::no_dead_letter(),
            SteerError::WrongKey => Self::webhook_key_differs(),
            SteerError::View(error) => error.into(),
            SteerError::Store(error) => Self::internal(&error),
        }
    }
}

/// The deliveries of this node, if it is one that delivers.
fn deliveries(web: &Web) -> Result<&Deliveries, Failure> {
    let elsewhere = "this node delivers no webhooks: ask the one that was started with --webhooks";
    let here = web.app.webhooks.as_ref().and_then(|webhooks| webhooks.deliveries.as_ref());
    here.ok_or_else(|| Failure::wrong_role(elsewhere))
}

/// A webhook as it is shown, with its delivery if that is known here.
pub(crate) fn shown(permit: Permit<'_>, webhook: &webhook::Webhook) -> Result<Webhook, Failure> {
    let reading = permit.reading();
    let mut shown = render::webhook(webhook);
    if let (Ok(deliveries), None) = (deliveries(&reading.web), reading.as_of()) {
        let standing = deliveries.standing(permit.rows_of_today(), reading.org, webhook.id)?;
        shown.delivery = Some(delivery(reading, webhook, &standing, deliveries.can_sign(webhook)));
    }
    Ok(shown)
}

fn delivery(
    reading: &ReadContext,
    webhook: &webhook::Webhook,
    standing: &DeliveryStatus,
    can_sign: bool,
) -> Delivery {
    let state = if !webhook.enabled {
        DeliveryState::Disabled
    } else if standing.gone.as_ref() == Some(&webhook.url) {
        DeliveryState::Gone
    } else if !can_sign {
        DeliveryState::WrongKey
    } else if standing.failing.is_some() {
        DeliveryState::Failing
    } else {
        DeliveryState::Delivering
    };
    let failing = standing.failing.as_ref();
    Delivery {
        state,
        delivered_to: reading.web.position_text(standing.cursor.done),
        failing_since: failing.map(|failing| failing.since.to_string()),
        attempts: failing.map_or(0, |failing| failing.attempts),
        next_attempt_at: failing.map(|failing| failing.next.to_string()),
        last_attempt: standing.last.as_ref().map(attempt),
        dead_letters: standing.dead,
    }
}

fn attempt(tried: &DeliveryAttempt) -> Attempt {
    Attempt {
        at: tried.at.to_string(),
        delivered: tried.is_delivered(),
        status: tried.status,
        error: tried.error.clone(),
    }
}

pub(crate) async fn dead_letters(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        let PageQuery { limit, cursor, as_of } = query::read(&uri)?;
        if as_of.is_some() {
            return Err(Failure::invalid("dead letters are of now: there is no as_of"));
        }
        let limit = paging::size(limit)?;
        let (webhook, _) = find(reading, &id)?;
        let deliveries = deliveries(&reading.web)?;
        let bad_cursor = |_| Failure::invalid("the parameter cursor is not one of this list");
        let found = deliveries.dead_letters(webhook.id, cursor.as_deref(), limit + 1);
        let mut letters = if cursor.is_some() { found.map_err(bad_cursor)? } else { found? };
        let more = letters.len() > limit;
        letters.truncate(limit);
        let installation = reading.web.app.installation;
        let item = |letter: &crate::subscribe::webhooks::DeadLetter| DeadLetter {
            id: message_id(installation, letter.position, letter.index),
            name: letter.name.clone(),
            position: reading.web.position_text(letter.position),
            attempts: letter.attempts,
            last_attempt: attempt(&letter.last),
        };
        let items: Vec<DeadLetter> = letters.iter().map(item).collect();
        let next = if more { items.last().map(|last| last.id.clone()) } else { None };
        Ok(Page { items, next })
    });
    answer.await
}

pub(crate) async fn retry(
    State(web): State<Arc<Web>>,
    InPath((id, message)): InPath<(String, String)>,
    parts: Parts,
    body: Body,
) -> Response {
    let asked = async {
        let reading = steering(&web, &parts).await?;
        let (webhook, permit) = find_here(&reading, &id)?;
        body::require_none(&parts.headers, body).await?;
        let retried =
            deliveries(&web)?.retry(permit.rows_of_today(), reading.org, &webhook, &message).await?;
        told(&reading, &webhook, "retry");
        positioned(&reading, &attempt(&retried))
    };
    asked.await.unwrap_or_else(IntoResponse::into_response)
}

pub(crate) async fn replay(
    State(web): State<Arc<Web>>,
    InPath(id): InPath<String>,
    parts: Parts,
    body: Body,
) -> Response {
    let asked = async {
        let reading = steering(&web, &parts).await?;
        let (webhook, permit) = find_here(&reading, &id)?;
        let bytes = body::read(&parts.headers, body).await?;
        let ReplayWebhook { from } = body::parse(&bytes)?;
        let from = replay_from(&reading, &from)?;
        let (deliveries, org, hook) = (deliveries(&web)?.clone(), reading.org, webhook.id);
        let replayed = tokio::task::spawn_blocking(move || deliveries.replay(org, hook, from)).await;
        replayed.map_err(|error| Failure::internal(&error))??;
        told(&reading, &webhook, "replay");
        positioned(&reading, &shown(permit, &webhook)?)
    };
    asked.await.unwrap_or_else(IntoResponse::into_response)
}

pub(crate) async fn test(
    State(web): State<Arc<Web>>,
    InPath(id): InPath<String>,
    parts: Parts,
    body: Body,
) -> Response {
    let asked = async {
        let reading = steering(&web, &parts).await?;
        let (webhook, _permit) = find_here(&reading, &id)?;
        body::require_none(&parts.headers, body).await?;
        let id = format!("msg_test_{}", web.app.ids.request_id());
        let tried = deliveries(&web)?.test(&webhook, id).await?;
        told(&reading, &webhook, "test");
        positioned(&reading, &attempt(&tried))
    };
    asked.await.unwrap_or_else(IntoResponse::into_response)
}

/// Recognizes who wants to steer deliveries.
async fn steering(web: &Arc<Web>, parts: &Parts) -> Result<ReadContext, Failure> {
    web.node()?;
    let who = authn::authenticate(web, &parts.headers).await?;
    query::require_none(&parts.uri)?;
    // Judged by the image, where that takes the same time whatever the organization holds.
    ReadContext::begin_check(web, who, &parts.headers).await
}

/// The webhook, for who may steer it, on the node that delivers.
fn find_here<'r>(reading: &'r ReadContext, id: &str) -> Result<(webhook::Webhook, Permit<'r>), Failure> {
    let found = find(reading, id)?;
    deliveries(&reading.web)?;
    Ok(found)
}

fn replay_from(reading: &ReadContext, from: &str) -> Result<Position, Failure> {
    let from = match from {
        "start" => Position::START,
        "now" => reading.position,
        text => position::decode(reading.web.app.installation, text)
            .map_err(|error| Failure::invalid_at("/from", error.to_string()))?,
    };
    if from > reading.position {
        return Err(Failure::invalid_at("/from", "lies beyond the organization's last record"));
    }
    Ok(from)
}

/// Steering is no record: the log of the node says who did it.
fn told(reading: &ReadContext, webhook: &webhook::Webhook, what: &str) {
    let caller = reading.caller;
    tracing::info!(org = %reading.org, webhook = %webhook.id, principal = ?caller.principal, key = ?caller.key, what,
        "a webhook's deliveries were steered");
}

fn positioned<T: serde::Serialize>(reading: &ReadContext, body: &T) -> Result<Response, Failure> {
    Ok(with_position(json(StatusCode::OK, body)?, &reading.position_text))
}
