//! `POST /v1/batch`: several writes, all or none, as one record.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most commands of one batch.
pub const COMMANDS_MAX: usize = 1000;

/// Body of `POST /v1/batch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Batch {
    /// The writes in order, 1..1000.
    pub commands: Vec<BatchCommand>,
}

/// One write of a batch. In `path` and in texts of `body`, `$0.id` stands for the id made by command 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchCommand {
    /// The method.
    pub method: BatchMethod,
    /// The path, such as `/v1/groups/$0.id/members`.
    pub path: String,
    /// The body, as for the call alone.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The methods that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BatchMethod {
    /// `POST`
    Post,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

/// Answer of `POST /v1/batch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// One for each command, in their order.
    pub results: Vec<BatchResult>,
    /// Position of the one record, or, if nothing changed, of the state that was found.
    pub position: String,
}

/// What one command of a batch did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResult {
    /// The status that the call alone would have had.
    pub status: u16,
    /// Its body.
    pub body: Value,
    /// `true` if the command found everything as it wanted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}
