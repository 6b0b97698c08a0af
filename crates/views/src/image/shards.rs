//! A map in many small shards, each shared until it is changed: a copy is cheap, and a change copies one shard.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::Arc,
};

/// Most entries of a shard; one more and it falls apart into [`FAN_OUT`] smaller ones.
const SHARD_MAX: usize = 256;
/// Bits of the hash that choose among the shards below one that fell apart.
const FAN_BITS: u32 = 6;
const FAN_OUT: usize = 1 << FAN_BITS;
/// The lowest bits place an entry within its shard, the highest tell it from its neighbours there: these lie between.
const FIRST_BIT: u32 = 12;
/// Below the last of the bits between, a shard grows without bound.
const LEVELS: u32 = 7;

/// The bytes of an id as a key.
pub(crate) type IdKey = [u8; 16];
/// A map by ids.
pub(crate) type ById<V> = Shards<IdKey, V, BuildHasherDefault<IdHasher>>;

/// A map whose copies share what neither has changed.
pub(crate) struct Shards<K, V, S> {
    root: Arc<Node<K, V, S>>,
    hasher: S,
}

enum Node<K, V, S> {
    Shard(HashMap<K, V, S>),
    Below(Vec<Arc<Node<K, V, S>>>),
}

impl<K: Clone, V: Clone, S: Clone> Clone for Node<K, V, S> {
    fn clone(&self) -> Self {
        match self {
            Self::Shard(entries) => Self::Shard(entries.clone()),
            Self::Below(nodes) => Self::Below(nodes.clone()),
        }
    }
}

impl<K, V, S: Clone> Clone for Shards<K, V, S> {
    fn clone(&self) -> Self {
        Self { root: Arc::clone(&self.root), hasher: self.hasher.clone() }
    }
}

impl<K, V, S: Default> Default for Shards<K, V, S> {
    fn default() -> Self {
        let hasher = S::default();
        Self { root: Arc::new(Node::Shard(HashMap::default())), hasher }
    }
}

impl<K, V, S> fmt::Debug for Shards<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Shards<K, V, S> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let mut node = self.root.as_ref();
        let mut level = 0;
        loop {
            match node {
                Node::Shard(entries) => return entries.get(key),
                Node::Below(nodes) => node = nodes.get(place(hash, level))?,
            }
            level += 1;
        }
    }

    /// Every entry, in no order.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&K, &V)) {
        let mut open = vec![self.root.as_ref()];
        while let Some(node) = open.pop() {
            match node {
                Node::Shard(entries) => entries.iter().for_each(|(key, value)| look(key, value)),
                Node::Below(nodes) => open.extend(nodes.iter().map(Arc::as_ref)),
            }
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone, S: BuildHasher + Clone> Shards<K, V, S> {
    /// The entry to be changed, made if there is none. Copies its shard if a copy of the map shares it.
    pub(crate) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let hash = self.hasher.hash_one(&key);
        entry(&mut self.root, &self.hasher, (hash, 0), key)
    }
}

fn entry<'n, K: Hash + Eq + Clone, V: Clone + Default, S: BuildHasher + Clone>(
    node: &'n mut Arc<Node<K, V, S>>,
    hasher: &S,
    (hash, level): (u64, u32),
    key: K,
) -> &'n mut V {
    let node = Arc::make_mut(node);
    if let Node::Shard(entries) = node
        && entries.len() >= SHARD_MAX
        && level < LEVELS
        && !entries.contains_key(&key)
    {
        *node = fall_apart(std::mem::replace(entries, HashMap::with_hasher(hasher.clone())), hasher, level);
    }
    match node {
        Node::Shard(entries) => entries.entry(key).or_default(),
        Node::Below(nodes) => {
            let at = place(hash, level);
            while nodes.len() <= at {
                nodes.push(empty(hasher));
            }
            // The loop above made the place.
            #[expect(
                clippy::indexing_slicing,
                reason = "a place is below the fan-out, and as many were made"
            )]
            entry(&mut nodes[at], hasher, (hash, level + 1), key)
        }
    }
}

fn fall_apart<K: Hash + Eq, V, S: BuildHasher + Clone>(
    entries: HashMap<K, V, S>,
    hasher: &S,
    level: u32,
) -> Node<K, V, S> {
    let mut shards: Vec<HashMap<K, V, S>> =
        (0..FAN_OUT).map(|_| HashMap::with_hasher(hasher.clone())).collect();
    for (key, value) in entries {
        if let Some(shard) = shards.get_mut(place(hasher.hash_one(&key), level)) {
            shard.insert(key, value);
        }
    }
    Node::Below(shards.into_iter().map(|shard| Arc::new(Node::Shard(shard))).collect())
}

fn empty<K, V, S: Clone>(hasher: &S) -> Arc<Node<K, V, S>> {
    Arc::new(Node::Shard(HashMap::with_hasher(hasher.clone())))
}

/// Which of the nodes below.
fn place(hash: u64, level: u32) -> usize {
    let bits = hash >> (FIRST_BIT + FAN_BITS * level);
    usize::try_from(bits).unwrap_or(usize::MAX) & (FAN_OUT - 1)
}

/// Mixes the bytes of ids, which this service made itself: nobody who could choose them is to be feared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl IdHasher {
    fn mix(&mut self, block: u128) {
        let (low, high) = halves(block);
        let (low, high) = (low ^ self.0 ^ 0x9e37_79b9_7f4a_7c15, high ^ 0xd6e8_feb8_6659_fd93);
        let (low, high) = halves(u128::from(low) * u128::from(high));
        self.0 = (low ^ high).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 ^= self.0 >> 32;
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((block, further)) = rest.split_first_chunk() {
            self.mix(u128::from_ne_bytes(*block));
            rest = further;
        }
        // What is no multiple of an id's length is no id; it is mixed all the same.
        for byte in rest {
            self.mix((*byte).into());
        }
    }

    /// Lengths, of which ids have but one.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the half that is cut off is the other one")]
const fn halves(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> IdKey {
        number.to_be_bytes()
    }

    #[test]
    fn a_copy_keeps_what_it_had_while_the_other_changes() {
        let mut one: ById<u128> = Shards::default();
        for number in 0..20_000 {
            *one.entry(key(number)) = number;
        }
        let copy = one.clone();
        for number in 0..20_000 {
            *one.entry(key(number)) += 1;
        }
        *one.entry(key(20_000)) = 7;
        for number in 0..20_000 {
            assert_eq!((copy.get(&key(number)), one.get(&key(number))), (Some(&number), Some(&(number + 1))));
        }
        assert_eq!((copy.get(&key(20_000)), one.get(&key(20_000))), (None, Some(&7)));
        let mut count = 0;
        one.for_each(|_, _| count += 1);
        assert_eq!(count, 20_001);
    }

    #[test]
    fn a_change_copies_one_shard_and_leaves_the_others_shared() {
        let mut one: ById<u128> = Shards::default();
        for number in 0..20_000 {
            *one.entry(key(number << 70)) = number;
        }
        let copy = one.clone();
        *one.entry(key(5 << 70)) = 0;
        let (Node::Below(old), Node::Below(new)) = (copy.root.as_ref(), one.root.as_ref()) else {
            panic!("20,000 entries are more than one shard");
        };
        let changed = old.iter().zip(new).filter(|(old, new)| !Arc::ptr_eq(old, new)).count();
        assert_eq!(changed, 1);
    }

    #[test]
    fn ids_that_differ_in_few_bits_spread_over_the_shards() {
        for shift in [0, 40, 64, 100] {
            let mut hits = [0_u32; FAN_OUT];
            for number in 0..6_400 {
                let mut hasher = IdHasher::default();
                hasher.write(&key(number << shift));
                hits[place(hasher.finish(), 0)] += 1;
            }
            assert!(hits.iter().all(|hits| (50..200).contains(hits)), "{shift}: {hits:?}");
        }
    }
}
