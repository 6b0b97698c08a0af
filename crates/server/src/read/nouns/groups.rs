//! `/v1/groups`; their members are in `members`

use axum::{http::Uri, response::Response};
use grantbook_domain::{access::rights::Ask, id::GroupId, model, refusal::Kind};

use crate::{
    http::{path::InPath, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{reference::id_in_path, render},
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let wanted = PageRequest::named("groups", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.groups(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Group, fetch, |_, group| Ok(render::group(group)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let (found, _) = Authorizer::new(reading)?.find::<model::Group>(Ask::Group, &id, Kind::Group)?;
        Ok(render::group(&found))
    });
    answer.await
}
