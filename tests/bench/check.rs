//! Checks in process, through redb (first figures for P1): every answer of a sample is compared with the slow fold.

use std::time::Instant;

use anyhow::{Result, ensure};
use grantbook_domain::{
    access::{Question, Target},
    position::Position,
    record::Recorded,
    state::OrgState,
};
use grantbook_views::{Batch, Snapshot, ViewWriter};

use crate::{
    durable::identity,
    report::{histogram, nanos, note, per_second, quantile, rate, row, table},
    workload::{self, AT, Dice, ORG},
};

const QUESTIONS: usize = 50_000;
const COMPARED: usize = 1_000;
const PERMISSIONS: [&str; 3] = ["read", "update", "create_acls"];

pub(crate) fn run() -> Result<()> {
    let columns = ["principals", "checks/s", "mean", "p50", "p99", "allowed", "compared with the fold"];
    table("Checks in process, one at a time, through redb (P1)", &columns);
    for principals in [1_000, 10_000, 100_000] {
        checks(principals)?;
    }
    Ok(())
}

fn checks(principals: u128) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let mut fold = OrgState::default();
    fill(&mut writer, &mut fold, principals)?;
    let snapshot = writer.reader().snapshot()?;
    let questions = questions(principals, QUESTIONS);
    for question in questions.iter().take(COMPARED) {
        let (view, oracle) = (question.ask(&snapshot)?, question.of_fold(&fold));
        ensure!(view == oracle, "{question:?}: the view says {view}, the fold {oracle}");
    }
    let started = Instant::now();
    let mut allowed = 0;
    for question in &questions {
        allowed += usize::from(question.ask(&snapshot)?);
    }
    let elapsed = started.elapsed();
    let mut latencies = histogram();
    for question in &questions {
        let asked = Instant::now();
        question.ask(&snapshot)?;
        note(&mut latencies, asked.elapsed());
    }
    row(&[
        principals.to_string(),
        per_second(rate(QUESTIONS, elapsed)),
        nanos(u64::try_from(elapsed.as_nanos())? / QUESTIONS as u64),
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.99),
        format!("{} %", 100 * allowed / QUESTIONS),
        COMPARED.to_string(),
    ]);
    Ok(())
}

fn fill(writer: &mut ViewWriter, fold: &mut OrgState, principals: u128) -> Result<()> {
    let mut batch = Vec::new();
    for (record, sequence) in workload::records(principals, 1).zip(1..) {
        for event in &record.events {
            fold.apply(event);
        }
        batch.push(Recorded { position: Position::of(sequence, 0), org: ORG, record });
        if batch.len() == 4096 {
            writer.apply(&Batch { records: &batch, last_sequence: sequence, checkpoint: b"" }, false)?;
            batch.clear();
        }
    }
    let last_sequence = batch.last().map_or(0, |last| last.position.sequence());
    if last_sequence > 0 {
        writer.apply(&Batch { records: &batch, last_sequence, checkpoint: b"" }, true)?;
    }
    Ok(())
}

/// One question of the workload.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who.
    pub(crate) principal: u128,
    /// What.
    pub(crate) permission: &'static str,
    /// On which project.
    pub(crate) project: String,
}

/// Questions drawn uniformly.
pub(crate) fn questions(principals: u128, count: usize) -> Vec<Asked> {
    let mut dice = Dice::new(2);
    (0..count)
        .map(|number| Asked {
            principal: dice.below(principals),
            permission: PERMISSIONS.get(number % 3).copied().unwrap_or("read"),
            project: workload::project_id(dice.below(1000)).to_string(),
        })
        .collect()
}

impl Asked {
    fn question(&self) -> Question<'_> {
        Question {
            principal: Some(workload::principal(self.principal)),
            key: None,
            permission: self.permission,
            object: Target { object_type: "project", id: &self.project, project: None },
        }
    }

    fn ask(&self, snapshot: &Snapshot) -> Result<bool> {
        Ok(snapshot.check(ORG, &self.question(), AT)?.allows())
    }

    fn of_fold(&self, fold: &OrgState) -> bool {
        fold.check(&self.question(), AT).allows()
    }
}
