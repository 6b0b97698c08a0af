//! `POST /access/v1/search/action`: what a subject may do on a resource.

use serde_json::{Value, json};

use crate::authzen::{
    ACTIONS,
    scenario::{Case, Expected, and, case, named, record, refused, user, without},
};

fn question(subject: &str, resource: &str) -> Value {
    json!({"subject": user(subject), "resource": record(resource)})
}

fn finds(what: &str, body: &Value, actions: &[&str]) -> Case {
    case(what, ACTIONS, body, Expected::Finds(actions.iter().map(|name| named(name)).collect()))
}

fn none(what: &str, body: &Value) -> Case {
    case(what, ACTIONS, body, Expected::FindsNothing)
}

pub(super) fn cases() -> Vec<Case> {
    let good = || question("alice", "record-1");
    let with = |name: &str, value: Value| and(good(), &json!({name: value}));
    let mut cases = vec![
        finds("alice on record-1", &good(), &["read", "write"]),
        case(
            "exactly those, in the catalog's order",
            ACTIONS,
            &good(),
            Expected::Body(json!({"results": [named("read"), named("write")]})),
        ),
        finds("bob on record-1", &question("bob", "record-1"), &["read"]),
        case(
            "bob may not write",
            ACTIONS,
            &question("bob", "record-2"),
            Expected::Body(json!({"results": [named("read")]})),
        ),
        finds("an action is ignored", &with("action", json!({"name": "read"})), &["read", "write"]),
        finds("a context", &with("context", json!({"ip": "192.168.1.1"})), &["read", "write"]),
        finds(
            "properties",
            &with("resource", and(record("record-1"), &json!({"properties": {"status": "archived"}}))),
            &["read", "write"],
        ),
        finds(
            "unknown members",
            &and(good(), &json!({"foo": "bar", "future": {"nested": true}})),
            &["read", "write"],
        ),
        none("an unknown subject", &question("nonexistent-user", "record-1")),
        none("an unknown resource", &question("alice", "record-9")),
        none("an unknown type of resource", &with("resource", json!({"type": "planet", "id": "record-1"}))),
        none("an unknown type of subject", &with("subject", json!({"type": "robot", "id": "alice"}))),
        refused("no resource", ACTIONS, &without(good(), "resource")),
        refused("no subject", ACTIONS, &without(good(), "subject")),
        refused("a subject that is a text", ACTIONS, &with("subject", json!("alice"))),
        refused("a subject without an id", ACTIONS, &with("subject", json!({"type": "user"}))),
        refused("a subject without a type", ACTIONS, &with("subject", json!({"id": "alice"}))),
        refused("a resource without an id", ACTIONS, &with("resource", json!({"type": "record"}))),
        refused("a resource without a type", ACTIONS, &with("resource", json!({"id": "record-1"}))),
    ];
    for (what, page) in super::paging::malformed() {
        cases.push(refused(what, ACTIONS, &with("page", page)));
    }
    cases
}
