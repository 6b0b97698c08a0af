//! What HTTP itself must do, the same at every endpoint: methods, content types, broken bodies, credentials.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::authzen::{
    ACTIONS, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS,
    scenario::{Case, Credential, Expected, Scenario, case, named, record, user},
};

pub(super) fn cases() -> Vec<Case> {
    let (alice, read, record_1) = (user("alice"), named("read"), record("record-1"));
    let whole = json!({"subject": alice, "action": read, "resource": record_1});
    [
        (EVALUATION, whole.clone()),
        (EVALUATIONS, json!({"subject": alice, "action": read, "evaluations": [{"resource": record_1}]})),
        (SUBJECTS, json!({"subject": {"type": "user"}, "action": read, "resource": record_1})),
        (RESOURCES, json!({"subject": alice, "action": read, "resource": {"type": "record"}})),
        (ACTIONS, json!({"subject": alice, "resource": record_1})),
    ]
    .into_iter()
    .flat_map(|(path, body)| of(path, &body))
    .collect()
}

fn of(path: &'static str, body: &Value) -> Vec<Case> {
    let given = |what: &str, statuses: &'static [u16]| case(what, path, body, Expected::Status(statuses));
    let text = body.to_string();
    let deep = |levels: usize| {
        format!("{{\"x\":{}{},{}", "[".repeat(levels), "]".repeat(levels), text.trim_start_matches('{'))
    };
    let twice =
        format!("{{\"subject\":{{\"type\":\"user\",\"id\":\"bob\"}},{}", text.trim_start_matches('{'));
    vec![
        given("as it should be", &[200]),
        given("with a charset", &[200]).typed(Some("application/json; charset=utf-8")),
        given("with another case of the type", &[200]).typed(Some("Application/JSON;charset=UTF-8")),
        given("plain text", &[415]).typed(Some("text/plain")),
        given("a form", &[415]).typed(Some("application/x-www-form-urlencoded")),
        given("no content type", &[400]).typed(None),
        given("GET", &[405]).by("GET"),
        given("PUT", &[405]).by("PUT"),
        given("DELETE", &[405]).by("DELETE"),
        given("an empty body", &[400]).raw(""),
        given("an empty body without a type", &[400]).raw("").typed(None),
        given("a broken body", &[400])
            .raw("{ \"subject\": { \"type\": \"user\", \"id\": \"alice\" } , broken"),
        given("half a body", &[400]).raw(text.split_at(text.len() / 2).0),
        given("something behind the body", &[400]).raw(format!("{text}{text}")),
        given("a list", &[400]).raw(format!("[{text}]")),
        given("a text", &[400]).raw("\"x\""),
        given("null", &[400]).raw("null"),
        given("no UTF-8", &[400]).raw(b"{\"x\":\"\xff\"}".to_vec()),
        given("a member twice: either could be meant", &[400]).raw(twice),
        given("deep, but not too deep", &[200]).raw(deep(20)),
        given("too deep", &[400]).raw(deep(40)),
        given("much too deep", &[400]).raw(deep(100_000)),
        given("no credential", &[401]).with(Credential::Absent),
        given("a corrupt credential", &[401]).with(Credential::Corrupt),
        given("no credential and no body", &[401]).with(Credential::Absent).raw(""),
    ]
}

/// Announced and not sent: whoever sends it might find the connection closed before the answer is read.
#[test]
fn a_body_too_large_is_refused_before_it_is_sent() -> Result<()> {
    let scenario = Scenario::set()?;
    let host = scenario.server.base().strip_prefix("http://").context("plain http")?.to_owned();
    for path in [EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS] {
        let mut stream = TcpStream::connect(&host)?;
        let key = &scenario.pep_key;
        write!(stream, "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n")?;
        write!(stream, "content-type: application/json\r\ncontent-length: 1048577\r\n\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        assert!(line.starts_with("HTTP/1.1 413"), "{path}: {line}");
    }
    Ok(())
}
