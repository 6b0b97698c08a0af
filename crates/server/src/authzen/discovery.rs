//! `GET /.well-known/authzen-configuration`: URLs from the configuration, never from a request.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use grantbook_api::authzen::PdpConfiguration;

use crate::{
    http::{problem::Failure, respond::json},
    state::Web,
    wire::public_url::PublicUrl,
};

/// Where the description of a service without a path in its URL is.
const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

pub(crate) async fn configuration(State(web): State<Arc<Web>>, uri: Uri) -> Result<Response, Failure> {
    web.node()?;
    let Some(url) = &web.app.public_url else {
        return Err(Failure::undescribed(
            "this server does not know its public URL: start it with --public-url or GRANTBOOK_PUBLIC_URL",
        ));
    };
    if uri.path() != format!("{WELL_KNOWN}{}", url.path()) {
        return Err(Failure::undescribed("the public URL of this server has another path"));
    }
    json(StatusCode::OK, &described(url))
}

fn described(url: &PublicUrl) -> PdpConfiguration {
    let at = |path: &str| format!("{url}/access/v1/{path}");
    PdpConfiguration {
        policy_decision_point: url.to_string(),
        access_evaluation_endpoint: at("evaluation"),
        access_evaluations_endpoint: at("evaluations"),
        search_subject_endpoint: at("search/subject"),
        search_resource_endpoint: at("search/resource"),
        search_action_endpoint: at("search/action"),
    }
}
