//! A new view: made of a snapshot, beside the replay of the whole journal, and what a snapshot weighs.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use grantbook_domain::id::Id;
use grantbook_journal::Journal as _;
use grantbook_server::{
    bootstrap::{Source, bootstrap},
    clock::Clock,
    project::Projector,
    snapshots::{Maker, SnapshotKey, Store, make},
};
use grantbook_views::ViewWriter;

use crate::{
    durable::{PATIENCE, identity},
    rebuild::fill,
    report::{per_second, rate, row, sizes, table},
    workload,
};

/// 240,000 principals are about a million records.
pub(crate) fn run(is_large: bool) -> Result<()> {
    table(
        "A new view, of a snapshot and of the journal",
        &["principals", "records", "what", "seconds", "records/s", "MiB"],
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
        let show = |what: &str, elapsed: std::time::Duration, bytes: u64| {
            let seconds = format!("{:.2}", elapsed.as_secs_f64());
            let speed = per_second(rate(count, elapsed));
            let mib = (bytes >> 20).to_string();
            row(&[principals.to_string(), count.to_string(), what.to_owned(), seconds, speed, mib]);
        };

        let started = Instant::now();
        let (writer, _) = ViewWriter::open(&dir.path().join("replayed.redb"), installation)?;
        let projector = Projector::start(Arc::clone(&journal), writer);
        let head = journal.head().await?;
        let mut progress = projector.progress();
        tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.sequence >= head)).await??;
        show(
            "replay of the journal",
            started.elapsed(),
            std::fs::metadata(dir.path().join("replayed.redb"))?.len(),
        );

        let store = Store::Directory(dir.path().join("snapshots"));
        let key = SnapshotKey::create(&dir.path().join("key"))?;
        let (node, clock) = (Id::from_u128(1), Clock::system());
        let maker = Maker { store: store.clone(), key: key.clone(), installation, node, clock };
        let started = Instant::now();
        let snapshot = projector.settle().snapshot().await.context("the projector runs")?;
        let made = make(&maker, snapshot).await?;
        let pieces = made.manifest.pieces.iter().chain(&made.manifest.listing.pieces);
        show("a snapshot is made", started.elapsed(), pieces.map(|piece| piece.bytes).sum());
        let replayed = made.manifest.digest;
        projector.stop().await;

        let started = Instant::now();
        let source = Source { journal: Arc::clone(&journal), store, trust: vec![key.public()] };
        let view = dir.path().join("loaded.redb");
        let loaded = bootstrap(&source, &view, &mut |_| {}).await?;
        let (writer, _) = loaded.context("the snapshot is of use")?;
        show("a view is made of it", started.elapsed(), std::fs::metadata(&view)?.len());
        ensure!(writer.digest() == replayed, "both hold the same");
        Ok(())
    })
}
