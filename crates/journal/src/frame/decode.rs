//! Reading frames, strictly: what is not understood to the last byte is refused, never skipped.

use grantbook_domain::{
    position::RECORDS_PER_FRAME,
    record::{READ_SCHEMAS, Record},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    frame::{
        FRAME_FORMAT, FRAME_MAX_BYTES, Frame, FrameError, FrameHead, HEAD_MAX_BYTES, RECORD_MAX_BYTES,
        fault_of, write_head,
    },
    hash::Hash,
};

/// Reads a frame. Together with the chain's checks, which compare the head with what is known, no changed byte
/// passes: the body is covered by its hash, and the head has only one way of being written.
pub fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
    if bytes.len() > FRAME_MAX_BYTES {
        return Err(FrameError::TooLarge { bytes: bytes.len() });
    }
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let head = decode_head(parts.next().unwrap_or_default())?;
    let body = parts.next().filter(|body| !body.is_empty()).ok_or(FrameError::Empty)?;
    if Hash::of(body) != head.body {
        return Err(FrameError::Body);
    }
    Ok(Frame { head, records: decode_body(body)?, hash: Hash::of(bytes) })
}

fn decode_head(line: &[u8]) -> Result<FrameHead, FrameError> {
    let head: FrameHead =
        serde_json::from_slice(line).map_err(|error| explain_head(line, &error.to_string()))?;
    if head.format != FRAME_FORMAT {
        return Err(FrameError::Format { found: u64::from(head.format) });
    }
    if head.signature.is_some() {
        return Err(FrameError::Signed);
    }
    let mut canonical = Vec::with_capacity(HEAD_MAX_BYTES);
    write_head(&head, &mut canonical)?;
    if canonical == line { Ok(head) } else { Err(FrameError::NotCanonical) }
}

/// A head of another version rarely fits ours: say that it is another version, rather than what does not fit.
fn explain_head(line: &[u8], fault: &str) -> FrameError {
    #[derive(Deserialize)]
    struct Outline {
        format: u64,
        signature: Option<IgnoredAny>,
    }
    match serde_json::from_slice(line) {
        Ok(Outline { format, .. }) if format != u64::from(FRAME_FORMAT) => {
            FrameError::Format { found: format }
        }
        Ok(Outline { signature: Some(_), .. }) => FrameError::Signed,
        Ok(_) | Err(_) => FrameError::Head(fault.to_owned()),
    }
}

fn decode_body(body: &[u8]) -> Result<Vec<Record>, FrameError> {
    let mut records: Vec<Record> = Vec::new();
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if records.len() as u64 >= RECORDS_PER_FRAME {
            return Err(FrameError::TooMany);
        }
        let record = decode_record(index, line)?;
        let expected = records.last().map_or(record.ordinal.max(1), |last| last.ordinal.saturating_add(1));
        if record.ordinal != expected {
            return Err(FrameError::Ordinal { expected, found: record.ordinal });
        }
        records.push(record);
    }
    Ok(records)
}

/// Schema 2 only adds members and events to schema 1, so one decoder reads both; a schema that changes one gets an arm of its
/// own here. Decoders stay for as long as there are journals.
fn decode_record(index: usize, line: &[u8]) -> Result<Record, FrameError> {
    if line.len() > RECORD_MAX_BYTES {
        return Err(FrameError::RecordTooLarge { bytes: line.len() });
    }
    match serde_json::from_slice::<Record>(line) {
        Ok(record) if READ_SCHEMAS.contains(&record.schema) => match fault_of(&record) {
            None => Ok(record),
            Some(fault) => Err(FrameError::Record { index, fault: fault.to_owned() }),
        },
        Ok(record) => Err(FrameError::Schema { found: u64::from(record.schema) }),
        // A record of another version rarely fits ours: say that it is another version, rather than what does not fit.
        Err(error) => match schema_of(line) {
            Some(found) if !READ_SCHEMAS.iter().any(|known| u64::from(*known) == found) => {
                Err(FrameError::Schema { found })
            }
            Some(_) | None => Err(FrameError::Record { index, fault: error.to_string() }),
        },
    }
}

fn schema_of(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Outline {
        schema: u64,
    }
    serde_json::from_slice(line).ok().map(|outline: Outline| outline.schema)
}
