//! What an auditor asks, over the command line: everything Ada ever granted on a project, and the whole log in a file.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{org::Story, server::Server};
use serde_json::{Value, json};

fn run(server: &Server, args: &[&str]) -> Result<String> {
    let (out, err, code) = server.cli(args)?;
    ensure!(code == 0, "{args:?} ended with {code}: {err}");
    Ok(out)
}

/// Everything Ada ever granted on project P, and what of it still holds.
#[test]
#[expect(clippy::too_many_lines, reason = "a story, a step a line")]
fn everything_ada_ever_granted_on_a_project_and_what_of_it_still_holds() -> Result<()> {
    let server = Server::start()?;
    run(&server, &["project", "create", "P", "--label", "env=staging"])?;
    run(&server, &["project", "create", "elsewhere"])?;
    run(&server, &["user", "create", "bob@example.com"])?;
    run(&server, &["group", "add", "Owners", "user:bob@example.com"])?;
    let bob = run(&server, &["user", "key", "bob@example.com"])?.trim().to_owned();
    for token in ["app", "old"] {
        run(&server, &["token", "create", token])?;
    }
    run(&server, &["group", "create", "apps"])?;
    let grant = |rest: &[&str]| -> Result<String> {
        let args = [&["grant", "create"][..], rest].concat();
        Ok(run(&server, &args)?.trim().to_owned())
    };
    let by_rule = grant(&[
        "--to",
        "group:apps",
        "--role",
        "Engineer",
        "--projects",
        "all",
        "--except",
        "label:env=production",
    ])?;
    let revoked = grant(&[
        "--to",
        "token:app",
        "--permissions",
        "read",
        "--object",
        "project:P",
        "--reason",
        "a test",
    ])?;
    let ended = grant(&["--to", "token:old", "--permissions", "read", "--projects", "name:P"])?;
    let lapsed = grant(&["--to", "token:app", "--permissions", "update", "--projects", "label:env=staging"])?;
    let other = grant(&["--to", "token:app", "--permissions", "read", "--object", "project:elsewhere"])?;
    let direct = grant(&["--to", "token:app", "--permissions", "delete", "--projects", "id:P"])?;
    let args = ["grant", "create", "--to", "token:app", "--permissions", "read", "--object", "project:P"];
    let (bobs, err, code) = server.cli_as(&bob, &args)?;
    ensure!(code == 0, "{err}");
    run(&server, &["grant", "revoke", &revoked, "--reason", "over"])?;
    run(&server, &["token", "delete", "old"])?;
    run(&server, &["project", "update", "P", "--label", "env=dev"])?;

    let ask = ["grant", "history", "--by", "user:ada@example.com", "--project", "P"];
    let told: Value = serde_json::from_str(&run(&server, &[&ask[..], &["--json"]].concat())?)?;
    let items = told["items"].as_array().context("items")?;
    let states: Vec<_> = items
        .iter()
        .map(|item| (item["grant"]["id"].as_str(), item["state"].as_str(), item["holds"].as_bool()))
        // The groups that every organization begins with were given theirs by the operator.
        .collect();
    let expected = [
        (&by_rule, "in_force", true),
        (&revoked, "revoked", false),
        (&ended, "grantee_ended", false),
        (&lapsed, "in_force", false),
        (&direct, "in_force", true),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(id, state, holds)| (Some(id.as_str()), Some(*state), Some(*holds))).collect();
    assert_eq!(states, expected);
    let (text, talk, _) = server.cli(&ask)?;
    for words in [
        "group:apps is granted Engineer on all projects except those labelled env=production",
        "by user:ada@example.com at ",
        "with key ",
        "from 127.0.0.1",
        ": \"a test\"",
        "grant revoked by user:ada@example.com",
        ": \"over\"",
        "token deleted by user:ada@example.com",
        "in force, but no longer covers the project",
        "still holds",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    assert!(!text.contains(&other) && !text.contains(bobs.trim()), "{text}");
    assert!(talk.contains("5 granted, 2 of them still hold"), "{talk}");
    let svg = run(&server, &["why", "token:app", "delete", "project:P", "--svg", "-"])?;
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("ALLOW delete"), "{svg}");
    Ok(())
}

/// An export that was interrupted anywhere ends with the same bytes as one that was not.
#[test]
fn an_export_goes_on_where_it_was_interrupted() -> Result<()> {
    let server = Server::start()?;
    Story::tell(&server)?;
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name).to_str().map(str::to_owned).context("a plain name");
    let whole = path("whole")?;
    run(&server, &["audit", "-o", &whole])?;
    let bytes = std::fs::read(&whole)?;
    let lines: Vec<Value> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[1]["events"][0]["type"], "ProjectCreated");
    let again = server.cli(&["audit", "-o", &whole])?;
    assert_eq!(again.2, 2, "a file is not overwritten: {}", again.1);
    let part = path("part")?;
    for cut in (0..=bytes.len()).step_by(97).chain([bytes.len()]) {
        std::fs::write(&part, &bytes[..cut])?;
        run(&server, &["audit", "-o", &part, "--resume"])?;
        ensure!(std::fs::read(&part)? == bytes, "cut at {cut}");
    }
    server.call("POST", "/v1/projects", &json!({"name": "later"}))?.expect(201)?;
    run(&server, &["audit", "-o", &part, "--resume"])?;
    run(&server, &["audit", "-o", &path("anew")?])?;
    ensure!(std::fs::read(&part)? == std::fs::read(path("anew")?)?, "what came since");
    std::fs::write(&part, "something else\n")?;
    let (_, talk, code) = server.cli(&["audit", "-o", &part, "--resume"])?;
    assert_eq!(code, 2, "{talk}");
    assert_eq!(std::fs::read(&part)?, b"something else\n");
    Ok(())
}

/// A stream that breaks off is a failure, and what came is kept.
#[test]
fn a_stream_that_breaks_off_is_told_and_goes_on_later() -> Result<()> {
    let server = Server::start()?;
    Story::tell(&server)?;
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name).to_str().map(str::to_owned).context("a plain name");
    let (whole, part) = (path("whole")?, path("part")?);
    run(&server, &["audit", "-o", &whole])?;
    let bytes = std::fs::read(&whole)?;
    for length in [bytes.len() + 1000, bytes.len() / 2] {
        let _absent_at_first = std::fs::remove_file(&part);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let sent = bytes[..bytes.len() / 2].to_vec();
        let breaking = std::thread::spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut head = [0; 4096];
            let _some = stream.read(&mut head)?;
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
            Ok(stream.write_all(&sent)?)
        });
        let (_, talk, code) = server.cli(&["audit", "-o", &part, "--url", &url])?;
        breaking.join().map_err(|_| anyhow::anyhow!("the thread panicked"))??;
        assert_eq!(code, 1, "{talk}");
        assert!(talk.contains("--resume"), "{talk}");
        ensure!(bytes.starts_with(&std::fs::read(&part)?), "what came is kept");
        ensure!(!std::fs::read(&part)?.is_empty(), "what came is kept");
        run(&server, &["audit", "-o", &part, "--resume"])?;
        ensure!(std::fs::read(&part)? == bytes, "and goes on later");
    }
    Ok(())
}
