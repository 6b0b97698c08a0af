//! What pages of the console cost in a large organization: 10,000 service tokens, 1,000 permission groups, 1,000 projects.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use grantbook_tests::server::Server;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::report::{histogram, note, quantile, row, table};

/// How often each page is asked for, in turn with the others.
const ROUNDS: usize = if cfg!(debug_assertions) { 2 } else { 200 };
const TOKENS: usize = if cfg!(debug_assertions) { 200 } else { 10_000 };
const GROUPS: usize = TOKENS / 10;
/// Commands of a batch.
const BATCH: usize = 500;

/// Pages: in words, and the path, where `TOKEN`, `GROUP` and `PROJECT` stand for the ids of the last ones.
const PAGES: [(&str, &str); 12] = [
    ("service tokens", "/console/tokens"),
    ("service tokens, searched", "/console/tokens?search=token-9"),
    ("one service token", "/console/tokens/TOKEN"),
    ("the form of a new one", "/console/tokens/new"),
    ("permission groups", "/console/groups"),
    ("one permission group", "/console/groups/GROUP"),
    ("grants", "/console/grants"),
    ("projects", "/console/projects"),
    ("one project, who can", "/console/projects/PROJECT"),
    ("ask", "/console/ask?principal=token:TOKEN&permission=update&object=project:PROJECT"),
    ("audit", "/console/audit"),
    ("live", "/console/live"),
];

pub(crate) fn run() -> Result<()> {
    let server = Server::start()?;
    let ids = settle(&server)?;
    let mut http = server.signed_in(&server.owner_key)?;
    let mut times: [Histogram<u64>; PAGES.len()] = std::array::from_fn(|_| histogram());
    let mut bytes = [0; PAGES.len()];
    for _ in 0..ROUNDS {
        for (((words, path), times), bytes) in PAGES.iter().zip(&mut times).zip(&mut bytes) {
            let path = ids.iter().fold((*path).to_owned(), |path, (word, id)| path.replace(word, id));
            let begun = Instant::now();
            let reply = http.send_with("GET", &path, &[], &Value::Null)?;
            note(times, begun.elapsed());
            ensure!(reply.status == 200, "{words}: {}", reply.status);
            *bytes = reply.body.len();
        }
    }
    let title = format!(
        "Pages of the console, {TOKENS} service tokens, {GROUPS} groups, {GROUPS} projects (target 100 ms)"
    );
    table(&title, &["page", "KiB", "p50", "p90", "p99"]);
    for (((words, _), times), bytes) in PAGES.iter().zip(&times).zip(bytes) {
        let size = (bytes / 1024).to_string();
        row(&[(*words).to_owned(), size, quantile(times, 0.5), quantile(times, 0.9), quantile(times, 0.99)]);
    }
    Ok(())
}

/// Every group has a grant and ten tokens. The ids of the last token, group and project.
fn settle(server: &Server) -> Result<Vec<(&'static str, String)>> {
    let names = |kind: &'static str, count: usize| -> Vec<Value> {
        let made =
            (0..count).map(|index| json!({"name": format!("{kind}-{index}"), "labels": {"env": "dev"}}));
        made.map(|mut body| {
            if kind != "project" {
                body.as_object_mut().map(|body| body.remove("labels"));
            }
            json!({"method": "POST", "path": format!("/v1/{kind}s"), "body": body})
        })
        .collect()
    };
    let tokens = make(server, &names("token", TOKENS))?;
    let groups = make(server, &names("group", GROUPS))?;
    let projects = make(server, &names("project", GROUPS))?;
    let members = tokens.iter().zip(groups.iter().cycle()).map(|(token, group)| {
        json!({"method": "POST", "path": format!("/v1/groups/{group}/members"), "body": {"member": {"type": "token", "id": token}}})
    });
    make(server, &members.collect::<Vec<_>>())?;
    let grants = groups.iter().zip(&projects).map(|(group, project)| {
        let on = json!({"object": {"type": "project", "id": project}});
        json!({"method": "POST", "path": "/v1/grants", "body": {"to": {"type": "group", "id": group}, "role": "Engineer", "on": on}})
    });
    make(server, &grants.collect::<Vec<_>>())?;
    let mut last = Vec::new();
    for (word, made) in [("TOKEN", tokens), ("GROUP", groups), ("PROJECT", projects)] {
        last.push((word, made.last().context("one")?.clone()));
    }
    Ok(last)
}

fn make(server: &Server, commands: &[Value]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for part in commands.chunks(BATCH) {
        let answer = server.call("POST", "/v1/batch", &json!({"commands": part}))?.expect(200)?;
        let results = answer.get("results").and_then(Value::as_array).context("results")?;
        ids.extend(
            results.iter().filter_map(|result| Some(result.pointer("/body/id")?.as_str()?.to_owned())),
        );
    }
    Ok(ids)
}
