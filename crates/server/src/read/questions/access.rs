//! `GET /v1/access?principal=token:ID`: everything that a principal may do

use std::collections::BTreeSet;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    questions::access::{Access, AccessEntry, AccessQuery, ProjectChoice, TypeChoice},
    words::reference::{Named, NamedObject},
};
use grantbook_domain::{
    access::rights::Ask,
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
    },
    wire::reference::grantee,
};

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let AccessQuery { principal, as_of: _ } = query::read(&uri)?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = authorizer.require(Ask::Access, &Resource::Whole)?;
        let principal = known(permit, &principal)?;
        let effective = permit.rows().access(reading.org, principal, reading.at())?;
        let permissions: Result<_, Failure> =
            effective.rows.into_iter().map(|row| entry(&mut authorizer, row)).collect();
        Ok(Access {
            permissions: permissions?,
            keys_of_concern: authorizer.keys_of_concern(principal)?,
            principal: authorizer.principal(principal)?,
            position: reading.position_text.clone(),
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
    let AccessRow { permission, types, organization, projects, objects, except } = row;
    Ok(AccessEntry {
        permission,
        object_types: TypeChoice::Only(types),
        organization,
        projects: match projects {
            ProjectSet::Only(ids) => ProjectChoice::Only(named_projects(authorizer, &ids)?),
            ProjectSet::AllBut(ids) => ProjectChoice::AllBut(named_projects(authorizer, &ids)?),
        },
        objects: named_objects(authorizer, &objects)?,
        except_objects: named_objects(authorizer, &except)?,
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
