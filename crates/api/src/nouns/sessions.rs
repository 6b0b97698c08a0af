//! `/v1/sessions`: short-lived keys that a user starts with a key of its own, for a browser to hold.

use serde::{Deserialize, Serialize};

use crate::words::{patch::Change, reference::NamedPrincipal, secret::Secret};

/// Body of `POST /v1/sessions`: nothing. The session can do what the key can that is presented, for twelve hours at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartSession {}

/// Query of `GET /v1/sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct SessionQuery {
    /// Id of the user whose they are; the caller if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A session. Its secret is in exactly one answer: the first one to the request that started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose.
    pub principal: NamedPrincipal,
    /// The beginning of its text: enough to recognise it, useless to use it.
    pub preview: String,
    /// The session's key when it was started; `null` in the repeated answer; absent everywhere else.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: Change<Secret>,
    /// `true` in a repeated answer: the secret is not given again; end this session and start another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret_withheld: bool,
    /// Id of the key that it was started with, and with which it ends.
    pub parent: Option<String>,
    /// When its holder signed in. For 15 minutes from then on it may issue keys, delegate and delete.
    pub signed_in_at: String,
    /// Active before this instant.
    pub expires_at: String,
    /// When it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}
