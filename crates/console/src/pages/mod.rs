//! The pages: each part of the console has a file.

mod ask;
mod audit;
mod grants;
mod groups;
mod keys;
mod live;
mod people;
mod principal;
mod projects;
mod roles;
mod settings;
mod sign_in;
mod tokens;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    http::StatusCode,
    routing::{any, get, post},
};

use crate::{
    Console, assets, review,
    shown::form::Fields,
    visit::{Stop, Visit, see},
};

/// All of them.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console", get(|_: Visit| async { see("/console/tokens") }))
        .route("/console/assets/{name}", get(assets::get))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/apply", post(|visit: Visit, form: Fields| review::apply(visit, form)))
        .merge(accounts())
        .merge(rights())
        .merge(questions())
        .route("/console/{*elsewhere}", any(nothing))
        .method_not_allowed_fallback(async || {
            let text = "this page does not take requests of this kind";
            Stop::failed(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        })
}

async fn nothing() -> Stop {
    Stop::failed(StatusCode::NOT_FOUND, "not_found", "there is no such page")
}

fn accounts() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/tokens", get(tokens::list).post(tokens::create))
        .route("/console/tokens/new", get(tokens::new))
        .route("/console/tokens/preview", post(tokens::preview))
        .route("/console/tokens/{id}", get(tokens::show))
        .route("/console/tokens/{id}/keys", post(tokens::issue_key))
        .route("/console/tokens/{id}/join", post(tokens::join))
        .route("/console/tokens/{id}/delete", post(tokens::delete))
        .route("/console/people", get(people::list).post(people::create))
        .route("/console/people/new", get(people::new))
        .route("/console/people/{id}", get(people::show))
        .route("/console/people/{id}/keys", post(people::issue_key))
        .route("/console/people/{id}/join", post(people::join))
        .route("/console/people/{id}/deactivate/review", post(people::deactivate))
        .route("/console/keys/{id}/rotate", post(keys::rotate))
        .route("/console/keys/{id}/revoke", post(keys::revoke))
        .route("/console/sessions/{id}/end", post(keys::end_session))
        .route("/console/settings", get(settings::show))
        .route("/console/settings/keys", post(settings::issue_key))
        .route("/console/settings/catalog", post(settings::extend_catalog))
}

fn rights() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/groups", get(groups::list).post(groups::create))
        .route("/console/groups/new", get(groups::new))
        .route("/console/groups/{id}", get(groups::show))
        .route("/console/groups/{id}/review", post(groups::review_grant))
        .route("/console/groups/{id}/edit", post(groups::edit))
        .route("/console/groups/{id}/members/review", post(groups::review_member))
        .route("/console/groups/{id}/rename", post(groups::rename))
        .route("/console/groups/{id}/delete/review", post(groups::delete))
        .route("/console/roles", get(roles::list))
        .route("/console/roles/new", get(roles::new))
        .route("/console/roles/review", post(roles::review_new))
        .route("/console/roles/{id}", get(roles::show))
        .route("/console/roles/{id}/review", post(roles::review_change))
        .route("/console/roles/{id}/delete/review", post(roles::delete))
        .route("/console/grants", get(grants::list))
        .route("/console/grants/new", get(grants::new))
        .route("/console/grants/review", post(grants::review_new))
        .route("/console/grants/{id}/review", post(grants::revoke))
        .route("/console/grants/{id}/projects", get(grants::projects))
        .route("/console/grants/{id}/covers", get(grants::covers))
        .route("/console/projects", get(projects::list).post(projects::create))
        .route("/console/projects/new", get(projects::new))
        .route("/console/projects/{id}", get(projects::show))
        .route("/console/projects/{id}/review", post(projects::review_change))
        .route("/console/projects/{id}/delete/review", post(projects::delete))
}

fn questions() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/ask", get(ask::show))
        .route("/console/ask/who", get(ask::who))
        .route("/console/ask/compare", get(ask::compare))
        .route("/console/audit", get(audit::list))
        .route("/console/audit/download", get(audit::download))
        .route("/console/audit/{position}", get(audit::record))
        .route("/console/live", get(live::show))
        .route("/console/live/records", get(live::records))
        .route("/console/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/console/webhooks/{id}/switch", post(webhooks::switch))
        .route("/console/webhooks/{id}/test", post(webhooks::test))
        .route("/console/webhooks/{id}/retry", post(webhooks::retry))
        .route("/console/webhooks/{id}/delete", post(webhooks::delete))
}
