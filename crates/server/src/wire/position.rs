//! Positions as clients see them: opaque, URL-safe, and bound to one journal.

use grantbook_domain::{id::InstallationId, position::Position};
use sha2::{Digest, Sha256};

/// 64 digits of 6 bits each (RFC 4648, section 5).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 16 bytes need so many digits.
const LENGTH: usize = 22;

/// Why a text is not a position of this journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Not a position at all.
    #[error("not a position")]
    Malformed,
    /// A position of another journal, or of this one before it was restored from a copy.
    #[error("a position of another journal")]
    Foreign,
}

/// Writes a position of this installation's journal: 22 characters of base64url, of 8 bytes that name the journal
/// and the number, big end first.
pub fn encode(installation: InstallationId, position: Position) -> String {
    let bits = u128::from(tag(installation)) << 64 | u128::from(position.get());
    let mut text = String::with_capacity(LENGTH);
    for place in (0..LENGTH).rev() {
        // 22 digits hold 132 bits: the four spare ones follow the last byte, as in base64 without padding.
        let digit = if place == 0 { bits << 4 & 63 } else { bits >> (6 * place - 4) & 63 };
        let letter = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit)).copied();
        text.push(char::from(letter.unwrap_or_default()));
    }
    text
}

/// Reads what [`encode`] wrote, for the same installation.
pub fn decode(installation: InstallationId, text: &str) -> Result<Position, PositionError> {
    if text.len() != LENGTH {
        return Err(PositionError::Malformed);
    }
    let mut bits: u128 = 0;
    for (index, letter) in text.bytes().enumerate() {
        let digit = DIGITS.iter().position(|one| *one == letter).ok_or(PositionError::Malformed)? as u128;
        if index + 1 < LENGTH {
            bits = bits << 6 | digit;
        } else if digit.trailing_zeros() >= 4 {
            bits = bits << 2 | digit >> 4;
        } else {
            return Err(PositionError::Malformed);
        }
    }
    let [named, number] = [bits >> 64, bits & u128::from(u64::MAX)].map(|half| u64::try_from(half).ok());
    match (named, number) {
        (Some(named), Some(number)) if named == tag(installation) => Ok(Position::from_u64(number)),
        _ => Err(PositionError::Foreign),
    }
}

/// What names the journal in its positions.
fn tag(installation: InstallationId) -> u64 {
    let digest: [u8; 32] = Sha256::digest(installation.bytes()).into();
    digest.iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: InstallationId = InstallationId::from_u128(1);

    proptest! {
        #[test]
        fn a_position_survives_its_text(installation: u128, number: u64) {
            let (installation, position) = (InstallationId::from_u128(installation), Position::from_u64(number));
            let text = encode(installation, position);
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert!(text.bytes().all(|byte| DIGITS.contains(&byte)));
            prop_assert_eq!(decode(installation, &text), Ok(position));
        }

        #[test]
        fn there_is_one_text_for_a_position(number: u64, place in 0..LENGTH, letter in 0..64_usize) {
            let mut bytes = encode(HERE, Position::from_u64(number)).into_bytes();
            bytes[place] = DIGITS[letter];
            let text = String::from_utf8(bytes).unwrap();
            if let Ok(position) = decode(HERE, &text) {
                prop_assert_eq!(encode(HERE, position), text);
            }
        }
    }

    #[test]
    fn it_is_base64url_of_sixteen_bytes() {
        let text = encode(HERE, Position::of(1, 0));
        // 7c3ccd10bb7ec37b is how the SHA-256 of 15 zero bytes and a one begins; 0400 is 1024.
        assert_eq!(text, "fDzNELt-w3sAAAAAAAAEAA");
    }

    #[test]
    fn another_journals_position_is_told_apart_from_nonsense() {
        let text = encode(InstallationId::from_u128(2), Position::of(7, 1));
        assert_eq!(decode(HERE, &text), Err(PositionError::Foreign));
        let good = encode(HERE, Position::of(7, 1));
        for text in [
            "",
            "1024",
            &good.replacen('A', "", 1),
            &format!("{good}A"),
            &good.replace('A', "+"),
            &good.replace('A', "\u{e9}"),
        ] {
            assert_eq!(decode(HERE, text), Err(PositionError::Malformed), "{text}");
        }
    }
}
