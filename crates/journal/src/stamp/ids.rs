//! The only place where ids and randomness come from.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use grantbook_domain::id::Id;
use uuid::{Builder, Uuid};

/// Makes ids: UUIDs of version 7, in ascending order. Clones draw from the same source.
#[derive(Debug, Clone)]
pub struct IdSource {
    /// The state of a repeatable sequence; none: time and the operating system's randomness.
    seeded: Option<Arc<AtomicU64>>,
    seed: u64,
}

impl IdSource {
    /// Ids that nobody can repeat.
    pub const fn system() -> Self {
        Self { seeded: None, seed: 0 }
    }

    /// The same ids for the same seed; for tests.
    pub fn seeded(seed: u64) -> Self {
        Self { seeded: Some(Arc::new(AtomicU64::new(1))), seed }
    }

    /// The next id, of whatever kind.
    pub fn id<K>(&self) -> Id<K> {
        Id::new(self.uuid())
    }

    /// A request id for a caller that sent none.
    pub fn request_id(&self) -> String {
        self.uuid().as_hyphenated().to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the IdSource that everything else takes ids from")]
    fn uuid(&self) -> Uuid {
        match &self.seeded {
            None => Uuid::now_v7(),
            Some(count) => {
                let count = count.fetch_add(1, Ordering::SeqCst);
                let noise = u128::from(mix(self.seed ^ mix(count))) << 16;
                let mut bytes = [0; 10];
                bytes.copy_from_slice(noise.to_be_bytes().get(6..).unwrap_or_default());
                Builder::from_unix_timestamp_millis(count, &bytes).into_uuid()
            }
        }
    }
}

/// The operating system gives no randomness.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gives no randomness: {0}")]
pub struct NoRandomness(getrandom::Error);

/// 256 bits that nobody can guess.
pub fn random() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills it with bytes from the operating system.
pub fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(NoRandomness)
}

/// One step of splitmix64.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use grantbook_domain::id::TokenId;

    use super::*;

    fn draw(ids: &IdSource) -> Vec<TokenId> {
        (0..1000).map(|_| ids.id()).collect()
    }

    #[test]
    fn ids_are_version_7_ascending_and_never_twice() {
        for ids in [IdSource::system(), IdSource::seeded(1)] {
            let drawn = draw(&ids);
            assert!(drawn.is_sorted());
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 1000);
            assert!(drawn.iter().all(|id| id.uuid().get_version_num() == 7));
        }
    }

    #[test]
    fn a_seed_repeats_itself_and_nothing_else_does() {
        assert_eq!(draw(&IdSource::seeded(1)), draw(&IdSource::seeded(1)));
        assert_ne!(draw(&IdSource::seeded(1)), draw(&IdSource::seeded(2)));
        assert_ne!(draw(&IdSource::system()), draw(&IdSource::system()));
    }
}
