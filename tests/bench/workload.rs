//! The workload of docs/performance.md, generated from a seed as the records that would have made it.

use grantbook_domain::{
    event::Event,
    id::{GrantId, GroupId, Id, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId},
    model::{
        Effect, Gives, Grant, Group, Key, KeyHash, Membership, Personal, Project, Role, RolePermission,
        Token, User,
    },
    principal::{Actor, Grantee, Principal},
    record::{RECORD_SCHEMA, Record},
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    state::founding::Founding,
    time::Timestamp,
};
use grantbook_tests::dice::Dice;

/// When everything was made: 2026-01-01T00:00:00Z.
pub(crate) const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const GROUPS: u128 = 1_000;
const PROJECTS: u128 = 1_000;
/// The number of the owner among the users, and of its key.
const OWNER: u128 = 1 << 38;

/// The organization's id.
pub(crate) const ORG: OrgId = Id::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

fn id<K>(kind: u128, number: u128) -> Id<K> {
    Id::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | (kind << 40) | number)
}

/// The project with this number.
pub(crate) fn project_id(number: u128) -> ProjectId {
    id(2, number)
}

/// The group with this number.
pub(crate) fn group_id(number: u128) -> GroupId {
    id(5, number)
}

/// The principal with this number: users and service tokens in turn.
pub(crate) fn principal(number: u128) -> Principal {
    if number.is_multiple_of(2) { Principal::User(id(3, number)) } else { Principal::Token(id(4, number)) }
}

/// The first owner.
pub(crate) fn owner() -> Principal {
    Principal::User(id(3, OWNER))
}

/// How large an organization is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// How many users and service tokens.
    pub(crate) principals: u128,
    /// How many groups lie above each other at most.
    pub(crate) depth: u128,
}

/// Records of an organization with so many principals, in order; each with one key, in groups nested up to 3 deep.
pub(crate) fn records(principals: u128, seed: u64) -> impl Iterator<Item = Record> {
    shaped(Shape { principals, depth: 3 }, seed)
}

/// The same with groups nested as deep as is said.
pub(crate) fn shaped(Shape { principals, depth }: Shape, seed: u64) -> impl Iterator<Item = Record> {
    let mut dice = Dice::new(seed);
    let mut grant = 100;
    let mut events: Vec<Vec<Event>> = vec![founding()];
    events.push(vec![custom_role()]);
    events.extend((0..PROJECTS).map(|number| vec![project(number)]));
    for number in 0..GROUPS {
        events.push(vec![group(number)]);
        if number % depth != 0 {
            events.push(vec![member(Grantee::Group(id(5, number)), number - 1)]);
        }
        for _ in 0..20 {
            let on = Scope::Object(ObjectRef::new("project", project_id(dice.below(PROJECTS)).to_string()));
            grant += 1;
            events.push(vec![grant_to(
                grant,
                Grantee::Group(id(5, number)),
                role(number),
                on,
                Effect::Allow,
            )]);
        }
        if number < 5 {
            grant += 1;
            events.push(vec![grant_to(
                grant,
                Grantee::Group(id(5, number)),
                role(2),
                all_but(number),
                Effect::Allow,
            )]);
        }
    }
    let people = (0..principals).flat_map(move |number| {
        let mut events = vec![person(number)];
        for _ in 0..3 {
            events.push(vec![member(principal(number).into(), dice.below(GROUPS))]);
        }
        let on = Scope::Object(ObjectRef::new("project", project_id(dice.below(PROJECTS)).to_string()));
        let effect = match number % 1000 {
            7 => Some(Effect::Deny),
            n if n % 100 == 3 => Some(Effect::Allow),
            _ => None,
        };
        if let Some(effect) = effect {
            let to = principal(number).into();
            events.push(vec![grant_to(1_000_000 + number, to, role(1), on, effect)]);
        }
        events
    });
    let numbered = events.into_iter().chain(people).zip(1..);
    numbered.map(|(events, ordinal)| Record {
        ordinal,
        request_id: format!("bench-{ordinal}"),
        ..record(events)
    })
}

/// A record of these events, to be numbered.
pub(crate) fn record(events: Vec<Event>) -> Record {
    Record {
        schema: RECORD_SCHEMA,
        ordinal: 0,
        at: AT,
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: "bench".to_owned(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events,
    }
}

pub(crate) fn founding() -> Vec<Event> {
    let built_in = |number: u128| (id(6, number), id(5, GROUPS + number), id(7, number));
    let founding = Founding {
        org: ORG,
        name: "bench".to_owned(),
        owner: id(3, OWNER),
        email: "owner@example.com".to_owned(),
        key: id(8, OWNER),
        hash: KeyHash([0; 32]),
        builtins: [built_in(0), built_in(1), built_in(2)],
        at: AT,
    };
    founding.decide().unwrap_or_default()
}

pub(crate) fn role(number: u128) -> RoleId {
    match number % 3 {
        0 => id(6, 2),
        1 => id(6, 1),
        _ => id(6, 3),
    }
}

fn custom_role() -> Event {
    Event::RoleCreated { role: release_manager(&["read", "update"]) }
}

pub(crate) fn release_manager(permissions: &[&str]) -> Role {
    let one = |permission: &&str| RolePermission { permission: (*permission).to_owned(), object_type: None };
    Role {
        id: id(6, 3),
        name: "Release manager".to_owned(),
        permissions: permissions.iter().map(one).collect(),
        includes: vec![],
        builtin: None,
        created_at: AT,
        ended_at: None,
    }
}

pub(crate) fn project(number: u128) -> Event {
    let env = if number.is_multiple_of(10) { "production" } else { "staging" };
    Event::ProjectCreated { project: labelled(number, env) }
}

pub(crate) fn labelled(number: u128, env: &str) -> Project {
    let labels = Labels::from([
        ("env".to_owned(), env.to_owned()),
        ("team".to_owned(), format!("team-{}", number % 20)),
    ]);
    let name = format!("project-{number}");
    Project { id: project_id(number), name, labels, created_at: AT, ended_at: None }
}

/// All projects but those of production, or of one team: 50 to 100 are excluded.
pub(crate) fn all_but(number: u128) -> Scope {
    let label = match number {
        0 => ("env".to_owned(), "production".to_owned()),
        _ => ("team".to_owned(), format!("team-{number}")),
    };
    Scope::Projects(Selector {
        include: vec![Atom::All].into(),
        exclude: vec![Atom::Label(Labels::from([label]))].into(),
    })
}

pub(crate) fn group(number: u128) -> Event {
    let group = Group {
        id: id(5, number),
        name: format!("group-{number}"),
        description: None,
        builtin: None,
        created_at: AT,
        ended_at: None,
    };
    Event::GroupCreated { group }
}

/// A member of the group with this number, for ever.
pub(crate) fn member(member: Grantee, group: u128) -> Event {
    let group: GroupId = id(5, group);
    Event::MemberAdded {
        membership: Membership { group, member, expires_at: None, created_at: AT, ended_at: None },
    }
}

pub(crate) fn grant_to(number: u128, to: Grantee, role: RoleId, on: Scope, effect: Effect) -> Event {
    let id: GrantId = id(7, number);
    let gives = Gives::Role(role);
    Event::GrantCreated {
        grant: Grant {
            id,
            to,
            gives,
            on,
            effect,
            object_type: None,
            generation: 0,
            expires_at: None,
            reason: None,
            builtin: false,
            created_at: AT,
            ended_at: None,
        },
    }
}

/// A user or service token with its key, in one record.
pub(crate) fn person(number: u128) -> Vec<Event> {
    let account = match principal(number) {
        Principal::User(id) => Event::UserCreated { user: user(id, number) },
        Principal::Token(id) => Event::TokenCreated { token: token(id, number) },
    };
    let id: KeyId = id(8, number);
    let key = Key {
        id,
        principal: principal(number),
        name: None,
        hash: KeyHash([7; 32]),
        expires_at: None,
        narrow: None,
        replaces: None,
        session: None,
        created_at: AT,
        ended_at: None,
    };
    vec![account, Event::KeyIssued { key }]
}

fn user(id: UserId, number: u128) -> User {
    let email = Personal::Clear(format!("user-{number}@example.com"));
    User { id, email, name: None, external_id: None, identities: Vec::new(), created_at: AT, ended_at: None }
}

fn token(id: TokenId, number: u128) -> Token {
    Token {
        id,
        name: format!("token-{number}"),
        description: None,
        external_id: None,
        expires_at: None,
        created_at: AT,
        ended_at: None,
    }
}
