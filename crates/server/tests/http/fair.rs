//! Shares: what one organization asks for does not keep another from its turn.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use grantbook_domain::{id::OrgId, principal::Principal};
use grantbook_server::state::{Class, Place};
use serde_json::{Value, json};
use tokio::{task::yield_now, time::timeout};
use tower::ServiceExt as _;

use crate::given::Given;

/// Longer than any machine takes; a test that fails waits for it once.
const PATIENCE: Duration = Duration::from_mins(1);

fn get(path: &str, key: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {key}"));
    request.body(Body::empty()).unwrap()
}

fn explain(key: &str, project: &str) -> Request<Body> {
    let body = json!({"permission": "read", "object": {"type": "project", "id": project}});
    let request = Request::post("/v1/explain").header("authorization", format!("Bearer {key}"));
    request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

/// One number of `/metrics`.
async fn metric(router: &Router, name: &str) -> u64 {
    let asked = Request::get("/metrics").body(Body::empty()).unwrap();
    let text = to_bytes(router.clone().oneshot(asked).await.unwrap().into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let found =
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    found.trim().parse().unwrap()
}

const WAITING: &str = "grantbook_places_waiting{class=\"questions\"}";
const SHED: &str = "grantbook_shed_total{class=\"questions\"}";

/// Takes every place that the owner may have, as work does that takes long.
async fn hold_all(given: &Given, class: Class) -> Vec<Place> {
    let scheduler = given.app.state().scheduler;
    let org: OrgId = given.org.parse().unwrap();
    let principal = Principal::User(given.owner.parse().unwrap());
    let mut held = Vec::new();
    while let Ok(place) = timeout(Duration::ZERO, scheduler.hold(class, org, Some(principal))).await {
        held.push(place.unwrap());
    }
    assert!(!held.is_empty());
    held
}

/// Row 6 of the hostile workload. Nothing here depends on time: the greedy account's places are held until the end.
#[tokio::test]
async fn seventy_explains_of_one_token_leave_others_their_turn() {
    let (given, stranger) = Given::with_stranger().await;
    let project = given.project("dev").await;
    let router = given.router();
    let held = hold_all(&given, Class::Questions).await;
    let explains: Vec<_> =
        (0..70).map(|_| tokio::spawn(router.clone().oneshot(explain(&given.owner_key, &project)))).collect();
    while metric(&router, WAITING).await < 70 {
        yield_now().await;
    }
    for path in ["/v1/projects", "/v1/audit"] {
        let answered = timeout(PATIENCE, router.clone().oneshot(get(path, &stranger)));
        let answered = answered.await.expect("another organization waits behind the greedy one").unwrap();
        assert_eq!(answered.status(), 200, "{path}");
    }
    // What takes access away is taken, and checks are answered, also for the greedy one.
    given.delete(&format!("/v1/projects/{project}")).await.expect(200);
    assert!(!given.check(&given.owner_key, "read", &project).await.0);
    assert_eq!(metric(&router, WAITING).await, 70, "nobody of the greedy one was answered before");
    drop(held);
    for explain in explains {
        assert!(explain.await.unwrap().unwrap().status().as_u16() < 429);
    }
    assert_eq!(metric(&router, SHED).await, 0);
}

#[tokio::test]
async fn a_caller_beyond_its_share_is_told_to_come_again_and_one_that_leaves_makes_room() {
    let (given, stranger) = Given::with_stranger().await;
    let project = given.project("dev").await;
    let router = given.router();
    let held = hold_all(&given, Class::Questions).await;
    let explains: Vec<_> =
        (0..128).map(|_| tokio::spawn(router.clone().oneshot(explain(&given.owner_key, &project)))).collect();
    while metric(&router, WAITING).await < 128 {
        yield_now().await;
    }
    let busy = given.get("/v1/audit").await;
    assert_eq!((busy.told(), busy.header("retry-after")), ((429, "busy"), "1"));
    assert_eq!(metric(&router, SHED).await, 1);
    given.get("/v1/projects").await.expect(200);
    given.send(&stranger, ("GET", "/v1/audit"), &[], &Value::Null).await.expect(200);
    let (left, stayed) = explains.split_at(28);
    left.iter().for_each(tokio::task::JoinHandle::abort);
    while metric(&router, WAITING).await > 100 {
        yield_now().await;
    }
    drop(held);
    given.get("/v1/audit").await.expect(200);
    while !stayed.iter().all(tokio::task::JoinHandle::is_finished) {
        yield_now().await;
    }
}

/// Commands wait for their turn; what takes access away never does.
#[tokio::test]
async fn what_takes_access_away_is_taken_while_other_commands_wait() {
    let (given, stranger) = Given::with_stranger().await;
    let (project, router) = (given.project("dev").await, given.router());
    let held = hold_all(&given, Class::Writes).await;
    let body = Body::from(json!({"name": "late"}).to_string());
    let request =
        Request::post("/v1/projects").header("authorization", format!("Bearer {}", given.owner_key));
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let waits = tokio::spawn(router.clone().oneshot(request));
    let waiting = "grantbook_places_waiting{class=\"writes\"}";
    while metric(&router, waiting).await < 1 {
        yield_now().await;
    }
    timeout(PATIENCE, given.delete(&format!("/v1/projects/{project}"))).await.unwrap().expect(200);
    let made = json!({"name": "p"});
    let other = given.send(&stranger, ("POST", "/v1/projects"), &[], &made);
    timeout(PATIENCE, other).await.unwrap().expect(201);
    assert_eq!(metric(&router, waiting).await, 1);
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap().status(), 201);
}

/// Rows 1 and 5 of the hostile workload: reading a long body takes no thread that others are answered on.
#[tokio::test]
async fn long_bodies_wait_for_their_turn_and_hold_nobody_up() {
    let (given, stranger) = Given::with_stranger().await;
    let router = given.router();
    let held = hold_all(&given, Class::Bodies).await;
    let long = |key: &str| {
        let body = Body::from(json!({"name": "long", "description": "x".repeat(20_000)}).to_string());
        let request = Request::post("/v1/groups").header("authorization", format!("Bearer {key}"));
        router.clone().oneshot(request.header("content-type", "application/json").body(body).unwrap())
    };
    let waits = tokio::spawn(long(&given.owner_key));
    let waiting = "grantbook_places_waiting{class=\"bodies\"}";
    while metric(&router, waiting).await < 1 {
        yield_now().await;
    }
    timeout(PATIENCE, given.post("/v1/groups", json!({"name": "short"}))).await.unwrap().expect(201);
    assert_eq!(timeout(PATIENCE, long(&stranger)).await.unwrap().unwrap().status(), 400, "too long a text");
    assert_eq!(metric(&router, waiting).await, 1);
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap().status(), 400);
}

/// Rows of logs are kept in memory until they are authorized, so an organization has a share of places for them.
#[tokio::test]
async fn rows_of_logs_wait_for_their_turn_and_leave_others_theirs() {
    let (given, stranger) = Given::with_stranger().await;
    let router = given.router();
    let held = hold_all(&given, Class::Logs).await;
    let log = |key: &str| {
        let request = Request::post("/braintrust/logs3").header("authorization", format!("Bearer {key}"));
        router.clone().oneshot(request.body(Body::from(json!({"rows": []}).to_string())).unwrap())
    };
    let waits = tokio::spawn(log(&given.owner_key));
    let waiting = "grantbook_places_waiting{class=\"logs\"}";
    while metric(&router, waiting).await < 1 {
        yield_now().await;
    }
    assert_eq!(timeout(PATIENCE, log(&stranger)).await.unwrap().unwrap().status(), 200);
    assert_eq!(metric(&router, waiting).await, 1);
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap().status(), 200);
}

/// So much of an audit log that a stream of it waits for its reader.
async fn long_audit_log(given: &Given) {
    for batch in 0..8 {
        let group = |number: u32| {
            let body = json!({"name": format!("group {batch}.{number}"), "description": "x".repeat(600)});
            json!({"method": "POST", "path": "/v1/groups", "body": body})
        };
        let commands: Vec<Value> = (0..450).map(group).collect();
        given.post("/v1/batch", json!({"commands": commands})).await.expect(200);
    }
}

async fn stream(router: &Router, key: &str) -> Response<Body> {
    let mut request = get("/v1/audit", key);
    request.headers_mut().insert("accept", "application/x-ndjson".parse().unwrap());
    router.clone().oneshot(request).await.unwrap()
}

/// Row 7 of the hostile workload.
#[tokio::test]
async fn unread_streams_of_one_organization_leave_slots_to_others() {
    let (given, stranger) = Given::with_stranger().await;
    long_audit_log(&given).await;
    let router = given.router();
    let log = json!({"object": {"type": "org_audit_logs", "id": given.org}});
    let mut unread = Vec::new();
    let mut told: BTreeMap<u16, usize> = BTreeMap::new();
    for _ in 0..8 {
        let (_, key) = given.token_with(json!(["read"]), log.clone()).await;
        for _ in 0..8 {
            let response = stream(&router, &key).await;
            *told.entry(response.status().as_u16()).or_default() += 1;
            unread.push(response);
        }
    }
    assert_eq!(told.get(&429).copied(), Some(8 * 8 - told[&200]), "{told:?}");
    let open = "grantbook_streams_open{kind=\"streams\"}";
    assert!(metric(&router, open).await <= 24, "one organization never holds every slot");
    for _ in 0..4 {
        let export = timeout(PATIENCE, stream(&router, &stranger)).await.unwrap();
        assert_eq!(export.status(), 200);
        let text = timeout(PATIENCE, to_bytes(export.into_body(), usize::MAX)).await.unwrap().unwrap();
        assert!(!text.is_empty());
    }
    let share = "grantbook_streams_cut_off_total{kind=\"streams\",why=\"share\"}";
    assert_eq!(
        metric(&router, share).await,
        told[&200] as u64 - 24,
        "its own principals share what it may have"
    );
    drop(unread);
    while metric(&router, open).await > 0 {
        yield_now().await;
    }
}
