//! `grantbook nats config`: servers' configurations.

use std::path::{Path, PathBuf, absolute};

use crate::shared::{
    exit::{Usage, Verdict},
    output::Output,
};
use anyhow::Context;
use clap::Args;
use grantbook_server::{
    admin::journal_tools::{self, Ports, ServerPlan},
    app::config::NatsOptions,
};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  grantbook nats config --servers 3 --dir nats
  grantbook nats config --servers 3 --dir nats --host a.example,b.example,c.example --tls-dir /etc/nats/tls

Each server gets accounts.conf and its own server-N.conf; each process gets its own file of keys/ and nothing else.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigArgs {
    /// How many servers keep the journal: 1, 3 or 5.
    #[arg(long, default_value = "3", value_name = "N")]
    servers: usize,
    /// Where the files are written; nothing that is there is overwritten.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The cluster's name, and the beginning of its servers' names.
    #[arg(long, default_value = "grantbook", value_name = "NAME")]
    cluster_name: String,
    /// Hosts of the servers, one for each, parted by commas [default: all on this machine, with ports that count up]
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// The first ports for clients, servers, leaf nodes and monitoring.
    #[arg(
        long,
        default_value = "4222,6222,7422,8222",
        value_name = "PORTS",
        value_delimiter = ',',
        num_args = 1
    )]
    ports: Vec<u16>,
    /// Below which directory the servers keep their files [default: store below --dir]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Where each server has ca.pem, server-N.pem and server-N.key; without it there is no TLS.
    #[arg(long, value_name = "DIR")]
    tls_dir: Option<PathBuf>,
    /// Name of the stream.
    #[arg(
        long = "nats-stream",
        env = "GRANTBOOK_NATS_STREAM",
        default_value = "GRANTBOOK",
        value_name = "NAME"
    )]
    stream: String,
    /// First part of the subjects.
    #[arg(
        long = "nats-prefix",
        env = "GRANTBOOK_NATS_PREFIX",
        default_value = "grantbook",
        value_name = "PREFIX"
    )]
    prefix: String,
}

pub(crate) fn run(args: ConfigArgs, out: Output) -> anyhow::Result<Verdict> {
    let ConfigArgs {
        servers,
        dir,
        cluster_name: cluster,
        host: hosts,
        ports,
        store,
        tls_dir,
        stream,
        prefix,
    } = args;
    let [client, cluster_port, leaf, monitor] = ports[..] else {
        return Err(
            Usage("--ports are four: for clients, servers, leaf nodes and monitoring".to_owned()).into()
        );
    };
    let store = whole(&store.unwrap_or_else(|| dir.join("store")))?;
    let plan = ServerPlan {
        servers,
        cluster,
        hosts,
        ports: Ports { client, cluster: cluster_port, leaf, monitor },
        store,
        tls: tls_dir.as_deref().map(whole).transpose()?,
        options: NatsOptions { stream, prefix, ..NatsOptions::new(Vec::new()) },
    };
    let written = journal_tools::write_servers(&plan, &dir)?;
    let urls = plan.urls().join(",");
    if out.is_json() {
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        out.json(&json!({"files": files, "nats": urls}))?;
        return Ok(Verdict::Yes);
    }
    for path in &written {
        out.line(&path.display().to_string())?;
    }
    out.note(&format!("start each server with `nats-server -c {}/server-N.conf`, then:", dir.display()));
    out.note(&format!(
        "  (umask 077; grantbook init --nats {urls} --nats-nkey {}/keys/operator.nk --org NAME --owner EMAIL > owner.key)",
        dir.display()
    ));
    if plan.tls.is_none() {
        out.note("there is no TLS: give --tls-dir for servers that others than this machine reach");
    }
    Ok(Verdict::Yes)
}

/// A path that means the same wherever the server is started.
fn whole(path: &Path) -> anyhow::Result<String> {
    let path = absolute(path)?;
    Ok(path.to_str().context("paths in a server's configuration are plain text")?.to_owned())
}
