//! `GET /v1/who-can`, `GET /v1/accessible`, `GET /v1/permissions`: questions the other way round

use axum::{http::Uri, response::Response};
use grantbook_api::questions::reverse::{
    Accessible, AccessibleQuery, Holder, Permissions, PermissionsQuery, WhoCan, WhoCanQuery,
};
use grantbook_domain::{
    access::{
        check::{Reason, Target},
        rights::Ask,
    },
    principal::{Grantee, Principal},
    refusal::Kind,
    scope::ObjectRef,
};
use grantbook_views::{ListCursor, Page, Part, Reversed, ViewError, Whose};

use crate::{
    http::{problem::Failure, query},
    read::{
        context::{
            ReadContext,
            authz::{Authorizer, Resource},
            paging::{PinnedPage, size},
        },
        questions::{access::known, explain},
    },
    wire::reference::grantee,
};

pub(crate) async fn who_can(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let WhoCanQuery { permission, object, project, limit, cursor, as_of: _ } = query::read(&uri)?;
        let limit = size(limit)?;
        let named = object_named(&object)?;
        let mut authorizer = Authorizer::new(reading)?;
        let home = authorizer.home_meant(self::target(&named, project.as_deref()), &permission)?;
        let target = self::target(&named, home.as_deref().or(project.as_deref()));
        let permit = authorizer.require(Ask::WhoCan, &Resource::Asked(target))?;
        let asked_object = explain::asked_object(permit, target)?;
        let list = format!("who-can\n{permission}\n{object}\n{project:?}");
        let turn = PinnedPage::of(reading, &list, cursor.as_deref())?;
        let mut checker = turn.checker(permit)?;
        let after = turn.after.clone().map(ListCursor::from_bytes);
        let part = Part { after: after.as_ref(), limit };
        let page = told(checker.who_can(&permission, target, Whose::Everybody, part))?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in &page.items {
            let path = checker.shortest_path(listed.thing, &permission, target)?;
            if let Some(path) = path {
                let path = explain::path(&mut authorizer, permit, &path, &asked_object)?;
                items.push(Holder { principal: authorizer.principal(listed.thing)?, path });
            }
        }
        let next = page.next.map(|place| turn.cursor(place.as_bytes()));
        Ok(WhoCan { items, next, position: turn.position(), as_of: None })
    });
    answer.await
}

pub(crate) async fn accessible(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let AccessibleQuery { principal, permission, object_type, limit, cursor, as_of: _ } =
            query::read(&uri)?;
        let limit = size(limit)?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = authorizer.require(Ask::Accessible, &Resource::Whole)?;
        let who = known(permit, &principal)?;
        let list = format!("accessible\n{principal}\n{permission}\n{object_type}");
        let turn = PinnedPage::of(reading, &list, cursor.as_deref())?;
        let after = turn.after.clone().map(ListCursor::from_bytes);
        let part = Part { after: after.as_ref(), limit };
        let page = told(turn.checker(permit)?.accessible(who, &permission, &object_type, part))?;
        let items: Result<_, Failure> =
            page.items.iter().map(|listed| authorizer.object(&listed.thing)).collect();
        let next = page.next.map(|place| turn.cursor(place.as_bytes()));
        Ok(Accessible { items: items?, next, position: turn.position(), as_of: None })
    });
    answer.await
}

pub(crate) async fn permissions(reading: ReadContext, uri: Uri) -> Response {
    reading.respond(|reading| {
        let PermissionsQuery { principal, object, project, as_of: _ } = query::read(&uri)?;
        let named = object_named(&object)?;
        let mut authorizer = Authorizer::new(reading)?;
        let home = authorizer.home_meant(self::target(&named, project.as_deref()), "read")?;
        let target = self::target(&named, home.as_deref().or(project.as_deref()));
        let own = principal_named(&principal) == Some(reading.caller.principal);
        let permit = authorizer.require_unless_own(own, Ask::Permissions, &Resource::Asked(target))?;
        let who = known(permit, &principal)?;
        let asked_object = explain::asked_object(permit, target)?;
        let mut checker = permit.rows().checker(reading.org, reading.at())?;
        let held = match checker.permissions(who, target)? {
            Ok(held) if own => authorizer.cut_to_key(target, held)?,
            Ok(held) => held,
            // Whoever may not ask about others learns of an object only what he may do on it.
            Err(_) if own && !authorizer.may(Ask::Explain, &Resource::Asked(target))? => Vec::new(),
            Err(Reason::InactivePrincipal) => Vec::new(),
            Err(reason) => return Err(unknown(reason)),
        };
        Ok(Permissions {
            principal: authorizer.principal(who)?,
            object: authorizer.object_asked(asked_object, project.as_deref())?,
            permissions: held,
            position: reading.position_text.clone(),
            as_of: None,
        })
    })
}

/// The page; empty for a principal that is not active any more.
fn told<T>(answered: Result<Reversed<Page<T>>, ViewError>) -> Result<Page<T>, Failure> {
    match answered? {
        Ok(page) => Ok(page),
        Err(Reason::InactivePrincipal) => Ok(Page { items: Vec::new(), next: None }),
        Err(reason) => Err(unknown(reason)),
    }
}

/// The answer to a question that names something unknown, for callers who may learn that it is unknown.
fn unknown(reason: Reason) -> Failure {
    match reason {
        Reason::UnknownPermission => Failure::invalid("the catalog has no such permission"),
        Reason::UnknownObjectType => Failure::invalid("the catalog has no such object type"),
        Reason::AmbiguousObject => Failure::ambiguous_object(),
        Reason::ObjectProjectMismatch => Failure::invalid("objects of this type do not lie in a project"),
        Reason::Granted
        | Reason::UnknownKey
        | Reason::KeyRevoked
        | Reason::KeyExpired
        | Reason::KeyMismatch
        | Reason::UnknownPrincipal
        | Reason::InactivePrincipal
        | Reason::UnknownObject
        | Reason::KeyNarrowed
        | Reason::DeniedByGrant
        | Reason::NoGrant => Failure::not_found(Kind::Object),
    }
}

fn object_named(text: &str) -> Result<ObjectRef, Failure> {
    let parts = text.split_once(':').filter(|(object_type, id)| !object_type.is_empty() && !id.is_empty());
    let (object_type, id) = parts.ok_or_else(|| Failure::invalid("the parameter object must be type:ID"))?;
    Ok(ObjectRef::new(object_type, id))
}

fn target<'a>(object: &'a ObjectRef, project: Option<&'a str>) -> Target<'a> {
    Target { object_type: &object.object_type, id: &object.id, project }
}

fn principal_named(text: &str) -> Option<Principal> {
    text.split_once(':').and_then(|(kind, id)| grantee(kind, id)).and_then(Grantee::principal)
}
