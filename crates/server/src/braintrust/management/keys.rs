//! Keys: a service token on this wire is a key of a service account, an API key one of a user.

use axum::{http::Method, response::Response};
use grantbook_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, required, set, string_of},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::{
        accounts::{Kind, email},
        lost::{self, Whose},
    },
    native::{Native, encoded, write},
    page::{newest_first, page},
};

/// A key of a service account as this wire has it, with its secret where it was just issued.
fn service_token(key: &Value, account: &Value, organization: &str) -> Value {
    let mut shown = shown(key, organization);
    set(&mut shown, "service_account_id", id_of(account));
    set(&mut shown, "service_account_email", email(account));
    set(&mut shown, "service_account_name", string_of(account, "name"));
    shown
}

/// A key of a user as this wire has it.
fn api_key(key: &Value, user: &Value, organization: &str) -> Value {
    let mut shown = shown(key, organization);
    set(&mut shown, "user_id", id_of(user));
    set(&mut shown, "user_email", email(user));
    set(&mut shown, "user_given_name", user.get("name").cloned().unwrap_or_default());
    set(&mut shown, "user_family_name", Value::Null);
    shown
}

fn shown(key: &Value, organization: &str) -> Value {
    let member = |name: &str| key.get(name).cloned().unwrap_or_default();
    let mut shown = json!({
        "id": member("id"), "name": string_of(key, "name"), "preview_name": member("preview"), "org_id": organization,
        "created": member("created_at"), "expires_at": member("expires_at"),
    });
    if let Some(secret) = key.get("secret") {
        set(&mut shown, "key", secret.clone());
    }
    shown
}

/// The keys of accounts, each with its account, newest first. Keys that the caller may not list are left out.
async fn of_accounts(
    native: &Native,
    kind: Kind,
    accounts: Vec<Value>,
) -> Result<Vec<(Value, Value)>, Denial> {
    let mut keys = Vec::new();
    for account in accounts {
        let path = format!("{}/keys", kind.path(id_of(&account)));
        match native.list(&path).await {
            Ok(found) => keys.extend(found.into_iter().map(|key| (key, account.clone()))),
            Err(denial) if denial.is_forbidden() => {}
            Err(denial) => return Err(denial),
        }
    }
    Ok(keys)
}

/// A living key by its id, with its account.
async fn find(native: &Native, id: &str, kind: Kind) -> Result<(Value, Value), Denial> {
    let key = native.get(&format!("/v1/keys/{}", encoded(id))).await?;
    let principal = key.get("principal").cloned().unwrap_or_default();
    if string_of(&principal, "type") != kind.word() {
        return Err(Denial::forbidden());
    }
    let account = native.get(&kind.path(id_of(&principal))).await?;
    Ok((key, account))
}

/// `POST /v1/service_token`: a new key.
pub(crate) async fn create_service_token(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.text("org_name")?)?;
        let path = Kind::Token.path(call.required("service_account_id")?);
        let account = call.native.get(&path).await?;
        let key = issued(&call, (&path, Whose::Anothers)).await?;
        Ok(service_token(&key, &account, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// A new key of an account, in place of the one whose answer was lost, if the caller may revoke it.
async fn issued(call: &Call, (account, whose): (&str, Whose)) -> Result<Value, Denial> {
    let name = call.required("name")?;
    let (mut revision, mut replaces) = (call.native.revision(), true);
    loop {
        let lost = if replaces { lost::key(call, (account, whose), (name, false)).await? } else { None };
        replaces = lost.is_some();
        let end = |id: String| write("DELETE", format!("/v1/keys/{}", encoded(&id)), Value::Null);
        let mut commands = Vec::from_iter(lost.map(end));
        commands.push(write("POST", format!("{account}/keys"), json!({"name": name})));
        match revision.carried_out(commands).await {
            Ok(Some(mut done)) => break Ok(done.pop().unwrap_or_default()),
            Ok(None) => replaces = true,
            Err(denial) if denial.is_forbidden() && replaces => replaces = false,
            Err(denial) => break Err(denial),
        }
    }
}

/// `PUT /v1/service_token`: a new key in place of those of this name, which end at once.
pub(crate) async fn replace_service_token(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.text("org_name")?)?;
        let path = Kind::Token.path(call.required("service_account_id")?);
        let name = call.required("name")?;
        let account = call.native.get(&path).await?;
        let mut revision = call.native.revision();
        let key = loop {
            let mut commands = Vec::new();
            let keys = call.native.list(&format!("{path}/keys")).await?;
            for old in keys.iter().filter(|key| string_of(key, "name") == name) {
                let is_more = |member: &str| old.get(member).is_some_and(|value| !value.is_null());
                if is_more("expires_at") || is_more("narrow") {
                    let text = "the key ends or is narrowed, which these calls cannot name and would drop: use POST /v1/keys";
                    return Err(Denial::conflict(format!("{text}/{}/rotate of the native API", id_of(old))));
                }
                commands.push(write("DELETE", format!("/v1/keys/{}", encoded(id_of(old))), Value::Null));
            }
            commands.push(write("POST", format!("{path}/keys"), json!({"name": name})));
            if let Some(mut done) = revision.carried_out(commands).await? {
                break done.pop().unwrap_or_default();
            }
        };
        Ok(service_token(&key, &account, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/service_token/{id}`
pub(crate) async fn get_service_token(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let (key, account) = find(&call.native, call.at(0), Kind::Token).await?;
        Ok(service_token(&key, &account, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/service_token/{id}`
pub(crate) async fn delete_service_token(call: Call) -> Response {
    let outcome = async { ended_service_token(&call, call.at(0)).await };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/service_token`, with the id in the body.
pub(crate) async fn delete_service_token_of_body(call: Call) -> Response {
    let outcome = async { ended_service_token(&call, required(&call.body, "id")?).await };
    answered(&call.native, outcome.await)
}

async fn ended_service_token(call: &Call, id: &str) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let (key, account) = find(&call.native, id, Kind::Token).await?;
    revoke(&call.native, id).await?;
    Ok(service_token(&key, &account, &organization.id))
}

async fn revoke(native: &Native, id: &str) -> Result<Value, Denial> {
    native.command(Method::DELETE, &format!("/v1/keys/{}", encoded(id)), &Value::Null).await
}

/// `GET /v1/service_token`
pub(crate) async fn list_service_tokens(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.parameter("org_name"))?;
        let accounts = call.native.list("/v1/tokens").await?;
        let keys = of_accounts(&call.native, Kind::Token, accounts).await?;
        let mut shown: Vec<Value> =
            keys.iter().map(|(key, account)| service_token(key, account, &organization.id)).collect();
        newest_first(&mut shown, "created");
        if let Some(name) = call.parameter("service_token_name") {
            shown.retain(|one| string_of(one, "name") == name);
        }
        page(&call, shown)
    };
    answered(&call.native, outcome.await)
}

/// `POST /v1/api_key`: a new key of the user that calls. Service tokens make none.
pub(crate) async fn create_api_key(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.text("org_name")?)?;
        let user = organization.user.as_deref().ok_or_else(Denial::forbidden)?;
        let path = Kind::User.path(user);
        let account = call.native.get(&path).await?;
        let key = issued(&call, (&path, Whose::Callers)).await?;
        Ok(api_key(&key, &account, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/api_key/{id}`
pub(crate) async fn get_api_key(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let (key, user) = find(&call.native, call.at(0), Kind::User).await?;
        Ok(api_key(&key, &user, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/api_key/{id}`
pub(crate) async fn delete_api_key(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let (key, user) = find(&call.native, call.at(0), Kind::User).await?;
        revoke(&call.native, call.at(0)).await?;
        Ok(api_key(&key, &user, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/api_key`: the caller's own, whatever else it may see.
pub(crate) async fn list_api_keys(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.parameter("org_name"))?;
        let own = match &organization.user {
            Some(id) => vec![call.native.get(&Kind::User.path(id)).await?],
            None => Vec::new(),
        };
        page(&call, api_keys(&call, own, &organization.id).await?)
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/organization/api_keys`: those of all users that the caller may list.
pub(crate) async fn list_all_api_keys(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(call.parameter("org_id"), call.parameter("org_name"))?;
        let instant = |name: &str| match call.parameter(name) {
            None => Ok(None),
            Some(text) => Timestamp::parse_rfc3339(text)
                .map(Some)
                .ok_or_else(|| Denial::invalid(format!("{name} must be a time (RFC 3339)"))),
        };
        let (after, before) = (instant("created_after")?, instant("created_before")?);
        let users = call.native.list("/v1/users").await?;
        let mut keys = api_keys(&call, users, &organization.id).await?;
        let created = |key: &Value| Timestamp::parse_rfc3339(string_of(key, "created"));
        keys.retain(|key| after.is_none_or(|after| created(key) > Some(after)));
        keys.retain(|key| before.is_none_or(|before| created(key) < Some(before)));
        page(&call, keys)
    };
    answered(&call.native, outcome.await)
}

async fn api_keys(call: &Call, users: Vec<Value>, organization: &str) -> Result<Vec<Value>, Denial> {
    let keys = of_accounts(&call.native, Kind::User, users).await?;
    let mut shown: Vec<Value> = keys.iter().map(|(key, user)| api_key(key, user, organization)).collect();
    newest_first(&mut shown, "created");
    if let Some(name) = call.parameter("api_key_name") {
        shown.retain(|one| string_of(one, "name") == name);
    }
    Ok(shown)
}
