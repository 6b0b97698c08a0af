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
    /// Its id.
    key: String,
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
    Ok(Scene { nats, first, command, revoked, key, backup })
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
    assert!(command.log().contains("a rollback before this start cannot be detected"), "{}", command.log());
    command.call("POST", "/v1/tokens", &json!({"name": "t"}))?.expect(201)?;
    ensure!(command.terminate()?.success());
    let known: Value = serde_json::from_slice(&fs::read(command.data().join("journal-head.json"))?)?;
    assert_eq!(known["end"]["sequence"], 2, "{known}");
    command.spawn()?;
    assert_eq!(command.log().matches("cannot be detected").count(), 1, "it is known by now");
    Ok(())
}

/// What accepting prints, with `--json`.
fn accept(args: &[&str]) -> Result<Value> {
    let args = [&["--json", "--reason", "the disk was lost", "journal", "accept-rollback"], args].concat();
    let done = binary::run(&args, &[])?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(serde_json::from_slice(&done.stdout)?)
}

fn sequence_of(position: &Value) -> Result<u64> {
    position["end"]["sequence"].as_u64().context("a sequence")
}

#[test]
fn an_operator_goes_on_above_what_was_lost_in_nats() -> Result<()> {
    let mut scene = scene()?;
    let mut node = scene.first.another("read")?;
    let deadline = Instant::now() + LIMIT;
    while node.call("GET", "/v1/tokens", &Value::Null)?.json()["items"].as_array().is_none_or(Vec::is_empty) {
        ensure!(Instant::now() < deadline, "the node does not catch up");
    }
    ensure!(node.terminate()?.success() && scene.command.terminate()?.success());
    scene.restore()?;
    let kept = scene.messages()?;
    let (lost, url) = (kept + 2, scene.nats.url());
    let data = scene.command.data().to_str().context("a plain path")?.to_owned();
    let view = node.data().join("view.redb").to_str().context("a plain path")?.to_owned();
    let args = ["--nats", &url, "--data", &data, "--view", &view];
    let without = binary::run(&[&["journal", "accept-rollback"], &args[..]].concat(), &[])?;
    assert_eq!(without.status.code(), Some(2), "it needs a reason");
    let looked = accept(&[&args[..], &["--dry-run"]].concat())?;
    let first = &looked["events"]["listed"][0];
    assert_eq!((&first["event"], &first["ends_access"]), (&json!("KeyRevoked"), &json!(true)), "{looked}");
    assert!(
        first["about"].as_str().is_some_and(|about| about.ends_with("of user:ada@example.com")),
        "{first}"
    );
    assert_eq!(scene.messages()?, kept, "nothing was done");
    let done = accept(&args)?;
    assert_eq!((&done["kept"], &done["lost"]), (&json!(kept), &json!(lost)), "{done}");
    assert_eq!(
        (&done["burned"], &done["organizations"], &done["events"]["ends"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(scene.messages()?, lost + 1, "two burned sequences and a record");

    // It goes on above them: what was revoked is revoked again, under a new position.
    scene.command.spawn()?;
    let revoked = scene.revoked.clone();
    assert_eq!(scene.write_as(&revoked, "again")?.0, 201, "the key works again, as the list said");
    let again = scene.command.call("DELETE", &format!("/v1/keys/{}", scene.key), &Value::Null)?;
    let position = again.header("grantbook-position").context("a position")?.to_owned();
    assert_eq!(scene.write_as(&revoked, "more")?.0, 401);
    assert_eq!(scene.messages()?, lost + 3);

    // A view that holds what was lost is not read; one that is filled anew is.
    node.spawn()?;
    let ready = node.http()?.send("GET", "/readyz", &Value::Null)?.json();
    let why = ready["reason"].as_str().unwrap_or_default();
    assert!(why.contains("remove view.redb"), "{ready}");
    ensure!(node.terminate()?.success());
    fs::remove_file(&view)?;
    node.spawn()?;
    let mut http = node.http()?.as_bearer(&node.owner_key);
    let audit =
        http.send_at(&position, "GET", "/v1/audit?event=RollbackAccepted", &Value::Null)?.expect(200)?;
    let records = audit["items"].as_array().context("records")?;
    assert_eq!(records.len(), 1, "{audit}");
    assert_eq!(
        (&records[0]["reason"], &records[0]["actor"]["type"]),
        (&json!("the disk was lost"), &json!("operator"))
    );
    assert!(node.call("GET", "/v1/whoami", &Value::Null)?.status == 200);
    let known: Value = serde_json::from_slice(&fs::read(scene.command.data().join("journal-head.json"))?)?;
    assert!(sequence_of(&known)? > lost);
    Ok(())
}

#[test]
fn an_operator_goes_on_above_what_was_lost_in_a_file() -> Result<()> {
    let mut server = Server::start()?;
    let made = server.call("POST", "/v1/tokens", &json!({"name": "ci"}))?.expect(201)?;
    let token = made["id"].as_str().context("an id")?.to_owned();
    ensure!(server.terminate()?.success());
    let journal = server.data().join("journal.redb");
    let yesterday = server.outer().join("yesterday");
    fs::copy(&journal, &yesterday)?;
    server.spawn()?;
    let deleted = server.call("DELETE", &format!("/v1/tokens/{token}"), &Value::Null)?;
    let position = deleted.header("grantbook-position").context("a position")?.to_owned();
    server
        .http()?
        .as_bearer(&server.owner_key)
        .send_at(&position, "GET", "/v1/tokens", &Value::Null)?
        .expect(200)?;
    ensure!(server.terminate()?.success());
    fs::copy(&yesterday, &journal)?;
    let data = server.data().to_str().context("a plain path")?.to_owned();
    let doctor = binary::run(&["doctor", "--data", &data], &[])?;
    let said = String::from_utf8(doctor.stdout)?;
    assert!(said.contains("unsafe   head") && said.contains("accept-rollback"), "{said}");
    for reason in ["the disk \u{202e}was lost", server.owner_key.get(29..72).context("a secret")?] {
        for more in [&["--dry-run"][..], &[]] {
            let args = [&["--reason", reason, "journal", "accept-rollback", "--data", &data], more].concat();
            let refused = binary::run(&args, &[])?;
            let said = String::from_utf8(refused.stderr)?;
            assert!(!refused.status.success() && said.contains("the reason must not contain"), "{said}");
        }
    }
    let verified = binary::run(&["--json", "journal", "verify", "--data", &data], &[])?;
    let verified: Value = serde_json::from_slice(&verified.stdout)?;
    assert_eq!(verified["head"], 2, "nothing was burned");
    let args = ["--reason", "the disk was lost", "journal", "accept-rollback", "--data", &data];
    let done = binary::run(&args, &[])?;
    let said = String::from_utf8(done.stdout)?;
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let summary = "Kept up to sequence 2; sequences 3 to 3 are burned (1 now); new records start after 3; recorded in 1 organization.";
    assert!(said.contains(summary), "{said}");
    let took = said.lines().find(|line| line.starts_with("took")).context("what took access away")?;
    assert!(
        took.contains("TokenDeleted") && took.contains("ci") && took.ends_with("by user:ada@example.com"),
        "{took}"
    );
    let doctor = binary::run(&["doctor", "--data", &data], &[])?;
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    let verified = binary::run(&["journal", "verify", "--data", &data], &[])?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    server.spawn()?;
    let again = server.call("DELETE", &format!("/v1/tokens/{token}"), &Value::Null)?;
    let new = again.header("grantbook-position").context("a position")?.to_owned();
    assert_ne!(new, position, "no position names two records");
    let reading = server
        .http()?
        .as_bearer(&server.owner_key)
        .send_at(&new, "GET", "/v1/audit", &Value::Null)?
        .expect(200)?;
    let text = reading.to_string();
    assert!(text.contains("RollbackAccepted") && text.contains("the disk was lost"), "{text}");
    let again = binary::run(&args, &[])?;
    assert!(!again.status.success());
    Ok(())
}

/// Until the relay of the node has published all that there is.
fn relayed(node: &Server) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = node.http()?.send("GET", "/readyz", &Value::Null)?.json();
        let lines = told["relay"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_done = |line: &Value| line["lag_frames"] == 0 && line["state"] != "broken";
        if told["ready"] == true && !lines.is_empty() && lines.iter().all(is_done) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the relay does not come to the end: {told}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn last_event(nats: &Nats) -> Result<(u64, String)> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = async_nats::connect(nats.urls()).await?;
        let info = client.request("$JS.API.STREAM.INFO.GRANTBOOK_EVENTS", "".into()).await?;
        let info: Value = serde_json::from_slice(&info.payload)?;
        let last = info["state"]["last_seq"].as_u64().context("a last message")?;
        let asked = json!({ "seq": last }).to_string();
        let message = client.request("$JS.API.STREAM.MSG.GET.GRANTBOOK_EVENTS", asked.into()).await?;
        let message: Value = serde_json::from_slice(&message.payload)?;
        Ok((last, message["message"]["subject"].as_str().context("its subject")?.to_owned()))
    })
}

/// Of all streams only the journal's is older: subscribers were told what it no longer holds. The relay says so, and begins anew
/// with streams that were made anew.
#[test]
fn a_relay_begins_anew_where_subscribers_were_told_what_was_lost() -> Result<()> {
    let mut scene = scene()?;
    let mut node = scene.first.another_stopped("read")?;
    node.set_env("GRANTBOOK_RELAY", "true");
    node.spawn()?;
    relayed(&node)?;
    ensure!(node.terminate()?.success() && scene.command.terminate()?.success());
    scene.nats.stop(0)?;
    let stream = |store: &std::path::Path| store.join("jetstream/$G/streams/GRANTBOOK");
    restore(&stream(&scene.backup.path().join("store")), &stream(&scene.nats.store_dir(0)))?;
    scene.nats.start(0)?;
    let (data, url) = (scene.command.data().to_str().context("a plain path")?.to_owned(), scene.nats.url());
    accept(&["--nats", &url, "--data", &data])?;
    scene.command.spawn()?;
    fs::remove_file(node.data().join("view.redb"))?;
    node.spawn()?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = node.http()?.send("GET", "/readyz", &Value::Null)?.json();
        let line = &told["relay"][0];
        if line["state"] == "broken" {
            assert!(line["reason"].as_str().is_some_and(|why| why.contains("another frame")), "{line}");
            break;
        }
        ensure!(Instant::now() < deadline, "the relay goes on: {told}");
        thread::sleep(Duration::from_millis(50));
    }
    ensure!(node.terminate()?.success());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = async_nats::connect(scene.nats.urls()).await?;
        for stream in ["GRANTBOOK_EVENTS", "GRANTBOOK_CHANGES"] {
            client.request(format!("$JS.API.STREAM.DELETE.{stream}"), "".into()).await?;
        }
        anyhow::Ok(())
    })?;
    let prepared = binary::run(&["nats", "prepare", "--nats", &url], &[])?;
    ensure!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
    node.spawn()?;
    relayed(&node)?;
    let (_, subject) = last_event(&scene.nats)?;
    assert!(subject.ends_with("RollbackAccepted"), "{subject}");
    Ok(())
}

/// A backup that is older than what the directory saw is imported, and not written to.
#[test]
fn an_import_that_is_older_than_what_was_seen_is_warned_of() -> Result<()> {
    let mut server = Server::init()?;
    let data = server.data().to_str().context("a plain path")?.to_owned();
    let export = server.outer().join("export.ndjson");
    let export = export.to_str().context("a plain path")?;
    let exported = binary::run(&["journal", "export", "--data", &data, "--output", export], &[])?;
    ensure!(exported.status.success());
    server.spawn()?;
    server.call("POST", "/v1/tokens", &json!({"name": "ci"}))?.expect(201)?;
    ensure!(server.terminate()?.success());
    fs::remove_file(server.data().join("journal.redb"))?;
    let imported = binary::run(&["journal", "import", "--data", &data, "--input", export], &[])?;
    let said = String::from_utf8(imported.stderr)?;
    assert!(imported.status.success() && said.contains("ends at sequence 1, not at 2"), "{said}");
    server.spawn()?;
    let refused = server.call("POST", "/v1/tokens", &json!({"name": "fork"}))?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("journal_doubted")));
    // Into a directory that saw nothing of it, it is as good as new.
    let elsewhere = tempfile::tempdir()?;
    let other = elsewhere.path().join("data");
    let other = other.to_str().context("a plain path")?;
    let imported = binary::run(&["journal", "import", "--data", other, "--input", export], &[])?;
    assert!(imported.status.success() && imported.stderr.is_empty());
    let known: Value = serde_json::from_slice(&fs::read(elsewhere.path().join("data/journal-head.json"))?)?;
    assert_eq!(known["end"]["sequence"], 1);
    Ok(())
}
