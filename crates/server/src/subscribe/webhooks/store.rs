//! What was sent: a file of the node that sends. Every change is durable when it is acknowledged.

use std::{path::Path, sync::Arc};

use grantbook_domain::{
    id::{InstallationId, OrgId, WebhookId},
    position::Position,
    time::Timestamp,
};
use grantbook_files as files;
use redb::{Database, ReadableDatabase, ReadableTable as _, TableDefinition, backends::FileBackend};
use serde::{Deserialize, Serialize};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// By name: format and installation.
const META: Rows = TableDefinition::new("webhook_meta");
/// By webhook: [`DeliveryStatus`] as JSON.
const STANDINGS: Rows = TableDefinition::new("webhook_standings");
/// By webhook, position and index: [`DeadLetter`] as JSON.
const DEAD: Rows = TableDefinition::new("webhook_dead_letters");
/// The layout of these rows.
const FORMAT: u32 = 1;
/// How much of the file the store keeps in memory: a delivery looks at one row.
const CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Most dead letters of one webhook; with so many, its message in turn is tried for ever.
pub(crate) const DEAD_MAX: u64 = 10_000;

/// What has been done with: every record up to a position, and so many messages of the record after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Every message of records up to this one.
    pub(crate) done: Position,
    /// So many messages of the next record.
    pub(crate) within: u32,
}

/// How the delivery to a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryStatus {
    /// Whose it is.
    pub(crate) org: OrgId,
    /// What has been done with.
    pub(crate) cursor: Cursor,
    /// One more with each replay: what was under way then does not move the cursor any more.
    pub(crate) epoch: u64,
    /// The URL that answered 410.
    pub(crate) gone: Option<String>,
    /// How the message in turn fails.
    pub(crate) failing: Option<Failing>,
    /// How the last attempt went.
    pub(crate) last: Option<DeliveryAttempt>,
    /// How many dead letters there are.
    pub(crate) dead: u64,
}

/// A message in turn that was not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failing {
    /// Its id,
    pub(crate) message: String,
    /// and where it was sent: another URL is tried at once.
    pub(crate) url: String,
    /// Since when.
    pub(crate) since: Timestamp,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it is tried again.
    pub(crate) next: Timestamp,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryAttempt {
    /// When.
    pub(crate) at: Timestamp,
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// What went wrong otherwise.
    pub(crate) error: Option<String>,
}

/// A message that was given up. Its text is made anew from the view when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// The record,
    pub(crate) position: Position,
    /// and which of its messages.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// How the last attempt went.
    pub(crate) last: DeliveryAttempt,
}

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read or written.
    #[error("the file of webhook deliveries: {0}")]
    Database(redb::Error),
    /// A row is not as it was written.
    #[error("the file of webhook deliveries holds what cannot be read: {0}")]
    Row(#[from] serde_json::Error),
    /// It is of another journal.
    #[error("the file of webhook deliveries is of another journal: move it away to begin anew")]
    OtherJournal,
    /// There is no such dead letter any more.
    #[error("the dead letter has left the list")]
    NotListed,
    /// It is of another version.
    #[error("the file of webhook deliveries has format {0}, and this version knows only {FORMAT}")]
    Format(u32),
}

/// The file; cheap to clone. Everything blocks.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    db: Arc<Database>,
}

impl DeliveryStatus {
    /// Of a webhook that nothing was sent to: everything after the record that made it is to come.
    pub(crate) fn beginning(org: OrgId, made: Position) -> Self {
        let cursor = Cursor { done: made, within: 0 };
        Self { org, cursor, epoch: 0, gone: None, failing: None, last: None, dead: 0 }
    }
}

impl DeliveryAttempt {
    /// Whether the receiver accepted the message.
    pub(crate) fn is_delivered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Store {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path, installation: InstallationId) -> Result<Self, StoreError> {
        let file = files::open_or_create(path).map_err(redb::DatabaseError::from)?;
        let backend = FileBackend::new(file)?;
        let db = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend)?;
        let write = db.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            write.open_table(STANDINGS)?;
            write.open_table(DEAD)?;
            let format = text(&meta, b"format")?.and_then(|bytes| bytes.try_into().ok());
            let known = text(&meta, b"installation")?;
            match format.map(u32::from_be_bytes) {
                None => {}
                Some(FORMAT) if known.as_deref() == Some(installation.bytes().as_slice()) => {}
                Some(FORMAT) => return Err(StoreError::OtherJournal),
                Some(other) => return Err(StoreError::Format(other)),
            }
            meta.insert(b"format".as_slice(), FORMAT.to_be_bytes().as_slice())?;
            let installation = installation.bytes();
            meta.insert(b"installation".as_slice(), installation.as_slice())?;
        }
        write.commit()?;
        Ok(Self { db: Arc::new(db) })
    }

    /// How a webhook stands, if anything was noted of it.
    pub(crate) fn standing(&self, id: WebhookId) -> Result<Option<DeliveryStatus>, StoreError> {
        let read = self.db.begin_read()?;
        let table = read.open_table(STANDINGS)?;
        let row = table.get(id.bytes().as_slice())?;
        row.map(|row| serde_json::from_slice(row.value())).transpose().map_err(StoreError::from)
    }

    /// Notes how a webhook stands, unless a replay was asked for since `standing` was read; with a dead letter, if one is
    /// given. Answers how it stands then.
    pub(crate) fn note(
        &self,
        id: WebhookId,
        mut standing: DeliveryStatus,
        dead: Option<&DeadLetter>,
    ) -> Result<DeliveryStatus, StoreError> {
        self.change(id, |known, letters| {
            if let Some(known) = known {
                if known.epoch != standing.epoch {
                    return Ok(known);
                }
                // Letters leave the list by themselves.
                standing.dead = known.dead;
            }
            if let Some(letter) = dead {
                let row = serde_json::to_vec(letter)?;
                let key = key(id, letter.position, letter.index);
                let is_new = letters.insert(key.as_slice(), row.as_slice())?.is_none();
                standing.dead = standing.dead.saturating_add(u64::from(is_new));
            }
            Ok(standing.clone())
        })
    }

    /// Begins anew after a position.
    pub(crate) fn replay(
        &self,
        id: WebhookId,
        org: OrgId,
        from: Position,
    ) -> Result<DeliveryStatus, StoreError> {
        self.change(id, |known, _| {
            let known = known.unwrap_or_else(|| DeliveryStatus::beginning(org, from));
            let cursor = Cursor { done: from, within: 0 };
            Ok(DeliveryStatus {
                cursor,
                epoch: known.epoch.saturating_add(1),
                gone: None,
                failing: None,
                ..known
            })
        })
    }

    /// One dead letter.
    pub(crate) fn dead_letter(
        &self,
        id: WebhookId,
        position: Position,
        index: u32,
    ) -> Result<Option<DeadLetter>, StoreError> {
        let read = self.db.begin_read()?;
        let table = read.open_table(DEAD)?;
        let row = table.get(key(id, position, index).as_slice())?;
        row.map(|row| serde_json::from_slice(row.value())).transpose().map_err(StoreError::from)
    }

    /// Dead letters in the order of their records, beyond one of them, at most so many.
    pub(crate) fn dead_letters(
        &self,
        id: WebhookId,
        after: Option<(Position, u32)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let read = self.db.begin_read()?;
        let table = read.open_table(DEAD)?;
        let start = match after {
            Some((position, index)) => key(id, position, index.saturating_add(1)),
            None => key(id, Position::START, 0),
        };
        let end = key(id, Position::from_u64(u64::MAX), u32::MAX);
        let rows = table.range::<&[u8]>(start.as_slice()..=end.as_slice())?;
        let letter = |row: Result<(_, redb::AccessGuard<'_, &[u8]>), redb::StorageError>| {
            let (_, row) = row?;
            serde_json::from_slice(row.value()).map_err(StoreError::from)
        };
        rows.take(limit).map(letter).collect()
    }

    /// Notes how another attempt at a dead letter went; if it was accepted, the letter leaves the list. Answers how the
    /// webhook stands then. Nothing is changed if the letter has left the list meanwhile, or the webhook has ended.
    pub(crate) fn retried(&self, id: WebhookId, letter: &DeadLetter) -> Result<DeliveryStatus, StoreError> {
        self.change(id, |known, letters| {
            let key = key(id, letter.position, letter.index);
            let is_listed = letters.get(key.as_slice())?.is_some();
            let mut known = known.filter(|_| is_listed).ok_or(StoreError::NotListed)?;
            if letter.last.is_delivered() {
                letters.remove(key.as_slice())?;
                known.dead = known.dead.saturating_sub(1);
            } else {
                let row = serde_json::to_vec(letter)?;
                letters.insert(key.as_slice(), row.as_slice())?;
            }
            Ok(known)
        })
    }

    /// Forgets a webhook that has ended.
    pub(crate) fn forget(&self, id: WebhookId) -> Result<(), StoreError> {
        let write = self.db.begin_write()?;
        {
            let mut standings = write.open_table(STANDINGS)?;
            standings.remove(id.bytes().as_slice())?;
            let mut letters = write.open_table(DEAD)?;
            let (start, end) = (key(id, Position::START, 0), key(id, Position::from_u64(u64::MAX), u32::MAX));
            letters.retain_in::<&[u8], _>(start.as_slice()..=end.as_slice(), |_, _| false)?;
        }
        write.commit()?;
        Ok(())
    }

    /// The webhooks that something was noted of.
    pub(crate) fn known(&self) -> Result<Vec<WebhookId>, StoreError> {
        let read = self.db.begin_read()?;
        let table = read.open_table(STANDINGS)?;
        let rows = table.iter()?;
        let id = |row: Result<(redb::AccessGuard<'_, &[u8]>, _), redb::StorageError>| {
            let (key, _) = row?;
            Ok(key.value().try_into().ok().map(WebhookId::from_bytes))
        };
        rows.map(id).filter_map(Result::transpose).collect()
    }

    /// One durable transaction on one webhook.
    fn change(
        &self,
        id: WebhookId,
        change: impl FnOnce(
            Option<DeliveryStatus>,
            &mut redb::Table<'_, &'static [u8], &'static [u8]>,
        ) -> Result<DeliveryStatus, StoreError>,
    ) -> Result<DeliveryStatus, StoreError> {
        let write = self.db.begin_write()?;
        let after = {
            let mut standings = write.open_table(STANDINGS)?;
            let mut letters = write.open_table(DEAD)?;
            let known = text(&standings, &id.bytes())?;
            let known = known.map(|row| serde_json::from_slice(&row)).transpose()?;
            let after = change(known, &mut letters)?;
            let row = serde_json::to_vec(&after)?;
            standings.insert(id.bytes().as_slice(), row.as_slice())?;
            after
        };
        write.commit()?;
        Ok(after)
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        Self::Database(error.into())
    }
}
impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        Self::Database(error.into())
    }
}
impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        Self::Database(error.into())
    }
}
impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        Self::Database(error.into())
    }
}
impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        Self::Database(error.into())
    }
}

fn text(
    table: &redb::Table<'_, &'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(table.get(key)?.map(|row| row.value().to_vec()))
}

fn key(id: WebhookId, position: Position, index: u32) -> Vec<u8> {
    [id.bytes().as_slice(), &position.get().to_be_bytes(), &index.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: WebhookId = WebhookId::from_u128(7);
    const ORG: OrgId = OrgId::from_u128(1);

    fn letter(sequence: u64, status: u16) -> DeadLetter {
        let last = DeliveryAttempt { at: Timestamp::from_millis(5), status: Some(status), error: None };
        DeadLetter {
            position: Position::of(sequence, 0),
            index: 1,
            name: "KeyRevoked".into(),
            attempts: 3,
            last,
        }
    }

    #[test]
    fn what_was_noted_is_there_after_opening_again_and_belongs_to_one_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("webhooks.redb");
        let mine = InstallationId::from_u128(1);
        let store = Store::open(&path, mine).unwrap();
        assert_eq!(store.standing(HOOK).unwrap(), None);
        let standing = DeliveryStatus::beginning(ORG, Position::of(3, 0));
        let noted = store.note(HOOK, standing.clone(), Some(&letter(4, 500))).unwrap();
        assert_eq!(noted.dead, 1);
        drop(store);
        assert!(matches!(Store::open(&path, InstallationId::from_u128(2)), Err(StoreError::OtherJournal)));
        let store = Store::open(&path, mine).unwrap();
        assert_eq!(store.standing(HOOK).unwrap(), Some(noted));
        assert_eq!(store.known().unwrap(), [HOOK]);
        assert_eq!(store.dead_letters(HOOK, None, 9).unwrap(), [letter(4, 500)]);
        store.forget(HOOK).unwrap();
        assert_eq!(
            (store.standing(HOOK).unwrap(), store.dead_letters(HOOK, None, 9).unwrap()),
            (None, vec![])
        );
    }

    #[test]
    fn what_was_under_way_does_not_undo_a_replay() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("w"), InstallationId::from_u128(1)).unwrap();
        let before = store.note(HOOK, DeliveryStatus::beginning(ORG, Position::of(9, 0)), None).unwrap();
        let replayed = store.replay(HOOK, ORG, Position::of(2, 0)).unwrap();
        let late = DeliveryStatus { cursor: Cursor { done: Position::of(10, 0), within: 0 }, ..before };
        assert_eq!(store.note(HOOK, late, Some(&letter(10, 500))).unwrap(), replayed);
        assert_eq!(store.dead_letters(HOOK, None, 9).unwrap(), []);
        assert_eq!(store.standing(HOOK).unwrap().unwrap().cursor.done, Position::of(2, 0));
    }

    #[test]
    fn dead_letters_come_in_order_and_leave_once_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("w"), InstallationId::from_u128(1)).unwrap();
        let mut standing = DeliveryStatus::beginning(ORG, Position::START);
        for sequence in [5, 4, 300] {
            standing = store.note(HOOK, standing, Some(&letter(sequence, 500))).unwrap();
        }
        let other = WebhookId::from_u128(8);
        store.note(other, DeliveryStatus::beginning(ORG, Position::START), Some(&letter(1, 500))).unwrap();
        let sequences = |letters: Vec<DeadLetter>| -> Vec<u64> {
            letters.iter().map(|letter| letter.position.sequence()).collect()
        };
        assert_eq!(sequences(store.dead_letters(HOOK, None, 2).unwrap()), [4, 5]);
        let after = Some((Position::of(5, 0), 1));
        assert_eq!(sequences(store.dead_letters(HOOK, after, 9).unwrap()), [300]);
        assert_eq!(store.retried(HOOK, &letter(5, 503)).unwrap().dead, 3);
        assert_eq!(store.retried(HOOK, &letter(5, 204)).unwrap().dead, 2);
        for status in [204, 503] {
            let again = store.retried(HOOK, &letter(5, status));
            assert!(
                matches!(again, Err(StoreError::NotListed)),
                "it has left already, and does not come back"
            );
        }
        assert_eq!(store.standing(HOOK).unwrap().unwrap().dead, 2);
        assert_eq!(sequences(store.dead_letters(HOOK, None, 9).unwrap()), [4, 300]);
        store.forget(HOOK).unwrap();
        assert!(matches!(store.retried(HOOK, &letter(4, 503)), Err(StoreError::NotListed)));
        assert_eq!(store.standing(HOOK).unwrap(), None, "nothing is noted of what has ended");
    }
}
