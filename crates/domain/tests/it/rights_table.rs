//! The rights table as text that reviewers read in diffs.

use grantbook_domain::{
    catalog::TypeDefinition,
    command::{Command, Expiry},
    id::Id,
    model::{Effect, Gives, KeyHash},
    principal::{Grantee, Principal},
    rights::{Ask, needs},
    scope::{Labels, ObjectRef, Scope},
    webhook::MessageKind,
};

/// The command's name; a new command does not compile until it has one here.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::Batch(_) => "Batch",
        Command::ExtendCatalog { .. } => "ExtendCatalog",
        Command::CreateUser { .. } => "CreateUser",
        Command::UpdateUser { .. } => "UpdateUser",
        Command::DeactivateUser { .. } => "DeactivateUser",
        Command::CreateToken { .. } => "CreateToken",
        Command::UpdateToken { .. } => "UpdateToken",
        Command::DeleteToken { .. } => "DeleteToken",
        Command::IssueKey { .. } => "IssueKey",
        Command::RotateKey { .. } => "RotateKey",
        Command::StartSession { .. } => "StartSession",
        Command::RevokeKey { .. } => "RevokeKey",
        Command::EndSession { .. } => "EndSession",
        Command::CreateGroup { .. } => "CreateGroup",
        Command::UpdateGroup { .. } => "UpdateGroup",
        Command::DeleteGroup { .. } => "DeleteGroup",
        Command::AddMember { .. } => "AddMember",
        Command::RemoveMember { .. } => "RemoveMember",
        Command::CreateRole { .. } => "CreateRole",
        Command::UpdateRole { .. } => "UpdateRole",
        Command::DeleteRole { .. } => "DeleteRole",
        Command::CreateProject { .. } => "CreateProject",
        Command::UpdateProject { .. } => "UpdateProject",
        Command::DeleteProject { .. } => "DeleteProject",
        Command::RegisterObject { .. } => "RegisterObject",
        Command::UpdateObject { .. } => "UpdateObject",
        Command::RemoveObject { .. } => "RemoveObject",
        Command::CreateGrant { .. } => "CreateGrant",
        Command::RevokeGrant { .. } => "RevokeGrant",
        Command::CreateWebhook { .. } => "CreateWebhook",
        Command::UpdateWebhook { .. } => "UpdateWebhook",
        Command::RotateWebhook { .. } => "RotateWebhook",
        Command::DeleteWebhook { .. } => "DeleteWebhook",
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
        Command::CreateUser { id: user, email: text("a@b"), name: None, external_id: None },
        Command::UpdateUser { id: user, email: None, name: None, external_id: None },
        Command::DeactivateUser { id: user },
        Command::CreateToken {
            id: token,
            name: text("t"),
            description: None,
            external_id: None,
            expires_at: None,
        },
        Command::UpdateToken {
            id: token,
            name: None,
            description: None,
            external_id: None,
            expires_at: None,
        },
        Command::DeleteToken { id: token },
    ]
}

fn keys() -> Vec<Command> {
    let (id, hash) = (Id::from_u128(3), KeyHash([0; 32]));
    let principal = Principal::Token(Id::from_u128(2));
    vec![
        Command::IssueKey { id, principal, name: None, hash, expires_at: None, narrow: None },
        Command::RotateKey { id, new_id: Id::from_u128(4), hash, grace_seconds: 0 },
        Command::StartSession { id, hash },
        Command::RevokeKey { id },
        Command::EndSession { id },
    ]
}

fn groups_and_roles() -> Vec<Command> {
    let group = Id::from_u128(5);
    let role = Id::from_u128(6);
    let member = Grantee::Token(Id::from_u128(2));
    vec![
        Command::CreateGroup { id: group, name: text("g"), description: None },
        Command::UpdateGroup { id: group, name: None, description: None },
        Command::DeleteGroup { id: group },
        Command::AddMember { group, member, expires_at: Expiry::Never },
        Command::RemoveMember { group, member },
        Command::CreateRole { id: role, name: text("r"), permissions: Vec::new(), includes: Vec::new() },
        Command::UpdateRole { id: role, name: None, permissions: None, includes: None },
        Command::DeleteRole { id: role },
    ]
}

fn places() -> Vec<Command> {
    let id = Id::from_u128(7);
    let object = ObjectRef::new("experiment", "e");
    vec![
        Command::CreateProject { id, name: text("p"), labels: Labels::new() },
        Command::UpdateProject { id, name: None, labels: None },
        Command::DeleteProject { id },
        Command::RegisterObject { object: object.clone().within(Some(id)), name: None },
        Command::UpdateObject { object: object.clone(), name: None },
        Command::RemoveObject { object },
    ]
}

fn grants_and_others() -> Vec<Command> {
    let id = Id::from_u128(8);
    let one = TypeDefinition { name: text("notebook"), parent: text("project") };
    vec![
        Command::CreateGrant {
            id,
            to: Grantee::Token(Id::from_u128(2)),
            gives: Gives::Permissions(vec![text("read")]),
            on: Scope::Organization,
            effect: Effect::Allow,
            object_type: None,
            expires_at: None,
            reason: None,
        },
        Command::RevokeGrant { id },
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
        Command::CreateWebhook {
            id,
            url: text("https://example.com/hook"),
            events: Vec::new(),
            kinds: vec![MessageKind::Record],
            description: None,
            enabled: true,
            key: text("k"),
        },
        Command::UpdateWebhook { id, url: None, events: None, kinds: None, description: None, enabled: None },
        Command::RotateWebhook { id, key: text("k"), grace_seconds: 0 },
        Command::DeleteWebhook { id },
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

fn table() -> String {
    let rows = samples();
    let commands = rows.iter().map(|command| format!("{:<16} {}\n", name(command), needs(command)));
    let asks = Ask::ALL.iter().map(|ask| format!("{:<16} {}\n", format!("{ask:?}"), ask.needs()));
    let intro = "What every command and every question needs; what a command confers is judged besides.\n";
    format!("{intro}\ncommands\n{}\nquestions\n{}", commands.collect::<String>(), asks.collect::<String>())
}

#[test]
fn every_command_and_every_question_has_a_sample() {
    let mut sampled: Vec<_> = samples().iter().map(|command| name(command).to_owned()).collect();
    let mut known = variants(include_str!("../../src/command.rs"), "Command");
    sampled.sort();
    known.sort();
    assert_eq!(sampled, known);
    let asks = variants(include_str!("../../src/rights.rs"), "Ask");
    let listed: Vec<_> = Ask::ALL.iter().map(|ask| format!("{ask:?}")).collect();
    assert_eq!(listed, asks);
}

#[test]
fn the_rights_table_is_as_agreed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rights.txt");
    let table = table();
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
        std::fs::write(path, &table).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file; GOLDEN=accept writes it");
    assert_eq!(table, golden, "review, then run with GOLDEN=accept");
}
