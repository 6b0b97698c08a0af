//! What if: a plan says what its batch then does, is refused as the batch would be, and writes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::given::{Answer, Given};

#[expect(clippy::needless_pass_by_value, reason = "a request reads better with its body in it")]
fn post(path: &str, body: Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

#[expect(clippy::needless_pass_by_value, reason = "a request reads better with its body in it")]
fn engineer(to: Value, on: Value) -> Value {
    post("/v1/grants", json!({"to": to, "role": "Engineer", "on": on}))
}

/// `principal permission` for each line of a list that concerns the project, by its name.
fn on_project(list: &Value, project: &str) -> BTreeSet<String> {
    let names = |line: &Value| -> bool {
        let has = |ids: &Value| ids.as_array().unwrap().iter().any(|one| one["name"] == project);
        let ProjectsOf { only, all_but } = ProjectsOf::of(line);
        only.is_some_and(|ids| has(&ids)) || all_but.is_some_and(|ids| !has(&ids))
    };
    let of_projects = |line: &Value| match line["object_types"]["only"].as_array() {
        Some(types) => types.contains(&json!("project")),
        None => line["object_types"] == json!({"all_but": []}),
    };
    let mut words = BTreeSet::new();
    for change in list.as_array().unwrap() {
        for line in
            change["access"].as_array().unwrap().iter().filter(|line| of_projects(line) && names(line))
        {
            for permission in line["permissions"].as_array().unwrap() {
                for principal in change["principals"].as_array().unwrap() {
                    let name = principal["name"].as_str().unwrap_or("?");
                    words.insert(format!("{name} {}", permission.as_str().unwrap()));
                }
            }
        }
    }
    words
}

struct ProjectsOf {
    only: Option<Value>,
    all_but: Option<Value>,
}

impl ProjectsOf {
    fn of(entry: &Value) -> Self {
        let part = |name: &str| entry["projects"].get(name).cloned();
        Self { only: part("only"), all_but: part("all_but") }
    }
}

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

async fn head(given: &Given) -> String {
    given.get("/v1/whoami").await.expect(200).header("grantbook-position").to_owned()
}

async fn batch_at(given: &Given, position: &str, batch: &Value) -> Answer {
    let headers = [("grantbook-if-position", position)];
    given.send(&given.owner_key, ("POST", "/v1/batch"), &headers, batch).await
}

#[tokio::test]
async fn a_plan_says_what_its_batch_does_and_writes_nothing() {
    let given = Given::new().await;
    let all = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let old = given.made("/v1/projects", json!({"name": "old"})).await;
    let (bot, key) = given.token().await;
    let batch = json!({"commands": [
        post("/v1/projects", json!({"name": "new"})),
        post("/v1/projects", json!({"name": "prod", "labels": {"env": "production"}})),
        post("/v1/groups", json!({"name": "apps"})),
        engineer(json!({"type": "group", "id": "$2.id"}), all),
        post("/v1/tokens", json!({"name": "fresh"})),
        post("/v1/groups/$2.id/members", json!({"member": {"type": "token", "id": "$4.id"}})),
        post("/v1/groups/$2.id/members", json!({"member": {"type": "token", "id": bot}})),
    ]});
    let before = head(&given).await;
    let plan = given.post("/v1/plan", batch.clone()).await.expect(200);
    assert_eq!((plan.text_of("position"), plan.header("grantbook-position")), (before.clone(), &*before));
    assert_eq!(head(&given).await, before, "nothing was written");
    assert_eq!(plan.body["records"], 1);
    assert_eq!(plan.body["lost"], json!([]));
    let bot_name = given.get(&format!("/v1/tokens/{bot}")).await.text_of("name");
    let four = |name: &str| ["create", "read", "update", "delete"].map(|verb| format!("{name} {verb}"));
    let both: BTreeSet<_> = four("fresh").into_iter().chain(four(&bot_name)).collect();
    let owner = "ada@example.com";
    let gained = |project: &str| on_project(&plan.body["gained"], project);
    assert_eq!(gained("old"), both, "the owner had it all");
    assert!(gained("new").is_superset(&both) && gained("new").contains(&format!("{owner} delegate")));
    assert!(gained("prod").is_disjoint(&both));
    assert_eq!(plan.body["unaffected"], 0);

    let done = batch_at(&given, &before, &batch).await.expect(200);
    let new = done.body["results"][0]["body"]["id"].as_str().unwrap().to_owned();
    for (project, allowed) in [(&old, true), (&new, true)] {
        assert_eq!(given.check(&key, "update", project).await.0, allowed);
    }
    let audit = given.get("/v1/audit?order=desc&limit=1").await.expect(200).body;
    let types = |events: &Value| -> Vec<Value> {
        events.as_array().unwrap().iter().map(|event| event["type"].clone()).collect()
    };
    assert_eq!(types(&plan.body["events"]), types(&audit["items"][0]["events"]));

    let lose = json!({"commands": [
        {"method": "DELETE", "path": format!("/v1/groups/{}/members/token/{bot}", done.body["results"][2]["body"]["id"].as_str().unwrap())},
        {"method": "DELETE", "path": format!("/v1/projects/{old}")},
    ]});
    let plan = given.post("/v1/plan", lose).await.expect(200).body;
    assert_eq!(plan["gained"], json!([]));
    assert!(on_project(&plan["lost"], "new").is_superset(&words(&[&format!("{bot_name} update")])));
    assert!(on_project(&plan["lost"], "old").contains(&format!("{owner} read")));
    assert!(!on_project(&plan["lost"], "new").contains("fresh update"));
}

#[tokio::test]
async fn what_changes_nothing_is_no_record() {
    let given = Given::new().await;
    let (token, _) = given.token().await;
    let group = given.group().await;
    given.join(&group, &token).await;
    let again =
        post(&format!("/v1/groups/{group}/members"), json!({"member": {"type": "token", "id": token}}));
    let plan = given.post("/v1/plan", json!({"commands": [again]})).await.expect(200).body;
    assert_eq!(plan["position"], head(&given).await);
    assert_eq!((&plan["records"], &plan["events"], &plan["gained"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(plan["unaffected"], 2);
}

#[tokio::test]
async fn a_plan_is_refused_as_its_batch_would_be() {
    let given = Given::new().await;
    let on = json!({"organization": true});
    let (_, watcher) = given.token_with(json!(["read_acls"]), on.clone()).await;
    let fine = post("/v1/projects", json!({"name": "fine"}));
    let ghost = "01900000-0000-7000-8000-000000000000";
    for command in [
        post("/v1/projects", json!({"name": "fine"})),
        post("/v1/projects", json!({"nom": "x"})),
        post("/v1/nothing", json!({})),
        post("/v1/groups", json!({"name": "$7.id"})),
        post(&format!("/v1/groups/{ghost}/members"), json!({"member": {"type": "token", "id": ghost}})),
        json!({"method": "DELETE", "path": format!("/v1/users/{}", given.owner)}),
    ] {
        for (key, first) in [(&given.owner_key, Some(&fine)), (&watcher, None)] {
            let commands: Vec<&Value> = first.into_iter().chain([&command]).collect();
            let body = json!({"commands": commands});
            let planned = given.send(key, ("POST", "/v1/plan"), &[], &body).await;
            let written = given.send(key, ("POST", "/v1/batch"), &[], &body).await;
            assert!(planned.status >= 400, "{command}: {}", planned.text);
            assert_eq!(planned.told(), written.told(), "{command}");
            assert_eq!(planned.body["pointer"], written.body["pointer"], "{command}");
            assert_eq!(planned.body["detail"], written.body["detail"], "{command}");
        }
    }
    for body in [json!({}), json!({"commands": []}), json!({"commands": vec![fine; 1001]}), json!([])] {
        assert_eq!(given.post("/v1/plan", body).await.told(), (400, "invalid"));
    }
}

#[tokio::test]
async fn without_read_acls_a_plan_shows_nobodys_access() {
    let given = Given::new().await;
    let lists = |plan: &Answer| ["events", "gained", "lost"].map(|name| plan.body[name].clone());
    let counts =
        |plan: &Answer| ["records", "others_not_shown", "unaffected"].map(|name| plan.body[name].clone());
    let nothing = [json!([]), json!([]), json!([])];
    let everything = json!(["create", "read", "update", "delete", "create_acls", "delete_acls", "delegate"]);
    let (own, blind) = given.token_with(everything, json!({"organization": true})).await;
    let body = json!({"commands": [post("/v1/projects", json!({"name": "x"}))]});
    let plan = given.send(&blind, ("POST", "/v1/plan"), &[], &body).await.expect(200);
    assert_eq!(lists(&plan), nothing);
    assert_eq!(counts(&plan), [json!(1), json!(2), json!(0)], "the caller and the owner gain the project");
    assert!(!plan.text.contains(&given.owner) && !plan.text.contains(&own), "{}", plan.text);

    // A group excludes a project. A member who manages the group leaves it, and may not see that project.
    let hidden = given.project("production").await;
    let (group, (member, key)) = (given.group().await, given.token().await);
    let on = json!({"projects": {"include": "all", "exclude": [{"id": hidden}]}});
    let to = json!({"type": "group", "id": group});
    given.made("/v1/grants", json!({"to": to, "role": "Viewer", "on": on})).await;
    given.join(&group, &member).await;
    let (to, on) =
        (json!({"type": "token", "id": member}), json!({"object": {"type": "group", "id": group}}));
    given.made("/v1/grants", json!({"to": to, "permissions": ["read", "update"], "on": on})).await;
    let leave = json!({"method": "DELETE", "path": format!("/v1/groups/{group}/members/token/{member}")});
    let leave = json!({"commands": [leave]});
    let plan = given.send(&key, ("POST", "/v1/plan"), &[], &leave).await.expect(200);
    assert!(!plan.text.contains(&hidden), "{}", plan.text);
    assert_eq!(lists(&plan), nothing);
    assert_eq!(counts(&plan), [json!(1), json!(1), json!(0)]);

    let permissions = json!(["create", "read_acls"]);
    let (_, nameless) = given.token_with(permissions, json!({"organization": true})).await;
    let plan = given.send(&nameless, ("POST", "/v1/plan"), &[], &body).await.expect(200);
    assert!(!plan.text.contains("ada@example.com"), "without read on org_member: {}", plan.text);
    assert!(!plan.body["gained"].as_array().unwrap().is_empty());
}

/// A write that is only tried answers as a plan of it does.
#[tokio::test]
async fn a_dry_run_is_the_plan_of_one_write() {
    let given = Given::new().await;
    let (token, _) = given.token().await;
    let (group, project) = (given.group().await, given.project("production").await);
    let to = json!({"type": "group", "id": group});
    let grant = json!({"to": to, "role": "Viewer", "on": {"organization": true}});
    let dataset = json!({"type": "dataset", "id": "d", "project": project});
    given.made("/v1/grants", grant).await;
    given.post("/v1/objects", dataset).await.expect(201);
    let before = head(&given).await;
    let member = json!({"member": {"type": "token", "id": token}});
    let on = json!({"projects": {"include": "all"}});
    for (method, path, body) in [
        ("POST", format!("/v1/groups/{group}/members"), member.clone()),
        ("POST", "/v1/grants".to_owned(), json!({"to": to, "role": "Engineer", "on": on})),
        ("PATCH", format!("/v1/projects/{project}"), json!({"labels": {"env": "staging"}})),
        ("DELETE", format!("/v1/tokens/{token}"), Value::Null),
        ("DELETE", format!("/v1/objects/dataset/d?project={project}"), Value::Null),
        ("POST", "/v1/tokens".to_owned(), json!({"name": "fresh"})),
        ("DELETE", "/v1/tokens/01900000-0000-7000-8000-000000000000".to_owned(), Value::Null),
    ] {
        let sign = if path.contains('?') { '&' } else { '?' };
        let dry = format!("{path}{sign}dry_run=true");
        let headers = [("idempotency-key", "dry")];
        let tried = given.send(&given.owner_key, (method, &dry), &headers, &body).await;
        let mut command = json!({"method": method, "path": path});
        if !body.is_null() {
            command["body"] = body;
        }
        let plan = given.post("/v1/plan", json!({"commands": [command]})).await;
        assert_eq!(tried.status, plan.status, "{method} {path}: {}", tried.text);
        for told in ["position", "records", "gained", "lost", "unaffected", "code"] {
            let settled =
                |answer: &Answer| without_new(&answer.body[told].to_string(), &answer.text, "fresh");
            assert_eq!(settled(&tried), settled(&plan), "{told} of {method} {path}");
        }
        assert_eq!(head(&given).await, before, "{method} {path} was written");
    }
    // The request id is as free as it was.
    let headers = [("idempotency-key", "dry")];
    let path = format!("/v1/groups/{group}/members");
    given
        .send(&given.owner_key, ("POST", &format!("{path}?dry_run=false")), &headers, &member)
        .await
        .expect(201);

    let batch = json!({"commands": [post("/v1/projects", json!({"name": "in a batch"}))]});
    let plan = given.post("/v1/batch?dry_run=true", batch.clone()).await.expect(200);
    assert_eq!(
        (&plan.body["records"], plan.body["events"][0]["type"].as_str()),
        (&json!(1), Some("ProjectCreated"))
    );
    given.post("/v1/batch", batch).await.expect(200);
}

#[tokio::test]
async fn a_dry_run_is_asked_for_in_one_way() {
    let given = Given::new().await;
    let body = json!({"name": "x"});
    for query in ["dry_run=", "dry_run=yes", "dry_run=1", "dry_run=true&dry_run=true", "dry-run=true"] {
        let answer = given.post(&format!("/v1/projects?{query}"), body.clone()).await;
        assert_eq!(answer.told(), (400, "invalid"), "{query}: {}", answer.text);
    }
    let within = json!({"commands": [post("/v1/projects?dry_run=true", body)]});
    for path in ["/v1/batch", "/v1/plan", "/v1/plan?dry_run=true"] {
        assert_eq!(given.post(path, within.clone()).await.told(), (400, "invalid"), "{path}");
    }
    assert_eq!(given.get("/v1/projects?name=x").await.body["items"], json!([]));
    // What a node does itself has no plan. It is refused before anything is looked up.
    let webhook = "/v1/webhooks/01900000-0000-7000-8000-000000000000";
    for (action, body) in
        [("test", Value::Null), ("replay", json!({"from": "start"})), ("dead-letters/m/retry", Value::Null)]
    {
        let answer = given.post(&format!("{webhook}/{action}?dry_run=true"), body).await;
        assert_eq!(answer.told(), (400, "invalid"), "{action}: {}", answer.text);
    }
}

/// The text, with what the answer says of new things made the same in all answers.
fn without_new(text: &str, answer: &str, name: &str) -> String {
    let whole: Value = serde_json::from_str(answer).unwrap();
    let of_it = |one: &&Value| one["name"] == name;
    let events = whole["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let made = events.iter().map(|event| &event["token"]).find(of_it);
    made.and_then(|made| made["id"].as_str()).map_or_else(|| text.to_owned(), |id| text.replace(id, "new"))
}

/// Positions count through all organizations.
#[tokio::test]
async fn what_another_organization_writes_moves_nothing() {
    let (given, stranger) = Given::with_stranger().await;
    let before = head(&given).await;
    let theirs = ("POST", "/v1/projects");
    let theirs = given.send(&stranger, theirs, &[], &json!({"name": "theirs"})).await.expect(201);
    let at = theirs.header("grantbook-position").to_owned();
    assert_ne!(at, before);
    for (position, name, status) in [(&before, "one", 200), (&at, "two", 409)] {
        let batch = json!({"commands": [post("/v1/projects", json!({"name": name}))]});
        batch_at(&given, position, &batch).await.expect(status);
    }
    let theirs = ("POST", "/v1/projects");
    let theirs = given.send(&stranger, theirs, &[], &json!({"name": "theirs too"})).await.expect(201);
    let at = theirs.header("grantbook-position").to_owned();
    let batch = json!({"commands": [post("/v1/projects", json!({"name": "three"}))]});
    batch_at(&given, &at, &batch).await.expect(200);
}

#[tokio::test]
async fn a_write_may_be_bound_to_a_position() {
    let given = Given::new().await;
    let batch = json!({"commands": [post("/v1/projects", json!({"name": "one"}))]});
    let before = head(&given).await;
    batch_at(&given, &before, &batch).await.expect(200);
    let second = json!({"commands": [post("/v1/projects", json!({"name": "two"}))]});
    let refused = batch_at(&given, &before, &second).await;
    assert_eq!(refused.told(), (409, "moved"));
    assert_eq!(refused.header("grantbook-position"), head(&given).await);
    let headers = [("grantbook-if-position", before.as_str())];
    let plan = given.send(&given.owner_key, ("POST", "/v1/plan"), &headers, &second).await;
    assert_eq!(plan.told(), (409, "moved"));
    let headers = [("grantbook-if-position", before.as_str()), ("idempotency-key", "k")];
    let body = json!({"name": "three"});
    let single = given.send(&given.owner_key, ("POST", "/v1/projects"), &headers, &body).await;
    assert_eq!(single.told(), (409, "moved"), "so are single writes");
    let now = head(&given).await;
    let headers = [("grantbook-if-position", now.as_str()), ("idempotency-key", "k")];
    for replayed in [false, true] {
        let made = given.send(&given.owner_key, ("POST", "/v1/projects"), &headers, &body).await.expect(201);
        assert_eq!(
            made.header("idempotency-replayed") == "true",
            replayed,
            "the same request is answered again"
        );
    }
    for text in ["", "soon", "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(batch_at(&given, text, &second).await.told(), (400, "invalid"), "{text}");
    }
}
