//! The story that must always work, over HTTP.

use serde_json::{Value, json};

use crate::given::Given;

#[tokio::test]
async fn staging_works_production_is_refused_and_why_names_everything_behind_it() {
    let given = Given::new().await;
    let staging = given.made("/v1/projects", json!({"name": "staging", "labels": {"env": "staging"}})).await;
    let production =
        given.made("/v1/projects", json!({"name": "production", "labels": {"env": "production"}})).await;
    let (token, key) = given.token().await;
    let group = given.made("/v1/groups", json!({"name": "apps"})).await;
    let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let grant =
        json!({"to": {"type": "group", "id": group}, "role": "Engineer", "on": on, "reason": "the app"});
    let grant = given.made("/v1/grants", grant).await;
    given.join(&group, &token).await;

    assert_eq!(given.check(&key, "update", &staging).await, (true, "granted".into()));
    assert_eq!(given.check(&key, "update", &production).await, (false, "denied".into()));
    let later = given.project("staging").await;
    assert_eq!(given.check(&key, "update", &later).await, (true, "granted".into()));

    let why = json!({"principal": {"type": "token", "id": token}, "permission": "update",
        "object": {"type": "project", "id": staging}});
    let told = given.post("/v1/explain", why.clone()).await.expect(200).body;
    assert_eq!((&told["allowed"], &told["reason"]), (&json!(true), &json!("granted")));
    let path = &told["paths"][0];
    assert_eq!(path["grant"]["id"], json!(grant));
    assert_eq!(path["grant"]["to"]["name"], "apps");
    assert_eq!(path["role"]["name"], "Engineer");
    assert_eq!(path["via"][0]["group"]["name"], "apps");
    assert_eq!(path["matched"]["scope"], "all projects except those labelled env=production");
    let events: Vec<&str> =
        path["records"].as_array().unwrap().iter().map(|record| record["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["GrantCreated", "MemberAdded", "RoleCreated", "ProjectCreated"]);
    assert_eq!(path["records"][0]["actor"]["name"], "ada@example.com");
    assert_eq!(path["records"][0]["reason"], "the app");

    let mut why_not = why;
    why_not["object"]["id"] = json!(production);
    let told = given.post("/v1/explain", why_not).await.expect(200).body;
    assert_eq!((&told["allowed"], &told["reason"]), (&json!(false), &json!("no_grant")));
    assert_eq!(told["missing"]["near"][0]["lacks"], "scope");
    assert_eq!(told["missing"]["near"][0]["why"], "production is excluded: it is labelled env=production");

    let audit = given.get("/v1/audit?event=GrantCreated&order=desc").await.expect(200).body;
    assert_eq!(audit["items"][0]["events"][0]["grant"]["id"], json!(grant));
    assert_eq!(audit["items"][0]["actor"]["id"], json!(given.owner));

    let access = given.get(&format!("/v1/access?principal=token:{token}")).await.expect(200).body;
    let update =
        access["permissions"].as_array().unwrap().iter().find(|row| row["permission"] == "update").unwrap();
    assert_eq!(update["projects"], json!({"all_but": [{"id": production, "name": "production"}]}));

    let keys = given.get(&format!("/v1/tokens/{token}/keys")).await.expect(200).body;
    given.delete(&format!("/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap())).await.expect(200);
    let refused = given.send(&key, ("GET", "/v1/whoami"), &[], &Value::Null).await;
    assert_eq!(refused.told(), (401, "unauthenticated"));
    assert_eq!(refused.text_of("detail"), "the key was revoked");
}

#[tokio::test]
async fn whoami_names_the_caller_and_every_answer_has_a_position() {
    let given = Given::new().await;
    let answer = given.get("/v1/whoami").await.expect(200);
    assert_eq!(answer.body["principal"]["type"], "user");
    assert_eq!(answer.body["principal"]["id"], json!(given.owner));
    assert_eq!(answer.body["principal"]["name"], "ada@example.com");
    assert_eq!(answer.body["organization"], json!({"id": given.org, "name": "acme"}));
    let written = given.post("/v1/projects", json!({"name": "p"})).await.expect(201);
    let position = written.header("grantbook-position").to_owned();
    assert_ne!(position, answer.header("grantbook-position"));
    let at_least = [("grantbook-at-least", position.as_str())];
    let read =
        given.send(&given.owner_key, ("GET", "/v1/projects"), &at_least, &Value::Null).await.expect(200);
    assert_eq!(read.header("grantbook-position"), position);
    let refused = given.post("/v1/projects", json!({"name": "p"})).await;
    assert_eq!(refused.told(), (409, "name_taken"));
    assert_eq!(refused.header("grantbook-position"), position);
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_waited_for_and_foreign_ones_are_refused() {
    let given = Given::new().await;
    let installation = given.app.state().installation;
    let later = grantbook_domain::position::Position::of(1000, 0);
    let future = grantbook_server::wire::position::encode(installation, later);
    let other = grantbook_domain::id::InstallationId::from_u128(7);
    let foreign = grantbook_server::wire::position::encode(other, later);
    for (text, expected) in
        [(future.as_str(), (503, "behind")), (&foreign, (400, "invalid")), ("x", (400, "invalid"))]
    {
        let headers = [("grantbook-at-least", text)];
        let answer = given.send(&given.owner_key, ("GET", "/v1/projects"), &headers, &Value::Null).await;
        assert_eq!(answer.told(), expected);
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), "1");
            assert_eq!(answer.text_of("position"), answer.header("grantbook-position"));
        }
    }
}
