//! `POST /access/v1/search/resource`: on which resources a subject may.

use serde_json::{Value, json};

use crate::authzen::{
    RESOURCES,
    scenario::{Case, Expected, and, case, named, record, refused, user, without},
};

fn question(subject: &str, action: &str) -> Value {
    json!({"subject": user(subject), "action": named(action), "resource": {"type": "record"}})
}

fn finds(what: &str, body: &Value, records: &[&str]) -> Case {
    case(what, RESOURCES, body, Expected::Finds(records.iter().map(|id| record(id)).collect()))
}

fn none(what: &str, body: &Value) -> Case {
    case(what, RESOURCES, body, Expected::FindsNothing)
}

pub(super) fn cases() -> Vec<Case> {
    let good = || question("alice", "read");
    let with = |name: &str, value: Value| and(good(), &json!({name: value}));
    let mut cases = vec![
        finds("what may alice read", &good(), &["record-1", "record-2"]),
        finds("what may alice write", &question("alice", "write"), &["record-1"]),
        finds("what may bob read", &question("bob", "read"), &["record-1", "record-2"]),
        none("what may bob write", &question("bob", "write")),
        finds(
            "an id of the resource is ignored",
            &with("resource", json!({"type": "record", "id": "stray"})),
            &["record-1"],
        ),
        finds(
            "properties of the subject",
            &with("subject", and(user("alice"), &json!({"properties": {"role": "admin"}}))),
            &["record-1"],
        ),
        finds("a context", &with("context", json!({"ip": "192.168.1.1"})), &["record-1"]),
        finds(
            "unknown members",
            &and(good(), &json!({"foo": "bar", "future": {"nested": true}})),
            &["record-1"],
        ),
        none("an unknown subject", &question("nobody", "read")),
        none("an unknown action", &question("alice", "fly")),
        none("an unknown type of resource", &with("resource", json!({"type": "planet"}))),
        none("an unknown type of subject", &with("subject", json!({"type": "robot", "id": "alice"}))),
        none("alice may read no project", &with("resource", json!({"type": "project"}))),
        none("alice may read no group", &with("resource", json!({"type": "group"}))),
        none("nor the organization", &with("resource", json!({"type": "organization"}))),
        refused("no action", RESOURCES, &without(good(), "action")),
        refused("an action without a name", RESOURCES, &with("action", json!({}))),
        refused("no resource", RESOURCES, &without(good(), "resource")),
        refused("a resource without a type", RESOURCES, &with("resource", json!({}))),
        refused("no subject", RESOURCES, &without(good(), "subject")),
        refused("a subject without an id", RESOURCES, &with("subject", json!({"type": "user"}))),
        refused("a subject without a type", RESOURCES, &with("subject", json!({"id": "alice"}))),
        refused("a subject that is a text", RESOURCES, &with("subject", json!("alice"))),
    ];
    for (what, page) in super::paging::malformed() {
        cases.push(refused(what, RESOURCES, &with("page", page)));
    }
    cases
}
