//! What it costs to say what a record changed for a large group: in time, in memory, and in messages.

use anyhow::{Context, Result};
use grantbook_domain::{
    event::Event,
    model::Effect,
    position::Position,
    principal::Grantee,
    record::{Record, Recorded},
    scope::{ObjectRef, Scope},
};
use grantbook_views::{Batch, ViewWriter};

use crate::{
    parts::durable::identity,
    report::{nanos, processor_nanos, resident_mib, row, sizes, table},
    workload::{self, ORG, all_but, grant_to, group, group_id, member, principal, project, project_id, role},
};

/// What each member has besides.
const BESIDES: [&str; 3] = ["nothing", "one project, other permission", "one project, same permission"];
/// The last is one survey of all projects for each member, and is only taken of so many.
const EACH_MAX: u128 = 10_000;

pub(crate) fn run() -> Result<()> {
    let columns =
        ["members", "projects", "each has besides", "record", "processor time", "MiB more", "changes"];
    table("The changes of a record about a large group", &columns);
    for members in sizes(&[10_000, 100_000]) {
        for projects in sizes(&[100, 1_000]) {
            for besides in 0..BESIDES.len() {
                if besides < 2 || members <= EACH_MAX {
                    Crowd::of(members, projects, besides)?.measure()?;
                }
            }
        }
    }
    Ok(())
}

/// A view with a group 0 of many members.
struct Crowd {
    writer: ViewWriter,
    sequence: u64,
    words: [String; 3],
    projects: u128,
    _dir: tempfile::TempDir,
}

impl Crowd {
    fn of(members: u128, projects: u128, besides: usize) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (writer, _) = ViewWriter::open(&dir.path().join("view.redb"), identity().installation)?;
        let words =
            [members.to_string(), projects.to_string(), (*BESIDES.get(besides).context("what")?).to_owned()];
        let mut crowd = Self { writer, sequence: 0, words, projects, _dir: dir };
        crowd.apply(workload::founding())?;
        let other = Event::RoleCreated { role: workload::release_manager(&["read_acls"]) };
        let mut events = vec![other, group(0), group(1)];
        events.extend((0..projects).map(project));
        for number in 0..members {
            let one: Grantee = principal(number).into();
            events.extend(workload::person(number));
            events.push(member(one, 0));
            if besides > 0 {
                // Engineer, as the group will have, or a role that gives nothing of that.
                let on = ObjectRef::new("project", project_id(number % projects).to_string());
                let gives = role(if besides == 1 { 2 } else { 0 });
                events.push(grant_to(1_000_000 + number, one, gives, Scope::Object(on), Effect::Allow));
            }
        }
        for events in events.chunks(4_096) {
            crowd.apply(events.to_vec())?;
        }
        Ok(crowd)
    }

    fn apply(&mut self, events: Vec<Event>) -> Result<Recorded> {
        self.sequence += 1;
        let record = Record { ordinal: self.sequence, ..workload::record(events) };
        let recorded = Recorded { position: Position::of(self.sequence, 0), org: ORG, record };
        let records = [recorded.clone()];
        self.writer
            .apply(&Batch { records: &records, last_sequence: self.sequence, checkpoint: b"" }, false)?;
        Ok(recorded)
    }

    fn measure(mut self) -> Result<()> {
        let whole: Grantee = Grantee::Group(group_id(0));
        let above = grant_to(900_001, Grantee::Group(group_id(1)), role(0), all_but(1), Effect::Allow);
        let scenes = [
            ("a grant to it", vec![grant_to(900_000, whole, role(0), all_but(0), Effect::Allow)]),
            ("(a grant above)", vec![above]),
            ("nested below that", vec![member(whole, 1)]),
            ("one more member", vec![member(workload::owner().into(), 0)]),
            ("a project is made", vec![project(self.projects + 1)]),
        ];
        for (what, events) in scenes {
            let recorded = self.apply(events)?;
            let snapshot = self.writer.reader().snapshot()?;
            let (before, started) = (resident_mib(), processor_nanos());
            let changes = snapshot.changes_of(&recorded)?;
            let (took, more) = (processor_nanos() - started, resident_mib() - before);
            let [members, projects, besides] = self.words.clone();
            let cells = [what.to_owned(), nanos(took), format!("{more:.0}"), changes.len().to_string()];
            row(&[vec![members, projects, besides], cells.into()].concat());
        }
        Ok(())
    }
}
