//! The checker can fail: a history that is as it must be, and each way of it not being so.

#![expect(clippy::expect_used, reason = "the failure of a test")]

use grantbook_domain::{
    command::{Author, Command as Wanted, GrantCommand, KeyCommand, ProjectCommand, Request, TokenCommand},
    event::Event,
    id::{GrantId, GroupId, Id, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId},
    model::{Effect, Gives, KeyHash},
    position::Position,
    principal::{Actor, Caller, Grantee, Principal},
    record::{Maker, RECORD_SCHEMA, Record, Recorded},
    scope::{ObjectRef, Scope},
    state::{OrgState, founding::Founding},
    time::Timestamp,
};

use crate::{
    checker::{Evidence, judge, names_of},
    history::{Check, Command, Entry, Kind, Message, Micros, Outcome, Promise, Said, Subscribed, View},
};

const ORG: OrgId = OrgId::from_u128(1);
const OWNER: UserId = UserId::from_u128(2);
const OWNER_KEY: KeyId = KeyId::from_u128(3);
const PROJECT: ProjectId = ProjectId::from_u128(20);
const TOKEN: TokenId = TokenId::from_u128(21);
const KEY: KeyId = KeyId::from_u128(22);
const GRANT: GrantId = GrantId::from_u128(23);
const SECOND: Micros = 1_000_000;

/// A history in the making: everything is acknowledged 10 ms after it was sent, every 100 ms.
struct Story {
    state: OrgState,
    journal: Vec<Recorded>,
    entries: Vec<Entry>,
    now: Micros,
}

impl Story {
    fn begin() -> Self {
        let builtin = |number: u128| -> (RoleId, GroupId, GrantId) {
            (Id::from_u128(number), Id::from_u128(number + 1), Id::from_u128(number + 2))
        };
        let founding = Founding {
            org: ORG,
            name: "acme".to_owned(),
            owner: OWNER,
            email: "ada@example.com".to_owned(),
            key: OWNER_KEY,
            hash: KeyHash([1; 32]),
            builtins: [builtin(4), builtin(7), builtin(10)],
            at: Timestamp::from_millis(1),
        };
        let mut story =
            Self { state: OrgState::default(), journal: Vec::new(), entries: Vec::new(), now: SECOND };
        let events = founding.decide().expect("a founding");
        story.record("init", Actor::Operator, events);
        story
    }

    fn record(&mut self, request: &str, actor: Actor, events: Vec<Event>) -> u64 {
        let credential = actor.principal().map(|_| OWNER_KEY);
        for event in &events {
            self.state.apply(Maker { actor, credential }, event);
        }
        let ordinal = self.journal.len() as u64 + 1;
        let position = Position::of(ordinal, 0);
        let record = Record {
            schema: RECORD_SCHEMA,
            ordinal,
            at: Timestamp::from_millis(1),
            actor,
            credential,
            source_ip: None,
            request_id: request.to_owned(),
            request_hash: None,
            reason: None,
            steps: Vec::new(),
            events,
        };
        self.journal.push(Recorded { position, org: ORG, record });
        position.get()
    }

    /// Decides, records and acknowledges a command.
    fn accept(&mut self, request: &str, wanted: Wanted, makes: &[&'static str], revokes: Option<&str>) {
        let caller = Caller { principal: Principal::User(OWNER), key: Some(OWNER_KEY) };
        let author = Author::Caller(caller);
        let asked = Request { author, at: Timestamp::from_millis(1), command: wanted };
        let decided = self.state.decide(&asked).expect("it is accepted");
        let position = self.record(request, Actor::User(OWNER), decided.events);
        let body = format!("the answer to {request}");
        self.command(request, makes, revokes, Outcome::Acknowledged { position, body });
    }

    fn command(&mut self, request: &str, makes: &[&'static str], revokes: Option<&str>, outcome: Outcome) {
        let sent = self.now;
        self.now += SECOND / 10;
        self.entries.push(Entry::Command(Command {
            request: request.to_owned(),
            service: "c0".to_owned(),
            makes: makes.to_vec(),
            revokes: revokes.map(str::to_owned),
            wants_name: request.starts_with("race").then(|| "only".to_owned()),
            sent,
            answered: sent + SECOND / 100,
            outcome,
        }));
    }

    fn check(&mut self, said: Said, at_least: u64) {
        self.entries.push(Entry::Check(Check {
            node: "r0".to_owned(),
            subject: "bot".to_owned(),
            token: TOKEN.to_string(),
            key: KEY.to_string(),
            project: PROJECT.to_string(),
            at_least,
            latest: false,
            sent: self.now,
            answered: self.now + 1_000,
            said,
        }));
    }

    fn end(&self) -> u64 {
        self.journal.last().map_or(0, |recorded| recorded.position.get())
    }
}

fn token(id: u128, name: &str) -> Wanted {
    Wanted::Token(TokenCommand::Create {
        id: Id::from_u128(id),
        name: name.to_owned(),
        description: None,
        external_id: None,
        expires_at: None,
    })
}

/// A token gets a key and a grant, is allowed, is revoked, is denied; a race is lost, an outcome is found out.
fn good() -> Evidence {
    let mut story = Story::begin();
    let batch = Wanted::Batch(vec![
        Wanted::Project(ProjectCommand::Create {
            id: PROJECT,
            name: "p".to_owned(),
            labels: std::collections::BTreeMap::new(),
        }),
        Wanted::Token(TokenCommand::Create {
            id: TOKEN,
            name: "bot".to_owned(),
            description: None,
            external_id: None,
            expires_at: None,
        }),
    ]);
    story.accept("make", batch, &["ProjectCreated", "TokenCreated"], None);
    let (principal, hash) = (Principal::Token(TOKEN), KeyHash([2; 32]));
    let key = Wanted::Key(KeyCommand::Issue {
        id: KEY,
        principal,
        name: None,
        hash,
        expires_at: None,
        narrow: None,
    });
    story.accept("key", key, &["KeyIssued"], None);
    let on = Scope::Object(ObjectRef::new("project", PROJECT.to_string()));
    let grant = Wanted::Grant(GrantCommand::Create {
        id: GRANT,
        to: Grantee::Token(TOKEN),
        gives: Gives::Permissions(vec!["update".to_owned()]),
        on,
        effect: Effect::Allow,
        object_type: None,
        expires_at: None,
        reason: None,
    });
    story.accept("grant", grant, &["GrantCreated"], None);
    let granted = story.end();
    story.check(Said::Allowed { position: granted }, granted);
    story.accept("revoke", Wanted::Grant(GrantCommand::Revoke { id: GRANT }), &["GrantRevoked"], Some("bot"));
    // A node that has not heard of it yet, and is within its bound.
    story.check(Said::Allowed { position: granted }, 0);
    story.check(Said::Denied { position: story.end(), reason: "no_grant".to_owned() }, story.end());
    story.command("unknown", &["TokenCreated"], None, Outcome::Unknown { why: "cut".to_owned() });
    story.accept("unknown", token(30, "late"), &["TokenCreated"], None);
    story.accept("race-1", token(31, "only"), &["TokenCreated"], None);
    let (status, code, position) = (409, "name_taken".to_owned(), story.end());
    story.command("race-2", &["TokenCreated"], None, Outcome::Refused { status, code, position });
    let view = |node: &str| View { node: node.to_owned(), sequence: 7, digest: "d".to_owned() };
    story.entries.push(Entry::View(view("r0")));
    let changes = vec![(granted, vec!["AccessGained".to_owned()])];
    let Story { journal, mut entries, .. } = story;
    entries.extend(listen(&journal));
    Evidence {
        entries,
        end: journal.last().map_or(Position::START, |recorded| recorded.position),
        journal,
        changes,
        made: vec![view("anew")],
        ended: true,
        bound: SECOND,
        settled: true,
    }
}

/// A watcher that gets each record once, a consumer that gets each event, one of them twice.
fn listen(journal: &[Recorded]) -> Vec<Entry> {
    let begins = |subscriber: &str, kind, promise| {
        Entry::Subscribed(Subscribed { subscriber: subscriber.to_owned(), kind, promise, behind: 1024 })
    };
    let mut entries = vec![
        begins("watcher", Kind::Record, Promise::Once),
        begins("consumer", Kind::Event, Promise::AtLeastOnce),
    ];
    for recorded in journal.iter().skip(1) {
        let position = recorded.position.get();
        let names = names_of(&recorded.record);
        let message = |subscriber: &str, index: u32, name: &str| {
            let (subscriber, name) = (subscriber.to_owned(), name.to_owned());
            Entry::Message(Message { subscriber, position, index, name, at: 0 })
        };
        entries.push(message("watcher", 0, &names.join(",")));
        entries.extend((0..).zip(&names).map(|(index, name)| message("consumer", index, name)));
        entries.push(message("consumer", 0, &names[0]));
    }
    entries
}

/// What is found is of this one point, and says this.
#[track_caller]
fn finds(point: u8, what: &str, plant: impl FnOnce(&mut Evidence)) {
    let mut evidence = good();
    plant(&mut evidence);
    let found = judge(&evidence);
    assert!(
        found.iter().any(|finding| finding.point == point && finding.what.contains(what)),
        "{what:?} of point {point} is not among {found:#?}"
    );
}

fn commands(evidence: &mut Evidence) -> impl Iterator<Item = &mut Command> {
    evidence.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Command(command) => Some(command),
        _ => None,
    })
}

fn checks(evidence: &mut Evidence) -> impl Iterator<Item = &mut Check> {
    evidence.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Check(check) => Some(check),
        _ => None,
    })
}

fn command<'a>(evidence: &'a mut Evidence, request: &str) -> &'a mut Command {
    commands(evidence).find(|command| command.request == request).expect("it was sent")
}

/// Takes the records from one on away, or changes them.
fn record(evidence: &mut Evidence, request: &str) -> usize {
    evidence.journal.iter().position(|one| one.record.request_id == request).expect("it is there")
}

#[test]
fn a_history_as_it_must_be_has_no_findings() {
    assert_eq!(judge(&good()), []);
}

#[test]
fn one_a_lost_command() {
    finds(1, "race-1 was acknowledged at 7168, and is lost", |evidence| {
        evidence.journal.truncate(6);
    });
}

#[test]
fn one_a_duplicated_command() {
    finds(1, "race-1 has its effect at [7168, 8192]", |evidence| {
        let mut again = evidence.journal[6].clone();
        again.position = Position::of(8, 0);
        evidence.journal.push(again);
    });
}

#[test]
fn one_half_a_command() {
    finds(
        1,
        "make should make [\"ProjectCreated\", \"TokenCreated\"], made [\"ProjectCreated\"]",
        |evidence| {
            let index = record(evidence, "make");
            evidence.journal[index].record.events.truncate(1);
        },
    );
}

#[test]
fn one_a_refused_command_with_an_effect() {
    finds(1, "race-1 was refused (409 name_taken), and has its effect at 7168", |evidence| {
        let (status, code, position) = (409, "name_taken".to_owned(), 7168);
        command(evidence, "race-1").outcome = Outcome::Refused { status, code, position };
    });
}

#[test]
fn one_an_outcome_that_stays_unknown() {
    finds(1, "what became of race-1 is unknown", |evidence| {
        command(evidence, "race-1").outcome = Outcome::Unknown { why: "cut".to_owned() };
    });
}

#[test]
fn one_an_answer_that_changes_and_a_position_that_is_not_so() {
    let acknowledged = |position, body: &str| Outcome::Acknowledged { position, body: body.to_owned() };
    finds(1, "race-1 was acknowledged at 3072, its record is at 7168", |evidence| {
        command(evidence, "race-1").outcome = acknowledged(3072, "the answer to race-1");
    });
    finds(1, "and then with another answer", |evidence| {
        let mut again = command(evidence, "race-1").clone();
        again.outcome = acknowledged(7168, "another answer");
        evidence.entries.push(Entry::Command(again));
    });
}

#[test]
fn one_a_record_that_nobody_asked_for() {
    finds(1, "nobody asked for race-1", |evidence| {
        evidence
            .entries
            .retain(|entry| !matches!(entry, Entry::Command(command) if command.request == "race-1"));
    });
}

#[test]
fn two_a_record_that_was_decided_on_something_else() {
    finds(2, "is refused: name_taken", |evidence| {
        let index = record(evidence, "unknown");
        let mut twin = evidence.journal[index].clone();
        let Event::TokenCreated { token } = &mut twin.record.events[0] else { panic!("a token") };
        token.id = TokenId::from_u128(99);
        evidence.journal.push(twin);
    });
    finds(2, "other events", |evidence| {
        let index = record(evidence, "revoke");
        let ended = Timestamp::from_millis(77);
        let Event::GrantRevoked { grant } = &mut evidence.journal[index].record.events[0] else {
            panic!("a grant")
        };
        grant.ended_at = Some(ended);
    });
}

#[test]
fn two_a_record_out_of_order() {
    finds(2, "does not follow", |evidence| {
        evidence.journal[5].record.ordinal = 9;
    });
    finds(2, "does not follow", |evidence| {
        evidence.journal[4].record.at = Timestamp::from_millis(2);
    });
}

#[test]
fn two_a_record_before_one_that_was_acknowledged_earlier() {
    finds(2, "which was acknowledged by then", |evidence| {
        let (one, other) = (
            command(evidence, "key").outcome.clone(),
            std::mem::replace(
                &mut command(evidence, "race-1").outcome,
                Outcome::Unknown { why: String::new() },
            ),
        );
        command(evidence, "key").outcome = other;
        command(evidence, "race-1").outcome = one;
    });
}

#[test]
fn two_a_refusal_without_a_cause() {
    finds(2, "only was refused as taken at 6144, where nobody has it", |evidence| {
        let (status, code, position) = (409, "name_taken".to_owned(), 6144);
        command(evidence, "race-2").outcome = Outcome::Refused { status, code, position };
    });
}

#[test]
fn three_an_allow_after_the_bound() {
    finds(3, "r0 allows bot 1.090 s after the revocation, bound 1.000 s", |evidence| {
        checks(evidence).nth(1).expect("the second").sent += SECOND;
    });
}

#[test]
fn three_an_allow_at_the_revocation_itself() {
    finds(3, "who was revoked at", |evidence| {
        checks(evidence).nth(1).expect("the second").said = Said::Allowed { position: 5 * 1024 };
    });
}

#[test]
fn three_an_answer_that_is_not_the_folds() {
    finds(3, "where the fold says granted", |evidence| {
        let reason = "no_grant".to_owned();
        checks(evidence).next().expect("the first").said = Said::Denied { position: 4 * 1024, reason };
    });
    finds(3, "where the fold says no_grant", |evidence| {
        let reason = "key_revoked".to_owned();
        checks(evidence).last().expect("the last").said = Said::Denied { position: 5 * 1024, reason };
    });
}

#[test]
fn four_an_answer_older_than_asked() {
    finds(4, "r0 answered at 4096 what was asked at least at 5120", |evidence| {
        checks(evidence).next().expect("the first").at_least = 5 * 1024;
    });
    finds(4, "answered the latest at 4096", |evidence| {
        checks(evidence).nth(1).expect("the second").latest = true;
    });
}

fn messages<'a>(evidence: &'a mut Evidence, subscriber: &str) -> Vec<&'a mut Message> {
    let of = |entry: &'a mut Entry| match entry {
        Entry::Message(message) if message.subscriber == subscriber => Some(message),
        _ => None,
    };
    evidence.entries.iter_mut().filter_map(of).collect()
}

#[test]
fn five_a_message_that_is_missing_or_out_of_order() {
    finds(5, "watcher got 4096/0 (GrantCreated) where 3072/0 (KeyIssued) was due", |evidence| {
        evidence.entries.retain(|entry| {
            !matches!(entry, Entry::Message(message)
                if message.subscriber == "watcher" && message.position == 3072)
        });
    });
    finds(5, "consumer got 3072/0 (KeyIssued) where 2048/0 (ProjectCreated) was due", |evidence| {
        let mut all = messages(evidence, "consumer");
        let later = all.iter().position(|message| message.position == 3072).expect("it came");
        let (first, second) = all.split_at_mut(later);
        std::mem::swap(&mut *first[0], &mut *second[0]);
    });
    finds(5, "watcher never got 7168/0 (TokenCreated) and 0 more", |evidence| {
        let last = evidence
            .entries
            .iter()
            .rposition(|entry| matches!(entry, Entry::Message(message) if message.subscriber == "watcher"));
        evidence.entries.remove(last.expect("it came"));
    });
}

#[test]
fn five_a_message_twice_or_changed() {
    finds(5, "watcher got 2048/0 twice", |evidence| {
        let again = messages(evidence, "watcher")[0].clone();
        evidence.entries.push(Entry::Message(again));
    });
    finds(5, "consumer got 2048/0 again as another, Other", |evidence| {
        let mut again = messages(evidence, "consumer")[0].clone();
        again.name = "Other".to_owned();
        evidence.entries.push(Entry::Message(again));
    });
    finds(5, "which is in no record", |evidence| {
        let mut more = messages(evidence, "watcher")[0].clone();
        more.position = 9 * 1024;
        evidence.entries.push(Entry::Message(more));
    });
}

#[test]
fn five_a_change_that_never_came() {
    finds(5, "changes never got 4096/0 (AccessGained)", |evidence| {
        let (subscriber, promise) = ("changes".to_owned(), Promise::Once);
        evidence.entries.push(Entry::Subscribed(Subscribed {
            subscriber,
            kind: Kind::Change,
            promise,
            behind: 0,
        }));
    });
}

#[test]
fn six_a_view_that_differs_or_ends_early() {
    let plant = |evidence: &mut Evidence, sequence: u64, digest: &str| {
        let (node, digest) = ("r2".to_owned(), digest.to_owned());
        evidence.entries.push(Entry::View(View { node, sequence, digest }));
    };
    finds(6, "the view of r2 at 7 is e", |evidence| plant(evidence, 7, "e"));
    finds(6, "the view of r2 ends at 6, where the journal did not", |evidence| plant(evidence, 6, "d"));
    let made = |evidence: &mut Evidence, sequence: u64, digest: &str| {
        let (node, digest) = ("anew".to_owned(), digest.to_owned());
        evidence.made.push(View { node, sequence, digest });
    };
    finds(6, "the view of r2 at 3 is c, made of nothing it is d", |evidence| {
        made(evidence, 3, "d");
        plant(evidence, 3, "c");
        plant(evidence, 7, "d");
    });
    finds(6, "the view of r2 ends at 3, the journal at 7", |evidence| {
        made(evidence, 3, "d");
        plant(evidence, 3, "d");
    });
    finds(6, "no view was made of nothing at 7", |evidence| evidence.made.clear());
}
