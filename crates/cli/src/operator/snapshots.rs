//! `grantbook snapshot`: keys that sign snapshots of views, and snapshots made by hand.

use std::path::PathBuf;

use grantbook_api::people::when::Every;

use crate::shared::{
    exit::{Usage, Verdict},
    output::Output,
    store::StoreArgs,
};
use clap::{Args, Subcommand};
use grantbook_server::node::{
    rebuild::{self, ViewOptions},
    snapshots::{Place, PublicKey, SnapshotConfig, SnapshotKey},
};
use serde_json::json;

/// Where snapshots are, who signs them, and whose are used.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Snapshot options")]
pub(crate) struct SnapshotArgs {
    /// Where snapshots of the view are: a directory, or `nats` for the object store beside the journal.
    #[arg(long, env = "GRANTBOOK_SNAPSHOTS", value_name = "DIR|nats")]
    snapshots: Option<Place>,
    /// File of the key that signs those made here, of `grantbook snapshot key`; without it none are made.
    #[arg(long, env = "GRANTBOOK_SNAPSHOT_KEY", value_name = "FILE")]
    snapshot_key: Option<PathBuf>,
    /// Public keys of those whose snapshots a new view is made of; without them it is filled from the journal.
    #[arg(long, env = "GRANTBOOK_SNAPSHOT_TRUST", value_name = "KEY[,..]", value_delimiter = ',')]
    snapshot_trust: Vec<PublicKey>,
    /// How often one is made, such as 15m.
    #[arg(long, env = "GRANTBOOK_SNAPSHOT_EVERY", default_value = "15m", value_name = "TIME")]
    snapshot_every: Every,
}

impl SnapshotArgs {
    pub(crate) fn config(self) -> SnapshotConfig {
        let Self { snapshots: place, snapshot_key: key, snapshot_trust: trust, snapshot_every } = self;
        SnapshotConfig { place, key, trust, every: snapshot_every.0 }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotVerb {
    /// Make a key that signs snapshots, in a new file that its owner only may read, and print the public key: what other
    /// nodes are given as --snapshot-trust.
    Key {
        /// The new file.
        file: PathBuf,
    },
    /// Make a snapshot of a stopped node's view, after looking at all of it. A running node makes its own.
    Make(Box<MakeArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    snapshots: SnapshotArgs,
}

pub(crate) fn run(verb: SnapshotVerb, out: Output) -> anyhow::Result<Verdict> {
    match verb {
        SnapshotVerb::Key { file } => {
            let public = SnapshotKey::create(&file)?.public().to_string();
            if out.is_json() {
                out.json(&json!({"file": file, "public_key": public}))?;
            } else {
                out.line(&public)?;
                out.note(&format!("the secret is in {}: keep it there", file.display()));
            }
        }
        SnapshotVerb::Make(args) => {
            let MakeArgs { store, snapshots } = *args;
            let (journal, snapshots) = (store.journal()?, snapshots.config());
            if snapshots.place.is_none() || snapshots.key.is_none() {
                return Err(Usage("give --snapshots and --snapshot-key".to_owned()).into());
            }
            let options = ViewOptions { journal, data: store.data, snapshots };
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let made = runtime.block_on(rebuild::make_offline(&options))?;
            let manifest = &made.manifest;
            if out.is_json() {
                out.json(&json!({"name": made.name, "sequence": manifest.sequence, "rows": manifest.rows,
                    "bytes": manifest.bytes, "digest": manifest.digest}))?;
            } else {
                out.line(&format!(
                    "{}: {} rows up to sequence {}",
                    made.name, manifest.rows, manifest.sequence
                ))?;
            }
        }
    }
    Ok(Verdict::Yes)
}
