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
    /// The streams for subscribers, if a relay runs here. What ails it does not make the node unready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relay: Vec<RelayLine>,
}

/// How the relay of one stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelayLine {
    /// The stream's name.
    pub stream: String,
    /// `ready`: it will publish as soon as there is something; `active`: it publishes; `standby`: another relay does;
    /// `waiting`: brokers or view are away; `stopped`; `broken`: it met something that must not be.
    pub state: String,
    /// Why, if it is waiting or broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything up to this position is known to be in the stream; `null` before the first record.
    pub position: Option<String>,
    /// Frames of the journal behind that.
    pub lag_frames: u64,
}

/// Answer of `GET /healthz`: the process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always `ok`.
    pub status: String,
}
