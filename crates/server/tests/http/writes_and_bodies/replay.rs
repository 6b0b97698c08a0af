//! The same `Idempotency-Key` again: the same status and body, one effect, and no secret a second time.

use serde_json::{Value, json};

use crate::given::{Answer, Given};

async fn twice(given: &Given, request: (&str, &str), body: &Value) -> (Answer, Answer) {
    let id = given.name("once");
    let headers = [("idempotency-key", id.as_str())];
    let first = given.send(&given.owner_key, request, &headers, body).await;
    let second = given.send(&given.owner_key, request, &headers, body).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    (first, second)
}

/// Everything that makes, changes and ends, in an order in which each is possible.
fn writes(given: &Given, project: &str, group: &str, token: &str) -> Vec<(&'static str, String, Value)> {
    let member = json!({"type": "token", "id": token});
    let grant = json!({"to": member, "role": "Viewer", "on": {"organization": true}});
    let permissions = json!([{"permission": "read"}]);
    vec![
        ("POST", "/v1/projects".into(), json!({"name": given.name("p")})),
        ("POST", "/v1/users".into(), json!({"email": "x@example.com"})),
        ("POST", "/v1/tokens".into(), json!({"name": given.name("t")})),
        ("POST", "/v1/groups".into(), json!({"name": given.name("g")})),
        ("POST", "/v1/roles".into(), json!({"name": given.name("r"), "permissions": permissions})),
        ("POST", "/v1/grants".into(), grant),
        ("POST", "/v1/catalog".into(), json!({"permissions": ["fly"]})),
        ("POST", "/v1/objects".into(), json!({"type": "dataset", "id": "d", "project": project})),
        ("POST", format!("/v1/groups/{group}/members"), json!({"member": member})),
        ("PATCH", format!("/v1/projects/{project}"), json!({"labels": {"a": "b"}})),
        ("PATCH", format!("/v1/tokens/{token}"), json!({"description": "new"})),
        ("PATCH", format!("/v1/groups/{group}"), json!({"description": "new"})),
        ("DELETE", format!("/v1/groups/{group}/members/token/{token}"), Value::Null),
        ("DELETE", "/v1/objects/dataset/d".into(), Value::Null),
        ("DELETE", format!("/v1/groups/{group}"), Value::Null),
        ("DELETE", format!("/v1/tokens/{token}"), Value::Null),
        ("DELETE", format!("/v1/projects/{project}"), Value::Null),
    ]
}

#[tokio::test]
async fn every_write_is_answered_again_as_it_was() {
    let given = Given::new().await;
    let (project, group, token) = (given.project("dev").await, given.group().await, given.token().await.0);
    for (method, path, body) in writes(&given, &project, &group, &token) {
        let (first, second) = twice(&given, (method, &path), &body).await;
        assert!(first.status < 300, "{method} {path}: {}", first.text);
        assert_eq!((second.status, &second.text), (first.status, &first.text), "{method} {path}");
        assert_eq!(second.header("grantbook-position"), first.header("grantbook-position"));
        assert_eq!(second.header("idempotency-replayed"), "true", "{method} {path}");
    }
    let told = given.get("/v1/audit?event=ProjectCreated").await.expect(200).body;
    assert_eq!(told["items"].as_array().unwrap().len(), 2, "each had one effect");
}

#[tokio::test]
async fn a_secret_is_not_given_again() {
    let given = Given::new().await;
    let token = given.made("/v1/tokens", json!({"name": "t"})).await;
    let (issued, again) = twice(&given, ("POST", &format!("/v1/tokens/{token}/keys")), &json!({})).await;
    let rotate = format!("/v1/keys/{}/rotate", issued.id());
    let (rotated, rotated_again) = twice(&given, ("POST", &rotate), &json!({"grace_seconds": 9})).await;
    for (first, second) in [(issued, again), (rotated, rotated_again)] {
        assert_eq!((first.status, second.status), (201, 201));
        assert!(first.body["secret"].is_string() && first.body.get("secret_withheld").is_none());
        assert_eq!((&second.body["secret"], &second.body["secret_withheld"]), (&Value::Null, &json!(true)));
        let mut shown = second.body.clone();
        shown["secret"] = first.body["secret"].clone();
        shown.as_object_mut().unwrap().remove("secret_withheld");
        assert_eq!(shown, first.body, "all else is the same");
    }
}

#[tokio::test]
async fn an_id_belongs_to_one_request_and_refusals_are_decided_anew() {
    let given = Given::new().await;
    let headers = [("idempotency-key", "k")];
    let owner = given.owner_key.clone();
    let send = async |method: &str, path: &str, body: Value| {
        given.send(&owner, (method, path), &headers, &body).await
    };
    given.made("/v1/projects", json!({"name": "taken"})).await;
    let refused = send("POST", "/v1/projects", json!({"name": "taken"})).await;
    assert_eq!(refused.told(), (409, "name_taken"));
    send("POST", "/v1/projects", json!({"name": "free"})).await.expect(201);
    for (method, path, body) in
        [("POST", "/v1/projects", json!({"name": "other"})), ("POST", "/v1/groups", json!({"name": "free"}))]
    {
        assert_eq!(send(method, path, body).await.told(), (422, "idempotency_mismatch"));
    }
    let audit = given.get("/v1/audit?order=desc&limit=1").await.expect(200).body;
    assert_eq!(audit["items"][0]["request_id"], "k");
}

#[tokio::test]
async fn a_batch_is_answered_again_as_it_was() {
    let given = Given::new().await;
    let (group, token) = (given.group().await, given.token().await.0);
    let body = json!({"commands": [
        {"method": "POST", "path": format!("/v1/tokens/{token}/keys"), "body": {}},
        {"method": "PATCH", "path": format!("/v1/groups/{group}"), "body": {}},
        {"method": "POST", "path": "/v1/projects", "body": {"name": "p"}},
    ]});
    let (first, second) = twice(&given, ("POST", "/v1/batch"), &body).await;
    assert_eq!((first.status, second.status), (200, 200), "{}", first.text);
    assert!(first.body["results"][0]["body"]["secret"].is_string());
    assert_eq!(first.body["results"][1], json!({"status": 200, "body": null, "unchanged": true}));
    assert_eq!(second.body["results"][0]["body"]["secret_withheld"], true);
    assert_eq!(second.body["results"][0]["body"]["id"], first.body["results"][0]["body"]["id"]);
    assert_eq!(second.body["results"][2], first.body["results"][2]);
    assert_eq!(second.body["position"], first.body["position"]);
}
