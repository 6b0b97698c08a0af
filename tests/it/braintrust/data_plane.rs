//! Rows of logs that were authorized go on to a data plane, as they came and with a key of their own.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    hooks::{Answer, Receiver},
    server::Server,
    wire::Http,
};
use serde_json::{Value, json};

use crate::braintrust::{story::id, wire::ask};

fn key_file(place: &Path, mode: u32) -> Result<String> {
    let path = place.join("data.key");
    fs::write(&path, "sk-data-plane\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    Ok(path.to_str().context("a plain name")?.to_owned())
}

#[test]
fn what_was_authorized_goes_on_as_it_came() -> Result<()> {
    let (receiver, place) = (Receiver::start()?, tempfile::tempdir()?);
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_BRAINTRUST_DATA_URL", &receiver.url("/plane"));
    server.set_env("GRANTBOOK_BRAINTRUST_DATA_KEY_FILE", &key_file(place.path(), 0o600)?);
    server.spawn()?;
    let (base, owner) = (server.base(), server.owner_key.as_str());
    let project = id(&ask(base, owner, "POST", "/v1/project", &json!({"name": "staging"}))?.expect(200)?)?;
    let rows = json!({"rows": [{"project_id": project, "log_id": "g", "input": "x".repeat(6 << 20)}], "api_version": 2});
    receiver.answer(|_| Answer::Status(200, ""));
    ask(base, owner, "POST", "/logs3", &rows)?.expect(200)?;
    let requests = receiver.received();
    let [one] = requests.as_slice() else { anyhow::bail!("{} requests", requests.len()) };
    assert_eq!((one.path.as_str(), one.authorization.as_str()), ("/plane/logs3", "Bearer sk-data-plane"));
    assert_eq!(one.raw, rows.to_string().into_bytes());
    let elsewhere = json!({"rows": [{"project_id": "01890000-0000-7000-8000-000000000000", "log_id": "g"}]});
    assert_eq!(ask(base, owner, "POST", "/logs3", &elsewhere)?.status, 403);
    assert_eq!(receiver.received().len(), 1, "what is denied stays here");
    let small = json!({"rows": [{"project_id": project, "log_id": "g"}]});
    for (answered, status) in
        [(400, 400), (413, 400), (429, 429), (401, 503), (403, 503), (500, 503), (302, 503)]
    {
        receiver.answer(move |_| Answer::Status(answered, ""));
        let reply = ask(base, owner, "POST", "/logs3", &small)?;
        ensure!(reply.status == status, "{answered}: {} {}", reply.status, reply.text_body());
        ensure!(status == 400 || reply.header("retry-after").is_some(), "{answered}");
    }
    // Rows that were taken are taken, however long the data plane talks.
    let head = "HTTP/1.1 200 x\r\nconnection: close\r\n\r\n";
    receiver.answer(move |_| {
        Answer::Endless(head, "so many rows, so many ids, and one more word about each", Duration::ZERO)
    });
    ask(base, owner, "POST", "/logs3", &small)?.expect(200)?;
    let metrics = Http::connect(base)?.send("GET", "/metrics", &Value::Null)?.text_body();
    assert!(metrics.contains("grantbook_braintrust_rows_total{fate=\"passed_on\"} 2\n"), "{metrics}");
    Ok(())
}

#[test]
fn a_data_plane_needs_a_url_and_a_private_key() -> Result<()> {
    let place = tempfile::tempdir()?;
    let server = Server::init()?;
    let data = server.data().to_str().context("a plain name")?;
    let exposed = key_file(place.path(), 0o644)?;
    let url = "http://127.0.0.1:9";
    for (part, args, told) in [
        (
            "all",
            vec!["--braintrust-data-url", url, "--braintrust-data-key-file", exposed.as_str()],
            "chmod 600",
        ),
        ("all", vec!["--braintrust-data-url", url], "--braintrust-data-key-file"),
        (
            "all",
            vec!["--braintrust-data-url", "ftp://h", "--braintrust-data-key-file", &exposed],
            "expected http://",
        ),
        (
            "all",
            vec!["--no-braintrust", "--braintrust-data-url", url, "--braintrust-data-key-file", &exposed],
            "serve Braintrust's clients",
        ),
    ] {
        let all = [&["serve", part, "--data", data, "--listen", "127.0.0.1:0"], &args[..]].concat();
        let (_, said, code) = server.cli(&all)?;
        ensure!(code != 0 && said.contains(told), "{args:?}: {code} {said}");
    }
    Ok(())
}
