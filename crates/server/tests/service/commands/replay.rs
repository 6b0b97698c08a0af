//! The replay at the start takes nothing for granted, and skips nothing.

use crate::given::{Given, ORG, START, memory};
use bytes::Bytes;
use grantbook_command::{Fold, FoldError};
use grantbook_domain::{
    event::Event,
    id::OrgId,
    position::Position,
    principal::Actor,
    record::{RECORD_SCHEMA, Record},
};
use grantbook_journal::{
    Journal,
    chain::{ChainError, Chains, OrgEnd},
    frame::encode,
    memory::MemoryJournal,
};

fn record(ordinal: u64, events: Vec<Event>) -> Record {
    Record {
        schema: RECORD_SCHEMA,
        ordinal,
        at: START,
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: "request".to_owned(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events,
    }
}

fn created(id: OrgId, writers: &[&str]) -> Event {
    let writers = writers.iter().map(|writer| (*writer).to_owned()).collect();
    Event::OrganizationCreated { id, name: "acme".to_owned(), created_at: START, writers }
}

/// A journal whose one organization begins with this.
async fn beginning_with(record: Record) -> MemoryJournal {
    let journal = memory(1);
    let link = Chains::new(journal.identity().installation).next_link(ORG);
    journal.append(ORG, 0, encode(link, &[record]).unwrap()).await.unwrap();
    journal
}

#[tokio::test]
async fn an_empty_journal_folds_to_nothing() {
    let fold = Fold::replay(&memory(1)).await.unwrap();
    assert_eq!((fold.sequence(), fold.organizations().count()), (0, 0));
}

#[tokio::test]
async fn every_organization_is_folded_to_its_own_end() {
    let given = Given::settled().await;
    let other = OrgId::from_u128(2);
    let link = Chains::new(given.journal.identity().installation).next_link(other);
    let frame = encode(link, &[record(1, vec![created(other, &[])])]).unwrap();
    given.journal.append(other, 0, frame).await.unwrap();
    given.submit(given.create_token("name")).await.unwrap();
    let fold = Fold::replay(&given.journal).await.unwrap();
    assert_eq!(fold.sequence(), 3);
    let mut ends: Vec<_> = fold
        .organizations()
        .map(|one| {
            let OrgEnd { sequence, ordinal, record_ordinal, .. } = one.end();
            (one.state().id().unwrap(), one.position(), sequence, ordinal, record_ordinal)
        })
        .collect();
    ends.sort();
    assert_eq!(ends, [(other, Position::of(2, 0), 2, 1, 1), (ORG, Position::of(3, 0), 3, 2, 2)]);
}

#[tokio::test]
async fn a_changed_frame_is_noticed() {
    let given = Given::settled().await;
    given.submit(given.create_token("one")).await.unwrap();
    let stored = given.journal.read_one(2).await.unwrap().unwrap().into_frame().unwrap();
    let text = String::from_utf8(stored.bytes.to_vec()).unwrap().replace("one", "two");
    assert!(given.journal.tamper(2, Bytes::from(text)));
    let error = Fold::replay(&given.journal).await.unwrap_err();
    assert!(matches!(error, FoldError::Chain(ChainError::Frame { sequence: 2, .. })), "{error}");
}

#[tokio::test]
async fn another_journals_frame_is_noticed() {
    let (given, foreign) = (Given::settled().await, memory(2));
    let stored = given.journal.read_one(1).await.unwrap().unwrap().into_frame().unwrap();
    foreign.append(ORG, 0, stored.bytes).await.unwrap();
    let error = Fold::replay(&foreign).await.unwrap_err();
    assert!(matches!(error, FoldError::Chain(ChainError::Installation { sequence: 1, .. })), "{error}");
}

#[tokio::test]
async fn an_organization_begins_with_its_own_creation() {
    let nameless = record(1, vec![Event::CatalogExtended { object_types: vec![], permissions: vec![] }]);
    let elsewhere = record(1, vec![created(OrgId::from_u128(2), &[])]);
    for first in [nameless, elsewhere] {
        let error = Fold::replay(&beginning_with(first).await).await.unwrap_err();
        assert!(matches!(error, FoldError::NotUnderstood { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_organization_that_demands_signatures_is_not_understood() {
    let journal = beginning_with(record(1, vec![created(ORG, &["a public key"])])).await;
    let error = Fold::replay(&journal).await.unwrap_err();
    assert!(error.to_string().contains("signed"), "{error}");
}

#[tokio::test]
async fn a_request_hash_that_is_none_is_not_understood() {
    for hash in ["", "00", &"g".repeat(32), &"A".repeat(32)] {
        let mut first = record(1, vec![created(ORG, &[])]);
        first.request_hash = Some(hash.to_owned());
        let error = Fold::replay(&beginning_with(first).await).await.unwrap_err();
        assert!(matches!(error, FoldError::NotUnderstood { .. }), "{error}");
    }
}
