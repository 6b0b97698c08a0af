//! Keys are recognized from the fold, as soon as they are known and no longer than they live.

use crate::given::{Given, ORG, START, token_id};
use grantbook_command::secret::{KeyKind, ParsedKey, Secret};
use grantbook_domain::{
    access::check::Reason,
    command::{Command, KeyCommand, TokenCommand},
    principal::Principal,
    time::Timestamp,
};

async fn with_key(given: &Given, expires_at: Option<Timestamp>) -> (Principal, Secret) {
    let token = token_id(&given.submit(given.create_token("app")).await.unwrap());
    let (id, principal) = (given.ids.id(), Principal::Token(token));
    let secret = Secret::mint(KeyKind::Token, id).unwrap();
    let hash = secret.hash();
    given
        .submit(Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at, narrow: None }))
        .await
        .unwrap();
    (principal, secret)
}

fn parse(secret: &Secret) -> ParsedKey {
    ParsedKey::parse(secret.expose()).unwrap()
}

#[tokio::test]
async fn a_key_works_as_soon_as_it_is_issued_and_not_after_it_is_revoked() {
    let given = Given::settled().await;
    let (org, owner) = given.handle.authenticate(&parse(&given.secret), START).unwrap();
    assert_eq!((org, owner), (ORG, given.owner));
    let (principal, secret) = with_key(&given, None).await;
    let key = parse(&secret);
    let (_, caller) = given.handle.authenticate(&key, START).unwrap();
    assert_eq!((caller.principal, caller.key), (principal, Some(key.id)));
    given.submit(Command::Key(KeyCommand::Revoke { id: key.id })).await.unwrap();
    assert_eq!(given.handle.authenticate(&key, START), Err(Reason::KeyRevoked));
    let given = given.restarted().await;
    assert_eq!(given.handle.authenticate(&key, START), Err(Reason::KeyRevoked));
}

#[tokio::test]
async fn a_key_expires_to_the_millisecond() {
    let given = Given::settled().await;
    let (_, secret) = with_key(&given, Some(START.plus_millis(10))).await;
    assert!(given.handle.authenticate(&parse(&secret), START.plus_millis(9)).is_ok());
    assert_eq!(given.handle.authenticate(&parse(&secret), START.plus_millis(10)), Err(Reason::KeyExpired));
}

#[tokio::test]
async fn a_rotated_key_works_until_its_grace_ends_to_the_millisecond() {
    let given = Given::settled().await;
    let (_, old) = with_key(&given, None).await;
    let new_id = given.ids.id();
    let new = Secret::mint(KeyKind::Token, new_id).unwrap();
    let (id, hash) = (parse(&old).id, new.hash());
    given.submit(Command::Key(KeyCommand::Rotate { id, new_id, hash, grace_seconds: 2 })).await.unwrap();
    assert!(given.handle.authenticate(&parse(&new), START.plus_millis(9999)).is_ok());
    assert!(given.handle.authenticate(&parse(&old), START.plus_millis(1999)).is_ok());
    assert_eq!(given.handle.authenticate(&parse(&old), START.plus_millis(2000)), Err(Reason::KeyExpired));
}

#[tokio::test]
async fn the_end_of_a_principal_is_the_end_of_its_keys() {
    let given = Given::settled().await;
    let (principal, secret) = with_key(&given, None).await;
    let Principal::Token(id) = principal else { panic!("a token") };
    given.submit(Command::Token(TokenCommand::Delete { id })).await.unwrap();
    assert_eq!(given.handle.authenticate(&parse(&secret), START), Err(Reason::InactivePrincipal));
}

#[tokio::test]
async fn nothing_is_learnt_without_the_secret() {
    let given = Given::settled().await;
    let (_, secret) = with_key(&given, None).await;
    let id = parse(&secret).id;
    given.submit(Command::Key(KeyCommand::Revoke { id })).await.unwrap();
    let unknown = Secret::mint(KeyKind::Token, given.ids.id()).unwrap();
    let wrong = Secret::mint(KeyKind::Token, id).unwrap();
    let other_kind = ParsedKey { kind: KeyKind::User, ..parse(&secret) };
    for key in [parse(&unknown), parse(&wrong), other_kind] {
        assert_eq!(given.handle.authenticate(&key, START), Err(Reason::UnknownKey));
    }
}
