//! `POST /access/v1/search/subject`, `/resource` and `/action`. What is not known has no results.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use grantbook_api::authzen::{
    ActionName, ActionSearch, EntityId, FoundActions, FoundEntities, ResourceSearch, SubjectSearch,
};
use grantbook_domain::access::{check::Target, rights::Ask};
use grantbook_views::{ListCursor, Listed, Page, Part, Reversed, Whose};
use serde_json::{Value, json};

use crate::{
    authzen::{
        body::begin,
        decide::{explains, subject_id, target},
        paging::SearchPage,
    },
    http::{body::shape, problem::Failure},
    read::context::{
        ReadContext,
        authz::{Authorizer, Resource},
    },
    state::Web,
};

pub(crate) async fn subject(State(web): State<Arc<Web>>, request: Request) -> Response {
    match begin(&web, request).await {
        Err(failure) => failure.into_response(),
        Ok((reading, body)) => reading.respond_blocking(move |reading| subjects(reading, &body)).await,
    }
}

pub(crate) async fn resource(State(web): State<Arc<Web>>, request: Request) -> Response {
    match begin(&web, request).await {
        Err(failure) => failure.into_response(),
        Ok((reading, body)) => reading.respond_blocking(move |reading| resources(reading, &body)).await,
    }
}

pub(crate) async fn action(State(web): State<Arc<Web>>, request: Request) -> Response {
    match begin(&web, request).await {
        Err(failure) => failure.into_response(),
        Ok((reading, body)) => reading.respond_blocking(move |reading| actions(reading, &body)).await,
    }
}

fn subjects(reading: &ReadContext, body: &Value) -> Result<FoundEntities, Failure> {
    let SubjectSearch { subject, action, resource, context, page } = shape(body)?;
    let object = target(&resource);
    let mut authorizer = Authorizer::new(reading)?;
    let home = authorizer.home_meant(object, &action.name)?;
    let object = Target { project: home.as_deref().or(object.project), ..object };
    let permit = authorizer.require(Ask::WhoCan, &Resource::Asked(object))?;
    let wanted = SearchPage::of(reading, "subject", body, page.as_ref())?;
    let whose = match subject.kind.as_str() {
        "user" => Some(Whose::Users),
        "token" => Some(Whose::Tokens),
        _ => None,
    };
    let found = match whose {
        Some(whose) => {
            let mut checker = wanted.turn.checker(permit)?;
            known(checker.who_can(&action.name, object, whose, wanted.part())?)
        }
        None => nothing(),
    };
    let (found, page) = wanted.given(found);
    let mut results = Vec::with_capacity(found.len());
    for who in found {
        results.push(EntityId {
            kind: subject.kind.clone(),
            id: subject_id(&mut authorizer, (&wanted.turn, permit), who)?,
        });
    }
    Ok(FoundEntities { page, context: told(&wanted, context.as_ref()), results })
}

fn resources(reading: &ReadContext, body: &Value) -> Result<FoundEntities, Failure> {
    let ResourceSearch { subject, action, resource, context, page } = shape(body)?;
    let permit = Authorizer::new(reading)?.require(Ask::Accessible, &Resource::Whole)?;
    let wanted = SearchPage::of(reading, "resource", body, page.as_ref())?;
    let found = match wanted.turn.principal_with_id(&subject.kind, &subject.id)? {
        Some(who) => {
            let mut checker = wanted.turn.checker(permit)?;
            known(checker.accessible(who, &action.name, &resource.kind, wanted.part())?)
        }
        None => nothing(),
    };
    let (found, page) = wanted.given(found);
    let entity =
        |object: grantbook_domain::scope::ObjectRef| EntityId { kind: object.object_type, id: object.id };
    let results = found.into_iter().map(entity).collect();
    Ok(FoundEntities { page, context: told(&wanted, context.as_ref()), results })
}

fn actions(reading: &ReadContext, body: &Value) -> Result<FoundActions, Failure> {
    let ActionSearch { subject, resource, context, page } = shape(body)?;
    let object = target(&resource);
    let wanted = SearchPage::of(reading, "action", body, page.as_ref())?;
    let who = wanted.turn.principal_with_id(&subject.kind, &subject.id)?;
    let mut authorizer = Authorizer::new(reading)?;
    let home = authorizer.home_meant(object, "read")?;
    let object = Target { project: home.as_deref().or(object.project), ..object };
    let own = who == Some(reading.caller.principal);
    let permit = authorizer.require_unless_own(own, Ask::Permissions, &Resource::Asked(object))?;
    let held = match who {
        Some(who) => wanted.turn.checker(permit)?.permissions(who, object)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let held = if own { authorizer.cut_to_key(object, held)? } else { held };
    let (found, page) = wanted.given(cut(held, wanted.part()));
    let results = found.into_iter().map(|name| ActionName { name }).collect();
    Ok(FoundActions { page, context: told(&wanted, context.as_ref()), results })
}

/// The position at which all pages hold, if the context asks for it.
fn told(wanted: &SearchPage<'_>, context: Option<&Value>) -> Option<Value> {
    explains(context).then(|| json!({"grantbook": {"position": wanted.turn.position()}}))
}

fn known<T>(answer: Reversed<Page<T>>) -> Page<T> {
    answer.unwrap_or_else(|_| nothing())
}

fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

/// A part of a short list; its places are the names themselves.
fn cut(names: Vec<String>, part: Part<'_>) -> Page<String> {
    let last = part.after.map(ListCursor::as_bytes);
    let start = last.and_then(|last| names.iter().position(|name| name.as_bytes() == last));
    let mut rest = names.into_iter().skip(start.map_or(0, |index| index + 1));
    let listed = |name: String| {
        let cursor = ListCursor::from_bytes(name.clone().into_bytes());
        Listed { thing: name, cursor }
    };
    let items: Vec<_> = rest.by_ref().take(part.limit).map(listed).collect();
    let next = rest.next().and_then(|_| items.last().map(|last| last.cursor.clone()));
    Page { items, next }
}
