//! `/v1/catalog`: which permissions and object types there are

use axum::{http::Uri, response::Response};
use grantbook_domain::access::rights::Ask;

use crate::{
    http::query,
    read::context::{
        ReadContext,
        authz::{Authorizer, Resource},
    },
    wire::render,
};

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let permit = Authorizer::new(reading)?.require(Ask::Catalog, &Resource::Whole)?;
        let catalog = permit.rows().catalog(reading.org)?;
        Ok(render::catalog(&catalog))
    });
    answer.await
}
