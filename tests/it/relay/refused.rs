//! What a relay refuses: streams that are not there, and streams that were made from another history of the journal.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    nats::{Nats, streams::Streams},
    server::Server,
};
use serde_json::json;

use crate::relay::scene::{Scene, relay, until};

/// Runs `grantbook` and gives its exit code and what it said.
fn run(args: &[&str]) -> Result<(i32, String)> {
    let ended = binary::run(args, &[])?;
    let said = [ended.stdout, ended.stderr].concat();
    Ok((ended.status.code().unwrap_or(-1), String::from_utf8(said)?))
}

#[test]
fn without_its_streams_no_relay_starts_and_is_told_what_to_run() -> Result<()> {
    let nats = Nats::single()?;
    let urls = nats.url();
    let (code, said) = run(&["nats", "prepare", "--nats", &urls])?;
    ensure!(
        code == 1 && said.contains("there is no stream GRANTBOOK: run `grantbook init"),
        "{code}: {said}"
    );
    let (code, said) = run(&["nats", "prepare"])?;
    ensure!(code == 2 && said.contains("give --nats"), "{code}: {said}");
    let args = ["init", "--org", "acme", "--owner", "ada@example.com", "--nats", &urls, "--journal-only"];
    ensure!(run(&args)?.0 == 0, "init");
    let serve = ["serve", "read", "--relay", "--nats", &urls, "--listen", "127.0.0.1:0", "--data"];
    let data = tempfile::tempdir()?;
    let data = data.path().to_str().context("a plain path")?;
    let (code, said) = run(&[&serve[..], &[data]].concat())?;
    ensure!(code == 1 && said.contains("there is no stream GRANTBOOK_EVENTS"), "{code}: {said}");
    ensure!(said.contains("run `grantbook nats prepare"), "{said}");
    let (code, said) = run(&["doctor", "--nats", &urls])?;
    ensure!(code == 0 && said.contains("warn     GRANTBOOK_EVENTS is not there"), "{code}: {said}");
    for state in ["made", "as it must be"] {
        let (code, said) = run(&["nats", "prepare", "--nats", &urls])?;
        ensure!(code == 0 && said.lines().count() == 4 && said.contains(state), "{code}: {said}");
    }
    // Only who has a view, and streams, can relay.
    for part in [&["serve", "command", "--nats", urls.as_str()][..], &["serve", "all"]] {
        let (code, said) = run(&[part, &["--relay", "--data", data]].concat())?;
        ensure!(code == 2 && said.contains("--relay"), "{code}: {said}");
    }
    Ok(())
}

/// The journal's text as it is now.
fn export(nats: &Nats, to: &std::path::Path) -> Result<()> {
    let (code, said) =
        run(&["journal", "export", "--nats", &nats.url(), "--output", to.to_str().context("a plain path")?])?;
    ensure!(code == 0, "{said}");
    Ok(())
}

/// Puts an older text in the journal's place.
fn restore(nats: &Nats, streams: &Streams, from: &std::path::Path) -> Result<()> {
    streams.done("STREAM.DELETE.GRANTBOOK", &json!({}))?;
    let (code, said) = run(&[
        "journal",
        "import",
        "--nats",
        &nats.url(),
        "--input",
        from.to_str().context("a plain path")?,
    ])?;
    ensure!(code == 0, "{said}");
    Ok(())
}

#[test]
fn a_stream_that_is_ahead_of_a_journal_restored_from_an_older_copy_is_refused() -> Result<()> {
    let mut scene = Scene::start(Nats::single()?, 1)?;
    let dir = tempfile::tempdir()?;
    let text = dir.path().join("older");
    let token =
        |server: &Server, name: &str| server.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(201);
    token(&scene.command, "one")?;
    export(&scene.nats, &text)?;
    token(&scene.command, "two")?;
    scene.settled()?;
    scene.relays.clear();
    scene.command.kill()?;
    // The command service, too, remembers what it saw, at most a second late: this is about what the relay finds.
    std::fs::remove_file(scene.command.data().join("journal-head.json")).unwrap_or_default();
    restore(&scene.nats, &scene.streams, &text)?;
    let refused = relay(&scene.command).map(drop).unwrap_err().to_string();
    ensure!(refused.contains("restored from an older copy"), "{refused}");
    ensure!(refused.contains("frame 3 of the journal, which ends at 2"), "{refused}");
    let told = scene.doctor(&[])?.to_string();
    ensure!(told.contains("up to frame 3 of a journal that ends at 2"), "{told}");
    // Once the journal has grown as long as it was, its frames still are not those that were told of.
    scene.command.spawn()?;
    token(&scene.command, "other")?;
    scene.relays.push(relay(&scene.command)?);
    let state = until(|| scene.state_of(0, "GRANTBOOK_EVENTS"), |state| state == "broken")?;
    let ready = scene.ready_of(0)?;
    ensure!(
        ready["relay"][0]["reason"].to_string().contains("exchanged for another copy"),
        "{state}: {ready}"
    );
    ensure!(ready["ready"] == true, "reads are answered: {ready}");
    let (code, said) = run(&["doctor", "--nats", &scene.nats.url(), "--node", scene.relays[0].base()])?;
    ensure!(code == 1 && said.contains("GRANTBOOK_EVENTS broken"), "{said}");
    // Begun anew, it tells the whole journal that is.
    scene.relays.clear();
    for stream in ["GRANTBOOK_EVENTS", "GRANTBOOK_CHANGES"] {
        scene.streams.done(&format!("STREAM.DELETE.{stream}"), &json!({}))?;
    }
    let (code, said) = run(&["nats", "prepare", "--nats", &scene.nats.url()])?;
    ensure!(code == 0, "{said}");
    scene.relays.push(relay(&scene.command)?);
    scene.settled().map(drop)
}
