//! `/v1/users`; their keys are in `keys`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::users::User,
    words::{list::ListQuery, state::State},
};
use grantbook_domain::{
    access::rights::Ask, id::UserId, model, principal::Principal, refusal::Kind, time::Timestamp,
};

use crate::{
    http::{path::InPath, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{reference::id_in_path, render},
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let mut query: ListQuery = query::read(&uri)?;
        query.name = query.name.map(|email| email.to_ascii_lowercase());
        let wanted = PageRequest::named("users", query)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.users(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Members, fetch, |_, user| Ok(shown(user, reading.at())))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: UserId = id_in_path(&id, Kind::User)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (found, _) = authorizer.find(Ask::Members, &id, Kind::User)?;
        let keys_of_concern = authorizer.keys_of_concern(Principal::User(id))?;
        Ok(User { keys_of_concern, ..shown(&found, reading.at()) })
    });
    answer.await
}

fn shown(user: &model::User, at: Timestamp) -> User {
    let state = Some(render::state(State::Inactive, user.ended_at, None, at));
    User { state, ..render::user(user) }
}
