//! `grantbook serve`

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use grantbook_api::people::when::{Every, Span};

use crate::{
    operator::snapshots::SnapshotArgs,
    shared::{
        exit::{Usage, Verdict},
        store::StoreArgs,
    },
};
use clap::{Args, ValueEnum};
use grantbook_server::{
    app::config::{BaseUrl, ConfigError, DataPlaneOptions, Limit, Limits, Network, Role, ServeConfig},
    node::read::{Freshness, WhenStale},
    state::WatchLimits,
    subscribe::webhooks::{Allowed, Schedule, WebhookOptions},
    wire::public_url::PublicUrl,
};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

const EXAMPLES: &str = "\
Examples:
  grantbook serve
  grantbook serve --data /var/lib/grantbook --listen 0.0.0.0:7878
  GRANTBOOK_LOG=debug grantbook serve
  grantbook serve command --nats nats://a:4222,nats://b:4222 --listen 0.0.0.0:7878
  grantbook serve read    --nats nats://a:4222,nats://b:4222 --data /var/lib/grantbook --listen 0.0.0.0:7879

SIGTERM and SIGINT end it: requests under way are answered, and nothing acknowledged is lost.";

/// Which part of the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Everything in one process.
    All,
    /// The command service alone: takes writes, answers no reads. Any number of them, over NATS.
    Command,
    /// A read node alone: answers reads, takes no writes. Any number of them, over NATS.
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
    /// The URL under which clients reach the server, such as `https://pdp.example.com`: its AuthZEN configuration tells it.
    #[arg(long, env = "GRANTBOOK_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Publish every event, and every change of access, into streams of NATS for subscribers; several processes may have
    /// this, one at a time publishes. Needs `grantbook nats prepare`.
    #[arg(long, env = "GRANTBOOK_RELAY")]
    relay: bool,
    #[command(flatten)]
    address: AddressArgs,
    #[command(flatten)]
    views: ViewArgs,
    #[command(flatten)]
    freshness: FreshnessArgs,
    #[command(flatten)]
    webhooks: WebhookArgs,
    /// How many streams of `GET /v1/watch` there may be at once.
    #[arg(long, env = "GRANTBOOK_WATCHERS", default_value_t = WatchLimits::default().all, value_name = "NUMBER")]
    watchers: usize,
    /// How many of them one user or service token may have.
    #[arg(long, env = "GRANTBOOK_WATCHERS_EACH", default_value_t = WatchLimits::default().each, value_name = "NUMBER")]
    watchers_each: usize,
    /// Another figure for a limit of an organization, such as `patterns=10000`; `GET /v1/limits` names them.
    #[arg(long = "limit", env = "GRANTBOOK_LIMITS", value_name = "NAME=NUMBER", value_delimiter = ',', value_parser = limit)]
    limits: Vec<(Limit, u64)>,
    #[command(flatten)]
    braintrust: BraintrustArgs,
    /// What to log on stderr, such as `info`, or `warn,grantbook_server=debug`.
    #[arg(long, env = "GRANTBOOK_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

/// How Braintrust's clients are served.
#[derive(Debug, Args)]
struct BraintrustArgs {
    /// Do not serve Braintrust's clients below `/braintrust`.
    #[arg(long, env = "GRANTBOOK_NO_BRAINTRUST")]
    no_braintrust: bool,
    /// Where rows of logs go on to once they are authorized, such as `https://api.braintrust.dev`; without it they are counted and
    /// dropped.
    #[arg(
        long,
        env = "GRANTBOOK_BRAINTRUST_DATA_URL",
        value_name = "URL",
        requires = "braintrust_data_key_file"
    )]
    braintrust_data_url: Option<BaseUrl>,
    /// A private file with the bearer key for that server.
    #[arg(
        long,
        env = "GRANTBOOK_BRAINTRUST_DATA_KEY_FILE",
        value_name = "FILE",
        requires = "braintrust_data_url"
    )]
    braintrust_data_key_file: Option<PathBuf>,
}

impl BraintrustArgs {
    fn data_plane(&self) -> Option<DataPlaneOptions> {
        let (url, key_file) = self.braintrust_data_url.clone().zip(self.braintrust_data_key_file.clone())?;
        Some(DataPlaneOptions { url, key_file })
    }
}

/// What makes several processes one address.
#[derive(Debug, Args)]
struct AddressArgs {
    /// Of a read node: pass writes, plans and questions of the command side on to the command service at this URL, with the
    /// caller's key.
    // It stands in the place of the clients' option of this name, and has its type and a variable of its own.
    #[arg(long, env = "GRANTBOOK_FORWARD_TO", value_name = "URL", value_parser = command_url)]
    command_url: Option<String>,
    /// Networks or addresses of proxies: if one of them sends a request, X-Forwarded-For or Forwarded says who the client is.
    /// A command service must name the read nodes that pass requests on to it.
    #[arg(long, env = "GRANTBOOK_TRUSTED_PROXIES", value_name = "NET[,..]", value_delimiter = ',')]
    trusted_proxy: Vec<Network>,
    /// The file of the cursor key (`grantbook cursor key FILE` makes one): all nodes that have a copy take each other's cursors.
    #[arg(long, env = "GRANTBOOK_CURSOR_KEY_FILE", value_name = "FILE")]
    cursor_key_file: Option<PathBuf>,
}

/// A text, as the global option of this name has one.
fn command_url(text: &str) -> Result<String, String> {
    text.parse::<BaseUrl>().map(|url| url.to_string()).map_err(|fault| fault.to_string())
}

/// What becomes of the view.
#[derive(Debug, Args)]
struct ViewArgs {
    #[command(flatten)]
    snapshots: SnapshotArgs,
    /// What to call this node, where nodes are named.
    #[arg(long, env = "GRANTBOOK_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// How often the view's file is read whole and compared with its digest, such as 1h.
    #[arg(long, env = "GRANTBOOK_SCRUB_EVERY", default_value = "1h", value_name = "TIME")]
    scrub_every: Every,
}

/// How stale what is answered may be.
#[derive(Debug, Args)]
struct FreshnessArgs {
    /// A node that has been behind a head that it knows for longer is stale: 1s to 1h.
    #[arg(long, env = "GRANTBOOK_MAX_LAG", default_value = "5s", value_name = "TIME")]
    max_lag: Span,
    /// So is one without word from the journal's leader for longer: 5s to 1h.
    #[arg(long, env = "GRANTBOOK_MAX_SILENCE", default_value = "30s", value_name = "TIME")]
    max_silence: Span,
    /// What a stale node does: refuse questions, or answer them with the header Grantbook-Stale.
    #[arg(long, env = "GRANTBOOK_WHEN_STALE", value_enum, default_value = "refuse", value_name = "WHAT")]
    when_stale: StaleChoice,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StaleChoice {
    /// 503 `stale`.
    Refuse,
    /// The answer from what there is, marked. Who has less access since may still be let in.
    Mark,
}

impl FreshnessArgs {
    fn bounds(&self) -> Freshness {
        let when_stale = match self.when_stale {
            StaleChoice::Refuse => WhenStale::Refuse,
            StaleChoice::Mark => WhenStale::Mark,
        };
        let bound = |Span(seconds)| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Freshness { max_lag: bound(self.max_lag), max_silence: bound(self.max_silence), when_stale }
    }
}

#[derive(Debug, Args)]
struct WebhookArgs {
    /// The file of the webhook key (`grantbook webhook key FILE` makes one): webhooks can be made, and a process that has a
    /// view delivers them.
    #[arg(long = "webhooks", env = "GRANTBOOK_WEBHOOKS", value_name = "KEYFILE")]
    key_file: Option<PathBuf>,
    /// Send webhooks also to this host, host:port or network (10.0.0.0/8), by http too; otherwise to public addresses by
    /// https only.
    #[arg(
        long,
        env = "GRANTBOOK_WEBHOOK_ALLOW",
        value_name = "PATTERN",
        value_delimiter = ',',
        requires = "key_file"
    )]
    webhook_allow: Vec<Allowed>,
    /// The waits between attempts to deliver a message; after the last it is a dead letter. 5s,5m,30m,2h,5h,10h,14h,20h,24h
    /// if absent.
    #[arg(long, env = "GRANTBOOK_WEBHOOK_RETRY", value_name = "WAITS", requires = "key_file")]
    webhook_retry: Option<Schedule>,
}

impl WebhookArgs {
    fn options(self) -> Option<WebhookOptions> {
        let Self { key_file, webhook_allow: allow, webhook_retry } = self;
        let schedule = webhook_retry.unwrap_or_default();
        key_file.map(|key_file| WebhookOptions { key_file, allow, schedule })
    }
}

/// A limit with its figure: NAME=NUMBER.
fn limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, figure) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
    let named = Limit::named(name).ok_or_else(|| {
        let names: Vec<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        format!("no limit has this name; there are {}", names.join(", "))
    })?;
    let figure = figure.parse().map_err(|_| format!("{figure} is not a number"))?;
    Ok((named, figure))
}

fn changed(figures: &[(Limit, u64)]) -> Result<Limits, Usage> {
    figures.iter().try_fold(Limits::DEFAULT, |limits, (limit, figure)| {
        let fixed = || Usage(format!("--limit: {} is the same in every installation", limit.name()));
        limits.with(*limit, *figure).ok_or_else(fixed)
    })
}

pub(crate) fn run(args: ServeArgs) -> anyhow::Result<Verdict> {
    let ServeArgs {
        part,
        store,
        listen,
        ready_file,
        public_url,
        address,
        views,
        relay,
        freshness,
        webhooks,
        watchers,
        watchers_each,
        limits,
        braintrust,
        log,
    } = args;
    let AddressArgs { command_url, trusted_proxy, cursor_key_file } = address;
    let ViewArgs { snapshots, node_name, scrub_every } = views;
    let watchers = WatchLimits { all: watchers, each: watchers_each };
    let role = match part {
        Part::All => Role::All,
        Part::Command => Role::Command,
        Part::Read => Role::Read,
    };
    let config = ServeConfig {
        role,
        journal: store.journal()?,
        data: store.data,
        listen,
        ready_file,
        public_url,
        snapshots: snapshots.config(),
        node_name,
        scrub_every: scrub_every.0,
        relay,
        webhooks: webhooks.options(),
        watchers,
        limits: changed(&limits)?,
        braintrust: !braintrust.no_braintrust,
        data_plane: braintrust.data_plane(),
        command_url: command_url.as_deref().and_then(|url| url.parse().ok()),
        trusted_proxies: trusted_proxy,
        cursor_key: cursor_key_file,
        freshness: freshness.bounds(),
    };
    if let Err(
        fault @ (ConfigError::OnePartAlone(_)
        | ConfigError::Freshness(_)
        | ConfigError::NothingToRelay
        | ConfigError::NothingToForward
        | ConfigError::NoCursors
        | ConfigError::NoRows
        | ConfigError::SnapshotsOfNobody
        | ConfigError::NoPlaceForSnapshots
        | ConfigError::SnapshotsWithoutView),
    ) = config.validate()
    {
        return Err(Usage(fault.to_string()).into());
    }
    start_logging(&log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(grantbook_server::serve(config));
    // Threads that have not stopped do not keep the process: what was acknowledged is durable.
    runtime.shutdown_background();
    served?;
    Ok(Verdict::Yes)
}

fn start_logging(filter: &str) -> Result<(), Usage> {
    let filter: Targets = filter.parse().map_err(|fault| Usage(format!("--log: {fault}")))?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(())
}
