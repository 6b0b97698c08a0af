//! Checks over HTTP on the generated workload, through the real binary: by key, of another, in batches, and as of an
//! earlier position; uniform and by Zipf's law.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use crate::{
    load,
    parts::{
        check::{Asked, questions, zipf_questions},
        durable::PATIENCE,
        rebuild,
    },
    plot::{Axis, Plot},
    report::{float, per_second, quantile, rate, row, sizes, table},
    workload,
};
use anyhow::{Context, Result};
use grantbook_command::secret::{KeyKind, Secret};
use grantbook_domain::{event::Event, id::KeyId, principal::Principal, record::Record};
use grantbook_tests::server::Server;
use serde_json::{Value, json};

const REQUESTS: usize = 8_000;
const IN_BATCH: usize = 100;

pub(crate) fn run() -> Result<()> {
    let columns = ["principals", "drawn", "connections", "what", "requests/s", "p50", "p99"];
    table("Checks over HTTP on the generated workload", &columns);
    let (x, y) = (Axis::of("principals").by_tens(), Axis::time("median"));
    let mut plot = Plot::new("http-by-size", "A request over HTTP, one connection, uniform", x, y);
    for principals in sizes(&[1_000, 10_000, 100_000]) {
        let served = Served::of(principals)?;
        for (draw, questions) in
            [("uniform", questions(principals, REQUESTS)), ("zipf 1.1", zipf_questions(principals, REQUESTS))]
        {
            for connections in [1, 16] {
                served.ask((draw, &questions), connections, &mut plot)?;
            }
        }
    }
    plot.write()
}

/// A server whose organization is the workload's.
struct Served {
    principals: u128,
    server: Server,
    keys: HashMap<Principal, String>,
    /// A position before the last records, which changed nothing that is asked about.
    then: String,
}

impl Served {
    fn of(principals: u128) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut keys = HashMap::new();
        let mut failed = None;
        let records = workload::records(principals, 1).map(|record| {
            keyed(record, &mut keys).unwrap_or_else(|error| {
                failed = Some(error);
                workload::record(Vec::new())
            })
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::fs::create_dir(dir.path().join("data"))?;
        let (journal, _) = runtime.block_on(rebuild::fill(&dir.path().join("data"), records))?;
        journal.close();
        failed.map_or(Ok(()), Err)?;
        let owner = keys.get(&workload::owner()).context("the owner's key")?.clone();
        let server = Server::on(dir, &owner)?;
        let then = position_once_ready(&server)?;
        for number in 0..100 {
            server.call("POST", "/v1/projects", &json!({"name": format!("later-{number}")}))?.expect(201)?;
        }
        Ok(Self { principals, server, keys, then })
    }

    fn ask(&self, (draw, questions): (&str, &[Asked]), connections: usize, plot: &mut Plot) -> Result<()> {
        let own = |one: &Asked| {
            let key = self.keys.get(&workload::principal(one.principal)).map_or("", String::as_str);
            load::post(
                "/v1/check",
                key,
                &json!({"permission": one.permission, "object": object(one)}).to_string(),
            )
        };
        let owner = self.server.owner_key.as_str();
        let of_another = |path: &str, one: &Asked| load::post(path, owner, &another(one).to_string());
        let as_of = format!("/v1/check?as_of={}", self.then);
        let batch = |some: &[Asked]| {
            let checks: Vec<Value> = some.iter().map(another).collect();
            load::post("/v1/check/batch", owner, &json!({"checks": checks}).to_string())
        };
        let kinds: [(&str, Vec<Vec<u8>>); 4] = [
            ("check by its own key", questions.iter().map(own).collect()),
            ("check of another", questions.iter().map(|one| of_another("/v1/check", one)).collect()),
            ("batch of 100", questions.chunks(IN_BATCH).cycle().take(REQUESTS / 16).map(batch).collect()),
            ("as of 100 records ago", questions.iter().map(|one| of_another(&as_of, one)).collect()),
        ];
        for (what, requests) in kinds {
            let share = requests.len().div_ceil(connections);
            let parts: Vec<Vec<Vec<u8>>> = requests.chunks(share).map(<[_]>::to_vec).collect();
            let load = load::run(self.server.base(), &parts, "200")?;
            row(&[
                self.principals.to_string(),
                draw.to_owned(),
                connections.to_string(),
                what.to_owned(),
                per_second(rate(load.count, load.elapsed)),
                quantile(&load.latencies, 0.5),
                quantile(&load.latencies, 0.99),
            ]);
            if connections == 1 && draw == "uniform" {
                plot.add(what, float(self.principals), float(load.latencies.value_at_quantile(0.5).into()));
            }
        }
        Ok(())
    }
}

/// Where the view stands once it has everything.
fn position_once_ready(server: &Server) -> Result<String> {
    let started = Instant::now();
    loop {
        let reply = server.call("GET", "/v1/whoami", &Value::Null)?;
        if reply.status == 200 || started.elapsed() > PATIENCE {
            let position = reply.header("grantbook-position").map(str::to_owned);
            reply.expect(200)?;
            return position.context("a position");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A record whose keys have secrets that are known here.
fn keyed(mut record: Record, keys: &mut HashMap<Principal, String>) -> Result<Record> {
    for event in &mut record.events {
        if let Event::KeyIssued { key } = event {
            let id: KeyId = key.id;
            let secret = Secret::mint(KeyKind::of(key.principal), id)?;
            key.hash = secret.hash();
            keys.insert(key.principal, secret.expose().to_owned());
        }
    }
    Ok(record)
}

fn object(one: &Asked) -> Value {
    json!({"type": "project", "id": one.project.as_ref()})
}

fn another(one: &Asked) -> Value {
    let (kind, id) = match workload::principal(one.principal) {
        Principal::User(id) => ("user", id.to_string()),
        Principal::Token(id) => ("token", id.to_string()),
    };
    json!({"principal": {"type": kind, "id": id}, "permission": one.permission, "object": object(one)})
}
