//! The client against a server that says what it is told to: whatever is not a whole, consistent answer is an error.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::JoinHandle,
};

use crate::{
    client::*,
    nouns::projects::Project,
    questions::check::{CheckAnswer, CheckObject, CheckRequest, Reason},
    words::list::{AsOfQuery, ListQuery},
};

/// Serves these answers, one connection each; gives the base URL, and when joined the requests' heads.
fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        answers
            .into_iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let head = read_request(&mut stream);
                stream.write_all(answer.as_bytes()).unwrap();
                head
            })
            .collect()
    });
    (base, server)
}

/// Reads to the end of the body, so that closing does not reset the connection before the answer is read.
fn read_request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return head.to_owned();
            }
        }
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the request ended early: {text}");
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

async fn check(reply: String) -> Result<Answer<CheckAnswer>, ClientError> {
    let (base, server) = serve(vec![reply]);
    let client = Client::new(&base, Some(Secret::new("gb_st_x"))).unwrap();
    let object = CheckObject { object_type: "project".into(), id: "p".into(), project: None };
    let question = CheckRequest { principal: None, key: None, permission: "read".into(), object };
    let result = client.check(&question, &AsOfQuery::default()).await;
    server.join().unwrap();
    result
}

#[tokio::test]
async fn an_answer_is_given_with_its_position() {
    let body = r#"{"allowed":true,"reason":"granted","position":"p1","some_day":"more"}"#;
    let allowed = check(answer("200 OK", "Grantbook-Position: p1\r\n", body)).await.unwrap();
    assert!(allowed.value.allowed);
    assert_eq!((allowed.position.as_deref(), allowed.replayed), (Some("p1"), false));
    let body = r#"{"allowed":false,"reason":"no_grant","position":"p1"}"#;
    assert_eq!(check(answer("200 OK", "", body)).await.unwrap().value.reason, Reason::NoGrant);
}

#[tokio::test]
async fn no_failure_looks_like_an_allow() {
    let problem =
        r#"{"type":"urn:grantbook:error:stale","title":"t","status":503,"detail":"d","code":"stale"}"#;
    let granted = r#"{"allowed":true,"reason":"granted","position":"p"}"#;
    let stale = check(answer("503 Service Unavailable", "", problem)).await;
    assert_eq!(stale.unwrap_err().code(), Some("stale"));
    let dressed_up = check(answer("502 Bad Gateway", "", granted)).await;
    assert!(matches!(dressed_up, Err(ClientError::Unexpected { status: 502 })));
    let redirect =
        check(answer("307 Temporary Redirect", "location: http://127.0.0.1:1/\r\n", granted)).await;
    assert!(matches!(redirect, Err(ClientError::Unexpected { status: 307 })));
    for body in [
        "",
        "true",
        "{}",
        r#"{"allowed":true}"#,
        r#"{"allowed":"true","reason":"granted","position":"p"}"#,
        r#"{"allowed":true,"reason":"because","position":"p"}"#,
    ] {
        let garbled = check(answer("200 OK", "", body)).await;
        assert!(matches!(garbled, Err(ClientError::Malformed(_))), "{body}");
    }
    let contradiction = r#"{"allowed":true,"reason":"no_grant","position":"p"}"#;
    assert!(matches!(check(answer("200 OK", "", contradiction)).await, Err(ClientError::Contradiction)));
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"allowed\":true".to_owned();
    assert!(matches!(check(cut).await, Err(ClientError::Transport(_))));
}

#[tokio::test]
async fn every_page_is_read() {
    let page = |name: &str, next: &str| {
        let item = format!(r#"{{"id":"{name}","name":"{name}","labels":{{}},"created_at":"c"}}"#);
        answer("200 OK", "", &format!(r#"{{"items":[{item}],"next":{next}}}"#))
    };
    let (base, server) = serve(vec![page("a", r#""c&1""#), page("b", "null")]);
    let client = Client::new(&base, Some(Secret::new("gb_pk_x"))).unwrap();
    let query = ListQuery { limit: Some(1), ..ListQuery::default() };
    let projects: Vec<Project> = client.every(&["v1", "projects"], &query).await.unwrap();
    assert_eq!(projects.iter().map(|project| project.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("get /v1/projects?limit=1 http"), "{}", requests[0]);
    assert!(requests[1].starts_with("get /v1/projects?limit=1&cursor=c%261 http"), "{}", requests[1]);
    assert!(requests[1].contains("authorization: bearer gb_pk_x"));
}
