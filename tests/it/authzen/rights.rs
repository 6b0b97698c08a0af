//! Who may ask what, and what is told of the answer only to those who ask for more.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::authzen::{
    ACTIONS, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS,
    scenario::{Scenario, and, named, record, user},
};

/// A service token with these permissions on a scope: its id and key.
fn somebody(scenario: &Scenario, name: &str, grant: Option<(Value, Value)>) -> Result<(String, String)> {
    let make = |path: &str, body: &Value| scenario.server.call("POST", path, body)?.expect(201);
    let id = make("/v1/tokens", &json!({"name": name}))?["id"].as_str().context("an id")?.to_owned();
    let key = make(&format!("/v1/tokens/{id}/keys"), &json!({}))?;
    if let Some((permissions, on)) = grant {
        let to = json!({"type": "token", "id": id});
        make("/v1/grants", &json!({"to": to, "permissions": permissions, "on": on}))?;
    }
    Ok((id, key["secret"].as_str().context("a secret")?.to_owned()))
}

#[test]
fn others_are_asked_about_by_right_and_oneself_freely() -> Result<()> {
    let scenario = Scenario::set()?;
    let (plain, plain_key) = somebody(&scenario, "plain", None)?;
    let on = json!({"object": record("record-1")});
    let (_, local_key) = somebody(&scenario, "local", Some((json!(["read_acls"]), on)))?;
    let (_, reader_key) =
        somebody(&scenario, "reader", Some((json!(["read"]), json!({"organization": true}))))?;
    let own = json!({"type": "token", "id": plain});
    let evaluation = |subject: &Value, id: &str| json!({"subject": subject, "action": named("read"), "resource": record(id)});
    let subjects =
        |id: &str| json!({"subject": {"type": "user"}, "action": named("read"), "resource": record(id)});
    let resources = |subject: &Value| json!({"subject": subject, "action": named("read"), "resource": {"type": "record"}});
    let actions = |subject: &Value, id: &str| json!({"subject": subject, "resource": record(id)});
    let (alice, ghost) = (user("alice"), user("ghost"));
    // by the plain token, by who may read the accesses on record-1, by who may only read, by who may ask everything
    for (what, path, body, expected) in [
        ("itself", EVALUATION, evaluation(&own, "record-1"), [200, 200, 403, 200]),
        ("itself on another", EVALUATION, evaluation(&own, "record-2"), [200, 403, 403, 200]),
        ("itself on nothing", EVALUATION, evaluation(&own, "record-9"), [200, 403, 403, 200]),
        ("alice", EVALUATION, evaluation(&alice, "record-1"), [403, 200, 403, 200]),
        ("alice on another", EVALUATION, evaluation(&alice, "record-2"), [403, 403, 403, 200]),
        ("nobody", EVALUATION, evaluation(&ghost, "record-1"), [403, 200, 403, 200]),
        ("alice, as one of several", EVALUATIONS, evaluation(&alice, "record-1"), [403, 200, 403, 200]),
        ("who", SUBJECTS, subjects("record-1"), [403, 200, 403, 200]),
        ("who on another", SUBJECTS, subjects("record-2"), [403, 403, 403, 200]),
        ("who on nothing", SUBJECTS, subjects("record-9"), [403, 403, 403, 200]),
        ("what alice", RESOURCES, resources(&alice), [403, 403, 403, 200]),
        ("what itself", RESOURCES, resources(&own), [403, 403, 403, 200]),
        ("how itself", ACTIONS, actions(&own, "record-1"), [200, 200, 403, 200]),
        ("how itself on nothing", ACTIONS, actions(&own, "record-9"), [200, 403, 403, 200]),
        ("how alice", ACTIONS, actions(&alice, "record-1"), [403, 200, 403, 200]),
    ] {
        for (key, status) in
            [&plain_key, &local_key, &reader_key, &scenario.pep_key].into_iter().zip(expected)
        {
            let reply = scenario.server.http()?.as_bearer(key).send("POST", path, &body)?;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, status, "{what}: {text}");
            if status == 403 {
                assert!(!text.contains("alice") && !text.contains("record-"), "{text}");
                assert!(reply.header("www-authenticate").is_some());
            }
        }
    }
    Ok(())
}

#[test]
fn an_item_that_may_not_be_asked_is_a_denial_with_an_error() -> Result<()> {
    let scenario = Scenario::set()?;
    let (plain, key) = somebody(&scenario, "plain", None)?;
    let own = json!({"subject": {"type": "token", "id": plain}});
    let body = json!({"action": named("read"), "resource": record("record-1"),
        "evaluations": [own, {"subject": user("alice")}, {"subject": user("ghost")}, own]});
    let answer = scenario.server.http()?.as_bearer(&key).send("POST", EVALUATIONS, &body)?.expect(200)?;
    let items = answer["evaluations"].as_array().context("evaluations")?;
    assert_eq!((items.len(), &items[0]), (4, &json!({"decision": false})));
    assert_eq!(items[1]["context"]["error"]["status"], 403);
    assert_eq!(items[1], items[2], "somebody who is not there is like somebody who may not be asked about");
    assert_eq!(items[0], items[3]);
    Ok(())
}

#[test]
fn reason_and_position_are_told_only_when_asked_for() -> Result<()> {
    let scenario = Scenario::set()?;
    let (plain, key) = somebody(&scenario, "plain", None)?;
    let explain = json!({"context": {"grantbook": {"explain": true}}});
    let bob = json!({"subject": user("bob"), "action": named("write"), "resource": record("record-1")});
    let reply = scenario.ask(EVALUATION, &and(bob.clone(), &explain))?;
    let position = reply.header("grantbook-position").context("a position")?.to_owned();
    let told =
        json!({"decision": false, "context": {"grantbook": {"reason": "no_grant", "position": position}}});
    assert_eq!(reply.expect(200)?, told);
    for context in [
        json!({}),
        json!({"grantbook": {}}),
        json!({"grantbook": {"explain": false}}),
        json!({"grantbook": {"explain": "true"}}),
        json!({"explain": true}),
        json!({"grantbook": true}),
    ] {
        let body = and(bob.clone(), &json!({"context": context}));
        assert_eq!(scenario.ask(EVALUATION, &body)?.expect(200)?, json!({"decision": false}), "{context}");
    }
    let own = and(and(bob.clone(), &json!({"subject": {"type": "token", "id": plain}})), &explain);
    let mut http = scenario.server.http()?.as_bearer(&key);
    let answer = http.send("POST", EVALUATION, &own)?.expect(200)?;
    assert_eq!(answer["context"]["grantbook"]["reason"], "denied", "without the right no finer reason");
    let batch = json!({"subject": user("alice"), "action": named("read"), "context": explain["context"],
        "evaluations": [{"resource": record("record-1")}, {"resource": record("record-9")}, {"resource": record("record-1"), "context": {}}]});
    let items = scenario.ask(EVALUATIONS, &batch)?.expect(200)?["evaluations"].clone();
    assert_eq!(items[0]["context"]["grantbook"]["reason"], "granted");
    assert_eq!(items[1]["context"]["grantbook"]["reason"], "unknown_object");
    assert_eq!(items[2], json!({"decision": true}), "its own context replaces that of the request");
    let search = json!({"subject": {"type": "user"}, "action": named("read"), "resource": record("record-1"), "context": explain["context"]});
    assert_eq!(
        scenario.ask(SUBJECTS, &search)?.expect(200)?["context"],
        json!({"grantbook": {"position": position}})
    );
    Ok(())
}

#[test]
fn subjects_are_called_by_external_ids_only_before_those_who_may_read_them() -> Result<()> {
    let scenario = Scenario::set()?;
    let on = json!({"object": record("record-1")});
    let (_, key) = somebody(&scenario, "local", Some((json!(["read_acls"]), on)))?;
    let body = json!({"subject": {"type": "user"}, "action": named("write"), "resource": record("record-1")});
    let mut http = scenario.server.http()?.as_bearer(&key);
    let found = http.send("POST", SUBJECTS, &body)?.expect(200)?["results"].clone();
    let ids = [
        json!({"type": "user", "id": scenario.server.init["user"]["id"]}),
        json!({"type": "user", "id": scenario.alice}),
    ];
    assert!(
        found.as_array().is_some_and(|all| ids.iter().all(|id| all.contains(id)) && all.len() == 2),
        "{found}"
    );
    let by_id = json!({"type": "user", "id": scenario.alice});
    assert!(scenario.allows(&by_id, "write", &record("record-1"))?, "an id is as good as an external id");
    assert!(!scenario.allows(&json!({"type": "token", "id": scenario.pep}), "write", &record("record-1"))?);
    Ok(())
}
