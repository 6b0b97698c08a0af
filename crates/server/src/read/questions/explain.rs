//! `POST /v1/explain`: who granted it, when, why; or what is missing

mod graph;
mod missing;
pub(crate) mod paths;
mod remedies;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    nouns::keys::Key,
    questions::{
        check::CheckRequest,
        explain::{ExplainQuery, Explanation, PATHS_DEFAULT, Path},
    },
    words::reference::{Named, NamedPrincipal},
};
use grantbook_domain::{
    access::{
        check::{Question, Reason, Target},
        rights::Ask,
    },
    catalog::Lineage,
    id::KeyId,
    model::{self, Effect},
    principal::Principal,
    scope::ObjectRef,
    time::Timestamp,
};
use grantbook_views::{self as views, Checker, PathPlace};

use crate::{
    http::problem::Failure,
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::{PinnedPage, size},
        },
        questions::{
            check::{self, Subject, target, word},
            explain::paths::PathWriter,
        },
    },
    state::Web,
    wire::render,
};

/// A page ends with the path that makes its paths longer than this, in bytes of JSON: however long paths are, a page is short.
const PAGE_BYTES: usize = 256 * 1024;

/// What was asked, with all that was found out about it.
struct Asked<'a> {
    principal: Option<Principal>,
    key: Option<KeyId>,
    permission: &'a str,
    /// Expiry is judged at this instant.
    at: Timestamp,
}

pub(crate) async fn post(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match check::begin::<ExplainQuery, CheckRequest>(&web, &parts, body).await {
        Err(failure) => failure.into_response(),
        Ok((reading, query, asked)) => {
            reading.respond_blocking(move |reading| explain(reading, &query, &asked)).await
        }
    }
}

fn explain(
    reading: &ReadContext,
    query: &ExplainQuery,
    asked: &CheckRequest,
) -> Result<Explanation, Failure> {
    let limit = size(Some(query.limit.unwrap_or(PATHS_DEFAULT)))?;
    let mut authorizer = Authorizer::new(reading)?;
    let home = authorizer.home_meant(target(&asked.object), &asked.permission)?;
    let mut asked = asked.clone();
    asked.object.project = home.or(asked.object.project);
    let asked = &asked;
    let object = target(&asked.object);
    let permit = authorizer.require(Ask::Explain, &Resource::Asked(object))?;
    let subject = check::subject(&authorizer, asked)?;
    let Subject { principal, key, unknown_key, .. } = subject;
    let question =
        format!("explain\n{principal:?}\n{key:?}\n{unknown_key}\n{:?}\n{object:?}", asked.permission);
    let page = PinnedPage::of(reading, &question, query.cursor.as_deref())?;
    let mut checker = page.checker(permit)?;
    let story = if unknown_key {
        views::Explanation::bare(Reason::UnknownKey)
    } else {
        checker.explain(&Question { principal, key, permission: &asked.permission, object })?
    };
    let object = asked_object(permit, object)?;
    let mut writer = PathWriter::new(&mut authorizer, permit, &object);
    let (paths, last) = {
        let place = |bytes: &Vec<u8>| {
            let place = story.decode_place(Effect::Allow, bytes);
            place.ok_or_else(|| Failure::invalid("the parameter cursor is not one of this question"))
        };
        let after = page.after.as_ref().map(place).transpose()?;
        paths_after(&mut writer, &checker, (&story, Effect::Allow), after, limit)?
    };
    let next = last.map(|last| page.cursor(&story.encode_place(Effect::Allow, &last)));
    let (denied_by, _) = paths_after(&mut writer, &checker, (&story, Effect::Deny), None, limit)?;
    let about = About { asked, subject, at: page.now(), position: page.position() };
    let mut explanation = Explanation { paths, next, denied_by, ..told(&mut writer, &story, about)? };
    // The past cannot be mended.
    let remedies = if query.as_of.is_none() { remedies::remedies(&explanation) } else { Vec::new() };
    if let Some(missing) = &mut explanation.missing {
        missing.remedies = remedies;
    }
    Ok(explanation)
}

/// One page: the paths after a place, and the last one if there are more.
fn paths_after(
    writer: &mut PathWriter<'_, '_>,
    checker: &Checker<'_>,
    (story, effect): (&views::Explanation, Effect),
    after: Option<PathPlace>,
    limit: usize,
) -> Result<(Vec<Path>, Option<PathPlace>), Failure> {
    let (mut paths, mut last, mut bytes) = (Vec::new(), after, 0);
    loop {
        let Some(place) = checker.path_after(story, effect, last.as_ref())? else {
            return Ok((paths, None));
        };
        if paths.len() == limit || bytes > PAGE_BYTES {
            return Ok((paths, last));
        }
        let path = writer.path(&story.path(effect, &place)?)?;
        bytes += serde_json::to_vec(&path).map_err(|error| Failure::internal(&error))?.len();
        paths.push(path);
        last = Some(place);
    }
}

/// The object asked about, with its project if its type lies in projects and there is only one.
pub(crate) fn asked_object(permit: Permit<'_>, asked: Target<'_>) -> Result<ObjectRef, Failure> {
    let (snapshot, org, at) = (permit.rows(), &permit.reading().org, permit.reading().at());
    let object = ObjectRef::new(asked.object_type, asked.id);
    let catalog = snapshot.catalog(*org)?;
    let known = catalog.object_type(asked.object_type);
    if known.map(|known| catalog.lineage(known)) != Some(Lineage::InProject) {
        return Ok(object);
    }
    if let Some(named) = asked.project {
        return Ok(object.within(named.parse().ok()));
    }
    let homes = snapshot.checker(*org, at)?.homes(&object)?;
    Ok(object.within(homes.first().copied().filter(|_| homes.len() == 1)))
}

/// What an explanation is about.
struct About<'a> {
    asked: &'a CheckRequest,
    subject: Subject,
    at: Timestamp,
    position: String,
}

/// All of the answer but its paths.
fn told(
    writer: &mut PathWriter<'_, '_>,
    story: &views::Explanation,
    about: About<'_>,
) -> Result<Explanation, Failure> {
    let About { asked, subject, at, position } = about;
    let (permit, object) = (writer.permit, writer.object);
    let key: Option<model::Key> = match (&asked.key, subject.key) {
        (Some(_), Some(id)) => permit.rows().get(permit.reading().org, &id)?,
        _ => None,
    };
    let principal = subject.principal.or(key.as_ref().map(|key| key.principal));
    let mut is_shown = Vec::with_capacity(story.grants.len());
    for one in &story.grants {
        let is_seen = one.applies || writer.authorizer.may(Ask::Grant, &Resource::Grant(&one.grant))?;
        is_shown.push(is_seen);
    }
    let about = Asked { principal, key: subject.key, permission: &asked.permission, at };
    let missing =
        (!story.reason.allows()).then(|| missing::missing(writer, &about, story, &is_shown)).transpose()?;
    let graph = graph::graph(writer, story, &is_shown)?;
    let authorizer = &mut *writer.authorizer;
    Ok(Explanation {
        allowed: story.reason.allows(),
        reason: word(story.reason),
        position,
        as_of: None,
        principal: principal.map(|who| known(authorizer, permit, who)).transpose()?.flatten(),
        key: key.map(|key| key_seen(authorizer, &key)).transpose()?,
        permission: asked.permission.clone(),
        object: authorizer.object(object)?,
        project: project_of(authorizer, permit, asked, object)?,
        graph,
        paths: Vec::new(),
        paths_total: story.total(Effect::Allow),
        next: None,
        denied_by: Vec::new(),
        denied_by_total: story.total(Effect::Deny),
        missing,
    })
}

/// The principal, if there is or was one.
fn known(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    who: Principal,
) -> Result<Option<NamedPrincipal>, Failure> {
    permit.knows_principal(who)?.then(|| authorizer.principal(who)).transpose()
}

/// The key, with its label if the caller may list it.
fn key_seen(authorizer: &mut Authorizer<'_>, key: &model::Key) -> Result<Key, Failure> {
    let labelled = authorizer.may(Ask::Keys, &Resource::Person(key.principal))?;
    let shown = render::key(key);
    Ok(Key {
        principal: authorizer.principal(key.principal)?,
        name: shown.name.clone().filter(|_| labelled),
        ..shown
    })
}

/// The project in which the object lies: its registration beats the one named.
fn project_of(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    asked: &CheckRequest,
    object: &ObjectRef,
) -> Result<Option<Named>, Failure> {
    let named = asked.object.project.as_deref().and_then(|text| text.parse().ok());
    let own = if object.object_type == "project" { object.id.parse().ok() } else { None };
    let Some(id) = object.project.or(named).or(own) else { return Ok(None) };
    permit.knows_project(id)?.then(|| authorizer.project(id)).transpose()
}
