//! What ends something is refused for no text that comes beside it: each `DELETE` of the description, with each fault.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::given::Given;

/// Something of the kind that the route ends, and the path that ends it.
async fn ending(given: &Given, route: &str) -> String {
    match route {
        "/v1/grants/{id}" => {
            let (token, _) = given.token().await;
            let body =
                json!({"to": {"type": "token", "id": token}, "role": "Viewer", "on": {"organization": true}});
            format!("/v1/grants/{}", given.made("/v1/grants", body).await)
        }
        "/v1/groups/{id}" => format!("/v1/groups/{}", given.group().await),
        "/v1/groups/{id}/members/{type}/{mid}" => {
            let (group, (token, _)) = (given.group().await, given.token().await);
            given.join(&group, &token).await;
            format!("/v1/groups/{group}/members/token/{token}")
        }
        "/v1/keys/{id}" => {
            let (token, _) = given.token().await;
            let key = given.post(&format!("/v1/tokens/{token}/keys"), json!({})).await.expect(201);
            format!("/v1/keys/{}", key.id())
        }
        "/v1/objects/{type}/{id}" => {
            let (project, id) = (given.project("dev").await, given.name("d"));
            let body = json!({"type": "dataset", "id": id, "project": project});
            given.post("/v1/objects", body).await.expect(201);
            format!("/v1/objects/dataset/{id}?project={project}")
        }
        "/v1/projects/{id}" => format!("/v1/projects/{}", given.project("dev").await),
        "/v1/roles/{id}" => {
            let body = json!({"name": given.name("role"), "permissions": [{"permission": "read"}]});
            format!("/v1/roles/{}", given.made("/v1/roles", body).await)
        }
        "/v1/sessions/{id}" => {
            format!("/v1/sessions/{}", given.post("/v1/sessions", json!({})).await.expect(201).id())
        }
        "/v1/tokens/{id}" => format!("/v1/tokens/{}", given.token().await.0),
        "/v1/users/{id}" => {
            let email = format!("{}@example.com", given.name("user"));
            format!("/v1/users/{}", given.made("/v1/users", json!({"email": email})).await)
        }
        "/v1/webhooks/{id}" => {
            let body = json!({"url": "https://hooks.example.com/x", "events": ["KeyRevoked"]});
            format!("/v1/webhooks/{}", given.made("/v1/webhooks", body).await)
        }
        route => panic!("{route} ends something: say here how it is made"),
    }
}

/// Headers of which each refuses what gives something.
fn faults(secret: &str) -> Vec<Vec<(&'static str, String)>> {
    let texts = ["x".repeat(1_025), "a\u{202e}b".to_owned(), secret.to_owned(), secret[29..72].to_owned()];
    let reasons = texts.into_iter().map(|text| vec![("grantbook-reason", text)]);
    let twice = |name| vec![(name, "a".to_owned()), (name, "b".to_owned())];
    let keys =
        [String::new(), "x".repeat(129), "\u{e9}".to_owned(), secret.to_owned(), secret[29..72].to_owned()];
    let keys = keys.into_iter().map(|key| vec![("idempotency-key", key)]);
    reasons.chain(keys).chain([twice("grantbook-reason"), twice("idempotency-key")]).collect()
}

#[tokio::test]
async fn no_text_beside_it_refuses_what_ends_something() {
    let given = Given::with_webhooks().await;
    let (_, secret) = given.token().await;
    let document: Value = serde_json::from_str(&grantbook_server::endpoints::openapi_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let routes: Vec<_> = paths.iter().filter(|(_, item)| item["delete"].is_object()).collect();
    assert!(routes.len() > 10, "{routes:?}");
    for fault in faults(&secret) {
        let headers: Vec<_> = fault.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = json!({"name": given.name("token")});
        let grown = given.send(&given.owner_key, ("POST", "/v1/tokens"), &headers, &body).await;
        assert_eq!(grown.told(), (400, "invalid"), "{headers:?}: {}", grown.text);
        for (route, _) in &routes {
            let path = ending(&given, route).await;
            let ends = given.send(&given.owner_key, ("DELETE", &path), &headers, &Value::Null).await;
            assert_eq!(ends.status, 200, "{path} {headers:?}: {}", ends.text);
            let record = given.get("/v1/audit?limit=1&order=desc").await.expect(200).body["items"][0].clone();
            assert_eq!(record["position"], ends.header("grantbook-position"), "{record}");
            assert!(!record.to_string().contains(&secret[29..72]), "{record}");
            let of_reason = fault.first().is_some_and(|(name, _)| *name == "grantbook-reason");
            let reason = record["reason"].as_str().unwrap_or_default();
            assert_eq!(reason.starts_with("(left out: "), of_reason, "{record}");
        }
    }
}

/// A request id that cannot be kept is none: the same request again finds the thing ended, and changes nothing.
#[tokio::test]
async fn an_ending_that_is_sent_again_changes_nothing() {
    let given = Given::new().await;
    let group = given.group().await;
    let path = format!("/v1/groups/{group}");
    let header = [("idempotency-key", "x".repeat(200))];
    let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut positions = BTreeSet::new();
    for _ in 0..2 {
        let ended = given.send(&given.owner_key, ("DELETE", &path), &headers, &Value::Null).await.expect(200);
        assert_eq!(ended.header("idempotency-replayed"), "");
        positions.insert(ended.header("grantbook-position").to_owned());
    }
    assert_eq!(positions.len(), 1);
}

/// A shorter end is taking, too; a later one is not, of the same command.
#[tokio::test]
async fn a_shorter_end_is_taken_and_a_longer_one_refused() {
    let given = Given::new().await;
    let (token, secret) = given.token().await;
    let path = format!("/v1/tokens/{token}");
    let headers = [("grantbook-reason", secret.as_str())];
    let until = |year: &str| json!({"expires_at": format!("{year}-01-01T00:00:00Z")});
    given.send(&given.owner_key, ("PATCH", &path), &headers, &until("2090")).await.expect(200);
    let later = given.send(&given.owner_key, ("PATCH", &path), &headers, &until("2091")).await;
    assert_eq!(later.told(), (400, "invalid"));
    given.send(&given.owner_key, ("PATCH", &path), &headers, &until("2089")).await.expect(200);
}
