//! `GET /readyz` and `GET /healthz`

use serde::{Deserialize, Serialize};

/// Answer of `GET /readyz`, with 200 and with 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// Whether the node answers.
    pub ready: bool,
    /// Why not: `starting`, `behind`, `stale`, `quarantined`, `halted` or `stopped`, with particulars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The position that the views have reached; `null` before the first record.
    pub position: Option<String>,
    /// The journal's last position, as far as the node knows.
    pub head: Option<String>,
    /// Frames between the two.
    pub lag_frames: u64,
    /// Milliseconds since the node last knew itself to be at the head; `null` if it never was.
    pub age_ms: Option<u64>,
    /// Where this node's view holds something else than another node's, in words: one of them is damaged or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<String>,
}

/// Answer of `GET /healthz`: the process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always `ok`.
    pub status: String,
}
