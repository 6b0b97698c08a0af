//! `GET /v1/who-can`, `GET /v1/accessible`, `GET /v1/permissions`: questions the other way round

use std::{collections::HashMap, rc::Rc};

use axum::{http::Uri, response::Response};
use grantbook_api::questions::{
    explain::{Path, RecordRef},
    reverse::{
        Accessible, AccessibleQuery, Holder, Permissions, PermissionsQuery, WaysForm, WhoCan, WhoCanQuery,
    },
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
use grantbook_views::{self as views, ListCursor, Listed, Page, Part, Reversed, ViewError, Way, Ways, Whose};

use crate::{
    http::{problem::Failure, query},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::{PageRoom, PinnedPage, size},
        },
        questions::{
            access::known,
            explain::{self, paths::PathWriter},
        },
    },
    wire::reference::grantee,
};

/// How many holders are looked up together.
const FETCH: usize = 64;

pub(crate) async fn who_can(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let WhoCanQuery { permission, object, project, ways, limit, cursor, as_of: _ } = query::read(&uri)?;
        let limit = size(limit)?;
        let named = object_named(&object)?;
        let mut authorizer = Authorizer::new(reading)?;
        let home = authorizer.home_meant(self::target(&named, project.as_deref()), &permission)?;
        let target = self::target(&named, home.as_deref().or(project.as_deref()));
        let permit = authorizer.require(Ask::WhoCan, &Resource::Asked(target))?;
        let list = format!("who-can\n{permission}\n{object}\n{project:?}");
        let turn = PinnedPage::of(reading, &list, cursor.as_deref())?;
        let asked_object = explain::asked_object(permit, target)?;
        let mut writer = HolderWriter {
            paths: PathWriter::new(&mut authorizer, permit, &asked_object),
            permit,
            shares: ways == Some(WaysForm::Shared),
            room: PageRoom::of(limit),
            items: Vec::new(),
            ways: Vec::new(),
            known: HashMap::new(),
        };
        let next = writer.fill(&turn, (&permission, target))?;
        let HolderWriter { items, ways, .. } = writer;
        let next = next.map(|place| turn.cursor(place.as_bytes()));
        Ok(WhoCan { items, ways, next, position: turn.position(), as_of: None })
    });
    answer.await
}

/// Holders of a page, each with its way.
struct HolderWriter<'w, 'r> {
    paths: PathWriter<'w, 'r>,
    permit: Permit<'r>,
    shares: bool,
    room: PageRoom,
    items: Vec<Holder>,
    ways: Vec<Path>,
    /// Where in `ways` is what holders share, by where that is kept.
    known: HashMap<*const views::Path, (Rc<views::Path>, usize)>,
}

impl<'r> HolderWriter<'_, 'r> {
    /// Fills the page; the place of its last item, if there are more.
    fn fill(
        &mut self,
        turn: &PinnedPage<'r>,
        (permission, target): (&str, Target<'_>),
    ) -> Result<Option<ListCursor>, Failure> {
        let mut checker = turn.checker(self.permit)?;
        let mut ways = Ways::default();
        let mut after = turn.after.clone().map(ListCursor::from_bytes);
        loop {
            let part = Part { after: after.as_ref(), limit: self.room.items().min(FETCH) };
            let page = told(checker.who_can(permission, target, Whose::Everybody, part))?;
            let is_short = page.items.is_empty();
            for Listed { thing, cursor } in page.items {
                let Some(way) = checker.shortest_way(&mut ways, thing, (permission, target))? else {
                    continue;
                };
                if !self.takes(thing, &way)? {
                    return Ok(after);
                }
                after = Some(cursor);
            }
            after = page.next;
            if after.is_none() || is_short || self.room.items() == 0 {
                return Ok(after);
            }
        }
    }

    /// Whether a holder fits into the page; then the page has it.
    fn takes(&mut self, principal: Principal, way: &Way) -> Result<bool, Failure> {
        let principal = self.paths.principal(principal)?;
        if !self.shares {
            let path = self.paths.path(&way.whole())?;
            let item = Holder { principal, path: Some(path), way: None, via: None, record: None };
            let fits = self.room.takes(&item)?;
            self.items.extend(fits.then_some(item));
            return Ok(fits);
        }
        let place = self.known.get(&Rc::as_ptr(&way.shared)).map(|(_, place)| *place);
        let new = if place.is_none() { Some(self.paths.path(&way.beyond())?) } else { None };
        let own = way.own.as_ref().map(|step| self.paths.step(step)).transpose()?;
        let (via, record) = own.map_or((None, None), |(via, record)| (Some(via), record));
        let record = record.map(|record| RecordRef { about: "/via".to_owned(), ..record });
        let item = Holder { principal, path: None, way: place.or(Some(self.ways.len())), via, record };
        let fits = self.room.takes(&(&item, &new))?;
        if fits {
            self.items.push(item);
            if let Some(new) = new {
                let kept = (Rc::clone(&way.shared), self.ways.len());
                self.known.insert(Rc::as_ptr(&way.shared), kept);
                self.ways.push(new);
            }
        }
        Ok(fits)
    }
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
        let mut after = turn.after.clone().map(ListCursor::from_bytes);
        let part = Part { after: after.as_ref(), limit };
        let page = told(turn.checker(permit)?.accessible(who, &permission, &object_type, part))?;
        let (mut items, mut room, mut next) = (Vec::new(), PageRoom::of(limit), page.next);
        for Listed { thing, cursor } in page.items {
            let item = authorizer.object(&thing)?;
            if !room.takes(&item)? {
                next = after;
                break;
            }
            items.push(item);
            after = Some(cursor);
        }
        let next = next.map(|place| turn.cursor(place.as_bytes()));
        Ok(Accessible { items, next, position: turn.position(), as_of: None })
    });
    answer.await
}

pub(crate) async fn permissions(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
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
    });
    answer.await
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
