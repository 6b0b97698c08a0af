//! The fold of all organizations: everything a decision may look at, and nothing of history.

use std::{collections::HashMap, num::NonZeroUsize, panic::resume_unwind, thread, time::Duration};

use grantbook_domain::{
    event::Event,
    id::{InstallationId, KeyId, OrgId},
    position::Position,
    principal::Actor,
    record::{Maker, Record},
    state::OrgState,
};
use grantbook_journal::read_patiently;
use grantbook_journal::{
    Foreign, Item, Journal, ReadError, Stored, Tail,
    chain::{ChainError, Chains, ForeignMet, OrgEnd, Step, StreamEnd},
    follow::{doubt::JournalDoubt, known_head::SeenEnd, other_copies::other_copies},
    frame::{Frame, Link, decode},
    hash::Hash,
};
use sha2::{Digest, Sha256};
use tokio::{
    task::{JoinError, spawn_blocking},
    time::{Instant, interval_at},
};

/// Frames read at once.
const READ_FRAMES: NonZeroUsize = match NonZeroUsize::new(4096) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};

/// A journal that gives nothing for so long, although its head lies further, has lost its tail.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a journal cannot be folded. Nothing is skipped: whoever gets one stops and says so.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// Frames cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] ReadError),
    /// A frame is missing, of another journal, changed or not understood.
    #[error("the journal's chain is broken: {0}")]
    Chain(#[from] ChainError),
    /// The journal says that it is longer than what can be read of it.
    #[error("the journal's head is at sequence {head}, but nothing after {read} can be read")]
    MissingTail {
        /// The last sequence read.
        read: u64,
        /// The last sequence there should be.
        head: u64,
    },
    /// A record says something that a fold cannot express.
    #[error("the record at position {position} is not understood: {detail}")]
    NotUnderstood {
        /// Where.
        position: Position,
        /// What is odd.
        detail: &'static str,
    },
    /// The task that folded has panicked.
    #[error("the fold's task ended: {0}")]
    Task(#[from] JoinError),
}

impl FoldError {
    /// What this says against the journal itself; none if it only cannot be reached or understood.
    pub(super) fn doubt(&self) -> Option<JournalDoubt> {
        match self {
            Self::Read(error) => JournalDoubt::of_reading(error),
            Self::Chain(error) => Some(error.clone().into()),
            Self::MissingTail { read, head } => Some(JournalDoubt::Shorter { known: *head, found: *read }),
            Self::NotUnderstood { .. } | Self::Task(_) => None,
        }
    }
}

/// A request id as it is remembered: 128 bits of SHA-256 over principal and id.
pub(super) type RequestKey = [u8; 16];

/// A request that the caller named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) key: RequestKey,
    /// Of method, path and body.
    pub(super) hash: [u8; 16],
}

/// Where a request had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) position: Position,
    /// Of method, path and body.
    pub(super) hash: [u8; 16],
}

/// One organization: its state, the end of its chain, and the requests that had their effect.
#[derive(Debug, Clone)]
pub struct OrgFold {
    pub(super) org: OrgId,
    pub(super) installation: InstallationId,
    pub(super) state: OrgState,
    pub(super) end: OrgEnd,
    /// Of its last record.
    pub(super) last: Position,
    requests: imbl::HashMap<RequestKey, Remembered>,
}

/// All organizations of a journal, and whose each key is.
#[derive(Debug)]
pub struct Fold {
    chains: Chains,
    pub(super) orgs: HashMap<OrgId, OrgFold>,
}

impl OrgFold {
    /// Before the organization's first record.
    pub fn new(installation: InstallationId, org: OrgId) -> Self {
        let (end, last) = (OrgEnd::START, Position::START);
        Self { org, installation, state: OrgState::default(), end, last, requests: imbl::HashMap::new() }
    }

    /// The organization's present state.
    pub const fn state(&self) -> &OrgState {
        &self.state
    }

    /// The end of its chain.
    pub const fn end(&self) -> OrgEnd {
        self.end
    }

    /// The position of its last record.
    pub const fn position(&self) -> Position {
        self.last
    }

    /// How many requests are remembered.
    pub fn remembered(&self) -> usize {
        self.requests.len()
    }

    /// The place of its next frame.
    pub(super) const fn next_link(&self) -> Link {
        let OrgEnd { ordinal, hash, .. } = self.end;
        Link {
            installation: self.installation,
            org: self.org,
            ordinal: ordinal.saturating_add(1),
            prev: hash,
        }
    }

    pub(super) fn request(&self, key: &RequestKey) -> Option<Remembered> {
        self.requests.get(key).copied()
    }

    /// Folds in the organization's next frame, which others may have appended, with every check of a reader.
    pub(super) fn take(&mut self, stored: &Stored) -> Result<Frame, FoldError> {
        // Frames of other organizations lie between: only this one's chain is followed here.
        let sequence = stored.sequence.saturating_sub(1);
        let before = StreamEnd { sequence, hash: Hash::ZERO, foreign: ForeignMet::default() };
        let mut chains = Chains::restore(self.installation, before, [(self.org, self.end)]);
        if stored.sequence <= self.end.guard() {
            let (sequence, expected) = (stored.sequence, self.end.guard().saturating_add(1));
            return Err(ChainError::Backwards { sequence, expected }.into());
        }
        if stored.org != self.org {
            let (sequence, stored, found) = (stored.sequence, stored.org, self.org);
            return Err(ChainError::Organization { sequence, stored, found }.into());
        }
        match chains.take(stored)? {
            Step::Next(frame) => {
                self.fold(stored.sequence, &frame, chains.org(self.org))?;
                Ok(frame)
            }
            Step::Repeat | Step::Foreign => Err(ChainError::Quarantine { sequence: stored.sequence }.into()),
        }
    }

    /// Takes note of a foreign message behind the organization's last frame: the next append is guarded with it.
    pub(super) fn take_foreign(&mut self, foreign: &Foreign) {
        self.end.foreign = foreign.sequence;
    }

    /// Folds in a frame whose chain was checked.
    fn fold(&mut self, sequence: u64, frame: &Frame, end: OrgEnd) -> Result<(), FoldError> {
        for (index, record) in (0..).zip(&frame.records) {
            let position = Position::of(sequence, index);
            if let Some(detail) = record.misunderstood(self.org) {
                return Err(FoldError::NotUnderstood { position, detail });
            }
            self.state.apply_record(record);
            self.remember(position, record)?;
            self.last = position;
        }
        self.end = end;
        Ok(())
    }

    /// Takes over what the writer itself decided and got acknowledged: the state after the frame, and whatever
    /// request each of its records answers.
    pub(super) fn advance(&mut self, state: OrgState, end: OrgEnd, requests: Vec<Option<Request>>) {
        self.state = state;
        for (index, request) in (0..).zip(requests) {
            self.last = Position::of(end.sequence, index);
            if let Some(Request { key, hash }) = request {
                self.requests.insert(key, Remembered { position: self.last, hash });
            }
        }
        self.end = end;
    }

    fn remember(&mut self, position: Position, record: &Record) -> Result<(), FoldError> {
        let Some(hash) = &record.request_hash else { return Ok(()) };
        let detail = "a request hash has 32 lower-case hexadecimal digits";
        let hash = from_hex(hash).ok_or(FoldError::NotUnderstood { position, detail })?;
        let key = request_key(record.maker(), &self.state, &record.request_id);
        self.requests.insert(key, Remembered { position, hash });
        Ok(())
    }
}

impl Fold {
    /// Before the journal's first frame.
    pub fn new(installation: InstallationId) -> Self {
        Self { chains: Chains::new(installation), orgs: HashMap::new() }
    }

    /// Folds a whole journal; says once a second how far it has come.
    pub async fn replay<J: Journal>(journal: &J) -> Result<Self, FoldError> {
        let mut fold = Self::new(journal.identity().installation);
        let mut tail = journal.tail(0);
        let mut head = head_of(journal).await?;
        let second = Duration::from_secs(1);
        let mut progress = interval_at(Instant::now() + second, second);
        let mut waiting = read_up_to(&mut tail, 0, head).await?;
        while let Some(last) = waiting.last() {
            // The next frames are read while these are folded.
            let after = last.sequence();
            if after >= head {
                head = head_of(journal).await?;
            }
            let folding = spawn_blocking(move || {
                let taken = fold.take_all(&waiting);
                (fold, taken)
            });
            let (folded, read) = {
                let both = async { tokio::join!(folding, read_up_to(&mut tail, after, head)) };
                tokio::pin!(both);
                loop {
                    tokio::select! {
                        done = &mut both => break done,
                        _ = progress.tick() => tracing::info!(sequence = after, head, "replaying the journal"),
                    }
                }
            };
            let taken;
            (fold, taken) = folded?;
            waiting = match taken {
                Ok(()) => read?,
                Err(FoldError::Chain(misfit)) => {
                    fold.mend(journal, misfit).await?;
                    tail = journal.tail(fold.sequence());
                    read_up_to(&mut tail, fold.sequence(), head).await?
                }
                Err(error) => return Err(error),
            };
        }
        tracing::info!(sequence = fold.sequence(), organizations = fold.orgs.len(), "the journal is folded");
        Ok(fold)
    }

    /// The next frame as it came does not fit: folds in a copy of it that does.
    async fn mend<J: Journal>(&mut self, journal: &J, misfit: ChainError) -> Result<(), FoldError> {
        let next = self.sequence().saturating_add(1);
        for copy in other_copies(journal, next, &misfit).await? {
            match self.take_all(std::slice::from_ref(&copy)) {
                Err(FoldError::Chain(_)) => {}
                taken => return taken,
            }
        }
        Err(misfit.into())
    }

    /// Folds in the next items of the stream, up to one that does not fit, which it tells. Frames are decoded on all
    /// cores, as that is most of the work.
    pub fn take_all(&mut self, items: &[Item]) -> Result<(), FoldError> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let decoded = thread::scope(|scope| {
            let chunks = items.chunks(items.len().div_ceil(cores).max(1));
            let tasks: Vec<_> = chunks.map(|chunk| scope.spawn(|| decode_all(chunk))).collect();
            let join = |task: thread::ScopedJoinHandle<'_, _>| {
                task.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            tasks.into_iter().flat_map(join).collect::<Vec<_>>()
        });
        for (item, frame) in items.iter().zip(decoded) {
            match (item, frame) {
                (Item::Frame(stored), Some(frame)) => self.take(stored, &frame?)?,
                (Item::Foreign(foreign), _) => self.take_foreign(foreign)?,
                // Every frame was decoded.
                (Item::Frame(_), None) => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, stored: &Stored, frame: &Frame) -> Result<(), FoldError> {
        let (sequence, org, installation) = (stored.sequence, stored.org, self.chains.installation());
        self.chains.take_decoded(sequence, org, frame)?;
        let end = self.chains.org(org);
        let fold = self.orgs.entry(org).or_insert_with(|| OrgFold::new(installation, org));
        fold.fold(sequence, frame, end)
    }

    fn take_foreign(&mut self, foreign: &Foreign) -> Result<(), FoldError> {
        self.chains.take_foreign(foreign)?;
        if let Some(fold) = foreign.org().and_then(|org| self.orgs.get_mut(&org)) {
            fold.take_foreign(foreign);
        }
        Ok(())
    }

    /// The foreign messages folded over.
    pub(super) const fn foreign(&self) -> ForeignMet {
        self.chains.end().foreign
    }

    /// The journal's last item folded in.
    pub(super) const fn end(&self) -> SeenEnd {
        let StreamEnd { sequence, hash, .. } = self.chains.end();
        SeenEnd { sequence, hash }
    }

    /// The journal's last sequence folded in.
    pub const fn sequence(&self) -> u64 {
        self.chains.end().sequence
    }

    /// The journal it is of.
    pub(super) const fn installation(&self) -> InstallationId {
        self.chains.installation()
    }

    /// The organizations, in no order.
    pub fn organizations(&self) -> impl Iterator<Item = &OrgFold> {
        self.orgs.values()
    }
}

/// The journal's head, however often it has to be asked for.
async fn head_of<J: Journal>(journal: &J) -> Result<u64, ReadError> {
    read_patiently(READ_TIMEOUT, || journal.head()).await
}

/// The next items, of which there must be some until `head`; none behind it.
async fn read_up_to<T: Tail>(tail: &mut T, after: u64, head: u64) -> Result<Vec<Item>, FoldError> {
    if after >= head {
        return Ok(Vec::new());
    }
    let frames = tail.next(READ_FRAMES, READ_TIMEOUT).await?;
    if frames.is_empty() {
        return Err(FoldError::MissingTail { read: after, head });
    }
    Ok(frames)
}

fn decode_all(items: &[Item]) -> Vec<Option<Result<Frame, ChainError>>> {
    let explain = |sequence| move |fault| ChainError::Frame { sequence, fault };
    let decoded = |stored: &Stored| decode(&stored.bytes).map_err(explain(stored.sequence));
    items.iter().map(|item| item.frame().map(decoded)).collect()
}

/// The keys that an event made.
pub(super) fn issued_key(event: &Event) -> Option<KeyId> {
    if let Event::KeyIssued { key } | Event::KeyRotated { key, .. } = event { Some(key.id) } else { None }
}

/// The key under which a request id is remembered: principal, narrowing and id. A narrow key neither
/// reads nor occupies the requests of a wider one.
pub(super) fn request_key(maker: Maker, state: &OrgState, request_id: &str) -> RequestKey {
    let (kind, id) = match maker.actor {
        Actor::User(id) => (b'u', id.bytes()),
        Actor::Token(id) => (b't', id.bytes()),
        Actor::System => (b's', [0; 16]),
        Actor::Operator => (b'o', [0; 16]),
    };
    let narrow = maker.credential.and_then(|key| state.key(key)).and_then(|key| key.narrow.as_ref());
    // Its form in records, which the same narrowing always has; an error would give it a namespace of its own.
    let narrow =
        narrow.map(|narrow| serde_json::to_vec(narrow).unwrap_or_else(|error| error.to_string().into()));
    let digest = Sha256::new().chain_update([kind]).chain_update(id).chain_update(request_id);
    let digest = match narrow {
        None => digest,
        Some(narrow) => digest.chain_update([0]).chain_update(narrow),
    };
    first_half(digest.finalize().into())
}

/// A request hash as records write it.
pub(super) fn to_hex(hash: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(hash))
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes) } else { None }
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    half
}
