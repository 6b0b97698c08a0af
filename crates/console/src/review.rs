//! Every change is shown as a plan first, and applied as it was shown or not at all.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    client::{ClientError, Options},
    nouns::batch::{Batch, BatchCommand, BatchMethod},
    people::names::NameBook,
    questions::plan::Plan,
};
use serde_json::Value;

use crate::{
    frame::Frame,
    shown::{
        change::{self, ShownPlan},
        form::Fields,
        record::{self, ShownEvent},
    },
    visit::{Stop, Visit, after, is_ours, new_request, page_of, refusal, words},
};

/// How often a plan is made anew because others wrote in between.
const ATTEMPTS: usize = 5;
/// Events of the record to be that a page shows.
const EVENTS: usize = 50;
/// A change that somebody wants to make.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// In words.
    pub(crate) title: String,
    pub(crate) commands: Vec<BatchCommand>,
    /// The page that it began on, and that shows it afterwards.
    pub(crate) back: String,
    /// The part of the console that it belongs to.
    pub(crate) part: &'static str,
}

/// A command of a change.
pub(crate) fn command(method: BatchMethod, path: impl Into<String>, body: Value) -> BatchCommand {
    BatchCommand { method, path: path.into(), body }
}

/// What is known of a change before it is made.
struct Planned {
    plan: ShownPlan,
    events: Vec<ShownEvent>,
    more_events: usize,
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    frame: Frame,
    planned: Option<Planned>,
    note: Option<String>,
    commands: String,
    position: String,
    outcome: String,
    request: String,
    title: String,
    back: String,
    part: &'static str,
}

/// Shows what a change would do.
///
/// # Errors
/// The refusal in words if the API refuses it: the form that it came from shows it.
pub(crate) async fn review(visit: &Visit, change: &Change) -> Result<Result<Response, String>, Stop> {
    let batch = Batch { commands: change.commands.clone() };
    match visit.client.plan(&batch).await {
        Ok(answer) => Ok(Ok(page(visit, change, &answer.value, new_request()?, None).await)),
        Err(error) if has_no_plan(&error) => Ok(Ok(unplanned(visit, change, &error, new_request()?))),
        Err(error) => Ok(Err(refusal(&error)?)),
    }
}

/// Whether it is the plan that costs too much, and not the change: access can be taken away without one.
fn has_no_plan(error: &ClientError) -> bool {
    matches!(error.code(), Some("plan_too_large" | "too_costly" | "busy" | "overloaded"))
}

async fn page(
    visit: &Visit,
    change: &Change,
    plan: &Plan,
    request: String,
    note: Option<String>,
) -> Response {
    let events = record::events(&plan.events, &NameBook::new(&visit.client), EVENTS).await;
    let more_events = plan.events.len().saturating_sub(EVENTS);
    let mut page = ReviewPage::of(visit, change, request);
    page.frame.position = Some(plan.position.clone());
    (page.position, page.outcome) = (plan.position.clone(), outcome(plan));
    page.planned = Some(Planned { plan: change::plan(plan), events, more_events });
    page.note = note;
    page_of(&page)
}

/// The same page without a plan: what is applied from it is bound to no position.
fn unplanned(visit: &Visit, change: &Change, error: &ClientError, request: String) -> Response {
    let mut page = ReviewPage::of(visit, change, request);
    page.note = Some(format!("There is no plan of this change: {}.", words(error)));
    page_of(&page)
}

impl ReviewPage {
    fn of(visit: &Visit, change: &Change, request: String) -> Self {
        let command = "grantbook plan -f access.yaml  # then: grantbook apply";
        Self {
            frame: visit.frame(format!("Review: {}", change.title), change.part, command),
            planned: None,
            note: None,
            commands: serde_json::to_string(&change.commands).unwrap_or_default(),
            position: String::new(),
            outcome: String::new(),
            request,
            title: change.title.clone(),
            back: change.back.clone(),
            part: change.part,
        }
    }
}

const MOVED: &str =
    "The organization has changed since the plan was made, and the outcome with it. This is the plan now.";

/// Carries out a change whose plan was shown.
pub(crate) async fn apply(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let commands = form.all("commands").next().unwrap_or_default();
    let commands: Vec<BatchCommand> = serde_json::from_str(commands).map_err(|_| Stop::no_form())?;
    let part = crate::frame::PARTS
        .iter()
        .map(|(path, _)| *path)
        .find(|path| Some(*path) == form.text("part").as_deref());
    let back = form.text("back").filter(|path| is_ours(path)).unwrap_or_else(|| "/console".to_owned());
    let title = form.text("title").unwrap_or_default();
    let change = Change { title, commands, back, part: part.unwrap_or_default() };
    let (mut position, request) = (form.text("position"), form.text("request").ok_or_else(Stop::no_form)?);
    let batch = Batch { commands: change.commands.clone() };
    for _ in 0..ATTEMPTS {
        let options = Options {
            idempotency_key: Some(request.clone()),
            if_position: position.take(),
            ..Options::default()
        };
        match visit.client.with(options).batch(&batch).await {
            Ok(answer) => return Ok(after(&change.back, answer.position.as_deref())),
            Err(error) if error.code() == Some("moved") => {}
            Err(error) => return refused(&visit, &change, &error),
        }
        let plan = match visit.client.plan(&batch).await {
            Ok(answer) => answer.value,
            Err(error) if has_no_plan(&error) => return Ok(unplanned(&visit, &change, &error, request)),
            Err(error) => return refused(&visit, &change, &error),
        };
        if Some(outcome(&plan)) != form.text("outcome") {
            return Ok(page(&visit, &change, &plan, request, Some(MOVED.to_owned())).await);
        }
        position = Some(plan.position);
    }
    Err(Stop::failed(
        StatusCode::SERVICE_UNAVAILABLE,
        "contended",
        "others change the organization all the time: come again",
    ))
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    back: String,
}

fn refused(visit: &Visit, change: &Change, error: &ClientError) -> Result<Response, Stop> {
    let text = refusal(error)?;
    let mut frame = visit.frame(format!("Not applied: {}", change.title), change.part, "");
    frame.trouble = Some(text);
    Ok((StatusCode::CONFLICT, page_of(&RefusedPage { frame, back: change.back.clone() })).into_response())
}

/// What a plan leads to, so that two plans can be compared: who gains and loses what. Ids of new things differ each time, and others
/// who keep what they have make no difference.
fn outcome(plan: &Plan) -> String {
    let Plan {
        position: _,
        records,
        events: _,
        gained,
        lost,
        keys_of_concern,
        warnings,
        unaffected: _,
        others_not_shown,
    } = plan;
    let text = serde_json::to_string(&(records, gained, lost, keys_of_concern, warnings, others_not_shown));
    let mut hasher = DefaultHasher::new();
    text.unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
