//! `/v1/groups/{id}/members`

use axum::{http::Uri, response::Response};
use grantbook_api::{nouns::members::Member, words::list::PageQuery};
use grantbook_domain::{access::rights::Ask, id::GroupId, model, refusal::Kind};

use crate::{
    http::{path::InPath, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{names::named_grantee, reference::id_in_path, render},
};

pub(crate) async fn list(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        let query: PageQuery = query::read(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let wanted = PageRequest::plain(format!("members\n{id}"), query)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (_, permit) = authorizer.find::<model::Group>(Ask::Group, &id, Kind::Group)?;
        let show = |membership: &model::Membership| {
            let member = named_grantee(membership.member, authorizer.name_of(membership.member)?);
            Ok(Some(Member { member, ..render::member(membership) }))
        };
        wanted.page(permit, |rows, listing| rows.members_of(reading.org, id, listing), show)
    });
    answer.await
}
