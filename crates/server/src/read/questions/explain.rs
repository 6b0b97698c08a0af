//! `POST /v1/explain`: who granted it, when, why; or what is missing

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use grantbook_api::{
    nouns::{grants::Grant, keys::Key},
    questions::{
        check::CheckRequest,
        explain as words,
        explain::{Explanation, Lack, Missing, NearMiss, ObstacleCode, Path, PathRole, RecordRef, Via},
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
    model,
    principal::Principal,
    scope::ObjectRef,
    time::Timestamp,
};
use grantbook_views::{self as views, Coverage, Obstacle};

use crate::{
    http::problem::Failure,
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
        },
        questions::{
            check::{self, Subject, target, word},
            records::{self, Of},
            scope_words,
        },
    },
    state::Web,
    wire::render,
};

/// Most near misses told.
const NEAR_MAX: usize = 20;

pub(crate) async fn post(State(web): State<Arc<Web>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match check::begin::<CheckRequest>(&web, &parts, body).await {
        Err(failure) => failure.into_response(),
        Ok((reading, asked)) => reading.respond_blocking(move |reading| explain(reading, &asked)).await,
    }
}

fn explain(reading: &ReadContext, asked: &CheckRequest) -> Result<Explanation, Failure> {
    let mut authorizer = Authorizer::new(reading)?;
    let home = authorizer.home_meant(target(&asked.object), &asked.permission)?;
    let mut asked = asked.clone();
    asked.object.project = home.or(asked.object.project);
    let asked = &asked;
    let object = target(&asked.object);
    let permit = authorizer.require(Ask::Explain, &Resource::Asked(object))?;
    let subject = check::subject(&authorizer, asked)?;
    let story = if subject.unknown_key {
        nothing(Reason::UnknownKey)
    } else {
        let Subject { principal, key, .. } = subject;
        let question = Question { principal, key, permission: &asked.permission, object };
        permit.rows().explain(reading.org, &question, reading.at())?
    };
    told(&mut authorizer, permit, asked, &subject, &story)
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
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    asked: &CheckRequest,
    subject: &Subject,
    story: &views::Explanation,
) -> Result<Explanation, Failure> {
    let object = asked_object(permit, target(&asked.object))?;
    let key: Option<model::Key> = match (&asked.key, subject.key) {
        (Some(_), Some(id)) => permit.rows().get(permit.reading().org, &id)?,
        _ => None,
    };
    let principal = subject.principal.or(key.as_ref().map(|key| key.principal));
    let mut all = |paths: &[views::Path]| -> Result<Vec<Path>, Failure> {
        paths.iter().map(|one| path(authorizer, permit, one, &object)).collect()
    };
    let (paths, denied_by) = (all(&story.allows)?, all(&story.denies)?);
    let missing = (!story.reason.allows())
        .then(|| missing(authorizer, permit, asked, (principal, subject.key), story))
        .transpose()?;
    Ok(Explanation {
        allowed: story.reason.allows(),
        reason: word(story.reason),
        position: permit.reading().position_text.clone(),
        as_of: None,
        principal: principal.map(|who| known(authorizer, permit, who)).transpose()?.flatten(),
        key: key.map(|key| key_seen(authorizer, &key)).transpose()?,
        permission: asked.permission.clone(),
        object: authorizer.object(&object)?,
        project: project_of(authorizer, permit, asked, &object)?,
        paths,
        denied_by,
        truncated: story.truncated,
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

pub(crate) fn path(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    path: &views::Path,
    object: &ObjectRef,
) -> Result<Path, Failure> {
    Ok(Path {
        grant: grant(authorizer, &path.grant)?,
        role: role(authorizer, path)?,
        via: via(authorizer, path)?,
        matched: scope_words::matched(authorizer, &path.grant.on, &path.coverage, object)?,
        records: records_of(authorizer, permit, path)?,
    })
}

/// A grant that decides is shown to every caller who may ask why; its reason only to callers who may read the grant.
fn grant(authorizer: &mut Authorizer<'_>, grant: &model::Grant) -> Result<Grant, Failure> {
    let seen = authorizer.may(Ask::Grant, &Resource::Grant(grant))?;
    let reason = grant.reason.clone().filter(|_| seen);
    Ok(Grant { to: authorizer.grantee(grant.to)?, reason, ..render::grant(grant) })
}

fn role(authorizer: &mut Authorizer<'_>, path: &views::Path) -> Result<Option<PathRole>, Failure> {
    let Some((first, rest)) = path.roles.split_first() else { return Ok(None) };
    let Named { id, name } = authorizer.role(first.id)?;
    let via_roles: Result<Vec<Named>, Failure> = rest.iter().map(|step| authorizer.role(step.id)).collect();
    Ok(Some(PathRole { id, name, via_roles: via_roles? }))
}

fn via(authorizer: &mut Authorizer<'_>, path: &views::Path) -> Result<Vec<Via>, Failure> {
    let one = |step: &views::Step| {
        Ok(Via {
            member: authorizer.grantee(step.membership.member)?,
            group: authorizer.group(step.membership.group)?,
            expires_at: render::time(step.membership.expires_at),
        })
    };
    path.via.iter().map(one).collect()
}

/// The grant first, then each membership, then what else matters.
fn records_of(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    path: &views::Path,
) -> Result<Vec<RecordRef>, Failure> {
    let mut wanted = vec![(path.grant_position, Of::Grant(&path.grant), "/grant".to_owned())];
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
        found.extend(records::at(authorizer, permit, (position, of), about)?);
    }
    Ok(found)
}

fn missing(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    asked: &CheckRequest,
    (principal, key): (Option<Principal>, Option<KeyId>),
    story: &views::Explanation,
) -> Result<Missing, Failure> {
    let mut misses: Vec<&views::Missing> = story.missing.iter().collect();
    misses.sort_by_key(|miss| lack(miss));
    let mut near = Vec::new();
    for miss in misses {
        if near.len() == NEAR_MAX {
            break;
        }
        // A grant that does not decide is nobody's business but theirs who see it anyway.
        if authorizer.may(Ask::Grant, &Resource::Grant(&miss.path.grant))? {
            near.push(near_miss(authorizer, permit, asked, miss)?);
        }
    }
    let records = records::of_denial(authorizer, permit, story.reason, (principal, key))?;
    let narrowed = match (story.reason, key) {
        (Reason::KeyNarrowed, Some(id)) => narrowed(authorizer, permit, asked, id)?,
        _ => None,
    };
    let detail = narrowed.unwrap_or_else(|| detail(story.reason, !near.is_empty()).to_owned());
    Ok(Missing { detail, near, records: records.into_iter().collect() })
}

/// Which narrowing of a key it is that leaves this out.
fn narrowed(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    asked: &CheckRequest,
    id: KeyId,
) -> Result<Option<String>, Failure> {
    let Some(key) = permit.rows().get::<model::Key>(permit.reading().org, &id)? else { return Ok(None) };
    let Some(narrow) = key.narrow else { return Ok(None) };
    if let Some(left) = narrow.permissions.filter(|left| !left.contains(&asked.permission)) {
        return Ok(Some(format!("the key is narrowed to the permissions {}", left.join(", "))));
    }
    let scope = narrow.on.map(|on| scope_words::words(authorizer, &on)).transpose()?;
    Ok(scope.map(|scope| format!("the key is narrowed to {scope}")))
}

fn near_miss(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    asked: &CheckRequest,
    miss: &views::Missing,
) -> Result<NearMiss, Failure> {
    let object = asked_object(permit, target(&asked.object))?;
    let matched = scope_words::matched(authorizer, &miss.path.grant.on, &miss.path.coverage, &object)?;
    let obstacles = obstacles(authorizer, permit.reading().at(), asked, miss, &matched.why)?;
    let why = obstacles.first().map_or(matched.why, |first| first.detail.clone());
    Ok(NearMiss {
        grant: grant(authorizer, &miss.path.grant)?,
        role: role(authorizer, &miss.path)?,
        via: via(authorizer, &miss.path)?,
        lacks: lack(miss),
        scope: matched.scope,
        why,
        obstacles,
        records: records_of(authorizer, permit, &miss.path)?,
    })
}

/// All that is in the way: the memberships that are over, then what the grant lacks itself.
fn obstacles(
    authorizer: &mut Authorizer<'_>,
    at: Timestamp,
    asked: &CheckRequest,
    miss: &views::Missing,
    uncovered: &str,
) -> Result<Vec<words::Obstacle>, Failure> {
    let mut found = Vec::new();
    for (place, step) in miss.path.via.iter().enumerate() {
        let Some(expired) = step.membership.expires_at.filter(|until| at >= *until) else { continue };
        let group = authorizer.group(step.membership.group)?;
        let name = if group.name.is_empty() { group.id } else { group.name };
        found.push(words::Obstacle {
            code: ObstacleCode::MembershipExpired,
            about: format!("/via/{place}"),
            detail: format!("the membership in group {name} expired at {expired}"),
            expired_at: Some(expired.to_string()),
            excluded_by: None,
        });
    }
    let excluded_by = match &miss.path.coverage {
        Coverage::Excluded { by, .. } => Some(render::selection(std::slice::from_ref(by))),
        Coverage::Organization | Coverage::Object(_) | Coverage::Included { .. } | Coverage::Outside => None,
    };
    for obstacle in &miss.obstacles {
        let mut one = words::Obstacle {
            code: ObstacleCode::NotCovered,
            about: "/grant".to_owned(),
            detail: uncovered.to_owned(),
            expired_at: None,
            excluded_by: None,
        };
        match obstacle {
            Obstacle::MembershipExpired(_) => continue,
            Obstacle::GrantExpired(at) => {
                one.code = ObstacleCode::GrantExpired;
                one.detail = format!("the grant expired at {at}");
                one.expired_at = Some(at.to_string());
            }
            Obstacle::OtherType => {
                one.code = ObstacleCode::ObjectType;
                one.detail = format!("it gives {} on other object types", asked.permission);
            }
            Obstacle::NotCovered => {
                "/grant/on".clone_into(&mut one.about);
                if excluded_by.is_some() {
                    one.code = ObstacleCode::Excluded;
                }
                one.excluded_by.clone_from(&excluded_by);
            }
        }
        found.push(one);
    }
    Ok(found)
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
        Reason::AmbiguousObject => "several projects have an object of this type and id: name the project",
        Reason::ObjectProjectMismatch => "objects of this type do not lie in a project",
        Reason::KeyNarrowed => "the key is narrowed, and this lies outside of what is left to it",
        Reason::DeniedByGrant => "a deny grant applies, and denies always win",
        Reason::NoGrant if near => "no grant that reaches the principal covers this; the nearest ones follow",
        Reason::NoGrant => "no grant that reaches the principal gives this permission",
    }
}
