//! Lists: paged on one snapshot, filtered by what the caller may see, complete.

use crate::given::Given;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use grantbook_journal::stamp::clock::Clock;
use grantbook_server::{endpoints, state::AppState};
use serde_json::{Value, json};
use tower::ServiceExt;

async fn pages(given: &Given, key: &str, path: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = given.send(key, ("GET", &next), &[], &Value::Null).await.expect(200).body;
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { return pages };
        let joint = if path.contains('?') { '&' } else { '?' };
        next = format!("{path}{joint}cursor={cursor}");
    }
}

#[tokio::test]
async fn a_list_is_complete_and_stays_as_it_was_begun() {
    let given = Given::new().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(given.project("dev").await);
    }
    let first = given.get("/v1/projects?limit=3").await.expect(200).body;
    let cursor = first["next"].as_str().unwrap().to_owned();
    given.project("late").await;
    given.delete(&format!("/v1/projects/{}", made[5])).await.expect(200);
    let second = given.get(&format!("/v1/projects?limit=4&cursor={cursor}")).await.expect(200).body;
    assert_eq!(second["next"], Value::Null);
    let seen: Vec<_> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(seen, made, "neither the late one nor the end of one shows");
    assert_eq!(pages(&given, &given.owner_key, "/v1/projects?limit=7").await.len(), 1, "no empty last page");
}

#[tokio::test]
async fn a_page_is_full_although_most_things_are_hidden() {
    let given = Given::new().await;
    let mut visible = Vec::new();
    for index in 0..30 {
        let project = given.project(if index % 6 == 0 { "open" } else { "closed" }).await;
        if index % 6 == 0 {
            visible.push(project);
        }
    }
    let on = json!({"projects": {"include": [{"label": {"env": "open"}}]}});
    let (token, key) = given.token_with(json!(["read"]), on).await;
    let pages = pages(&given, &key, "/v1/projects?limit=2").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let ids: Vec<_> = pages.concat().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, visible);
    let itself = given.send(&key, ("GET", "/v1/tokens"), &[], &Value::Null).await.expect(200).body;
    assert_eq!(itself["items"][0]["id"], json!(token));
    assert_eq!(itself["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn names_filter_exactly() {
    let given = Given::new().await;
    given.made("/v1/groups", json!({"name": "apps"})).await;
    for (path, count) in [
        ("/v1/groups?name=apps", 1),
        ("/v1/groups?name=app", 0),
        ("/v1/groups?name=Owners", 1),
        ("/v1/roles", 3),
        ("/v1/users?name=ADA%40example.com", 1),
        ("/v1/users?name=ada", 0),
    ] {
        let listed = given.get(path).await.expect(200).body;
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{path}: {listed}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_or_with_other_filters_is_refused() {
    let given = Given::new().await;
    for _ in 0..3 {
        given.project("dev").await;
        given.group().await;
    }
    let cursor = given.get("/v1/projects?limit=1").await.expect(200).text_of("next");
    let audit = given.get("/v1/audit?limit=1").await.expect(200).text_of("next");
    for path in [
        format!("/v1/groups?cursor={cursor}"),
        format!("/v1/projects?name=x&cursor={cursor}"),
        format!("/v1/projects?cursor={}", cursor.to_uppercase()),
        format!("/v1/projects?cursor={cursor}00"),
        format!("/v1/projects?cursor={audit}"),
        format!("/v1/audit?order=desc&cursor={audit}"),
        "/v1/projects?limit=0".into(),
        "/v1/projects?limit=1001".into(),
        "/v1/projects?limit=x".into(),
    ] {
        assert_eq!(given.get(&path).await.told(), (400, "invalid"), "{path}");
    }
    given.get(&format!("/v1/projects?limit=2&cursor={cursor}")).await.expect(200);
}

#[tokio::test]
async fn a_cursor_is_its_readers_own_and_ends() {
    let given = Given::new().await;
    for _ in 0..3 {
        given.project("dev").await;
    }
    let (_, other) = given
        .token_with(json!(["read"]), json!({"projects": {"include": [{"label": {"env": "dev"}}]}}))
        .await;
    let (clock, hand) = Clock::settable(given.app.state().clock.now());
    let router = endpoints::router(AppState { clock, ..given.app.state() });
    let ask = async |key: &str, path: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {key}"));
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (_, first) = ask(&given.owner_key, "/v1/projects?limit=1").await;
    let next = format!("/v1/projects?limit=1&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(ask(&given.owner_key, &next).await.0, 200);
    assert_eq!(ask(&other, &next).await.0, 400);
    hand.advance_ms(15 * 60 * 1000);
    let (status, problem) = ask(&given.owner_key, &next).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid")));
    assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");
}

#[tokio::test]
async fn the_audit_log_is_searched_paged_and_streamed() {
    let given = Given::new().await;
    let (token, _) = given.token().await;
    let group = given.group().await;
    given.join(&group, &token).await;
    let all = pages(&given, &given.owner_key, "/v1/audit?limit=2").await.concat();
    let streamed = given
        .send(
            &given.owner_key,
            ("GET", "/v1/audit"),
            &[("accept", "text/html, Application/X-NDJSON;q=0.5")],
            &Value::Null,
        )
        .await
        .expect(200);
    let lines: Vec<Value> = streamed.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all);
    assert_eq!(streamed.header("content-type"), "application/x-ndjson");
    assert!(all.len() >= 5);
    let position = |index: usize| all[index]["position"].as_str().unwrap();
    let backwards = pages(&given, &given.owner_key, "/v1/audit?limit=2&order=desc").await.concat();
    assert_eq!(backwards.iter().rev().cloned().collect::<Vec<_>>(), all);
    for (query, expected) in [
        (format!("from={}&to={}", position(1), position(2)), vec![position(1), position(2)]),
        (format!("from={}&to={}&order=desc", position(1), position(2)), vec![position(2), position(1)]),
        (format!("principal=token:{token}"), vec![position(1), position(2), position(4)]),
        (format!("group={group}"), vec![position(3), position(4)]),
        (format!("object=group:{group}"), vec![position(3), position(4)]),
        ("event=KeyIssued&actor=operator".into(), vec![position(0)]),
        ("from=2999-01-01T00:00:00Z".into(), vec![]),
    ] {
        let found = given.get(&format!("/v1/audit?{query}")).await.expect(200).body;
        let found: Vec<_> = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["position"].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
    for query in ["actor=ada", "credential=x", "principal=group:x", "from=yesterday", "order=up", "object=x"]
    {
        assert_eq!(given.get(&format!("/v1/audit?{query}")).await.told(), (400, "invalid"), "{query}");
    }
}

/// The groups of a token: direct ones, page by page, as of a position, living ones only, and of those what the caller may read.
#[tokio::test]
async fn the_groups_of_somebody_are_those_that_live_and_may_be_read() {
    let given = Given::new().await;
    let (token, own_key) = given.token().await;
    let mut groups = Vec::new();
    for _ in 0..5 {
        let group = given.group().await;
        given.join(&group, &token).await;
        groups.push(group);
    }
    let outer = given.group().await;
    let member = json!({"member": {"type": "group", "id": groups[0]}});
    given.post(&format!("/v1/groups/{outer}/members"), member).await.expect(201);
    let path = format!("/v1/tokens/{token}/groups");
    let ids = |pages: &[Vec<Value>]| -> Vec<String> {
        pages.concat().iter().map(|item| item["group"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let paged = pages(&given, &given.owner_key, &format!("{path}?limit=2")).await;
    assert_eq!(paged.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(ids(&paged), groups, "direct ones, in the order in which the groups were made");
    assert_eq!(
        ids(&pages(&given, &given.owner_key, &format!("/v1/groups/{}/groups", groups[0])).await),
        [outer]
    );

    let before = given.get("/v1/whoami").await.expect(200).header("grantbook-position").to_owned();
    given.delete(&format!("/v1/groups/{}", groups[1])).await.expect(200);
    given.delete(&format!("/v1/groups/{}/members/token/{token}", groups[2])).await.expect(200);
    let left = [&groups[0], &groups[3], &groups[4]];
    assert_eq!(ids(&pages(&given, &given.owner_key, &path).await).iter().collect::<Vec<_>>(), left);
    let then = pages(&given, &given.owner_key, &format!("{path}?as_of={before}")).await;
    assert_eq!(ids(&then), groups, "as it was");

    let seen = pages(&given, &own_key, &path).await;
    assert_eq!(seen.concat().len(), 0, "a member as such may read no group");
}

#[tokio::test]
async fn a_search_finds_parts_of_names_whatever_their_case() {
    let given = Given::new().await;
    for (name, labels) in [("Web Staging", "a"), ("web production", "b"), ("batch", "c")] {
        given.post("/v1/projects", json!({"name": name, "labels": {"l": labels}})).await.expect(201);
    }
    given
        .post("/v1/users", json!({"email": "zoe@example.com", "name": "Zo\u{cb} \u{c4}rger"}))
        .await
        .expect(201);
    let names = async |path: &str, member: &str| -> Vec<String> {
        let found = pages(&given, &given.owner_key, path).await.concat();
        found.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("/v1/projects?search=WEB&limit=1", "name").await, ["Web Staging", "web production"]);
    assert_eq!(names("/v1/projects?search=b%20s", "name").await, ["Web Staging"]);
    assert_eq!(names("/v1/projects?search=nothing", "name").await, [""; 0]);
    assert_eq!(names("/v1/users?search=%C3%A4rg", "email").await, ["zoe@example.com"], "by name");
    assert_eq!(names("/v1/users?search=ZOE@", "email").await, ["zoe@example.com"], "by e-mail");
    let on = json!({"projects": {"include": [{"label": {"l": "b"}}]}});
    let (_, key) = given.token_with(json!(["read"]), on).await;
    let seen = pages(&given, &key, "/v1/projects?search=web").await.concat();
    assert_eq!(seen.len(), 1, "what is hidden is not found");
}

/// The projects of a grant are those on which it is what allows, now and as of a moment, and no others than the caller may read.
#[tokio::test]
async fn the_projects_of_a_grant_are_those_that_it_covers() {
    let given = Given::new().await;
    let named = |name: &str, env: &str| json!({"name": name, "labels": {"env": env}});
    let mut ids = Vec::new();
    for (name, env) in [("web-1", "staging"), ("web-2", "production"), ("db", "staging"), ("old", "staging")]
    {
        ids.push(given.made("/v1/projects", named(name, env)).await);
    }
    let (token, key) = given.token().await;
    let to = json!({"type": "token", "id": token});
    let grant = |on: Value| {
        given.made("/v1/grants", json!({"to": to, "permissions": ["read", "read_acls"], "on": on}))
    };
    let by_name = grant(json!({"projects": {"include": [{"name": "web-*"}, {"id": ids[2]}], "exclude": [{"label": {"env": "production"}}]}})).await;
    let position = given.get("/v1/whoami").await.header("grantbook-position").to_owned();
    let covered = |grant: String, query: String| {
        let (given, key) = (&given, given.owner_key.clone());
        async move {
            let pages = pages(given, &key, &format!("/v1/grants/{grant}/projects{query}")).await;
            pages.concat().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(covered(by_name.clone(), String::new()).await, ["web-1", "db"]);
    assert_eq!(covered(by_name.clone(), "?limit=1".to_owned()).await, ["web-1", "db"]);
    given.patch(&format!("/v1/projects/{}", ids[1]), json!({"labels": {"env": "staging"}})).await.expect(200);
    given.delete(&format!("/v1/projects/{}", ids[2])).await.expect(200);
    assert_eq!(covered(by_name.clone(), String::new()).await, ["web-1", "web-2"]);
    assert_eq!(covered(by_name.clone(), format!("?as_of={position}")).await, ["web-1", "db"]);
    let everything = given.get("/v1/grants?limit=1000").await.expect(200).body;
    let all =
        everything["items"].as_array().unwrap().iter().find(|one| one["on"] == json!({"organization": true}));
    assert_eq!(
        covered(all.unwrap()["id"].as_str().unwrap().to_owned(), String::new()).await,
        ["web-1", "web-2", "old"]
    );
    let single = grant(json!({"object": {"type": "project", "id": ids[3]}})).await;
    assert_eq!(covered(single, String::new()).await, Vec::<String>::new());
    // The holder of the grant sees it and what it covers. To a stranger it does not exist.
    let path = format!("/v1/grants/{by_name}/projects");
    let own = given.send(&key, ("GET", &path), &[], &Value::Null).await.expect(200).body;
    assert_eq!(own["items"].as_array().unwrap().len(), 2);
    let (_, stranger) = given.token().await;
    assert_eq!(given.send(&stranger, ("GET", &path), &[], &Value::Null).await.told(), (404, "not_found"));
}

/// Reads say how a thing is at the moment that they are about; answers to writes, which are functions of their record, do not.
#[tokio::test]
async fn everything_in_a_list_says_its_state() {
    const HOUR: i64 = 3_600_000;
    let given = Given::new().await;
    let ends = json!("2999-01-01T00:00:00Z");
    let later = 990 * 366 * 24 * HOUR;
    let (group, project) = (given.group().await, given.project("dev").await);
    let token = given.made("/v1/tokens", json!({"name": "ends", "expires_at": ends})).await;
    let made = given.post(&format!("/v1/tokens/{token}/keys"), json!({"expires_at": ends})).await.expect(201);
    assert_eq!(made.body.get("state"), None, "an answer to a write");
    let member = json!({"member": {"type": "token", "id": token}, "expires_at": ends});
    given.post(&format!("/v1/groups/{group}/members"), member).await.expect(201);
    let grant = json!({"to": {"type": "group", "id": group}, "role": "Viewer", "on": {"organization": true}, "expires_at": ends});
    let grant = given.made("/v1/grants", grant).await;
    for (list, id) in [
        ("/v1/tokens".to_owned(), Some(&token)),
        (format!("/v1/tokens/{token}/keys"), None),
        (format!("/v1/groups/{group}/members"), None),
        (format!("/v1/grants?to=group:{group}"), Some(&grant)),
    ] {
        let states = |page: &Value| -> Vec<Value> {
            page["items"].as_array().unwrap().iter().map(|item| item["state"].clone()).collect()
        };
        assert_eq!(states(&given.get(&list).await.body), ["active"], "{list}");
        assert_eq!(states(&given.get_later(&list, later).await), ["expired"], "{list}");
        if let Some(id) = id {
            let one = format!("{}/{id}", list.split('?').next().unwrap());
            assert_eq!(given.get(&one).await.body["state"], "active", "{one}");
        }
    }
    for (list, id) in [("/v1/projects", &project), ("/v1/users", &given.owner)] {
        assert_eq!(given.get(list).await.body["items"][0]["state"], "active", "{list}");
        assert_eq!(given.get(&format!("{list}/{id}")).await.body["state"], "active", "{list}");
    }
}
