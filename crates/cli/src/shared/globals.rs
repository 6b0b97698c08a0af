//! Options of every noun.

use std::convert::Infallible;

use clap::Args;
use grantbook_api::{people::when::Bound, words::secret::Secret};

/// Options of every noun.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The server to talk to.
    #[arg(long, global = true, env = "GRANTBOOK_URL", default_value = "http://127.0.0.1:7878")]
    pub(crate) url: String,
    /// Where writes go, if --url is a read node that does not pass them on. Also `GRANTBOOK_COMMAND_URL`.
    // The variable is read by the session: clap would give it to `serve`, too, whose option of this name is another one.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) command_url: Option<String>,
    /// The key to use; better given in the environment, where other users of the machine do not see it.
    #[arg(long, global = true, env = "GRANTBOOK_KEY", hide_env_values = true, value_parser = secret)]
    pub(crate) key: Option<Secret>,
    /// Print JSON, as the API gives it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Why: kept with the record of a write.
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Show what a write would change, and for whom, without writing anything.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Request id of a write. A repeated command with the same id has no second effect, ever. Write times as instants
    /// (2027-01-01T00:00:00Z), because 90d means a different time on each run.
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) idempotency_key: Option<String>,
    /// For reads: wait until the server has reached this position. `latest`: every write acknowledged so far, by any
    /// client.
    #[arg(long, global = true, value_name = "POSITION|latest", allow_hyphen_values = true)]
    pub(crate) at_least: Option<String>,
    /// Of reads: the answer as it was then, and names as they were: a position, a time (RFC 3339), a date (its last
    /// instant, UTC), or an age such as 30d.
    #[arg(long, global = true, value_name = "POSITION|TIME|DATE|AGE", allow_hyphen_values = true)]
    pub(crate) as_of: Option<Bound>,
}

#[expect(clippy::unnecessary_wraps, reason = "clap wants a parser that could fail")]
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}
