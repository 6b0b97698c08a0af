//! `grantbook report`: who had what, given by whom, as an auditor's file.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, ValueEnum};
use grantbook_api::{
    people::{names::Kind, reference::PrincipalArg},
    questions::report::{ReportEnd, ReportFormat, ReportQuery},
};
use grantbook_files::{self as files, Draft};
use serde::Deserialize;

use crate::shared::{bar::Bar, exit::Usage, session::Session};

const EXAMPLES: &str = "\
Examples:
  grantbook report --as-of 2026-06-30 --output access-2026-06-30.csv
  grantbook report --project production --permission update
  grantbook report --group not-production --format ndjson | head

Each row is one principal and one grant that gives it access: who granted it, when, why, and through which groups.
--as-of with a date is the last instant of that day, UTC. The last line states the number of rows. If it is missing,
the report is incomplete: run the command again. With --output, the file appears only when it is complete.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportArgs {
    /// Only of `token:NAME` or `user:EMAIL`.
    #[arg(long)]
    principal: Option<PrincipalArg>,
    /// Only what is held through this group.
    #[arg(long)]
    group: Option<String>,
    /// Only what is held on this project, or in it.
    #[arg(long)]
    project: Option<String>,
    /// Only this permission.
    #[arg(long)]
    permission: Option<String>,
    /// In which form; with --json it is `json` if this is absent.
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Write it to this file, which must not be there yet.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// A table: RFC 4180.
    Csv,
    /// One document.
    Json,
    /// A line of JSON a row.
    Ndjson,
}

pub(crate) async fn run(session: &Session, args: ReportArgs) -> anyhow::Result<()> {
    let format = match args.format {
        Some(FormatArg::Csv) => ReportFormat::Csv,
        Some(FormatArg::Json) => ReportFormat::Json,
        Some(FormatArg::Ndjson) => ReportFormat::Ndjson,
        None if session.out.is_json() => ReportFormat::Json,
        None => ReportFormat::Csv,
    };
    let mut query =
        ReportQuery { permission: args.permission, format: Some(format), ..ReportQuery::default() };
    if let Some(principal) = &args.principal {
        let principal = session.principal(principal).await?;
        query.principal = Some(format!("{}:{}", principal.kind, principal.id));
    }
    if let Some(group) = &args.group {
        query.group = Some(session.id(Kind::Group, group).await?);
    }
    if let Some(project) = &args.project {
        query.project = Some(session.id(Kind::Project, project).await?);
    }
    let told = |end: &ReportEnd| {
        format!("{} rows of {} principals, as of position {}", end.rows, end.principals, end.position)
    };
    let Some(path) = &args.output else {
        let end = stream_all(session, &query, format, &mut BufWriter::new(io::stdout())).await?;
        session.out.note(&told(&end));
        return Ok(());
    };
    let named = || path.display().to_string();
    ensure!(!files::is_taken(path), Usage(format!("{} is there already", named())));
    let mut draft = Draft::begin(path).with_context(named)?;
    let end = stream_all(session, &query, format, &mut draft).await?;
    draft.finish().with_context(named)?;
    session.out.note(&format!("{}, written to {}", told(&end), named()));
    Ok(())
}

/// Writes what comes and makes sure that it is whole.
async fn stream_all(
    session: &Session,
    query: &ReportQuery,
    format: ReportFormat,
    out: &mut impl Write,
) -> anyhow::Result<ReportEnd> {
    let mut stream = session.client.report(query).await?;
    let (mut bar, mut count) = (Bar::new(), Count::new(format));
    let poured = loop {
        match stream.next().await {
            Ok(Some(bytes)) => {
                count.take(&bytes);
                out.write_all(&bytes)?;
                bar.show_rows(count.rows, count.principals, stream.principals);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    bar.clear();
    out.flush()?;
    poured.context("the report broke off: make it again")?;
    let end =
        count.end.ok_or_else(|| anyhow!("the report is incomplete (no last line): run the command again"))?;
    let ReportEnd { rows, principals, .. } = end;
    let whole = (rows, principals) == (count.rows, count.principals);
    ensure!(whole, "{} of {rows} rows came: make the report again", count.rows);
    Ok(end)
}

/// Counts the rows of a report as its text goes by.
struct Count {
    is_table: bool,
    /// Inside a quoted cell, where a line end is no end.
    quoted: bool,
    line: Vec<u8>,
    principal: Vec<u8>,
    rows: u64,
    principals: u64,
    end: Option<ReportEnd>,
}

/// What is of interest in a last line.
#[derive(Deserialize)]
struct Last {
    end: ReportEnd,
}

impl Count {
    fn new(format: ReportFormat) -> Self {
        Self {
            is_table: matches!(format, ReportFormat::Csv),
            quoted: false,
            line: Vec::new(),
            principal: Vec::new(),
            rows: 0,
            principals: 0,
            end: None,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_table && *byte == b'"' {
                self.quoted = !self.quoted;
            }
            self.line.push(*byte);
            if *byte == b'\n' && !self.quoted {
                let line = std::mem::take(&mut self.line);
                self.line(&line);
                self.line = line;
                self.line.clear();
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let of_row = if self.is_table { of_record(line) } else { of_object(line) };
        match of_row {
            Some(principal) => {
                self.rows += 1;
                if principal != self.principal {
                    self.principals += 1;
                    self.principal = principal.to_vec();
                }
            }
            None => self.end = end(line, self.is_table).or(self.end.take()),
        }
    }
}

/// Type and id of the principal in a row of a table, if it is one: its first cell is a number.
fn of_record(line: &[u8]) -> Option<&[u8]> {
    let number = line.iter().position(|byte| *byte == b',')?;
    let is_row = number > 0 && line.get(..number)?.iter().all(u8::is_ascii_digit);
    let rest = line.get(number + 1..).filter(|_| is_row)?;
    let commas = rest.iter().enumerate().filter(|(_, byte)| **byte == b',');
    let second = commas.map(|(at, _)| at).nth(1)?;
    rest.get(..second)
}

/// The same of a row as JSON, on a line of its own.
fn of_object(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"{\"principal\":")?;
    let end = rest.windows(8).position(|part| part == b",\"name\":")?;
    rest.get(..end)
}

/// What the last line says.
fn end(line: &[u8], is_table: bool) -> Option<ReportEnd> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let json = if is_table {
        let cell = text.strip_prefix("end,")?.trim_start_matches(',');
        cell.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\"")
    } else {
        text.strip_prefix("],").map_or_else(|| text.to_owned(), |rest| format!("{{{rest}"))
    };
    serde_json::from_str(&json).ok().map(|Last { end }| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(format: ReportFormat, text: &str) -> (u64, u64, Option<u64>) {
        let mut count = Count::new(format);
        text.as_bytes().chunks(3).for_each(|bytes| count.take(bytes));
        (count.rows, count.principals, count.end.map(|end| end.rows))
    }

    #[test]
    fn rows_and_principals_are_counted_in_every_form() {
        let csv = "row,principal_type,principal_id,principal_name\r\n1,user,u1,\"a \"\"x\"\"\r\n9,user,u9,z\"\r\n\
            2,user,u1,b\r\n3,token,u1,c\r\n\
            end,,,\"{\"\"end\"\":{\"\"rows\"\":3,\"\"principals\"\":2,\"\"position\"\":\"\"p\"\"}}\"\r\n";
        assert_eq!(counted(ReportFormat::Csv, csv), (3, 2, Some(3)));
        let rows = ["user\",\"id\":\"u1", "user\",\"id\":\"u1", "token\",\"id\":\"u1"]
            .map(|who| format!("{{\"principal\":{{\"type\":\"{who}\",\"name\":null}}}}"));
        let end = "\"end\":{\"rows\":3,\"principals\":2,\"position\":\"p\"}}\n";
        let lines = format!("{{\"report\":{{}}}}\n{}\n{{{end}", rows.join("\n"));
        assert_eq!(counted(ReportFormat::Ndjson, &lines), (3, 2, Some(3)));
        let document = format!("{{\"report\":{{}},\"rows\":[\n{}\n],{end}", rows.join(",\n"));
        assert_eq!(counted(ReportFormat::Json, &document), (3, 2, Some(3)));
    }

    #[test]
    fn what_was_cut_off_has_no_end() {
        let csv = "row,principal_type,principal_id\r\n1,user,u1,a\r\n2,user,u1,\"b";
        assert_eq!(counted(ReportFormat::Csv, csv), (1, 1, None));
        assert_eq!(counted(ReportFormat::Ndjson, "{\"report\":{}}\n{\"principal\":{\"id\""), (0, 0, None));
    }
}
