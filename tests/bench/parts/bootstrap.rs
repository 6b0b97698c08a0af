//! A new view: made of a snapshot, beside the replay of the whole journal, and what a snapshot weighs.

use std::{sync::Arc, time::Instant};

use crate::{
    parts::{
        durable::{PATIENCE, identity},
        rebuild::fill,
    },
    report::{per_second, rate, row, sizes, table},
    workload,
};
use anyhow::{Context, Result, ensure};
use grantbook_domain::id::Id;
use grantbook_journal::{Journal as _, stamp::clock::Clock};
use grantbook_node::{
    bootstrap::{Source, bootstrap},
    project::Projector,
    snapshots::{SnapshotKey, SnapshotMaker, Store, make},
};
use grantbook_views::ViewWriter;

/// 240,000 principals are about a million records.
pub(crate) fn run(is_large: bool) -> Result<()> {
    table(
        "A new view, of a snapshot and of the journal",
        &["principals", "records", "what", "seconds", "of a core", "records/s", "MiB"],
    );
    for principals in sizes(if is_large { &[240_000] } else { &[10_000] }) {
        compare(principals)?;
    }
    Ok(())
}

fn compare(principals: u128) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (journal, count) = fill(dir.path(), workload::records(principals, 1)).await?;
        let (journal, installation) = (Arc::new(journal), identity().installation);
        let show = |what: &str, (started, used): (Instant, f64), bytes: u64| {
            let (elapsed, used) = (started.elapsed(), format!("{:.2}", core_seconds() - used));
            let seconds = format!("{:.2}", elapsed.as_secs_f64());
            let speed = per_second(rate(count, elapsed));
            let mib = (bytes >> 20).to_string();
            row(&[principals.to_string(), count.to_string(), what.to_owned(), seconds, used, speed, mib]);
        };

        let started = (Instant::now(), core_seconds());
        let (writer, _) = ViewWriter::open(&dir.path().join("replayed.redb"), installation)?;
        let projector = Projector::start(Arc::clone(&journal), writer);
        let head = journal.head().await?;
        let mut progress = projector.progress();
        tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.sequence >= head)).await??;
        show("replay of the journal", started, std::fs::metadata(dir.path().join("replayed.redb"))?.len());

        let store = Store::Directory(dir.path().join("snapshots"));
        let key = SnapshotKey::create(&dir.path().join("key"))?;
        let (node, clock) = (Id::from_u128(1), Clock::system());
        let maker = SnapshotMaker { store: store.clone(), key: key.clone(), installation, node, clock };
        let started = (Instant::now(), core_seconds());
        let snapshot = projector.settle().snapshot().await.context("the projector runs")?;
        let made = make(&maker, snapshot).await?;
        let pieces = made.manifest.pieces.iter().chain(&made.manifest.listing.pieces);
        show("a snapshot is made", started, pieces.map(|piece| piece.bytes).sum());
        let replayed = made.manifest.digest;
        projector.stop().await;

        let started = (Instant::now(), core_seconds());
        let source = Source { journal: Arc::clone(&journal), store, trust: vec![key.public()] };
        let view = dir.path().join("loaded.redb");
        let loaded = bootstrap(&source, &view, &mut |_| {}).await?;
        let (writer, _) = loaded.context("the snapshot is of use")?;
        show("a view is made of it", started, std::fs::metadata(&view)?.len());
        ensure!(writer.digest() == replayed, "both hold the same");
        Ok(())
    })
}

/// What this process has used of all cores, in seconds: other work on the machine does not count. 0 where nobody tells it.
fn core_seconds() -> f64 {
    /// Clock ticks a second, as Linux tells them to programs.
    const TICKS: f64 = 100.0;
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before it may hold anything.
    let numbers = told.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    numbers.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}
