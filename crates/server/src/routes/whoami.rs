//! `GET /v1/whoami`

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    reference::Named,
    whoami::{Whoami, WhoamiKey},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, query, read::Reading},
    routes::names,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Whose key this is.
#[utoipa::path(get, path = "/v1/whoami", tag = "whoami", operation_id = "whoami",
    responses((status = 200, body = Whoami, description = "The caller.")))]
async fn get(reading: Reading, uri: Uri) -> Response {
    reading.answer(|reading| {
        query::require_none(&uri)?;
        let organization = reading.snapshot.organization(reading.org)?;
        let name = organization.map(|organization| organization.name).unwrap_or_default();
        Ok(Whoami {
            principal: names::principal(reading, reading.caller.principal)?,
            key: WhoamiKey { id: reading.caller.key.map(|id| id.to_string()).unwrap_or_default() },
            organization: Named { id: reading.org.to_string(), name },
        })
    })
}
