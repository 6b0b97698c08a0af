//! Everything that was ever granted, and what of it still holds: against brute force over the records.

use serde_json::{Value, json};

use crate::given::Given;

/// A small past of grants by two people: revoked, ended with their grantees and objects, selectors that lost and won
/// the project.
struct Past {
    given: Given,
    bob: String,
    bob_key: String,
    projects: Vec<String>,
}

async fn past() -> Past {
    let given = Given::new().await;
    let bob = given.made("/v1/users", json!({"email": "bob@example.com"})).await;
    let owners = given.get("/v1/groups?name=Owners").await.expect(200).body["items"][0]["id"].clone();
    let body = json!({"member": {"type": "user", "id": bob}});
    given.post(&format!("/v1/groups/{}/members", owners.as_str().unwrap()), body).await.expect(201);
    let issued = given.post(&format!("/v1/users/{bob}/keys"), json!({})).await.expect(201);
    let bob_key = issued.text_of("secret");
    let early = given.group().await;
    let everything = json!({"to": {"type": "group", "id": early}, "role": "Viewer",
        "on": {"projects": {"include": "all"}}});
    let before = given.made("/v1/grants", everything).await;
    given.delete(&format!("/v1/grants/{before}")).await.expect(200);
    let projects = vec![given.project("dev").await, given.project("production").await];
    let past = Past { given, bob, bob_key, projects };
    for key in [past.given.owner_key.clone(), past.bob_key.clone()] {
        past.grants_by(&key).await;
    }
    past
}

impl Past {
    async fn grants_by(&self, key: &str) {
        let Self { given, projects, .. } = self;
        let group = given.group().await;
        let (token, _) = given.token().await;
        let selector = |include: Value, exclude: Value| {
            let mut selector = json!({"include": include});
            if !exclude.is_null() {
                selector["exclude"] = exclude;
            }
            json!({"projects": selector})
        };
        let dataset = format!("d-{group}");
        let registered = json!({"type": "dataset", "id": dataset, "project": projects[0]});
        given.post("/v1/objects", registered).await.expect(201);
        let mut ids = Vec::new();
        for (to, on) in [
            (json!({"type": "group", "id": group}), json!({"organization": true})),
            (
                json!({"type": "group", "id": group}),
                selector(json!("all"), json!([{"label": {"env": "production"}}])),
            ),
            (
                json!({"type": "group", "id": group}),
                selector(json!([{"label": {"env": "staging"}}]), Value::Null),
            ),
            (json!({"type": "token", "id": token}), selector(json!([{"id": projects[0]}]), Value::Null)),
            (
                json!({"type": "token", "id": token}),
                json!({"object": {"type": "project", "id": projects[1]}}),
            ),
            (
                json!({"type": "group", "id": group}),
                json!({"object": {"type": "project", "id": projects[1]}}),
            ),
            (json!({"type": "group", "id": group}), json!({"object": {"type": "dataset", "id": dataset}})),
            (
                json!({"type": "group", "id": group}),
                json!({"object": {"type": "org_project", "id": given.org}}),
            ),
            (json!({"type": "group", "id": group}), selector(json!([{"name": "project-*"}]), Value::Null)),
        ] {
            let body = json!({"to": to, "permissions": ["read"], "on": on, "reason": "as agreed"});
            let made = given.send(key, ("POST", "/v1/grants"), &[], &body).await.expect(201);
            ids.push(made.id());
        }
        given.delete(&format!("/v1/grants/{}", ids[0])).await.expect(200);
        // Out of what excludes production and back, into staging and out again.
        for env in ["production", "staging", "dev"] {
            let labels = json!({"labels": {"env": env}});
            given.patch(&format!("/v1/projects/{}", projects[0]), labels).await.expect(200);
        }
        given.delete(&format!("/v1/tokens/{token}")).await.expect(200);
        given.delete(&format!("/v1/objects/dataset/{dataset}")).await.expect(200);
    }

    async fn records(&self) -> Vec<Value> {
        self.given.get("/v1/audit?limit=1000").await.expect(200).body["items"].as_array().unwrap().clone()
    }
}

/// What brute force says of one grant: its id, state, whether it holds, and the events that gave and ended it.
type Told = (String, String, bool, String, Option<String>);

/// Goes through the records for each question, and judges scopes by itself.
fn brute(records: &[Value], by: Option<&str>, project: Option<&str>) -> Vec<Told> {
    let events: Vec<(&Value, &Value)> = records
        .iter()
        .flat_map(|record| record["events"].as_array().unwrap().iter().map(move |event| (record, event)))
        .collect();
    let mut found = Vec::new();
    for (given_at, (record, event)) in events.iter().enumerate() {
        if event["type"] != "GrantCreated" || by.is_some_and(|by| record["actor"]["id"] != by) {
            continue;
        }
        let grant = &event["grant"];
        let end = events.iter().enumerate().skip(given_at).find_map(|(at, (_, event))| {
            let (kind, id) = (grant["to"]["type"].as_str().unwrap(), &grant["to"]["id"]);
            let object = &grant["on"]["object"];
            let state = match event["type"].as_str().unwrap() {
                "GrantRevoked" if event["grant"]["id"] == grant["id"] => "revoked",
                "TokenDeleted" if kind == "token" && event["token"]["id"] == *id => "grantee_ended",
                "ProjectDeleted" if event["project"]["id"] == object["id"] => "object_ended",
                "ObjectRemoved" if event["object"]["id"] == object["id"] => "object_ended",
                _ => return None,
            };
            Some((at, state))
        });
        let until = end.map_or(events.len(), |(at, _)| at);
        let mut touched = false;
        let mut now = false;
        if let Some(id) = project {
            for at in given_at..until.max(given_at) {
                let seen = covers(grant, id, &events[..=at]);
                touched |= seen;
            }
            now = covers(grant, id, &events);
            if !touched {
                continue;
            }
        }
        let ended = end.map(|(at, _)| events[at].0["position"].as_str().unwrap().to_owned());
        found.push((
            grant["id"].as_str().unwrap().to_owned(),
            end.map_or("in_force", |(_, state)| state).to_owned(),
            end.is_none() && (project.is_none() || now),
            record["position"].as_str().unwrap().to_owned(),
            ended,
        ));
    }
    found
}

/// Whether a grant reaches into a project as the events so far have it.
fn covers(grant: &Value, id: &str, events: &[(&Value, &Value)]) -> bool {
    let project = events.iter().rev().find(|(_, event)| event["project"]["id"] == id);
    let Some((_, event)) = project else { return false };
    if event["type"] == "ProjectDeleted" {
        return false;
    }
    let project = &event["project"];
    let meets = |atom: &Value| {
        let prefix = atom["name"].as_str().map(|glob| glob.trim_end_matches('*'));
        let labels = atom["label"].as_object();
        atom["id"] == id
            || prefix.is_some_and(|prefix| project["name"].as_str().unwrap().starts_with(prefix))
            || labels.is_some_and(|all| all.iter().all(|(key, value)| project["labels"][key] == *value))
    };
    let any = |atoms: &Value| *atoms == "all" || atoms.as_array().is_some_and(|all| all.iter().any(meets));
    let on = &grant["on"];
    let home = |object: &Value| {
        let made = events
            .iter()
            .find(|(_, event)| event["type"] == "ObjectRegistered" && event["object"]["id"] == object["id"]);
        made.is_some_and(|(_, event)| event["object"]["project"] == id)
    };
    on["organization"] == true
        || (on.get("projects").is_some()
            && any(&on["projects"]["include"])
            && !any(&on["projects"]["exclude"]))
        || on["object"]["type"] == "org_project"
        || on["object"]["id"] == id
        || (on.get("object").is_some() && home(&on["object"]))
}

/// The same from the answers, page by page.
async fn asked(given: &Given, query: &str) -> Vec<Told> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = given.get(&format!("/v1/grants/history?{query}&limit=3{cursor}")).await.expect(200).body;
        for item in page["items"].as_array().unwrap() {
            assert!(item["given"]["actor"]["type"].is_string() && item["scope"].is_string(), "{item}");
            found.push((
                item["grant"]["id"].as_str().unwrap().to_owned(),
                item["state"].as_str().unwrap().to_owned(),
                item["holds"].as_bool().unwrap(),
                item["given"]["position"].as_str().unwrap().to_owned(),
                item["ended"]["position"].as_str().map(str::to_owned),
            ));
        }
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn everything_ever_granted_is_told_with_what_became_of_it() {
    let past = past().await;
    let Past { given, bob, projects, .. } = &past;
    let mut told = 0;
    for step in 0..3 {
        let records = past.records().await;
        for by in [None, Some(&given.owner), Some(bob)] {
            for project in [None, Some(&projects[0]), Some(&projects[1])] {
                let by_text = by.map(|id| format!("&by=user:{id}")).unwrap_or_default();
                let of_text = project.map(|id| format!("&project={id}")).unwrap_or_default();
                let expected = brute(&records, by.map(String::as_str), project.map(String::as_str));
                let found = asked(given, &format!("{by_text}{of_text}")).await;
                assert_eq!(found, expected, "step {step}: {by_text}{of_text}");
                let mut newest_first = asked(given, &format!("order=desc{by_text}{of_text}")).await;
                newest_first.reverse();
                assert_eq!(newest_first, expected);
                told += expected.len();
            }
        }
        match step {
            0 => drop(given.delete(&format!("/v1/projects/{}", projects[1])).await.expect(200)),
            _ => drop(given.patch(&format!("/v1/projects/{}", projects[0]), json!({"name": "other"})).await),
        }
    }
    assert!(told > 100, "{told}");
}

#[tokio::test]
async fn who_from_where_with_what_and_why_and_whose_end_it_was() {
    let past = past().await;
    let Past { given, bob, projects, bob_key } = &past;
    let path = format!("/v1/grants/history?by=user:{bob}&project={}", projects[0]);
    let items = given.get(&path).await.expect(200).body["items"].as_array().unwrap().clone();
    let revoked = items.iter().find(|item| item["state"] == "revoked").unwrap();
    assert_eq!(revoked["given"]["actor"]["name"], "bob@example.com");
    let keys = given.get(&format!("/v1/users/{bob}/keys")).await.expect(200).body;
    assert_eq!(revoked["given"]["credential"], keys["items"][0]["id"]);
    assert_eq!(revoked["given"]["reason"], "as agreed");
    assert_eq!(revoked["ended"]["event"], "GrantRevoked");
    assert_eq!(revoked["ended"]["actor"]["name"], "ada@example.com");
    assert!(revoked.get("source_ip").is_some());
    let ended = items.iter().find(|item| item["state"] == "grantee_ended").unwrap();
    assert_eq!(ended["ended"]["event"], "TokenDeleted");
    let removed = items.iter().find(|item| item["state"] == "object_ended").unwrap();
    assert_eq!((&removed["ended"]["event"], &removed["reach"]), (&json!("ObjectRemoved"), &json!("below")));
    let then = &revoked["given"]["position"];
    let back = given.get(&format!("{path}&as_of={}", then.as_str().unwrap())).await.expect(200).body;
    assert_eq!(back["items"].as_array().unwrap().len(), 1);
    assert_eq!((&back["items"][0]["state"], &back["items"][0]["holds"]), (&json!("in_force"), &json!(true)));
    let lapsing = json!({"to": {"type": "user", "id": bob}, "permissions": ["read"],
        "on": {"object": {"type": "project", "id": projects[0]}}, "expires_at": "2999-01-01T00:00:00Z"});
    given.send(bob_key, ("POST", "/v1/grants"), &[], &lapsing).await.expect(201);
}

#[tokio::test]
async fn a_grant_whose_time_has_passed_has_expired_and_is_in_no_report() {
    let given = Given::new().await;
    let project = given.project("dev").await;
    let (token, _) = given.token().await;
    let soon = given.app.state().clock.now().plus_millis(3_600_000);
    let body = json!({"to": {"type": "token", "id": token}, "permissions": ["read"],
        "on": {"object": {"type": "project", "id": project}}, "expires_at": soon.to_string()});
    given.made("/v1/grants", body).await;
    let history = format!("/v1/grants/history?to=token:{token}&project={project}");
    let report = format!("/v1/report?principal=token:{token}");
    for (millis, state, rows) in [(0, "in_force", 1), (3_500_000, "in_force", 1), (3_700_000, "expired", 0)] {
        let told = given.get_later(&history, millis).await;
        let item = &told["items"][0];
        assert_eq!((&item["state"], &item["holds"]), (&json!(state), &json!(rows == 1)), "{told}");
        assert!(item.get("ended").is_none(), "no record ended it");
        let told = given.get_later(&report, millis).await;
        assert_eq!(told["end"]["rows"], json!(rows), "{told}");
        let ended = &told["report"]["population"]["grants_ended"];
        assert_eq!(ended, &json!(1 - rows), "{told}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused() {
    let given = Given::new().await;
    for query in [
        "by=ada",
        "by=group:x",
        "to=x",
        "project=x",
        "order=up",
        "limit=0",
        "limit=1001",
        "cursor=00",
        "who=x",
        "as_of=yesterday",
    ] {
        let answer = given.get(&format!("/v1/grants/history?{query}")).await;
        assert_eq!(answer.told(), (400, "invalid"), "{query}");
    }
    let audit = given.get("/v1/audit?limit=1").await.expect(200).body;
    if let Some(cursor) = audit["next"].as_str() {
        let answer = given.get(&format!("/v1/grants/history?cursor={cursor}")).await;
        assert_eq!(answer.told(), (400, "invalid"));
    }
}
