//! A stream that was restored from an older backup: nobody writes to it, no key revoked since works, and doctor says so.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    backup::{copy, restore},
    binary,
    nats::Nats,
    server::Server,
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

/// A command service whose broker's files of yesterday were kept, and that went on since.
struct Scene {
    nats: Nats,
    first: Server,
    command: Server,
    /// An owner's key, revoked today.
    revoked: String,
    backup: tempfile::TempDir,
}

fn scene() -> Result<Scene> {
    let mut nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let mut command = first.another("command")?;
    let user = first.init["user"]["id"].as_str().context("the owner")?;
    let issued = command.call("POST", &format!("/v1/users/{user}/keys"), &json!({}))?.expect(201)?;
    let revoked = issued["secret"].as_str().context("a secret")?.to_owned();
    let key = issued["id"].as_str().context("a key")?.to_owned();
    ensure!(command.terminate()?.success());
    nats.stop(0)?;
    let backup = tempfile::tempdir()?;
    copy(&nats.store_dir(0), &backup.path().join("store"))?;
    nats.start(0)?;
    command.spawn()?;
    command.call("DELETE", &format!("/v1/keys/{key}"), &Value::Null)?.expect(200)?;
    command.call("POST", "/v1/tokens", &json!({"name": "today"}))?.expect(201)?;
    Ok(Scene { nats, first, command, revoked, backup })
}

impl Scene {
    /// Yesterday's files in place of today's.
    fn restore(&mut self) -> Result<()> {
        self.nats.stop(0)?;
        restore(&self.backup.path().join("store"), &self.nats.store_dir(0))?;
        self.nats.start(0)
    }

    fn write_as(&self, key: &str, name: &str) -> Result<(u16, String)> {
        let reply = self.command.http()?.as_bearer(key).send("POST", "/v1/tokens", &json!({"name": name}))?;
        let code = reply.json()["code"].as_str().unwrap_or_default().to_owned();
        Ok((reply.status, code))
    }

    fn messages(&self) -> Result<u64> {
        let told = binary::run(&["--json", "journal", "verify", "--nats", &self.nats.url()], &[])?;
        let told: Value = serde_json::from_slice(&told.stdout)?;
        told["head"].as_u64().context("a head")
    }
}

#[test]
fn a_command_service_that_is_started_on_it_takes_no_writes() -> Result<()> {
    let mut scene = scene()?;
    ensure!(scene.command.terminate()?.success());
    scene.restore()?;
    let kept = scene.messages()?;
    scene.command.spawn()?;
    let doubted = (503, "journal_doubted".to_owned());
    let (revoked, owner) = (scene.revoked.clone(), scene.command.owner_key.clone());
    assert_eq!(scene.write_as(&revoked, "fork")?, doubted, "by the revoked key");
    assert_eq!(scene.write_as(&owner, "fork")?, doubted, "by the owner");
    let ready = scene.command.http()?.send("GET", "/readyz", &Value::Null)?;
    let told = ready.json();
    assert_eq!((ready.status, told["state"].as_str()), (503, Some("halted")), "{told}");
    let doubt = told["journal_doubt"].as_str().context("why")?;
    assert!(doubt.contains(&format!("ends at sequence {kept}, not at {}", kept + 2)), "{doubt}");
    assert!(doubt.contains("grantbook journal accept-rollback --reason"), "{doubt}");
    let metrics = scene.command.http()?.send("GET", "/metrics", &Value::Null)?;
    assert!(String::from_utf8(metrics.body)?.contains("\ngrantbook_journal_doubted 1\n"));
    let data = scene.command.data().to_str().context("a plain path")?.to_owned();
    let url = scene.nats.url();
    let doctor = binary::run(&["doctor", "--nats", &url, "--data", &data], &[])?;
    let said = String::from_utf8(doctor.stdout)?;
    assert!(said.contains("unsafe   head"), "{said}");
    for offline in [
        &["org", "create", "--org", "zenith", "--owner", "eve@example.com"][..],
        &["--reason", "lost", "owner", "recover", "--org", "acme", "--owner", "ada@example.com"],
    ] {
        let args = [offline, &["--nats", &url, "--data", &data]].concat();
        let refused = binary::run(&args, &[])?;
        let said = String::from_utf8(refused.stderr)?;
        assert!(!refused.status.success() && said.contains("accept-rollback"), "{said}");
    }
    assert_eq!(scene.messages()?, kept, "nothing was written");
    Ok(())
}

#[test]
fn one_that_sees_it_happen_takes_none_any_more() -> Result<()> {
    let mut scene = scene()?;
    scene.restore()?;
    let kept = scene.messages()?;
    let deadline = Instant::now() + LIMIT;
    let revoked = scene.revoked.clone();
    loop {
        // The key is known to be revoked here, whatever the stream says.
        let (status, code) = scene.write_as(&revoked, "fork")?;
        ensure!(status == 401 || status == 503, "{status} {code}");
        let owner = scene.command.owner_key.clone();
        let (status, code) = scene.write_as(&owner, "fork")?;
        ensure!(status == 503, "{status} {code}");
        if code == "journal_doubted" {
            break;
        }
        ensure!(Instant::now() < deadline, "the journal is believed: {code}");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(scene.messages()?, kept, "nothing was written");
    drop(scene.first);
    Ok(())
}

/// A directory that never saw the stream has nothing to compare it with, and says so.
#[test]
fn who_never_saw_the_journal_says_that_it_knows_nothing() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let kept = first.data().join("journal-head.json");
    ensure!(kept.exists(), "init keeps that its frame is there");
    let mut command = first.another("command")?;
    assert!(command.log().contains("it was not known how far the journal had come"), "{}", command.log());
    command.call("POST", "/v1/tokens", &json!({"name": "t"}))?.expect(201)?;
    ensure!(command.terminate()?.success());
    let known: Value = serde_json::from_slice(&fs::read(command.data().join("journal-head.json"))?)?;
    assert_eq!(known["end"]["sequence"], 2, "{known}");
    command.spawn()?;
    assert_eq!(command.log().matches("it was not known how far").count(), 1, "it is known by now");
    Ok(())
}
