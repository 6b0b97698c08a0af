//! Nobody gives what he does not hold, continued: whoever lets somebody act as a principal confers all it has.

use grantbook_domain::{
    command::{Author, Command},
    id::{Id, TokenId, UserId},
    model::{KeyHash, Narrowing},
    principal::{Caller, Principal},
    refusal::Refusal,
    scope::Scope,
    time::Timestamp,
};

use crate::given::{Give, Org, START, all, as_user, labelled, on_project};

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
        Command::UpdateToken { id: self.token, name, description, external_id, expires_at: Some(expires_at) }
    }

    fn rename_elsewhere(&self) -> Command {
        let (name, description, expires_at) = (None, None, None);
        let external_id = Some(Some("elsewhere".to_owned()));
        Command::UpdateToken { id: self.token, name, description, external_id, expires_at }
    }
}

fn issue(principal: Principal, permissions: Option<&[&str]>, on: Option<Scope>) -> Command {
    let permissions = permissions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let (id, hash, narrow) = (Id::from_u128(1), KeyHash([0; 32]), Some(Narrowing { permissions, on }));
    Command::IssueKey { id, principal, name: None, hash, expires_at: None, narrow }
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
    case.asks(issue(Principal::User(case.org.owner), None, None), "not_held");
}

/// A key of a user lasts for ever unless it says otherwise, and so must what it confers.
#[test]
fn a_key_confers_until_its_end_or_its_principals() {
    let mut case = Case::with_token_on(labelled("env", "dev"));
    case.asks(issue(Principal::Token(case.token), None, None), "ok");
    let user = Principal::User(case.org.user("eve@x.y"));
    case.org.give(Give::allow(user, &["delete"], labelled("env", "dev")));
    case.asks(issue(user, None, None), "not_held");
    let (id, hash) = (case.org.id(), KeyHash([0; 32]));
    let until =
        |expires_at| Command::IssueKey { id, principal: user, name: None, hash, expires_at, narrow: None };
    case.asks(until(Some(SECOND)), "ok");
    case.asks(until(Some(SECOND.plus_millis(1))), "not_held");
}

#[test]
fn a_rotation_confers_what_the_old_key_has() {
    let mut case = Case::with_token_on(all());
    let token = Principal::Token(case.token);
    let wide = case.org.key(token, None, None);
    let on = Some(labelled("env", "staging"));
    let narrow = case.org.key(token, None, Some(Narrowing { permissions: None, on }));
    for (id, expected) in [(wide, "not_held"), (narrow, "ok")] {
        let (new_id, hash) = (Id::from_u128(1), KeyHash([0; 32]));
        case.asks(Command::RotateKey { id, new_id, hash, grace_seconds: 0 }, expected);
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
    let rotate =
        |id| Command::RotateKey { id, new_id: Id::from_u128(1), hash: KeyHash([0; 32]), grace_seconds: 0 };
    case.author_asks(author, rotate(wide), "not_held");
    let Author::Caller(Caller { key: Some(own), .. }) = author else { panic!("a key") };
    case.author_asks(author, rotate(own), "ok");
}

#[test]
fn a_later_end_or_another_external_id_confers_all_the_token_has() {
    let case = Case::with_token_on(all());
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
    let change = |email: Option<&str>, external_id: Option<&str>| Command::UpdateUser {
        id: eve,
        email: email.map(str::to_owned),
        name: Some(Some("Eve".to_owned())),
        external_id: external_id.map(|text| Some(text.to_owned())),
    };
    let project = case.org.project("s", &[("env", "staging")]);
    case.org.give(Give::allow(Principal::User(eve), &["delete"], on_project(project)));
    for (email, external_id) in [(Some("other@x.y"), None), (None, Some("42")), (None, None)] {
        case.asks(change(email, external_id), "ok");
    }
    case.org.give(Give::allow(Principal::User(eve), &["read"], all()));
    case.asks(change(None, None), "ok");
    case.asks(change(Some("other@x.y"), None), "not_held");
    case.asks(change(None, Some("42")), "not_held");
    case.asks(change(Some("eve@x.y"), None), "ok");
}
