//! Names of the headers that carry meaning of our own; lower case, as HTTP libraries want them.

/// On writes: the request id under which a repetition is recognised for ever.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// On answers: `true` if the answer repeats that of an earlier request with the same id.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// On writes: why; kept with the record.
pub const REASON: &str = "grantbook-reason";
/// On writes and plans: refuse with `moved` if the organization's head is another position.
pub const IF_POSITION: &str = "grantbook-if-position";
/// On answers: the position at which the answer holds; for a write, that of its record.
pub const POSITION: &str = "grantbook-position";
/// On reads: wait until the node has reached this position; or [`LATEST`].
pub const AT_LEAST: &str = "grantbook-at-least";
/// In the place of a position: every write, by any client, that was acknowledged before the question came; the journal's
/// leader is asked where its head is.
pub const LATEST: &str = "latest";
/// On answers of a node that is set to answer although it is stale: `lag_frames=N,age_ms=N`.
pub const STALE: &str = "grantbook-stale";
/// On reports: how many principals are looked at.
pub const PRINCIPALS: &str = "grantbook-principals";
/// On everything: echoed and logged.
pub const REQUEST_ID: &str = "x-request-id";
/// On requests that a read node passes on: what that node is called. A node that would pass such a request on refuses it.
pub const FORWARDED: &str = "grantbook-forwarded";
