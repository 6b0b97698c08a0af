//! The rights table as text that reviewers read in diffs.

use grantbook_domain::{
    access::rights::{Ask, needs},
    catalog::TypeDefinition,
    command::{
        Command, Expiry, GrantCommand, GroupCommand, IfTaken, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    id::Id,
    model::{Effect, Gives, KeyHash},
    principal::{Grantee, Principal},
    scope::{Labels, ObjectRef, Scope},
    webhook::MessageKind,
};

/// The command's name; a new command does not compile until it has one here.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::Batch(_) => "Batch",
        Command::ExtendCatalog { .. } => "ExtendCatalog",
        Command::User(UserCommand::Create { .. }) => "CreateUser",
        Command::User(UserCommand::Update { .. }) => "UpdateUser",
        Command::User(UserCommand::Deactivate { .. }) => "DeactivateUser",
        Command::Token(TokenCommand::Create { .. }) => "CreateToken",
        Command::Token(TokenCommand::Update { .. }) => "UpdateToken",
        Command::Token(TokenCommand::Delete { .. }) => "DeleteToken",
        Command::Key(KeyCommand::Issue { .. }) => "IssueKey",
        Command::Key(KeyCommand::Rotate { .. }) => "RotateKey",
        Command::Session(SessionCommand::Start { .. }) => "StartSession",
        Command::Key(KeyCommand::Revoke { .. }) => "RevokeKey",
        Command::Session(SessionCommand::End { .. }) => "EndSession",
        Command::Group(GroupCommand::Create { .. }) => "CreateGroup",
        Command::Group(GroupCommand::Update { .. }) => "UpdateGroup",
        Command::Group(GroupCommand::Delete { .. }) => "DeleteGroup",
        Command::Member(MemberCommand::Add { .. }) => "AddMember",
        Command::Member(MemberCommand::Remove { .. }) => "RemoveMember",
        Command::Role(RoleCommand::Create { .. }) => "CreateRole",
        Command::Role(RoleCommand::Update { .. }) => "UpdateRole",
        Command::Role(RoleCommand::Delete { .. }) => "DeleteRole",
        Command::Project(ProjectCommand::Create { .. }) => "CreateProject",
        Command::Project(ProjectCommand::Update { .. }) => "UpdateProject",
        Command::Project(ProjectCommand::Delete { .. }) => "DeleteProject",
        Command::Object(ObjectCommand::Register { .. }) => "RegisterObject",
        Command::Object(ObjectCommand::Create { .. }) => "CreateObject",
        Command::Object(ObjectCommand::Update { .. }) => "UpdateObject",
        Command::Object(ObjectCommand::Remove { .. }) => "RemoveObject",
        Command::Grant(GrantCommand::Create { .. }) => "CreateGrant",
        Command::Grant(GrantCommand::Revoke { .. }) => "RevokeGrant",
        Command::Webhook(WebhookCommand::Create { .. }) => "CreateWebhook",
        Command::Webhook(WebhookCommand::Update { .. }) => "UpdateWebhook",
        Command::Webhook(WebhookCommand::Rotate { .. }) => "RotateWebhook",
        Command::Webhook(WebhookCommand::Delete { .. }) => "DeleteWebhook",
        Command::NoteExpiries { .. } => "NoteExpiries",
        Command::AcceptRollback { .. } => "AcceptRollback",
        Command::RecoverOwner { .. } => "RecoverOwner",
    }
}

/// One command of each kind.
pub(crate) fn samples() -> Vec<Command> {
    [people(), keys(), groups_and_roles(), places(), grants_and_others(), webhooks()].concat()
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn people() -> Vec<Command> {
    let user = Id::from_u128(1);
    let token = Id::from_u128(2);
    vec![
        Command::User(UserCommand::Create { id: user, email: text("a@b"), name: None, external_id: None }),
        Command::User(UserCommand::Update { id: user, email: None, name: None, external_id: None }),
        Command::User(UserCommand::Deactivate { id: user }),
        Command::Token(TokenCommand::Create {
            id: token,
            name: text("t"),
            description: None,
            external_id: None,
            expires_at: None,
        }),
        Command::Token(TokenCommand::Update {
            id: token,
            name: None,
            description: None,
            external_id: None,
            expires_at: None,
        }),
        Command::Token(TokenCommand::Delete { id: token }),
    ]
}

fn keys() -> Vec<Command> {
    let (id, hash) = (Id::from_u128(3), KeyHash([0; 32]));
    let principal = Principal::Token(Id::from_u128(2));
    vec![
        Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at: None, narrow: None }),
        Command::Key(KeyCommand::Rotate { id, new_id: Id::from_u128(4), hash, grace_seconds: 0 }),
        Command::Session(SessionCommand::Start { id, hash }),
        Command::Key(KeyCommand::Revoke { id }),
        Command::Session(SessionCommand::End { id }),
    ]
}

fn groups_and_roles() -> Vec<Command> {
    let group = Id::from_u128(5);
    let role = Id::from_u128(6);
    let member = Grantee::Token(Id::from_u128(2));
    vec![
        Command::Group(GroupCommand::Create { id: group, name: text("g"), description: None }),
        Command::Group(GroupCommand::Update { id: group, name: None, description: None }),
        Command::Group(GroupCommand::Delete { id: group }),
        Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }),
        Command::Member(MemberCommand::Remove { group, member }),
        Command::Role(RoleCommand::Create {
            id: role,
            name: text("r"),
            permissions: Vec::new(),
            includes: Vec::new(),
        }),
        Command::Role(RoleCommand::Update { id: role, name: None, permissions: None, includes: None }),
        Command::Role(RoleCommand::Delete { id: role }),
    ]
}

fn places() -> Vec<Command> {
    let id = Id::from_u128(7);
    let object = ObjectRef::new("experiment", "e");
    vec![
        Command::Project(ProjectCommand::Create { id, name: text("p"), labels: Labels::new() }),
        Command::Project(ProjectCommand::Update { id, name: None, labels: None }),
        Command::Project(ProjectCommand::Delete { id }),
        Command::Object(ObjectCommand::Register { object: object.clone().within(Some(id)), name: None }),
        Command::Object(ObjectCommand::Create {
            object: object.clone().within(Some(id)),
            name: text("n"),
            if_taken: IfTaken::Number,
        }),
        Command::Object(ObjectCommand::Update { object: object.clone(), name: None }),
        Command::Object(ObjectCommand::Remove { object }),
    ]
}

fn grants_and_others() -> Vec<Command> {
    let id = Id::from_u128(8);
    let one = TypeDefinition { name: text("notebook"), parent: text("project") };
    vec![
        Command::Grant(GrantCommand::Create {
            id,
            to: Grantee::Token(Id::from_u128(2)),
            gives: Gives::Permissions(vec![text("read")]),
            on: Scope::Organization,
            effect: Effect::Allow,
            object_type: None,
            expires_at: None,
            reason: None,
        }),
        Command::Grant(GrantCommand::Revoke { id }),
        Command::Batch(Vec::new()),
        Command::ExtendCatalog { object_types: vec![one], permissions: Vec::new() },
        Command::NoteExpiries { limit: 1 },
        Command::AcceptRollback { kept: 1, lost: 2 },
        Command::RecoverOwner {
            email: text("a@b"),
            new_user: Id::from_u128(1),
            key: Id::from_u128(3),
            hash: KeyHash([0; 32]),
        },
    ]
}

fn webhooks() -> Vec<Command> {
    let id = Id::from_u128(9);
    vec![
        Command::Webhook(WebhookCommand::Create {
            id,
            url: text("https://example.com/hook"),
            events: Vec::new(),
            kinds: vec![MessageKind::Record],
            description: None,
            enabled: true,
            key: text("k"),
        }),
        Command::Webhook(WebhookCommand::Update {
            id,
            url: None,
            events: None,
            kinds: None,
            description: None,
            enabled: None,
        }),
        Command::Webhook(WebhookCommand::Rotate { id, key: text("k"), grace_seconds: 0 }),
        Command::Webhook(WebhookCommand::Delete { id }),
    ]
}

/// The variants of a public enum, read from its source.
pub(crate) fn variants(source: &str, name: &str) -> Vec<String> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{")).expect("the enum");
    let (body, _) = body.split_once("\n}").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let starts = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    starts
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned())
        .collect()
}

/// The variants of a command, as `Group::Create`.
fn path(command: &Command) -> String {
    let text = format!("{command:?}");
    let (noun, inner) = text.split_once(|c: char| !c.is_alphanumeric()).unwrap_or((&text, ""));
    let variant = inner.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_nested = text.contains(&format!("{noun}({variant}")) && !variant.is_empty();
    if is_nested { format!("{noun}::{variant}") } else { noun.to_owned() }
}

fn table() -> String {
    let rows = samples();
    let commands = rows.iter().map(|command| format!("{:<16} {}\n", name(command), needs(command)));
    let asks = Ask::ALL.iter().map(|ask| format!("{:<16} {}\n", format!("{ask:?}"), ask.needs()));
    let intro = "What every command and every question needs; what a command confers is judged besides.\n";
    format!("{intro}\ncommands\n{}\nquestions\n{}", commands.collect::<String>(), asks.collect::<String>())
}

#[test]
fn every_command_and_every_question_has_a_sample() {
    let mut sampled: Vec<_> = samples().iter().map(path).collect();
    let source = include_str!("../../../src/command.rs");
    let of_noun = |noun: String| {
        let commands = format!("{noun}Command");
        if !source.contains(&format!("pub enum {commands} {{")) {
            return vec![noun];
        }
        variants(source, &commands).iter().map(|variant| format!("{noun}::{variant}")).collect()
    };
    let mut known: Vec<_> = variants(source, "Command").into_iter().flat_map(of_noun).collect();
    sampled.sort();
    known.sort();
    assert_eq!(sampled, known);
    let asks = variants(include_str!("../../../src/access/rights.rs"), "Ask");
    let listed: Vec<_> = Ask::ALL.iter().map(|ask| format!("{ask:?}")).collect();
    assert_eq!(listed, asks);
}

#[test]
fn golden_the_rights_table_is_as_agreed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rights.txt");
    let table = table();
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
        std::fs::write(path, &table).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file; GOLDEN=accept writes it");
    assert_eq!(table, golden, "review, then run with GOLDEN=accept");
}
