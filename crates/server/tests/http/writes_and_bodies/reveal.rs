//! What an answer about others reveals: names, grants and reasons only to those who may read them anyway, and the record
//! behind every denial.

use crate::given::Given;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use grantbook_journal::stamp::clock::Clock;
use grantbook_server::{endpoints, state::AppState};
use serde_json::{Value, json};

use tower::ServiceExt as _;

const OWNER: &str = "ada@example.com";

fn question(principal: &str, project: &str) -> Value {
    json!({"principal": {"type": "token", "id": principal}, "permission": "read",
        "object": {"type": "project", "id": project}})
}

/// A group whose name and grant begin with `hush`, with the token in it; the ids of group and grant.
async fn hidden(given: &Given, token: &str, on: Value) -> (String, String) {
    let group = given.made("/v1/groups", json!({"name": given.name("hush-group")})).await;
    given.join(&group, token).await;
    let to = json!({"type": "group", "id": group});
    let grant = json!({"to": to, "permissions": ["read"], "on": on, "reason": "hush-reason"});
    let grant = given.made("/v1/grants", grant).await;
    (group, grant)
}

#[tokio::test]
async fn explanations_show_no_grant_group_or_person_that_the_caller_may_not_see() {
    let given = Given::new().await;
    let (project, elsewhere) = (given.project("dev").await, given.project("dev").await);
    let (bot, _) = given.token().await;
    let on = |project: &str| json!({"object": {"type": "project", "id": project}});
    let (group, grant) = hidden(&given, &bot, on(&elsewhere)).await;
    let (_, watcher) = given.token_with(json!(["read_acls"]), on(&project)).await;
    let asked = question(&bot, &project);

    let told = given.send(&watcher, ("POST", "/v1/explain"), &[], &asked).await.expect(200);
    assert_eq!(told.text_of("reason"), "no_grant");
    assert_eq!(told.body["missing"]["near"], json!([]));
    assert_eq!(told.body["principal"]["id"], json!(bot));
    assert_eq!(told.body["project"], json!({"id": project, "name": ""}));
    for secret in ["hush", "project-", "token-", OWNER, &group, &grant, &elsewhere] {
        assert!(!told.text.contains(secret), "{secret}: {}", told.text);
    }
    let full = given.post("/v1/explain", asked.clone()).await.expect(200);
    assert_eq!(full.body["missing"]["near"][0]["grant"]["id"], json!(grant));
    assert_eq!((&full.body["next"], &full.body["paths_total"]), (&json!(null), &json!(0)));
    for name in ["hush-group", "hush-reason", "project-", "token-", OWNER] {
        assert!(full.text.contains(name), "{name}: {}", full.text);
    }

    let (group, grant) = hidden(&given, &bot, json!({"organization": true})).await;
    let told = given.send(&watcher, ("POST", "/v1/explain"), &[], &asked).await.expect(200);
    let path = &told.body["paths"][0];
    assert_eq!((&path["grant"]["id"], &path["via"][0]["group"]["id"]), (&json!(grant), &json!(group)));
    assert_eq!(path["records"][0]["actor"], json!({"type": "user", "id": given.owner}));
    assert_eq!(path["records"][0]["reason"], Value::Null);
    for secret in ["hush", "project-", "token-", OWNER] {
        assert!(!told.text.contains(secret), "{secret}: {}", told.text);
    }
    let full = given.post("/v1/explain", asked).await.expect(200);
    assert_eq!(full.body["paths"][0]["records"][0]["reason"], "hush-reason");
    assert_eq!(full.body["paths"][0]["records"][0]["actor"]["name"], OWNER);
}

#[tokio::test]
async fn near_misses_that_the_caller_sees_are_shown() {
    let given = Given::new().await;
    let project = given.project("production").await;
    let (bot, _) = given.token().await;
    let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let (_, grant) = hidden(&given, &bot, on).await;
    let (_, auditor) = given.token_with(json!(["read_acls"]), json!({"organization": true})).await;
    let told =
        given.send(&auditor, ("POST", "/v1/explain"), &[], &question(&bot, &project)).await.expect(200);
    let miss = &told.body["missing"]["near"][0];
    assert_eq!(miss["grant"]["id"], json!(grant));
    assert_eq!(miss["grant"]["reason"], "hush-reason");
    assert_eq!(miss["why"], format!("{project} is excluded: it is labelled env=production"));
    assert!(!told.text.contains("hush-group") && !told.text.contains(OWNER), "{}", told.text);
}

#[tokio::test]
async fn access_names_only_what_the_caller_may_read() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let on = json!({"object": {"type": "project", "id": project}});
    let (bot, _) = given.token_with(json!(["read"]), on).await;
    let (_, auditor) = given.token_with(json!(["read_acls"]), json!({"organization": true})).await;
    let path = format!("/v1/access?principal=token:{bot}");
    let told = given.send(&auditor, ("GET", &path), &[], &Value::Null).await.expect(200);
    assert_eq!(told.body["principal"], json!({"type": "token", "id": bot}));
    assert!(told.text.contains(&project), "{}", told.text);
    assert!(!told.text.contains("project-") && !told.text.contains("token-"), "{}", told.text);
    let full = given.get(&path).await.expect(200);
    assert!(full.text.contains("project-") && full.text.contains("token-"), "{}", full.text);
    let path = format!("/v1/access?principal=user:{}", given.owner);
    let told = given.send(&auditor, ("GET", &path), &[], &Value::Null).await.expect(200);
    assert!(!told.text.contains(OWNER), "{}", told.text);
}

#[tokio::test]
async fn a_key_with_the_prefix_of_the_other_kind_is_unknown() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (_, secret) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let mut forged = format!("gb_pk_{}", &secret[6..secret.len() - 6]);
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = crc32fast::hash(forged.as_bytes()) as usize;
    let mut checksum = [b'0'; 6];
    for place in checksum.iter_mut().rev() {
        *place = digits[left % 62];
        left /= 62;
    }
    forged.push_str(std::str::from_utf8(&checksum).unwrap());
    for (key, reason) in [(&secret, "granted"), (&forged, "unknown_key")] {
        let body = json!({"key": key, "permission": "read", "object": {"type": "project", "id": project}});
        for path in ["/v1/check", "/v1/explain"] {
            assert_eq!(given.post(path, body.clone()).await.expect(200).text_of("reason"), reason, "{path}");
        }
    }
}

#[tokio::test]
async fn a_denial_by_a_key_or_by_time_names_the_record_behind_it() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token_with(json!(["read"]), json!({"organization": true})).await;
    let keys = format!("/v1/tokens/{token}/keys");
    let issued = given.post(&keys, json!({"narrow": {"permissions": ["update"]}})).await.expect(201);
    let made = issued.header("grantbook-position").to_owned();
    let rotate = format!("/v1/keys/{}/rotate", issued.id());
    let rotated = given.post(&rotate, json!({"grace_seconds": 0})).await.expect(201);
    let by =
        |key: String| json!({"key": key, "permission": "read", "object": {"type": "project", "id": project}});

    let narrowed = given.post("/v1/explain", by(rotated.id())).await.expect(200).body;
    assert_eq!(narrowed["reason"], "key_narrowed");
    let record = &narrowed["missing"]["records"][0];
    assert_eq!((&record["event"], &record["position"]), (&json!("KeyIssued"), &json!(made)));

    let expired = given.post("/v1/explain", by(issued.id())).await.expect(200).body;
    assert_eq!(expired["reason"], "key_expired");
    let record = &expired["missing"]["records"][0];
    assert!(record["event"] == "KeyRotated" || record["event"] == "KeyExpired", "{record}");

    // On a clock that is set ahead, which the command side does not see: no notice is there, so it is the record that
    // set the time.
    let state = given.app.state();
    let soon = state.clock.now().plus_millis(3_600_000);
    let body = json!({"name": given.name("token"), "expires_at": soon.to_string()});
    let brief = given.made("/v1/tokens", body).await;
    let rename = json!({"description": "renamed, but not prolonged"});
    given.patch(&format!("/v1/tokens/{brief}"), rename).await;
    let (clock, hand) = Clock::settable(state.clock.now());
    let router = endpoints::router(AppState { clock, ..state });
    hand.advance_ms(3_600_000);
    let request = Request::post("/v1/explain")
        .header("authorization", format!("Bearer {}", given.owner_key))
        .header("content-type", "application/json");
    let request = request.body(Body::from(question(&brief, &project).to_string())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let told: Value =
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert_eq!(told["reason"], "inactive_principal");
    assert_eq!(told["missing"]["records"][0]["event"], "TokenCreated", "{told}");
}
