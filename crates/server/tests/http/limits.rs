//! Limits over HTTP: what they are, what is used of them, and what a refusal says.

use serde_json::{Value, json};

use crate::given::Given;

/// A limit, as `GET /v1/limits` gives it.
async fn limit(given: &Given, name: &str) -> Value {
    let answer = given.get("/v1/limits").await.expect(200);
    let items = answer.body["items"].as_array().unwrap();
    items.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {items:?}")).clone()
}

async fn chain(given: &Given, groups: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..groups {
        let id = given.group().await;
        if let Some(inner) = ids.last() {
            let member = json!({"member": {"type": "group", "id": inner}});
            given.post(&format!("/v1/groups/{id}/members"), member).await.expect(201);
        }
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn every_limit_is_there_with_its_value_and_its_use() {
    let given = Given::new().await;
    let answer = given.get("/v1/limits").await.expect(200);
    let names: Vec<_> = answer.body["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    assert_eq!(answer.body["position"], answer.header("grantbook-position"));
    assert_eq!(limit(&given, "patterns").await["used"], 0);
    assert_eq!(limit(&given, "command_work").await["used"], Value::Null);
    let (token, key) = given.token().await;
    let on = json!({"projects": {"include": [{"name": "a*"}, {"name": "b*c*"}, {"name": "exact"}]}});
    let grant = json!({"to": {"type": "token", "id": token}, "role": "Viewer", "on": on});
    let grant = given.post("/v1/grants", grant).await.expect(201).id();
    chain(&given, 3).await;
    for (name, value, used) in [
        ("patterns", 5_000, 2),
        ("conditions", 100_000, 3),
        ("selector_conditions", 1_000, 3),
        ("pattern_stars", 8, 2),
        ("memberships", 500, 1),
        ("nestings", 5_000, 2),
        ("group_depth", 64, 2),
        ("inclusions", 5_000, 0),
        ("role_depth", 64, 0),
    ] {
        let one = limit(&given, name).await;
        assert_eq!((&one["value"], &one["used"]), (&json!(value), &json!(used)), "{name}");
    }
    given.delete(&format!("/v1/grants/{grant}")).await.expect(200);
    assert_eq!(limit(&given, "patterns").await["used"], 0);
    let refused = given.send(&key, ("GET", "/v1/limits"), &[], &Value::Null).await;
    assert_eq!(refused.told(), (403, "forbidden"));
    let refused = given.get("/v1/limits?as_of=2020-01-01T00:00:00Z").await;
    assert_eq!(refused.told(), (400, "invalid"), "they are those of now");
}

#[tokio::test]
async fn a_refusal_says_which_limit_and_what_to_do_in_a_plan_as_in_a_write() {
    let given = Given::new().await;
    let all = chain(&given, 65).await;
    let deepest = json!({"member": {"type": "group", "id": all.last().unwrap()}});
    let (path, before) =
        (format!("/v1/groups/{}/members", given.group().await), limit(&given, "nestings").await);
    let refused = given.post(&path, deepest.clone()).await;
    assert_eq!(refused.told(), (400, "too_deep"));
    let detail = refused.text_of("detail");
    assert!(detail.starts_with("at most 64 memberships on one path"), "{detail}");
    assert!(detail.ends_with("put the group into a group further up"), "{detail}");
    let planned =
        given.post("/v1/plan", json!({"commands": [{"method": "POST", "path": path, "body": deepest}]}));
    let planned = planned.await;
    assert_eq!(planned.told(), (400, "too_deep"));
    assert_eq!(planned.body["pointer"], "/commands/0");
    assert_eq!(limit(&given, "nestings").await, before);
    let metrics = given.get("/metrics").await.text;
    let counted = "grantbook_limit_refusals_total{limit=\"group_depth\"} 1\n";
    assert!(metrics.contains(counted), "the plan is no refused command: {metrics}");
}

#[tokio::test]
async fn a_pattern_with_nine_stars_is_refused_where_it_stands() {
    let given = Given::new().await;
    let (token, _) = given.token().await;
    let on =
        json!({"projects": {"include": "all", "exclude": [{"name": "a"}, {"name": "*a*b*c*d*e*f*g*h*"}]}});
    let grant = json!({"to": {"type": "token", "id": token}, "role": "Viewer", "on": on});
    let refused = given.post("/v1/grants", grant).await;
    assert_eq!(refused.told(), (400, "invalid"));
    assert_eq!(refused.body["pointer"], "/on/projects/exclude/1/name");
}
