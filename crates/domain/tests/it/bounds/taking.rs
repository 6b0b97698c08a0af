//! No limit refuses what only takes access away: every such command, in an organization that is beyond every limit. Its
//! history was written by rules that are not today's: texts that are no longer taken, and more of everything than may be made.

use std::collections::BTreeSet;

use grantbook_domain::{
    command::{
        Author, Command, Expiry, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, Request, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    event::Event,
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    limits::Limits,
    model::{Effect, Gives, KeyHash, Membership, RolePermission},
    principal::{Caller, Grantee, Principal},
    refusal::Refusal,
    scope::{ObjectRef, Scope},
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::given::{Give, Org, START, ids, object, webhook};

/// Limits that everything there is exceeds.
const NOTHING_MORE: Limits = Limits {
    patterns: 0,
    conditions: 0,
    memberships: 0,
    nestings: 0,
    group_depth: 0,
    inclusions: 0,
    role_depth: 0,
    command_work: 0,
    record_work: 0,
};

/// Longer than any text may be, with a character that nobody sees.
fn bad_text() -> String {
    format!("\u{202e}{}", "x".repeat(5_000))
}

/// An organization beyond every limit, and one of each thing that can end in it.
struct Overfull {
    org: Org,
    user: UserId,
    token: TokenId,
    key: KeyId,
    session: KeyId,
    group: GroupId,
    role: RoleId,
    spare_role: RoleId,
    project: ProjectId,
    object: ObjectRef,
    grant: GrantId,
    webhook: WebhookId,
}

/// The event with every text in it that people chose replaced by one that is not taken.
fn distorted(event: &Event) -> Event {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let free = matches!(name.as_str(), "name" | "description" | "reason" | "url" | "clear");
                    match member {
                        Value::String(text) if free => *text = bad_text(),
                        member => walk(member),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::to_value(event).expect("JSON");
    walk(&mut value);
    serde_json::from_value(value).expect("an event")
}

impl Overfull {
    fn new() -> Self {
        let mut org = Org::founded();
        let (user, token, group) = (org.user("u@x.y"), org.token("t"), org.group("g"));
        let (role, spare_role) = (org.role("r", &["read", "update"], &[]), org.role("spare", &["read"], &[]));
        let project = org.project("p", &[]);
        org.join(group, Grantee::Token(token));
        let key = org.key(Principal::Token(token), None, None);
        let grant = org.give(Give::role(Grantee::Group(group), role, ids(&[project])));
        let id = org.id();
        org.done(webhook(id));
        let known = object("dataset", "d").within(Some(project));
        org.register(&known, Some(project));
        let webhook = id;
        let session = org.id();
        let caller = Caller { principal: Principal::User(org.owner), key: Some(org.owner_key) };
        let start = Command::Session(SessionCommand::Start { id: session, hash: KeyHash([5; 32]) });
        org.act(Author::Caller(caller), start).expect("a session");
        let mut full = Self {
            org,
            user,
            token,
            key,
            session,
            group,
            role,
            spare_role,
            project,
            object: known,
            grant,
            webhook,
        };
        full.overfill();
        full
    }

    fn apply(&mut self, event: &Event) {
        let author = self.org.ada();
        self.org.state.apply(author.into(), event);
    }

    /// More of everything than may be made, with texts that are no longer taken.
    fn overfill(&mut self) {
        let events = [
            self.org.done(Command::User(UserCommand::Update {
                id: self.user,
                email: None,
                name: Some(Some("U".to_owned())),
                external_id: None,
            })),
            self.org.done(Command::Token(TokenCommand::Update {
                id: self.token,
                name: Some("t2".to_owned()),
                description: Some(Some("d".to_owned())),
                external_id: None,
                expires_at: None,
            })),
            self.org.done(Command::Group(GroupCommand::Update {
                id: self.group,
                name: Some("g2".to_owned()),
                description: Some(Some("d".to_owned())),
            })),
            self.org.done(Command::Project(ProjectCommand::Update {
                id: self.project,
                name: Some("p2".to_owned()),
                labels: None,
            })),
            self.org.done(Command::Webhook(WebhookCommand::Update {
                id: self.webhook,
                url: None,
                events: None,
                kinds: None,
                description: Some(Some("d".to_owned())),
                enabled: None,
            })),
        ];
        for event in events.into_iter().flatten() {
            self.apply(&distorted(&event));
        }
        self.overfill_roles();
        self.nest(150);
        for _ in 0..40 {
            let id = self.org.id();
            let made = webhook_event(&self.org, id, self.webhook);
            self.apply(&made);
        }
        let names = |kind: &str, count: usize| (0..count).map(|n| format!("{kind}{n}")).collect::<Vec<_>>();
        let types = names("type", 200).into_iter().map(|name| json!({"name": name, "parent": "project"}));
        let full: Event = serde_json::from_value(json!({"CatalogExtended": {
            "object_types": types.collect::<Vec<_>>(), "permissions": names("permission", 100)}}))
        .expect("an event");
        self.apply(&full);
        self.overfill_grant();
    }

    /// A role with a text for a name and ten thousand entries.
    fn overfill_roles(&mut self) {
        for id in [self.role, self.spare_role] {
            let mut role = self.org.state.role(id).expect("made").clone();
            role.name = bad_text();
            let more = role.permissions.clone().into_iter().cycle().take(10_000);
            role.permissions = more.collect();
            self.apply(&Event::RoleUpdated { role });
        }
    }

    /// Groups in groups, deeper than may be made, with the group at the bottom.
    fn nest(&mut self, depth: usize) {
        let mut inner = self.group;
        for level in 0..depth {
            let group = self.org.group(&format!("level{level}"));
            let (member, created_at) = (Grantee::Group(inner), START);
            let membership = Membership { group, member, expires_at: None, created_at, ended_at: None };
            self.apply(&Event::MemberAdded { membership });
            inner = group;
        }
    }

    /// A grant whose selector is three times as long as may be given.
    fn overfill_grant(&mut self) {
        let mut grant = self.org.state.grant(self.grant).expect("given").clone();
        if let Scope::Projects(selector) = &mut grant.on {
            selector.include = selector.include.iter().cycle().take(3_000).cloned().collect();
        }
        grant.reason = Some(bad_text());
        self.apply(&Event::GrantCreated { grant });
    }

    /// Each command that only takes away, of every form.
    fn takings(&self) -> Vec<Command> {
        let soon = Expiry::At(self.org.now.plus_millis(1_000));
        let less = RolePermission { permission: "read".to_owned(), object_type: None };
        let member = Grantee::Token(self.token);
        let single = vec![
            Command::Key(KeyCommand::Revoke { id: self.key }),
            Command::Session(SessionCommand::End { id: self.session }),
            Command::Grant(GrantCommand::Revoke { id: self.grant }),
            Command::Member(MemberCommand::Add { group: self.group, member, expires_at: soon }),
            Command::Member(MemberCommand::Remove { group: self.group, member }),
            Command::Token(TokenCommand::Update {
                id: self.token,
                name: None,
                description: None,
                external_id: None,
                expires_at: Some(Some(self.org.now.plus_millis(1_000))),
            }),
            Command::Role(RoleCommand::Update {
                id: self.role,
                name: None,
                permissions: Some(vec![less]),
                includes: None,
            }),
            Command::Webhook(WebhookCommand::Update {
                id: self.webhook,
                url: None,
                events: None,
                kinds: None,
                description: None,
                enabled: Some(false),
            }),
            Command::Webhook(WebhookCommand::Delete { id: self.webhook }),
            Command::Role(RoleCommand::Delete { id: self.spare_role }),
            Command::Object(ObjectCommand::Remove { object: self.object.clone() }),
            Command::Project(ProjectCommand::Delete { id: self.project }),
            Command::Group(GroupCommand::Delete { id: self.group }),
            Command::Token(TokenCommand::Delete { id: self.token }),
            Command::User(UserCommand::Deactivate { id: self.user }),
        ];
        let all = Command::Batch(single[..4].to_vec());
        single.into_iter().chain([all]).collect()
    }
}

fn webhook_event(org: &Org, id: WebhookId, like: WebhookId) -> Event {
    let mut webhook = org.state.webhook(like).expect("made").clone();
    webhook.id = id;
    Event::WebhookCreated { webhook }
}

/// The name of the command if it is of a form that may only take away. A new command has to be placed here.
fn form(command: &Command) -> Option<&'static str> {
    match command {
        Command::Key(KeyCommand::Revoke { .. }) => Some("RevokeKey"),
        Command::Session(SessionCommand::End { .. }) => Some("EndSession"),
        Command::Grant(GrantCommand::Revoke { .. }) => Some("RevokeGrant"),
        Command::Member(MemberCommand::Add { expires_at: Expiry::At(_), .. }) => Some("AddMember"),
        Command::Member(MemberCommand::Remove { .. }) => Some("RemoveMember"),
        Command::Token(TokenCommand::Update { .. }) => Some("UpdateToken"),
        Command::Role(RoleCommand::Update { .. }) => Some("UpdateRole"),
        Command::Webhook(WebhookCommand::Update { .. }) => Some("UpdateWebhook"),
        Command::Webhook(WebhookCommand::Delete { .. }) => Some("DeleteWebhook"),
        Command::Role(RoleCommand::Delete { .. }) => Some("DeleteRole"),
        Command::Object(ObjectCommand::Remove { .. }) => Some("RemoveObject"),
        Command::Project(ProjectCommand::Delete { .. }) => Some("DeleteProject"),
        Command::Group(GroupCommand::Delete { .. }) => Some("DeleteGroup"),
        Command::Token(TokenCommand::Delete { .. }) => Some("DeleteToken"),
        Command::User(UserCommand::Deactivate { .. }) => Some("DeactivateUser"),
        Command::Batch(_) => Some("Batch"),
        Command::Member(MemberCommand::Add { .. })
        | Command::ExtendCatalog { .. }
        | Command::User(UserCommand::Create { .. } | UserCommand::Update { .. })
        | Command::Token(TokenCommand::Create { .. })
        | Command::Key(KeyCommand::Issue { .. } | KeyCommand::Rotate { .. })
        | Command::Session(SessionCommand::Start { .. })
        | Command::Group(GroupCommand::Create { .. } | GroupCommand::Update { .. })
        | Command::Role(RoleCommand::Create { .. })
        | Command::Project(ProjectCommand::Create { .. } | ProjectCommand::Update { .. })
        | Command::Object(
            ObjectCommand::Register { .. } | ObjectCommand::Create { .. } | ObjectCommand::Update { .. },
        )
        | Command::Grant(GrantCommand::Create { .. })
        | Command::Webhook(WebhookCommand::Create { .. } | WebhookCommand::Rotate { .. })
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => None,
    }
}

#[test]
fn every_taking_command_is_decided_beyond_every_limit() {
    let full = Overfull::new();
    let takings = full.takings();
    let forms: BTreeSet<_> = takings.iter().filter_map(form).collect();
    assert_eq!(forms.len(), 16, "{forms:?}");
    for command in takings {
        let name = form(&command);
        assert!(full.org.state.may_only_take(&command), "{name:?}");
        let events = full
            .org
            .decide(full.org.ada(), command.clone())
            .unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert!(!events.is_empty(), "{name:?} does nothing");
        let request = Request { author: full.org.ada(), at: full.org.now, command };
        let (limited, _) = full.org.state.decide_within(&request, &NOTHING_MORE);
        assert_eq!(limited.map(|decided| decided.events).as_ref(), Ok(&events), "{name:?}");
        assert!(full.org.state.only_takes(&events), "{name:?} gives something");
    }
}

/// The limits are there: what grows is refused in the same organization.
#[test]
fn what_grows_is_refused_there() {
    let mut full = Overfull::new();
    let ada = full.org.ada();
    let (webhook_id, group_id) = (full.org.id(), full.org.id());
    let refused = |command: Command| full.org.decide(ada, command).expect_err("a limit");
    assert!(matches!(refused(webhook(webhook_id)), Refusal::TooMany { .. }));
    let named = Command::Group(GroupCommand::Create { id: group_id, name: bad_text(), description: None });
    assert!(matches!(refused(named), Refusal::Text { .. }));
    let types = Command::ExtendCatalog { object_types: Vec::new(), permissions: vec!["more".to_owned()] };
    assert!(matches!(refused(types), Refusal::CatalogFull(_)));
    let grant = full.org.state.grant(full.grant).expect("given").clone();
    let again = Command::Grant(GrantCommand::Create {
        id: GrantId::from_u128(7),
        to: grant.to,
        gives: Gives::Role(full.role),
        on: grant.on,
        effect: Effect::Allow,
        object_type: None,
        expires_at: None,
        reason: None,
    });
    assert_eq!(refused(again).code(), "invalid");
}

/// The same forms, where they give: a later end, a permission more, a webhook switched on.
#[test]
fn what_gives_is_not_taken_for_taking() {
    let mut org = Org::founded();
    let (token, group, role) = (org.token("t"), org.group("g"), org.role("r", &["read"], &[]));
    let later = |millis: i64| Some(START.plus_millis(millis));
    org.join_until(group, Grantee::Token(token), later(5_000));
    let member = |millis: i64| {
        Command::Member(MemberCommand::Add {
            group,
            member: Grantee::Token(token),
            expires_at: later(millis).map_or(Expiry::Never, Expiry::At),
        })
    };
    let until = |expires_at: Option<Timestamp>| {
        Command::Token(TokenCommand::Update {
            id: token,
            name: None,
            description: None,
            external_id: None,
            expires_at: Some(expires_at),
        })
    };
    let gives = |permissions: &[&str]| {
        Command::Role(RoleCommand::Update {
            id: role,
            name: None,
            permissions: Some(
                permissions
                    .iter()
                    .map(|name| RolePermission { permission: (*name).to_owned(), object_type: None })
                    .collect(),
            ),
            includes: None,
        })
    };
    org.done(until(later(5_000)));
    let denied = org.give(Give::deny(Grantee::Group(group), &["read"], crate::given::all()));
    for (command, takes) in [
        (member(4_000), true),
        (member(6_000), false),
        (until(later(4_000)), true),
        (until(later(6_000)), false),
        (until(None), false),
        (gives(&[]), true),
        (gives(&["read", "update"]), false),
        (gives(&["update"]), false),
        (Command::Grant(GrantCommand::Revoke { id: denied }), false),
    ] {
        let events = org.decide(org.ada(), command.clone()).expect("decided");
        assert_eq!(org.state.only_takes(&events), takes, "{command:?}");
        assert!(takes <= org.state.may_only_take(&command), "{command:?}");
    }
}
