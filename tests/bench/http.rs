//! Checks over HTTP through the real binary, beside a route that does nothing (P2), in batches (P3), and as of an
//! earlier position (P9).

use crate::{
    load,
    report::{per_second, quantile, rate, row, table},
};
use anyhow::{Context, Result};
use grantbook_server::endpoints::noop_router;
use grantbook_tests::{org::Story, server::Server};
use serde_json::{Value, json};

pub(crate) fn run() -> Result<()> {
    let columns = ["connections", "what", "requests/s", "p50", "p99", "of doing nothing"];
    table("Checks over HTTP, key authentication included; load generator on the same cores (P2)", &columns);
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let check =
        json!({"permission": "update", "object": {"type": "project", "id": story.staging}}).to_string();
    let hundred: Vec<_> = (0..100)
        .map(|_| json!({"permission": "update", "object": {"type": "project", "id": story.staging}}))
        .collect();
    let batch = json!({"checks": hundred}).to_string();
    // Of another's access, as who may read the audit log asks.
    let other = json!({"principal": {"type": "token", "id": story.token}, "permission": "update",
        "object": {"type": "project", "id": story.staging}})
    .to_string();
    let then = server.call("GET", "/v1/whoami", &Value::Null)?;
    let then = then.header("grantbook-position").context("a position")?.to_owned();
    for number in 0..1_000 {
        server.call("POST", "/v1/projects", &json!({"name": format!("later-{number}")}))?.expect(201)?;
    }
    let as_of = format!("/v1/check?as_of={then}");
    let noop = noop_server()?;
    for connections in [1, 16] {
        let requests = |path: &str, (key, body): (&str, &str), count: usize| -> Vec<Vec<_>> {
            let one = load::post(path, key, body);
            (0..connections).map(|_| vec![one.clone(); count / connections]).collect()
        };
        let mut nothing = 0.0;
        let (own, owner) = (story.key.as_str(), server.owner_key.as_str());
        for (what, base, path, asked, count) in [
            (
                "reads the same body, answers the same size",
                noop.as_str(),
                "/v1/check",
                (own, check.as_str()),
                30_000,
            ),
            ("check", server.base(), "/v1/check", (own, check.as_str()), 30_000),
            ("check/batch of 100", server.base(), "/v1/check/batch", (own, batch.as_str()), 1_000),
            ("check of another", server.base(), "/v1/check", (owner, other.as_str()), 30_000),
            (
                "the same as of 1,000 records ago",
                server.base(),
                as_of.as_str(),
                (owner, other.as_str()),
                30_000,
            ),
        ] {
            let load = load::run(base, &requests(path, asked, count), "200")?;
            let rate = rate(load.count, load.elapsed);
            if base == noop {
                nothing = rate;
            }
            let (p50, p99) = (quantile(&load.latencies, 0.5), quantile(&load.latencies, 0.99));
            let of_nothing = format!("{:.0} %", 100.0 * rate / nothing);
            row(&[connections.to_string(), what.to_owned(), per_second(rate), p50, p99, of_nothing]);
        }
    }
    Ok(())
}

/// A server of the same make whose check looks at nothing; it goes with the process.
fn noop_server() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let base = format!("http://{}", listener.local_addr()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, noop_router()).await
        })
    });
    Ok(base)
}
