//! `GET /v1/who-can`, `GET /v1/accessible`, `GET /v1/permissions`: questions the other way round

use axum::{http::Uri, response::Response};
use grantbook_api::reverse::{
    Accessible, AccessibleQuery, Holder, Permissions, PermissionsQuery, WhoCan, WhoCanQuery,
};
use grantbook_domain::{
    access::{Reason, Target},
    principal::{Grantee, Principal},
    refusal::Kind,
    rights::Ask,
    scope::ObjectRef,
};
use grantbook_views::{ListCursor, Page, Part, Reversed, ViewError, Whose};

use crate::{
    http::{problem::Failure, query, read::Reading},
    routes::{
        access::known,
        explain,
        lists::size,
        parse::grantee,
        sight::{Sight, Thing},
        turns::Turn,
    },
};

pub(crate) async fn who_can(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let WhoCanQuery { permission, object, project, limit, cursor, as_of: _ } = query::read(&uri)?;
        let limit = size(limit)?;
        let named = object_named(&object)?;
        let mut sight = Sight::new(reading)?;
        let home = sight.home_meant(self::target(&named, project.as_deref()), &permission)?;
        let target = self::target(&named, home.as_deref().or(project.as_deref()));
        sight.require(Ask::WhoCan, &Thing::Asked(target))?;
        let asked_object = explain::asked_object(&sight, target)?;
        let list = format!("who-can\n{permission}\n{object}\n{project:?}");
        let turn = Turn::of(reading, &list, cursor.as_deref())?;
        let mut checker = turn.checker(reading)?;
        let after = turn.after.clone().map(ListCursor::from_bytes);
        let part = Part { after: after.as_ref(), limit };
        let page = told(checker.who_can(&permission, target, Whose::Everybody, part))?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in &page.items {
            let path = checker.shortest_path(listed.thing, &permission, target)?;
            if let Some(path) = path {
                let path = explain::path(&mut sight, &path, &asked_object)?;
                items.push(Holder { principal: sight.principal(listed.thing)?, path });
            }
        }
        let next = page.next.map(|place| turn.cursor(reading, place.as_bytes()));
        Ok(WhoCan { items, next, position: turn.position(reading), as_of: None })
    });
    answer.await
}

pub(crate) async fn accessible(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let AccessibleQuery { principal, permission, object_type, limit, cursor, as_of: _ } =
            query::read(&uri)?;
        let limit = size(limit)?;
        let mut sight = Sight::new(reading)?;
        sight.require(Ask::Accessible, &Thing::Whole)?;
        let who = known(reading, &principal)?;
        let list = format!("accessible\n{principal}\n{permission}\n{object_type}");
        let turn = Turn::of(reading, &list, cursor.as_deref())?;
        let after = turn.after.clone().map(ListCursor::from_bytes);
        let part = Part { after: after.as_ref(), limit };
        let page = told(turn.checker(reading)?.accessible(who, &permission, &object_type, part))?;
        let items: Result<_, Failure> = page.items.iter().map(|listed| sight.object(&listed.thing)).collect();
        let next = page.next.map(|place| turn.cursor(reading, place.as_bytes()));
        Ok(Accessible { items: items?, next, position: turn.position(reading), as_of: None })
    });
    answer.await
}

pub(crate) async fn permissions(reading: Reading, uri: Uri) -> Response {
    reading.answer(|reading| {
        let PermissionsQuery { principal, object, project, as_of: _ } = query::read(&uri)?;
        let named = object_named(&object)?;
        let mut sight = Sight::new(reading)?;
        let home = sight.home_meant(self::target(&named, project.as_deref()), "read")?;
        let target = self::target(&named, home.as_deref().or(project.as_deref()));
        let own = principal_named(&principal) == Some(reading.caller.principal);
        if !own {
            sight.require(Ask::Permissions, &Thing::Asked(target))?;
        }
        let who = known(reading, &principal)?;
        let asked_object = explain::asked_object(&sight, target)?;
        let mut checker = reading.snapshot.checker(reading.org, reading.at)?;
        let held = match checker.permissions(who, target)? {
            Ok(held) if own => sight.cut_to_key(target, held)?,
            Ok(held) => held,
            // Whoever may not ask about others learns of an object only what he may do on it.
            Err(_) if own && !sight.may(Ask::Explain, &Thing::Asked(target))? => Vec::new(),
            Err(Reason::InactivePrincipal) => Vec::new(),
            Err(reason) => return Err(unknown(reason)),
        };
        Ok(Permissions {
            principal: sight.principal(who)?,
            object: sight.object_asked(asked_object, project.as_deref())?,
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

/// What is said of a question that names what there is not, to whoever may know.
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
