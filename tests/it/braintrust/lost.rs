//! Answers that are lost on their way: a client that sends its request again has the effect once.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{braintrust::Manager, front::RoundRobin, scene::Scene, wire::Http};
use serde_json::{Value, json};

use crate::braintrust::{story::id, wire::ask};

/// Whether a key is good for a login.
fn works(base: &str, key: &Value) -> Result<bool> {
    let key = key.as_str().context("a secret")?;
    Ok(ask(base, key, "POST", "/api/apikey/login", &Value::Null)?.status == 200)
}

/// Over two nodes: the second request comes to the other one.
#[test]
fn a_client_that_sends_again_has_the_effect_once() -> Result<()> {
    let scene = Scene::over_nats()?;
    let front = RoundRobin::before(&scene.bases())?;
    let (base, key) = (&*front.base(), scene.writes.owner_key.as_str());
    let again = |args: &[&str]| -> Result<Value> {
        front.lose_answers(1);
        let told = Manager::Again.run(base, key, args)?;
        let finished = told.last().context("no end")?;
        ensure!(finished["requests"].as_u64() >= Some(2), "nothing was sent again: {finished}");
        told.into_iter().next().context("no step")
    };
    let native = |path: &str| -> Result<Value> {
        Http::connect(base)?.as_bearer(key).send_at("latest", "GET", path, &Value::Null)?.expect(200)
    };
    let made = again(&["api-key", "lost"])?;
    assert!(works(base, &made["key"])?, "{made}");
    let user = id(&scene.writes.init["user"])?;
    let keys = native(&format!("/v1/users/{user}/keys"))?;
    let named = keys["items"].as_array().context("keys")?.iter().filter(|key| key["name"] == "lost");
    assert_eq!(named.map(|key| &key["id"]).collect::<Vec<_>>(), [&made["id"]]);
    // One record took the first away and issued the second.
    let audit = native("/v1/audit?event=KeyRevoked&order=desc&limit=1")?;
    let events = audit["items"][0]["events"].as_array().context("events")?;
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["KeyRevoked", "KeyIssued"]);
    let group = again(&["group", "g"])?;
    let group = group["id"].as_str().context("a group")?;
    let project = id(&scene.post("/v1/projects", &json!({"name": "staging"}))?)?;
    again(&["acl", group, &project])?;
    assert_eq!(native(&format!("/v1/grants?to=group:{group}"))?["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[test]
fn a_key_that_was_used_or_that_somebody_else_issued_stays() -> Result<()> {
    let scene = Scene::embedded()?;
    let (base, owner) = (scene.writes.base(), scene.writes.owner_key.as_str());
    let token = id(&scene.post("/v1/tokens", &json!({"name": "bot"}))?)?;
    let body = json!({"name": "k", "service_account_id": token});
    let issue = |key: &str| ask(base, key, "POST", "/v1/service_token", &body)?.expect(200);
    let first = issue(owner)?;
    assert!(works(base, &first["key"])?, "it is used now");
    let second = issue(owner)?;
    assert!(works(base, &first["key"])?, "what is used is not lost");
    let third = ask(
        base,
        owner,
        "POST",
        "/v1/service_token",
        &json!({"name": "other", "service_account_id": token}),
    )?;
    let third = third.expect(200)?;
    let user = id(&scene.writes.init["user"])?;
    let mine = scene.post(&format!("/v1/users/{user}/keys"), &json!({"name": "mine"}))?;
    let mine = mine["secret"].as_str().context("a secret")?;
    let by_another_key = issue(mine)?;
    for key in [&second, &third, &by_another_key] {
        assert!(works(base, &key["key"])?, "{key}");
    }
    // Nobody used this one: the same request again takes it for lost.
    let (lost, found) = (issue(mine)?, issue(mine)?);
    assert!(!works(base, &lost["key"])? && works(base, &found["key"])?);
    // An account with its key in one request.
    let account = json!({"invite_users": {"service_accounts": [{"name": "both", "token_name": "k"}]}});
    let invite = || -> Result<Value> {
        let answer = ask(base, owner, "PATCH", "/v1/organization/members", &account)?.expect(200)?;
        Ok(answer["added_users"][0].clone())
    };
    let (lost, found) = (invite()?, invite()?);
    assert_eq!(lost["id"], found["id"]);
    assert!(!works(base, &lost["api_key"])? && works(base, &found["api_key"])?);
    let refused = ask(base, owner, "PATCH", "/v1/organization/members", &account)?;
    assert_eq!(refused.status, 409, "{}", refused.text_body());
    Ok(())
}
