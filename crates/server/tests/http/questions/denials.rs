//! Every kind of denial is explained by what is behind it: the deny, the link that is over, the exclusion, the key.

use crate::given::Given;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use grantbook_journal::stamp::clock::Clock;
use grantbook_server::{endpoints, state::AppState};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn question(token: &str, project: &str) -> Value {
    json!({"principal": {"type": "token", "id": token}, "permission": "update",
        "object": {"type": "project", "id": project}})
}

/// The explanation as the owner has it in two days.
async fn later(given: &Given, body: &Value) -> Value {
    let (clock, hand) = Clock::settable(given.app.state().clock.now());
    hand.advance_ms(2 * DAY_MS);
    let router = endpoints::router(AppState { clock, ..given.app.state() });
    let request = Request::post("/v1/explain")
        .header("authorization", format!("Bearer {}", given.owner_key))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let response = router.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

fn tomorrow(given: &Given) -> String {
    given.app.state().clock.now().plus_millis(DAY_MS).to_string()
}

/// The obstacles of the only near miss.
fn obstacles(told: &Value) -> Vec<Value> {
    assert_eq!(told["reason"], "no_grant", "{told}");
    let near = told["missing"]["near"].as_array().unwrap();
    assert_eq!(near.len(), 1, "{told}");
    let found = near[0]["obstacles"].as_array().unwrap().clone();
    assert_eq!(near[0]["why"], found[0]["detail"]);
    found
}

#[tokio::test]
async fn a_membership_that_is_over_is_named_with_its_place() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token().await;
    let (inner, outer) = (given.group().await, given.group().await);
    given.join(&inner, &token).await;
    let until = tomorrow(&given);
    let member = json!({"member": {"type": "group", "id": inner}, "expires_at": until});
    given.post(&format!("/v1/groups/{outer}/members"), member).await.expect(201);
    let on = json!({"projects": {"include": "all"}});
    given
        .made("/v1/grants", json!({"to": {"type": "group", "id": outer}, "role": "Engineer", "on": on}))
        .await;
    let told = later(&given, &question(&token, &project)).await;
    let found = obstacles(&told);
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!((&one["code"], &one["about"]), (&json!("membership_expired"), &json!("/via/1")));
    assert_eq!(one["expired_at"], json!(until));
    assert_eq!(told["missing"]["near"][0]["via"][1]["group"]["id"], json!(outer));
    assert_eq!(told["missing"]["near"][0]["lacks"], "expired");
    assert!(given.post("/v1/explain", question(&token, &project)).await.body["allowed"].as_bool().unwrap());
}

#[tokio::test]
async fn a_grant_that_is_over_and_whatever_else_is_in_its_way() {
    let given = Given::new().await;
    let project = given.project("production").await;
    let (token, _) = given.token().await;
    let until = tomorrow(&given);
    let on =
        json!({"projects": {"include": "all", "exclude": [{"name": "x"}, {"label": {"env": "production"}}]}});
    let to = json!({"type": "token", "id": token});
    let body = json!({"to": to, "role": "Engineer", "on": on, "expires_at": until, "object_type": "dataset"});
    given.made("/v1/grants", body).await;
    let found = obstacles(&later(&given, &question(&token, &project)).await);
    let codes: Vec<_> = found.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["grant_expired", "object_type", "excluded"]);
    assert_eq!(found[0]["expired_at"], json!(until));
    assert_eq!(found[1]["detail"], "it gives update on other object types");
    assert_eq!(
        (&found[2]["about"], &found[2]["excluded_by"]),
        (&json!("/grant/on"), &json!([{"label": {"env": "production"}}]))
    );
    assert!(found[2]["detail"].as_str().unwrap().ends_with("is excluded: it is labelled env=production"));
}

#[tokio::test]
async fn a_scope_that_is_elsewhere_is_told_apart_from_an_exclusion() {
    let given = Given::new().await;
    let (project, other) = (given.project("dev").await, given.project("dev").await);
    let (token, _) =
        given.token_with(json!(["update"]), json!({"object": {"type": "project", "id": other}})).await;
    let found = obstacles(&given.post("/v1/explain", question(&token, &project)).await.body);
    assert_eq!((&found[0]["code"], found.len()), (&json!("not_covered"), 1));
    assert!(found[0].get("excluded_by").is_none());
}

#[tokio::test]
async fn a_deny_is_told_with_its_path_and_what_it_overrules() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token_with(json!(["update"]), json!({"organization": true})).await;
    let group = given.group().await;
    given.join(&group, &token).await;
    let on = json!({"projects": {"include": "all"}});
    let deny =
        json!({"to": {"type": "group", "id": group}, "permissions": ["update"], "on": on, "effect": "deny"});
    let deny = given.made("/v1/grants", deny).await;
    let told = given.post("/v1/explain", question(&token, &project)).await.expect(200).body;
    assert_eq!(told["reason"], "denied_by_grant");
    assert_eq!(told["denied_by"][0]["grant"]["id"], json!(deny));
    assert_eq!(told["denied_by"][0]["via"][0]["group"]["id"], json!(group));
    assert_eq!(told["denied_by"][0]["records"][1]["event"], "MemberAdded");
    assert_eq!(told["paths"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_was_revoked_or_is_narrowed_is_named_with_what_narrows_it() {
    let given = Given::new().await;
    let (project, other) = (given.project("dev").await, given.project("dev").await);
    let (token, _) = given.token_with(json!(["update", "read"]), json!({"organization": true})).await;
    let on = json!({"object": {"type": "project", "id": other}});
    for (narrow, detail) in [
        (json!({"permissions": ["read"]}), "the key is narrowed to the permissions read"),
        (json!({"permissions": ["update"], "on": on}), "the key is narrowed to project "),
    ] {
        let issued =
            given.post(&format!("/v1/tokens/{token}/keys"), json!({"narrow": narrow})).await.expect(201);
        let object = json!({"type": "project", "id": project});
        let asked = json!({"key": issued.id(), "permission": "update", "object": object});
        let told = given.post("/v1/explain", asked.clone()).await.expect(200).body;
        assert_eq!(told["reason"], "key_narrowed");
        assert!(told["missing"]["detail"].as_str().unwrap().starts_with(detail), "{told}");
        assert_eq!(told["missing"]["records"][0]["event"], "KeyIssued");
        assert_eq!(told["key"]["narrow"]["permissions"], narrow["permissions"]);
        given.delete(&format!("/v1/keys/{}", issued.id())).await.expect(200);
        let told = given.post("/v1/explain", asked).await.expect(200).body;
        assert_eq!(
            (&told["reason"], &told["missing"]["detail"]),
            (&json!("key_revoked"), &json!("the key was revoked"))
        );
        assert_eq!(told["missing"]["records"][0]["event"], "KeyRevoked");
        assert_eq!(told["missing"]["records"][0]["actor"]["name"], "ada@example.com");
    }
}

/// Carries out one remedy in an organization that is made anew for it, and asks again.
async fn mended(denied: impl AsyncFn(&Given) -> Value, index: usize) -> Option<(String, bool)> {
    let given = Given::new().await;
    let body = denied(&given).await;
    let told = given.post("/v1/explain", body.clone()).await.expect(200).body;
    assert_eq!(told["allowed"], false, "{told}");
    let remedy = told["missing"]["remedies"].get(index)?.clone();
    let past = given.get("/v1/whoami").await.expect(200).header("grantbook-position").to_owned();
    given.post("/v1/batch", json!({"commands": remedy["commands"]})).await.expect(200);
    let again = given.post("/v1/explain", body.clone()).await.expect(200).body;
    let then = given.post(&format!("/v1/explain?as_of={past}"), body).await.expect(200).body;
    assert_eq!(then["missing"]["remedies"], Value::Null, "the past is not mended");
    let allowed = again["allowed"].as_bool().unwrap();
    Some((remedy["detail"].as_str().unwrap().to_owned(), allowed))
}

async fn all_mend(denied: impl AsyncFn(&Given) -> Value) -> usize {
    let mut count = 0;
    while let Some((detail, allowed)) = mended(&denied, count).await {
        assert!(allowed, "{detail}");
        count += 1;
    }
    count
}

#[tokio::test]
async fn every_remedy_turns_the_denial_into_an_allow() {
    let nothing = all_mend(async |given| {
        let (token, _) = given.token().await;
        question(&token, &given.project("dev").await)
    });
    assert_eq!(nothing.await, 1, "a grant to the principal");

    let excluded = all_mend(async |given| {
        let (project, group) = (given.project("production").await, given.group().await);
        let (token, _) = given.token().await;
        given.join(&group, &token).await;
        let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
        let grant = json!({"to": {"type": "group", "id": group}, "role": "Engineer", "on": on});
        given.post("/v1/grants", grant).await.expect(201);
        question(&token, &project)
    });
    assert_eq!(excluded.await, 2, "a grant to the group, or to the principal");

    for also_allowed in [true, false] {
        let denied = all_mend(async |given| {
            let project = given.project("dev").await;
            let (token, _) = given.token().await;
            for effect in ["deny", "deny", "allow"] {
                let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["update"], "effect": effect,
                    "on": {"projects": {"include": "all"}}});
                if effect == "deny" || also_allowed {
                    given.post("/v1/grants", grant).await.expect(201);
                }
            }
            question(&token, &project)
        });
        assert_eq!(denied.await, 1, "both denies end");
    }

    let in_a_project = all_mend(async |given| {
        let (project, other) = (given.project("dev").await, given.project("dev").await);
        let (token, _) = given.token().await;
        for home in [&project, &other] {
            given
                .post("/v1/objects", json!({"type": "dataset", "id": "d", "project": home}))
                .await
                .expect(201);
        }
        json!({"principal": {"type": "token", "id": token}, "permission": "read",
            "object": {"type": "dataset", "id": "d", "project": other}})
    });
    assert_eq!(in_a_project.await, 1);
}

#[tokio::test]
async fn an_end_that_has_passed_is_mended_where_it_is() {
    let given = Given::new().await;
    let (project, group) = (given.project("dev").await, given.group().await);
    let (token, _) = given.token().await;
    let member = json!({"member": {"type": "token", "id": token}, "expires_at": tomorrow(&given)});
    given.post(&format!("/v1/groups/{group}/members"), member).await.expect(201);
    let grant = json!({"to": {"type": "group", "id": group}, "role": "Engineer", "on": {"projects": {"include": "all"}}});
    given.post("/v1/grants", grant).await.expect(201);
    let told = later(&given, &question(&token, &project)).await;
    let first = &told["missing"]["remedies"][0]["commands"][0];
    assert_eq!(first["path"], json!(format!("/v1/groups/{group}/members")), "{told}");
    assert_eq!(first["body"], json!({"member": {"type": "token", "id": token}, "expires_at": "never"}));
}

#[tokio::test]
async fn who_has_lost_a_key_needs_another_one() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token_with(json!(["update"]), json!({"organization": true})).await;
    let key =
        given.made(&format!("/v1/tokens/{token}/keys"), json!({"narrow": {"permissions": ["read"]}})).await;
    let body = json!({"key": key, "permission": "update", "object": {"type": "project", "id": project}});
    let told = given.post("/v1/explain", body).await.expect(200).body;
    assert_eq!(told["reason"], "key_narrowed");
    assert_eq!(
        told["missing"]["remedies"][0]["commands"][0]["path"],
        json!(format!("/v1/tokens/{token}/keys"))
    );
}
