//! What a snapshot is called.

use std::fmt;

use grantbook_domain::time::Timestamp;

use crate::snapshots::NodeId;

/// Characters of the maker's id.
const MAKER: usize = 8;

/// `<sequence, 20 digits>-<made at, milliseconds since 1970, 15 digits>-<8 characters of the maker>`: names sort as positions
/// do, then by time. Nobody has signed a name: nothing rests on it but the order in which snapshots are tried and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotName {
    pub(super) sequence: u64,
    /// In milliseconds since 1970.
    pub(super) made_at: i64,
    pub(super) maker: String,
}

impl SnapshotName {
    pub(super) fn new(sequence: u64, made_at: Timestamp, node: NodeId) -> Self {
        let maker = node.to_string().chars().rev().take(MAKER).collect();
        Self { sequence, made_at: made_at.millis(), maker }
    }

    /// The parts of a name; none of what is called otherwise.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut words = name.split('-');
        let (sequence, made_at, maker) = (words.next()?, words.next()?, words.next()?);
        let digits =
            |word: &str, count| word.len() == count && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_maker = maker.len() == MAKER && maker.bytes().all(|byte| byte.is_ascii_hexdigit());
        if words.next().is_some() || !digits(sequence, 20) || !digits(made_at, 15) || !is_maker {
            return None;
        }
        Some(Self {
            sequence: sequence.parse().ok()?,
            made_at: made_at.parse().ok()?,
            maker: maker.to_owned(),
        })
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:015}-{}", self.sequence, self.made_at, self.maker)
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::Id;

    use super::*;

    #[test]
    fn a_name_is_what_it_was_made_of_and_nothing_else_is_one() {
        let made =
            SnapshotName::new(7, Timestamp::from_millis(1_767_225_600_000), Id::from_u128(0xabcd_ef01));
        let text = made.to_string();
        assert_eq!(text, "00000000000000000007-001767225600000-10fedcba");
        assert_eq!(SnapshotName::parse(&text), Some(made));
        for other in [
            "",
            "manifest",
            "zzz",
            "..",
            "../../etc",
            text.trim_start_matches('0'),
            &format!("{text}-x"),
            &text.replace('7', "x"),
            &text.replace("10fe", "../."),
        ] {
            assert_eq!(SnapshotName::parse(other), None, "{other}");
        }
    }
}
