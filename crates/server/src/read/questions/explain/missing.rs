//! What a denial is due to: the grants that come close, and the records behind it.

use grantbook_api::questions::explain::{self as words, Lack, Missing, NearMiss, ObstacleCode};
use grantbook_domain::{access::check::Reason, id::KeyId, model};
use grantbook_views::{self as views, Coverage, Obstacle};

use crate::{
    http::problem::Failure,
    read::{
        context::{Permit, authz::Authorizer},
        questions::{
            explain::{Asked, paths::PathWriter},
            records, scope_words,
        },
    },
    wire::render,
};

/// Most grants that come close in one answer.
const NEAR_MAX: usize = 20;

/// Why a question was denied. `is_shown` says which grants the caller may see.
pub(super) fn missing(
    writer: &mut PathWriter<'_, '_>,
    asked: &Asked<'_>,
    story: &views::Explanation,
    is_shown: &[bool],
) -> Result<Missing, Failure> {
    // A grant that does not decide is shown only to callers who see it anyway.
    let shown = story.near().into_iter().filter(|index| is_shown.get(*index) == Some(&true));
    let near = shown.take(NEAR_MAX).map(|index| near_miss(writer, asked, &story.nearest(index)?));
    let near = near.collect::<Result<Vec<_>, Failure>>()?;
    let (authorizer, permit) = (&mut *writer.authorizer, writer.permit);
    let records = records::of_denial(authorizer, permit, story.reason, (asked.principal, asked.key))?;
    let narrowed = match (story.reason, asked.key) {
        (Reason::KeyNarrowed, Some(id)) => narrowed(authorizer, permit, asked.permission, id)?,
        _ => None,
    };
    let detail = narrowed.unwrap_or_else(|| detail(story.reason, !near.is_empty()).to_owned());
    Ok(Missing { detail, near, records: records.into_iter().collect(), remedies: Vec::new() })
}

/// Which narrowing of a key it is that leaves this out.
fn narrowed(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    permission: &str,
    id: KeyId,
) -> Result<Option<String>, Failure> {
    let Some(key) = permit.rows().get::<model::Key>(permit.reading().org, &id)? else { return Ok(None) };
    let Some(narrow) = key.narrow else { return Ok(None) };
    if let Some(left) = narrow.permissions.filter(|left| !left.iter().any(|one| one == permission)) {
        return Ok(Some(format!("the key is narrowed to the permissions {}", left.join(", "))));
    }
    let scope = narrow.on.map(|on| scope_words::words(authorizer, &on)).transpose()?;
    Ok(scope.map(|scope| format!("the key is narrowed to {scope}")))
}

fn near_miss(
    writer: &mut PathWriter<'_, '_>,
    asked: &Asked<'_>,
    miss: &views::Missing,
) -> Result<NearMiss, Failure> {
    let words::Path { grant, role, via, matched, records } = writer.path(&miss.path)?;
    let obstacles = obstacles(writer.authorizer, asked, miss, &matched.why)?;
    let why = obstacles.first().map_or(matched.why, |first| first.detail.clone());
    Ok(NearMiss { grant, role, via, lacks: lack(miss), scope: matched.scope, why, obstacles, records })
}

/// All that is in the way: the memberships that are over, then what the grant lacks itself.
fn obstacles(
    authorizer: &mut Authorizer<'_>,
    asked: &Asked<'_>,
    miss: &views::Missing,
    uncovered: &str,
) -> Result<Vec<words::Obstacle>, Failure> {
    let mut found = Vec::new();
    for (place, step) in miss.path.via.iter().enumerate() {
        let Some(expired) = step.membership.expires_at.filter(|until| asked.at >= *until) else { continue };
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
