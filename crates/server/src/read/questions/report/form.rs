//! A report as text: a table by RFC 4180, one JSON document, or a line of JSON a row.

use grantbook_api::{
    questions::{
        access::ProjectChoice,
        explain::RecordRef,
        report::{COLUMNS, Gift, PrincipalState, ReportEnd, ReportFormat, ReportHead, ReportRow},
    },
    words::reference::{ActorType, GranteeType, Named, NamedObject, PrincipalType},
};
use serde::Serialize;
use serde_json::json;

use crate::http::problem::Failure;

/// Writes a report in a format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form(pub(super) ReportFormat);

impl Form {
    /// What comes before the rows.
    pub(crate) fn begin(self, out: &mut Vec<u8>, head: &ReportHead) -> Result<(), Failure> {
        match self.0 {
            ReportFormat::Csv => record(out, COLUMNS.map(str::to_owned)),
            ReportFormat::Json => {
                out.extend(b"{\"report\":");
                write_json(out, head)?;
                out.extend(b",\"rows\":[");
            }
            ReportFormat::Ndjson => {
                write_json(out, &json!({"report": head}))?;
                out.push(b'\n');
            }
        }
        Ok(())
    }

    /// A row, which is the `number`-th.
    pub(crate) fn row(self, out: &mut Vec<u8>, row: &ReportRow, number: u64) -> Result<(), Failure> {
        match self.0 {
            ReportFormat::Csv => record(out, cells(row, number)),
            ReportFormat::Json => {
                out.extend(if number == 1 { &b"\n"[..] } else { b",\n" });
                write_json(out, row)?;
            }
            ReportFormat::Ndjson => {
                write_json(out, row)?;
                out.push(b'\n');
            }
        }
        Ok(())
    }

    /// What says that nothing is missing.
    pub(crate) fn end(self, out: &mut Vec<u8>, head: &ReportHead, end: &ReportEnd) -> Result<(), Failure> {
        match self.0 {
            ReportFormat::Csv => {
                let mut cells = vec![String::new(); COLUMNS.len()];
                if let Some(first) = cells.first_mut() {
                    "end".clone_into(first);
                }
                if let Some(last) = cells.last_mut() {
                    *last = json!({"report": head, "end": end}).to_string();
                }
                record(out, cells);
            }
            ReportFormat::Json => {
                out.extend(b"\n],\"end\":");
                write_json(out, end)?;
                out.extend(b"}\n");
            }
            ReportFormat::Ndjson => {
                write_json(out, &json!({"end": end}))?;
                out.push(b'\n');
            }
        }
        Ok(())
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(out, value).map_err(|error| Failure::internal(&error))
}

/// One record of a table: cells with commas, quotes or line ends are quoted, and none can be taken for a formula.
fn record(out: &mut Vec<u8>, cells: impl IntoIterator<Item = String>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell };
        if cell.contains([',', '"', '\r', '\n']) {
            out.push(b'"');
            out.extend(cell.replace('"', "\"\"").bytes());
            out.push(b'"');
        } else {
            out.extend(cell.bytes());
        }
    }
    out.extend(b"\r\n");
}

/// The cells of a row, in the order of [`COLUMNS`]. Where a grant gives in several places, the places are separated by
/// ` | ` in all of the cells about them alike.
fn cells(row: &ReportRow, number: u64) -> Vec<String> {
    let of_gifts =
        |cell: &dyn Fn(&Gift) -> String| row.gives.iter().map(cell).collect::<Vec<_>>().join(" | ");
    let of_way = |cell: &dyn Fn(&grantbook_api::questions::report::ReportVia) -> String| {
        row.via.iter().map(cell).collect::<Vec<_>>().join(" > ")
    };
    let principal = &row.principal;
    vec![
        number.to_string(),
        match principal.kind {
            PrincipalType::User => "user",
            PrincipalType::Token => "token",
        }
        .to_owned(),
        principal.id.clone(),
        principal.name.clone().unwrap_or_default(),
        match principal.state {
            PrincipalState::Active => "active",
        }
        .to_owned(),
        of_gifts(&|gift| gift.permissions.join(" ")),
        of_gifts(&|gift| gift.object_types.join(" ")),
        of_gifts(&|gift| if gift.organization { "yes" } else { "no" }.to_owned()),
        of_gifts(&|gift| projects(&gift.projects)),
        of_gifts(&|gift| objects(&gift.objects, &gift.except_objects)),
        row.scope.clone(),
        row.grant.clone(),
        match row.to.kind {
            GranteeType::User => "user",
            GranteeType::Token => "token",
            GranteeType::Group => "group",
        }
        .to_owned(),
        row.to.id.clone(),
        row.to.name.clone().unwrap_or_default(),
        row.role.as_ref().map(shown).unwrap_or_default(),
        actor(&row.given),
        row.given.actor.id.clone().unwrap_or_default(),
        row.given.credential.clone().unwrap_or_default(),
        row.given.at.clone(),
        row.given.reason.clone().unwrap_or_default(),
        row.given.position.clone(),
        of_way(&|via| shown(&via.group)),
        of_way(&|via| actor(&via.added)),
        of_way(&|via| via.added.position.clone()),
        row.ends_at.clone().unwrap_or_default(),
        row.denied_by.join(" "),
        String::new(),
    ]
}

/// A name, or where there is none to be read, the id.
fn shown(named: &Named) -> String {
    if named.name.is_empty() { named.id.clone() } else { named.name.clone() }
}

fn actor(record: &RecordRef) -> String {
    let kind = match record.actor.kind {
        ActorType::User => "user",
        ActorType::Token => "token",
        ActorType::System => return "system".to_owned(),
        ActorType::Operator => return "operator".to_owned(),
    };
    let who = record.actor.name.as_ref().or(record.actor.id.as_ref());
    format!("{kind}:{}", who.map_or("", String::as_str))
}

fn projects(choice: &ProjectChoice) -> String {
    let names = |list: &[Named]| list.iter().map(shown).collect::<Vec<_>>().join("; ");
    match choice {
        ProjectChoice::Only(list) if list.is_empty() => "none".to_owned(),
        ProjectChoice::Only(list) => format!("only: {}", names(list)),
        ProjectChoice::AllBut(list) if list.is_empty() => "all".to_owned(),
        ProjectChoice::AllBut(list) => format!("all but: {}", names(list)),
    }
}

fn objects(only: &[NamedObject], except: &[NamedObject]) -> String {
    let name = |object: &NamedObject| {
        format!("{}:{}", object.object_type, object.name.as_ref().unwrap_or(&object.id))
    };
    let names = |list: &[NamedObject]| list.iter().map(name).collect::<Vec<_>>().join("; ");
    if except.is_empty() { names(only) } else { format!("{}; not {}", names(only), names(except)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cells: &[&str]) -> String {
        let mut out = Vec::new();
        record(&mut out, cells.iter().map(|cell| (*cell).to_owned()));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(written(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(
            written(&["a,b", "say \"x\"", "two\nlines"]),
            "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n"
        );
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "=cmd|' /C calc'!A0"] {
            assert_eq!(written(&[cell]), format!("'{cell}\r\n"), "{cell}");
        }
        assert_eq!(written(&["\rx", "=a,b"]), "\"'\rx\",\"'=a,b\"\r\n");
        assert_eq!(written(&["a=b", "1-2"]), "a=b,1-2\r\n");
    }
}
