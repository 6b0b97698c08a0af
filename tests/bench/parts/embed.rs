//! A program that embeds the view (docs/embedding.md): checks by several threads, each asking for the freshness too, while
//! the projector follows a journal to which 1,000 changes a second are appended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    parts::{
        check::{Asked, questions},
        durable::{PATIENCE, identity},
        rebuild,
    },
    report::{nanos, per_second, processor_nanos, rate, row, sizes, table},
    workload::{self, ORG},
};
use anyhow::{Context, Result, ensure};
use grantbook_domain::{id::OrgId, position::Position, record::Record};
use grantbook_journal::{
    Item, Journal as _, Stored,
    chain::Chains,
    embedded::EmbeddedJournal,
    frame::{EncodedRecord, FrameBuilder},
};
use grantbook_node::{
    project::{NodeState, Projector},
    read::ReadNode,
};
use grantbook_views::ViewWriter;

const LENGTH: Duration = Duration::from_secs(3);
const THREADS: usize = 2;

pub(crate) fn run() -> Result<()> {
    let columns = ["principals", "while", "threads", "checks/s", "mean, processor time", "oldest proof met"];
    table("Checks in a program that embeds the view, freshness asked each time", &columns);
    for principals in sizes(&[1_000, 100_000]) {
        embedded(principals)?;
    }
    Ok(())
}

fn embedded(principals: u128) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (journal, _) = runtime.block_on(rebuild::fill(dir.path(), workload::records(principals, 1)))?;
    let journal = Arc::new(journal);
    let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let (projector, node) = runtime.block_on(async {
        let projector = Projector::start(Arc::clone(&journal), writer);
        let node = ReadNode::new(&projector, &journal);
        node.wait_for(OrgId::from_u128(0), Position::START, PATIENCE).await?;
        anyhow::Ok((projector, node))
    })?;
    let questions = questions(principals, 20_000);
    let ended = AtomicBool::new(false);
    let show = |what: &str| ask(&node, &questions).map(|figures| figures.show(principals, what));
    show("nothing changes")?;
    let appended = thread::scope(|scope| -> Result<_> {
        let changer = scope.spawn(|| runtime.block_on(change_until(&ended, &journal)));
        let shown = show("1,000 changes a second");
        ended.store(true, Ordering::Relaxed);
        let appended = changer.join().map_err(|_| anyhow::anyhow!("the changer panicked"))?;
        shown.and(appended)
    })?;
    let (count, elapsed) = appended;
    let cells = [principals.to_string(), "(changes that were appended)".to_owned(), String::new()];
    row(&[cells.to_vec(), vec![per_second(rate(count, elapsed)), String::new(), String::new()]].concat());
    runtime.block_on(projector.stop());
    Ok(())
}

/// What some threads saw.
struct Figures {
    checks: usize,
    elapsed: Duration,
    nanos: u64,
    oldest_ms: u64,
}

impl Figures {
    fn show(&self, principals: u128, what: &str) {
        row(&[
            principals.to_string(),
            what.to_owned(),
            THREADS.to_string(),
            per_second(rate(self.checks, self.elapsed)),
            nanos(self.nanos / self.checks.max(1) as u64),
            format!("{} ms", self.oldest_ms),
        ]);
    }
}

fn ask(node: &ReadNode, questions: &[Asked]) -> Result<Figures> {
    let started = Instant::now();
    let parts = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| one_thread(node, questions))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut all = Figures { checks: 0, elapsed: started.elapsed(), nanos: 0, oldest_ms: 0 };
    for part in parts {
        let part = part.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        all.checks += part.checks;
        all.nanos += part.nanos;
        all.oldest_ms = all.oldest_ms.max(part.oldest_ms);
    }
    Ok(all)
}

fn one_thread(node: &ReadNode, questions: &[Asked]) -> Result<Figures> {
    let (started, before) = (Instant::now(), processor_nanos());
    let (mut checks, mut oldest_ms) = (0, 0);
    while started.elapsed() < LENGTH {
        for question in questions.iter().cycle().skip(checks % questions.len()).take(1_000) {
            let status = node.status();
            ensure!(status.state == NodeState::Running && !node.is_stale(), "{status:?}");
            oldest_ms = oldest_ms.max(status.age_ms);
            let image = node.image().or_else(|| node.reader.image()).context("an image was published")?;
            std::hint::black_box(question.of_image(&image));
        }
        checks += 1_000;
    }
    Ok(Figures { checks, elapsed: started.elapsed(), nanos: processor_nanos() - before, oldest_ms })
}

/// Appends a membership every millisecond, some to a frame if that is late.
async fn change_until(ended: &AtomicBool, journal: &EmbeddedJournal) -> Result<(usize, Duration)> {
    let mut chains = Chains::new(identity().installation);
    for sequence in 1..=journal.head().await? {
        chains.take(&journal.read_one(sequence).await?.and_then(Item::into_frame).context("a frame")?)?;
    }
    let mut ordinal = chains.org(ORG).record_ordinal;
    let started = Instant::now();
    let mut count = 0_u32;
    while !ended.load(Ordering::Relaxed) {
        let mut builder = FrameBuilder::new();
        while builder.is_empty()
            || (Duration::from_millis(1) * count < started.elapsed() && builder.len() < 64)
        {
            let who = workload::principal(u128::from(count) * 7919 % 1_000);
            ordinal += 1;
            let events = vec![workload::member(who.into(), u128::from(count % 999))];
            builder.push(&EncodedRecord::of(&Record { ordinal, ..workload::record(events) })?)?;
            count += 1;
        }
        let bytes = builder.finish(chains.next_link(ORG))?;
        let sequence = journal.append(ORG, chains.org(ORG).sequence, bytes.clone()).await?;
        chains.take(&Stored { sequence, org: ORG, bytes, guard: None })?;
        let due = Duration::from_millis(1) * count;
        tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
    }
    Ok((usize::try_from(count)?, started.elapsed()))
}
