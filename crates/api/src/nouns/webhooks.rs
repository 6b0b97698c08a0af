//! `/v1/webhooks`: where messages about events and changes of access are sent, and how their delivery goes.

use serde::{Deserialize, Serialize};

use crate::words::{patch::Change, secret::Secret};

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MessageKind {
    /// An event of a record.
    Record,
    /// A change of effective access that a record caused.
    Change,
}

/// Body of `POST /v1/webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateWebhook {
    /// `https://host[:port][/path][?query]`; kept for ever, so no place for secrets.
    pub url: String,
    /// Only messages of these names, such as `KeyRevoked` or `AccessLost`; all if absent or empty.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub events: Option<Vec<String>>,
    /// Only messages of these kinds; both if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub kinds: Option<Vec<MessageKind>>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether messages are sent; they are if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub enabled: Option<bool>,
}

/// Body of `PATCH /v1/webhooks/{id}`. Lists replace the old ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateWebhook {
    /// New URL.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub url: Option<String>,
    /// New names; all if empty.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub events: Option<Vec<String>>,
    /// New kinds.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub kinds: Option<Vec<MessageKind>>,
    /// New description; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Change<String>,
    /// Whether messages are sent; those of the time between are sent once it is enabled again.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub enabled: Option<bool>,
}

/// Body of `POST /v1/webhooks/{id}/rotate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateWebhook {
    /// How long messages are signed with the former secret too, in seconds.
    #[serde(default = "crate::nouns::keys::an_hour")]
    #[cfg_attr(feature = "openapi", schema(default = 3600))]
    pub grace_seconds: u64,
}

/// A webhook. Its secret is in exactly one answer: the first one to the request that made or rotated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where messages are sent.
    pub url: String,
    /// Only messages of these names; all if empty.
    pub events: Vec<String>,
    /// Only messages of these kinds.
    pub kinds: Vec<MessageKind>,
    /// What for.
    pub description: Option<String>,
    /// Whether messages are sent.
    pub enabled: bool,
    /// The signing secret (`whsec_...`) when made or rotated; `null` in the repeated answer; absent everywhere else.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: Change<Secret>,
    /// `true` in a repeated answer: the secret is not given again; rotate it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret_withheld: bool,
    /// How many secrets it has had.
    pub secret_generation: u32,
    /// Until when messages are signed with the former secret too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_valid_until: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// How delivery goes; only from a node that delivers, and only of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

/// What a webhook's delivery is doing, on the node that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeliveryState {
    /// Everything so far was sent, or is being sent.
    Delivering,
    /// The last attempt failed; another one follows.
    Failing,
    /// The webhook is not enabled.
    Disabled,
    /// The receiver answered 410: nothing is sent until the URL changes or a replay is asked for.
    Gone,
    /// The webhook's secret is derived from another key than this node has: rotate it, or start the node with that key.
    WrongKey,
}

/// How a webhook's delivery goes, on the node that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// What it is doing.
    pub state: DeliveryState,
    /// Every message of records up to this position was accepted, is in the list of dead letters, or was not wanted.
    pub delivered_to: String,
    /// Since when the message in turn has failed.
    pub failing_since: Option<String>,
    /// How often the message in turn was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub next_attempt_at: Option<String>,
    /// How the last attempt went.
    pub last_attempt: Option<Attempt>,
    /// How many dead letters there are.
    pub dead_letters: u64,
}

/// How one attempt to send a message went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// When.
    pub at: String,
    /// Whether the receiver accepted it (2xx).
    pub delivered: bool,
    /// The status of its answer; none if there was no answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadLetter {
    /// The message's id, as in its header `webhook-id`.
    pub id: String,
    /// Its name, such as `GrantCreated`.
    #[serde(rename = "type")]
    pub name: String,
    /// The record that it is about.
    pub position: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How the last attempt went.
    pub last_attempt: Attempt,
}

/// Body of `POST /v1/webhooks/{id}/replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayWebhook {
    /// Messages of records after this position are sent, again or for the first time. `start`: all there ever were;
    /// `now`: only those to come.
    pub from: String,
}
