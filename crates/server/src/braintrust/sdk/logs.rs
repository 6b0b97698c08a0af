//! `POST /logs3`: rows of logs. Each is authorized by where it says that it goes; what it says besides is not kept.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    braintrust::{
        call::{answered, read_whole},
        caller::Organization,
        denial::Denial,
        native::Native,
    },
    forward::NotTaken,
    http::{body, metric_text::family, problem::Failure},
    schedule::{Class, Party, Place, workers},
    state::{Web, authn},
};

/// Most bytes of a request: clients send 6 MiB, and one row that is larger by itself.
const BODY_MAX: usize = 16 << 20;
/// Most checks of one native request.
const CHECKS_MAX: usize = 1000;

static DROPPED: AtomicU64 = AtomicU64::new(0);
static PASSED_ON: AtomicU64 = AtomicU64::new(0);
static SAID: Once = Once::new();

/// A body, of which only the destinations are kept.
#[derive(Deserialize)]
struct Rows {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "experiment_id")]
    experiment: Option<String>,
    #[serde(rename = "dataset_id")]
    dataset: Option<String>,
    #[serde(rename = "prompt_session_id")]
    prompt_session: Option<String>,
    #[serde(rename = "project_id")]
    project: Option<String>,
    #[serde(rename = "log_id")]
    log: Option<String>,
}

/// Where rows go: what a check is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    object_type: &'static str,
    id: String,
    project: Option<String>,
}

/// Takes the rows, if the caller may write to each of their destinations: all of them or none.
pub(crate) async fn take(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, content) = request.into_parts();
    let native = match Native::of(&parts.extensions, &parts.headers) {
        Ok(native) => native,
        Err(denial) => return denial.into_response(),
    };
    let outcome = async {
        // Nothing so large is read before it is known who sends it, and that its organization has a place for it.
        let _held_until_authorized = match place(&web, &native, &parts.headers).await {
            Ok(place) => place,
            Err(denial) => {
                body::discard(content).await;
                return Err(denial);
            }
        };
        let bytes = read_whole(&parts.headers, content, BODY_MAX).await?;
        let rows = bytes.clone();
        let read = workers::spawn(move || destinations(&rows)).await;
        let (count, destinations) = read.map_err(|error| Failure::internal(&error))??;
        authorize(&native, &destinations).await?;
        let Some(data_plane) = &web.app.data_plane else {
            drop_rows(count);
            return Ok(json!({"ids": []}));
        };
        let said = data_plane.take(bytes).await.map_err(not_taken)?;
        PASSED_ON.fetch_add(count, Ordering::Relaxed);
        // Clients look at no more than the status.
        Ok(serde_json::from_slice(&said).unwrap_or_else(|_| json!({"ids": []})))
    };
    answered(&native, outcome.await)
}

/// A place for rows of the caller. The first question brings the view up to date, so that a key that has just ended is refused.
async fn place(web: &Web, native: &Native, headers: &HeaderMap) -> Result<Place, Denial> {
    Organization::of(native).await?;
    let who = authn::authenticate(web, headers).await?;
    let party = Party { org: who.org, principal: Some(who.caller.principal) };
    let entered = web.app.scheduler.enter(Class::Logs, party).await;
    entered.map_err(|refused| Failure::from(refused).into())
}

/// How many rows there are, and where they go.
fn destinations(bytes: &[u8]) -> Result<(u64, BTreeSet<Destination>), Denial> {
    let Rows { rows } = serde_json::from_slice(bytes)
        .map_err(|error| Denial::invalid(format!("rows cannot be read: {error}")))?;
    let found: Result<BTreeSet<Destination>, Denial> = rows.iter().map(Row::destination).collect();
    Ok((rows.len() as u64, found?))
}

impl Row {
    fn destination(&self) -> Result<Destination, Denial> {
        let to = |object_type, id: &String, project: Option<&String>| Destination {
            object_type,
            id: id.clone(),
            project: project.cloned(),
        };
        match self {
            Self { experiment: Some(id), .. } => Ok(to("experiment", id, None)),
            Self { dataset: Some(id), .. } => Ok(to("dataset", id, None)),
            Self { prompt_session: Some(id), .. } => Ok(to("prompt_session", id, None)),
            Self { project: Some(id), log: Some(log), .. } if log == "g" => {
                Ok(to("project_log", id, Some(id)))
            }
            _ => Err(Denial::invalid(
                "a row names no destination: experiment_id, dataset_id, prompt_session_id, or project_id with log_id \"g\"",
            )),
        }
    }
}

/// Denies everything if one destination may not be written to, or is not there.
async fn authorize(native: &Native, destinations: &BTreeSet<Destination>) -> Result<(), Denial> {
    let all: Vec<&Destination> = destinations.iter().collect();
    for some in all.chunks(CHECKS_MAX) {
        let checks: Vec<Value> = some
            .iter()
            .map(|one| match &one.project {
                Some(project) => json!({"type": one.object_type, "id": one.id, "project": project}),
                None => json!({"type": one.object_type, "id": one.id}),
            })
            .map(|object| json!({"permission": "update", "object": object}))
            .collect();
        let answer = native.ask("/v1/check/batch", &json!({"checks": checks})).await?;
        let results = answer.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let allowed = results.iter().filter(|one| one.get("allowed") == Some(&Value::Bool(true))).count();
        if allowed != some.len() {
            return Err(Denial::forbidden());
        }
    }
    Ok(())
}

/// Metrics of this wire.
pub(crate) fn metrics() -> String {
    let mut text = String::new();
    family(
        &mut text,
        "grantbook_braintrust_rows_total",
        "Rows of logs that were authorized, by what became of them.",
        "fate",
        ["dropped", "passed_on"].iter().zip([&DROPPED, &PASSED_ON]),
    );
    text
}

fn not_taken(why: NotTaken) -> Denial {
    match why {
        NotTaken::Refused(StatusCode::TOO_MANY_REQUESTS, _) => Failure::busy().into(),
        NotTaken::Refused(status, said) => {
            Denial::invalid(format!("the data plane refused the rows: {status} {said}"))
        }
        NotTaken::Unavailable => {
            Failure::unavailable("data_plane", "the data plane that keeps rows does not take any: come again")
                .into()
        }
    }
}

/// Counts rows that were authorized and are kept nowhere, and says so once.
fn drop_rows(rows: u64) {
    DROPPED.fetch_add(rows, Ordering::Relaxed);
    SAID.call_once(|| {
        tracing::warn!(
            "rows of logs are authorized, counted and dropped: Grantbook is no data plane, and --braintrust-data-url names none"
        );
    });
}
