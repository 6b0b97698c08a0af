//! After a fault: quiet, every outcome found out, everybody caught up; then the checker decides.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    checker::{Evidence, Finding, judge, worst_delays},
    history::{Entry, Outcome, Said, View},
    ledger::Ledger,
    listeners::Listener,
    load::Load,
    stage::{MAX_SILENCE, NODES, Stage},
};
use anyhow::{Result, ensure};
use grantbook_domain::{position::Position, record::Recorded};
use grantbook_journal::{
    Journal as _,
    chain::{Chains, Step},
};
use grantbook_server::wire::position;
use grantbook_tests::{frames, server::Server};
use grantbook_views::{ViewReader, ViewWriter};

const LIMIT: Duration = Duration::from_mins(1);
/// What nodes are configured to bear of silence, and for how long a leader that was cut off is still believed
/// (docs/adr/0019-what-counts-as-fresh.md): the bound that is stated, wherever a node is.
const BOUND: Duration = MAX_SILENCE.saturating_add(Duration::from_millis(2500));

/// What the checker is asked about a run.
pub(crate) struct Run<'a> {
    pub(crate) load: &'a Load,
    pub(crate) listeners: &'a [Listener],
    /// How many entries there were at the last verdict.
    judged: usize,
    ledger: Ledger,
}

impl<'a> Run<'a> {
    pub(crate) fn new(load: &'a Load, listeners: &'a [Listener]) -> Result<Self> {
        Ok(Self { load, listeners, judged: 0, ledger: Ledger::new(load.installation)? })
    }

    /// The verdict after a fault, as a row of the table.
    pub(crate) fn judge(&mut self, stage: &Stage, name: &str) -> Result<()> {
        let (evidence, sent_again) = self.settle(stage)?;
        let findings = judge(&evidence);
        row(name, &evidence.entries[self.judged.min(evidence.entries.len())..], sent_again, &findings);
        self.judged = evidence.entries.len();
        convict(&findings)
    }

    /// The verdict at the end, when nobody writes any more: every command is sent once more, all views are compared with
    /// one made of nothing.
    pub(crate) fn judge_at_the_end(&mut self, stage: &mut Stage) -> Result<()> {
        let sent_again = self.load.resolve(true)?;
        let (mut evidence, _) = self.settle(stage)?;
        let end = evidence.end;
        for (name, node) in NODES.into_iter().zip(&mut stage.nodes) {
            caught_up(self.load, node, end)?;
            ensure!(node.terminate()?.success(), "{name} does not end well:\n{}", node.log());
            let (writer, _) = ViewWriter::open(&node.data().join("view.redb"), self.load.installation)?;
            evidence.entries.push(Entry::View(view(name, &writer.reader())?));
        }
        let mut rebuilt = Ledger::new(self.load.installation)?;
        rebuilt.take(&journal(stage)?, self.load.org)?;
        evidence.made.extend_from_slice(rebuilt.made());
        evidence.ended = true;
        let findings = judge(&evidence);
        row("the end", &evidence.entries[self.judged.min(evidence.entries.len())..], sent_again, &findings);
        convict(&findings)?;
        stage.verify().map(drop)
    }

    /// Nobody writes, every outcome is known, everybody has everything.
    fn settle(&mut self, stage: &Stage) -> Result<(Evidence, usize)> {
        let load = self.load;
        load.quietly(|| {
            stage.wait_all_ready()?;
            let sent_again = self.load.resolve(false)?;
            let deadline = Instant::now() + LIMIT;
            loop {
                let mut evidence = self.evidence(journal(stage)?)?;
                let end = evidence.end;
                self.listeners.iter().try_for_each(|listener| listener.wait_for(&evidence))?;
                let nodes = NODES.into_iter().zip(&stage.nodes);
                let views: Vec<View> = nodes.map(|node| seen(load, node, end)).collect::<Result<_>>()?;
                // Notices of expiry may have come meanwhile.
                if stage.block_on(stage.journal()?.head())? == end.sequence() {
                    for view in views {
                        load.history.add(Entry::View(view));
                    }
                    evidence.entries = self.load.history.entries();
                    return Ok((evidence, sent_again));
                }
                ensure!(Instant::now() < deadline, "the journal goes on although nobody writes");
            }
        })
    }
}

impl Run<'_> {
    /// All but what everybody saw.
    fn evidence(&mut self, journal: Vec<Recorded>) -> Result<Evidence> {
        let bound = u64::try_from(BOUND.as_micros())?;
        let org = self.load.org;
        let (changes, made) = (self.ledger.take(&journal, org)?, self.ledger.made().to_vec());
        let end = journal.last().map_or(Position::START, |recorded| recorded.position);
        let journal = journal.into_iter().filter(|recorded| recorded.org == org).collect();
        Ok(Evidence { entries: Vec::new(), journal, end, changes, made, ended: false, bound, settled: true })
    }
}

/// All records of all organizations, read from outside, with every check of a reader.
fn journal(stage: &Stage) -> Result<Vec<Recorded>> {
    let journal = stage.journal()?;
    let (mut chains, mut records) = (Chains::new(journal.identity().installation), Vec::new());
    for item in stage.block_on(frames::all(&journal))? {
        let Step::Next(frame) = chains.take_item(&item)? else { continue };
        let places = (0..).map(|index| Position::of(item.sequence(), index));
        let recorded = places.zip(frame.records);
        let org = frame.head.org;
        records.extend(recorded.map(|(position, record)| Recorded { position, org, record }));
    }
    Ok(records)
}

/// Until the node answers at this position.
fn caught_up(load: &Load, node: &Server, end: Position) -> Result<()> {
    let demanded = grantbook_server::wire::position::encode(load.installation, end);
    let headers = [("grantbook-at-least", demanded.as_str())];
    let mut http = node.http()?.as_bearer(&node.owner_key);
    http.send_with("GET", "/v1/whoami", &headers, &serde_json::Value::Null)?.expect(200).map(drop)
}

/// What a node says that its view holds, once it has come there, or beyond.
fn seen(load: &Load, (name, node): (&str, &Server), end: Position) -> Result<View> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = node.http()?.send("GET", "/readyz", &serde_json::Value::Null)?.json();
        let at = told["position"].as_str().and_then(|text| position::decode(load.installation, text).ok());
        let sequence = at.map_or(0, Position::sequence);
        if let (Some(digest), true) = (told["view_digest"].as_str(), sequence >= end.sequence()) {
            return Ok(View { node: name.to_owned(), sequence, digest: digest.to_owned() });
        }
        ensure!(Instant::now() < deadline, "{name} does not come to {end}: {told}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the file of a node that has ended holds, row by row.
fn view(node: &str, reader: &ViewReader) -> Result<View> {
    let snapshot = reader.snapshot()?;
    let digest = snapshot.digest(None)?.to_string();
    Ok(View { node: node.to_owned(), sequence: snapshot.sequence()?, digest })
}

/// Says what must not be.
fn convict(findings: &[Finding]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let told: Vec<String> =
        findings.iter().map(|finding| format!("promise {}: {}", finding.point, finding.what)).collect();
    anyhow::bail!("{}", told.join("\n"))
}

/// The head of the table.
pub(crate) fn head() {
    line(
        "| fault | acknowledged | refused | unknown, then known | checks answered (503) | last allow after its end | verdict |",
    );
    line("| --- | --- | --- | --- | --- | --- | --- |");
}

fn row(name: &str, entries: &[Entry], sent_again: usize, findings: &[Finding]) {
    let (mut acknowledged, mut refused) = (0, 0);
    let mut nodes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Command(command) => match command.outcome {
                Outcome::Acknowledged { .. } => acknowledged += 1,
                Outcome::Refused { .. } => refused += 1,
                Outcome::Unknown { .. } => {}
            },
            Entry::Check(check) => {
                let (answered, not) = nodes.entry(&check.node).or_default();
                *if matches!(check.said, Said::Unavailable { .. }) { not } else { answered } += 1;
            }
            Entry::Subscribed(_) | Entry::Message(_) | Entry::View(_) | Entry::Fault(_) => {}
        }
    }
    let each = |(node, (answered, not)): (&&str, &(usize, usize))| format!("{node} {answered} ({not})");
    let checks = nodes.iter().map(each).collect::<Vec<_>>().join(", ");
    let worst = worst_delays(entries).into_iter();
    let worst =
        worst.map(|(node, micros)| format!("{node} {} ms", micros / 1000)).collect::<Vec<_>>().join(", ");
    let verdict = if findings.is_empty() { "held".to_owned() } else { format!("{} broken", findings.len()) };
    line(&format!("| {name} | {acknowledged} | {refused} | {sent_again} | {checks} | {worst} | {verdict} |"));
}

/// Tells those who watch the run.
#[expect(clippy::print_stdout, reason = "a fault run prints its table")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}
