//! The table of endpoints against the tables of rights: no operation is in none of them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::questions::who_sees;

/// Commands that are no operation of their own; an object without an id is created by `register_object`.
const COMMANDS_WITHOUT: [&str; 4] = ["CreateObject", "NoteExpiries", "AcceptRollback", "RecoverOwner"];

/// What an operation is, by the headers that it takes.
#[derive(Debug, PartialEq, Eq)]
enum Handling {
    Write,
    Read,
    Other,
}

/// Method, path, id and handling of every operation.
fn operations() -> Vec<(String, String, String, Handling)> {
    let document: Value = serde_json::from_str(&grantbook_server::endpoints::openapi_json()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            let takes = |name: &str| parameters.iter().any(|one| one["name"] == name);
            let handling = if takes("idempotency-key") {
                Handling::Write
            } else if takes("grantbook-at-least")
                && !grantbook_api::words::posted::ACTIONS.contains(&path.as_str())
            {
                Handling::Read
            } else {
                Handling::Other
            };
            let id = operation["operationId"].as_str().unwrap().to_owned();
            found.push((method.to_uppercase(), path.clone(), id, handling));
        }
    }
    found
}

/// `issue_token_key` issues a key: the command has one name for both kinds of accounts.
fn command_of(id: &str) -> String {
    let id = if id.starts_with("issue_") { "issue_key" } else { id };
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    id.split('_').map(capital).collect()
}

#[test]
fn every_write_is_a_command_of_the_rights_table() {
    let writes = operations().into_iter().filter(|(.., handling)| *handling == Handling::Write);
    let mut commands: BTreeSet<String> = writes.map(|(_, _, id, _)| command_of(&id)).collect();
    commands.extend(COMMANDS_WITHOUT.map(str::to_owned));
    let table = include_str!("../../../../tests/golden/rights.txt");
    let (_, rows) = table.split_once("\ncommands\n").unwrap();
    let (rows, _) = rows.split_once("\n\n").unwrap();
    let listed: BTreeSet<String> =
        rows.lines().map(|row| row.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(commands, listed);
}

#[test]
fn every_question_is_in_the_table_of_who_sees_what() {
    let asked = who_sees::paths();
    let is_asked = |method: &str, path: &str| {
        asked.iter().any(|(own, concrete)| *own == method && is_of(path, concrete))
    };
    let missing: BTreeSet<String> = operations()
        .into_iter()
        .filter(|(method, path, _, handling)| *handling == Handling::Read && !is_asked(method, path))
        .map(|(_, _, id, _)| id)
        .collect();
    assert_eq!(missing, BTreeSet::new());
}

fn is_of(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(|(one, own)| one.starts_with('{') || one == own)
}
