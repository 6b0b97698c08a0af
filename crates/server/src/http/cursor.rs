//! Cursors of lists: opaque, bound to one caller's list and to the position at which it was begun, and good for a while
//! only. A list goes on as of an earlier position, which is otherwise a right of its own: so a cursor cannot be made by
//! its reader, and does not last.

use std::{fmt, fmt::Write as _};

use grantbook_domain::{position::Position, time::Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::http::problem::Failure;

/// Bytes of the digest that binds a cursor to its list.
const BINDING: usize = 16;
/// Bytes of the position, and of the time of issue.
const WORD: usize = 8;
/// How long a cursor is good for, in milliseconds.
const LIFE_MS: i64 = 15 * 60 * 1000;
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The position at which the list was begun.
    pub(crate) at: Position,
    /// The place of the last item given, in the words of its list.
    pub(crate) after: Vec<u8>,
}

/// Makes cursors and knows its own: the key lives as long as the process, unless processes share one.
pub(crate) struct Cursors {
    /// Whether other processes have the same key.
    is_shared: bool,
    /// None if the operating system had no randomness: then no cursor is taken back.
    key: Option<[u8; 32]>,
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors(..)")
    }
}

impl Cursors {
    /// With a new key, or with one that processes share.
    pub(crate) fn new(shared: Option<[u8; 32]>) -> Self {
        let is_shared = shared.is_some();
        let new = || {
            let mut key = [0; 32];
            getrandom::fill(&mut key).is_ok().then_some(key)
        };
        Self { key: shared.or_else(new), is_shared }
    }

    /// The position that a cursor of another process names: one to wait for before the cursor is read, as that process may
    /// be further ahead. It is not shown to be genuine.
    pub(crate) fn named_position(&self, text: &str) -> Option<Position> {
        let bytes = bytes(text).filter(|_| self.is_shared)?;
        let (at, _) = bytes.split_at_checked(BINDING)?.1.split_first_chunk::<WORD>()?;
        Some(Position::from_u64(u64::from_be_bytes(*at)))
    }

    /// The cursor's text: hexadecimal digest, position, time of issue and place. `list` names organization, caller,
    /// route and filters.
    pub(crate) fn encode(&self, cursor: &Cursor, list: &str, now: Timestamp) -> String {
        let mut place = cursor.at.get().to_be_bytes().to_vec();
        place.extend_from_slice(&now.millis().to_be_bytes());
        place.extend_from_slice(&cursor.after);
        let mut text = String::with_capacity(2 * (BINDING + place.len()));
        for byte in self.binding(list, &place).iter().chain(&place) {
            let _infallible = write!(text, "{byte:02x}");
        }
        text
    }

    /// Reads what [`Cursors::encode`] wrote for the same list a while ago; anything else is refused.
    pub(crate) fn decode(&self, text: &str, list: &str, now: Timestamp) -> Result<Cursor, Failure> {
        let read = bytes(text).and_then(|bytes| {
            let (bound, place) = bytes.split_at_checked(BINDING)?;
            let genuine = self.key.is_some() && bool::from(self.binding(list, place).ct_eq(bound));
            let (at, rest) = place.split_at_checked(WORD).filter(|_| genuine)?;
            let (issued, after) = rest.split_at_checked(WORD)?;
            let issued = Timestamp::from_millis(i64::from_be_bytes(issued.try_into().ok()?));
            let at = Position::from_u64(u64::from_be_bytes(at.try_into().ok()?));
            Some((Cursor { at, after: after.to_vec() }, issued))
        });
        match read {
            Some((cursor, issued)) if now < issued.plus_millis(LIFE_MS) => Ok(cursor),
            Some(_) => Err(Failure::invalid("the cursor has expired: list again from the start")),
            None => Err(Failure::invalid("the parameter cursor is not one of this list with these filters")),
        }
    }

    /// HMAC-SHA-256 (RFC 2104), cut to its first half.
    fn binding(&self, list: &str, place: &[u8]) -> [u8; BINDING] {
        let mut padded = [0; BLOCK];
        padded.iter_mut().zip(self.key.unwrap_or_default()).for_each(|(to, from)| *to = from);
        let mut inner = Sha256::new_with_prefix(padded.map(|byte| byte ^ 0x36));
        inner.update((list.len() as u64).to_be_bytes());
        inner.update(list);
        inner.update(place);
        let mut outer = Sha256::new_with_prefix(padded.map(|byte| byte ^ 0x5c));
        outer.update(inner.finalize());
        let digest: [u8; 32] = outer.finalize().into();
        let mut bound = [0; BINDING];
        bound.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        bound
    }
}

/// Only what [`Cursors::encode`] writes: two digits a byte, in lower case.
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

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn a_cursor_is_read_for_its_own_list_only() {
        let cursors = Cursors::new(None);
        let cursor = Cursor { at: Position::of(7, 3), after: vec![0, 255, 16] };
        let text = cursors.encode(&cursor, "org\nprojects\n", NOW);
        assert_eq!(cursors.decode(&text, "org\nprojects\n", NOW).unwrap(), cursor);
        assert!(cursors.decode(&text, "other\nprojects\n", NOW).is_err());
        assert!(Cursors::new(None).decode(&text, "org\nprojects\n", NOW).is_err(), "another key");
        assert!(
            Cursors { key: None, is_shared: false }.decode(&text, "org\nprojects\n", NOW).is_err(),
            "no key"
        );
    }

    #[test]
    fn processes_that_share_a_key_take_each_others_cursors() {
        let [one, other] = [(); 2].map(|()| Cursors::new(Some([7; 32])));
        let cursor = Cursor { at: Position::of(7, 3), after: vec![9] };
        let text = one.encode(&cursor, "list", NOW);
        assert_eq!(other.decode(&text, "list", NOW).unwrap(), cursor);
        assert_eq!(other.named_position(&text), Some(cursor.at));
        assert!(Cursors::new(Some([8; 32])).decode(&text, "list", NOW).is_err(), "another key");
        assert_eq!(Cursors::new(None).named_position(&text), None, "nobody else is further ahead");
        for text in ["", "00", "zz"] {
            assert_eq!(other.named_position(text), None);
        }
    }

    #[test]
    fn a_cursor_is_good_for_a_while() {
        let cursors = Cursors::new(None);
        let text = cursors.encode(&Cursor { at: Position::of(7, 3), after: vec![] }, "list", NOW);
        assert!(cursors.decode(&text, "list", NOW.plus_millis(LIFE_MS - 1)).is_ok());
        assert!(cursors.decode(&text, "list", NOW.plus_millis(LIFE_MS)).is_err());
    }

    #[test]
    fn a_cursor_that_was_touched_is_refused() {
        let cursors = Cursors::new(None);
        let text = cursors.encode(&Cursor { at: Position::of(7, 3), after: vec![9] }, "list", NOW);
        for index in 0..text.len() {
            let mut touched = text.clone().into_bytes();
            touched[index] = if touched[index] == b'0' { b'1' } else { b'0' };
            let touched = std::str::from_utf8(&touched).unwrap();
            assert!(cursors.decode(touched, "list", NOW).is_err(), "{index}");
        }
        let (front, back) = (text.split_at(2).1, text.split_at(text.len() - 2).0);
        for text in ["", "0", "zz", "+1", front, back] {
            assert!(cursors.decode(text, "list", NOW).is_err(), "{text}");
        }
    }
}
