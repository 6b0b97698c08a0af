//! `grantbook serve`

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use grantbook_server::config::ServeConfig;
use tracing_subscriber::EnvFilter;

use crate::exit::{Usage, Verdict};

const EXAMPLES: &str = "\
Examples:
  grantbook serve
  grantbook serve --data /var/lib/grantbook --listen 0.0.0.0:7878
  GRANTBOOK_LOG=debug grantbook serve

SIGTERM and SIGINT end it: requests under way are answered, and nothing acknowledged is lost.";

/// Which part of the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Everything in one process.
    All,
    /// The command service alone.
    Command,
    /// A read node alone.
    Read,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Which part of the service.
    #[arg(value_enum, default_value = "all")]
    part: Part,
    #[command(flatten)]
    store: StoreArgs,
    /// Where to listen; port 0 for any free one.
    #[arg(long, env = "GRANTBOOK_LISTEN", default_value = "127.0.0.1:7878", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// For scripts: once ready, write the base URL into this file.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// What to log on stderr, such as `info`, or `warn,grantbook_server=debug`.
    #[arg(long, env = "GRANTBOOK_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

/// Where the journal is.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Directory of the embedded journal and the views.
    #[arg(long, env = "GRANTBOOK_DATA", default_value = "./grantbook-data", value_name = "DIR")]
    data: PathBuf,
    /// Servers of the journal in NATS.
    #[arg(long, env = "GRANTBOOK_NATS_URL", value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
}

impl StoreArgs {
    /// The directory of the embedded journal.
    pub(crate) fn embedded(self) -> Result<PathBuf, Usage> {
        if self.nats.is_empty() {
            return Ok(self.data);
        }
        Err(Usage("--nats comes with the JetStream journal, which this version does not have yet".to_owned()))
    }
}

pub(crate) fn run(args: ServeArgs) -> anyhow::Result<Verdict> {
    let ServeArgs { part, store, listen, ready_file, log } = args;
    if part != Part::All {
        let fault =
            "serving one part alone comes with the JetStream journal, which this version does not have yet";
        return Err(Usage(fault.to_owned()).into());
    }
    let data = store.embedded()?;
    start_logging(&log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(grantbook_server::serve(ServeConfig { data, listen, ready_file }))?;
    Ok(Verdict::Yes)
}

fn start_logging(filter: &str) -> Result<(), Usage> {
    let filter = EnvFilter::try_new(filter).map_err(|fault| Usage(format!("--log: {fault}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
