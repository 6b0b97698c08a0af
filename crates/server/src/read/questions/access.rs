//! `GET /v1/access?principal=token:ID`: everything that a principal may do, and rows of access in words

use std::collections::BTreeSet;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    questions::access::{Access, AccessEntry, AccessLine, AccessQuery, ProjectChoice, TypeChoice},
    words::reference::{Named, NamedObject},
};
use grantbook_domain::{
    access::{lines as domain, rights::Ask},
    id::ProjectId,
    model::{Token, User},
    principal::{Grantee, Principal},
    refusal::Kind,
    scope::ObjectRef,
};
use grantbook_views::{AccessRow, ProjectSet};

use crate::{
    http::{problem::Failure, query},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
        paging::{PageRoom, PinnedPage, size},
    },
    wire::reference::grantee,
};

/// Where a page ends: at a permission by its place in the catalog, before one of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    permission: u16,
    row: u32,
}

impl Place {
    fn packed(self) -> Vec<u8> {
        [&self.permission.to_be_bytes()[..], &self.row.to_be_bytes()[..]].concat()
    }

    fn unpacked(bytes: &[u8]) -> Option<Self> {
        let (permission, row) = bytes.split_first_chunk()?;
        let row = u32::from_be_bytes(row.try_into().ok()?);
        Some(Self { permission: u16::from_be_bytes(*permission), row })
    }
}

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let AccessQuery { principal: named, limit, cursor, as_of: _ } = query::read(&uri)?;
        let limit = size(limit)?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = authorizer.require(Ask::Access, &Resource::Whole)?;
        let principal = known(permit, &named)?;
        let page = PinnedPage::of(reading, &format!("access\n{named}"), cursor.as_deref())?;
        let wrong = || Failure::invalid("the parameter cursor is not one of this list");
        let from = page.after.as_deref().map_or(Some(Place::default()), Place::unpacked).ok_or_else(wrong)?;
        let mut permissions = Vec::new();
        let mut room = PageRoom::of(limit);
        let mut next = None;
        page.checker(permit)?.access_each(principal, usize::from(from.permission), |at, rows| {
            let permission = u16::try_from(at).unwrap_or(u16::MAX);
            let given = if permission == from.permission { from.row } else { 0 };
            for (row, number) in rows.into_iter().zip(0..).filter(|(_, number)| *number >= given) {
                let entry = entry(&mut authorizer, row)?;
                if !room.takes(&entry)? {
                    next = Some(Place { permission, row: number });
                    return Ok(false);
                }
                permissions.push(entry);
            }
            Ok::<_, Failure>(true)
        })?;
        Ok(Access {
            permissions,
            next: next.map(|place| page.cursor(&place.packed())),
            keys_of_concern: authorizer.keys_of_concern(principal)?,
            principal: authorizer.principal(principal)?,
            position: page.position(),
            as_of: None,
        })
    });
    answer.await
}

/// The principal that a parameter names, living or ended.
pub(crate) fn known(permit: Permit<'_>, text: &str) -> Result<Principal, Failure> {
    let named = text.split_once(':').and_then(|(kind, id)| grantee(kind, id));
    let (snapshot, org) = (permit.rows(), &permit.reading().org);
    match named {
        Some(Grantee::User(id)) => {
            let found = snapshot.get::<User>(*org, &id)?;
            found.map(|user| Principal::User(user.id)).ok_or_else(|| Failure::not_found(Kind::User))
        }
        Some(Grantee::Token(id)) => {
            let found = snapshot.get::<Token>(*org, &id)?;
            found.map(|token| Principal::Token(token.id)).ok_or_else(|| Failure::not_found(Kind::Token))
        }
        Some(Grantee::Group(_)) | None => {
            Err(Failure::invalid("the parameter principal must be user:ID or token:ID"))
        }
    }
}

pub(crate) fn entry(authorizer: &mut Authorizer<'_>, row: AccessRow) -> Result<AccessEntry, Failure> {
    let place = place(authorizer, &row)?;
    let AccessRow { permission, types, organization, .. } = row;
    let object_types = TypeChoice::Only(types);
    let AccessPlace { projects, objects, except_objects } = place;
    Ok(AccessEntry { permission, object_types, organization, projects, objects, except_objects })
}

/// A line of a change. `types` is how many there were: all of them are not named one by one.
pub(crate) fn line(
    authorizer: &mut Authorizer<'_>,
    line: &domain::AccessLine<'_>,
    types: usize,
) -> Result<AccessLine, Failure> {
    let AccessPlace { projects, objects, except_objects } = place(authorizer, line.row)?;
    Ok(AccessLine {
        permissions: line.permissions.iter().map(|name| (*name).to_owned()).collect(),
        object_types: type_choice(&line.row.types, types),
        organization: line.row.organization,
        projects,
        objects,
        except_objects,
    })
}

/// These object types, out of so many.
pub(crate) fn type_choice(names: &[String], all: usize) -> TypeChoice {
    if names.len() == all { TypeChoice::AllBut(Vec::new()) } else { TypeChoice::Only(names.to_vec()) }
}

/// Where a row applies, with names.
pub(crate) struct AccessPlace {
    pub(crate) projects: ProjectChoice,
    pub(crate) objects: Vec<NamedObject>,
    pub(crate) except_objects: Vec<NamedObject>,
}

pub(crate) fn place(authorizer: &mut Authorizer<'_>, row: &AccessRow) -> Result<AccessPlace, Failure> {
    Ok(AccessPlace {
        projects: match &row.projects {
            ProjectSet::Only(ids) => ProjectChoice::Only(named_projects(authorizer, ids)?),
            ProjectSet::AllBut(ids) => ProjectChoice::AllBut(named_projects(authorizer, ids)?),
        },
        objects: named_objects(authorizer, &row.objects)?,
        except_objects: named_objects(authorizer, &row.except)?,
    })
}

fn named_projects(authorizer: &mut Authorizer<'_>, ids: &BTreeSet<ProjectId>) -> Result<Vec<Named>, Failure> {
    ids.iter().map(|id| authorizer.project(*id)).collect()
}

fn named_objects(
    authorizer: &mut Authorizer<'_>,
    objects: &BTreeSet<ObjectRef>,
) -> Result<Vec<NamedObject>, Failure> {
    objects.iter().map(|object| authorizer.object(object)).collect()
}
