//! `GET /v1/limits`: what an organization may hold, and what it holds

use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitList {
    /// Every limit.
    pub items: Vec<LimitItem>,
    /// The position at which the use holds.
    pub position: String,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitItem {
    /// Its name, such as `patterns`.
    pub name: String,
    /// What is counted.
    pub counts: String,
    /// How much there may be.
    pub value: u64,
    /// How much there is; of what one thing may have, by the thing that has most. Null for what one command may cost. More
    /// than `value` if it was made before the limit.
    pub used: Option<u64>,
    /// What to do instead of going beyond it.
    pub advice: String,
}
