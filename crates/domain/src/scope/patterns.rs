//! Name patterns: matching, containment by form, and an index by the literal beginning.

/// A pattern taken apart: a literal beginning, and what follows the first star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern<'a> {
    text: &'a str,
    /// What every name begins with.
    start: &'a str,
}

/// Places of patterns, by their literal beginnings: those that a name cannot match are not looked at.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// By beginning, then by text.
    places: Vec<u32>,
    /// The lengths of beginnings there are, in bytes, ascending.
    lengths: Vec<usize>,
}

impl<'a> Pattern<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, start: first_piece(text) }
    }
}

impl Patterns {
    pub(crate) fn of(mut patterns: Vec<(u32, &str)>) -> Self {
        patterns.sort_by_key(|(_, text)| (first_piece(text), *text));
        let mut lengths: Vec<_> = patterns.iter().map(|(_, text)| first_piece(text).len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { places: patterns.into_iter().map(|(place, _)| place).collect(), lengths }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.places.iter().copied()
    }

    /// Whether one of them matches the name.
    pub(crate) fn any<'a>(&self, name: &str, at: impl Fn(u32) -> Pattern<'a>) -> bool {
        self.starts_of(name)
            .any(|start| self.starting(start, &at).iter().any(|place| glob_matches(at(*place).text, name)))
    }

    /// Places of those that may contain the pattern: their literal beginning is the beginning of it, too.
    pub(crate) fn before<'a>(&self, pattern: &str, at: impl Fn(u32) -> Pattern<'a>) -> Vec<u32> {
        self.starts_of(first_piece(pattern)).flat_map(|start| self.starting(start, &at)).copied().collect()
    }

    /// The beginnings of a text that are as long as the beginning of some pattern.
    fn starts_of<'n>(&self, text: &'n str) -> impl Iterator<Item = &'n [u8]> {
        self.lengths.iter().map_while(|length| text.as_bytes().get(..*length))
    }

    /// Places of those with exactly this literal beginning.
    fn starting<'a>(&self, start: &[u8], at: impl Fn(u32) -> Pattern<'a>) -> &[u32] {
        let from = self.places.partition_point(|place| at(*place).start.as_bytes() < start);
        let to = self.places.partition_point(|place| at(*place).start.as_bytes() <= start);
        self.places.get(from..to).unwrap_or_default()
    }

    /// Whether this very pattern is among them.
    pub(crate) fn has<'a>(&self, text: &str, at: impl Fn(u32) -> Pattern<'a>) -> bool {
        let wanted = (first_piece(text), text);
        self.places
            .binary_search_by(|place| {
                let pattern = at(*place);
                (pattern.start, pattern.text).cmp(&wanted)
            })
            .is_ok()
    }
}

/// Whether the whole `name` matches `pattern`, where `*` stands for any run of bytes.
///
/// Greedy left to right: the first piece must be a prefix, the last a suffix, those between are taken at their
/// first occurrence, which is enough because `*` is the only wildcard.
pub fn glob_matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        let Some((_, after)) = left.split_once(piece) else { return false };
        left = after;
    }
    left.ends_with(last)
}

/// `wide` is the same pattern, or a literal prefix and one star that `narrow` starts with.
pub(crate) fn pattern_within(narrow: &str, wide: &str) -> bool {
    if narrow == wide {
        return true;
    }
    match wide.split_once('*') {
        Some((prefix, rest)) if rest.trim_matches('*').is_empty() => first_piece(narrow).starts_with(prefix),
        _ => !narrow.contains('*') && glob_matches(wide, narrow),
    }
}

/// Two patterns whose literal beginnings or ends cannot agree.
pub(crate) fn patterns_disjoint(one: &str, other: &str) -> bool {
    match (one.contains('*'), other.contains('*')) {
        (false, _) => !glob_matches(other, one),
        (_, false) => !glob_matches(one, other),
        (true, true) => {
            let (start, other_start) = (first_piece(one), first_piece(other));
            let (end, other_end) = (last_piece(one), last_piece(other));
            let starts_agree = start.starts_with(other_start) || other_start.starts_with(start);
            let ends_agree = end.ends_with(other_end) || other_end.ends_with(end);
            !(starts_agree && ends_agree)
        }
    }
}

fn first_piece(pattern: &str) -> &str {
    pattern.split('*').next().unwrap_or("")
}

fn last_piece(pattern: &str) -> &str {
    pattern.rsplit('*').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_run_and_nothing_else_is_special() {
        for (pattern, name, expected) in [
            ("prod", "prod", true),
            ("prod", "prod2", false),
            ("prod*", "prod", true),
            ("*prod", "my prod", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("a?c", "abc", false),
            ("[a]", "a", false),
            ("a*b*b", "ab", false),
            ("\u{e9}*", "e\u{301}cole", false),
            ("\u{e9}*", "\u{e9}a", true),
        ] {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
