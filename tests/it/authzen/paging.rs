//! Pages of searches: complete, without repeats, bound to the question and the caller, and never cut quietly.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::authzen::{
    ACTIONS, RESOURCES, SUBJECTS,
    scenario::{Scenario, and, named, record, user},
};

/// Pages that are none.
pub(super) fn malformed() -> Vec<(&'static str, Value)> {
    vec![
        ("a page that is a text", json!("x")),
        ("a page that is a list", json!([1])),
        ("a negative limit", json!({"limit": -1})),
        ("a limit with a fraction", json!({"limit": 1.5})),
        ("a limit that is a text", json!({"limit": "1"})),
        ("a token that is a number", json!({"token": 7})),
        ("a token of nobody", json!({"token": "00"})),
        ("a token that is no token", json!({"token": "not a token"})),
        ("properties of a page that are a text", json!({"properties": "x"})),
    ]
}

fn subjects() -> Value {
    json!({"subject": {"type": "token"}, "action": named("read"), "resource": record("record-1")})
}

fn token(page: &Value) -> Result<String> {
    Ok(page["page"]["next_token"].as_str().context("a page says where it goes on")?.to_owned())
}

/// Further tokens that may read record-1; their ids.
fn crowd(scenario: &Scenario, count: usize) -> Result<BTreeSet<String>> {
    let mut commands = Vec::new();
    for index in 0..count {
        let made = commands.len();
        commands.push(
            json!({"method": "POST", "path": "/v1/tokens", "body": {"name": format!("crowd-{index}")}}),
        );
        let to = json!({"type": "token", "id": format!("${made}.id")});
        let grant = json!({"to": to, "permissions": ["read"], "on": {"object": record("record-1")}});
        commands.push(json!({"method": "POST", "path": "/v1/grants", "body": grant}));
    }
    let answer = scenario.server.call("POST", "/v1/batch", &json!({"commands": commands}))?;
    ensure!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
    let listed = scenario.server.call("GET", "/v1/tokens?limit=1000", &Value::Null)?.expect(200)?;
    let items = listed["items"].as_array().context("items")?;
    let ids = items.iter().filter(|item| item["name"] != "pep").filter_map(|item| item["id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

#[test]
fn pages_of_any_size_add_up_to_everything_without_repeats() -> Result<()> {
    let scenario = Scenario::set()?;
    let crowd = crowd(&scenario, 23)?;
    for limit in [1, 2, 7, 22, 23, 24, 1000, 5000] {
        let found = scenario.all(SUBJECTS, &subjects(), limit)?;
        let ids: BTreeSet<String> =
            found.iter().filter_map(|one| one["id"].as_str()).map(str::to_owned).collect();
        assert_eq!((found.len(), &ids), (23, &crowd), "limit {limit}");
    }
    let users = and(subjects(), &json!({"subject": {"type": "user"}}));
    assert_eq!(scenario.all(SUBJECTS, &users, 1)?.len(), 3, "ada, alice and bob, and none of the tokens");
    let records = json!({"subject": user("alice"), "action": named("read"), "resource": {"type": "record"}});
    assert_eq!(scenario.all(RESOURCES, &records, 1)?, [record("record-1"), record("record-2")]);
    let actions = json!({"subject": user("alice"), "resource": record("record-1")});
    assert_eq!(scenario.all(ACTIONS, &actions, 1)?, [named("read"), named("write")]);
    Ok(())
}

#[test]
fn a_page_comes_first_and_says_where_it_goes_on() -> Result<()> {
    let scenario = Scenario::set()?;
    crowd(&scenario, 3)?;
    let first = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"limit": 2}})))?;
    assert!(first.body.starts_with(b"{\"page\":{"), "{}", String::from_utf8_lossy(&first.body));
    let first = first.expect(200)?;
    let last =
        scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"token": token(&first)?}})))?.expect(200)?;
    assert_eq!(last["page"], json!({"next_token": ""}), "the end, with the limit of the first page");
    let whole = scenario.ask(SUBJECTS, &subjects())?.expect(200)?;
    assert!(whole.get("page").is_none() && whole["results"].as_array().is_some_and(|all| all.len() == 3));
    let nothing = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"limit": 0}})))?.expect(200)?;
    assert_eq!(nothing["results"], json!([]));
    let there = token(&nothing)?;
    assert!(!there.is_empty(), "nothing was given, and there is more");
    let same = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"token": there}})))?.expect(200)?;
    assert!(same["results"] == json!([]) && !token(&same)?.is_empty(), "its limit is that of the first page");
    let absent = and(subjects(), &json!({"action": named("fly"), "page": {"limit": 0}}));
    assert_eq!(token(&scenario.ask(SUBJECTS, &absent)?.expect(200)?)?, "", "of nothing there is no more");
    Ok(())
}

#[test]
fn a_token_is_for_its_own_question_its_own_caller_and_its_own_time() -> Result<()> {
    let scenario = Scenario::set()?;
    crowd(&scenario, 5)?;
    let first = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"limit": 2}})))?.expect(200)?;
    let token = token(&first)?;
    let with = |body: Value, page: Value| and(body, &json!({"page": page}));
    let good = with(subjects(), json!({"token": token}));
    let mut touched = token.clone();
    let flipped = if touched.ends_with('0') { "1" } else { "0" };
    touched.replace_range(touched.len() - 1.., flipped);
    for (what, path, body) in [
        ("another action", SUBJECTS, and(good.clone(), &json!({"action": named("write")}))),
        ("another resource", SUBJECTS, and(good.clone(), &json!({"resource": record("record-2")}))),
        ("another type", SUBJECTS, and(good.clone(), &json!({"subject": {"type": "user"}}))),
        ("a context", SUBJECTS, and(good.clone(), &json!({"context": {}}))),
        ("another limit", SUBJECTS, with(subjects(), json!({"token": token, "limit": 3}))),
        ("touched", SUBJECTS, with(subjects(), json!({"token": touched}))),
        ("cut", SUBJECTS, with(subjects(), json!({"token": token.split_at(token.len() - 2).0}))),
        ("in capitals", SUBJECTS, with(subjects(), json!({"token": token.to_uppercase()}))),
        (
            "another search",
            RESOURCES,
            with(
                json!({"subject": user("alice"), "action": named("read"), "resource": {"type": "record"}}),
                json!({"token": token}),
            ),
        ),
        (
            "another search",
            ACTIONS,
            with(json!({"subject": user("alice"), "resource": record("record-1")}), json!({"token": token})),
        ),
    ] {
        let reply = scenario.ask(path, &body)?;
        assert_eq!((reply.status, reply.text("/code").as_str()), (400, "invalid"), "{what}");
    }
    let cursor = scenario.server.call("GET", &format!("/v1/projects?cursor={token}"), &Value::Null)?;
    assert_eq!(cursor.status, 400, "a token is no cursor of a list");
    assert_eq!(scenario.server.call("POST", SUBJECTS, &good)?.status, 400, "nor another caller's");
    let reordered = json!({"page": {"token": token, "limit": 2}, "resource": {"id": "record-1", "type": "record"},
        "unknown": 1, "action": {"name": "read"}, "subject": {"type": "token"}});
    assert_eq!(scenario.ask(SUBJECTS, &reordered)?.status, 200, "order and unknown members mean nothing");
    assert_eq!(scenario.ask(SUBJECTS, &good)?.status, 200);
    Ok(())
}

#[test]
fn pages_stay_as_the_first_was_while_the_organization_moves_on() -> Result<()> {
    let scenario = Scenario::set()?;
    let crowd = crowd(&scenario, 6)?;
    let mut answer = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"limit": 1}})))?.expect(200)?;
    let mut found = BTreeSet::new();
    for id in crowd.iter().rev() {
        let results = answer["results"].as_array().context("results")?;
        ensure!(results.len() == 1, "{answer}");
        found.insert(results[0]["id"].as_str().context("an id")?.to_owned());
        // Whoever is to come ends, one after the other.
        scenario.server.call("DELETE", &format!("/v1/tokens/{id}"), &Value::Null)?.expect(200)?;
        let token = token(&answer)?;
        if token.is_empty() {
            break;
        }
        answer = scenario.ask(SUBJECTS, &and(subjects(), &json!({"page": {"token": token}})))?.expect(200)?;
    }
    assert_eq!(found, crowd);
    assert!(scenario.all(SUBJECTS, &subjects(), 1000)?.is_empty(), "and now there is nobody");
    Ok(())
}

#[test]
fn more_than_a_thousand_results_are_never_cut_quietly() -> Result<()> {
    let scenario = Scenario::set()?;
    let register = |from: usize, to: usize| -> Result<()> {
        let one = |index| json!({"method": "POST", "path": "/v1/objects", "body": record(&format!("many-{index}"))});
        let commands: Vec<_> = (from..to).map(one).collect();
        scenario.server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200).map(drop)
    };
    register(0, 700)?;
    register(700, 1003)?;
    let owner = json!({"type": "user", "id": scenario.server.init["user"]["id"]});
    let body = json!({"subject": owner, "action": named("read"), "resource": {"type": "record"}});
    let first = scenario.ask(RESOURCES, &body)?.expect(200)?;
    assert_eq!(first["results"].as_array().map(Vec::len), Some(1000));
    let rest =
        scenario.ask(RESOURCES, &and(body, &json!({"page": {"token": token(&first)?}})))?.expect(200)?;
    assert_eq!(rest["results"].as_array().map(Vec::len), Some(5));
    assert_eq!(token(&rest)?, "");
    Ok(())
}
