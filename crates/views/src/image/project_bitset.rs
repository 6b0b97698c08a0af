//! Sets of projects by their numbers. What lies beyond the last word is all in or all out, so that "all but these" is as
//! short as "only these" and holds for projects of the future.

const WORD: u32 = u64::BITS;

/// A finite or cofinite set of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    tail: bool,
}

impl Bits {
    pub(crate) const fn all() -> Self {
        Self { words: Vec::new(), tail: true }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.word(word_of(number)) & bit_of(number) != 0
    }

    pub(crate) fn set(&mut self, number: u32, is_in: bool) {
        let at = word_of(number);
        if self.has(number) == is_in {
            return;
        }
        self.reach(at.saturating_add(1));
        if let Some(word) = self.words.get_mut(at) {
            *word ^= bit_of(number);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.combine(other, |own, other| own | other);
    }

    pub(crate) fn contains(&self, other: &Self) -> bool {
        let len = self.words.len().max(other.words.len());
        (!other.tail || self.tail) && (0..len).all(|at| other.word(at) & !self.word(at) == 0)
    }

    /// How many words tell more than the tail does.
    pub(crate) const fn len(&self) -> usize {
        self.words.len()
    }

    pub(crate) const fn tail(&self) -> bool {
        self.tail
    }

    pub(crate) fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(if self.tail { u64::MAX } else { 0 })
    }

    fn combine(&mut self, other: &Self, op: impl Fn(u64, u64) -> u64) {
        self.reach(other.words.len());
        for (at, word) in self.words.iter_mut().enumerate() {
            *word = op(*word, other.word(at));
        }
        let fill = |tail| if tail { u64::MAX } else { 0 };
        self.tail = op(fill(self.tail), fill(other.tail)) != 0;
    }

    fn reach(&mut self, len: usize) {
        let fill = if self.tail { u64::MAX } else { 0 };
        if self.words.len() < len {
            self.words.resize(len, fill);
        }
    }
}

/// The word that a number stands in.
pub(crate) fn word_of(number: u32) -> usize {
    usize::try_from(number / WORD).unwrap_or(usize::MAX)
}

/// Its bit there.
pub(crate) const fn bit_of(number: u32) -> u64 {
    1 << (number % WORD)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A set from its changes to none or all, and the same as plain truth about the first 300 numbers.
    fn made(tail: bool, changes: &[(u32, bool)]) -> (Bits, Vec<bool>) {
        let (mut bits, mut plain) = (if tail { Bits::all() } else { Bits::default() }, vec![tail; 300]);
        for (number, is_in) in changes {
            bits.set(*number, *is_in);
            plain[*number as usize] = *is_in;
        }
        (bits, plain)
    }

    proptest! {
        #[test]
        fn sets_are_what_their_members_say(
            one in (any::<bool>(), vec((0_u32..200, any::<bool>()), 0..20)),
            other in (any::<bool>(), vec((0_u32..200, any::<bool>()), 0..20)),
        ) {
            let (a, in_a) = made(one.0, &one.1);
            let (b, in_b) = made(other.0, &other.1);
            let mut both = a.clone();
            both.add(&b);
            let mut contains = true;
            for number in 0..300 {
                let (x, y) = (in_a[number as usize], in_b[number as usize]);
                prop_assert_eq!(a.has(number), x);
                prop_assert_eq!(both.has(number), x || y);
                contains &= x || !y;
            }
            prop_assert_eq!(a.contains(&b), contains);
        }
    }
}
