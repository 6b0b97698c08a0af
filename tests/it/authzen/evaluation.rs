//! `POST /access/v1/evaluation`: Basic Core, and what a body must be.

use serde_json::{Value, json};

use crate::authzen::{
    EVALUATION,
    scenario::{Case, Expected, and, case, named, record, refused, user, without},
};

fn question(subject: &str, action: &str, resource: &str) -> Value {
    json!({"subject": user(subject), "action": named(action), "resource": record(resource)})
}

fn decision(what: &str, body: &Value, decision: bool) -> Case {
    case(what, EVALUATION, body, Expected::Body(json!({"decision": decision})))
}

pub(super) fn cases() -> Vec<Case> {
    [decisions(), what_changes_no_decision(), what_is_not_known(), malformed()].concat()
}

fn decisions() -> Vec<Case> {
    [
        ("alice", "read", "record-1", true),
        ("alice", "write", "record-1", true),
        ("alice", "delete", "record-1", false),
        ("alice", "read", "record-2", true),
        ("bob", "read", "record-1", true),
        ("bob", "write", "record-1", false),
        ("bob", "read", "record-2", true),
    ]
    .into_iter()
    .map(|(who, action, on, expected)| {
        decision(&format!("{who} {action} {on}"), &question(who, action, on), expected)
    })
    .collect()
}

fn what_changes_no_decision() -> Vec<Case> {
    let alice = || question("alice", "read", "record-1");
    let bob = || question("bob", "write", "record-1");
    let with = |mut body: Value, name: &str, more: &Value| {
        body[name] = and(body[name].clone(), more);
        body
    };
    let context = json!({"context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}});
    let deep = json!({"k": {"v": [1, {"x": null}]}});
    vec![
        decision("a context", &and(alice(), &context), true),
        decision("a context, denied", &and(bob(), &context), false),
        decision("an empty context", &and(alice(), &json!({"context": {}})), true),
        decision("a context that is null", &and(alice(), &json!({"context": null})), true),
        decision(
            "properties of the subject",
            &with(alice(), "subject", &json!({"properties": {"role": "manager"}})),
            true,
        ),
        decision(
            "properties of the action",
            &with(alice(), "action", &json!({"properties": {"method": "GET"}})),
            true,
        ),
        decision(
            "properties of the resource",
            &with(alice(), "resource", &json!({"properties": {"status": "active"}})),
            true,
        ),
        decision(
            "claims of the subject, denied",
            &with(bob(), "subject", &json!({"properties": {"role": "admin"}})),
            false,
        ),
        decision("empty properties", &with(alice(), "subject", &json!({"properties": {}})), true),
        decision("properties that are null", &with(alice(), "resource", &json!({"properties": null})), true),
        decision("an unknown member", &and(alice(), &json!({"foo": "bar", "future": deep})), true),
        decision(
            "an unknown member of the subject",
            &with(alice(), "subject", &json!({"custom": deep})),
            true,
        ),
        decision("an unknown member of the action", &with(alice(), "action", &json!({"custom": 1})), true),
        decision(
            "an unknown member of the resource",
            &with(alice(), "resource", &json!({"custom": [1, 2, 3]})),
            true,
        ),
        decision("evaluations here are an unknown member", &and(alice(), &json!({"evaluations": 7})), true),
        decision(
            "a project that is no text",
            &with(alice(), "resource", &json!({"properties": {"project": 7}})),
            true,
        ),
    ]
}

fn what_is_not_known() -> Vec<Case> {
    let read = |subject: Value, action: &str, resource: Value| json!({"subject": subject, "action": named(action), "resource": resource});
    vec![
        decision("an unknown subject", &question("nobody", "read", "record-1"), false),
        decision("an unknown action", &question("alice", "fly", "record-1"), false),
        decision("an unknown resource", &question("alice", "read", "record-9"), false),
        decision(
            "an unknown type of subject",
            &read(json!({"type": "spaceship", "id": "alice"}), "read", record("record-1")),
            false,
        ),
        decision(
            "alice is no token",
            &read(json!({"type": "token", "id": "alice"}), "read", record("record-1")),
            false,
        ),
        decision(
            "a group is no subject",
            &read(json!({"type": "group", "id": "alice"}), "read", record("record-1")),
            false,
        ),
        decision(
            "an unknown type of resource",
            &read(user("alice"), "read", json!({"type": "planet", "id": "record-1"})),
            false,
        ),
        decision("empty ids", &question("", "read", ""), false),
        decision("an empty action", &question("alice", "", "record-1"), false),
        decision("another case of the subject", &question("Alice", "read", "record-1"), false),
        decision("another case of the resource", &question("alice", "read", "Record-1"), false),
        decision("another case of the action", &question("alice", "READ", "record-1"), false),
        decision("a blank behind the id", &question("alice ", "read", "record-1"), false),
    ]
}

fn malformed() -> Vec<Case> {
    let good = || question("alice", "read", "record-1");
    let mut cases = Vec::new();
    for name in ["subject", "action", "resource"] {
        cases.push(refused(&format!("no {name}"), EVALUATION, &without(good(), name)));
        for wrong in [json!(null), json!("alice"), json!(7), json!(true), json!(["user", "alice"]), json!({})]
        {
            let body = and(good(), &json!({name: wrong}));
            cases.push(refused(&format!("{name} is {wrong}"), EVALUATION, &body));
        }
        let body = and(good(), &json!({name: and(good()[name].clone(), &json!({"properties": "x"}))}));
        cases.push(refused(&format!("properties of the {name} are a text"), EVALUATION, &body));
    }
    for (entity, member) in
        [("subject", "type"), ("subject", "id"), ("resource", "type"), ("resource", "id"), ("action", "name")]
    {
        let gone = and(good(), &json!({entity: without(good()[entity].clone(), member)}));
        cases.push(refused(&format!("no {member} of the {entity}"), EVALUATION, &gone));
        for wrong in [json!(null), json!(123), json!({"x": 1}), json!(["x"])] {
            let body = and(good(), &json!({entity: and(good()[entity].clone(), &json!({member: wrong}))}));
            cases.push(refused(&format!("{member} of the {entity} is {wrong}"), EVALUATION, &body));
        }
    }
    cases.push(refused("the context is a text", EVALUATION, &and(good(), &json!({"context": "x"}))));
    cases.push(refused("the context is a list", EVALUATION, &and(good(), &json!({"context": []}))));
    cases
}
