//! Where a copy goes: a journal that nobody opens before it is whole.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use grantbook_domain::id::OrgId;
use tokio::task::spawn_blocking;

use crate::{
    Identity, Item, Journal, Tail,
    embedded::{Append, EmbeddedError, EmbeddedJournal, FILE_NAME},
    jetstream::{CopyInto, JetStreamJournal, NatsOptions},
    outcome::Guard,
    transfer::TransferError,
    verify::{Report, verify},
};

/// Below the data directory, until the copy is whole.
const UNFINISHED: &str = "journal.copying";

/// Where a copy goes.
#[derive(Debug)]
pub enum Target {
    /// A file; while it is being filled it lies apart.
    Embedded(Unfinished),
    /// A stream; while it is being filled it is marked.
    JetStream(Box<CopyInto>),
}

/// A file that is being filled.
#[derive(Debug)]
pub struct Unfinished {
    data: PathBuf,
    journal: EmbeddedJournal,
    last: HashMap<OrgId, u64>,
}

impl Target {
    /// A new file in `data`, which must hold no journal with frames. An unfinished copy is begun anew.
    pub async fn embedded(data: &Path, identity: Identity) -> Result<Self, TransferError> {
        let data = data.to_owned();
        let made = spawn_blocking(move || {
            if EmbeddedJournal::exists(&data) {
                return Err(TransferError::Embedded(EmbeddedError::NotEmpty { path: data.join(FILE_NAME) }));
            }
            let apart = data.join(UNFINISHED);
            if apart.exists() {
                fs::remove_dir_all(&apart)?;
            }
            let journal = EmbeddedJournal::create(&apart, identity)?;
            Ok(Unfinished { data, journal, last: HashMap::new() })
        });
        Ok(Self::Embedded(made.await.map_err(std::io::Error::other)??))
    }

    /// A stream, made or found unfinished; what is there already is compared with what is copied.
    pub async fn jetstream(
        options: &NatsOptions,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<Self, TransferError> {
        let into = JetStreamJournal::copy_into(options, identity, replicas).await?;
        Ok(Self::JetStream(Box::new(into)))
    }

    /// Takes the next items, in order; those that an earlier attempt brought must be the same.
    pub(super) async fn take(&mut self, items: &[Item]) -> Result<(), TransferError> {
        match self {
            Self::Embedded(unfinished) => unfinished.take(items).await,
            Self::JetStream(into) => {
                let there = items.partition_point(|item| item.sequence() <= into.head());
                let (there, new) = items.split_at_checked(there).unwrap_or((items, &[]));
                if let Some(first) = there.first() {
                    let mut tail = into.journal().tail(first.sequence().saturating_sub(1));
                    compare(&mut tail, there).await?;
                    for item in there {
                        into.is_there(item);
                    }
                }
                Ok(into.take(new).await?)
            }
        }
    }

    pub(super) async fn verify(&self) -> Result<Report, TransferError> {
        match self {
            Self::Embedded(unfinished) => Ok(verify(&unfinished.journal, |_, _| {}).await?),
            Self::JetStream(into) => Ok(verify(into.journal(), |_, _| {}).await?),
        }
    }

    /// From now on services open it.
    pub(super) async fn finish(self) -> Result<(), TransferError> {
        match self {
            Self::JetStream(into) => Ok(into.finish().await?),
            Self::Embedded(Unfinished { data, journal, .. }) => {
                let moved = spawn_blocking(move || {
                    journal.close();
                    let apart = data.join(UNFINISHED);
                    fs::rename(apart.join(FILE_NAME), data.join(FILE_NAME))?;
                    fs::File::open(&data)?.sync_all()?;
                    fs::remove_dir_all(apart)
                });
                Ok(moved.await.map_err(std::io::Error::other)??)
            }
        }
    }
}

impl Unfinished {
    async fn take(&mut self, items: &[Item]) -> Result<(), TransferError> {
        let last = &mut self.last;
        let appends = items.iter().map(|item| {
            let sequence = item.sequence();
            let before = item.org().and_then(|org| last.insert(org, sequence)).unwrap_or_default();
            match item {
                Item::Frame(stored) => {
                    let (org, frame) = (stored.org, stored.bytes.clone());
                    Append::Frame { org, guard: Guard::Organization(before), frame }
                }
                Item::Foreign(foreign) => {
                    let (token, head) = (foreign.token.clone(), sequence.saturating_sub(1));
                    Append::Foreign { token, head, bytes: foreign.bytes.clone() }
                }
            }
        });
        let landed = self.journal.append_in_order(appends.collect()).await;
        for (item, outcome) in items.iter().zip(landed) {
            let sequence = item.sequence();
            match outcome {
                Ok(at) if at == sequence => {}
                Ok(at) => {
                    return Err(TransferError::Append { sequence, fault: format!("it landed at {at}") });
                }
                Err(error) => return Err(TransferError::Append { sequence, fault: error.to_string() }),
            }
        }
        Ok(())
    }
}

async fn compare(tail: &mut impl Tail, expected: &[Item]) -> Result<(), TransferError> {
    let mut expected = expected.iter();
    while expected.len() > 0 {
        let limit = std::num::NonZeroUsize::new(expected.len()).unwrap_or(std::num::NonZeroUsize::MIN);
        let found = tail.next(limit, super::TIMEOUT).await?;
        if found.is_empty() {
            break;
        }
        for (found, expected) in found.iter().zip(expected.by_ref()) {
            // Not the guard, which only some stores keep.
            let is_same = found.sequence() == expected.sequence()
                && found.org() == expected.org()
                && found.hash() == expected.hash();
            if !is_same {
                return Err(TransferError::Differ { sequence: expected.sequence() });
            }
        }
    }
    match expected.next() {
        Some(missing) => Err(TransferError::Differ { sequence: missing.sequence() }),
        None => Ok(()),
    }
}
