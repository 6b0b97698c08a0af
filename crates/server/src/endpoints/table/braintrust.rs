//! Calls of a foreign wire: of Braintrust's clients. They are neither in the native description nor in batches; docs/braintrust.md
//! lists them.

use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};

use crate::{
    braintrust::{
        management::{accounts, acls, groups, keys, members, organization, project_groups, roles},
        sdk::{experiments, login, logs, projects, register},
    },
    state::Web,
};

/// A call: its method, its path, and how it is served.
pub(crate) type ForeignCall = (MethodFilter, &'static str, MethodRouter<Arc<Web>>);

pub(crate) fn calls() -> Vec<ForeignCall> {
    [sdk_calls(), account_calls(), right_calls()].into_iter().flatten().collect()
}

fn sdk_calls() -> Vec<ForeignCall> {
    Vec::from([
        get("/braintrust/version", login::version),
        get("/braintrust/v1", login::greet),
        post("/braintrust/api/apikey/login", login::login),
        post("/braintrust/api/project/register", register::project),
        post("/braintrust/api/experiment/register", register::experiment),
        post("/braintrust/api/dataset/register", register::dataset),
        get("/braintrust/api/project", projects::get_by_query),
        post("/braintrust/api/experiment/get", register::experiment_of_name),
        post("/braintrust/api/base_experiment/get_id", register::base_experiment),
        get("/braintrust/experiment-comparison2", register::comparison),
        post("/braintrust/logs3", logs::take),
        get("/braintrust/v1/project", projects::list),
        post("/braintrust/v1/project", projects::create),
        put("/braintrust/v1/project", projects::create),
        get("/braintrust/v1/project/{id}", projects::get),
        patch("/braintrust/v1/project/{id}", projects::update),
        delete("/braintrust/v1/project/{id}", projects::delete),
        get("/braintrust/v1/experiment", experiments::list_experiments),
        post("/braintrust/v1/experiment", experiments::create_experiment),
        get("/braintrust/v1/experiment/{id}/summarize", experiments::summarize),
        get("/braintrust/v1/dataset", experiments::list_datasets),
        post("/braintrust/v1/dataset", experiments::create_dataset),
    ])
}

fn account_calls() -> Vec<ForeignCall> {
    Vec::from([
        get("/braintrust/v1/organization", organization::list),
        get("/braintrust/v1/organization/{id}", organization::get),
        patch("/braintrust/v1/organization/{id}", organization::update),
        patch("/braintrust/v1/organization/members", members::update),
        get("/braintrust/v1/organization/api_keys", keys::list_all_api_keys),
        get("/braintrust/v1/user", accounts::list),
        get("/braintrust/v1/user/{id}", accounts::get),
        get("/braintrust/v1/service_token", keys::list_service_tokens),
        post("/braintrust/v1/service_token", keys::create_service_token),
        put("/braintrust/v1/service_token", keys::replace_service_token),
        delete("/braintrust/v1/service_token", keys::delete_service_token_of_body),
        get("/braintrust/v1/service_token/{id}", keys::get_service_token),
        delete("/braintrust/v1/service_token/{id}", keys::delete_service_token),
        get("/braintrust/v1/api_key", keys::list_api_keys),
        post("/braintrust/v1/api_key", keys::create_api_key),
        get("/braintrust/v1/api_key/{id}", keys::get_api_key),
        delete("/braintrust/v1/api_key/{id}", keys::delete_api_key),
    ])
}

fn right_calls() -> Vec<ForeignCall> {
    Vec::from([
        get("/braintrust/v1/group", groups::list),
        post("/braintrust/v1/group", groups::create),
        put("/braintrust/v1/group", groups::replace),
        get("/braintrust/v1/group/{id}", groups::get),
        patch("/braintrust/v1/group/{id}", groups::update),
        delete("/braintrust/v1/group/{id}", groups::delete),
        get("/braintrust/v1/role", roles::list),
        post("/braintrust/v1/role", roles::create),
        put("/braintrust/v1/role", roles::replace),
        get("/braintrust/v1/role/{id}", roles::get),
        patch("/braintrust/v1/role/{id}", roles::update),
        delete("/braintrust/v1/role/{id}", roles::delete),
        get("/braintrust/v1/acl", acls::list),
        post("/braintrust/v1/acl", acls::create),
        put("/braintrust/v1/acl", acls::replace),
        delete("/braintrust/v1/acl", acls::delete_like),
        get("/braintrust/v1/acl/list_org", acls::list_all),
        post("/braintrust/v1/acl/batch_update", acls::batch),
        post("/braintrust/v1/acl/batch-update", acls::batch),
        get("/braintrust/v1/acl/{id}", acls::get),
        delete("/braintrust/v1/acl/{id}", acls::delete),
        get("/braintrust/v1/project_group", project_groups::list),
        post("/braintrust/v1/project_group", project_groups::create),
        put("/braintrust/v1/project_group", project_groups::create),
        get("/braintrust/v1/project_group/{id}", project_groups::get),
        patch("/braintrust/v1/project_group/{id}", project_groups::update),
        delete("/braintrust/v1/project_group/{id}", project_groups::delete),
    ])
}

fn get<T: 'static, H: Handler<T, Arc<Web>>>(path: &'static str, handler: H) -> ForeignCall {
    call(MethodFilter::GET, path, handler)
}

fn post<T: 'static, H: Handler<T, Arc<Web>>>(path: &'static str, handler: H) -> ForeignCall {
    call(MethodFilter::POST, path, handler)
}

fn put<T: 'static, H: Handler<T, Arc<Web>>>(path: &'static str, handler: H) -> ForeignCall {
    call(MethodFilter::PUT, path, handler)
}

fn patch<T: 'static, H: Handler<T, Arc<Web>>>(path: &'static str, handler: H) -> ForeignCall {
    call(MethodFilter::PATCH, path, handler)
}

fn delete<T: 'static, H: Handler<T, Arc<Web>>>(path: &'static str, handler: H) -> ForeignCall {
    call(MethodFilter::DELETE, path, handler)
}

fn call<T: 'static, H: Handler<T, Arc<Web>>>(
    method: MethodFilter,
    path: &'static str,
    handler: H,
) -> ForeignCall {
    (method, path, on(method, handler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_call() {
        let page = include_str!("../../../../../docs/braintrust.md");
        let names = [
            (MethodFilter::GET, "GET"),
            (MethodFilter::POST, "POST"),
            (MethodFilter::PUT, "PUT"),
            (MethodFilter::PATCH, "PATCH"),
            (MethodFilter::DELETE, "DELETE"),
        ];
        for (method, path, _) in calls() {
            let (_, name) = names.into_iter().find(|(known, _)| *known == method).unwrap();
            let row = format!("`{name} {}`", path.trim_start_matches("/braintrust"));
            assert!(page.contains(&row), "{row}");
        }
    }
}
