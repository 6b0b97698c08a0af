//! A journal file in which one byte was changed ends in an error that names the file and the place, or gives what was
//! written: never a panic, never something else.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use grantbook_journal::{
    Identity, Item, Journal, Tail,
    chain::Chains,
    embedded::{EmbeddedJournal, FILE_NAME},
    frame::encode,
    verify::verify,
};

use crate::chain::record;

const ORG: OrgId = OrgId::from_u128(7);
const FRAMES: u64 = 300;
/// Changes each of the file's first bytes, where redb keeps what everything hangs on, and a sample of the rest.
const DENSE: usize = 400;
const EVERY: usize = 1499;

fn identity() -> Identity {
    Identity { installation: InstallationId::from_u128(1), created_at: Timestamp::EPOCH }
}

/// A journal with frames and foreign messages, closed well.
async fn make(directory: &Path) -> Vec<Item> {
    let journal = EmbeddedJournal::create(directory, identity()).unwrap();
    let mut chains = Chains::new(identity().installation);
    for number in 1..=FRAMES {
        let guard = chains.org(ORG).guard();
        let frame = encode(chains.next_link(ORG), &[record(number, 1)]).unwrap();
        let sequence = journal.append(ORG, guard, frame).await.unwrap();
        chains.take_item(&journal.read_one(sequence).await.unwrap().unwrap()).unwrap();
        if number.is_multiple_of(50) {
            let bytes = Bytes::from_static(b"foreign");
            let sequence = journal.put_foreign(&ORG.to_string(), sequence, bytes).await.unwrap();
            chains.take_item(&journal.read_one(sequence).await.unwrap().unwrap()).unwrap();
        }
    }
    let items = all(&journal).await.unwrap();
    journal.close();
    items
}

async fn all(journal: &EmbeddedJournal) -> Result<Vec<Item>, String> {
    let (head, mut tail) = (journal.head().await.unwrap(), journal.tail(0));
    let mut items: Vec<Item> = Vec::new();
    while items.last().map_or(0, Item::sequence) < head {
        let limit = 64.try_into().unwrap();
        let more = tail.next(limit, std::time::Duration::from_secs(30)).await;
        items.extend(more.map_err(|error| error.to_string())?);
    }
    Ok(items)
}

/// What comes of a file: an error, or the items that a reader believes.
async fn read(directory: &Path) -> Result<Vec<Item>, String> {
    let journal = EmbeddedJournal::open(directory).map_err(|error| error.to_string())?;
    let report = verify(&journal, |_, _| {}).await.map_err(|error| error.to_string())?;
    if let Some(violation) = report.violations.first() {
        return Err(format!("sequence {}: {}", violation.sequence, violation.why));
    }
    let items = all(&journal).await?;
    // Writing meets pages that reading does not; its outcome is asserted, too.
    let head = journal.head().await.unwrap();
    let guard = journal.next_of(ORG, 0).await.map_err(|error| error.to_string())?.map_or(0, |_| head);
    let _told = journal.append(ORG, guard, Bytes::from_static(b"one more")).await;
    Ok(items)
}

#[tokio::test]
async fn a_flipped_byte_anywhere_ends_in_an_error_that_names_file_and_place() {
    let base = tempfile::tempdir().unwrap();
    let (written, path) = (make(base.path()).await, base.path().join(FILE_NAME));
    let whole = fs::read(&path).unwrap();
    let name = path.display().to_string();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let places = (0..DENSE).chain((DENSE..whole.len()).step_by(EVERY));
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&path, bytes).unwrap();
        let outcome = match read(base.path()).await {
            Ok(items) if items == written => "as written",
            // A damaged head of the file may lead to the commit before: the file of heads tells that (ADR 27 and those behind).
            Ok(items) if written.starts_with(&items) && place < 4096 => "an earlier commit",
            Ok(items) => {
                panic!("byte {place}: {} of {} items, others than were written", items.len(), written.len())
            }
            Err(error) => {
                let is_clear =
                    error.contains(&name) || error.contains("sequence ") || error.contains("format ");
                assert!(is_clear, "byte {place}: {error}");
                "an error"
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:?} of a file of {} bytes", whole.len());
    assert!(outcomes.get("an error").is_some_and(|count| *count > 20), "{outcomes:?}");
}
