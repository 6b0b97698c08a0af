//! `POST /v1/explain`: who granted it, when, why; or what is missing

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    check::CheckRequest,
    explain::{Explanation, Lack, Missing, NearMiss, Path, PathRole, RecordRef, Via},
    grants::Grant,
    keys::Key,
    reference::Named,
};
use grantbook_domain::{
    access::{Question, Reason},
    model,
    principal::Principal,
    rights::Ask,
    scope::ObjectRef,
};
use grantbook_views::{self as views, Coverage, Obstacle};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, problem::Failure, read::Reading},
    routes::{
        check::{self, Subject, target, word},
        names,
        records::{self, Of},
        render, scope_words,
        sight::{Sight, Thing},
    },
};

/// Most near misses told.
const NEAR_MAX: usize = 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(post))
}

/// Why a check has its answer: every path that allows or denies, with the records behind it, or what is missing.
#[utoipa::path(post, path = "/v1/explain", tag = "check", operation_id = "explain",
    request_body = CheckRequest, responses((status = 200, body = Explanation, description = "The whole story.")))]
async fn post(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match check::begin::<CheckRequest>(&web, &parts, body).await {
        Err(failure) => failure.into_response(),
        Ok((reading, asked)) => reading.answer_at_leisure(move |reading| explain(reading, &asked)).await,
    }
}

fn explain(reading: &Reading, asked: &CheckRequest) -> Result<Explanation, Failure> {
    let object = target(&asked.object);
    let mut sight = Sight::new(reading)?;
    sight.require(Ask::Explain, &Thing::Asked(object))?;
    let subject = check::subject(reading, asked)?;
    let story = if subject.unknown_key {
        nothing(Reason::UnknownKey)
    } else {
        let Subject { principal, key, .. } = subject;
        let question = Question { principal, key, permission: &asked.permission, object };
        reading.snapshot.explain(reading.org, &question, reading.now)?
    };
    told(reading, asked, &subject, &story)
}

fn nothing(reason: Reason) -> views::Explanation {
    views::Explanation {
        reason,
        allows: Vec::new(),
        denies: Vec::new(),
        missing: Vec::new(),
        truncated: false,
    }
}

fn told(
    reading: &Reading,
    asked: &CheckRequest,
    subject: &Subject,
    story: &views::Explanation,
) -> Result<Explanation, Failure> {
    let object = ObjectRef { object_type: asked.object.object_type.clone(), id: asked.object.id.clone() };
    let key: Option<model::Key> = match (&asked.key, subject.key) {
        (Some(_), Some(id)) => reading.snapshot.get(reading.org, &id)?,
        _ => None,
    };
    let principal = subject.principal.or(key.as_ref().map(|key| key.principal));
    let named = principal.map(|who| names::principal(reading, who)).transpose()?;
    let owner = key.as_ref().map(|key| names::principal(reading, key.principal)).transpose()?;
    let all = |paths: &[views::Path]| paths.iter().map(|one| path(reading, one, &object)).collect();
    let paths: Result<Vec<Path>, Failure> = all(&story.allows);
    let denied_by: Result<Vec<Path>, Failure> = all(&story.denies);
    let missing = (!story.reason.allows()).then(|| missing(reading, asked, principal, subject, story));
    Ok(Explanation {
        allowed: story.reason.allows(),
        reason: word(story.reason),
        position: reading.position_text.clone(),
        as_of: None,
        principal: named.filter(|who| who.name.is_some()),
        key: key.zip(owner).map(|(key, owner)| Key { principal: owner, ..render::key(&key) }),
        permission: asked.permission.clone(),
        object: names::object(reading, &object)?,
        project: project_of(reading, asked, &object)?,
        paths: paths?,
        denied_by: denied_by?,
        missing: missing.transpose()?,
    })
}

/// The project in which the object lies: its registration beats the one named.
fn project_of(reading: &Reading, asked: &CheckRequest, object: &ObjectRef) -> Result<Option<Named>, Failure> {
    let registered: Option<model::RegisteredObject> = reading.snapshot.get(reading.org, object)?;
    let named = asked.object.project.as_deref().and_then(|text| text.parse().ok());
    let own = if object.object_type == "project" { object.id.parse().ok() } else { None };
    let id = registered.and_then(|known| known.project).or(named).or(own);
    let project = id.map(|id| names::project(reading, id)).transpose()?;
    Ok(project.filter(|project| !project.name.is_empty()))
}

fn path(reading: &Reading, path: &views::Path, object: &ObjectRef) -> Result<Path, Failure> {
    Ok(Path {
        grant: grant(reading, &path.grant)?,
        role: role(path),
        via: via(reading, path)?,
        matched: scope_words::matched(reading, &path.grant.on, &path.coverage, object)?,
        records: records_of(reading, path)?,
    })
}

fn grant(reading: &Reading, grant: &model::Grant) -> Result<Grant, Failure> {
    Ok(Grant { to: names::grantee(reading, grant.to)?, ..render::grant(grant) })
}

fn role(path: &views::Path) -> Option<PathRole> {
    let (first, rest) = path.roles.split_first()?;
    let named = |step: &views::RoleStep| Named { id: step.id.to_string(), name: step.name.clone() };
    Some(PathRole {
        id: first.id.to_string(),
        name: first.name.clone(),
        via_roles: rest.iter().map(named).collect(),
    })
}

fn via(reading: &Reading, path: &views::Path) -> Result<Vec<Via>, Failure> {
    let one = |step: &views::Step| {
        Ok(Via {
            member: names::grantee(reading, step.membership.member)?,
            group: names::group(reading, step.membership.group)?,
            expires_at: render::time(step.membership.expires_at),
        })
    };
    path.via.iter().map(one).collect()
}

/// The grant first, then each membership, then what else matters.
fn records_of(reading: &Reading, path: &views::Path) -> Result<Vec<RecordRef>, Failure> {
    let mut wanted = vec![(path.grant_position, Of::Grant(path.grant.id), "/grant".to_owned())];
    for (index, step) in path.via.iter().enumerate() {
        let of = Of::Member(step.membership.member, step.membership.group);
        wanted.push((step.position, of, format!("/via/{index}")));
    }
    for (index, step) in path.roles.iter().enumerate() {
        let about =
            index.checked_sub(1).map_or("/role".to_owned(), |index| format!("/role/via_roles/{index}"));
        wanted.push((step.position, Of::Role(step.id), about));
    }
    if let Coverage::Included { project, version, .. } | Coverage::Excluded { project, version, .. } =
        path.coverage
    {
        wanted.push((version, Of::Project(project), "/matched/covers".to_owned()));
    }
    let mut found = Vec::with_capacity(wanted.len());
    for (position, of, about) in wanted {
        found.extend(records::at(reading, position, of, about)?);
    }
    Ok(found)
}

fn missing(
    reading: &Reading,
    asked: &CheckRequest,
    principal: Option<Principal>,
    subject: &Subject,
    story: &views::Explanation,
) -> Result<Missing, Failure> {
    let mut misses: Vec<&views::Missing> = story.missing.iter().collect();
    misses.sort_by_key(|miss| lack(miss));
    let near: Result<Vec<NearMiss>, Failure> =
        misses.into_iter().take(NEAR_MAX).map(|miss| near_miss(reading, asked, miss)).collect();
    let record = match (story.reason, principal, subject.key) {
        (Reason::KeyRevoked, _, Some(id)) => {
            let key: Option<model::Key> = reading.snapshot.get(reading.org, &id)?;
            match key {
                Some(key) => records::of_revocation(reading, key.principal, id)?,
                None => None,
            }
        }
        (Reason::InactivePrincipal, Some(who), _) => records::of_end(reading, who)?,
        _ => None,
    };
    let near = near?;
    let detail = detail(story.reason, !near.is_empty()).to_owned();
    Ok(Missing { detail, near, records: record.into_iter().collect() })
}

fn near_miss(reading: &Reading, asked: &CheckRequest, miss: &views::Missing) -> Result<NearMiss, Failure> {
    let object = ObjectRef { object_type: asked.object.object_type.clone(), id: asked.object.id.clone() };
    let matched = scope_words::matched(reading, &miss.path.grant.on, &miss.path.coverage, &object)?;
    let why = match miss.obstacles.first() {
        Some(Obstacle::MembershipExpired(at)) => format!("a membership on the way expired at {at}"),
        Some(Obstacle::GrantExpired(at)) => format!("the grant expired at {at}"),
        Some(Obstacle::OtherType) => format!("it gives {} on other object types", asked.permission),
        Some(Obstacle::NotCovered) | None => matched.why,
    };
    Ok(NearMiss {
        grant: grant(reading, &miss.path.grant)?,
        role: role(&miss.path),
        via: via(reading, &miss.path)?,
        lacks: lack(miss),
        scope: matched.scope,
        why,
        records: records_of(reading, &miss.path)?,
    })
}

fn lack(miss: &views::Missing) -> Lack {
    match miss.obstacles.first() {
        Some(Obstacle::NotCovered) | None => Lack::Scope,
        Some(Obstacle::OtherType) => Lack::ObjectType,
        Some(Obstacle::MembershipExpired(_) | Obstacle::GrantExpired(_)) => Lack::Expired,
    }
}

fn detail(reason: Reason, near: bool) -> &'static str {
    match reason {
        Reason::Granted => "",
        Reason::UnknownKey => "there is no such key, or its secret is not right",
        Reason::KeyRevoked => "the key was revoked",
        Reason::KeyExpired => "the key has expired",
        Reason::KeyMismatch => "the key belongs to another principal than the one named",
        Reason::UnknownPrincipal => "there is no such principal",
        Reason::InactivePrincipal => "the principal is not active any more",
        Reason::UnknownPermission => "the catalog has no such permission",
        Reason::UnknownObjectType => "the catalog has no such object type",
        Reason::UnknownObject => "there is no such object",
        Reason::ObjectProjectMismatch => "the object belongs to another project than the one named",
        Reason::KeyNarrowed => "the key is narrowed, and this lies outside of what is left to it",
        Reason::DeniedByGrant => "a deny grant applies, and denies always win",
        Reason::NoGrant if near => "no grant that reaches the principal covers this; the nearest ones follow",
        Reason::NoGrant => "no grant that reaches the principal gives this permission",
    }
}
