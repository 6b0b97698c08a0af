//! The examples of docs/subscribing.md against real servers: killed in the middle, they miss nothing and repeat nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::nats::{Nats, streams::Told};
use serde_json::{Value, json};

use crate::relay::scene::{Scene, until};

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Python with the packages that `make python` fetched.
pub(crate) fn python(script: &str) -> Result<Command> {
    let packages = root().join(".cache/python");
    ensure!(packages.exists(), "{} is not there: run tests/harness/fetch_python.sh", packages.display());
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).arg(root().join(script));
    Ok(command)
}

/// Runs it to its end; what it printed.
fn output(mut command: Command) -> Result<String> {
    let ended = command.output().context("it does not start")?;
    ensure!(ended.status.success(), "{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    Ok(String::from_utf8(ended.stdout)?)
}

/// Runs it until it has come so far, then kills it.
fn killed(mut command: Command, is_far: impl Fn() -> Result<bool>) -> Result<()> {
    let mut child: Child = command.stdout(Stdio::null()).spawn().context("it does not start")?;
    let far = until(is_far, |far| *far);
    child.kill()?;
    child.wait()?;
    far.map(drop)
}

/// A scene whose events stream is whole.
fn told() -> Result<(Scene, Vec<Told>)> {
    let mut scene = Scene::start(Nats::single()?, 1)?;
    scene.under_load(|_, load| load.progress(60))?;
    let told = scene.settled()?;
    Ok((scene, told))
}

/// What a table of the Python example holds, in order.
fn rows(db: &Path) -> Result<Vec<Value>> {
    const QUERY: &str = "import json, sqlite3, sys\n\
        rows = sqlite3.connect(sys.argv[1]).execute('SELECT sequence, source, id, type, data FROM events ORDER BY sequence')\n\
        print(json.dumps([list(row) for row in rows]))";
    let mut command = Command::new("python3");
    command.args(["-c", QUERY]).arg(db);
    Ok(serde_json::from_str(&output(command)?)?)
}

#[test]
fn the_example_in_python_keeps_each_event_once_although_it_is_killed() -> Result<()> {
    let (scene, told) = told()?;
    let dir = tempfile::tempdir()?;
    let db = dir.path().join("events.sqlite");
    let subscribe = |further: &[&str]| -> Result<Command> {
        let mut command = python("docs/examples/subscribe.py")?;
        command.args(["--nats", &scene.nats.url(), "--durable", "siem", "--db"]).arg(&db).args(further);
        Ok(command)
    };
    let len = || -> Result<usize> { Ok(rows(&db)?.len()) };
    for far in [1, told.len() / 3, told.len() / 2] {
        killed(subscribe(&[])?, || Ok(len()? >= far))?;
    }
    output(subscribe(&["--until-idle"])?)?;
    let expected: Vec<Value> = told
        .iter()
        .map(|message| {
            let header = |name| message.header(name);
            json!([
                message.sequence,
                header("ce-source"),
                header("ce-id"),
                header("ce-type"),
                String::from_utf8_lossy(&message.body)
            ])
        })
        .collect();
    assert_eq!(rows(&db)?, expected);

    // One kind of event of one organization.
    let org = scene.command.init["organization"]["id"].as_str().unwrap_or_default();
    let some = dir.path().join("some.sqlite");
    let mut command = python("docs/examples/subscribe.py")?;
    command.args(["--nats", &scene.nats.url(), "--durable", "some", "--org", org, "--event", "TokenCreated"]);
    output({
        command.arg("--until-idle").arg("--db").arg(&some);
        command
    })?;
    let expected: Vec<u64> = told
        .iter()
        .filter(|message| message.subject.ends_with(".TokenCreated"))
        .map(|message| message.sequence)
        .collect();
    let found: Vec<u64> = rows(&some)?.iter().filter_map(|row| row[0].as_u64()).collect();
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn the_example_in_rust_writes_each_event_once_although_it_is_killed() -> Result<()> {
    let (scene, told) = told()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("events.log");
    let subscribe = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subscribe"));
        command.env("NATS_URL", scene.nats.url()).env("GRANTBOOK_URL", scene.relays[0].base());
        command.env("GRANTBOOK_KEY", &scene.command.owner_key).arg(&file);
        command
    };
    let lines = || -> Result<Vec<String>> {
        Ok(std::fs::read_to_string(&file)?.lines().map(str::to_owned).collect())
    };
    for far in [1, told.len() / 3, told.len() / 2, told.len()] {
        killed(subscribe(), || Ok(lines()?.len() >= far))?;
    }
    let expected: Vec<String> = told
        .iter()
        .map(|message| {
            let data = message.json()?;
            let actor = if data["actor"]["type"] == "user" { "ada@example.com" } else { "operator" };
            let name = message.subject.rsplit('.').next().unwrap_or_default();
            Ok(format!("{} {} {actor} {name}", message.sequence, data["at"].as_str().unwrap_or_default()))
        })
        .collect::<Result<_>>()?;
    assert_eq!(lines()?, expected);
    Ok(())
}

#[test]
fn a_parser_of_others_understands_every_message() -> Result<()> {
    let (scene, told) = told()?;
    let mut command = python("tests/it/relay/parse.py")?;
    command.args([&scene.nats.url(), "GRANTBOOK_EVENTS", &told.len().to_string()]);
    let parsed = output(command)?;
    assert_eq!(parsed.lines().count(), told.len());
    for (line, message) in parsed.lines().zip(&told) {
        let event: Value = serde_json::from_str(line)?;
        let attributes: BTreeMap<String, String> = serde_json::from_value(event["attributes"].clone())?;
        for name in ["specversion", "id", "source", "type", "subject", "time", "datacontenttype"] {
            let told = message.header(&format!("ce-{name}"));
            ensure!(attributes.get(name).is_some_and(|value| value == told), "{name}: {event}");
        }
        assert_eq!(event["data"], message.json()?);
    }
    Ok(())
}
