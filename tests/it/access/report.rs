//! An auditor's report through the real binary: as of a day, complete, and however large in bounded memory.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{org::Story, server::Server};
use serde_json::{Value, json};

#[test]
fn an_auditor_gets_a_file_that_is_whole_or_none() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let then = server.call("GET", "/v1/whoami", &Value::Null)?;
    let then = then.header("grantbook-position").context("a position")?.to_owned();
    server.call("DELETE", &format!("/v1/tokens/{}", story.token), &Value::Null)?.expect(200)?;
    let file = server.outer().join("report.csv");
    let path = file.to_str().context("a plain path")?;
    let (out, talk, code) = server.cli(&["report", "--as-of", &then, "--output", path])?;
    ensure!(code == 0 && out.is_empty(), "{talk}");
    ensure!(talk.contains("2 rows of 2 principals") && talk.contains(&then), "{talk}");
    let text = fs::read_to_string(&file)?;
    let lines: Vec<&str> = text.split("\r\n").collect();
    ensure!(lines.len() == 5, "columns, two rows, the end: {text}");
    for words in [
        "token,",
        ",bot,active,create read update delete,",
        "all but: production",
        "all projects except those labelled env=production",
        "Engineer,user:ada@example.com,",
        ",apps may not touch production,",
        ",staging-apps,user:ada@example.com,",
    ] {
        ensure!(lines[2].contains(words), "{words} is missing: {}", lines[2]);
    }
    ensure!(lines[3].starts_with("end,"), "{text}");
    ensure!(!server.outer().join("report.csv.part").exists());
    let (_, talk, code) = server.cli(&["report", "--output", path])?;
    ensure!(code == 2 && talk.contains("is there already"), "{code} {talk}");
    ensure!(fs::read_to_string(&file)? == text, "what is there is left alone");

    let (out, _, code) =
        server.cli(&["--json", "report", "--project", "staging", "--permission", "update"])?;
    let report: Value = serde_json::from_str(&out)?;
    ensure!(code == 0 && report["end"]["rows"] == json!(1), "now only the owner: {out}");
    let (out, talk, code) = server.cli(&["report", "--as-of", "2999-01-01", "--format", "ndjson"])?;
    ensure!(code != 0 && out.is_empty() && talk.contains("future"), "{code} {talk}");
    let (_, talk, code) = server.cli_as(&story.key, &["report"])?;
    ensure!(code != 0, "the bot may not ask: {talk}");
    Ok(())
}

const TOKENS: usize = 400;
const GRANTS: usize = 250;

/// 100,000 rows, of which the server never holds more than a few principals'.
#[test]
fn a_hundred_thousand_rows_stream_in_bounded_memory() -> Result<()> {
    let server = Server::start()?;
    let group = made(&server, "/v1/groups", &json!({"name": "everybody"}))?;
    let project = made(&server, "/v1/projects", &json!({"name": "p"}))?;
    let tokens = (0..TOKENS).flat_map(|number| {
        let create = json!({"method": "POST", "path": "/v1/tokens", "body": {"name": format!("t-{number}")}});
        let member = json!({"type": "token", "id": format!("${}.id", 2 * number)});
        let path = format!("/v1/groups/{group}/members");
        [create, json!({"method": "POST", "path": path, "body": {"member": member}})]
    });
    batch(&server, tokens)?;
    let on = json!({"object": {"type": "project", "id": project}});
    let grants = (0..GRANTS).map(|_| {
        json!({"method": "POST", "path": "/v1/grants", "body":
            {"to": {"type": "group", "id": group}, "role": "Viewer", "on": on, "reason": "x".repeat(500)}})
    });
    batch(&server, grants)?;
    // What is looked up once for many rows is there already when it is measured.
    server.cli(&["report", "--group", "Owners"])?;
    let before = resident_kib(&server)?;
    let file = server.outer().join("large.ndjson");
    let path = file.to_str().context("a plain path")?;
    let (_, talk, code) =
        server.cli(&["report", "--group", "everybody", "--format", "ndjson", "--output", path])?;
    ensure!(code == 0, "{talk}");
    let grown = resident_kib(&server)?.saturating_sub(before) / 1024;
    let text = fs::read_to_string(&file)?;
    let size = text.len() >> 20;
    ensure!(size > 100 && grown < 64, "a report of {size} MiB took {grown} MiB of memory");
    let mut rows = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("{\"principal\"")) {
        let row: Value = serde_json::from_str(line)?;
        rows.insert((row["principal"]["id"].to_string(), row["grant"].to_string()));
    }
    ensure!(rows.len() == TOKENS * GRANTS, "{} different rows", rows.len());
    Ok(())
}

fn made(server: &Server, path: &str, body: &Value) -> Result<String> {
    let made = server.call("POST", path, body)?.expect(201)?;
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

fn batch(server: &Server, commands: impl Iterator<Item = Value>) -> Result<()> {
    let commands: Vec<Value> = commands.collect();
    server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200).map(drop)
}

/// The most memory that the server ever held, in KiB (Linux).
fn resident_kib(server: &Server) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid().context("it runs")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a high water mark")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
