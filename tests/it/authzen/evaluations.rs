//! `POST /access/v1/evaluations`: Batch Core, defaults, the three semantics, errors of single items.

use serde_json::{Value, json};

use crate::authzen::{
    EVALUATIONS,
    scenario::{Case, Expected, and, case, named, record, refused, user},
};

fn decisions(what: &str, body: &Value, expected: &[bool]) -> Case {
    case(what, EVALUATIONS, body, Expected::Decisions(expected.to_vec()))
}

pub(super) fn cases() -> Vec<Case> {
    [defaults(), semantics(), errors(), alone(), malformed()].concat()
}

fn on(records: &[&str]) -> Vec<Value> {
    records.iter().map(|id| json!({"resource": record(id)})).collect()
}

fn doing(actions: &[&str]) -> Vec<Value> {
    actions.iter().map(|name| json!({"action": named(name)})).collect()
}

/// bob on record-1 with these actions.
fn bob(actions: &[&str], semantic: Option<&str>) -> Value {
    let body = json!({"subject": user("bob"), "resource": record("record-1"), "evaluations": doing(actions)});
    match semantic {
        Some(semantic) => and(body, &json!({"options": {"evaluations_semantic": semantic}})),
        None => body,
    }
}

fn defaults() -> Vec<Case> {
    let alice = json!({"subject": user("alice"), "action": named("read")});
    let full = |who: &str, action: &str, id: &str| json!({"subject": user(who), "action": named(action), "resource": record(id)});
    let time = json!({"context": {"time": "2025-06-27T18:03-07:00"}});
    let own_context = and(json!({"resource": record("record-2")}), &json!({"context": {"source": "item"}}));
    vec![
        decisions(
            "subject and action by default",
            &and(alice.clone(), &json!({"evaluations": on(&["record-1", "record-2"])})),
            &[true, true],
        ),
        decisions(
            "everything in the items",
            &json!({"evaluations": [full("alice", "read", "record-1"), full("bob", "write", "record-1")]}),
            &[true, false],
        ),
        decisions(
            "a context by default and one of an item",
            &and(
                and(alice.clone(), &time),
                &json!({"evaluations": [{"resource": record("record-1")}, own_context]}),
            ),
            &[true, true],
        ),
        decisions(
            "an item replaces a default",
            &json!({"subject": user("bob"), "action": named("write"), "resource": record("record-1"), "evaluations": [{"action": named("read")}, {}]}),
            &[true, false],
        ),
        decisions(
            "an item that is null where there is a default",
            &and(alice.clone(), &json!({"evaluations": [{"subject": null, "resource": record("record-1")}]})),
            &[true],
        ),
        decisions(
            "nothing is merged inside of an entity",
            &json!({"subject": user("alice"), "action": named("write"), "resource": {"type": "record"}, "evaluations": [{"resource": {"id": "record-1"}}, {"resource": record("record-1")}]}),
            &[false, true],
        ),
        decisions(
            "a default that is not whole and not needed",
            &json!({"subject": {"type": "user"}, "action": named("read"), "evaluations": [full("alice", "read", "record-1")]}),
            &[true],
        ),
        decisions(
            "unknown members",
            &and(
                and(alice.clone(), &json!({"foo": "bar", "options": {"future": 1}})),
                &json!({"evaluations": [{"resource": record("record-1"), "custom": [1]}]}),
            ),
            &[true],
        ),
        decisions(
            "duplicates are answered each in its place",
            &bob(&["read", "write", "read", "read", "write", "write", "read"], None),
            &[true, false, true, true, false, false, true],
        ),
    ]
}

fn semantics() -> Vec<Case> {
    vec![
        decisions("execute_all unless said otherwise", &bob(&["read", "write"], None), &[true, false]),
        decisions(
            "execute_all",
            &bob(&["write", "read", "write"], Some("execute_all")),
            &[false, true, false],
        ),
        decisions(
            "deny_on_first_deny",
            &bob(&["read", "write", "read"], Some("deny_on_first_deny")),
            &[true, false],
        ),
        decisions(
            "deny_on_first_deny without a denial",
            &bob(&["read", "read"], Some("deny_on_first_deny")),
            &[true, true],
        ),
        decisions(
            "deny_on_first_deny at once",
            &bob(&["write", "read"], Some("deny_on_first_deny")),
            &[false],
        ),
        decisions(
            "permit_on_first_permit",
            &bob(&["write", "read", "write"], Some("permit_on_first_permit")),
            &[false, true],
        ),
        decisions(
            "permit_on_first_permit without a permit",
            &bob(&["write", "write"], Some("permit_on_first_permit")),
            &[false, false],
        ),
        decisions(
            "permit_on_first_permit at once",
            &bob(&["read", "write"], Some("permit_on_first_permit")),
            &[true],
        ),
        decisions(
            "options without a semantic",
            &and(bob(&["read", "write"], None), &json!({"options": {}})),
            &[true, false],
        ),
        decisions(
            "a semantic that is null",
            &and(bob(&["read"], None), &json!({"options": {"evaluations_semantic": null}})),
            &[true],
        ),
        refused("an unknown semantic", EVALUATIONS, &bob(&["read"], Some("bogus_value"))),
        refused("another case of a semantic", EVALUATIONS, &bob(&["read"], Some("Execute_All"))),
        refused(
            "a semantic that is a number",
            EVALUATIONS,
            &and(bob(&["read"], None), &json!({"options": {"evaluations_semantic": 1}})),
        ),
        refused(
            "options that are a text",
            EVALUATIONS,
            &and(bob(&["read"], None), &json!({"options": "execute_all"})),
        ),
        refused(
            "options that are a list",
            EVALUATIONS,
            &and(bob(&["read"], None), &json!({"options": ["execute_all"]})),
        ),
    ]
}

fn errors() -> Vec<Case> {
    let alice = json!({"subject": user("alice"), "action": named("read")});
    let good = json!({"resource": record("record-1")});
    let with = |item: &Value| and(alice.clone(), &json!({"evaluations": [good, item, good]}));
    let stopping =
        |semantic: &str| and(with(&json!({})), &json!({"options": {"evaluations_semantic": semantic}}));
    vec![
        decisions("an empty item without a default", &with(&json!({})), &[true, false, true]),
        decisions(
            "only an item that cannot be resolved",
            &json!({"action": named("read"), "evaluations": on(&["record-1"])}),
            &[false],
        ),
        decisions("an item that is a text", &with(&json!("record-1")), &[true, false, true]),
        decisions("an item that is a list", &with(&json!([])), &[true, false, true]),
        decisions("an item that is null", &with(&json!(null)), &[true, false, true]),
        decisions(
            "an item with a wrong subject",
            &with(&json!({"subject": "alice", "resource": record("record-1")})),
            &[true, false, true],
        ),
        decisions(
            "an item with a number for an id",
            &with(&json!({"resource": {"type": "record", "id": 1}})),
            &[true, false, true],
        ),
        decisions(
            "an unknown resource is a denial and no error",
            &with(&json!({"resource": record("record-9")})),
            &[true, false, true],
        ),
        decisions(
            "an error denies: deny_on_first_deny ends",
            &stopping("deny_on_first_deny"),
            &[true, false],
        ),
        decisions(
            "an error permits nothing",
            &and(
                alice,
                &json!({"evaluations": [{}, good, {}], "options": {"evaluations_semantic": "permit_on_first_permit"}}),
            ),
            &[false, true],
        ),
    ]
}

/// Without evaluations it is the single endpoint.
fn alone() -> Vec<Case> {
    let good = json!({"subject": user("alice"), "action": named("read"), "resource": record("record-1")});
    let denied = json!({"subject": user("bob"), "action": named("write"), "resource": record("record-1")});
    let yes = Expected::Body(json!({"decision": true}));
    let no = Expected::Body(json!({"decision": false}));
    let empty = json!({"evaluations": []});
    vec![
        case("no evaluations", EVALUATIONS, &good, yes.clone()),
        case("no evaluations, denied", EVALUATIONS, &denied, no.clone()),
        case("an empty list of evaluations", EVALUATIONS, &and(good.clone(), &empty), yes.clone()),
        case("an empty list of evaluations, denied", EVALUATIONS, &and(denied, &empty), no),
        case("evaluations that are null", EVALUATIONS, &and(good, &json!({"evaluations": null})), yes),
        refused(
            "no evaluations and no subject",
            EVALUATIONS,
            &json!({"action": named("read"), "resource": record("record-1")}),
        ),
        refused(
            "an empty list and no resource",
            EVALUATIONS,
            &and(json!({"subject": user("alice"), "action": named("read")}), &empty),
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let alice = json!({"subject": user("alice"), "action": named("read"), "resource": record("record-1")});
    let evaluations = |value: Value| and(alice.clone(), &json!({"evaluations": value}));
    let many = vec![json!({}); 1001];
    let most = vec![json!({}); 1000];
    vec![
        refused("evaluations that are an object", EVALUATIONS, &evaluations(json!({"0": {}}))),
        refused("evaluations that are a text", EVALUATIONS, &evaluations(json!("x"))),
        refused("1001 evaluations", EVALUATIONS, &evaluations(json!(many))),
        decisions("1000 evaluations", &evaluations(json!(most)), &[true; 1000]),
        refused(
            "a default that is a text",
            EVALUATIONS,
            &json!({"subject": "alice", "evaluations": [{"subject": user("alice"), "action": named("read"), "resource": record("record-1")}]}),
        ),
        refused(
            "a default context that is a list",
            EVALUATIONS,
            &and(evaluations(json!([{}])), &json!({"context": []})),
        ),
    ]
}
