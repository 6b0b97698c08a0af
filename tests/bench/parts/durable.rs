//! Durable commands: through the command handle with the projector running, and over HTTP through the real binary,
//! beside the bare redb commit of the same bytes in the same run (targets P4 and P5).

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    load,
    report::{histogram, note, per_second, quantile, rate, row, table},
};
use anyhow::{Context, Result};
use grantbook_command::{CommandHandle, CommandService, Fold, Submission};
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    id::{Id, OrgId},
    model::KeyHash,
    principal::Actor,
    record::{RECORD_SCHEMA, Record},
    state::founding::Founding,
    time::Timestamp,
};
use grantbook_journal::{
    Identity, Journal,
    embedded::EmbeddedJournal,
    frame::{Link, encode},
    hash::Hash,
    stamp::{clock::Clock, ids::IdSource},
};
use grantbook_node::project::Projector;
use grantbook_tests::server::Server;
use grantbook_views::ViewWriter;
use hdrhistogram::Histogram;
use redb::{Database, Durability, TableDefinition};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
const WRITERS: [usize; 3] = [1, 8, 64];

/// How fast commands were accepted.
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) latencies: Histogram<u64>,
}

pub(crate) fn run() -> Result<()> {
    let columns = ["writers", "what", "commands/s", "p50", "p99", "of bare"];
    table("Durable commands, one organization, embedded journal (P4, P5)", &columns);
    for writers in WRITERS {
        let count = 1_000 * writers.min(32);
        let bare = bare(writers, count)?;
        show(writers, "bare redb commit", &bare, bare.rate);
        show(writers, "command handle", &handle(writers, count)?, bare.rate);
        show(writers, "HTTP", &http(writers, count)?, bare.rate);
    }
    Ok(())
}

/// A row of the table.
pub(crate) fn show(writers: usize, what: &str, figures: &Figures, bare: f64) {
    let of_bare = format!("{:.0} %", 100.0 * figures.rate / bare);
    let (p50, p99) = (quantile(&figures.latencies, 0.5), quantile(&figures.latencies, 0.99));
    row(&[writers.to_string(), what.to_owned(), per_second(figures.rate), p50, p99, of_bare]);
}

/// One durable commit for each round of all writers, of as many bytes as their frame has.
fn bare(writers: usize, count: usize) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let database = Database::create(dir.path().join("bare.redb"))?;
    let frame = vec![7_u8; 400 + 330 * writers];
    let mut latencies = histogram();
    let started = Instant::now();
    let rounds = count / writers;
    for round in 0..u64::try_from(rounds)? {
        let sent = Instant::now();
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.open_table(ROWS)?.insert(round, frame.as_slice())?;
        transaction.commit()?;
        note(&mut latencies, sent.elapsed());
    }
    Ok(Figures { rate: rate(rounds * writers, started.elapsed()), latencies })
}

fn handle(writers: usize, count: usize) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let journal = Arc::new(EmbeddedJournal::create(dir.path(), identity())?);
        let org = found(journal.as_ref(), 1).await?;
        let fold = Fold::replay(journal.as_ref()).await?;
        let service = CommandService::start(Arc::clone(&journal), fold, Clock::system(), IdSource::system());
        let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
        let projector = Projector::start(Arc::clone(&journal), writer);
        let figures = submit(&service.handle(), &[org], writers, count).await?;
        service.shutdown().await;
        projector.stop().await;
        Ok(figures)
    })
}

/// Writers, dealt to the organizations in turn, submit so many commands in all.
pub(crate) async fn submit(
    handle: &CommandHandle,
    orgs: &[OrgId],
    writers: usize,
    count: usize,
) -> Result<Figures> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .zip(orgs.iter().copied().cycle())
        .map(|(writer, org)| {
            let handle = handle.clone();
            tokio::spawn(async move { one_writer(&handle, org, writer, count / writers).await })
        })
        .collect();
    let mut latencies = histogram();
    for task in tasks {
        latencies.add(task.await??)?;
    }
    Ok(Figures { rate: rate(count / writers * writers, started.elapsed()), latencies })
}

async fn one_writer(
    handle: &CommandHandle,
    org: OrgId,
    writer: usize,
    count: usize,
) -> Result<Histogram<u64>> {
    let mut latencies = histogram();
    for number in 0..count {
        let id = Id::from_u128((1 << 100) | ((writer as u128) << 40) | number as u128);
        let command = Command::Token(TokenCommand::Create {
            id,
            name: format!("bench-{writer}-{number}"),
            description: None,
            external_id: None,
            expires_at: None,
        });
        let submission = Submission {
            org,
            author: Author::Operator,
            command,
            idempotency: None,
            if_position: None,
            source_ip: None,
            reason: None,
            faults: grantbook_command::TextFaults::default(),
        };
        let sent = Instant::now();
        handle.submit(submission).await?;
        note(&mut latencies, sent.elapsed());
    }
    Ok(latencies)
}

fn http(writers: usize, count: usize) -> Result<Figures> {
    over_http(&Server::start()?, writers, count)
}

/// Writers over HTTP, one request after another on a connection of their own.
pub(crate) fn over_http(server: &Server, writers: usize, count: usize) -> Result<Figures> {
    let requests: Vec<Vec<_>> = (0..writers)
        .map(|writer| {
            let one = |number| format!("{{\"name\":\"bench-{writer}-{number}\"}}");
            (0..count / writers)
                .map(|number| load::post("/v1/tokens", &server.owner_key, &one(number)))
                .collect()
        })
        .collect();
    let load = load::run(server.base(), &requests, "201")?;
    Ok(Figures { rate: rate(load.count, load.elapsed), latencies: load.latencies })
}

/// The identity of the journals of these benchmarks.
pub(crate) fn identity() -> Identity {
    Identity { installation: Id::from_u128(7), created_at: Timestamp::EPOCH }
}

/// Makes the organization of this number.
pub(crate) async fn found(journal: &impl Journal, number: u128) -> Result<OrgId> {
    let org = Id::from_u128(number);
    let built_in =
        |number: u128| (Id::from_u128(10 + number), Id::from_u128(20 + number), Id::from_u128(30 + number));
    let founding = Founding {
        org,
        name: format!("bench {number}"),
        owner: Id::from_u128(2),
        email: "owner@example.com".to_owned(),
        key: Id::from_u128(3),
        hash: KeyHash([0; 32]),
        builtins: [built_in(0), built_in(1), built_in(2)],
        at: Timestamp::EPOCH,
    };
    let record = Record {
        schema: RECORD_SCHEMA,
        ordinal: 1,
        at: Timestamp::EPOCH,
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: "founding".to_owned(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events: founding.decide()?,
    };
    let link = Link { installation: identity().installation, org, ordinal: 1, prev: Hash::ZERO };
    let frame = encode(link, &[record])?;
    journal.append(org, 0, frame).await.context("the founding record is appended")?;
    Ok(org)
}

/// How long a benchmark waits for something that always comes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The size of a file in bytes.
pub(crate) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
