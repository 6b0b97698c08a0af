//! A frame's messages for one stream, in order. Blocks; runs beside the runtime.

use std::fmt::Write as _;

use bytes::Bytes;
use grantbook_api::questions::feed::{CloudEvent, TYPE_PREFIX};
use grantbook_domain::{
    id::{InstallationId, OrgId},
    position::{Position, RECORDS_PER_FRAME},
    record::Recorded,
};
use grantbook_journal::{
    Item,
    hash::Hash,
    jetstream::{Derived, Message, Place},
};
use grantbook_views::{Snapshot, ViewError, ViewReader};

use crate::subscribe::feed;

/// Why a frame is not rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    /// The view cannot be read.
    #[error("{0}")]
    View(#[from] ViewError),
    /// The view should hold it, and does not.
    #[error("the view does not hold frame {0} of the journal")]
    Missing(u64),
}

/// An item that was rendered.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) sequence: u64,
    pub(super) hash: Hash,
    /// Without a subject yet: the organization and the name are.
    pub(super) messages: Vec<Unplaced>,
}

/// A message whose subject is still to be made.
#[derive(Debug)]
pub(super) struct Unplaced {
    pub(super) place: Place,
    pub(super) org: OrgId,
    pub(super) name: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Unplaced {
    /// With its subject, and the hash of the frame that it was made from.
    pub(super) fn at(self, subject: String, frame: Hash) -> Message {
        let Self { place, headers, body, .. } = self;
        Message { place, frame, subject, headers, body }
    }
}

/// Renders items that the view holds already. Of a foreign message comes nothing, and it has its place.
pub(super) fn render(
    reader: &ViewReader,
    installation: InstallationId,
    derived: Derived,
    items: &[Item],
) -> Result<Vec<Rendered>, RenderError> {
    let snapshot = reader.snapshot()?;
    let messages = |item: &Item| {
        let (mut messages, hash) = (Vec::new(), item.hash());
        let Some(stored) = item.frame() else {
            return Ok(Rendered { sequence: item.sequence(), hash, messages });
        };
        for index in 0..RECORDS_PER_FRAME {
            let position = Position::of(stored.sequence, index);
            match snapshot.record(stored.org, position)? {
                Some(record) => {
                    let recorded = Recorded { position, org: stored.org, record };
                    messages.extend(of_record(&snapshot, installation, derived, &recorded)?);
                }
                None if index == 0 => return Err(RenderError::Missing(stored.sequence)),
                None => break,
            }
        }
        Ok(Rendered { sequence: stored.sequence, hash, messages })
    };
    items.iter().map(messages).collect()
}

fn of_record(
    snapshot: &Snapshot,
    installation: InstallationId,
    derived: Derived,
    recorded: &Recorded,
) -> Result<Vec<Unplaced>, ViewError> {
    let events: Vec<CloudEvent> = match derived {
        Derived::Events => feed::events_of(installation, recorded),
        Derived::Changes => {
            let changes = feed::changes_of(snapshot, installation, recorded)?;
            changes.iter().map(|changed| changed.message(recorded)).collect()
        }
    };
    let place = |part| Place::of(recorded.position, part);
    Ok((0..).zip(events).map(|(part, event)| unplaced(place(part), recorded.org, event)).collect())
}

/// In the binary mode of `CloudEvents` for NATS: each attribute a header, the data the body.
fn unplaced(place: Place, org: OrgId, event: CloudEvent) -> Unplaced {
    let CloudEvent { specversion, id, source, kind, subject, time, datacontenttype, data } = event;
    let name = kind.strip_prefix(TYPE_PREFIX).unwrap_or(&kind).to_owned();
    let attributes = [
        ("ce-specversion", specversion),
        ("ce-id", id),
        ("ce-source", source),
        ("ce-type", kind),
        ("ce-subject", subject),
        ("ce-time", time),
        ("ce-datacontenttype", datacontenttype.clone()),
    ];
    let mut headers: Vec<_> =
        attributes.into_iter().map(|(header, value)| (header, encoded(&value))).collect();
    // What a reader of HTTP's binary mode looks at; it begins with no `application/cloudevents`, so the mode is binary.
    headers.push(("Content-Type", datacontenttype));
    Unplaced { place, org, name, headers, body: data.to_string().into() }
}

/// A value as the binding wants it: spaces, quotes, percent signs and what is not printable ASCII percent-encoded.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'%') {
            text.push(char::from(byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_encoded_as_the_binding_says() {
        assert_eq!(encoded("urn:grantbook:organization:a-b/7"), "urn:grantbook:organization:a-b/7");
        assert_eq!(encoded("a \"b\" 100%\r\n"), "a%20%22b%22%20100%25%0D%0A");
        assert_eq!(encoded("Euro \u{20ac} \u{1f600}"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
    }
}
