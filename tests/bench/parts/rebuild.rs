//! Starting from a journal: bare replay, fold, and a view from nothing (target P6), with sizes and memory (P10).

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Instant};

use crate::{
    parts::durable::{PATIENCE, identity, size},
    report::{per_second, rate, resident_mib, row, sizes, table},
    workload::{self, ORG},
};
use anyhow::{Context, Result};
use grantbook_command::Fold;
use grantbook_domain::record::Record;
use grantbook_journal::{
    Journal, Tail,
    chain::Chains,
    embedded::EmbeddedJournal,
    frame::{EncodedRecord, FrameBuilder},
};
use grantbook_node::project::Projector;
use grantbook_views::ViewWriter;

const RECORDS_PER_FRAME: u64 = 64;

pub(crate) fn run() -> Result<()> {
    let title = format!("Starting from a journal of {RECORDS_PER_FRAME} records a frame (P6, P10)");
    table(&title, &["principals", "records", "what", "records/s", "size or memory"]);
    for principals in sizes(&[10_000, 100_000]) {
        start_from(principals)?;
    }
    Ok(())
}

fn start_from(principals: u128) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (journal, count) = fill(dir.path(), workload::records(principals, 1)).await?;
        let journal = Arc::new(journal);
        let show = |what: &str, elapsed, extra: String| {
            let cells = [
                principals.to_string(),
                count.to_string(),
                what.to_owned(),
                per_second(rate(count, elapsed)),
                extra,
            ];
            row(&cells);
        };
        let bytes = size(&dir.path().join("journal.redb"));
        let started = Instant::now();
        bare_replay(journal.as_ref()).await?;
        show(
            "bare replay: read, check the chain, decode",
            started.elapsed(),
            per_record("journal", bytes, count),
        );

        let (before, started) = (resident_mib(), Instant::now());
        let fold = Fold::replay(journal.as_ref()).await?;
        let grown = resident_mib() - before;
        show("fold of the command service", started.elapsed(), format!("{grown:.0} MiB"));
        drop(fold);

        let started = Instant::now();
        let view = dir.path().join("view.redb");
        let (writer, _) = ViewWriter::open(&view, identity().installation)?;
        let projector = Projector::start(Arc::clone(&journal), writer);
        let head = journal.head().await?;
        let mut progress = projector.progress();
        tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.sequence >= head)).await??;
        let elapsed = started.elapsed();
        projector.stop().await;
        show("view from nothing", elapsed, per_record("view", size(&view), count));
        Ok(())
    })
}

fn per_record(what: &str, bytes: u64, count: usize) -> String {
    format!("{what} {} MiB, {} B a record", bytes >> 20, bytes / count.max(1) as u64)
}

async fn bare_replay(journal: &impl Journal) -> Result<()> {
    let limit = NonZeroUsize::new(1024).context("1024 is not 0")?;
    let mut chains = Chains::new(journal.identity().installation);
    let (mut tail, head) = (journal.tail(0), journal.head().await?);
    while chains.end().sequence < head {
        for stored in &tail.next(limit, PATIENCE).await? {
            chains.take_item(stored)?;
        }
    }
    Ok(())
}

/// A journal that holds these records; how many there are.
pub(crate) async fn fill(
    dir: &Path,
    records: impl Iterator<Item = Record>,
) -> Result<(EmbeddedJournal, usize)> {
    let journal = EmbeddedJournal::create(dir, identity())?;
    let mut chains = Chains::new(identity().installation);
    let (mut builder, mut after, mut count) = (FrameBuilder::new(), 0, 0);
    for record in records {
        let encoded = EncodedRecord::of(&record)?;
        if builder.len() >= RECORDS_PER_FRAME || !builder.fits(&encoded) {
            after = append(&journal, &mut chains, std::mem::take(&mut builder), after).await?;
        }
        builder.push(&encoded)?;
        count += 1;
    }
    append(&journal, &mut chains, builder, after).await?;
    Ok((journal, count))
}

async fn append(
    journal: &EmbeddedJournal,
    chains: &mut Chains,
    builder: FrameBuilder,
    after: u64,
) -> Result<u64> {
    let bytes = builder.finish(chains.next_link(ORG))?;
    let sequence = journal.append(ORG, after, bytes.clone()).await?;
    chains.take(&grantbook_journal::Stored { sequence, org: ORG, bytes, guard: None })?;
    Ok(sequence)
}
