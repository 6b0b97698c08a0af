//! Everything that is printed goes through here: data to stdout, talk to stderr.

use std::io::{self, Write};

use grantbook_api::{client::Answer, people::text::clean};
use serde::Serialize;
use serde_json::{Map, Value};

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A line of data. Not `println!`, which panics when the reader has gone.
    #[expect(clippy::unused_self, reason = "whoever prints holds an `Output`")]
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.write_all(b"\n")
    }

    /// A line of talk. If even stderr is gone there is nobody left to tell.
    #[expect(clippy::unused_self, reason = "whoever prints holds an `Output`")]
    pub(crate) fn note(self, text: &str) {
        for line in text.split('\n') {
            let _ = writeln!(io::stderr().lock(), "{}", clean(line));
        }
    }

    /// A value as JSON, on one line.
    pub(crate) fn json_line(self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// A value as JSON, for people to read too.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string_pretty(value)?)
    }

    /// One thing: JSON, or a line per member.
    pub(crate) fn thing(self, value: &impl Serialize) -> io::Result<()> {
        if self.json {
            return self.json(value);
        }
        let value = serde_json::to_value(value)?;
        self.line(&value.as_object().map_or_else(|| plain(&value), member_lines))
    }

    /// A whole list: JSON of the API's form, or a table.
    pub(crate) fn list<T: Serialize>(
        self,
        items: &[T],
        titles: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> io::Result<()> {
        if self.json {
            return self.items(items);
        }
        let rows: Vec<_> = items.iter().map(row).collect();
        self.table(titles, &rows)
    }

    /// A whole list as JSON, in the API's form.
    pub(crate) fn items<T: Serialize>(self, items: &[T]) -> io::Result<()> {
        self.json(&serde_json::json!({"items": items, "next": null}))
    }

    /// A table with left-aligned columns.
    pub(crate) fn table(self, titles: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let mut table = self.open_table(titles);
        table.rows(rows)?;
        table.end();
        Ok(())
    }

    /// A table whose rows come a page at a time; its columns are as wide as what came so far.
    pub(crate) fn open_table(self, titles: &[&str]) -> Table {
        let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
        Table { out: self, widths: vec![0; titles.len()], titles, is_empty: true }
    }

    /// What was made: JSON, or its id alone on stdout and a word about it on stderr.
    pub(crate) fn made<T: Serialize>(self, answer: &Answer<T>, id: &str, what: &str) -> io::Result<()> {
        if self.json {
            return self.json(&answer.value);
        }
        self.line(id)?;
        self.note(&format!("{what} {}", outcome(answer, "created")));
        Ok(())
    }

    /// What was done: JSON, or a word about it on stderr.
    pub(crate) fn done<T: Serialize>(self, answer: &Answer<T>, what: &str, how: &str) -> io::Result<()> {
        if self.json {
            return self.json(&answer.value);
        }
        self.note(&format!("{what} {}", outcome(answer, how)));
        Ok(())
    }
}

/// A table that is being printed.
pub(crate) struct Table {
    out: Output,
    titles: Vec<String>,
    widths: Vec<usize>,
    is_empty: bool,
}

impl Table {
    /// Prints more rows.
    pub(crate) fn rows(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let titles = [self.titles.clone()];
        let titles = if self.is_empty { &titles[..] } else { &[] };
        for (column, width) in self.widths.iter_mut().enumerate() {
            let cells = rows.iter().chain(titles).filter_map(|row| row.get(column));
            *width = cells.map(|cell| clean(cell).chars().count()).max().unwrap_or(0).max(*width);
        }
        self.is_empty = false;
        titles.iter().chain(rows).try_for_each(|row| self.out.line(&padded(row, &self.widths)))
    }

    /// Says so if there were none.
    pub(crate) fn end(self) {
        if self.is_empty {
            self.out.note("nothing to show");
        }
    }
}

fn outcome<T>(answer: &Answer<T>, how: &str) -> String {
    if answer.replayed { format!("{how} (by an earlier request with this id)") } else { how.to_owned() }
}

/// An optional text, or a dash.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn padded(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| {
            let cell = clean(cell);
            let missing = width.saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(missing))
        })
        .collect();
    cells.join("  ").trim_end().to_owned()
}

fn member_lines(members: &Map<String, Value>) -> String {
    let first = ["id", "type", "name", "email"];
    let ahead = first.iter().filter_map(|name| members.get_key_value(*name));
    let others = members.iter().filter(|(name, _)| !first.contains(&name.as_str()));
    let lines: Vec<String> =
        ahead.chain(others).map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    lines.join("\n")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => clean(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => clean(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a [31m b");
        let Value::Object(members) = json!({"name": "a\nid: forged", "id": "1"}) else { panic!() };
        assert_eq!(member_lines(&members), "id: 1\nname: a id: forged");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(padded(&["a".into(), "b".into()], &[3, 3]), "a    b");
    }
}
