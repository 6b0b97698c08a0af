//! What no stored text may hold: secrets of keys, and characters that nobody sees.

use serde_json::{Value, json};

use crate::given::{Answer, Given};

/// The 43 characters that are secret in a key's text.
fn bare(key: &str) -> &str {
    &key[29..72]
}

fn refused(answer: &Answer, pointer: &Value, secret: &str) {
    assert_eq!(answer.told(), (400, "invalid"), "{}", answer.text);
    assert_eq!(answer.body["pointer"], *pointer, "{}", answer.text);
    assert!(answer.text_of("detail").contains("must not contain a key"), "{}", answer.text);
    assert!(!answer.text.contains(secret), "{}", answer.text);
}

#[tokio::test]
async fn a_live_keys_bare_secret_is_stored_nowhere() {
    let given = Given::new().await;
    let (token, key) = given.token().await;
    let secret = bare(&key);
    let inside = format!("x{secret}y");
    let (group, grant) =
        (given.group().await, json!({"to": {"type": "token", "id": token}, "role": "Viewer"}));
    let with_reason = |text: &str| {
        let mut body = grant.clone();
        body["on"] = json!({"organization": true});
        body["reason"] = json!(text);
        body
    };
    let batch = json!({"commands": [{"method": "PATCH", "path": format!("/v1/groups/{group}"), "body": {"description": secret}}]});
    for (path, body, pointer) in [
        ("/v1/tokens", json!({"name": secret}), "/name"),
        ("/v1/tokens", json!({"name": "a", "description": format!("is {inside}.")}), "/description"),
        ("/v1/tokens", json!({"name": "a", "external_id": inside}), "/external_id"),
        ("/v1/projects", json!({"name": "a", "labels": {"k": secret}}), "/labels/k"),
        ("/v1/projects", json!({"name": "a", "labels": {secret: "v"}}), "/labels"),
        ("/v1/users", json!({"email": format!("{secret}@example.com")}), "/email"),
        ("/v1/grants", with_reason(&inside), "/reason"),
        ("/v1/batch", batch.clone(), "/commands/0/body/description"),
        ("/v1/plan", batch, "/commands/0/body/description"),
    ] {
        refused(&given.post(path, body).await, &json!(pointer), secret);
    }
    for header in ["idempotency-key", "grantbook-reason"] {
        let answer = given
            .send(&given.owner_key, ("POST", "/v1/tokens"), &[(header, &inside)], &json!({"name": "a"}))
            .await;
        refused(&answer, &Value::Null, secret);
    }
}

#[tokio::test]
async fn what_only_looks_like_a_secret_is_a_text() {
    let given = Given::new().await;
    let (token, key) = given.token().await;
    let other = "a".repeat(300);
    given.made("/v1/tokens", json!({"name": "long", "description": other})).await;
    // Its end makes it a text like any other; a prefix always makes it look like a key.
    let keys = given.get(&format!("/v1/tokens/{token}/keys")).await.body;
    given.delete(&format!("/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap())).await.expect(200);
    given.made("/v1/tokens", json!({"name": "ended", "description": bare(&key)})).await;
    let upper = key.to_ascii_uppercase();
    let answer = given.post("/v1/tokens", json!({"name": "a", "description": upper})).await;
    assert_eq!((answer.told(), &answer.body["pointer"]), ((400, "invalid"), &json!("/description")));
    // Each place of each text is another one.
    let text = |index: u32| {
        (0..128).map(move |part| format!("{:08x}", (index * 128 + part).wrapping_mul(2_654_435_761)))
    };
    let command = |index: u32| {
        let (name, description) = (format!("t{index}"), text(index).collect::<String>());
        json!({"method": "POST", "path": "/v1/tokens", "body": {"name": name, "description": description}})
    };
    let words = |count: u32| json!({"commands": (0..count).map(command).collect::<Vec<_>>()});
    given.post("/v1/plan", words(20)).await.expect(200);
    let answer = given.post("/v1/plan", words(200)).await;
    assert!(answer.text_of("detail").contains("split the request"), "{}", answer.text);
}

#[tokio::test]
async fn hidden_characters_and_dots_are_refused_by_name() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    for (path, body, pointer, word) in [
        ("/v1/tokens", json!({"name": "ci\u{202e}tob"}), "/name", "U+202E"),
        ("/v1/groups", json!({"name": "adm\u{200b}ins"}), "/name", "U+200B"),
        ("/v1/projects", json!({"name": "a", "labels": {"env": "prod\u{2060}"}}), "/labels/env", "U+2060"),
        ("/v1/users", json!({"email": "a\u{ad}da@example.com"}), "/email", "U+00AD"),
        ("/v1/tokens", json!({"name": "a", "external_id": "x\u{feff}"}), "/external_id", "U+FEFF"),
        ("/v1/groups", json!({"name": "a", "description": "x\u{2066}y"}), "/description", "U+2066"),
        ("/v1/objects", json!({"type": "dataset", "id": "d\u{200d}", "project": project}), "/id", "U+200D"),
        ("/v1/objects", json!({"type": "dataset", "id": "..", "project": project}), "/id", "`..`"),
        ("/v1/objects", json!({"type": "dataset", "id": ".", "project": project}), "/id", "`.`"),
        ("/v1/catalog", json!({"permissions": [".."]}), "/permissions/0", "`..`"),
    ] {
        let answer = given.post(path, body).await;
        assert_eq!(
            (answer.told(), &answer.body["pointer"]),
            ((400, "invalid"), &json!(pointer)),
            "{}",
            answer.text
        );
        assert!(answer.text_of("detail").contains(word), "{}", answer.text);
    }
    given
        .made("/v1/groups", json!({"name": "a", "description": "\u{200f}\u{5d0} \u{1f469}\u{200d}\u{1f4bb}"}))
        .await;
}
