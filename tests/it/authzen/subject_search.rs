//! `POST /access/v1/search/subject`: which subjects may.

use serde_json::{Value, json};

use crate::authzen::{
    SUBJECTS,
    scenario::{Case, Expected, and, case, named, record, refused, user, without},
};

fn question(action: &str, resource: &str) -> Value {
    json!({"subject": {"type": "user"}, "action": named(action), "resource": record(resource)})
}

fn both(what: &str, body: &Value) -> Case {
    case(what, SUBJECTS, body, Expected::Finds(vec![user("alice"), user("bob")]))
}

fn none(what: &str, body: &Value) -> Case {
    case(what, SUBJECTS, body, Expected::FindsNothing)
}

pub(super) fn cases() -> Vec<Case> {
    let good = || question("read", "record-1");
    let with = |name: &str, value: Value| and(good(), &json!({name: value}));
    let mut cases = vec![
        both("who may read record-1", &good()),
        both("who may read record-2", &question("read", "record-2")),
        case(
            "who may write record-1",
            SUBJECTS,
            &question("write", "record-1"),
            Expected::Finds(vec![user("alice")]),
        ),
        both("an id of the subject is ignored", &with("subject", json!({"type": "user", "id": "stray"}))),
        both(
            "an id of the subject of any form is ignored",
            &with("subject", json!({"type": "user", "id": 7})),
        ),
        both("a context", &with("context", json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}))),
        both(
            "properties of the resource",
            &with("resource", and(record("record-1"), &json!({"properties": {"status": "active"}}))),
        ),
        both("unknown members", &and(good(), &json!({"foo": "bar", "future": {"nested": true}}))),
        both(
            "unknown members of entities",
            &and(
                with("action", json!({"name": "read", "x": 1})),
                &json!({"subject": {"type": "user", "x": []}}),
            ),
        ),
        both(
            "a page with unknown members",
            &with("page", json!({"limit": 10, "customAttr": "ignored", "properties": {"x": 1}})),
        ),
        both("an empty page", &with("page", json!({}))),
        both("a page that is null", &with("page", json!(null))),
        both("a limit beyond everything", &with("page", json!({"limit": 18_446_744_073_709_551_615_u64}))),
        none("an unknown type of subject", &with("subject", json!({"type": "spaceship"}))),
        none("no token may read it", &with("subject", json!({"type": "token"}))),
        none("an unknown action", &question("fly", "record-1")),
        none("an unknown resource", &question("read", "record-9")),
        none("an unknown type of resource", &with("resource", json!({"type": "planet", "id": "record-1"}))),
        refused("no action", SUBJECTS, &without(good(), "action")),
        refused("no resource", SUBJECTS, &without(good(), "resource")),
        refused("no subject", SUBJECTS, &without(good(), "subject")),
        refused("an action that is a text", SUBJECTS, &with("action", json!("read"))),
        refused("an action without a name", SUBJECTS, &with("action", json!({}))),
        refused("a resource without an id", SUBJECTS, &with("resource", json!({"type": "record"}))),
        refused("a resource without a type", SUBJECTS, &with("resource", json!({"id": "record-1"}))),
        refused("a subject without a type", SUBJECTS, &with("subject", json!({}))),
        refused("a type that is a number", SUBJECTS, &with("subject", json!({"type": 1}))),
    ];
    for (what, page) in super::paging::malformed() {
        cases.push(refused(what, SUBJECTS, &with("page", page)));
    }
    cases
}
