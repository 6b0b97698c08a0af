//! `/v1/catalog`: which permissions and object types there are

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    catalog::{Catalog, ExtendCatalog, NewObjectType},
    list::AsOfQuery,
};
use grantbook_domain::{catalog::TypeDefinition, command::Command, rights::Ask};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, body::shape, problem::Failure, query, read::Reading, write::Write},
    routes::{
        plan::Plan,
        render,
        sight::{Sight, Thing},
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(get, post))
}

pub(super) fn extend(body: Value) -> Result<Plan, Failure> {
    let ExtendCatalog { object_types, permissions } = shape(body)?;
    let definition = |NewObjectType { name, parent }| TypeDefinition { name, parent };
    let object_types = object_types.into_iter().map(definition).collect();
    Ok(Plan::new(Command::ExtendCatalog { object_types, permissions }, "catalog"))
}

/// The whole catalog, in the order in which it grew.
#[utoipa::path(get, path = "/v1/catalog", tag = "catalog", operation_id = "get_catalog",
    params(AsOfQuery), responses((status = 200, body = Catalog, description = "As it is.")))]
async fn get(reading: Reading, uri: Uri) -> Response {
    reading.answer(|reading| {
        query::require_no_other(&uri)?;
        Sight::new(reading)?.require(Ask::Catalog, &Thing::Whole)?;
        let catalog = reading.snapshot.catalog(reading.org)?;
        Ok(render::catalog(&catalog))
    })
}

/// Adds names, which are never removed.
#[utoipa::path(post, path = "/v1/catalog", tag = "catalog", operation_id = "extend_catalog",
    request_body = ExtendCatalog,
    responses((status = 201, body = Catalog, description = "What was added."), (status = 200, body = Catalog, description = "All were there; the whole catalog.")))]
async fn post(write: Write) -> Response {
    write.run().await
}
