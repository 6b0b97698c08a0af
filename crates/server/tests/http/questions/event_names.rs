//! Filters by names of events: several at once, and an unknown name is an error that offers the nearest.

use serde_json::{Value, json};

use crate::given::Given;

#[tokio::test]
async fn several_names_find_the_records_with_any_of_them() {
    let given = Given::new().await;
    let (token, _) = given.token().await;
    given.group().await;
    given.patch(&format!("/v1/tokens/{token}"), json!({"description": "x"})).await.expect(200);
    let names = async |query: &str| -> Vec<String> {
        let page = given.get(&format!("/v1/audit?{query}")).await.expect(200).body;
        let kind = |item: &Value| item["events"][0]["type"].as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(kind).collect()
    };
    assert_eq!(names("event=TokenUpdated,TokenCreated").await, ["TokenCreated", "TokenUpdated"]);
    assert_eq!(
        names("event=TokenCreated,%20KeyIssued&order=desc&limit=2").await,
        ["KeyIssued", "TokenCreated"]
    );
    assert_eq!(names("event=GroupDeleted").await, [""; 0]);
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_nearest() {
    let given = Given::with_webhooks().await;
    for (path, nearest) in [
        ("/v1/audit?event=KeyRevokd", "KeyRevoked"),
        ("/v1/audit?event=GrantCreated,keyissued", "KeyIssued"),
        ("/v1/audit?event=", ""),
        ("/v1/watch?event=AccesLost", "AccessLost"),
        ("/v1/watch?event=KeyRevoked,,", ""),
    ] {
        let refused = given.get(path).await;
        assert_eq!(refused.told(), (400, "invalid"), "{path}: {}", refused.text);
        let known = refused.body["known"].as_array().unwrap();
        assert!(!known.is_empty(), "{path}: {}", refused.text);
        assert!(nearest.is_empty() || known[0] == nearest, "{path}: {}", refused.text);
    }
    let refused = given.get("/v1/audit?event=AccessLost").await;
    assert_eq!(refused.told(), (400, "invalid"), "a change of access is in no record");
    let url = "https://hooks.example.com/";
    let body = json!({"url": url, "events": ["GrantCreated", "GrantRevokd"]});
    let refused = given.post("/v1/webhooks", body).await;
    assert_eq!(
        (&refused.body["pointer"], &refused.body["known"][0]),
        (&json!("/events/1"), &json!("GrantRevoked"))
    );
    let webhook = given.made("/v1/webhooks", json!({"url": url})).await;
    let refused = given.patch(&format!("/v1/webhooks/{webhook}"), json!({"events": ["nothing"]})).await;
    assert_eq!((refused.told(), &refused.body["pointer"]), ((400, "invalid"), &json!("/events/0")));
}
