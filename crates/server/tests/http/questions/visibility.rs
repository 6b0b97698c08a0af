//! Who sees what: without `read` a thing is not there, with `read` alone it is forbidden, lists are filtered.

use serde_json::{Value, json};

use crate::given::Given;

const GHOST: &str = "01890000-0000-7000-8000-000000000000";

/// One thing of each kind, made by the owner.
struct Things {
    project: String,
    group: String,
    role: String,
    grant: String,
    token: String,
    key: String,
}

async fn things(given: &Given) -> Things {
    let project = given.project("dev").await;
    let role = json!({"name": "r", "permissions": [{"permission": "read"}]});
    let (token, _) = given.token().await;
    let keys = given.get(&format!("/v1/tokens/{token}/keys")).await.expect(200).body;
    let on = json!({"object": {"type": "project", "id": project}});
    let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["read"], "on": on});
    let object = json!({"type": "dataset", "id": "d", "project": project});
    given.post("/v1/objects", object).await.expect(201);
    Things {
        grant: given.made("/v1/grants", grant).await,
        group: given.group().await,
        role: given.made("/v1/roles", role).await,
        key: keys["items"][0]["id"].as_str().unwrap().to_owned(),
        project,
        token,
    }
}

/// Every path with an id in it, with a body where one is needed; and the noun.
fn paths(things: &Things) -> Vec<(&'static str, String, Value)> {
    let Things { project, group, role, grant, token, key } = things;
    let user_member = format!("/v1/groups/{group}/members/token/{token}");
    vec![
        ("GET", format!("/v1/projects/{project}"), Value::Null),
        ("PATCH", format!("/v1/projects/{project}"), json!({"name": "n"})),
        ("DELETE", format!("/v1/projects/{project}"), Value::Null),
        ("GET", format!("/v1/groups/{group}"), Value::Null),
        ("GET", format!("/v1/groups/{group}/members"), Value::Null),
        ("PATCH", format!("/v1/groups/{group}"), json!({"name": "n"})),
        ("DELETE", user_member, Value::Null),
        ("DELETE", format!("/v1/groups/{group}"), Value::Null),
        ("GET", format!("/v1/roles/{role}"), Value::Null),
        ("PATCH", format!("/v1/roles/{role}"), json!({"name": "n"})),
        ("DELETE", format!("/v1/roles/{role}"), Value::Null),
        ("GET", format!("/v1/grants/{grant}"), Value::Null),
        ("DELETE", format!("/v1/grants/{grant}"), Value::Null),
        ("GET", format!("/v1/tokens/{token}"), Value::Null),
        ("GET", format!("/v1/tokens/{token}/keys"), Value::Null),
        ("PATCH", format!("/v1/tokens/{token}"), json!({"name": "n"})),
        ("POST", format!("/v1/tokens/{token}/keys"), json!({})),
        ("POST", format!("/v1/keys/{key}/rotate"), json!({"grace_seconds": 0})),
        ("DELETE", format!("/v1/keys/{key}"), Value::Null),
        ("DELETE", format!("/v1/tokens/{token}"), Value::Null),
        ("DELETE", "/v1/objects/dataset/d".into(), Value::Null),
    ]
}

#[tokio::test]
async fn without_read_a_thing_is_like_none() {
    let given = Given::new().await;
    let things = things(&given).await;
    let (_, key) = given.token().await;
    for (method, path, body) in paths(&things) {
        let hidden = given.send(&key, (method, &path), &[], &body).await;
        assert_eq!(hidden.told(), (404, "not_found"), "{method} {path}: {}", hidden.text);
        let mut ghostly = path.clone();
        for id in [&things.project, &things.group, &things.role, &things.grant, &things.key] {
            ghostly = ghostly.replace(id.as_str(), GHOST);
        }
        ghostly = ghostly.replace(&format!("tokens/{}", things.token), &format!("tokens/{GHOST}"));
        ghostly = ghostly.replace("dataset/d", "dataset/ghost");
        let absent = given.send(&key, (method, &ghostly), &[], &body).await;
        let without_request = |body: &Value| {
            let mut body = body.clone();
            body.as_object_mut().unwrap().remove("request_id");
            body
        };
        assert_eq!(without_request(&hidden.body), without_request(&absent.body), "{method} {path}");
    }
}

#[tokio::test]
async fn with_read_alone_a_thing_is_seen_and_the_rest_is_forbidden() {
    let given = Given::new().await;
    let things = things(&given).await;
    let (_, key) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    for (method, path, body) in paths(&things) {
        let answer = given.send(&key, (method, &path), &[], &body).await;
        let expected = match (method, path.as_str()) {
            // Grants are seen by `read_acls`.
            (_, path) if path.starts_with("/v1/grants") => 404,
            ("GET", path) if path.ends_with("/keys") => 403,
            ("GET", _) => 200,
            _ => 403,
        };
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text);
        if expected == 403 {
            assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
        }
    }
}

#[tokio::test]
async fn lists_show_what_may_be_read() {
    let given = Given::new().await;
    let things = things(&given).await;
    let (_, plain) = given.token().await;
    let (_, reader) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let on = json!({"object": {"type": "project", "id": things.project}});
    let (_, watcher) = given.token_with(json!(["read_acls"]), on).await;
    for (path, by_plain, by_reader, by_watcher) in [
        ("/v1/projects", 0, 1, 0),
        ("/v1/objects?type=dataset", 0, 1, 0),
        ("/v1/groups", 0, 4, 0),
        ("/v1/roles", 0, 4, 0),
        ("/v1/users", 0, 1, 0),
        ("/v1/tokens", 1, 4, 1),
        ("/v1/grants", 0, 0, 2),
    ] {
        for (who, key, expected) in
            [("plain", &plain, by_plain), ("reader", &reader, by_reader), ("watcher", &watcher, by_watcher)]
        {
            let listed = given.send(key, ("GET", path), &[], &Value::Null).await.expect(200).body;
            assert_eq!(listed["items"].as_array().unwrap().len(), expected, "{who} {path}: {listed}");
        }
    }
    let grants = given.send(&watcher, ("GET", "/v1/grants"), &[], &Value::Null).await.expect(200).body;
    assert!(grants["items"][0]["to"].get("name").is_none(), "whose name may not be read is not named");
}

#[tokio::test]
async fn questions_about_others_need_read_acls_and_reveal_nothing_without() {
    let given = Given::new().await;
    let things = things(&given).await;
    let (own, key) = given.token().await;
    let about = |principal: Value, project: &str| json!({"principal": principal, "permission": "read", "object": {"type": "project", "id": project}});
    let other = json!({"type": "token", "id": things.token});
    for path in ["/v1/check", "/v1/explain"] {
        for project in [things.project.as_str(), GHOST, "nonsense"] {
            let refused = given.send(&key, ("POST", path), &[], &about(other.clone(), project)).await;
            assert_eq!(refused.told(), (403, "forbidden"), "{path} {project}");
            assert!(!refused.text.contains(project));
        }
    }
    let oneself = json!({"type": "token", "id": own});
    let answer =
        given.send(&key, ("POST", "/v1/check"), &[], &about(oneself.clone(), GHOST)).await.expect(200);
    assert_eq!(answer.text_of("reason"), "denied");
    given
        .send(&key, ("POST", "/v1/explain"), &[], &about(oneself.clone(), &things.project))
        .await
        .expect(403);
    for (principal, project, reason) in [
        (other.clone(), things.project.as_str(), "granted"),
        (oneself, &things.project, "no_grant"),
        (other.clone(), GHOST, "unknown_object"),
        (json!({"type": "user", "id": GHOST}), &things.project, "unknown_principal"),
        (json!({"type": "user", "id": "nonsense"}), &things.project, "unknown_principal"),
    ] {
        let answer = given.post("/v1/check", about(principal.clone(), project)).await.expect(200);
        assert_eq!(answer.text_of("reason"), reason);
        let told = given.post("/v1/explain", about(principal, project)).await.expect(200);
        assert_eq!(told.text_of("reason"), reason);
        assert_eq!(told.body.get("missing").is_some(), reason != "granted");
    }
    let batch = json!({"checks": [about(json!({"type": "token", "id": own}), &things.project), about(other, &things.project)]});
    let refused = given.send(&key, ("POST", "/v1/check/batch"), &[], &batch).await;
    assert_eq!((refused.told(), refused.text_of("pointer")), ((403, "forbidden"), "/checks/1".into()));
    let answered = given.post("/v1/check/batch", batch).await.expect(200).body;
    assert_eq!(answered["results"][1], json!({"allowed": true, "reason": "granted"}));
}

#[tokio::test]
async fn to_whom_access_to_a_project_is_hidden_no_project_is_known_to_be_none() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let all = json!({"organization": true});
    let (watcher, key) = given.token_with(json!(["read_acls"]), all.clone()).await;
    let ask = |project: &str| json!({"principal": {"type": "user", "id": given.owner}, "permission": "read", "object": {"type": "project", "id": project}});
    let told = |project: &str| {
        let (body, key, given) = (ask(project), key.clone(), &given);
        async move { given.send(&key, ("POST", "/v1/check"), &[], &body).await.status }
    };
    assert_eq!((told(&project).await, told(GHOST).await), (200, 200));
    let deny = json!({"to": {"type": "token", "id": watcher}, "permissions": ["read_acls"], "effect": "deny",
        "on": {"object": {"type": "project", "id": project}}});
    given.made("/v1/grants", deny).await;
    assert_eq!((told(&project).await, told(GHOST).await), (403, 403));
    // Nor to whom it is given on the organization itself, and nothing in it.
    let (narrower, key) = given.token().await;
    let grant = json!({"to": {"type": "token", "id": narrower}, "permissions": ["read_acls"], "on": all,
        "object_type": "organization"});
    given.made("/v1/grants", grant).await;
    for project in [project.as_str(), GHOST] {
        let answer = given.send(&key, ("POST", "/v1/check"), &[], &ask(project)).await;
        assert_eq!(answer.told(), (403, "forbidden"), "{project}");
    }
}

#[tokio::test]
async fn a_check_by_key_takes_a_secret_or_an_id() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, secret) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let keys = given.get(&format!("/v1/tokens/{token}/keys")).await.expect(200).body;
    let id = keys["items"][0]["id"].as_str().unwrap().to_owned();
    let issued =
        given.post(&format!("/v1/tokens/{token}/keys"), json!({"narrow": {"permissions": ["update"]}})).await;
    let narrow = issued.expect(201);
    let mut wrong = secret.clone();
    wrong.replace_range(40..41, if &secret[40..41] == "a" { "b" } else { "a" });
    let ask = |member: Value| {
        let mut body = json!({"permission": "read", "object": {"type": "project", "id": project}});
        for (name, value) in member.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let someone = json!({"type": "user", "id": given.owner});
    for (who, reason) in [
        (json!({"key": secret}), "granted"),
        (json!({"key": id}), "granted"),
        (json!({"key": id, "principal": {"type": "token", "id": token}}), "granted"),
        (json!({"key": id, "principal": someone}), "key_mismatch"),
        (json!({"key": narrow.id()}), "key_narrowed"),
        (json!({"key": wrong}), "unknown_key"),
        (json!({"key": "gb_st_short"}), "unknown_key"),
        (json!({"key": GHOST}), "unknown_key"),
        (json!({"key": "nonsense"}), "unknown_key"),
    ] {
        let answer = given.post("/v1/check", ask(who.clone())).await.expect(200);
        assert_eq!(answer.text_of("reason"), reason, "{who}");
        let told = given.post("/v1/explain", ask(who)).await.expect(200);
        assert_eq!(told.text_of("reason"), reason);
        assert!(!told.text.contains(&secret));
    }
    given.delete(&format!("/v1/keys/{id}")).await.expect(200);
    let told = given.post("/v1/explain", ask(json!({"key": secret}))).await.expect(200).body;
    assert_eq!(told["reason"], "key_revoked");
    assert_eq!(told["missing"]["records"][0]["event"], "KeyRevoked");
}
