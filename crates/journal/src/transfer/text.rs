//! A journal as text: newline-delimited JSON, a line for what it is, a line for each item, and a line for its end,
//! without which it is not whole.
//!
//! Format 2, which is written, has lines for foreign messages; format 1, which is read too, has none.

use std::io::{BufRead, Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use grantbook_domain::id::OrgId;
use serde::{Deserialize, Serialize};

use crate::{
    Foreign, Identity, Item, Journal, READ_MAX_BYTES, ReadError, Stored, Tail,
    chain::{Chains, ForeignMet, OrgEnd, Step},
    frame::FRAME_MAX_BYTES,
    transfer::{FRAMES, TIMEOUT, Target, TransferError},
    verify::Report,
};

/// The format of the text that is written.
const FORMAT: u16 = 2;
/// The format before there were foreign messages, which is read too.
const FORMAT_WITHOUT_FOREIGN: u16 = 1;
/// A frame's text may need six times its bytes, each escaped, and a little more.
const LINE_MAX_BYTES: u64 = 6 * FRAME_MAX_BYTES as u64 + 1024;
/// A foreign message is as long as the servers take messages, 64 MiB at most, and in base64 (RFC 4648, section 4).
const FOREIGN_LINE_MAX_BYTES: u64 = 64 * 1024 * 1024 / 3 * 4 + 1024;

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
struct ForeignLine {
    sequence: u64,
    /// The last token of its subject.
    token: String,
    /// Its payload in base64 (RFC 4648, section 4).
    foreign: String,
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
    #[serde(default)]
    foreign: ForeignMet,
}

impl End {
    fn of(chains: &Chains, report: &Report) -> Self {
        let foreign = chains.end().foreign;
        Self {
            frames: report.frames,
            records: report.records,
            organizations: chains.orgs().collect(),
            foreign,
        }
    }
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
    let mut report = Report::new(head);
    while chains.end().sequence < head {
        let mut items = tail.next(FRAMES, TIMEOUT).await?;
        items.retain(|item| item.sequence() <= head);
        if items.is_empty() {
            return Err(ReadError::Damaged { sequence: chains.end().sequence.saturating_add(1) }.into());
        }
        for item in items {
            report.count(&item, &chains.take_item(&item)?);
            write_item(out, item)?;
        }
        progress(chains.end().sequence, head);
    }
    line(out, &EndLine { end: End::of(&chains, &report) })?;
    out.flush()?;
    report.organizations = chains.orgs().collect();
    Ok(report)
}

fn write_item(out: &mut impl Write, item: Item) -> Result<(), TransferError> {
    match item {
        Item::Frame(Stored { sequence, org, bytes, .. }) => {
            // What the chain took is JSON.
            let frame = String::from_utf8_lossy(&bytes).into_owned();
            line(out, &FrameLine { sequence, org, frame })
        }
        Item::Foreign(Foreign { sequence, token, bytes }) => {
            line(out, &ForeignLine { sequence, token, foreign: STANDARD.encode(bytes) })
        }
    }
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
    let format = head.grantbook_export;
    if ![FORMAT_WITHOUT_FOREIGN, FORMAT].contains(&format) {
        return Err(lines.fault("the format of the export is not understood"));
    }
    let identity = head.identity;
    let mut target = target(identity).await?;
    let mut chains = Chains::new(identity.installation);
    let (mut waiting, mut bytes, mut report) = (Vec::new(), 0, Report::new(0));
    let end = loop {
        let Some(text) = lines.next()? else { return Err(lines.fault("the text ends before its last line")) };
        if let Ok(EndLine { end }) = serde_json::from_str(&text.0) {
            break end;
        }
        let item = text.item(&lines, format)?;
        match chains.take_item(&item) {
            Ok(Step::Repeat) => return Err(lines.fault("the frame comes twice")),
            Ok(step) => report.count(&item, &step),
            Err(error) => return Err(lines.fault(&error.to_string())),
        }
        let sequence = item.sequence();
        bytes += item.bytes().len();
        waiting.push(item);
        if waiting.len() >= FRAMES.get() || bytes >= READ_MAX_BYTES {
            target.take(&waiting).await?;
            waiting.clear();
            bytes = 0;
            progress(sequence, sequence);
        }
    };
    target.take(&waiting).await?;
    let read = End::of(&chains, &report);
    if end != read {
        return Err(lines.fault("the last line does not tell of the frames before it"));
    }
    if lines.next()?.is_some() {
        return Err(lines.fault("the text goes on behind its last line"));
    }
    let report = target.verify().await?;
    let is_whole = report.organizations == read.organizations && report.foreign == read.foreign;
    if !is_whole || !report.violations.is_empty() {
        return Err(TransferError::Differ { sequence: report.head });
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
        let read =
            self.input.by_ref().take(LINE_MAX_BYTES.max(FOREIGN_LINE_MAX_BYTES)).read_line(&mut text)?;
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
    fn item<R: BufRead>(&self, lines: &Lines<R>, format: u16) -> Result<Item, TransferError> {
        if format != FORMAT_WITHOUT_FOREIGN
            && let Ok(ForeignLine { sequence, token, foreign }) = serde_json::from_str(&self.0)
        {
            let bytes = STANDARD.decode(foreign).map_err(|error| lines.fault(&error.to_string()))?.into();
            return Ok(Item::Foreign(Foreign { sequence, token, bytes }));
        }
        let FrameLine { sequence, org, frame } = self.parse(lines)?;
        Ok(Item::Frame(Stored { sequence, org, bytes: Bytes::from(frame), guard: None }))
    }

    fn parse<T: for<'a> Deserialize<'a>, R: BufRead>(&self, lines: &Lines<R>) -> Result<T, TransferError> {
        serde_json::from_str(&self.0).map_err(|error| lines.fault(&error.to_string()))
    }
}
