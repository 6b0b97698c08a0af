//! Webhooks: the list with how deliveries go and what was given up, new ones, tests and retries.

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    client::Client,
    nouns::webhooks::{Attempt, CreateWebhook, DeadLetter, Delivery, DeliveryState, UpdateWebhook, Webhook},
    people::text::clean,
    words::list::PageQuery,
};

use crate::{
    frame::{Done, Frame},
    pages::{
        keys::{self, NewKey},
        tokens::ALL,
    },
    shown::{account, form::Fields, time::minute},
    visit::{Stop, Visit, after, new_request, page_of, refusal},
};

const PART: &str = "/console/webhooks";
/// Dead letters of each that the page shows.
const LETTERS: u32 = 20;

struct Letter {
    id: String,
    name: String,
    position: String,
    attempts: u32,
    last: String,
}

struct Row {
    id: String,
    url: String,
    description: Option<String>,
    events: String,
    state: &'static str,
    /// Since when it fails, and when it is tried again.
    failing: Option<String>,
    delivered_to: Option<String>,
    dead: u64,
    last: String,
    enabled: bool,
    letters: Vec<Letter>,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    request: String,
    form: Fields,
    webhooks: Vec<Row>,
    /// Dead letters of all of them.
    dead: u64,
}

pub(crate) async fn list(visit: Visit) -> Result<Response, Stop> {
    shown(&visit, Fields::default(), Told::default()).await
}

/// What a request did.
#[derive(Default)]
struct Told {
    wrong: Option<String>,
    done: Option<String>,
}

async fn shown(visit: &Visit, form: Fields, told: Told) -> Result<Response, Stop> {
    let client = &visit.client;
    let query = PageQuery { limit: ALL, ..PageQuery::default() };
    let answer = client.webhooks(&query).await?;
    let mut webhooks = Vec::new();
    for webhook in answer.value.items {
        webhooks.push(row(client, webhook).await?);
    }
    let dead = webhooks.iter().map(|webhook| webhook.dead).sum();
    let mut frame = visit.frame("Webhooks", PART, "grantbook webhook list");
    frame.position.clone_from(&answer.position);
    let status = if told.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = form.after(told.wrong.as_deref());
    frame.trouble = told.wrong;
    if let Some(text) = told.done {
        frame.done = Some(Done { text, position: String::new() });
    }
    let request = form.text("request").map_or_else(new_request, Ok)?;
    Ok((status, page_of(&WebhooksPage { frame, request, form, webhooks, dead })).into_response())
}

async fn row(client: &Client, webhook: Webhook) -> Result<Row, Stop> {
    let delivery = webhook.delivery.as_ref();
    let state = match delivery.map(|delivery| delivery.state) {
        Some(DeliveryState::Delivering) => "delivering",
        Some(DeliveryState::Failing) => "failing",
        Some(DeliveryState::Disabled) => "disabled",
        Some(DeliveryState::Gone) => "gone",
        Some(DeliveryState::WrongKey) => "wrong key",
        None if webhook.enabled => "enabled",
        None => "disabled",
    };
    let dead = delivery.map_or(0, |delivery| delivery.dead_letters);
    let query = PageQuery { limit: Some(LETTERS), ..PageQuery::default() };
    let letters = if dead > 0 {
        account::seen(client.dead_letters(&webhook.id, &query).await.map(|answer| answer.value.items))?
    } else {
        Vec::new()
    };
    let letter = |one: DeadLetter| Letter {
        id: one.id,
        name: clean(&one.name),
        position: one.position,
        attempts: one.attempts,
        last: attempt(&one.last_attempt),
    };
    Ok(Row {
        url: clean(&webhook.url),
        description: webhook.description.as_deref().map(clean),
        events: if webhook.events.is_empty() { "all".to_owned() } else { clean(&webhook.events.join(", ")) },
        state,
        failing: delivery.and_then(failing),
        delivered_to: delivery.map(|delivery| delivery.delivered_to.clone()),
        dead,
        last: delivery
            .and_then(|delivery| delivery.last_attempt.as_ref())
            .map_or_else(|| "-".to_owned(), attempt),
        enabled: webhook.enabled,
        letters: letters.into_iter().map(letter).collect(),
        id: webhook.id,
    })
}

fn failing(delivery: &Delivery) -> Option<String> {
    let since = minute(delivery.failing_since.as_deref()?);
    let next = delivery.next_attempt_at.as_deref().map(|next| format!(", next attempt at {}", minute(next)));
    Some(format!("since {since}, attempts: {}{}", delivery.attempts, next.unwrap_or_default()))
}

fn attempt(attempt: &Attempt) -> String {
    let how = match (attempt.delivered, attempt.status, &attempt.error) {
        (true, ..) => "delivered".to_owned(),
        (false, Some(status), _) => format!("answered {status}"),
        (false, None, Some(error)) => clean(error),
        (false, None, None) => "failed".to_owned(),
    };
    format!("{how} at {}", minute(&attempt.at))
}

pub(crate) async fn create(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let events = form.text("events").map(|text| {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    });
    let body = CreateWebhook {
        url: form.or_empty("url"),
        events,
        kinds: None,
        description: form.text("description"),
        enabled: None,
    };
    match visit.once(&request).create_webhook(&body).await {
        Ok(answer) => {
            let new = NewKey {
                title: "Webhook created".to_owned(),
                is_key: false,
                part: PART,
                back: PART.to_owned(),
                secret: answer.value.secret.flatten(),
                old_until: None,
                position: answer.position,
            };
            Ok(keys::once(&visit, new))
        }
        Err(error) => {
            let wrong = Some(refusal(&error)?);
            shown(&visit, form, Told { wrong, done: None }).await
        }
    }
}

pub(crate) async fn switch(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let enabled = form.is_ticked("enabled", "true");
    let body = UpdateWebhook { enabled: Some(enabled), ..UpdateWebhook::default() };
    let answer = visit.client.update_webhook(&id, &body).await?;
    Ok(after(PART, answer.position.as_deref()))
}

pub(crate) async fn test(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let made = visit.client.test_webhook(&id).await?.value;
    tried(&visit, "Test", &made).await
}

pub(crate) async fn retry(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let made = visit.client.retry_dead_letter(&id, &form.or_empty("message")).await?.value;
    tried(&visit, "Retry", &made).await
}

async fn tried(visit: &Visit, what: &str, made: &Attempt) -> Result<Response, Stop> {
    let text = format!("{what}: {}", attempt(made));
    let told = if made.delivered {
        Told { done: Some(text), wrong: None }
    } else {
        Told { wrong: Some(text), done: None }
    };
    shown(visit, Fields::default(), told).await
}

pub(crate) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let answer = visit.client.delete_webhook(&id).await?;
    Ok(after(PART, answer.position.as_deref()))
}
