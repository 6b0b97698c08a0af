//! Batches: all or none, in order, with references to what came before.

use serde_json::{Value, json};

use crate::given::Given;

#[tokio::test]
async fn a_whole_set_up_is_one_record() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let on = json!({"projects": {"include": [{"id": "$5.id"}, {"id": project}]}});
    let commands = json!({"commands": [
        {"method": "POST", "path": "/v1/tokens", "body": {"name": "app"}},
        {"method": "POST", "path": "/v1/groups", "body": {"name": "apps"}},
        {"method": "POST", "path": "/v1/groups/$1.id/members", "body": {"member": {"type": "token", "id": "$0.id"}}},
        {"method": "POST", "path": "/v1/tokens/$0.id/keys", "body": {"name": "costs $0.ideal"}},
        {"method": "POST", "path": "/v1/roles", "body": {"name": "r", "permissions": [{"permission": "read"}], "includes": ["Viewer"]}},
        {"method": "POST", "path": "/v1/projects", "body": {"name": "made"}},
        {"method": "POST", "path": "/v1/grants", "body": {"to": {"type": "group", "id": "$1.id"}, "role": "$4.id", "on": on}},
        {"method": "PATCH", "path": "/v1/projects/$5.id", "body": {"labels": {"token": "$0.id"}}},
        {"method": "DELETE", "path": "/v1/groups/$1.id/members/token/$0.id"},
        {"method": "DELETE", "path": "/v1/groups/$1.id/members/token/$0.id"},
        {"method": "POST", "path": "/v1/keys/$3.id/rotate", "body": {"grace_seconds": 60}},
    ]});
    let done = given.post("/v1/batch", commands).await.expect(200);
    let results = done.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 201, 201, 201, 201, 201, 200, 200, 200, 201]);
    let token = &results[0]["body"]["id"];
    assert_eq!(results[2]["body"]["member"]["id"], *token);
    assert_eq!(results[3]["body"]["name"], "costs $0.ideal", "only a whole text is a reference");
    assert_eq!(
        results[10]["body"]["replaces"], results[3]["body"]["id"],
        "a key of the same batch is rotated"
    );
    assert_eq!(results[7]["body"]["labels"]["token"], *token);
    assert_eq!(results[9], json!({"status": 200, "body": null, "unchanged": true}));
    assert_eq!(done.body["position"], done.header("grantbook-position"));
    let secret = results[3]["body"]["secret"].as_str().unwrap();
    assert_eq!(given.check(secret, "read", &project).await, (false, "denied".into()), "it was removed again");
    let audit = given.get("/v1/audit?order=desc&limit=1").await.expect(200).body;
    assert_eq!(audit["items"][0]["events"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn one_refusal_refuses_all_and_says_where() {
    let given = Given::new().await;
    let fine = json!({"method": "POST", "path": "/v1/projects", "body": {"name": "fine"}});
    let with = |command: Value| json!({"commands": [fine, command]});
    let post = |path: &str, body: Value| json!({"method": "POST", "path": path, "body": body});
    let member = json!({"member": {"type": "token", "id": "x"}});
    for (command, told, pointer) in [
        (post("/v1/projects", json!({"name": "fine"})), (409, "name_taken"), "/commands/1"),
        (post("/v1/projects", json!({"name": ""})), (400, "invalid"), "/commands/1/body/name"),
        (post("/v1/projects", json!({"nom": "x"})), (400, "invalid"), "/commands/1/body/nom"),
        (post("/v1/projects", Value::Null), (400, "invalid"), "/commands/1/body"),
        (post("/v1/groups/7/members", member.clone()), (404, "not_found"), "/commands/1/path"),
        (post("/v1/nothing", json!({})), (400, "invalid"), "/commands/1/path"),
        (post("/v1/check", json!({})), (400, "invalid"), "/commands/1/path"),
        (post("/v1/batch", json!({"commands": []})), (400, "invalid"), "/commands/1/path"),
        (post("/v1/groups/$1.id/members", member), (400, "invalid"), "/commands/1/path"),
        (post("/v1/groups", json!({"name": "$7.id"})), (400, "invalid"), "/commands/1/body"),
        (
            json!({"method": "DELETE", "path": "/v1/projects/x", "body": {}}),
            (400, "invalid"),
            "/commands/1/body",
        ),
        (json!({"method": "GET", "path": "/v1/projects"}), (400, "invalid"), "/commands/1/method"),
    ] {
        let refused = given.post("/v1/batch", with(command.clone())).await;
        assert_eq!(refused.told(), told, "{command}: {}", refused.text);
        assert_eq!(refused.text_of("pointer"), pointer, "{command}: {}", refused.text);
    }
    assert_eq!(given.get("/v1/projects").await.expect(200).body["items"], json!([]), "nothing was written");
    for commands in [json!([]), json!(vec![fine; 1001])] {
        let refused = given.post("/v1/batch", json!({"commands": commands})).await;
        assert_eq!((refused.told(), refused.text_of("pointer")), ((400, "invalid"), "/commands".into()));
    }
}
