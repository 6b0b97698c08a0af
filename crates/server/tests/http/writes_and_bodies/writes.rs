//! Every write: made 201, changed 200, ended 200 and again 200, found as wanted 200.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo, http::Request};
use serde_json::{Value, json};

use crate::given::Given;

const GHOST: &str = "01890000-0000-7000-8000-000000000000";

/// What a plain noun goes through.
struct Noun {
    name: &'static str,
    make: Value,
    change: Value,
    changed: Value,
    ended: &'static str,
}

fn nouns() -> Vec<Noun> {
    let noun = |name, make, change: Value, changed: Option<Value>, ended| {
        let changed = changed.unwrap_or_else(|| change.clone());
        Noun { name, make, change, changed, ended }
    };
    vec![
        noun(
            "projects",
            json!({"name": "a", "labels": {"x": "1"}}),
            json!({"labels": {"y": "2"}}),
            None,
            "deleted_at",
        ),
        noun(
            "users",
            json!({"email": "Bob@Example.com", "name": "Bob"}),
            json!({"name": null}),
            None,
            "deactivated_at",
        ),
        noun(
            "tokens",
            json!({"name": "a", "description": "d", "external_id": "e", "expires_at": "2090-01-01T00:00:00+01:00"}),
            json!({"description": null, "expires_at": "never"}),
            Some(json!({"description": null, "expires_at": null})),
            "deleted_at",
        ),
        noun("groups", json!({"name": "a", "description": "d"}), json!({"name": "b"}), None, "deleted_at"),
        noun(
            "roles",
            json!({"name": "a", "permissions": [{"permission": "read"}], "includes": []}),
            json!({"permissions": [{"permission": "update", "object_type": "dataset"}]}),
            None,
            "deleted_at",
        ),
    ]
}

/// What a read says, but for the state: answers to writes leave it out.
async fn read(given: &Given, path: &str) -> Value {
    let mut body = given.get(path).await.expect(200).body;
    body.as_object_mut().unwrap().remove("state");
    body
}

#[tokio::test]
async fn a_thing_is_made_changed_and_ended() {
    let given = Given::new().await;
    for noun in nouns() {
        let all = format!("/v1/{}", noun.name);
        let made = given.post(&all, noun.make).await.expect(201);
        let one = format!("{all}/{}", made.id());
        assert_eq!(read(&given, &one).await, made.body);
        let changed = given.patch(&one, noun.change.clone()).await.expect(200);
        for (member, value) in noun.changed.as_object().unwrap() {
            assert_eq!(changed.body[member], *value, "{}", changed.text);
        }
        let again = given.patch(&one, noun.change).await.expect(200);
        assert_eq!(again.body, changed.body);
        assert_eq!(
            again.header("grantbook-position"),
            changed.header("grantbook-position"),
            "nothing was appended"
        );
        assert_eq!(read(&given, &one).await, changed.body);
        let ended = given.delete(&one).await.expect(200);
        assert!(ended.body[noun.ended].is_string(), "{}", ended.text);
        let again = given.delete(&one).await.expect(200);
        assert_eq!(
            (&again.body, again.header("grantbook-position")),
            (&ended.body, ended.header("grantbook-position"))
        );
        assert_eq!(given.get(&one).await.told(), (404, "not_found"));
        assert_eq!(given.patch(&one, json!({})).await.told(), (404, "not_found"));
        assert_eq!(given.delete(&format!("{all}/{GHOST}")).await.told(), (404, "not_found"));
        assert_eq!(given.delete(&format!("{all}/7")).await.told(), (404, "not_found"));
    }
}

#[tokio::test]
async fn a_key_is_shown_once() {
    let given = Given::new().await;
    let token = given.made("/v1/tokens", json!({"name": "t"})).await;
    let keys = format!("/v1/tokens/{token}/keys");
    let narrow = json!({"permissions": ["read"], "on": {"projects": {"include": [{"name": "web-*"}]}}});
    let issued = given.post(&keys, json!({"name": "first", "narrow": narrow})).await.expect(201);
    let secret = issued.text_of("secret");
    assert!(
        secret.starts_with("gb_st_") && secret.starts_with(issued.text_of("preview").trim_end_matches("..."))
    );
    assert_eq!(issued.body["narrow"], narrow);
    let listed = given.get(&keys).await.expect(200);
    assert_eq!(listed.body["items"][0]["id"], issued.body["id"]);
    assert_eq!(listed.body["items"][0]["principal"]["name"], "t");
    assert!(!listed.text.contains("secret") && !listed.text.contains(&secret));

    let rotate = format!("/v1/keys/{}/rotate", issued.id());
    let rotated = given.post(&rotate, json!({"grace_seconds": 60})).await.expect(201);
    assert_eq!(rotated.body["replaces"], issued.body["id"]);
    assert_eq!(rotated.body["narrow"], narrow);
    assert!(rotated.body["old_valid_until"].is_string());
    let me = |key: String| async move { key };
    for key in [me(secret.clone()).await, rotated.text_of("secret")] {
        given.send(&key, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(200);
    }
    let revoke = format!("/v1/keys/{}", issued.id());
    let revoked = given.delete(&revoke).await.expect(200);
    assert!(revoked.body["revoked_at"].is_string() && revoked.body.get("secret").is_none());
    assert_eq!(given.delete(&revoke).await.expect(200).body, revoked.body);
    assert_eq!(given.post(&rotate, json!({"grace_seconds": 0})).await.told(), (409, "key_ended"));
    given.send(&secret, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(401);
    let own = given.post(&format!("/v1/users/{}/keys", given.owner), json!({})).await.expect(201);
    assert!(own.text_of("secret").starts_with("gb_pk_"));
}

#[tokio::test]
async fn a_member_is_added_replaced_found_and_removed() {
    let given = Given::new().await;
    let (group, token) = (given.group().await, given.token().await.0);
    let members = format!("/v1/groups/{group}/members");
    let plain = json!({"member": {"type": "token", "id": token}});
    let added = given.post(&members, plain.clone()).await.expect(201);
    assert_eq!(given.post(&members, plain.clone()).await.expect(200).body, added.body);
    let mut expiring = plain;
    expiring["expires_at"] = json!("2090-01-01T00:00:00Z");
    let replaced = given.post(&members, expiring.clone()).await.expect(201);
    assert_eq!(replaced.body["expires_at"], "2090-01-01T00:00:00.000Z");
    assert_eq!(given.post(&members, expiring).await.expect(200).body, replaced.body);
    let listed = given.get(&members).await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(listed["items"][0]["member"]["name"].is_string());
    let one = format!("{members}/token/{token}");
    let removed = given.delete(&one).await.expect(200);
    assert!(removed.body["removed_at"].is_string());
    assert_eq!(given.delete(&one).await.expect(200).body, removed.body);
    assert_eq!(given.delete(&format!("{members}/user/{token}")).await.told(), (404, "not_found"));
    assert_eq!(given.delete(&format!("{members}/robot/{token}")).await.told(), (404, "not_found"));
}

#[tokio::test]
async fn grants_are_new_each_time_and_revoked_for_ever() {
    let given = Given::new().await;
    let (token, project) = (given.token().await.0, given.project("dev").await);
    for (what, on) in [
        (json!({"role": "Viewer"}), json!({"organization": true})),
        (
            json!({"permissions": ["read", "update"], "effect": "deny"}),
            json!({"object": {"type": "project", "id": project}}),
        ),
        (
            json!({"permissions": ["read"], "object_type": "dataset", "expires_at": "2090-01-01T00:00:00Z"}),
            json!({"projects": {"include": [{"id": project}, {"label": {"a": "b"}}], "exclude": [{"name": "x*"}]}}),
        ),
    ] {
        let mut body = what;
        body["to"] = json!({"type": "token", "id": token});
        body["on"] = on.clone();
        let given_one = given.post("/v1/grants", body.clone()).await.expect(201);
        assert_eq!(given_one.body["on"], on);
        assert_ne!(given.post("/v1/grants", body).await.expect(201).id(), given_one.id());
        let one = format!("/v1/grants/{}", given_one.id());
        assert_eq!(given.get(&one).await.expect(200).body["on"], on);
        let revoked = given.delete(&one).await.expect(200);
        assert!(revoked.body["revoked_at"].is_string());
        assert_eq!(given.delete(&one).await.expect(200).body, revoked.body);
        assert_eq!(given.get(&one).await.told(), (404, "not_found"));
    }
    let viewer = given.get("/v1/roles/Viewer").await.expect(200).id();
    for (filter, count) in [
        (format!("to=token:{token}"), 3),
        ("role=Viewer".to_owned(), 2),
        (format!("role={viewer}&to=token:{token}"), 1),
        (format!("project={project}"), 2),
    ] {
        let listed = given.get(&format!("/v1/grants?{filter}")).await.expect(200).body;
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{filter}: {listed}");
    }
}

#[tokio::test]
async fn objects_and_the_catalog_grow() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let more = json!({"object_types": [{"name": "run", "parent": "project"}], "permissions": ["fly"]});
    let added = given.post("/v1/catalog", more.clone()).await.expect(201);
    assert_eq!(added.body, more);
    let whole = given.get("/v1/catalog").await.expect(200).body;
    assert_eq!(given.post("/v1/catalog", more).await.expect(200).body, whole);
    assert!(whole["permissions"].as_array().unwrap().contains(&json!("fly")));
    let object = json!({"type": "run", "id": "a/b c", "project": project});
    let registered = given.post("/v1/objects", object.clone()).await.expect(201);
    assert_eq!(given.post("/v1/objects", object).await.expect(200).body, registered.body);
    let listed = given.get("/v1/objects?type=run").await.expect(200).body;
    assert_eq!(listed["items"], json!([registered.body]));
    assert_eq!(given.get("/v1/objects").await.told(), (400, "invalid"));
    let removed = given.delete("/v1/objects/run/a%2Fb%20c").await.expect(200);
    assert!(removed.body["removed_at"].is_string());
    assert_eq!(given.delete("/v1/objects/run/a%2Fb%20c").await.expect(200).body, removed.body);
}

/// Two projects may use the same id for two objects.
#[tokio::test]
async fn an_object_is_meant_with_its_project() {
    let given = Given::new().await;
    let (one, other) = (given.project("one").await, given.project("other").await);
    let register =
        |project: &str| json!({"type": "dataset", "id": "d1", "project": project, "name": "reviews"});
    let first = given.post("/v1/objects", register(&one)).await.expect(201).body;
    given.post("/v1/objects", register(&other)).await.expect(201);
    assert_eq!(first["name"], "reviews");
    let path = |project: Option<&String>| match project {
        Some(project) => format!("/v1/objects/dataset/d1?project={project}"),
        None => "/v1/objects/dataset/d1".to_owned(),
    };
    let rename = json!({"name": "all reviews"});
    assert_eq!(given.patch(&path(None), rename.clone()).await.told(), (400, "ambiguous_object"));
    let renamed = given.patch(&path(Some(&one)), rename).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["project"]), (&json!("all reviews"), &json!(one)));
    let question = |project: Option<&String>| {
        let mut object = json!({"type": "dataset", "id": "d1"});
        if let Some(project) = project {
            object["project"] = json!(project);
        }
        json!({"permission": "read", "object": object})
    };
    let asked = given.post("/v1/check", question(None)).await.expect(200).body;
    assert_eq!((&asked["allowed"], &asked["reason"]), (&json!(false), &json!("ambiguous_object")));
    assert_eq!(given.post("/v1/check", question(Some(&one))).await.expect(200).body["allowed"], true);
    assert_eq!(given.delete(&path(None)).await.told(), (400, "ambiguous_object"));
    given.delete(&path(Some(&other))).await.expect(200);
    assert_eq!(given.post("/v1/check", question(None)).await.expect(200).body["allowed"], true);
    let batch = json!({"commands": [{"method": "DELETE", "path": path(Some(&one))}]});
    given.post("/v1/batch", batch).await.expect(200);
    assert_eq!(given.get("/v1/objects?type=dataset").await.expect(200).body["items"], json!([]));
    let unknown = given.delete("/v1/objects/dataset/d1?home=x").await;
    assert_eq!(unknown.told(), (400, "invalid"));
}

#[tokio::test]
async fn the_record_says_from_where_and_why() {
    let given = Given::new().await;
    let mut request = Request::post("/v1/projects")
        .header("authorization", format!("Bearer {}", given.owner_key))
        .header("content-type", "application/json")
        .header("grantbook-reason", "ticket 7, caf\u{e9}")
        .body(Body::from("{\"name\":\"p\"}"))
        .unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    given.request(request).await.expect(201);
    let audit = given.get("/v1/audit?order=desc&limit=1").await.expect(200).body;
    let item = &audit["items"][0];
    assert_eq!((&item["source_ip"], &item["reason"]), (&json!("192.0.2.7"), &json!("ticket 7, caf\u{e9}")));
    assert_eq!(item["actor"], json!({"type": "user", "id": given.owner, "name": "ada@example.com"}));
    assert_eq!(item["request_id"].as_str().unwrap().len(), 36);
    assert!(item["credential"].is_string());
}

/// An object without its project is the only one that the caller sees: what others register elsewhere changes no answer.
#[tokio::test]
async fn hidden_objects_of_the_same_id_change_no_answer() {
    let given = Given::new().await;
    let (seen, hidden) = (given.project("seen").await, given.project("hidden").await);
    let register = |project: &str| json!({"type": "dataset", "id": "d1", "project": project});
    given.post("/v1/objects", register(&seen)).await.expect(201);
    let on = json!({"projects": {"include": [{"id": seen}]}});
    let (token, key) = given.token_with(json!(["read", "read_acls"]), on).await;
    let subject = json!({"type": "token", "id": token});
    let resource = json!({"type": "dataset", "id": "d1"});
    let own = json!({"permission": "read", "object": {"type": "dataset", "id": "d1"}});
    let evaluation = json!({"subject": subject, "action": {"name": "read"}, "resource": resource});
    let questions = [
        ("POST", "/v1/check", own.clone()),
        ("POST", "/v1/check/batch", json!({"checks": [own.clone()]})),
        ("POST", "/v1/explain", own),
        ("POST", "/access/v1/evaluation", evaluation.clone()),
        ("POST", "/access/v1/evaluations", json!({"evaluations": [evaluation]})),
        ("POST", "/access/v1/search/action", json!({"subject": subject, "resource": resource})),
        (
            "POST",
            "/access/v1/search/subject",
            json!({"subject": {"type": "token"}, "action": {"name": "read"}, "resource": resource}),
        ),
        ("GET", "/v1/who-can?permission=read&object=dataset:d1", Value::Null),
        ("GET", &format!("/v1/permissions?principal=token:{token}&object=dataset:d1"), Value::Null),
    ];
    let mut before = Vec::new();
    for (method, path, body) in &questions {
        before.push(given.send(&key, (method, path), &[], body).await.expect(200).body);
    }
    assert_eq!((&before[0]["allowed"], &before[3]["decision"]), (&json!(true), &json!(true)));
    given.post("/v1/objects", register(&hidden)).await.expect(201);
    for ((method, path, body), mut before) in questions.iter().zip(before) {
        let mut after = given.send(&key, (method, path), &[], body).await.expect(200).body;
        for answer in [&mut before, &mut after] {
            if let Some(members) = answer.as_object_mut() {
                members.remove("position");
            }
        }
        assert_eq!(after, before, "{path}");
    }
}
