//! Getting in: TLS, passwords, nkeys and credentials files, and no more permissions than docs/operating.md names.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    nats::{Nats, NatsOptions, identity, identity::Certificates},
    server::Server,
};
use serde_json::{Value, json};

use crate::relay::python;

/// A server that is started with further lines of configuration.
fn nats(config: String) -> Result<Nats> {
    Nats::start_with(&NatsOptions { config, ..NatsOptions::default() })
}

/// The options of a process, as the environment variables that everything understands.
type Env<'a> = Vec<(&'a str, &'a str)>;

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A write over the command service is seen on the read node.
fn works(command: &Server, read: &Server) -> Result<()> {
    let made = command.call("POST", "/v1/tokens", &json!({"name": "t"}))?;
    let position = made.header("grantbook-position").context("a position")?.to_owned();
    let id = made.expect(201)?["id"].as_str().context("an id")?.to_owned();
    let mut http = read.http()?.as_bearer(&read.owner_key);
    http.send_at(&position, "GET", &format!("/v1/tokens/{id}"), &Value::Null)?.expect(200)?;
    Ok(())
}

/// With these options everything works; without them the servers let nobody in, and no secret is told.
fn only_with(nats: &str, env: &Env<'_>, without: &Env<'_>, secret: &str) -> Result<()> {
    let args = ["init", "--org", "acme", "--owner", "ada@example.com", "--nats", nats];
    let refused = binary::run(&args, without)?;
    ensure!(refused.status.code() == Some(1), "init ended with {}", refused.status);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(said.contains("cannot connect to"), "{said}");
    ensure!(secret.is_empty() || !said.contains(secret), "a secret is told: {said}");
    let first = Server::init_over_as(nats, env)?;
    let (command, read) = (first.another("command")?, first.another("read")?);
    works(&command, &read)?;
    ensure!(secret.is_empty() || !(command.log() + &read.log()).contains(secret), "a secret is logged");
    Ok(())
}

#[test]
fn over_tls_with_certificates_on_both_sides() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let Certificates { authority, server, client } = Certificates::make(dir.path())?;
    let nats = nats(format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        server.0.display(),
        server.1.display(),
        authority.display()
    ))?;
    let ours = vec![("GRANTBOOK_NATS_CERT", text(&client.0)), ("GRANTBOOK_NATS_CERT_KEY", text(&client.1))];
    let trusted = vec![("GRANTBOOK_NATS_TLS", "true"), ("GRANTBOOK_NATS_CA", text(&authority))];
    let all = [trusted.clone(), ours.clone()].concat();
    // Neither a server that nobody vouches for, nor a client that does not show who it is.
    only_with(&nats.url(), &all, &ours, "")?;
    let args = ["doctor", "--nats", &nats.url()];
    ensure!(binary::run(&args, &all)?.status.success(), "the doctor gets in");
    ensure!(binary::run(&args, &trusted)?.status.code() == Some(1), "a client without a certificate");
    Ok(())
}

/// Whoever asks for TLS gets no connection without it.
#[test]
fn a_connection_without_tls_is_refused_where_it_is_required() -> Result<()> {
    let plain = Nats::single()?;
    let url = plain.url();
    let args = ["init", "--org", "acme", "--owner", "a@b", "--nats", &url];
    let refused = binary::run(&args, &[("GRANTBOOK_NATS_TLS", "true")])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("cannot connect to"), "{said}");
    Ok(())
}

#[test]
fn with_user_and_password() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let nats = nats("authorization { users: [ { user: ada, password: hidden-word } ] }".to_owned())?;
    let right = identity::write(dir.path(), "right", "hidden-word\n")?;
    let wrong = identity::write(dir.path(), "wrong", "other-hidden-word\n")?;
    let with = |file| vec![("GRANTBOOK_NATS_USER", "ada"), ("GRANTBOOK_NATS_PASSWORD_FILE", text(file))];
    only_with(&nats.url(), &with(&right), &with(&wrong), "hidden-word")
}

#[test]
fn with_an_nkey() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (public, seed) = identity::nkey(dir.path())?;
    let secret = std::fs::read_to_string(&seed)?;
    let nats = nats(format!("authorization {{ users: [ {{ nkey: {public} }} ] }}"))?;
    only_with(&nats.url(), &vec![("GRANTBOOK_NATS_NKEY", text(&seed))], &Vec::new(), &secret)
}

#[test]
fn with_a_credentials_file() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (config, file) = identity::credentials(dir.path())?;
    let nats = nats(config)?;
    only_with(&nats.url(), &vec![("GRANTBOOK_NATS_CREDS", text(&file))], &Vec::new(), "")
}

/// The permissions that the table of docs/operating.md names, by who needs them.
fn documented() -> Result<BTreeMap<String, (Vec<String>, String)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let document = std::fs::read_to_string(path)?;
    let mut found = BTreeMap::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, who, publish, inbox, _] = cells.as_slice() else { continue };
        if inbox.starts_with("`_INBOX") {
            let subjects = publish.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            found.insert((*who).to_owned(), (subjects, inbox.replace('`', "")));
        }
    }
    Ok(found)
}

/// A relay with its own permissions publishes, a subscriber with its own reads that; a mere reader does not relay.
fn relays(nats: &Nats, first: &Server, dir: &Path) -> Result<()> {
    let relay = |user: &str| -> Result<Server> {
        let mut server = first.another_stopped("read")?;
        server.set_env("GRANTBOOK_NATS_USER", user);
        server.set_env("GRANTBOOK_RELAY", "true");
        server.spawn()?;
        Ok(server)
    };
    let refused = relay("read").map(drop).err().context("who may only read does not relay")?.to_string();
    ensure!(refused.to_lowercase().contains("permissions violation"), "{refused}");
    let _relay = relay("relay")?;
    let db = dir.join("events.sqlite");
    let mut subscribe = python("docs/examples/subscribe.py")?;
    subscribe.args(["--until-idle", "--durable", "siem", "--inbox", "_INBOX_SUBSCRIBER", "--db"]).arg(&db);
    subscribe.args(["--nats", &nats.url().replace("nats://", "nats://subscriber:pw@")]);
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut told = String::new();
    while told.lines().count() < 2 {
        ensure!(Instant::now() < deadline, "the subscriber got {told}");
        let ended = subscribe.output()?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        told.push_str(&String::from_utf8(ended.stdout)?);
    }
    ensure!(told.contains("grantbook.TokenCreated"), "{told}");
    Ok(())
}

#[test]
fn the_documented_permissions_are_enough_and_no_more_than_that_is_allowed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let documented = documented()?;
    let subjects = |who: &str| documented.get(who).with_context(|| format!("{who} in {documented:?}"));
    let user = |name: &str, (subjects, inbox): &(Vec<String>, String)| {
        let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
        format!(
            "{{ user: {name}, password: pw, permissions: {{ publish: [{}], subscribe: [\"{inbox}\"] }} }}",
            quoted.join(", ")
        )
    };
    let users = [
        user("operator", subjects("operator")?),
        user("command", subjects("command")?),
        user("read", subjects("read")?),
        user("relay", subjects("relay")?),
        user("subscriber", subjects("subscriber")?),
    ];
    let nats = nats(format!("authorization {{ users: [ {} ] }}", users.join(", ")))?;
    let password = identity::write(dir.path(), "pw", "pw")?;
    let with = |user| vec![("GRANTBOOK_NATS_USER", user), ("GRANTBOOK_NATS_PASSWORD_FILE", text(&password))];
    let first = Server::init_over_as(&nats.url(), &with("operator"))?;
    let start = |part: &str, user: &str| -> Result<Server> {
        let mut server = first.another_stopped(part)?;
        server.set_env("GRANTBOOK_NATS_USER", user);
        server.spawn()?;
        Ok(server)
    };
    let (command, read) = (start("command", "command")?, start("read", "read")?);
    works(&command, &read)?;
    relays(&nats, &first, dir.path())?;
    // A command service that may only read accepts nothing, and says that nothing is certain.
    let lame = start("command", "read")?;
    let refused = lame.call("POST", "/v1/tokens", &json!({"name": "lost"}))?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("outcome_unknown")));
    assert!(lame.log().to_lowercase().contains("permissions violation"), "its log names the reason");

    for (user, publish, delete) in [("command", "ok", "ok"), ("read", "warn", "ok")] {
        let told = binary::run(&["--json", "doctor", "--nats", &nats.url()], &with(user))?;
        let told: Value = serde_json::from_slice(&told.stdout)?;
        let status = |check: &str| {
            let found = told.as_array()?.iter().find(|one| one["check"] == check)?;
            found["status"].as_str().map(str::to_owned)
        };
        assert_eq!(status("may publish").as_deref(), Some(publish), "{user}: {told}");
        assert_eq!(status("may read").as_deref(), Some("ok"), "{user}: {told}");
        assert_eq!(status("may delete").as_deref(), Some(delete), "{user}: {told}");
    }
    Ok(())
}
