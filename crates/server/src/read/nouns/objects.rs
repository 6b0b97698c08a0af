//! `/v1/objects`: objects whose ids the callers choose, or Grantbook does

use axum::{http::Uri, response::Response};
use grantbook_api::{nouns::objects::ObjectQuery, words::list::PageQuery};
use grantbook_domain::access::rights::Ask;

use crate::{
    http::{problem::Failure, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::render,
};
use grantbook_views::{Listing, ObjectFilter, Snapshot};

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let ObjectQuery { object_type, name, project, limit, cursor, as_of } = query::read(&uri)?;
        let Some(object_type) = object_type else {
            return Err(Failure::invalid("the parameter type is missing"));
        };
        let filters = format!("objects\n{object_type:?}\n{name:?}\n{project:?}");
        let wanted = PageRequest::plain(filters, PageQuery { limit, cursor, as_of })?;
        let wrong = |_| Failure::invalid("the parameter project must be an id");
        let project = project.map(|project| project.parse().map_err(wrong)).transpose()?;
        let filter = ObjectFilter { object_type: &object_type, project, name: name.as_deref() };
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.objects(reading.org, &filter, listing);
        wanted.page_of_each(&mut authorizer, Ask::Object, fetch, |_, object| Ok(render::object(object)))
    });
    answer.await
}
