//! `GET /v1/whoami`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    whoami::{Whoami, WhoamiKey},
    words::reference::Named,
};

use crate::{
    http::query,
    read::context::{
        ReadContext,
        authz::{Authorizer, Resource},
    },
    wire::render,
};
use grantbook_domain::{access::rights::Ask, model};

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    reading.respond_at_once(|reading| {
        query::require_none(&uri)?;
        let permit = Authorizer::new(reading)?.require(Ask::WhoAmI, &Resource::Whole)?;
        let key = reading.caller.key.map(|id| permit.rows().get::<model::Key>(reading.org, &id));
        let key = key.transpose()?.flatten();
        let organization = permit.rows().organization(reading.org)?;
        let name = organization.map(|organization| organization.name).unwrap_or_default();
        Ok(Whoami {
            principal: permit.named_principal(reading.caller.principal)?,
            key: WhoamiKey {
                id: reading.caller.key.map(|id| id.to_string()).unwrap_or_default(),
                session: key.and_then(|key| key.session).map(render::session_of),
            },
            organization: Named { id: reading.org.to_string(), name },
        })
    })
}
