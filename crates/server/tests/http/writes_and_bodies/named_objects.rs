//! Objects without an id of the caller's own: created, numbered, used, and found by their names.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::given::{Answer, Given};

const OBJECTS: &str = "/v1/objects";

fn experiment(project: &str, name: &str) -> Value {
    json!({"type": "experiment", "project": project, "name": name})
}

fn with(mut body: Value, member: &str, value: impl Into<Value>) -> Value {
    body[member] = value.into();
    body
}

#[tokio::test]
async fn an_object_without_an_id_gets_one_and_a_name_of_its_own() {
    let given = Given::new().await;
    let home = given.project("dev").await;
    let first = given.post(OBJECTS, experiment(&home, "run")).await.expect(201);
    assert_eq!(
        (first.body["name"].as_str(), first.body["project"].as_str()),
        (Some("run"), Some(home.as_str()))
    );
    assert_eq!(first.id().len(), 36, "an id as Grantbook makes them");
    let second = given.post(OBJECTS, with(experiment(&home, "run"), "if_taken", "number")).await.expect(201);
    assert_eq!(second.body["name"], "run-2");
    assert_ne!(first.id(), second.id());
    let used = given.post(OBJECTS, with(experiment(&home, "run-2"), "if_taken", "use")).await.expect(200);
    assert_eq!(used.body, second.body);
    assert_eq!(
        used.header("grantbook-position"),
        second.header("grantbook-position"),
        "nothing was appended"
    );
    let fresh = given.post(OBJECTS, with(experiment(&home, "new"), "if_taken", "use")).await.expect(201);
    assert_eq!(fresh.body["name"], "new");
    let taken = given.post(OBJECTS, json!({"type": "dataset", "id": first.id(), "project": home})).await;
    assert_eq!((taken.status, taken.body["pointer"].as_str()), (400, Some("/id")), "{}", taken.text);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_where_it_stands() {
    let given = Given::new().await;
    let home = given.project("dev").await;
    let run = experiment(&home, "run");
    for (body, pointer) in [
        (json!({"type": "experiment", "project": home}), "/name"),
        (with(run.clone(), "name", ""), "/name"),
        (with(run.clone(), "id", Value::Null), "/id"),
        (with(run.clone(), "if_taken", Value::Null), "/if_taken"),
        (with(run.clone(), "if_taken", "replace"), "/if_taken"),
        (with(with(run.clone(), "id", "own"), "if_taken", "use"), "/if_taken"),
        (with(run.clone(), "type", "group"), "/type"),
        (json!({"type": "experiment", "name": "run"}), "/project"),
    ] {
        let refused = given.post(OBJECTS, body.clone()).await;
        let told = (refused.status, refused.body["pointer"].as_str());
        assert_eq!(told, (400, Some(pointer)), "{body}: {}", refused.text);
    }
    let long = "n".repeat(255);
    given.post(OBJECTS, experiment(&home, &long)).await.expect(201);
    let refused = given.post(OBJECTS, experiment(&home, &long)).await;
    assert_eq!((refused.status, refused.body["pointer"].as_str()), (400, Some("/name")));
}

/// The answers to twenty requests that are under way at once.
async fn race(given: &Arc<Given>, body: &Value) -> Vec<Answer> {
    let racing = (0..20).map(|_| {
        let (given, body) = (Arc::clone(given), body.clone());
        tokio::spawn(async move { given.post(OBJECTS, body).await })
    });
    let racing: Vec<_> = racing.collect();
    let mut answers = Vec::new();
    for one in racing {
        answers.push(one.await.unwrap());
    }
    answers
}

fn ids(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().map(Answer::id).collect()
}

#[tokio::test]
async fn clients_that_race_get_a_name_each_or_the_same_object() {
    let given = Arc::new(Given::new().await);
    let home = given.project("dev").await;
    let answers = race(&given, &experiment(&home, "run")).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let names: BTreeSet<_> = answers.iter().map(|answer| answer.text_of("name")).collect();
    assert_eq!((names.len(), ids(&answers).len()), (20, 20), "{names:?}");
    let answers = race(&given, &with(experiment(&home, "one"), "if_taken", "use")).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(200), ids(&answers).len()), (1, 19, 1));
}

#[tokio::test]
async fn who_may_not_read_the_object_is_refused_as_without_the_right_to_create() {
    let given = Given::new().await;
    let home = given.project("dev").await;
    let on = json!({"object": {"type": "project", "id": home}});
    let (_, maker) = given.token_with(json!(["create"]), on.clone()).await;
    let (_, reader) = given.token_with(json!(["read"]), on).await;
    let hidden = given.post(OBJECTS, experiment(&home, "run")).await.expect(201);
    let body = with(experiment(&home, "run"), "if_taken", "use");
    let unseen = given.send(&maker, ("POST", OBJECTS), &[], &body).await.expect(403);
    let without = given.send(&reader, ("POST", OBJECTS), &[], &body).await.expect(403);
    let told = |answer: &Answer| (answer.body["code"].clone(), answer.body["detail"].clone());
    assert_eq!(told(&unseen), told(&without));
    assert!(!unseen.text.contains(&hidden.id()));
    let own = given.send(&maker, ("POST", OBJECTS), &[], &experiment(&home, "run")).await.expect(201);
    assert_eq!(own.body["name"], "run-2");
}

#[tokio::test]
async fn a_batch_and_a_plan_name_what_they_create() {
    let given = Given::new().await;
    let home = given.project("dev").await;
    let (token, _) = given.token().await;
    given.post(OBJECTS, experiment(&home, "run")).await.expect(201);
    let give = json!({"to": {"type": "token", "id": token}, "permissions": ["read"],
        "on": {"object": {"type": "experiment", "id": "$0.id", "project": home}}});
    let commands = |if_taken: &str| {
        let create = with(experiment(&home, "run"), "if_taken", if_taken);
        json!({"commands": [
            {"method": "POST", "path": OBJECTS, "body": create},
            {"method": "POST", "path": "/v1/grants", "body": give},
        ]})
    };
    let plan = given.post("/v1/plan", commands("number")).await.expect(200);
    assert_eq!(plan.body["events"].as_array().unwrap().len(), 2, "{}", plan.text);
    let made = given.post("/v1/batch", commands("number")).await.expect(200);
    let object = &made.body["results"][0]["body"];
    assert_eq!(
        (made.body["results"][0]["status"].as_u64(), object["name"].as_str()),
        (Some(201), Some("run-2"))
    );
    assert_eq!(made.body["results"][1]["body"]["on"]["object"]["id"], object["id"]);
    for path in ["/v1/plan", "/v1/batch"] {
        let refused = given.post(path, commands("use")).await;
        assert_eq!(
            refused.told(),
            (404, "not_found"),
            "the id that was not needed is nothing's: {}",
            refused.text
        );
    }
}

#[tokio::test]
async fn lists_filter_by_name_and_project() {
    let given = Given::new().await;
    let (home, other) = (given.project("dev").await, given.project("dev").await);
    for (project, id, name) in [(&home, "a", "x"), (&home, "b", "y"), (&other, "a", "x"), (&other, "x", "z")]
    {
        let body = json!({"type": "dataset", "id": id, "project": project, "name": name});
        given.post(OBJECTS, body).await.expect(201);
    }
    let nameless = json!({"type": "dataset", "id": "c", "project": home});
    given.post(OBJECTS, nameless).await.expect(201);
    for (filter, count) in [
        (String::new(), 5),
        ("&name=x".to_owned(), 2),
        ("&name=X".to_owned(), 0),
        (format!("&project={home}"), 3),
        (format!("&project={home}&name=x"), 1),
        (format!("&project={home}&name=z"), 0),
        ("&project=01890000-0000-7000-8000-000000000000".to_owned(), 0),
    ] {
        let list = given.get(&format!("{OBJECTS}?type=dataset{filter}")).await.expect(200);
        assert_eq!(list.body["items"].as_array().unwrap().len(), count, "{filter}: {}", list.text);
    }
    let refused = given.get(&format!("{OBJECTS}?type=dataset&project=home")).await;
    assert_eq!(refused.told(), (400, "invalid"));
    let page = given.get(&format!("{OBJECTS}?type=dataset&name=x&limit=1")).await.expect(200);
    let next = page.text_of("next");
    let rest = given.get(&format!("{OBJECTS}?type=dataset&name=x&limit=1&cursor={next}")).await.expect(200);
    assert_ne!(rest.body["items"][0]["project"], page.body["items"][0]["project"]);
    let elsewhere = given.get(&format!("{OBJECTS}?type=dataset&name=y&cursor={next}")).await;
    assert_eq!(elsewhere.status, 400, "the cursor of another list");
}
