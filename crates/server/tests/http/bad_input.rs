//! Requests that are wrong as requests: headers, credentials, bodies, paths, methods.

use axum::{
    body::Body,
    http::{Request, request::Builder},
};
use grantbook_domain::position::Position;
use serde_json::Value;

use crate::given::{Answer, Given};

fn post(path: &str) -> Builder {
    Request::post(path).header("content-type", "application/json")
}

fn problem(answer: &Answer, told: (u16, &str)) {
    assert_eq!(answer.told(), told, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["type"], format!("urn:grantbook:error:{}", told.1));
    assert_eq!(answer.body["status"], told.0);
    assert_eq!(answer.text_of("request_id"), answer.header("x-request-id"));
    assert!(answer.body["title"].is_string() && answer.body["detail"].is_string());
}

#[tokio::test]
async fn the_one_way_to_present_a_key() {
    let given = Given::new().await;
    let bearer = format!("Bearer {}", given.owner_key);
    let whoami = || Request::get("/v1/whoami");
    let ask = async |request: Builder| given.request(request.body(Body::empty()).unwrap()).await;
    let none = ask(whoami()).await;
    problem(&none, (401, "unauthenticated"));
    assert_eq!(none.header("www-authenticate"), "Bearer");
    for value in ["Basic abc", "Bearer", "Bearer gb_st_x", &bearer[..bearer.len() - 1]] {
        let refused = ask(whoami().header("authorization", value)).await;
        problem(&refused, (401, "unauthenticated"));
        assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
    problem(
        &ask(whoami().header("authorization", &bearer).header("authorization", &bearer)).await,
        (400, "invalid"),
    );
    for query in
        [format!("key={}", given.owner_key), "access_token=x".into(), format!("{}=1", given.owner_key)]
    {
        let with = ask(Request::get(format!("/v1/whoami?{query}")).header("authorization", &bearer)).await;
        problem(&with, (400, "invalid"));
        assert!(!with.text.contains("gb_pk_"));
        problem(&ask(Request::get(format!("/v1/whoami?{query}"))).await, (401, "unauthenticated"));
    }
    let metrics = ask(Request::get("/metrics")).await.text;
    assert!(metrics.contains("grantbook_auth_failures_total{why=\"checksum\"} 0"), "{metrics}");
    let mut flipped = given.owner_key.clone();
    let last = if flipped.pop() == Some('a') { 'b' } else { 'a' };
    flipped.push(last);
    problem(
        &ask(whoami().header("authorization", format!("Bearer {flipped}"))).await,
        (401, "unauthenticated"),
    );
    let metrics = ask(Request::get("/metrics")).await.text;
    assert!(metrics.contains("grantbook_auth_failures_total{why=\"checksum\"} 1"), "{metrics}");
}

#[tokio::test]
async fn bodies_are_json_whole_and_small() {
    let given = Given::new().await;
    let bearer = format!("Bearer {}", given.owner_key);
    let send = async |request: Builder, body: Vec<u8>| {
        given.request(request.header("authorization", &bearer).body(Body::from(body)).unwrap()).await
    };
    for path in ["/v1/projects", "/v1/check", "/v1/batch"] {
        problem(&send(Request::post(path), b"{}".to_vec()).await, (415, "unsupported_media_type"));
        let text = Request::post(path).header("content-type", "text/plain");
        problem(&send(text, b"{}".to_vec()).await, (415, "unsupported_media_type"));
        for body in [&b""[..], b"{", b"{\"a\":1}}", b"{\"a\":\"\xff\"}", b"[1,2]", b"null"] {
            problem(&send(post(path), body.to_vec()).await, (400, "invalid"));
        }
        problem(&send(post(path), "[".repeat(100_000).into_bytes()).await, (400, "invalid"));
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20)).into_bytes();
        problem(&send(post(path), large).await, (413, "too_large"));
    }
    let twice = send(post("/v1/projects"), b"{\"name\":\"a\",\"name\":\"b\"}".to_vec()).await;
    problem(&twice, (400, "invalid"));
    let charset = Request::post("/v1/projects").header("content-type", "application/json; charset=utf-8");
    send(charset, b"{\"name\":\"a\"}".to_vec()).await.expect(201);
    problem(&send(Request::delete("/v1/projects/x"), b"{}".to_vec()).await, (400, "invalid"));
    problem(&send(post("/v1/projects?force=1"), b"{\"name\":\"b\"}".to_vec()).await, (400, "invalid"));
    problem(&send(post("/v1/check?as_of=1"), b"{}".to_vec()).await, (400, "invalid"));
    let long = "x".repeat(1025);
    let reason = post("/v1/projects").header("grantbook-reason", long);
    problem(&send(reason, b"{\"name\":\"b\"}".to_vec()).await, (400, "invalid"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let given = Given::new().await;
    let ask = async |method: &str, path: &str| {
        given.request(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    };
    for path in ["/", "/v1", "/v1/", "/v1/nothing", "/v1/projects/a/b", "/healthz/x"] {
        problem(&ask("GET", path).await, (404, "not_found"));
    }
    for (method, path, allow) in
        [("PUT", "/v1/projects", "GET,HEAD,POST"), ("POST", "/v1/whoami", "GET,HEAD")]
    {
        let refused = ask(method, path).await;
        problem(&refused, (405, "method_not_allowed"));
        assert_eq!(refused.header("allow"), allow);
    }
    let named = Request::get("/v1/nothing").header("x-request-id", "build 17");
    assert_eq!(given.request(named.body(Body::empty()).unwrap()).await.header("x-request-id"), "build 17");
    let forged = Request::get("/healthz").header("x-request-id", "a\tb");
    let answer = given.request(forged.body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(answer.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn operators_ask_without_a_key() {
    let given = Given::new().await;
    let ask =
        async |path: &str| given.request(Request::get(path).body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(ask("/healthz").await.body["status"], "ok");
    given.project("dev").await;
    given.get("/v1/projects").await.expect(200);
    let ready = ask("/readyz").await.body;
    assert_eq!(
        (&ready["ready"], &ready["lag_frames"], &ready["position"]),
        (&true.into(), &0.into(), &ready["head"])
    );
    assert!(ready["position"].is_string());
    assert!(ask("/openapi.json").await.body["paths"]["/v1/check"].is_object());
    let metrics = ask("/metrics").await.text;
    assert!(metrics.contains("grantbook_commands_total{outcome=\"recorded\"} 1"), "{metrics}");
    assert_eq!(given.get("/v1/nothing").await.body["title"], Value::from("not found"));
}

#[tokio::test]
async fn a_key_in_a_body_is_not_told_again() {
    let given = Given::new().await;
    let key = given.owner_key.clone();
    for body in [format!("{{\"{key}\":1}}"), format!("{{\"name\":\"a\",\"labels\":{{\"{key}\":1}}}}")] {
        let request = post("/v1/projects").header("authorization", format!("Bearer {key}"));
        let refused = given.request(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(refused.told(), (400, "invalid"));
        assert!(!refused.text.contains("gb_"), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_position_beyond_the_last_record_is_waited_for_and_not_there() {
    let given = Given::new().await;
    given.project("dev").await;
    let state = given.app.state();
    let last = state.parts.commands().unwrap().acknowledged(given.org.parse().unwrap());
    let ask = async |index: u64| {
        let position = Position::of(last.sequence(), index);
        let text = grantbook_server::wire::position::encode(state.installation, position);
        given
            .send(&given.owner_key, ("GET", "/v1/projects"), &[("grantbook-at-least", &text)], &Value::Null)
            .await
    };
    ask(last.index()).await.expect(200);
    assert_eq!(ask(last.index() + 1).await.told(), (503, "behind"));
}
