//! A journal as text: newline-delimited JSON, a line for what it is, a line for each frame, and a line for its end,
//! without which it is not whole.

use std::io::{BufRead, Read, Write};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use serde::{Deserialize, Serialize};

use super::{FRAMES, PATIENCE, Target, TransferError};
use crate::{
    Identity, Journal, ReadError, Stored, Tail,
    chain::{Chains, OrgEnd, Step},
    frame::FRAME_MAX_BYTES,
    verify::Report,
};

/// The format of the text.
const FORMAT: u16 = 1;
/// A frame's text may need six times its bytes, each escaped, and a little more.
const LINE_MAX_BYTES: u64 = 6 * FRAME_MAX_BYTES as u64 + 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    grantbook_export: u16,
    identity: Identity,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameLine {
    sequence: u64,
    org: OrgId,
    frame: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: End,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    frames: u64,
    records: u64,
    organizations: Vec<(OrgId, OrgEnd)>,
}

/// Writes the journal as it is now. Its chain is checked on the way.
pub async fn export<J: Journal>(
    source: &J,
    out: &mut (impl Write + Send),
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, TransferError> {
    let identity = source.identity();
    line(out, &Head { grantbook_export: FORMAT, identity })?;
    let (head, mut tail) = (source.head().await?, source.tail(0));
    let mut chains = Chains::new(identity.installation);
    let mut records = 0;
    while chains.end().sequence < head {
        let mut frames = tail.next(FRAMES, PATIENCE).await?;
        frames.retain(|stored| stored.sequence <= head);
        if frames.is_empty() {
            return Err(ReadError::Damaged { sequence: chains.end().sequence.saturating_add(1) }.into());
        }
        for Stored { sequence, org, bytes, guard } in frames {
            let stored = Stored { sequence, org, bytes, guard };
            if let Step::Next(frame) = chains.take(&stored)? {
                records += frame.records.len() as u64;
            }
            // What the chain took is JSON.
            let frame = String::from_utf8_lossy(&stored.bytes).into_owned();
            line(out, &FrameLine { sequence, org, frame })?;
        }
        progress(chains.end().sequence, head);
    }
    let organizations: Vec<_> = chains.orgs().collect();
    let end = End { frames: head, records, organizations: organizations.clone() };
    line(out, &EndLine { end })?;
    out.flush()?;
    Ok(Report {
        head,
        frames: head,
        records,
        guards: 0,
        organizations,
        violations: Vec::new(),
        mended: Vec::new(),
    })
}

/// Reads a text into a new journal, which `target` makes for the identity that the text names. Nothing is opened by any
/// service unless the text is whole.
pub async fn import<F: Future<Output = Result<Target, TransferError>>>(
    input: impl BufRead,
    target: impl FnOnce(Identity) -> F,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, TransferError> {
    let mut lines = Lines { input, number: 0 };
    let head: Head = lines.next()?.ok_or_else(|| lines.fault("the text is empty"))?.parse(&lines)?;
    if head.grantbook_export != FORMAT {
        return Err(lines.fault("the format of the export is not understood"));
    }
    let identity = head.identity;
    let mut target = target(identity).await?;
    let mut chains = Chains::new(identity.installation);
    let (mut waiting, mut records) = (Vec::new(), 0);
    let end = loop {
        let Some(text) = lines.next()? else { return Err(lines.fault("the text ends before its last line")) };
        if let Ok(EndLine { end }) = serde_json::from_str(&text.0) {
            break end;
        }
        let FrameLine { sequence, org, frame } = text.parse(&lines)?;
        let stored = Stored { sequence, org, bytes: Bytes::from(frame), guard: None };
        match chains.take(&stored) {
            Ok(Step::Next(frame)) => records += frame.records.len() as u64,
            Ok(Step::Repeat) => return Err(lines.fault("the frame comes twice")),
            Err(error) => return Err(lines.fault(&error.to_string())),
        }
        waiting.push(stored);
        if waiting.len() >= FRAMES.get() {
            target.take(&waiting).await?;
            waiting.clear();
            progress(sequence, sequence);
        }
    };
    target.take(&waiting).await?;
    let read = End { frames: chains.end().sequence, records, organizations: chains.orgs().collect() };
    if end != read {
        return Err(lines.fault("the last line does not tell of the frames before it"));
    }
    if lines.next()?.is_some() {
        return Err(lines.fault("the text goes on behind its last line"));
    }
    let report = target.verify().await?;
    if report.organizations != read.organizations || !report.violations.is_empty() {
        return Err(TransferError::Differ { sequence: report.frames });
    }
    target.finish().await?;
    Ok(report)
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

struct Lines<R> {
    input: R,
    number: u64,
}

struct Line(String);

impl<R: BufRead> Lines<R> {
    /// The next line; none at the end. A line that is too long is no line of an export.
    fn next(&mut self) -> Result<Option<Line>, TransferError> {
        self.number += 1;
        let mut text = String::new();
        let read = self.input.by_ref().take(LINE_MAX_BYTES).read_line(&mut text)?;
        if read == 0 {
            return Ok(None);
        }
        if !text.ends_with('\n') {
            return Err(self.fault("the line is cut off or too long"));
        }
        Ok(Some(Line(text)))
    }

    fn fault(&self, fault: &str) -> TransferError {
        TransferError::Text { line: self.number, fault: fault.to_owned() }
    }
}

impl Line {
    fn parse<T: for<'a> Deserialize<'a>, R: BufRead>(&self, lines: &Lines<R>) -> Result<T, TransferError> {
        serde_json::from_str(&self.0).map_err(|error| lines.fault(&error.to_string()))
    }
}
