//! What is left out, what is blank, and what is lifted by name; and that a request accepted before is not judged again.

use crate::given::Given;
use grantbook_command::{Idempotency, Submission};
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    id::OrgId,
    principal::{Caller, Principal},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[tokio::test]
async fn what_narrows_nothing_is_no_narrowing() {
    let given = Given::new().await;
    let token = given.made("/v1/tokens", json!({"name": "t"})).await;
    let keys = format!("/v1/tokens/{token}/keys");
    for (body, pointer) in [
        (json!({"narrow": {}}), "/narrow"),
        (json!({"narrow": null}), "/narrow"),
        (json!({"narrow": {"permissions": null}}), "/narrow/permissions"),
        (json!({"narrow": {"permissions": []}}), "/narrow/permissions"),
        (json!({"narrow": {"permissions": ["read"], "on": null}}), "/narrow/on"),
        (json!({"narrow": {"permissions": ["read"], "on": {}}}), "/narrow/on"),
        (
            json!({"narrow": {"on": {"projects": {"include": "all", "exclude": null}}}}),
            "/narrow/on/projects/exclude",
        ),
        (
            json!({"narrow": {"on": {"projects": {"include": "all", "exclude": []}}}}),
            "/narrow/on/projects/exclude",
        ),
        (json!({"expires_at": null}), "/expires_at"),
        (json!({"expires_at": ""}), "/expires_at"),
    ] {
        let refused = given.post(&keys, body.clone()).await;
        assert_eq!(
            (refused.told(), &refused.body["pointer"]),
            ((400, "invalid"), &json!(pointer)),
            "{body}: {}",
            refused.text
        );
    }
    assert_eq!(given.get(&keys).await.body["items"], json!([]), "no key was issued");
    let wide = given.post(&keys, json!({"expires_at": "never"})).await.expect(201).body;
    assert_eq!((&wide["narrow"], &wide["expires_at"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn an_end_is_lifted_by_the_word_never_only() {
    let given = Given::new().await;
    let end = "2090-01-01T00:00:00.000Z";
    let token = given.made("/v1/tokens", json!({"name": "t", "expires_at": end})).await;
    let one = format!("/v1/tokens/{token}");
    assert_eq!(given.patch(&one, json!({"expires_at": null})).await.body["pointer"], "/expires_at");
    let described = given.patch(&one, json!({"description": "x"})).await.expect(200);
    assert_eq!(described.body["expires_at"], end, "what is left out is left alone");
    let cleared = given.patch(&one, json!({"description": null})).await.expect(200);
    assert_eq!(cleared.body["description"], Value::Null, "null clears an optional member");
    let lifted = given.patch(&one, json!({"expires_at": "never"})).await.expect(200);
    assert_eq!(lifted.body["expires_at"], Value::Null);
}

#[tokio::test]
async fn a_member_added_again_keeps_its_end() {
    let given = Given::new().await;
    let (group, token) = (given.group().await, given.token().await.0);
    let members = format!("/v1/groups/{group}/members");
    let end = "2090-01-01T00:00:00.000Z";
    let add = async |more: Value| {
        let mut body = json!({"member": {"type": "token", "id": token}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        given.post(&members, body).await
    };
    let shown = async || given.get(&members).await.body["items"][0]["expires_at"].clone();
    add(json!({"expires_at": end})).await.expect(201);
    add(json!({})).await.expect(200);
    assert_eq!(shown().await, end, "no end is given, so the one it has stays");
    assert_eq!(add(json!({"expires_at": null})).await.told(), (400, "invalid"));
    add(json!({"expires_at": "never"})).await.expect(201);
    assert_eq!(shown().await, Value::Null);
}

/// A record that an older build accepted, with a body and an id that are refused now.
async fn accepted_before(given: &Given, key: &str, path: &str, body: &str, command: Command) {
    let digest = Sha256::digest(format!("POST\n{path}\n{body}").as_bytes());
    let request_hash: [u8; 16] = digest[..16].try_into().unwrap();
    let commands = given.app.state().parts.commands().unwrap().clone();
    let principal = Principal::User(given.owner.parse().unwrap());
    let org: OrgId = given.org.parse().unwrap();
    let submission = Submission {
        org,
        author: Author::Caller(Caller { principal, key: None }),
        command,
        idempotency: Some(Idempotency { key: key.to_owned(), request_hash }),
        if_position: None,
        source_ip: None,
        reason: None,
        faults: grantbook_command::TextFaults::default(),
    };
    assert!(commands.submit(submission).await.unwrap().record.is_some());
}

#[tokio::test]
async fn a_request_accepted_before_is_not_judged_again() {
    let given = Given::new().await;
    let ids = given.app.state().ids.clone();
    let token = |name: &str| {
        Command::Token(TokenCommand::Create {
            id: ids.id(),
            name: name.to_owned(),
            description: None,
            external_id: None,
            expires_at: None,
        })
    };
    // Members by position, a blank end, and a request id that holds a key's form.
    let held = format!("gb_st_{}", "a".repeat(22));
    let batch = json!({"commands": [["POST", "/v1/tokens", {"name": "c"}]]});
    for (key, path, body, command) in [
        ("array", "/v1/tokens", json!(["a", null, null, null]), token("a")),
        ("blank", "/v1/tokens", json!({"expires_at": null, "name": "b"}), token("b")),
        ("batch", "/v1/batch", batch, Command::Batch(vec![token("c")])),
        (held.as_str(), "/v1/tokens", json!({"name": "d"}), token("d")),
    ] {
        let send = async |body: &Value| {
            given.send(&given.owner_key, ("POST", path), &[("idempotency-key", key)], body).await
        };
        assert_eq!(send(&body).await.told(), (400, "invalid"), "{key}: not accepted by this build");
        accepted_before(&given, key, path, &body.to_string(), command).await;
        let again = send(&body).await;
        assert!(again.status == 200 || again.status == 201, "{key}: {}", again.text);
        assert_eq!(again.header("idempotency-replayed"), "true", "{key}");
        let made = if path == "/v1/batch" { &again.body["results"][0]["body"] } else { &again.body };
        assert!(made["id"].is_string(), "{key}: {}", again.text);
        assert_eq!(send(&json!({"name": 7})).await.told(), (422, "idempotency_mismatch"), "{key}");
    }
}
