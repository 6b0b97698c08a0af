//! Checks without a network hop: a program follows the journal and answers from its own memory.
//!
//! ```text
//! cargo run --package grantbook-tests --example embed -- --nats nats://127.0.0.1:4222 token:ID update project:ID
//! ```
//!
//! asks one question again and again from four threads, prints the answer whenever it changes, and how long a check took
//! when standard input ends. docs/embedding.md says what is what.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use grantbook_domain::{
    access::check::{Question, Target},
    id::OrgId,
    position::Position,
    principal::Principal,
};
use grantbook_journal::{
    Journal,
    jetstream::{JetStreamJournal, NatsOptions},
    stamp::clock::Clock,
};
use grantbook_node::{
    project::{NodeState, Projector},
    read::ReadNode,
};
use grantbook_views::ViewWriter;

const THREADS: usize = 4;
const ROUND: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [flag, url, who, permission, what] = args.as_slice() else {
        anyhow::bail!("see the top of this file")
    };
    anyhow::ensure!(flag == "--nats", "where is the journal?");
    let dir = tempfile::tempdir()?;
    let journal = Arc::new(JetStreamJournal::open(&NatsOptions::new(vec![url.clone()])).await?);
    let (projector, node) = follow(journal, &dir.path().join("view.redb")).await?;
    let org = node.reader.snapshot()?.organizations()?.first().context("an organization")?.id;
    let asked = Asked { org, who: principal(who)?, permission, what };
    let (ended, nanos, checks) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (node, asked, ended, nanos, checks) = (&node, &asked, &ended, &nanos, &checks);
            scope.spawn(move || {
                let mut told = None;
                while !ended.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let answer = (1..ROUND).fold(asked.answer(node), |_, _| asked.answer(node));
                    let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    nanos.fetch_add(took, Ordering::Relaxed);
                    checks.fetch_add(ROUND.into(), Ordering::Relaxed);
                    if number == 0 && told != Some(answer) {
                        say(&format!("{answer}, {} ms old", node.status().age_ms));
                        told = Some(answer);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let mut rest = Vec::new();
        // The application's own work goes here.
        let _until_the_end = std::io::stdin().read_to_end(&mut rest);
        ended.store(true, Ordering::Relaxed);
    });
    let (nanos, checks) = (nanos.into_inner(), checks.into_inner());
    say(&format!("{checks} checks, {} ns each", nanos / checks.max(1)));
    projector.stop().await;
    Ok(())
}

/// Starts to keep a view of the journal in a file, and waits until it has everything that the journal has.
async fn follow<J: Journal>(journal: Arc<J>, file: &Path) -> Result<(Projector, ReadNode)> {
    let (writer, _) = ViewWriter::open(file, journal.identity().installation)?;
    let projector = Projector::start(Arc::clone(&journal), writer);
    let node = ReadNode::new(&projector, &journal);
    node.wait_for(OrgId::from_u128(0), Position::START, Duration::from_mins(1)).await?;
    Ok((projector, node))
}

struct Asked<'a> {
    org: OrgId,
    who: Principal,
    permission: &'a str,
    what: &'a str,
}

impl Asked<'_> {
    /// The answer, or why there is none: who cannot know must not allow.
    fn answer(&self, node: &ReadNode) -> &'static str {
        let status = node.status();
        let Some(image) = node.image().filter(|_| status.state == NodeState::Running && !node.is_stale())
        else {
            return "no answer";
        };
        let (object_type, id) = self.what.split_once(':').unwrap_or_default();
        let object = Target { object_type, id, project: None };
        let question = Question { principal: Some(self.who), key: None, permission: self.permission, object };
        if image.check(self.org, &question, Clock::system().now()).allows() { "allowed" } else { "denied" }
    }
}

fn principal(text: &str) -> Result<Principal> {
    match text.split_once(':').context("user:ID or token:ID")? {
        ("user", id) => Ok(Principal::User(id.parse()?)),
        (_, id) => Ok(Principal::Token(id.parse()?)),
    }
}

fn say(line: &str) {
    let _nobody_reads = writeln!(std::io::stdout(), "{line}");
}
