//! Users: people and service accounts, which are one kind of thing on this wire.

use axum::response::Response;
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, string_of},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    native::{Native, encoded},
    page::{newest_first, page},
};

/// Where the addresses of service accounts are, which have none (RFC 2606, section 2).
const NO_MAIL: &str = "@service.invalid";

/// What an account is in the native API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Token,
}

impl Kind {
    /// As references have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
        }
    }

    /// Where it is in the native API.
    pub(crate) fn path(self, id: &str) -> String {
        let list = match self {
            Self::User => "users",
            Self::Token => "tokens",
        };
        format!("/v1/{list}/{}", encoded(id))
    }
}

/// The native account of an id that the caller may see.
pub(crate) async fn find(native: &Native, id: &str) -> Result<(Kind, Value), Denial> {
    match native.get(&Kind::Token.path(id)).await {
        Ok(token) => Ok((Kind::Token, token)),
        Err(denial) if denial.is_forbidden() => Ok((Kind::User, native.get(&Kind::User.path(id)).await?)),
        Err(denial) => Err(denial),
    }
}

/// The account of an address: a person's, or the one that a service account is shown with.
pub(crate) async fn of_email(native: &Native, email: &str) -> Result<Option<(Kind, Value)>, Denial> {
    match email.strip_suffix(NO_MAIL) {
        Some(id) => match native.get(&Kind::Token.path(id)).await {
            Ok(token) => Ok(Some((Kind::Token, token))),
            Err(denial) if denial.is_forbidden() => Ok(None),
            Err(denial) => Err(denial),
        },
        None => Ok(native.named("/v1/users", email).await?.map(|user| (Kind::User, user))),
    }
}

/// The address that an account is shown with.
pub(crate) fn email(account: &Value) -> String {
    match account.get("email").and_then(Value::as_str) {
        Some(email) => email.to_owned(),
        None => format!("{}{NO_MAIL}", id_of(account)),
    }
}

/// An account as this wire has it. Names are not taken apart: no rule tells which part of a person's name is the given one.
fn user(account: &Value) -> Value {
    let member = |name: &str| account.get(name).cloned().unwrap_or_default();
    json!({
        "id": member("id"), "given_name": member("name"), "family_name": null, "email": email(account),
        "avatar_url": null, "created": member("created_at"),
    })
}

/// `GET /v1/user`
pub(crate) async fn list(call: Call) -> Response {
    answered(&call.native, listed(&call).await)
}

async fn listed(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.parameter("org_name"))?;
    let mut accounts = call.native.list("/v1/users").await?;
    accounts.extend(call.native.list("/v1/tokens").await?);
    newest_first(&mut accounts, "created_at");
    let mut users: Vec<Value> = accounts.iter().map(user).collect();
    for member in ["email", "given_name", "family_name"] {
        let wanted = call.parameters(member);
        let is_one =
            |user: &Value| wanted.iter().any(|one| one.eq_ignore_ascii_case(string_of(user, member)));
        users.retain(|user| wanted.is_empty() || is_one(user));
    }
    page(call, users)
}

/// `GET /v1/user/{id}`
pub(crate) async fn get(call: Call) -> Response {
    let outcome = async { Ok(user(&find(&call.native, call.at(0)).await?.1)) };
    answered(&call.native, outcome.await)
}
