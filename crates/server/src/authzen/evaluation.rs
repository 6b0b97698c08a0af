//! `POST /access/v1/evaluation` and `POST /access/v1/evaluations`

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    authzen::{ActionName, Decision, Decisions, Entity, EvaluationOptions, EvaluationRequest, Semantic},
    questions::check::CHECKS_MAX,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    authzen::{
        body::{begin, require_objects},
        decide::{Asked, decide},
    },
    http::{body::shape, problem::Failure},
    read::context::{ReadContext, authz::Authorizer},
    schedule::Class,
    state::Web,
};

pub(crate) async fn one(State(web): State<Arc<Web>>, request: Request) -> Response {
    match begin(&web, request).await {
        Err(failure) => failure.into_response(),
        Ok((reading, body)) => reading.respond_check(move |reading| single(reading, &body)).await,
    }
}

pub(crate) async fn many(State(web): State<Arc<Web>>, request: Request) -> Response {
    match begin(&web, request).await {
        Err(failure) => failure.into_response(),
        Ok((reading, body)) => reading.respond_in(Class::Checks, move |reading| several(reading, body)).await,
    }
}

/// An answer to evaluations.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    One(Decision),
    Several(Decisions),
}

fn single(reading: &ReadContext, body: &Value) -> Result<Decision, Failure> {
    decide_one(&mut Authorizer::new(reading)?, body)
}

fn decide_one(authorizer: &mut Authorizer<'_>, body: &Value) -> Result<Decision, Failure> {
    let EvaluationRequest { subject, action, resource, context } = shape(body)?;
    let asked = Asked { subject: &subject, action: &action, resource: &resource, context: context.as_ref() };
    decide(authorizer, &asked)
}

/// What is read of a request with several evaluations before they are.
#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    evaluations: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    options: Option<EvaluationOptions>,
}

/// The parts of a question that an item names.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    subject: Option<Entity>,
    #[serde(default)]
    action: Option<ActionName>,
    #[serde(default)]
    resource: Option<Entity>,
    #[serde(default)]
    context: Option<Value>,
}

fn several(reading: &ReadContext, mut body: Value) -> Result<Answer, Failure> {
    let (evaluations, options) = (taken(&mut body, "evaluations"), taken(&mut body, "options"));
    let mut batch = json!({"evaluations": evaluations, "options": options});
    let Batch { evaluations, options } = shape(&batch)?;
    let semantic = options.and_then(|options| options.evaluations_semantic).unwrap_or_default();
    let count = evaluations.map_or(0, |evaluations| evaluations.len());
    let (1.., Value::Array(items)) = (count, taken(&mut batch, "evaluations")) else {
        return single(reading, &body).map(Answer::One);
    };
    let defaults = Defaults::of(body);
    if items.len() > CHECKS_MAX {
        return Err(Failure::invalid_at("/evaluations", format!("may have {CHECKS_MAX} evaluations")));
    }
    let mut authorizer = Authorizer::new(reading)?;
    let mut evaluations = Vec::with_capacity(items.len());
    for item in items {
        let decision = match decide_item(&mut authorizer, &defaults, &item) {
            Ok(decision) => decision,
            Err(failure) if failure.status().is_server_error() => return Err(failure),
            Err(failure) => refused(&failure),
        };
        let ends = match semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !decision.decision,
            Semantic::PermitOnFirstPermit => decision.decision,
        };
        evaluations.push(decision);
        if ends {
            break;
        }
    }
    Ok(Answer::Several(Decisions { evaluations }))
}

/// What items take from the whole request, read once for all of them: a default may be as long as the request. A fault in
/// one is reported by each item that uses it.
struct Defaults {
    subject: Result<Option<Entity>, Failure>,
    action: Result<Option<ActionName>, Failure>,
    resource: Result<Option<Entity>, Failure>,
    context: Option<Value>,
}

impl Defaults {
    fn of(mut body: Value) -> Self {
        Self {
            subject: shape(&taken(&mut body, "subject")),
            action: shape(&taken(&mut body, "action")),
            resource: shape(&taken(&mut body, "resource")),
            context: Some(taken(&mut body, "context")).filter(|context| !context.is_null()),
        }
    }
}

/// A member, or null.
fn taken(body: &mut Value, name: &str) -> Value {
    body.get_mut(name).map_or(Value::Null, Value::take)
}

/// Decides an item. What it lacks is taken whole from the request: nothing is merged inside of an entity.
fn decide_item(
    authorizer: &mut Authorizer<'_>,
    defaults: &Defaults,
    item: &Value,
) -> Result<Decision, Failure> {
    fn either<'a, T>(
        own: Option<&'a T>,
        default: &'a Result<Option<T>, Failure>,
    ) -> Result<Option<&'a T>, Failure> {
        own.map_or_else(|| default.as_ref().map(Option::as_ref).map_err(Failure::clone), |own| Ok(Some(own)))
    }
    require_objects(item, "")?;
    let own: Parts = shape(item)?;
    let subject = either(own.subject.as_ref(), &defaults.subject)?;
    let action = either(own.action.as_ref(), &defaults.action)?;
    let resource = either(own.resource.as_ref(), &defaults.resource)?;
    let context = own.context.as_ref().or(defaults.context.as_ref());
    match (subject, action, resource) {
        (Some(subject), Some(action), Some(resource)) => {
            decide(authorizer, &Asked { subject, action, resource, context })
        }
        // Says what is missing.
        _ => decide_one(authorizer, item),
    }
}

/// An evaluation that could not be made is a denial that says why.
fn refused(failure: &Failure) -> Decision {
    let error = json!({"status": failure.status().as_u16(), "message": failure.detail()});
    Decision { decision: false, context: Some(json!({"error": error})) }
}
