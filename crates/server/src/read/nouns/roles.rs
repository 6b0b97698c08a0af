//! `/v1/roles`. The built-in ones go by their names too.

use axum::{http::Uri, response::Response};
use grantbook_domain::{access::rights::Ask, id::RoleId, refusal::Kind};
use grantbook_views::Listing;

use crate::{
    http::{path::InPath, problem::Failure, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{
        reference::{builtin, id_in_path},
        render,
    },
};
use grantbook_views::Snapshot;

/// The role of an id or built-in name, as the view knows it.
pub(crate) fn role_seen(authorizer: &Authorizer<'_>, text: &str) -> Result<RoleId, Failure> {
    match builtin(text) {
        None => id_in_path(text, Kind::Role),
        Some(builtin) => {
            let found = authorizer.builtin_role(builtin, text)?;
            found.ok_or_else(|| Failure::not_found(Kind::Role))
        }
    }
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let wanted = PageRequest::named("roles", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.roles(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Role, fetch, |_, role| Ok(render::role(role)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let mut authorizer = Authorizer::new(reading)?;
        let id = role_seen(&authorizer, &id)?;
        let (found, _) = authorizer.find(Ask::Role, &id, Kind::Role)?;
        Ok(render::role(&found))
    });
    answer.await
}
