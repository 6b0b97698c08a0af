//! `/v1/objects`: objects whose ids are the callers' own

use axum::{http::Uri, response::Response};
use grantbook_api::{nouns::objects::ObjectQuery, words::list::PageQuery};
use grantbook_domain::access::rights::Ask;

use crate::{
    http::{problem::Failure, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::render,
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let ObjectQuery { object_type, limit, cursor, as_of } = query::read(&uri)?;
        let Some(object_type) = object_type else {
            return Err(Failure::invalid("the parameter type is missing"));
        };
        let wanted =
            PageRequest::plain(format!("objects\n{object_type}"), PageQuery { limit, cursor, as_of })?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.objects(reading.org, &object_type, listing);
        wanted.page_of_each(&mut authorizer, Ask::Object, fetch, |_, object| Ok(render::object(object)))
    });
    answer.await
}
