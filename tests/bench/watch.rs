//! Watching: how soon a thousand watchers have what was acknowledged.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use grantbook_tests::{events::Events, server::Server};
use serde_json::json;

use crate::report::{histogram, note, quantile, row, table};

/// How many watch.
const WATCHERS: [usize; 3] = [1, 100, 1_000];
/// Watchers that one thread of the load generator reads for.
const OF_THREAD: usize = 50;

pub(crate) fn run() -> Result<()> {
    let rounds = if cfg!(debug_assertions) { 3 } else { 50 };
    let title = "From a command's acknowledgement to its message at watchers, all records; load generator on the same cores";
    table(title, &["watchers", "messages", "p50", "p99", "max", "last of a round, p50"]);
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_WATCHERS_EACH", "1000");
    server.spawn()?;
    for watchers in WATCHERS {
        let open = || Events::open(server.base(), &server.owner_key, "?kind=record", None);
        let mut watching = (0..watchers).map(|_| open()).collect::<Result<Vec<_>>>()?;
        let (mut each, mut last) = (histogram(), histogram());
        for round in 0..rounds {
            let name = format!("p-{watchers}-{round}");
            let body = json!({"name": name});
            let acknowledged = thread::scope(|scope| -> Result<(Instant, Vec<Instant>)> {
                let reading: Vec<_> = watching
                    .chunks_mut(OF_THREAD)
                    .map(|some| {
                        scope.spawn(move || -> Result<Vec<Instant>> {
                            let seen = |events: &mut Events| -> Result<Instant> {
                                events.message()?.context("the stream ended")?;
                                Ok(Instant::now())
                            };
                            some.iter_mut().map(seen).collect()
                        })
                    })
                    .collect();
                server.call("POST", "/v1/projects", &body)?.expect(201)?;
                let acknowledged = Instant::now();
                let mut seen = Vec::new();
                for reader in reading {
                    seen.extend(reader.join().map_err(|_| anyhow!("a reader panicked"))??);
                }
                Ok((acknowledged, seen))
            })?;
            let (acknowledged, seen) = acknowledged;
            let mut slowest = Duration::ZERO;
            for at in seen {
                // A message may overtake the acknowledgement.
                let took = at.saturating_duration_since(acknowledged);
                slowest = slowest.max(took);
                note(&mut each, took);
            }
            note(&mut last, slowest);
        }
        let messages = (watchers * rounds).to_string();
        let (p50, p99, max) = (quantile(&each, 0.5), quantile(&each, 0.99), quantile(&each, 1.0));
        row(&[watchers.to_string(), messages, p50, p99, max, quantile(&last, 0.5)]);
    }
    Ok(())
}
