//! Checks in process, through redb (the slow path beside the image): every answer of a sample is compared with the slow fold.

use std::{sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use grantbook_domain::{
    access::check::{Question, Target},
    position::Position,
    record::Recorded,
    state::OrgState,
};
use grantbook_tests::dice::Dice;
use grantbook_views::{Batch, Snapshot, ViewWriter};

use crate::{
    parts::durable::identity,
    report::{histogram, nanos, note, per_second, quantile, rate, row, sizes, table},
    workload::{self, AT, ORG, Shape},
};

const QUESTIONS: usize = 50_000;
pub(crate) const COMPARED: usize = 1_000;
const PERMISSIONS: [&str; 3] = ["read", "update", "create_acls"];

pub(crate) fn run() -> Result<()> {
    let columns = ["principals", "checks/s", "mean", "p50", "p99", "allowed", "compared with the fold"];
    table("Checks in process, one at a time, through redb (P1)", &columns);
    for principals in sizes(&[1_000, 10_000, 100_000]) {
        checks(principals)?;
    }
    Ok(())
}

fn checks(principals: u128) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
    let mut fold = OrgState::default();
    fill(&mut writer, &mut fold, Shape { principals, depth: 3 })?;
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

/// Applies the workload to a view and a fold.
pub(crate) fn fill(writer: &mut ViewWriter, fold: &mut OrgState, shape: Shape) -> Result<()> {
    let mut batch = Vec::new();
    for (record, sequence) in workload::shaped(shape, 1).zip(1..) {
        fold.apply_record(&record);
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
    /// On which project; few texts for many questions, as they are not what is measured.
    pub(crate) project: Arc<str>,
}

/// Questions drawn uniformly.
pub(crate) fn questions(principals: u128, count: usize) -> Vec<Asked> {
    let (mut dice, projects) = (Dice::new(2), projects());
    (0..count).map(|number| asked(number, dice.below(principals), &projects, dice.below(1000))).collect()
}

/// Questions most of which are about few principals and projects: by Zipf's law with exponent 1.1.
pub(crate) fn zipf_questions(principals: u128, count: usize) -> Vec<Asked> {
    let (mut dice, projects) = (Dice::new(3), projects());
    let (who, what) = (Zipf::new(principals), Zipf::new(1000));
    let one = |number| asked(number, who.draw(&mut dice), &projects, what.draw(&mut dice));
    (0..count).map(one).collect()
}

fn projects() -> Vec<Arc<str>> {
    (0..1000).map(|number| workload::project_id(number).to_string().into()).collect()
}

fn asked(number: usize, principal: u128, projects: &[Arc<str>], project: u128) -> Asked {
    Asked {
        principal,
        permission: PERMISSIONS.get(number % 3).copied().unwrap_or("read"),
        project: usize::try_from(project).ok().and_then(|at| projects.get(at)).cloned().unwrap_or_default(),
    }
}

/// Numbers of which the n-th is drawn n^1.1 times as rarely as the first.
struct Zipf {
    sums: Vec<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are enough to draw by")]
impl Zipf {
    fn new(count: u128) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| (rank as f64).powf(-1.1));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self { sums: sums.collect() }
    }

    fn draw(&self, dice: &mut Dice) -> u128 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let at = dice.below(1 << 53) as f64 / (1_u64 << 53) as f64 * all;
        self.sums.partition_point(|sum| *sum <= at) as u128
    }
}

impl Asked {
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            principal: Some(workload::principal(self.principal)),
            key: None,
            permission: self.permission,
            object: Target { object_type: "project", id: &self.project, project: None },
        }
    }

    pub(crate) fn ask(&self, snapshot: &Snapshot) -> Result<bool> {
        Ok(snapshot.check(ORG, &self.question(), AT)?.allows())
    }

    pub(crate) fn of_fold(&self, fold: &OrgState) -> bool {
        fold.check(&self.question(), AT).allows()
    }
}
