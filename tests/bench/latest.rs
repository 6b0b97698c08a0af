//! What an answer costs that holds everything acknowledged anywhere, as Braintrust's clients always get, beside a plain one: on a
//! read node over one broker.

use std::time::Instant;

use anyhow::Result;
use grantbook_tests::{nats::Nats, server::Server, wire::Http};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::report::{histogram, note, quantile, row, table};

/// How often each question is asked, in turn with the others.
const ROUNDS: usize = if cfg!(debug_assertions) { 20 } else { 3_000 };
const LATEST: &[(&str, &str)] = &[("grantbook-at-least", "latest")];

/// A question: in words, method, path and headers.
type Question = (&'static str, (&'static str, &'static str), &'static [(&'static str, &'static str)]);

const QUESTIONS: [Question; 5] = [
    ("project by name, plain", ("GET", "/v1/projects?name=p"), &[]),
    ("the same, `latest`", ("GET", "/v1/projects?name=p"), LATEST),
    ("whoami, plain", ("GET", "/v1/whoami"), &[]),
    ("the same, `latest`", ("GET", "/v1/whoami"), LATEST),
    ("project by name, Braintrust's wire", ("GET", "/braintrust/v1/project?project_name=p"), &[]),
];

pub(crate) fn run() -> Result<()> {
    let nats = Nats::single()?;
    let mut first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    first.set_env("GRANTBOOK_FORWARD_TO", command.base());
    let node = first.another("read")?;
    command.call("POST", "/v1/projects", &json!({"name": "p"}))?.expect(201)?;
    let mut http: Http = node.http()?.as_bearer(&node.owner_key);
    let mut times: [Histogram<u64>; QUESTIONS.len()] = std::array::from_fn(|_| histogram());
    for _ in 0..ROUNDS {
        for ((_, (method, path), headers), times) in QUESTIONS.iter().zip(&mut times) {
            let begun = Instant::now();
            http.send_with(method, path, headers, &Value::Null)?.expect(200)?;
            note(times, begun.elapsed());
        }
    }
    let columns = ["question", "p50", "p90", "p99"];
    table("A read node over one broker, one question after another", &columns);
    for ((words, _, _), times) in QUESTIONS.iter().zip(&times) {
        row(&[(*words).to_owned(), quantile(times, 0.5), quantile(times, 0.9), quantile(times, 0.99)]);
    }
    Ok(())
}
