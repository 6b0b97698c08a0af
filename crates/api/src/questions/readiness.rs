//! `GET /readyz` and `GET /healthz`

use serde::{Deserialize, Serialize};

/// Answer of `GET /readyz`, with 200 and with 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// Whether the node answers.
    pub ready: bool,
    /// Why not: `starting`, `behind`, `stale`, `quarantined`, `halted` or `stopped`, with particulars. A node that is
    /// set to answer although it is stale is ready, and says so here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which part of the service it is: `all`, `command` or `read`.
    #[serde(default)]
    pub role: String,
    /// `running`, `stale`, `starting`, `quarantined`, `halted` or `stopped`.
    #[serde(default)]
    pub state: String,
    /// The position that the views have reached; `null` before the first record.
    pub position: Option<String>,
    /// What the views hold at that position, 64 hexadecimal digits: equal on all nodes of one view format, or one of them is
    /// damaged. Left out where there are no views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_digest: Option<String>,
    /// The journal's last position, as far as the node knows.
    pub head: Option<String>,
    /// Frames between the two.
    pub lag_frames: u64,
    /// Records between the two, at least: a frame holds one or more. How many a frame holds is known to whoever has read it.
    #[serde(default)]
    pub lag_records_least: u64,
    /// Records between the two, at most: a frame holds no more than 1,024. 0 if the node has all.
    #[serde(default)]
    pub lag_records_most: u64,
    /// Milliseconds since the node last knew itself to be at the head; `null` if it never was.
    pub age_ms: Option<u64>,
    /// Where this node's view holds something else than another node's, in words: one of them is damaged or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<String>,
    /// What the other nodes of the journal said of themselves last: each does so every 10 s, and is
    /// forgotten after a day. At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerNode>,
    /// How the journal contradicts what this process, or an earlier one with the same data directory, saw of it: then neither
    /// reads nor writes are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_doubt: Option<String>,
    /// Milliseconds since the journal's leader last answered; `null` if it never did.
    #[serde(default)]
    pub last_contact_ms: Option<u64>,
    /// Frames that one replica of the journal did not have, or had damaged, and that another one gave.
    #[serde(default)]
    pub gaps: GapsMet,
    /// Messages in the journal's stream that nobody appended to it, as far as the node has read.
    #[serde(default)]
    pub foreign_messages: ForeignMessages,
    /// Where the node stopped for ever, if it did.
    #[serde(default)]
    pub quarantine: Option<Quarantine>,
    /// Within which bounds it is believed.
    #[serde(default)]
    pub freshness: FreshnessBounds,
    /// The streams for subscribers, if a relay runs here. What ails it does not make the node unready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relay: Vec<RelayLine>,
}

/// What another node said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerNode {
    /// Its id.
    pub node: String,
    /// What its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `starting`, `running`, `quarantined` or `stopped`.
    pub state: String,
    /// The position that its view had reached; `null` before the first record.
    pub position: Option<String>,
    /// Frames between that and the journal's last one, as far as it knew.
    pub lag_frames: u64,
    /// What its view held at the newest position that it told a digest of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_digest: Option<String>,
    /// How many milliseconds ago it said so.
    pub heard_ms: u64,
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

/// What was missing where it should have been, since the process was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GapsMet {
    /// How often.
    pub met: u64,
    /// At which sequences, the last twenty.
    pub sequences: Vec<u64>,
}

/// Messages in the journal's stream that nobody appended to it. They have no effect; somebody who should not can publish to
/// the journal's subjects, by way of a NATS server's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForeignMessages {
    /// How many.
    pub count: u64,
    /// Stream sequence of the last one; 0 if there is none.
    pub last_sequence: u64,
}

/// Something that a node does not take, and behind which it does not go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quarantine {
    /// The last sequence that it took.
    pub sequence: u64,
    /// What it met behind it.
    pub reason: String,
}

/// How stale a node may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FreshnessBounds {
    /// Milliseconds that it may be behind a head that it knows (`--max-lag`).
    pub max_lag_ms: u64,
    /// Milliseconds that it may have no word from the journal's leader (`--max-silence`).
    pub max_silence_ms: u64,
    /// What it does beyond: `refuse` or `mark` (`--when-stale`).
    pub when_stale: String,
}

/// Answer of `GET /healthz`: the process lives, however it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// What `/readyz` says.
    pub node: Readiness,
}
