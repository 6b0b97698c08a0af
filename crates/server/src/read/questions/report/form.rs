//! A report as text: a table by RFC 4180, one JSON document, or a line of JSON a row.

use std::borrow::Cow;

use grantbook_api::{
    questions::{
        access::ProjectChoice,
        explain::RecordRef,
        report::{
            COLUMNS, Gift, PrincipalState, ReportEnd, ReportFormat, ReportHead, ReportPrincipal, ReportVia,
        },
    },
    words::reference::{ActorType, GranteeType, Named, NamedGrantee, NamedObject, PrincipalType},
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
            ReportFormat::Csv => record(out, COLUMNS.map(Cow::from)),
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
    pub(crate) fn row(self, out: &mut Vec<u8>, row: &RowText<'_>, number: u64) -> Result<(), Failure> {
        match self.0 {
            ReportFormat::Csv => record(out, row.cells(number)),
            ReportFormat::Json => {
                out.extend(if number == 1 { &b"\n"[..] } else { b",\n" });
                row.write_json(out)?;
            }
            ReportFormat::Ndjson => {
                row.write_json(out)?;
                out.push(b'\n');
            }
        }
        Ok(())
    }

    fn is_table(self) -> bool {
        match self.0 {
            ReportFormat::Csv => true,
            ReportFormat::Json | ReportFormat::Ndjson => false,
        }
    }

    /// A principal, for all of its rows.
    pub(super) fn principal(self, principal: &ReportPrincipal) -> Result<PrincipalText, Failure> {
        let cells = if self.is_table() { principal_cells(principal) } else { Vec::new() };
        let json = if self.is_table() { String::new() } else { text(principal)? };
        Ok(PrincipalText { json, cells })
    }

    /// What a grant gives, for all whom it gives the same.
    pub(super) fn grant(self, words: &GrantWords) -> Result<GrantText, Failure> {
        if self.is_table() {
            let (cells, denied_by) = (grant_cells(words), words.denied_by.join(" "));
            return Ok(GrantText { json: String::new(), denied_by, cells });
        }
        let json = text(words)?;
        // Without the braces: the members stand among those of a row.
        let json = json.strip_prefix('{').and_then(|json| json.strip_suffix('}')).unwrap_or_default();
        Ok(GrantText { json: json.to_owned(), denied_by: text(&words.denied_by)?, cells: Vec::new() })
    }

    /// A membership.
    pub(super) fn step(self, via: &ReportVia) -> Result<WayText, Failure> {
        if self.is_table() {
            let cells = [shown(&via.group), actor(&via.added), via.added.position.clone()];
            return Ok(WayText { json: String::new(), cells });
        }
        Ok(WayText { json: text(via)?, ..WayText::default() })
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
                record(out, cells.into_iter().map(Cow::from));
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

/// The words of a grant in a row.
#[derive(Serialize)]
pub(super) struct GrantWords {
    pub(super) gives: Vec<Gift>,
    pub(super) scope: String,
    pub(super) grant: String,
    pub(super) to: NamedGrantee,
    pub(super) role: Option<Named>,
    pub(super) given: RecordRef,
    #[serde(skip)]
    pub(super) denied_by: Vec<String>,
}

/// A principal as rows have it.
pub(super) struct PrincipalText {
    json: String,
    cells: Vec<String>,
}

/// A grant as rows have it.
pub(super) struct GrantText {
    /// The members of [`GrantWords`].
    json: String,
    denied_by: String,
    cells: Vec<String>,
}

/// A part of a way as rows have it.
#[derive(Default)]
pub(super) struct WayText {
    json: String,
    /// Groups, who put each member in, and by which record.
    cells: [String; 3],
}

impl WayText {
    /// Adds what comes next.
    pub(super) fn push(&mut self, next: &Self) {
        let is_first = self.json.is_empty() && self.cells.iter().all(String::is_empty);
        if !is_first {
            self.json.push(',');
            self.cells.iter_mut().for_each(|cell| cell.push_str(" > "));
        }
        self.json.push_str(&next.json);
        self.cells.iter_mut().zip(&next.cells).for_each(|(cell, next)| cell.push_str(next));
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.json.len() + self.cells.iter().map(String::len).sum::<usize>()
    }
}

/// A row of the report, put together of what it shares with others.
pub(crate) struct RowText<'a> {
    pub(super) principal: &'a PrincipalText,
    pub(super) grant: &'a GrantText,
    pub(super) first: Option<&'a WayText>,
    pub(super) beyond: &'a WayText,
    pub(super) ends_at: Option<String>,
}

impl RowText<'_> {
    /// The parts of its way, in order.
    fn way(&self) -> impl Iterator<Item = &WayText> {
        self.first.into_iter().chain([self.beyond]).filter(|part| part.len() > 0)
    }

    /// A [`ReportRow`](grantbook_api::questions::report::ReportRow).
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        out.extend(b"{\"principal\":");
        out.extend(self.principal.json.as_bytes());
        out.push(b',');
        out.extend(self.grant.json.as_bytes());
        out.extend(b",\"via\":[");
        for (index, part) in self.way().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend(part.json.as_bytes());
        }
        out.extend(b"],\"ends_at\":");
        write_json(out, &self.ends_at)?;
        out.extend(b",\"denied_by\":");
        out.extend(self.grant.denied_by.as_bytes());
        out.push(b'}');
        Ok(())
    }

    /// The cells, in the order of [`COLUMNS`].
    fn cells(&self, number: u64) -> impl Iterator<Item = Cow<'_, str>> {
        let shared =
            self.principal.cells.iter().chain(&self.grant.cells).map(|cell| Cow::from(cell.as_str()));
        let way = (0..3).map(|index| {
            let parts: Vec<&str> =
                self.way().filter_map(|part| part.cells.get(index)).map(String::as_str).collect();
            Cow::from(parts.join(" > "))
        });
        let last = [self.ends_at.as_deref().unwrap_or_default(), &self.grant.denied_by, ""];
        let number = Cow::from(number.to_string());
        [number].into_iter().chain(shared).chain(way).chain(last.map(Cow::from))
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(out, value).map_err(|error| Failure::internal(&error))
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal(&error))
}

/// One record of a table: cells with commas, quotes or line ends are quoted, and none can be taken for a formula.
fn record<'c>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = Cow<'c, str>>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let is_quoted = cell.contains([',', '"', '\r', '\n']);
        if is_quoted {
            out.push(b'"');
        }
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            out.push(b'\'');
        }
        if is_quoted {
            out.extend(cell.replace('"', "\"\"").bytes());
            out.push(b'"');
        } else {
            out.extend(cell.bytes());
        }
    }
    out.extend(b"\r\n");
}

/// The cells of a principal.
fn principal_cells(principal: &ReportPrincipal) -> Vec<String> {
    let kind = match principal.kind {
        PrincipalType::User => "user",
        PrincipalType::Token => "token",
    };
    let state = match principal.state {
        PrincipalState::Active => "active",
    };
    let name = principal.name.clone().unwrap_or_default();
    vec![kind.to_owned(), principal.id.clone(), name, state.to_owned()]
}

/// The cells of a grant. Where it gives in several places, the places are separated by ` | ` in all of the cells about them
/// alike.
fn grant_cells(words: &GrantWords) -> Vec<String> {
    let of_gifts =
        |cell: &dyn Fn(&Gift) -> String| words.gives.iter().map(cell).collect::<Vec<_>>().join(" | ");
    let to = match words.to.kind {
        GranteeType::User => "user",
        GranteeType::Token => "token",
        GranteeType::Group => "group",
    };
    vec![
        of_gifts(&|gift| gift.permissions.join(" ")),
        of_gifts(&|gift| gift.object_types.join(" ")),
        of_gifts(&|gift| if gift.organization { "yes" } else { "no" }.to_owned()),
        of_gifts(&|gift| projects(&gift.projects)),
        of_gifts(&|gift| objects(&gift.objects, &gift.except_objects)),
        words.scope.clone(),
        words.grant.clone(),
        to.to_owned(),
        words.to.id.clone(),
        words.to.name.clone().unwrap_or_default(),
        words.role.as_ref().map(shown).unwrap_or_default(),
        actor(&words.given),
        words.given.actor.id.clone().unwrap_or_default(),
        words.given.credential.clone().unwrap_or_default(),
        words.given.at.clone(),
        words.given.reason.clone().unwrap_or_default(),
        words.given.position.clone(),
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
        record(&mut out, cells.iter().map(|cell| Cow::from(*cell)));
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
