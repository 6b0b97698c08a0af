//! Effective access as text, line by line: the same whatever the format of the view that wrote it, so that two can be compared.

use std::fmt::Write as _;

use grantbook_domain::{
    id::OrgId,
    position::{Position, RECORDS_PER_FRAME},
    principal::Principal,
    survey::{AccessRow, ProjectSet},
};

use crate::{error::ViewError, reader::Snapshot};

/// Principals looked at together; what they share is looked up once.
const TOGETHER: usize = 1000;

impl Snapshot {
    /// Who may do what as of the frame at `sequence`, expiry judged at the time of each organization's last record up to
    /// there. Gives each line to `sink`, without its end; organizations and principals by id, permissions in the order of
    /// the catalog.
    ///
    /// A line: `<org> user|token:<id> <permission> <types> [organization] <projects> [objects] [except]`. Whoever may do
    /// nothing has no line.
    pub fn access_listing<E: From<ViewError>>(
        &self,
        sequence: u64,
        mut sink: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        for org in self.orgs()? {
            let last = Position::of(sequence, RECORDS_PER_FRAME - 1);
            let moment = self.moment_after(org, last)?;
            if moment.position == Position::START {
                continue;
            }
            let then = self.as_of(moment.position);
            let mut after = None;
            loop {
                let page = then.principals(org, after, TOGETHER)?;
                let mut checker = then.checker(org, moment.at)?;
                for principal in &page {
                    for row in checker.access(*principal)?.rows {
                        sink(&line(org, *principal, &row))?;
                    }
                }
                after = page.last().copied();
                if page.len() < TOGETHER {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn line(org: OrgId, principal: Principal, row: &AccessRow) -> String {
    let mut line = match principal {
        Principal::User(id) => format!("{org} user:{id}"),
        Principal::Token(id) => format!("{org} token:{id}"),
    };
    // Writing into a string does not fail.
    let mut put = |text: std::fmt::Arguments<'_>| line.write_fmt(text).unwrap_or_default();
    put(format_args!(" {} on {}", row.permission, row.types.join(",")));
    if row.organization {
        put(format_args!(" organization"));
    }
    let (word, ids) = match &row.projects {
        ProjectSet::Only(ids) => ("only", ids),
        ProjectSet::AllBut(ids) => ("all-but", ids),
    };
    put(format_args!(" projects {word}"));
    for id in ids {
        put(format_args!(" {id}"));
    }
    for (word, objects) in [("objects", &row.objects), ("except", &row.except)] {
        if !objects.is_empty() {
            put(format_args!(" {word}"));
            // Ids are free text: quoted, so that a line stays a line.
            for one in objects {
                put(format_args!(" {}:{:?}", one.object_type, one.id));
            }
        }
    }
    line
}
