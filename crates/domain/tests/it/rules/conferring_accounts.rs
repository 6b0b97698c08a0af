//! Nobody gives what he does not hold, continued: whoever lets somebody act as a principal confers all it has.

use grantbook_domain::{
    command::{Author, Command, KeyCommand, TokenCommand, UserCommand},
    id::{Id, TokenId, UserId},
    model::{KeyHash, Narrowing},
    principal::{Actor, Caller, Principal},
    refusal::Refusal,
    scope::Scope,
    time::Timestamp,
};

use crate::given::{Give, Org, START, all, as_user, by, labelled, on_project};

const SECOND: Timestamp = START.plus_millis(1000);

/// Bob may change accounts, and has `delete` on staging and until a second has passed on dev.
struct Case {
    org: Org,
    bob: UserId,
    token: TokenId,
}

impl Case {
    fn with_token_on(on: Scope) -> Self {
        let mut org = Org::founded();
        let (bob, token) = (org.user("bob@x.y"), org.token_until("t", Some(SECOND)));
        let to = Principal::User(bob);
        org.give(Give::allow(to, &["read", "update"], Scope::Organization).only("org_member"));
        org.give(Give::allow(to, &["read_acls"], Scope::Organization).only("organization"));
        org.give(Give::allow(to, &["delete"], labelled("env", "staging")));
        org.give(Give::allow(to, &["delete"], labelled("env", "dev")).until(SECOND));
        org.give(Give::allow(Principal::Token(token), &["delete"], on));
        Self { org, bob, token }
    }

    #[track_caller]
    fn asks(&self, command: Command, expected: &str) {
        self.author_asks(as_user(self.bob), command, expected);
    }

    #[track_caller]
    fn author_asks(&self, author: Author, command: Command, expected: &str) {
        let outcome = self.org.decide(author, command);
        let code = outcome.as_ref().map_or_else(Refusal::code, |_| "ok");
        assert_eq!(code, expected, "{outcome:?}");
    }

    fn extend(&self, expires_at: Option<Timestamp>) -> Command {
        let (name, description, external_id) = (None, None, None);
        Command::Token(TokenCommand::Update {
            id: self.token,
            name,
            description,
            external_id,
            expires_at: Some(expires_at),
        })
    }

    fn rename_elsewhere(&self) -> Command {
        let (name, description, expires_at) = (None, None, None);
        let external_id = Some(Some("elsewhere".to_owned()));
        Command::Token(TokenCommand::Update { id: self.token, name, description, external_id, expires_at })
    }
}

fn issue(principal: Principal, permissions: Option<&[&str]>, on: Option<Scope>) -> Command {
    let permissions = permissions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let (id, hash, narrow) =
        (Id::from_u128(1), KeyHash([0; 32]), Some(Narrowing { permissions, on, generation: 0 }));
    Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at: None, narrow })
}

#[test]
fn a_key_confers_what_its_principal_has_cut_by_its_narrowing() {
    let case = Case::with_token_on(all());
    let token = Principal::Token(case.token);
    case.asks(issue(token, None, None), "not_held");
    case.asks(issue(token, None, Some(labelled("env", "prod"))), "not_held");
    case.asks(issue(token, None, Some(labelled("env", "staging"))), "ok");
    case.asks(issue(token, None, Some(labelled("env", "dev"))), "ok");
    case.asks(issue(token, Some(&["read"]), None), "ok");
    case.asks(issue(token, Some(&["read", "delete"]), None), "not_held");
    let case = Case::with_token_on(labelled("env", "staging"));
    let token = Principal::Token(case.token);
    case.asks(issue(token, None, None), "ok");
    case.asks(issue(token, None, Some(labelled("env", "prod"))), "ok");
    case.asks(issue(Principal::User(case.org.owner), None, None), "forbidden");
}

/// A key of a token never expires unless it or the token says otherwise, and so must what it confers.
#[test]
fn a_key_confers_until_its_end_or_its_principals() {
    let mut case = Case::with_token_on(labelled("env", "dev"));
    case.asks(issue(Principal::Token(case.token), None, None), "ok");
    let lasting = Principal::Token(case.org.token("lasting"));
    case.org.give(Give::allow(lasting, &["delete"], labelled("env", "dev")));
    case.asks(issue(lasting, None, None), "not_held");
    let (id, hash) = (case.org.id(), KeyHash([0; 32]));
    let until = |expires_at| {
        Command::Key(KeyCommand::Issue { id, principal: lasting, name: None, hash, expires_at, narrow: None })
    };
    case.asks(until(Some(SECOND)), "ok");
    case.asks(until(Some(SECOND.plus_millis(1))), "not_held");
}

/// Whatever the user is given later, the key would have: today's rights are not enough to judge by.
#[test]
fn a_key_of_another_user_needs_delegate_on_the_organization() {
    let mut case = Case::with_token_on(all());
    let eve = Principal::User(case.org.user("eve@x.y"));
    case.asks(issue(eve, None, None), "forbidden");
    case.asks(issue(eve, Some(&["read"]), Some(labelled("env", "staging"))), "forbidden");
    let key = case.org.key(eve, None, None);
    let rotate = Command::Key(KeyCommand::Rotate {
        id: key,
        new_id: Id::from_u128(1),
        hash: KeyHash([0; 32]),
        grace_seconds: 0,
    });
    case.asks(rotate.clone(), "forbidden");
    case.org.give(Give::allow(Principal::User(case.bob), &["delegate"], all()));
    case.asks(issue(eve, None, None), "forbidden");
    case.org.give(Give::allow(Principal::User(case.bob), &["delegate"], Scope::Organization));
    case.asks(issue(eve, None, None), "ok");
    case.asks(rotate, "ok");
}

/// Trying one narrowing after another must not tell what the token has, to who may not see it.
#[test]
fn a_narrowing_tells_nothing_about_rights_that_are_not_seen() {
    for rights in [&["delete"][..], &["update"], &[]] {
        let mut org = Org::founded();
        let admin = Principal::User(org.user("admin@x.y"));
        let token = Principal::Token(org.token("t"));
        let (secret, seen) = (org.project("secret", &[]), org.project("seen", &[]));
        org.give(Give::allow(admin, &["read", "update"], Scope::Organization).only("org_member"));
        org.give(Give::allow(admin, &["read", "delete"], on_project(seen)));
        org.give(Give::allow(token, &["read", "create_acls"], on_project(secret)));
        if !rights.is_empty() {
            org.give(Give::allow(token, rights, on_project(secret)));
        }
        for permission in ["read", "update", "delete", "create_acls"] {
            let narrowed = |on| org.decide(by(admin), issue(token, Some(&[permission]), on));
            assert_eq!(narrowed(None).expect_err("not held").code(), "not_held");
            let hidden = narrowed(Some(on_project(secret))).expect_err("hidden");
            assert_eq!(hidden, narrowed(Some(on_project(Id::from_u128(9)))).expect_err("absent"));
            let ok = matches!(permission, "read" | "delete");
            assert_eq!(narrowed(Some(on_project(seen))).is_ok(), ok, "what the admin could give by itself");
        }
    }
}

#[test]
fn a_key_that_gives_more_than_its_issuer_could_is_of_concern() {
    let mut case = Case::with_token_on(labelled("env", "staging"));
    let token = Principal::Token(case.token);
    let id = case.org.id();
    let bobs = Command::Key(KeyCommand::Issue {
        id,
        principal: token,
        name: None,
        hash: KeyHash([0; 32]),
        expires_at: None,
        narrow: None,
    });
    case.org.act(as_user(case.bob), bobs).expect("bob may");
    let adas = case.org.key(token, None, None);
    assert!(case.org.state.keys_of_concern(token, case.org.now).is_empty());
    // With its own key, the token issues another: bob answers for that one too.
    case.org.give(Give::allow(token, &["update"], Scope::Organization).only("org_member"));
    let next = case.org.id();
    let caller = Author::Caller(Caller { principal: token, key: Some(id) });
    let rotate =
        Command::Key(KeyCommand::Rotate { id, new_id: next, hash: KeyHash([1; 32]), grace_seconds: 5 });
    case.org.act(caller, rotate).expect("its own");
    case.org.give(Give::allow(token, &["delete"], all()));
    let concern = |org: &Org| -> Vec<_> {
        org.state.keys_of_concern(token, org.now).iter().map(|one| (one.key, one.issued_by)).collect()
    };
    let bob = Actor::User(case.bob);
    assert_eq!(concern(&case.org), [(id, bob), (next, bob)], "{adas:?} is an owner's");
    case.org.give(Give::allow(Principal::User(case.bob), &["delegate"], Scope::Organization));
    assert!(concern(&case.org).is_empty());
    case.org.done(Command::User(UserCommand::Deactivate { id: case.bob }));
    assert_eq!(concern(&case.org), [(id, bob), (next, bob)]);
    case.org.pass(900);
    case.org.done(Command::Key(KeyCommand::Revoke { id: next }));
    assert_eq!(concern(&case.org), [(id, bob)]);
    let eve = Principal::User(case.org.user("eve@x.y"));
    let of_eve = case.org.key(eve, None, None);
    assert!(case.org.state.keys_of_concern(eve, case.org.now).is_empty(), "{of_eve:?}");
}

/// No way around it by another account: what was issued with a key of concern is of concern, also once that was revoked.
#[test]
fn a_key_that_was_issued_with_a_key_of_concern_is_one() {
    let mut case = Case::with_token_on(labelled("env", "staging"));
    let token = Principal::Token(case.token);
    let new_key = |id, principal| {
        Command::Key(KeyCommand::Issue {
            id,
            principal,
            name: None,
            hash: KeyHash([0; 32]),
            expires_at: None,
            narrow: None,
        })
    };
    let (early, hop, back) = (case.org.id(), case.org.id(), case.org.id());
    case.org.act(as_user(case.bob), new_key(early, token)).expect("bob may");
    case.org.give(Give::allow(token, &["delegate", "read", "update"], Scope::Organization));
    let second = Principal::Token(case.org.token("second"));
    case.org.give(Give::allow(second, &["delegate", "read", "update"], Scope::Organization));
    let with = |principal, key| Author::Caller(Caller { principal, key: Some(key) });
    case.org.act(with(token, early), new_key(hop, second)).expect("it may everything");
    case.org.act(with(second, hop), new_key(back, token)).expect("so may the other");
    let concern = |org: &Org, principal| -> Vec<_> {
        org.state.keys_of_concern(principal, org.now).iter().map(|one| one.key).collect()
    };
    assert_eq!(concern(&case.org, token), [early, back]);
    assert_eq!(concern(&case.org, second), [hop]);
    case.org.done(Command::Key(KeyCommand::Revoke { id: early }));
    case.org.done(Command::Key(KeyCommand::Revoke { id: hop }));
    assert_eq!(concern(&case.org, token), [back], "an attacker with the first key may have this one");
    if let Principal::Token(id) = second {
        case.org.done(Command::Token(TokenCommand::Delete { id }));
    }
    assert_eq!(concern(&case.org, token), [back]);
    // A key that an owner's key issued is clean.
    let clean = case.org.key(token, None, None);
    assert!(!concern(&case.org, token).contains(&clean));
}

#[test]
fn a_rotation_confers_what_the_old_key_has() {
    let mut case = Case::with_token_on(all());
    let token = Principal::Token(case.token);
    let wide = case.org.key(token, None, None);
    let on = Some(labelled("env", "staging"));
    let narrow = case.org.key(token, None, Some(Narrowing { permissions: None, on, generation: 0 }));
    for (id, expected) in [(wide, "not_held"), (narrow, "ok")] {
        let (new_id, hash) = (Id::from_u128(1), KeyHash([0; 32]));
        case.asks(Command::Key(KeyCommand::Rotate { id, new_id, hash, grace_seconds: 0 }), expected);
    }
}

#[test]
fn a_key_of_ones_own_is_no_wider_than_the_key_in_use() {
    let mut case = Case::with_token_on(all());
    let bob = Principal::User(case.bob);
    let staging = || Some(labelled("env", "staging"));
    case.org.give(Give::allow(bob, &["read"], all()));
    case.asks(issue(bob, None, None), "ok");
    let (on, permissions) = (Some(Scope::Organization), Some(&["update", "delete"][..]));
    let author = case.org.narrowed(bob, permissions, on);
    case.author_asks(author, issue(bob, None, None), "not_held");
    case.author_asks(author, issue(bob, Some(&["update", "delete"]), None), "ok");
    case.author_asks(author, issue(bob, Some(&["delete"]), staging()), "ok");
    case.author_asks(author, issue(bob, Some(&["read", "delete"]), staging()), "not_held");
    let wide = case.org.key(bob, None, None);
    let rotate = |id| {
        Command::Key(KeyCommand::Rotate {
            id,
            new_id: Id::from_u128(1),
            hash: KeyHash([0; 32]),
            grace_seconds: 0,
        })
    };
    case.author_asks(author, rotate(wide), "not_held");
    let Author::Caller(Caller { key: Some(own), .. }) = author else { panic!("a key") };
    case.author_asks(author, rotate(own), "ok");
}

#[test]
fn a_later_end_or_another_name_confers_all_the_token_has() {
    let case = Case::with_token_on(all());
    let rename = |case: &Case| {
        Command::Token(TokenCommand::Update {
            id: case.token,
            name: Some("trusted".to_owned()),
            description: None,
            external_id: None,
            expires_at: None,
        })
    };
    case.asks(rename(&case), "not_held");
    let own = Case::with_token_on(labelled("env", "staging"));
    own.asks(rename(&own), "ok");
    case.asks(case.extend(Some(SECOND.plus_millis(-1))), "ok");
    case.asks(case.extend(Some(SECOND.plus_millis(1))), "not_held");
    case.asks(case.extend(None), "not_held");
    case.asks(case.rename_elsewhere(), "not_held");
    let case = Case::with_token_on(labelled("env", "staging"));
    case.asks(case.extend(None), "ok");
    case.asks(case.rename_elsewhere(), "ok");
    let mut case = Case::with_token_on(labelled("env", "dev"));
    case.asks(case.extend(None), "not_held");
    case.asks(case.rename_elsewhere(), "ok");
    case.org.now = SECOND.plus_millis(1);
    case.asks(case.extend(Some(SECOND.plus_millis(2))), "not_held");
}

#[test]
fn another_email_or_external_id_of_a_user_confers_all_he_has() {
    let mut case = Case::with_token_on(all());
    let eve = case.org.user("eve@x.y");
    let change = |email: Option<&str>, external_id: Option<&str>| {
        Command::User(UserCommand::Update {
            id: eve,
            email: email.map(str::to_owned),
            name: Some(Some("Eve".to_owned())),
            external_id: external_id.map(|text| Some(text.to_owned())),
        })
    };
    let project = case.org.project("s", &[("env", "staging")]);
    case.org.give(Give::allow(Principal::User(eve), &["delete"], on_project(project)));
    for (email, external_id) in [(Some("other@x.y"), None), (None, Some("42")), (None, None)] {
        case.asks(change(email, external_id), "ok");
    }
    case.org.give(Give::allow(Principal::User(eve), &["read"], all()));
    // Under another name she would pass for somebody else.
    case.asks(change(None, None), "not_held");
    case.author_asks(as_user(eve), change(None, None), "forbidden");
    case.org
        .give(Give::allow(Principal::User(eve), &["read", "update"], Scope::Organization).only("org_member"));
    case.author_asks(as_user(eve), change(None, None), "ok");
    case.asks(change(Some("other@x.y"), None), "not_held");
    case.asks(change(None, Some("42")), "not_held");
}
