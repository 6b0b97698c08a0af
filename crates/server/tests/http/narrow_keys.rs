//! What a narrow key, and a session, may do beside a wide key of the same principal.

use serde_json::{Value, json};

use crate::given::Given;

/// A key of the owner that may only read one project.
async fn narrowed(given: &Given) -> (String, String) {
    let project = given.project("dev").await;
    let on = json!({"projects": {"include": [{"id": project}]}});
    let body = json!({"narrow": {"permissions": ["read"], "on": on}});
    let issued = given.post(&format!("/v1/users/{}/keys", given.owner), body).await.expect(201).body;
    (issued["id"].as_str().unwrap().to_owned(), issued["secret"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_narrow_key_lists_and_revokes_itself_and_no_other() {
    let given = Given::new().await;
    let (id, narrow) = narrowed(&given).await;
    let keys = format!("/v1/users/{}/keys", given.owner);
    let all = given.get(&keys).await.expect(200).body;
    let main = all["items"].as_array().unwrap().iter().find(|key| key["id"] != json!(id)).unwrap();
    let main = format!("/v1/keys/{}", main["id"].as_str().unwrap());
    let listed = given.send(&narrow, ("GET", &keys), &[], &Value::Null).await.expect(200).body;
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(ids, [json!(id)]);
    let ended = given.send(&narrow, ("DELETE", &main), &[], &Value::Null).await;
    assert_eq!(ended.told(), (404, "not_found"), "what it does not list is not there");
    given.get("/v1/whoami").await.expect(200);
    given.send(&narrow, ("DELETE", &format!("/v1/keys/{id}")), &[], &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_narrow_key_asks_about_its_own_account_only_as_far_as_it_reaches() {
    let given = Given::new().await;
    let (_, narrow) = narrowed(&given).await;
    let hidden = given.project("production").await;
    let keys = given.get(&format!("/v1/users/{}/keys", given.owner)).await.expect(200).body;
    let main = keys["items"].as_array().unwrap().iter().find(|key| key["narrow"].is_null()).unwrap();
    let object = json!({"type": "project", "id": hidden});
    let oneself = json!({"type": "user", "id": given.owner});
    let check = json!({"principal": oneself, "permission": "read", "object": object});
    let by_main = json!({"key": main["id"], "permission": "read", "object": object});
    let evaluation = json!({"subject": oneself, "action": {"name": "read"}, "resource": object});
    let actions = json!({"subject": oneself, "resource": object});
    let permissions = format!("/v1/permissions?principal=user:{}&object=project:{hidden}", given.owner);
    let wide = given.owner_key.clone();
    for (key, allowed) in [(&narrow, false), (&wide, true)] {
        let answer = given.send(key, ("POST", "/v1/check"), &[], &check).await.expect(200);
        let reason = if allowed { "granted" } else { "denied" };
        assert_eq!((&answer.body["allowed"], &answer.body["reason"]), (&json!(allowed), &json!(reason)));
        let answer = given.send(key, ("POST", "/v1/check"), &[], &by_main).await;
        assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{}", answer.text);
        let answer =
            given.send(key, ("POST", "/access/v1/evaluation"), &[], &evaluation).await.expect(200).body;
        assert_eq!(answer["decision"], json!(allowed));
        let answer =
            given.send(key, ("POST", "/access/v1/search/action"), &[], &actions).await.expect(200).body;
        assert_eq!(answer["results"] == json!([]), !allowed, "{answer}");
        let answer = given.send(key, ("GET", &permissions), &[], &Value::Null).await.expect(200).body;
        assert_eq!(answer["permissions"] == json!([]), !allowed, "{answer}");
    }
    // By right it asks about this account as about others.
    let on = json!({"object": {"type": "project", "id": hidden}});
    let narrow = json!({"narrow": {"permissions": ["read_acls"], "on": on}});
    let path = format!("/v1/users/{}/keys", given.owner);
    let reader = given.post(&path, narrow).await.expect(201).text_of("secret");
    for body in [&check, &by_main] {
        let answer = given.send(&reader, ("POST", "/v1/check"), &[], body).await.expect(200);
        assert_eq!(answer.text_of("reason"), "granted");
    }
}

#[tokio::test]
async fn request_ids_and_cursors_of_a_wide_key_are_not_a_narrow_ones() {
    let given = Given::new().await;
    let (_, narrow) = narrowed(&given).await;
    let body = json!({"name": "secret plans"});
    let header = [("idempotency-key", "r1")];
    let made = given.send(&given.owner_key, ("POST", "/v1/projects"), &header, &body).await.expect(201);
    let again = given.send(&given.owner_key, ("POST", "/v1/projects"), &header, &body).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    // The narrow key reads no replay; it is judged for itself, and occupies nothing.
    let refused = given.send(&narrow, ("POST", "/v1/projects"), &header, &body).await;
    assert_eq!(refused.told(), (403, "forbidden"));
    let other = json!({"name": "other"});
    let refused = given.send(&narrow, ("POST", "/v1/projects"), &header, &other).await;
    assert_eq!(refused.told(), (403, "forbidden"), "no mismatch tells that the id was used");
    let page = given.get("/v1/projects?limit=1").await.expect(200).body;
    let path = format!("/v1/projects?limit=1&cursor={}", page["next"].as_str().unwrap());
    given.get(&path).await.expect(200);
    let stolen = given.send(&narrow, ("GET", &path), &[], &Value::Null).await;
    assert_eq!(stolen.told(), (400, "invalid"));
    assert!(made.body["id"].is_string());
}

#[tokio::test]
async fn only_who_sees_all_that_a_webhook_carries_makes_one() {
    let given = Given::with_webhooks().await;
    let hook = json!({"url": "https://example.com/hook", "events": ["KeyRevoked"], "kinds": ["record"]});
    let mut keys = Vec::new();
    for permissions in
        [json!(["delegate"]), json!(["delegate", "read"]), json!(["delegate", "read", "read_acls"])]
    {
        let body = json!({"narrow": {"permissions": permissions}});
        let issued = given.post(&format!("/v1/users/{}/keys", given.owner), body).await.expect(201).body;
        keys.push(issued["secret"].as_str().unwrap().to_owned());
    }
    for key in &keys[..2] {
        let refused = given.send(key, ("POST", "/v1/webhooks"), &[], &hook).await;
        assert_eq!(refused.told(), (403, "forbidden"));
    }
    let made = given.send(&keys[2], ("POST", "/v1/webhooks"), &[], &hook).await.expect(201);
    let path = format!("/v1/webhooks/{}", made.id());
    let wider = given.send(&keys[0], ("PATCH", &path), &[], &json!({"events": ["KeyIssued"]})).await;
    assert_eq!(wider.told(), (403, "forbidden"));
    given.send(&keys[0], ("PATCH", &path), &[], &json!({"enabled": false})).await.expect(200);
    let on = given.send(&keys[0], ("PATCH", &path), &[], &json!({"enabled": true})).await;
    assert_eq!(on.told(), (403, "forbidden"));
    given.send(&keys[0], ("DELETE", &path), &[], &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_session_is_started_listed_and_ended() {
    let given = Given::new().await;
    let header = [("idempotency-key", "sign-in")];
    let started =
        given.send(&given.owner_key, ("POST", "/v1/sessions"), &header, &json!({})).await.expect(201);
    let secret = started.body["secret"].as_str().unwrap().to_owned();
    let (id, parent) = (started.id(), started.body["parent"].clone());
    assert!(started.body["expires_at"].is_string() && parent.is_string());
    let again =
        given.send(&given.owner_key, ("POST", "/v1/sessions"), &header, &json!({})).await.expect(201).body;
    assert_eq!(
        (&again["id"], &again["secret"], &again["secret_withheld"]),
        (&json!(id), &Value::Null, &json!(true))
    );
    let whoami = given.send(&secret, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(200).body;
    assert_eq!(whoami["principal"]["id"], json!(given.owner));
    given.send(&secret, ("POST", "/v1/projects"), &[], &json!({"name": "by session"})).await.expect(201);
    let nested = given.send(&secret, ("POST", "/v1/sessions"), &[], &json!({})).await;
    assert_eq!(nested.told(), (403, "wrong_credential"));
    let keys = given.get(&format!("/v1/users/{}/keys", given.owner)).await.expect(200).body;
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["id"] != json!(id)));
    let listed = given.get("/v1/sessions").await.expect(200).body;
    assert_eq!(listed["items"][0]["id"], json!(id));
    let token = given.made("/v1/tokens", json!({"name": "app"})).await;
    let key = given.post(&format!("/v1/tokens/{token}/keys"), json!({})).await.expect(201).body;
    let tokens = given.send(key["secret"].as_str().unwrap(), ("POST", "/v1/sessions"), &[], &json!({})).await;
    assert_eq!(tokens.told(), (403, "wrong_credential"));
    given.delete(&format!("/v1/sessions/{}", key["id"].as_str().unwrap())).await.expect(404);
    let ended =
        given.send(&secret, ("DELETE", &format!("/v1/sessions/{id}")), &[], &Value::Null).await.expect(200);
    assert!(ended.body["revoked_at"].is_string());
    given.send(&secret, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(401);
    assert_eq!(given.get("/v1/sessions").await.expect(200).body["items"], json!([]));
}

#[tokio::test]
async fn a_session_ends_with_its_key() {
    let given = Given::new().await;
    let issued = given.post(&format!("/v1/users/{}/keys", given.owner), json!({})).await.expect(201).body;
    let key = issued["secret"].as_str().unwrap();
    let started = given.send(key, ("POST", "/v1/sessions"), &[], &json!({})).await.expect(201).body;
    let session = started["secret"].as_str().unwrap();
    given.send(session, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(200);
    given.delete(&format!("/v1/keys/{}", issued["id"].as_str().unwrap())).await.expect(200);
    given.send(session, ("GET", "/v1/whoami"), &[], &Value::Null).await.expect(401);
    given.send(session, ("POST", "/v1/projects"), &[], &json!({"name": "p"})).await.expect(401);
}

#[tokio::test]
async fn a_key_whose_issuer_could_not_give_what_it_does_is_flagged_and_planned() {
    let given = Given::new().await;
    let lead = given.made("/v1/users", json!({"email": "lead@example.com"})).await;
    let on = json!({"organization": true});
    let to = json!({"type": "user", "id": lead});
    let permissions = json!(["read", "update"]);
    let member = json!({"to": to, "permissions": permissions, "on": on, "object_type": "org_member"});
    given.post("/v1/grants", member).await.expect(201);
    let key = given.post(&format!("/v1/users/{lead}/keys"), json!({})).await.expect(201).body;
    let key = key["secret"].as_str().unwrap().to_owned();
    let token = given.made("/v1/tokens", json!({"name": "app"})).await;
    let issued =
        given.send(&key, ("POST", &format!("/v1/tokens/{token}/keys")), &[], &json!({})).await.expect(201);
    let path = format!("/v1/tokens/{token}");
    assert_eq!(given.get(&path).await.expect(200).body.get("keys_of_concern"), None);
    let grant = json!({"to": {"type": "token", "id": token}, "role": "Engineer", "on": {"projects": {"include": "all"}}});
    let batch = json!({"commands": [{"method": "POST", "path": "/v1/grants", "body": grant}]});
    let plan = given.post("/v1/plan", batch).await.expect(200).body;
    assert_eq!(plan["keys_of_concern"][0]["key"], json!(issued.id()));
    assert_eq!(plan["keys_of_concern"][0]["issued_by"]["id"], json!(lead));
    given.post("/v1/grants", grant).await.expect(201);
    let shown = given.get(&path).await.expect(200).body;
    assert_eq!(shown["keys_of_concern"][0]["key"], json!(issued.id()));
    let access = given.get(&format!("/v1/access?principal=token:{token}")).await.expect(200).body;
    assert_eq!(access["keys_of_concern"], shown["keys_of_concern"]);
    let report = given.get("/v1/report").await.expect(200).body;
    let row = report["rows"].as_array().unwrap().iter().find(|row| row["principal"]["id"] == json!(token));
    assert_eq!(row.unwrap()["principal"]["keys_of_concern"], shown["keys_of_concern"]);
}

#[tokio::test]
async fn a_plan_warns_when_no_owner_would_have_a_key() {
    let given = Given::new().await;
    let keys = given.get(&format!("/v1/users/{}/keys", given.owner)).await.expect(200).body;
    let path = format!("/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap());
    let batch = json!({"commands": [{"method": "DELETE", "path": path}]});
    let plan = given.post("/v1/plan", batch).await.expect(200).body;
    assert_eq!(plan["warnings"][0]["code"], "no_owner_key");
}
