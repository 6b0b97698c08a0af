//! One fixed sample of every event, every optional field set.

use std::collections::BTreeMap;

use grantbook_domain::{
    catalog::TypeDefinition,
    event::Event,
    id::Id,
    model::{
        Builtin, Effect, Gives, Grant, Group, Identity, Key, KeyHash, Membership, Narrowing, Personal,
        Project, RegisteredObject, Role, RolePermission, Session, Token, User,
    },
    principal::{Actor, Grantee, Principal},
    record::{RECORD_SCHEMA, Record},
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    time::Timestamp,
    webhook::{MessageKind, Signer, Webhook},
};

const CREATED: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const EXPIRES: Option<Timestamp> = Some(CREATED.plus_millis(86_400_000));
const ENDED: Option<Timestamp> = Some(CREATED.plus_millis(3_600_000));

/// In the order in which the domain declares them.
pub(crate) fn events() -> Vec<Event> {
    let mut events = vec![
        Event::OrganizationCreated {
            id: id(1),
            name: "acme".into(),
            created_at: CREATED,
            writers: vec!["c0ffee".repeat(10) + "c0ff"],
        },
        Event::OrganizationUpdated {
            id: id(1),
            name: "acme".into(),
            settings: BTreeMap::from([("console.theme".into(), "dark".into())]),
        },
        Event::RollbackAccepted { kept: 4_711, lost: 4_713 },
        Event::CatalogExtended {
            object_types: vec![TypeDefinition { name: "model".into(), parent: "project".into() }],
            permissions: vec!["deploy".into()],
        },
    ];
    events.extend(principals());
    events.extend(groups_and_roles());
    events.extend(things_and_grants());
    events.extend(webhooks());
    events
}

fn principals() -> [Event; 11] {
    [
        Event::UserCreated { user: user() },
        Event::UserUpdated { user: user() },
        Event::UserDeactivated { user: user() },
        Event::TokenCreated { token: token() },
        Event::TokenUpdated { token: token() },
        Event::TokenDeleted { token: token() },
        Event::TokenExpired { token: token() },
        Event::KeyIssued { key: key() },
        Event::KeyRotated { key: key(), old: Key { id: id(41), replaces: None, ..key() }.into() },
        Event::KeyRevoked { key: key() },
        Event::KeyExpired { key: key() },
    ]
}

fn groups_and_roles() -> [Event; 9] {
    [
        Event::GroupCreated { group: group() },
        Event::GroupUpdated { group: group() },
        Event::GroupDeleted { group: group() },
        Event::MemberAdded { membership: membership(Grantee::Token(id(3))) },
        Event::MemberRemoved { membership: membership(Grantee::User(id(2))) },
        Event::MemberExpired { membership: membership(Grantee::Group(id(51))) },
        Event::RoleCreated { role: role() },
        Event::RoleUpdated { role: role() },
        Event::RoleDeleted { role: role() },
    ]
}

fn things_and_grants() -> [Event; 9] {
    let organization = Grant { gives: Gives::Role(id(6)), on: Scope::Organization, ..grant() };
    let object = Grant { on: Scope::Object(registered().object), generation: 2, ..grant() };
    [
        Event::ProjectCreated { project: project() },
        Event::ProjectUpdated { project: project() },
        Event::ProjectDeleted { project: project() },
        Event::ObjectRegistered { object: registered() },
        Event::ObjectUpdated { object: registered() },
        Event::ObjectRemoved { object: registered() },
        Event::GrantCreated { grant: grant() },
        Event::GrantRevoked { grant: organization },
        Event::GrantExpired { grant: object },
    ]
}

fn webhooks() -> [Event; 4] {
    [
        Event::WebhookCreated { webhook: webhook() },
        Event::WebhookUpdated { webhook: webhook() },
        Event::WebhookRotated { webhook: webhook() },
        Event::WebhookDeleted { webhook: webhook() },
    ]
}

/// A record with every optional field set.
pub(crate) fn full_record() -> Record {
    Record {
        schema: RECORD_SCHEMA,
        ordinal: 7,
        at: CREATED,
        actor: Actor::User(id(2)),
        credential: Some(id(4)),
        source_ip: Some(Personal::Clear("203.0.113.7".into())),
        request_id: "deploy-4711".into(),
        request_hash: Some("00112233445566778899aabbccddeeff".into()),
        reason: Some("rollout of the summarizer".into()),
        steps: vec![1, 1],
        events: vec![
            Event::TokenCreated { token: Token { ended_at: None, ..token() } },
            Event::MemberAdded {
                membership: Membership { ended_at: None, ..membership(Grantee::Token(id(3))) },
            },
        ],
    }
}

/// A record with no optional field set, in the record and below it.
pub(crate) fn minimal_record() -> Record {
    let project = Project { labels: Labels::new(), ended_at: None, ..project() };
    Record {
        schema: RECORD_SCHEMA,
        ordinal: 8,
        at: CREATED.plus_millis(1),
        actor: Actor::Operator,
        credential: None,
        source_ip: None,
        request_id: id::<()>(99).to_string(),
        request_hash: None,
        reason: None,
        steps: Vec::new(),
        events: vec![Event::ProjectCreated { project }],
    }
}

/// An id that shows what it is the id of.
pub(crate) fn id<K>(number: u128) -> Id<K> {
    Id::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0000 + number)
}

fn user() -> User {
    User {
        id: id(2),
        email: Personal::Clear("ada@example.com".into()),
        name: Some(Personal::Clear("Ada".into())),
        external_id: Some(Personal::Sealed {
            key_id: "person-2".into(),
            nonce: "000102030405060708090a0b".into(),
            ciphertext: "c1fe".into(),
        }),
        identities: vec![Identity {
            issuer: "https://login.example.com".into(),
            subject: Personal::Clear("00u1".into()),
        }],
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn token() -> Token {
    Token {
        id: id(3),
        name: "summarizer".into(),
        description: Some("nightly \"summaries\"\nof everything".into()),
        external_id: Some(Personal::Clear("svc-17".into())),
        expires_at: EXPIRES,
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn key() -> Key {
    Key {
        id: id(4),
        principal: Principal::Token(id(3)),
        name: Some("staging".into()),
        hash: KeyHash([0xa5; 32]),
        expires_at: EXPIRES,
        narrow: Some(Narrowing {
            permissions: Some(vec!["read".into()]),
            on: Some(Scope::Object(registered().object)),
            generation: 2,
        }),
        replaces: Some(id(41)),
        session: Some(Session { parent: Some(id(42)), signed_in_at: CREATED }),
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn group() -> Group {
    Group {
        id: id(5),
        name: "staging writers".into(),
        description: Some("everything but production".into()),
        builtin: Some(Builtin::Engineer),
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn membership(member: Grantee) -> Membership {
    Membership { group: id(5), member, expires_at: EXPIRES, created_at: CREATED, ended_at: ENDED }
}

fn role() -> Role {
    Role {
        id: id(6),
        name: "Deployer".into(),
        permissions: vec![
            RolePermission { permission: "deploy".into(), object_type: Some("model".into()) },
            RolePermission { permission: "read".into(), object_type: None },
        ],
        includes: vec![id(61)],
        builtin: Some(Builtin::Viewer),
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn project() -> Project {
    Project {
        id: id(7),
        name: "staging".into(),
        labels: Labels::from([("env".into(), "staging".into()), ("team".into(), "nlp".into())]),
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn registered() -> RegisteredObject {
    RegisteredObject {
        object: ObjectRef::new("dataset", "reviews-2025").within(Some(id(7))),
        name: Some("reviews of 2025".into()),
        minted: true,
        generation: 2,
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn grant() -> Grant {
    Grant {
        id: id(8),
        to: Grantee::Group(id(5)),
        gives: Gives::Permissions(vec!["read".into(), "update".into()]),
        on: selected(),
        effect: Effect::Allow,
        object_type: Some("dataset".into()),
        generation: 0,
        expires_at: EXPIRES,
        reason: Some("rollout".into()),
        builtin: true,
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn webhook() -> Webhook {
    Webhook {
        id: id(9),
        url: "https://hooks.example.com/grantbook?team=nlp".into(),
        events: vec!["AccessLost".into(), "KeyRevoked".into()],
        kinds: vec![MessageKind::Record, MessageKind::Change],
        description: Some("pager".into()),
        enabled: true,
        signer: Signer { key: "00112233445566aa".into(), generation: 2, until: None },
        former: Some(Signer { key: "00112233445566aa".into(), generation: 1, until: EXPIRES }),
        created_at: CREATED,
        ended_at: ENDED,
    }
}

fn selected() -> Scope {
    let production = Labels::from([("env".into(), "production".into())]);
    Scope::Projects(Selector {
        include: vec![Atom::All, Atom::Name("stag*".into())].into(),
        exclude: vec![Atom::Id(id(71)), Atom::Label(production)].into(),
    })
}
