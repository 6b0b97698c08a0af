//! Cursors of lists: opaque, bound to one list and to the position at which it was begun.

use std::fmt::Write as _;

use grantbook_domain::position::Position;
use sha2::{Digest, Sha256};

use crate::http::problem::Failure;

/// Bytes of the digest that binds a cursor to its list.
const BINDING: usize = 12;
/// Bytes of the position.
const POSITION: usize = 8;

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The position at which the list was begun.
    pub(crate) at: Position,
    /// The place of the last item given, in the words of its list.
    pub(crate) after: Vec<u8>,
}

impl Cursor {
    /// Its text: hexadecimal digest, position and place. `list` names organization, route and filters.
    pub(crate) fn encode(&self, list: &str) -> String {
        let at = self.at.get().to_be_bytes();
        let mut text = String::with_capacity(2 * (BINDING + POSITION + self.after.len()));
        for byte in binding(list, &at, &self.after).iter().chain(&at).chain(&self.after) {
            let _infallible = write!(text, "{byte:02x}");
        }
        text
    }

    /// Reads what [`Cursor::encode`] wrote for the same list; anything else is refused.
    pub(crate) fn decode(text: &str, list: &str) -> Result<Self, Failure> {
        let read = bytes(text).and_then(|bytes| {
            let (bound, rest) = bytes.split_at_checked(BINDING)?;
            let (at, after) = rest.split_at_checked(POSITION)?;
            let genuine = binding(list, at, after) == bound;
            let at = Position::from_u64(u64::from_be_bytes(at.try_into().ok()?));
            genuine.then(|| Self { at, after: after.to_vec() })
        });
        read.ok_or_else(|| {
            Failure::invalid("the parameter cursor is not one of this list with these filters")
        })
    }
}

fn binding(list: &str, at: &[u8], after: &[u8]) -> [u8; BINDING] {
    let mut digest = Sha256::new();
    for part in [b"cursor", list.as_bytes(), at, after] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut bound = [0; BINDING];
    for (to, from) in bound.iter_mut().zip(digest) {
        *to = from;
    }
    bound
}

/// Only what [`Cursor::encode`] writes: two digits a byte, in lower case.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_for_its_own_list_only() {
        let cursor = Cursor { at: Position::of(7, 3), after: vec![0, 255, 16] };
        let text = cursor.encode("org\nprojects\n");
        assert_eq!(Cursor::decode(&text, "org\nprojects\n").unwrap(), cursor);
        assert!(Cursor::decode(&text, "other\nprojects\n").is_err());
    }

    #[test]
    fn a_cursor_that_was_touched_is_refused() {
        let text = Cursor { at: Position::of(7, 3), after: vec![9] }.encode("list");
        for index in 0..text.len() {
            let mut touched = text.clone().into_bytes();
            touched[index] = if touched[index] == b'0' { b'1' } else { b'0' };
            assert!(Cursor::decode(std::str::from_utf8(&touched).unwrap(), "list").is_err(), "{index}");
        }
        let (front, back) = (text.split_at(2).1, text.split_at(text.len() - 2).0);
        for text in ["", "0", "zz", "+1", front, back] {
            assert!(Cursor::decode(text, "list").is_err(), "{text}");
        }
    }
}
