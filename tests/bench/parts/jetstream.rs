//! The journal in NATS, on one broker and on three, all of which sync always: durable commands beside the bare guarded
//! publish of the same bytes, replay, and how soon a read node knows (targets P4 to P7).

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    parts::{
        durable::{Figures, PATIENCE, found, identity, over_http, show, submit},
        rebuild,
    },
    report::{histogram, line, note, per_second, quantile, rate, row, table},
    workload,
};
use anyhow::{Context, Result};
use bytes::Bytes;
use grantbook_command::{CommandService, Fold};
use grantbook_domain::id::{Id, OrgId};
use grantbook_journal::{
    Item, Journal, Tail, append_surely,
    jetstream::{JetStreamJournal, NatsOptions},
    stamp::{clock::Clock, ids::IdSource},
    transfer::{self, Target},
};
use grantbook_node::project::Projector;
use grantbook_tests::{nats::Nats, server::Server};
use grantbook_views::ViewWriter;
use hdrhistogram::Histogram;

/// Organizations and writers in all.
const LOADS: [(u32, usize); 6] = [(1, 1), (1, 8), (1, 64), (1, 256), (64, 64), (64, 256)];
/// As many as a million records are about.
const PRINCIPALS: u128 = 236_000;
/// Records that were acknowledged and waited for.
const SEEN: usize = 2_000;

pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for servers in [1, 3] {
        let nats = if servers == 1 { Nats::single()? } else { Nats::cluster()? };
        let title = format!("Durable commands over NATS, {servers} broker(s), sync always (P4, P5)");
        table(&title, &["writers", "what", "commands/s", "p50", "p99", "of bare"]);
        let mut bare_of_64 = 0.0;
        for (number, (orgs, writers)) in LOADS.into_iter().enumerate() {
            let count = 400 * writers.min(64);
            let stream = |what: &str| options(&nats, &format!("{what}{number}"));
            let bare = runtime.block_on(bare(&stream("B"), orgs, writers, count))?;
            let among = if orgs == 1 { String::new() } else { format!(", {orgs} organizations") };
            show(writers, &format!("bare guarded publish{among}"), &bare, bare.rate);
            if (orgs, writers) == (1, 64) {
                bare_of_64 = bare.rate;
            }
            let handle = runtime.block_on(handle(&stream("H"), orgs, writers, count))?;
            show(writers, &format!("command handle{among}"), &handle, bare.rate);
        }
        // The processes that users run, on the stream that `init` makes.
        let first = Server::init_over(&nats.url())?;
        let (command, _read) = (first.another("command")?, first.another("read")?);
        let figures = over_http(&command, 64, 400 * 64)?;
        show(64, "HTTP, command service and read node running", &figures, bare_of_64);
        runtime.block_on(visible(&nats))?;
    }
    runtime.block_on(replay())
}

fn options(nats: &Nats, stream: &str) -> NatsOptions {
    NatsOptions { stream: stream.to_owned(), prefix: stream.to_lowercase(), ..NatsOptions::new(nats.urls()) }
}

/// One guarded publish at a time for each organization, of as many bytes as a frame of its writers has.
async fn bare(options: &NatsOptions, orgs: u32, writers: usize, count: usize) -> Result<Figures> {
    let journal = Arc::new(JetStreamJournal::create(options, identity(), None).await?);
    let each = writers / orgs as usize;
    let (rounds, frame) = (count / writers, Bytes::from(vec![7_u8; 400 + 330 * each]));
    let started = Instant::now();
    let tasks: Vec<_> = (0..orgs)
        .map(|org| {
            let (journal, frame) = (Arc::clone(&journal), frame.clone());
            tokio::spawn(async move {
                let (mut latencies, mut last) = (histogram(), 0);
                for _ in 0..rounds {
                    let sent = Instant::now();
                    last = sure(&journal, Id::from_u128(u128::from(org) + 1), last, &frame).await?;
                    note(&mut latencies, sent.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = histogram();
    for task in tasks {
        latencies.add(task.await??)?;
    }
    Ok(Figures { rate: rate(rounds * each * orgs as usize, started.elapsed()), latencies })
}

async fn sure(journal: &JetStreamJournal, org: OrgId, after: u64, frame: &Bytes) -> Result<u64> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    Ok(append_surely(journal, org, after, frame.clone(), deadline).await?)
}

async fn handle(options: &NatsOptions, orgs: u32, writers: usize, count: usize) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let journal = Arc::new(JetStreamJournal::create(options, identity(), None).await?);
    let mut all = Vec::new();
    for org in 0..orgs {
        all.push(found(journal.as_ref(), u128::from(org) + 1).await?);
    }
    let fold = Fold::replay(journal.as_ref()).await?;
    let service = CommandService::start(Arc::clone(&journal), fold, Clock::system(), IdSource::system());
    let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let projector = Projector::start(Arc::clone(&journal), writer);
    let figures = submit(&service.handle(), &all, writers, count).await?;
    service.shutdown().await;
    projector.stop().await;
    Ok(figures)
}

/// From an acknowledgement until the view of another connection has the record, beside the time from a publish until
/// a reader on another connection has the message.
async fn visible(nats: &Nats) -> Result<()> {
    let options = options(nats, "V");
    let journal = Arc::new(JetStreamJournal::create(&options, identity(), None).await?);
    let org = found(journal.as_ref(), 1).await?;
    let fold = Fold::replay(journal.as_ref()).await?;
    let service = CommandService::start(Arc::clone(&journal), fold, Clock::system(), IdSource::system());
    let reading = Arc::new(JetStreamJournal::open(&options).await?);
    let dir = tempfile::tempdir()?;
    let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let projector = Projector::start(reading, writer);
    let (mut progress, mut known) = (projector.progress(), histogram());
    for number in 0..SEEN {
        let one = submit_one(&service.handle(), org, number).await?;
        let acknowledged = Instant::now();
        progress.wait_for(|progress| progress.sequence >= one).await?;
        note(&mut known, acknowledged.elapsed());
    }
    service.shutdown().await;
    projector.stop().await;
    let delivered = publish_to_delivery(&options).await?;
    let columns = ["what", "p50", "p99", "max"];
    table("How soon a read node knows, one command after another (P7)", &columns);
    for (what, times) in
        [("publish to delivery, bare", &delivered), ("acknowledged to visible in the view", &known)]
    {
        let max = quantile(times, 1.0);
        row(&[what.to_owned(), quantile(times, 0.5), quantile(times, 0.99), max]);
    }
    Ok(())
}

/// From a publish until a reader on another connection has the message.
async fn publish_to_delivery(options: &NatsOptions) -> Result<Histogram<u64>> {
    let options = NatsOptions { stream: "W".to_owned(), prefix: "w".to_owned(), ..options.clone() };
    let journal = JetStreamJournal::create(&options, identity(), None).await?;
    let mut tail = JetStreamJournal::open(&options).await?.tail(0);
    let org: OrgId = Id::from_u128(1);
    let (mut last, mut delivered) = (0, histogram());
    let frame = Bytes::from(vec![7_u8; 730]);
    for _ in 0..SEEN {
        let sent = Instant::now();
        let (appended, read) = tokio::join!(
            sure(&journal, org, last, &frame),
            tail.next(NonZeroUsize::MIN, Duration::from_secs(10))
        );
        last = appended?;
        read?.first().context("the message came")?;
        note(&mut delivered, sent.elapsed());
    }
    Ok(delivered)
}

/// The same, for another section.
pub(crate) fn delivered(nats: &Nats) -> Result<Histogram<u64>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(publish_to_delivery(&options(nats, "W")))
}

async fn submit_one(handle: &grantbook_command::CommandHandle, org: OrgId, number: usize) -> Result<u64> {
    use grantbook_domain::command::{Author, Command, TokenCommand};
    let command = Command::Token(TokenCommand::Create {
        id: Id::from_u128((1 << 100) | number as u128),
        name: format!("seen-{number}"),
        description: None,
        external_id: None,
        expires_at: None,
    });
    let author = Author::Operator;
    let submission = grantbook_command::Submission {
        org,
        author,
        command,
        idempotency: None,
        if_position: None,
        source_ip: None,
        reason: None,
        faults: grantbook_command::TextFaults::default(),
    };
    Ok(handle.submit(submission).await?.position.sequence())
}

/// A copy of the journal that the rebuild on one machine is measured with.
async fn replay() -> Result<()> {
    let nats = Nats::single()?;
    let dir = tempfile::tempdir()?;
    let (source, count) = rebuild::fill(dir.path(), workload::records(PRINCIPALS, 1)).await?;
    let options = options(&nats, "R");
    let target = Target::jetstream(&options, source.identity(), None).await?;
    let started = Instant::now();
    transfer::copy(&source, target, |_, _| {}).await?;
    table(&format!("Replay of {count} records over NATS (P6)"), &["what", "records/s", "of bare"]);
    let copied = rate(count, started.elapsed());
    let journal = Arc::new(JetStreamJournal::open(&options).await?);
    let (head, mut tail) = (journal.head().await?, journal.tail(0));
    let started = Instant::now();
    let (mut last, limit) = (0, NonZeroUsize::new(1024).context("1024 is not 0")?);
    while last < head {
        last = tail.next(limit, PATIENCE).await?.last().map_or(last, Item::sequence);
    }
    let bare = rate(count, started.elapsed());
    let show = |what: &str, rate: f64| {
        row(&[what.to_owned(), per_second(rate), format!("{:.0} %", 100.0 * rate / bare)]);
    };
    show("bare: frames delivered", bare);
    let started = Instant::now();
    drop(Fold::replay(journal.as_ref()).await?);
    show("fold of the command service", rate(count, started.elapsed()));
    let started = Instant::now();
    let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let projector = Projector::start(Arc::clone(&journal), writer);
    let mut progress = projector.progress();
    tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.sequence >= head)).await??;
    show("view from nothing", rate(count, started.elapsed()));
    projector.stop().await;
    show("copied from a file and compared", copied);
    line(&format!("\n{head} frames, {} records a frame", count as u64 / head.max(1)));
    Ok(())
}
