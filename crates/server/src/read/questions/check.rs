//! `POST /v1/check` and `POST /v1/check/batch`. A denial is an answer, not an error.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::request,
    response::{IntoResponse, Response},
};
use grantbook_api::{
    questions::check::{
        CHECKS_MAX, CheckAnswer, CheckBatch, CheckBatchAnswer, CheckObject, CheckRequest, CheckResult, Reason,
    },
    words::{
        list::AsOfQuery,
        reference::{PrincipalRef, PrincipalType},
    },
};
use grantbook_domain::{
    access::{
        check::{self, Question, Target},
        rights::Ask,
    },
    id::{KeyId, TokenId, UserId},
    principal::Principal,
};
use serde::de::DeserializeOwned;

use crate::{
    http::{body, problem::Failure, query},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
    },
    schedule::Class,
    state::{
        Web, at_least,
        authn::{self, Authenticated},
    },
};

/// Whom a question is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    /// The principal named, or the caller.
    pub(crate) principal: Option<Principal>,
    /// The key named, or the caller's.
    pub(crate) key: Option<KeyId>,
    /// Whether a key was named that is none, or whose secret is not right.
    pub(crate) unknown_key: bool,
    /// Whether that is the caller.
    own: bool,
}

/// Reads query and body of a question and begins to answer it.
pub(crate) async fn begin<Q: DeserializeOwned, T: DeserializeOwned>(
    web: &Arc<Web>,
    parts: &request::Parts,
    body: axum::body::Body,
) -> Result<(ReadContext, Q, T), Failure> {
    let (who, as_of, query, asked) = read(web, parts, body).await?;
    at_least::reach_cursor(web, who.org, query::cursor(&parts.uri)?.as_deref()).await?;
    Ok((ReadContext::begin(web, who, &parts.headers).await?.asked_as_of(as_of).await?, query, asked))
}

/// The same for questions that checks alone answer: those about now, from the image.
async fn begin_check<T: DeserializeOwned>(
    web: &Arc<Web>,
    parts: &request::Parts,
    body: axum::body::Body,
) -> Result<(ReadContext, T), Failure> {
    let (who, as_of, AsOfQuery { .. }, asked) = read(web, parts, body).await?;
    let reading = match as_of {
        None => ReadContext::begin_check(web, who, &parts.headers).await?,
        Some(_) => ReadContext::begin(web, who, &parts.headers).await?.asked_as_of(as_of).await?,
    };
    Ok((reading, asked))
}

async fn read<Q: DeserializeOwned, T: DeserializeOwned>(
    web: &Arc<Web>,
    parts: &request::Parts,
    body: axum::body::Body,
) -> Result<(Authenticated, Option<String>, Q, T), Failure> {
    web.node()?;
    let who = authn::authenticate(web, &parts.headers).await?;
    let as_of = query::as_of(&parts.uri)?;
    let query = query::read(&parts.uri)?;
    let bytes = body::read(&parts.headers, body).await?;
    Ok((who, as_of, query, body::parse(&bytes)?))
}

/// Finds out whom a question is about. Ids that cannot be are unknown: every doubt is a denial.
pub(crate) fn subject(authorizer: &Authorizer<'_>, asked: &CheckRequest) -> Result<Subject, Failure> {
    let reading = authorizer.reading();
    let caller = reading.caller;
    let principal = asked.principal.as_ref().map(principal);
    let Some(text) = asked.key.as_ref() else {
        let own = principal.is_none_or(|named| named == caller.principal);
        // Without a principal, the key in use counts too: its narrowing is part of what its holder may do.
        let key = if principal.is_none() { caller.key } else { None };
        let principal = Some(principal.unwrap_or(caller.principal));
        return Ok(Subject { principal, key, unknown_key: false, own });
    };
    let key = authorizer.key_named(text.expose())?;
    let owner = key.map(|id| authorizer.holder(id)).transpose()?.flatten();
    let mine = owner == Some(caller.principal) && principal.is_none_or(|named| named == caller.principal);
    // Of its principal's keys a narrowed key knows itself alone.
    let own = mine && (key == caller.key || !authorizer.is_narrowed()?);
    Ok(Subject { principal, key, unknown_key: key.is_none(), own })
}

/// The answer to one question, of a caller who may ask it; no finer than the caller may know.
fn answer(
    authorizer: &mut Authorizer<'_>,
    reading: &ReadContext,
    asked: &CheckRequest,
) -> Result<Reason, Failure> {
    let mut subject = subject(authorizer, asked)?;
    let object = target(&asked.object);
    let home = authorizer.home_meant(object, &asked.permission)?;
    let object = Target { project: home.as_deref().or(object.project), ..object };
    let permit = authorizer.require_unless_own(subject.own, Ask::Check, &Resource::Asked(object))?;
    if subject.own && subject.key.is_none() {
        subject.key = authorizer.own_key(Ask::Check, object)?;
    }
    let reason = reason(authorizer, permit, &subject, (&asked.permission, object))?;
    reading.web.metrics.check(reason.allows());
    // For the answer about others, the right was asked for above.
    let fine = reason.allows() || !subject.own || authorizer.may(Ask::Explain, &Resource::Asked(object))?;
    Ok(if fine { word(reason) } else { Reason::Denied })
}

/// The exact answer.
pub(crate) fn reason(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    subject: &Subject,
    (permission, object): (&str, Target<'_>),
) -> Result<check::Reason, Failure> {
    if subject.unknown_key {
        return Ok(check::Reason::UnknownKey);
    }
    authorizer.check(permit, &Question { principal: subject.principal, key: subject.key, permission, object })
}

/// The object of a question.
pub(crate) fn target(object: &CheckObject) -> Target<'_> {
    Target { object_type: &object.object_type, id: &object.id, project: object.project.as_deref() }
}

/// The wire's word for a reason.
pub(crate) fn word(reason: check::Reason) -> Reason {
    match reason {
        check::Reason::Granted => Reason::Granted,
        check::Reason::UnknownKey => Reason::UnknownKey,
        check::Reason::KeyRevoked => Reason::KeyRevoked,
        check::Reason::KeyExpired => Reason::KeyExpired,
        check::Reason::KeyMismatch => Reason::KeyMismatch,
        check::Reason::UnknownPrincipal => Reason::UnknownPrincipal,
        check::Reason::InactivePrincipal => Reason::InactivePrincipal,
        check::Reason::UnknownPermission => Reason::UnknownPermission,
        check::Reason::UnknownObjectType => Reason::UnknownObjectType,
        check::Reason::UnknownObject => Reason::UnknownObject,
        check::Reason::AmbiguousObject => Reason::AmbiguousObject,
        check::Reason::ObjectProjectMismatch => Reason::ObjectProjectMismatch,
        check::Reason::KeyNarrowed => Reason::KeyNarrowed,
        check::Reason::DeniedByGrant => Reason::DeniedByGrant,
        check::Reason::NoGrant => Reason::NoGrant,
    }
}

/// An id that cannot be is replaced by one that nobody has.
fn principal(named: &PrincipalRef) -> Principal {
    match named.kind {
        PrincipalType::User => Principal::User(named.id.parse().unwrap_or(UserId::from_u128(0))),
        PrincipalType::Token => Principal::Token(named.id.parse().unwrap_or(TokenId::from_u128(0))),
    }
}

pub(crate) async fn one(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match begin_check::<CheckRequest>(&web, &parts, body).await {
        Err(failure) => failure.into_response(),
        Ok((reading, asked)) => {
            let answered = reading.respond_check(move |reading| {
                let reason = answer(&mut Authorizer::new(reading)?, reading, &asked)?;
                let allowed = reason == Reason::Granted;
                Ok(CheckAnswer { allowed, reason, position: reading.position_text.clone(), as_of: None })
            });
            answered.await
        }
    }
}

pub(crate) async fn many(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match begin_check::<CheckBatch>(&web, &parts, body).await {
        Err(failure) => failure.into_response(),
        Ok((reading, asked)) => {
            reading.respond_in(Class::Checks, move |reading| answer_all(reading, &asked)).await
        }
    }
}

fn answer_all(reading: &ReadContext, asked: &CheckBatch) -> Result<CheckBatchAnswer, Failure> {
    if asked.checks.is_empty() || asked.checks.len() > CHECKS_MAX {
        return Err(Failure::invalid_at("/checks", format!("must have 1 to {CHECKS_MAX} checks")));
    }
    let mut authorizer = Authorizer::new(reading)?;
    let mut results = Vec::with_capacity(asked.checks.len());
    for (index, check) in asked.checks.iter().enumerate() {
        let reason = answer(&mut authorizer, reading, check)
            .map_err(|failure| failure.at(format!("/checks/{index}")))?;
        results.push(CheckResult { allowed: reason == Reason::Granted, reason });
    }
    Ok(CheckBatchAnswer { results, position: reading.position_text.clone(), as_of: None })
}
