//! The security log: what the executable writes to standard error about refusals, ended keys and reads of history.

use anyhow::{Context, Result};
use grantbook_tests::{org::Story, server::Server};
use serde_json::{Value, json};

const GHOST: &str = "01890000-0000-7000-8000-000000000000";

/// The lines of the log with this kind.
fn lines(server: &Server, kind: &str) -> Vec<String> {
    let wanted = format!("kind=\"{kind}\"");
    let log = server.log();
    let of_target = log.lines().filter(|line| line.contains("grantbook::security"));
    of_target.filter(|line| line.contains(&wanted)).map(str::to_owned).collect()
}

fn assert_holds(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part} in {line}");
    }
}

/// A server that logs as it does by default, apart from this log nothing.
fn quiet() -> Result<Server> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_LOG", "off,grantbook::security=info");
    server.spawn()?;
    Ok(server)
}

#[test]
fn refused_commands_are_logged_with_who_what_and_from_where() -> Result<()> {
    let server = quiet()?;
    let story = Story::tell(&server)?;
    let lonely = server.call("POST", "/v1/tokens", &json!({"name": "lonely"}))?.expect(201)?;
    let id = lonely["id"].as_str().context("an id")?;
    let issued = server.call("POST", &format!("/v1/tokens/{id}/keys"), &json!({}))?.expect(201)?;
    let key = issued["secret"].as_str().context("a key")?;
    let ask = |method: &str, path: &str, body: &Value| server.http()?.as_bearer(key).send(method, path, body);
    assert_eq!(lines(&server, "refused_command"), Vec::<String>::new());

    ask("POST", "/v1/projects", &json!({"name": "x"}))?.expect(403)?;
    let deleted = format!("/v1/grants/{}", story.grant);
    ask("DELETE", &deleted, &Value::Null)?.expect(404)?;
    let commands = [("POST", "/v1/projects"), ("POST", "/v1/projects")]
        .map(|(method, path)| json!({"method": method, "path": path, "body": {"name": "y"}}));
    ask("POST", "/v1/batch", &json!({"commands": commands}))?.expect(403)?;
    ask("DELETE", &format!("/v1/keys/{key}"), &Value::Null)?.expect(404)?;
    // Questions, refused or not, and what the owner does are no part of it.
    ask(
        "POST",
        "/v1/check",
        &json!({"key": story.key, "permission": "read", "object": {"type": "project", "id": GHOST}}),
    )?;
    server.call("POST", "/v1/projects", &json!({"name": "z"}))?.expect(201)?;

    let found = lines(&server, "refused_command");
    assert_eq!(found.len(), 4, "{found:#?}");
    let who = format!("principal=token:{id} key={}", issued["id"].as_str().context("a key's id")?);
    for line in &found {
        assert_holds(line, &["WARN", &who, "peer=127.0.0.1:", "suppressed=0", "request.id="]);
        assert!(!line.contains(key), "{line}");
    }
    let granted = json!({"to": {"type": "token", "id": id}, "role": "Owner", "on": {"organization": true}, "reason": "mine"});
    ask("POST", "/v1/grants", &granted)?.expect(403)?;
    let about = lines(&server, "refused_command").pop().context("a line")?;
    let to = format!("\\\"to\\\":{{\\\"id\\\":\\\"{id}\\\"");
    assert_holds(&about, &["target=\"/v1/grants\"", "\\\"organization\\\":true", "Owner", &to]);
    assert!(!about.contains("mine"), "{about}");
    let [forbidden, hidden, batch, secret] = found.as_slice() else { unreachable!() };
    assert_holds(forbidden, &["method=\"POST\" target=\"/v1/projects\"", "status=403 code=\"forbidden\""]);
    assert_holds(hidden, &[&format!("target=\"{deleted}\""), "status=404 code=\"not_found\""]);
    assert_holds(batch, &["target=\"/v1/batch\"", "pointer=\"/commands/0\""]);
    assert_holds(secret, &["target=\"/v1/keys/{id}\""]);
    Ok(())
}

#[test]
fn keys_that_ended_and_reads_of_history_are_logged() -> Result<()> {
    let server = quiet()?;
    let story = Story::tell(&server)?;
    server.call("DELETE", &format!("/v1/keys/{}", story.key_id), &Value::Null)?.expect(200)?;
    server.http()?.as_bearer(&story.key).send("POST", "/v1/projects", &json!({"name": "x"}))?.expect(401)?;
    let ended = lines(&server, "ended_key");
    assert_eq!(ended.len(), 1, "{ended:#?}");
    let key = format!("key={}", story.key_id);
    assert_holds(
        &ended[0],
        &["WARN", "why=\"key_revoked\"", &key, "peer=127.0.0.1:", "target=\"/v1/projects\""],
    );

    let owner = format!("principal=user:{}", server.init["user"]["id"].as_str().context("an id")?);
    let position =
        server.call("GET", "/v1/whoami", &Value::Null)?.header("grantbook-position").unwrap_or("").to_owned();
    let past = format!("as_of={position}");
    let check = json!({"permission": "read", "object": {"type": "organization", "id": server.init["organization"]["id"]}});
    for (method, path, body) in [
        ("GET", "/v1/audit?limit=1".to_owned(), &Value::Null),
        ("GET", "/v1/report?format=ndjson".to_owned(), &Value::Null),
        ("GET", "/v1/grants/history".to_owned(), &Value::Null),
        ("GET", format!("/v1/diff?from={position}"), &Value::Null),
        ("GET", format!("/v1/timeline?principal=token:{}", story.token), &Value::Null),
        ("GET", format!("/v1/tokens?{past}"), &Value::Null),
        ("POST", format!("/v1/check?{past}"), &check),
    ] {
        let before = lines(&server, "history_read").len();
        let reply = server.call(method, &path, body)?;
        let found = lines(&server, "history_read");
        assert_eq!(found.len(), before + 1, "{path}: {} {found:#?}", String::from_utf8_lossy(&reply.body));
        let target = format!("target=\"{path}\"");
        assert_holds(&found[before], &["INFO", &target, &owner, "peer=127.0.0.1:", "status=200"]);
    }
    server.call("GET", "/v1/tokens", &Value::Null)?.expect(200)?;
    assert_eq!(lines(&server, "history_read").len(), 7);
    assert!(!server.log().contains(&server.owner_key) && !server.log().contains(&story.key));
    Ok(())
}

#[test]
fn a_flood_is_counted_and_does_not_fill_the_log() -> Result<()> {
    let server = quiet()?;
    let mut http = server.http()?.as_bearer(&server.owner_key);
    for _ in 0..50 {
        http.send("GET", "/v1/audit?limit=1", &Value::Null)?.expect(200)?;
    }
    let written = lines(&server, "history_read").len();
    let metrics = String::from_utf8(server.http()?.send("GET", "/metrics", &Value::Null)?.body)?;
    let counted = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<usize>().ok())
            .with_context(|| format!("{name} in {metrics}"))
    };
    assert_eq!(counted("grantbook_security_events_total{kind=\"history_read\"}")?, 50);
    let suppressed = counted("grantbook_security_lines_suppressed_total")?;
    assert_eq!(written + suppressed, 50);
    // A minute may end while it runs.
    assert!((20..=40).contains(&written), "{written} lines");
    Ok(())
}
