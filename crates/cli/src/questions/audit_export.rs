//! `grantbook audit --output FILE`: all records, one a line; what was interrupted goes on where the file ends.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use anyhow::{Context as _, anyhow, ensure};
use chrono::DateTime;
use grantbook_api::{
    people::when::now,
    questions::audit::{AuditEnd, AuditItem, AuditQuery, AuditTotal},
};
use grantbook_files as files;

use crate::shared::{bar::Bar, exit::Usage, session::Session};

/// Writes what the query finds to a file of its own; `resume` goes on behind its last whole line.
pub(crate) async fn run(
    session: &Session,
    mut query: AuditQuery,
    path: &Path,
    resume: bool,
) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let file = if resume && files::is_taken(path) {
        let mut file = files::open(path).with_context(named)?;
        let (end, last) = last_line(&file).with_context(named)?;
        file.set_len(end).with_context(named)?;
        file.seek(SeekFrom::Start(end)).with_context(named)?;
        if !last.is_empty() {
            let last: AuditItem = serde_json::from_slice(&last)
                .map_err(|_| Usage(format!("{} does not end with a record of the audit log", named())))?;
            query.after = Some(last.position);
        }
        file
    } else {
        files::create_new(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                Usage(format!("{} is there: --resume goes on where it ends", named())).into()
            } else {
                anyhow::Error::from(error).context(named())
            }
        })?
    };
    let mut file = BufWriter::new(file);
    let poured = stream_all(session, &query, &mut file).await;
    // What came before an interruption is kept, so that it need not come again.
    let kept = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    kept.with_context(named)?;
    let AuditTotal { count, position } = poured.with_context(|| {
        format!("the export broke off: the same command with --resume goes on where {} ends", named())
    })?;
    session.out.note(&format!("{count} records written to {}, complete up to position {position}", named()));
    Ok(())
}

/// Where the last whole line ends, and that line.
fn last_line(text: impl io::Read) -> io::Result<(u64, Vec<u8>)> {
    let mut lines = BufReader::new(text);
    let (mut end, mut last, mut line) = (0, Vec::new(), Vec::new());
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)?;
        if length == 0 || line.pop() != Some(b'\n') {
            return Ok((end, last));
        }
        end += length as u64;
        std::mem::swap(&mut last, &mut line);
    }
}

async fn stream_all(
    session: &Session,
    query: &AuditQuery,
    file: &mut BufWriter<File>,
) -> anyhow::Result<AuditTotal> {
    let mut lines = session.client.audit_lines(query).await?;
    let (mut bar, mut count, mut begun) = (Bar::new(), 0, None);
    let until = millis(&now());
    let result = loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => break Err(anyhow!("the answer ended without saying that it is whole")),
            Err(error) => break Err(error.into()),
        };
        let Ok(item) = serde_json::from_slice::<AuditItem>(&line) else {
            let AuditEnd { end } = serde_json::from_slice(&line).context("a line that is no record")?;
            ensure!(end.count == count, "{count} of {} records came", end.count);
            break Ok(end);
        };
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        count += 1;
        let at = DateTime::parse_from_rfc3339(&item.at).map(|at| millis(&at)).unwrap_or_default();
        let from = *begun.get_or_insert(at);
        bar.show_records(count, at.saturating_sub(from), until.saturating_sub(from));
    };
    bar.clear();
    result
}

fn millis<Z: chrono::TimeZone>(at: &DateTime<Z>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_line_is_no_line() {
        for (text, end, last) in
            [("", 0, ""), ("half", 0, ""), ("a\n", 2, "a"), ("a\nbc\nhal", 5, "bc"), ("a\n\n", 3, "")]
        {
            let found = last_line(text.as_bytes()).unwrap();
            assert_eq!(found, (end, last.as_bytes().to_vec()), "{text:?}");
        }
    }
}
