//! Questions that look at many things, through the rows of a large organization: access, who-can, timelines, diff, report.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use grantbook_domain::{
    access::check::Target,
    position::Position,
    record::{Record, Recorded},
    state::OrgState,
};
use grantbook_views::{
    Batch, Comparison, ListCursor, Moment, Part, ReportFilter, Snapshot, TimelinePart, ViewWriter, Whose,
};

use crate::{
    parts::{check::fill, durable::identity},
    plot::{Axis, Plot},
    report::{float, nanos, row, sizes, table},
    workload::{self, AT, ORG, Shape, principal, project_id},
};

/// Records since the moment that is looked back to.
const CHANGES: u128 = 1_000;
/// Principals of a report, which are a part of the larger organizations.
const REPORTED: usize = 1_000;

pub(crate) fn run() -> Result<()> {
    table(
        "Questions that look at many things, in process, through redb",
        &["principals", "question", "mean", "asked"],
    );
    let (x, y) = (Axis::of("principals").by_tens(), Axis::time("mean").by_tens());
    let mut plot = Plot::new("questions-by-size", "Questions that look at many things", x, y);
    for principals in sizes(&[1_000, 10_000, 100_000]) {
        let organization = Organization::of(principals)?;
        organization.ask(&mut plot)?;
    }
    plot.write()
}

/// A large organization that has changed a little since a moment.
struct Organization {
    principals: u128,
    then: Moment,
    now: Moment,
    snapshot: Snapshot,
    _dir: tempfile::TempDir,
}

impl Organization {
    fn of(principals: u128) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (mut writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
        fill(&mut writer, &mut OrgState::default(), Shape { principals, depth: 3 })?;
        let first = writer.sequence();
        let records: Vec<Recorded> = (0..CHANGES)
            .zip(first + 1..)
            .map(|(number, sequence)| {
                let events = vec![workload::member(principal(number * 97 % principals).into(), number)];
                let record = Record { ordinal: sequence, ..workload::record(events) };
                Recorded { position: Position::of(sequence, 0), org: ORG, record }
            })
            .collect();
        let last_sequence = records.last().map_or(first, |last| last.position.sequence());
        writer.apply(&Batch { records: &records, last_sequence, checkpoint: b"" }, true)?;
        let snapshot = writer.reader().snapshot()?;
        let then = snapshot.moment_after(ORG, Position::of(first, 0))?;
        let now = snapshot.moment_after(ORG, Position::from_u64(u64::MAX))?;
        ensure!(now.position == Position::of(last_sequence, 0), "all of it is there");
        Ok(Self { principals, then, now, snapshot, _dir: dir })
    }

    fn ask(&self, plot: &mut Plot) -> Result<()> {
        let Self { principals, then, now, snapshot, .. } = self;
        let mut show = |what: &'static str, asked: usize, elapsed: Duration| -> Result<()> {
            let mean = u64::try_from(elapsed.as_nanos())? / asked.max(1) as u64;
            row(&[principals.to_string(), what.to_owned(), nanos(mean), asked.to_string()]);
            plot.add(what, float(*principals), float(mean.into()));
            Ok(())
        };
        let mut time = |what, count: u128, ask: &mut dyn FnMut(u128) -> Result<()>| -> Result<()> {
            let started = Instant::now();
            (0..count).try_for_each(|number| ask(number * 7919))?;
            show(what, usize::try_from(count)?, started.elapsed())
        };
        let someone = |number: u128| principal(number % principals);
        time("access of one", 200, &mut |number| Ok(snapshot.access(ORG, someone(number), AT).map(drop)?))?;
        let who_can = |project: u128, after: Option<&ListCursor>| {
            let id = project_id(project % 1_000).to_string();
            let object = Target { object_type: "project", id: &id, project: None };
            let part = Part { after, limit: 100 };
            let found = snapshot.checker(ORG, AT)?.who_can("update", object, Whose::Everybody, part)?;
            found.map_err(|reason| anyhow::anyhow!("{reason:?}"))
        };
        time("who-can, first page of 100", 10, &mut |number| who_can(number, None).map(drop))?;
        let mut after = who_can(1, None)?.next;
        time("who-can, a page after it", 10, &mut |_| {
            after = who_can(1, after.as_ref())?.next;
            Ok(())
        })?;
        let part = TimelinePart { steps: 100, ..TimelinePart::whole(*then, *now) };
        time("timeline of one", 50, &mut |number| {
            Ok(snapshot.timeline(ORG, someone(number / 7919 * 97), &part).map(drop)?)
        })?;
        time("timeline of a project", 1, &mut |number| {
            Ok(snapshot.project_timeline(ORG, project_id(number % 1_000), &part).map(drop)?)
        })?;
        let started = Instant::now();
        let changed = self.diff()?;
        show("diff of all", 1, started.elapsed())?;
        ensure!(changed > 0, "somebody gained something");
        let started = Instant::now();
        let rows = self.report()?;
        show("report, a row", rows, started.elapsed())
    }

    fn diff(&self) -> Result<usize> {
        let (before, everybody) = (self.snapshot.as_of(self.then.position), usize::MAX);
        let mut comparison =
            Comparison::between(ORG, (&before, self.then.at), (&self.snapshot, self.now.at), None)?;
        let mut changed = 0;
        for one in self.snapshot.principals(ORG, None, everybody)? {
            changed += usize::from(!comparison.of(one)?.is_empty());
        }
        Ok(changed)
    }

    fn report(&self) -> Result<usize> {
        let mut report = self.snapshot.report(ORG, AT, ReportFilter::default())?;
        let mut rows = 0;
        for one in self.snapshot.principals(ORG, None, REPORTED)? {
            rows += report.of(one)?.len();
        }
        (rows > 0).then_some(rows).context("somebody has something")
    }
}
