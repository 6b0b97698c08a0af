//! `/v1/catalog`: which permissions and object types there are

use axum::{http::Uri, response::Response};
use grantbook_api::catalog::{ExtendCatalog, NewObjectType};
use grantbook_domain::{catalog::TypeDefinition, command::Command, rights::Ask};
use serde_json::Value;

use crate::{
    context::{
        ReadContext,
        authz::{Authorizer, Resource},
    },
    http::{body::shape, problem::Failure, query},
    routes::{parse::ParsedWrite, render},
};

pub(crate) fn extend(body: Value) -> Result<ParsedWrite, Failure> {
    let ExtendCatalog { object_types, permissions } = shape(body)?;
    let definition = |NewObjectType { name, parent }| TypeDefinition { name, parent };
    let object_types = object_types.into_iter().map(definition).collect();
    Ok(ParsedWrite::new(Command::ExtendCatalog { object_types, permissions }, "catalog"))
}

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let permit = Authorizer::new(reading)?.require(Ask::Catalog, &Resource::Whole)?;
        let catalog = permit.rows().catalog(reading.org)?;
        Ok(render::catalog(&catalog))
    })
}
