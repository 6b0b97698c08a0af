//! Checks over HTTP through the real binary, beside routes that do less (first figures for P2).

use anyhow::Result;
use grantbook_tests::{org::Story, server::Server};
use serde_json::json;

use crate::{
    load,
    report::{per_second, quantile, rate, row, table},
};

pub fn run() -> Result<()> {
    let columns = ["connections", "what", "requests/s", "p50", "p99"];
    table("Checks over HTTP, key authentication included; load generator on the same cores (P2)", &columns);
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let check = json!({"permission": "update", "object": {"type": "project", "id": story.staging}}).to_string();
    let hundred: Vec<_> = (0..100)
        .map(|_| json!({"permission": "update", "object": {"type": "project", "id": story.staging}}))
        .collect();
    let batch = json!({"checks": hundred}).to_string();
    for connections in [1, 16] {
        let requests = |path: &str, body: &str, count: usize| -> Vec<Vec<_>> {
            let one = load::post(path, &story.key, body);
            (0..connections).map(|_| vec![one.clone(); count / connections]).collect()
        };
        for (what, path, body, count) in [
            ("check", "/v1/check", &check, 30_000),
            ("check/batch of 100", "/v1/check/batch", &batch, 1_000),
        ] {
            let load = load::run(server.base(), &requests(path, body, count), "200")?;
            let rate = per_second(rate(load.count, load.elapsed));
            let (p50, p99) = (quantile(&load.latencies, 0.5), quantile(&load.latencies, 0.99));
            row(&[connections.to_string(), what.to_owned(), rate, p50, p99]);
        }
    }
    Ok(())
}
