//! A set of projects as bits, by their places in a list: quick to put together when many grants cover many projects.

/// Places in a list of projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProjectBits(Vec<u64>);

impl ProjectBits {
    /// The places, of those counted from 0, for which `covers` is true.
    pub(super) fn of(covers: impl Iterator<Item = bool>) -> Self {
        let mut bits = Self::default();
        for (place, covered) in covers.enumerate() {
            if place % 64 == 0 {
                bits.0.push(0);
            }
            if let (true, Some(word)) = (covered, bits.0.last_mut()) {
                *word |= 1 << (place % 64);
            }
        }
        bits
    }

    /// Adds the places of another set on the same list.
    pub(super) fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Whether the place is in.
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_place_by_place() {
        let every = |step: usize| ProjectBits::of((0..200).map(|place| place % step == 0));
        let mut both = ProjectBits::default();
        both.join(&every(7));
        both.join(&every(64));
        for place in 0..300 {
            let expected = place < 200 && (place % 7 == 0 || place % 64 == 0);
            assert_eq!(both.has(place), expected, "{place}");
        }
    }
}
