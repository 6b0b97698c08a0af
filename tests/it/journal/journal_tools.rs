//! `grantbook journal` and `grantbook doctor`: whole journals, verified, carried from one store to another, and looked at.

use std::{fs, path::Path, process::Output};

use anyhow::{Context, Result, ensure};
use grantbook_journal::{
    Journal,
    embedded::EmbeddedJournal,
    jetstream::{JetStreamJournal, NatsOptions},
};
use grantbook_tests::{binary, nats, nats::Nats, org::Story, server::Server};
use serde_json::{Value, json};

fn run(args: &[&str]) -> Result<Output> {
    binary::run(args, &[])
}

/// Standard output of what must succeed.
fn good(args: &[&str]) -> Result<String> {
    let output = run(args)?;
    ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// What is said by what must fail.
fn bad(args: &[&str]) -> Result<String> {
    let output = run(args)?;
    ensure!(output.status.code() == Some(1), "{args:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stderr)? + &String::from_utf8(output.stdout)?)
}

/// An installation with some history, not running.
fn settled() -> Result<(Server, Story)> {
    let mut server = Server::start()?;
    let story = Story::tell(&server)?;
    for number in 0..20 {
        server.call("POST", "/v1/tokens", &json!({"name": format!("t{number}")}))?.expect(201)?;
    }
    ensure!(server.terminate()?.success());
    Ok((server, story))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[test]
fn a_journal_goes_to_nats_and_back_and_stays_the_same() -> Result<()> {
    let (server, story) = settled()?;
    let (nats, dir) = (Nats::single()?, tempfile::tempdir()?);
    let (data, url) = (text(server.data()).to_owned(), nats.url());
    let exported = good(&["journal", "export", "--data", &data])?;
    let verified: Value = serde_json::from_str(&good(&["--json", "journal", "verify", "--data", &data])?)?;
    assert_eq!((verified["violations"].clone(), verified["guards"].clone()), (json!([]), json!(0)));

    let copied: Value =
        serde_json::from_str(&good(&["--json", "journal", "copy", "--from", &data, "--to", &url])?)?;
    assert_eq!(copied["organizations"], verified["organizations"]);
    assert_eq!(copied["guards"], verified["frames"], "every copied frame has its guard");
    assert_eq!(good(&["journal", "export", "--nats", &url])?, exported, "to the last byte");
    let again = bad(&["journal", "copy", "--from", &data, "--to", &url])?;
    assert!(again.contains("holds a journal already"), "{again}");

    // The copy is served, with the same keys and at the same positions.
    let mut copy = server.over(&url)?;
    copy.spawn()?;
    assert!(story.may(&copy, "update", &story.staging)? && !story.may(&copy, "update", &story.production)?);
    ensure!(copy.terminate()?.success());

    let back = dir.path().join("back");
    good(&["journal", "copy", "--from", &url, "--to", text(&back)])?;
    assert_eq!(
        good(&["journal", "export", "--data", text(&back)])?,
        good(&["journal", "export", "--nats", &url])?
    );
    let file = dir.path().join("export.ndjson");
    fs::write(&file, &exported)?;
    let imported = dir.path().join("imported");
    good(&["journal", "import", "--input", text(&file), "--data", text(&imported)])?;
    assert_eq!(good(&["journal", "export", "--data", text(&imported)])?, exported);
    // As versions before 2 of the format wrote it.
    let old = exported.replacen("\"grantbook_export\":2", "\"grantbook_export\":1", 1);
    let (old, counted) = (old.replacen(",\"foreign\":{\"count\":0,\"last\":0}", "", 1), old.len());
    assert!(old.len() < counted, "the end of a text of format 1 does not count foreign messages");
    fs::write(&file, &old)?;
    let of_old = dir.path().join("of-old");
    good(&["journal", "import", "--input", text(&file), "--data", text(&of_old)])?;
    assert_eq!(good(&["journal", "export", "--data", text(&of_old)])?, exported);
    Ok(())
}

#[test]
fn a_text_that_is_not_whole_makes_no_journal() -> Result<()> {
    let (server, _) = settled()?;
    let dir = tempfile::tempdir()?;
    let exported = good(&["journal", "export", "--data", text(server.data())])?;
    let lines: Vec<&str> = exported.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(3, 4);
        joined(&lines)
    };
    let twice = {
        let mut lines = lines.clone();
        lines.insert(3, lines[3]);
        joined(&lines)
    };
    let without = {
        let mut lines = lines.clone();
        lines.remove(3);
        joined(&lines)
    };
    for (number, (fault, edited)) in [
        ("the text ends before its last line", joined(&lines[..lines.len() - 1])),
        ("cut off", exported.chars().take(exported.chars().count() - 9).collect()),
        ("line 4", swapped),
        ("line 5: the frame comes twice", twice),
        ("line 4", without),
        ("line 2", exported.replacen("acme", "acne", 1)),
        ("the text goes on behind its last line", format!("{exported}{{}}\n")),
        ("line 1", String::new()),
        ("line 1", exported.replacen("\"grantbook_export\":2", "\"grantbook_export\":3", 1)),
    ]
    .into_iter()
    .enumerate()
    {
        let (file, data) = (dir.path().join("edited"), dir.path().join(number.to_string()));
        fs::write(&file, edited)?;
        let said = bad(&["journal", "import", "--input", text(&file), "--data", text(&data)])?;
        assert!(said.contains(fault), "{fault}: {said}");
        let refused = bad(&["serve", "--data", text(&data), "--listen", "127.0.0.1:0"])?;
        assert!(refused.contains("run `grantbook init` first"), "{refused}");
    }
    Ok(())
}

#[test]
fn a_copy_that_was_cut_off_is_not_served_and_goes_on() -> Result<()> {
    let (server, _) = settled()?;
    let nats = Nats::single()?;
    let (data, url) = (text(server.data()).to_owned(), nats.url());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let source = EmbeddedJournal::open(server.data())?;
        let options = NatsOptions::new(nats.urls());
        let mut into = JetStreamJournal::copy_into(&options, source.identity(), None).await?;
        for sequence in 1..=7 {
            into.take(&[source.read_one(sequence).await?.context("a frame")?]).await?;
        }
        anyhow::Ok(())
    })?;
    for part in ["read", "command"] {
        let refused = bad(&["serve", part, "--nats", &url, "--listen", "127.0.0.1:0"])?;
        assert!(refused.contains("a copy into the stream GRANTBOOK has not been finished"), "{refused}");
    }
    let copied = good(&["journal", "copy", "--from", &data, "--to", &url])?;
    assert!(copied.contains("copied and compared"), "{copied}");
    assert_eq!(good(&["journal", "export", "--nats", &url])?, good(&["journal", "export", "--data", &data])?);
    let other = Server::init()?;
    let foreign = bad(&["journal", "copy", "--from", text(other.data()), "--to", &url])?;
    assert!(foreign.contains("holds a journal already"), "{foreign}");
    Ok(())
}

#[test]
fn the_doctor_says_what_is_unsafe() -> Result<()> {
    let lazy = Nats::start_with(&nats::NatsOptions { sync_always: false, ..nats::NatsOptions::default() })?;
    let server = Server::start_over(&lazy.url())?;
    let (url, monitor) = (lazy.url(), lazy.monitor_url(0));
    let ask = |args: &[&str]| -> Result<(i32, Value)> {
        let all: Vec<&str> =
            ["--json", "doctor", "--nats", &url].into_iter().chain(args.iter().copied()).collect();
        let output = run(&all)?;
        let told = serde_json::from_slice(&output.stdout)
            .context(String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((output.status.code().unwrap_or(-1), told))
    };
    let status = |told: &Value, check: &str| -> String {
        let found = told.as_array().and_then(|all| all.iter().find(|one| one["check"] == check).cloned());
        found.map_or_else(|| "absent".to_owned(), |one| one["status"].as_str().unwrap_or_default().to_owned())
    };
    let (code, told) = ask(&["--node", server.base()])?;
    assert_eq!(code, 0, "{told}");
    for check in [
        "connection",
        "version",
        "api level",
        "max_payload",
        "replicas",
        "configuration",
        "identity",
        "messages",
        "clock",
        "may read",
        "may publish",
        "lag",
    ] {
        assert_eq!(status(&told, check), "ok", "{check}: {told}");
    }
    assert_eq!(
        (status(&told, "sync"), status(&told, "may delete")),
        ("unknown".to_owned(), "warn".to_owned())
    );
    let (code, told) = ask(&["--monitor", &monitor])?;
    assert_eq!((code, status(&told, "sync")), (1, "unsafe".to_owned()), "{told}");
    let (code, told) = ask(&["--node", "http://127.0.0.1:1"])?;
    assert_eq!((code, status(&told, "lag")), (1, "unsafe".to_owned()), "{told}");
    let always = Nats::single()?;
    let (url, monitor) = (always.url(), always.monitor_url(0));
    let nothing = bad(&["doctor", "--nats", &url, "--monitor", &monitor])?;
    assert!(nothing.contains("ok       sync") && nothing.contains("unsafe   stream"), "{nothing}");
    let (embedded, _) = settled()?;
    assert!(good(&["doctor", "--data", text(embedded.data())])?.contains("ok       journal"));
    Ok(())
}
