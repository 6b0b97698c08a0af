//! The four-step story, over HTTP and over the command line.

use anyhow::{Context, Result};
use grantbook_tests::{nats::Nats, org::Story, server::Server};
use serde_json::{Value, json};

#[test]
fn on_the_embedded_journal() -> Result<()> {
    STORIES.iter().try_for_each(|story| story(&Server::start()?))
}

#[test]
fn over_nats() -> Result<()> {
    for story in STORIES {
        let nats = Nats::single()?;
        story(&Server::start_over(&nats.url())?)?;
    }
    Ok(())
}

/// Each on an installation of its own.
const STORIES: [fn(&Server) -> Result<()>; 4] = [
    an_application_works_on_staging_and_is_refused_on_production,
    the_answer_names_who_granted_it_when_and_why,
    the_audit_log_lists_everything_in_order,
    the_command_line_tells_the_same_story,
];

fn an_application_works_on_staging_and_is_refused_on_production(server: &Server) -> Result<()> {
    let story = Story::tell(server)?;
    assert!(story.may(server, "update", &story.staging)?);
    assert!(!story.may(server, "update", &story.production)?);

    let later = server.call("POST", "/v1/projects", &json!({"name": "later"}))?.expect(201)?;
    let later = later["id"].as_str().context("an id")?;
    assert!(story.may(server, "update", later)?, "a project created afterwards falls under the rule");
    let labels = json!({"labels": {"env": "production"}});
    server.call("PATCH", &format!("/v1/projects/{later}"), &labels)?.expect(200)?;
    assert!(!story.may(server, "update", later)?, "and leaves it when it becomes production");

    server.call("DELETE", &format!("/v1/keys/{}", story.key_id), &Value::Null)?.expect(200)?;
    let refused = server.http()?.as_bearer(&story.key).send("GET", "/v1/whoami", &Value::Null)?;
    assert_eq!(refused.status, 401);
    let check = json!({"key": story.key, "permission": "update",
        "object": {"type": "project", "id": story.staging}});
    let answer = server.call("POST", "/v1/check", &check)?.expect(200)?;
    assert_eq!((answer["allowed"].as_bool(), answer["reason"].as_str()), (Some(false), Some("key_revoked")));
    Ok(())
}

fn the_answer_names_who_granted_it_when_and_why(server: &Server) -> Result<()> {
    let story = Story::tell(server)?;
    let question = json!({"principal": {"type": "token", "id": story.token}, "permission": "update",
        "object": {"type": "project", "id": story.staging}});
    let answer = server.call("POST", "/v1/explain", &question)?.expect(200)?;
    assert_eq!(answer["allowed"], true);
    let path = &answer["paths"][0];
    assert_eq!(path["grant"]["id"], json!(story.grant));
    let records = path["records"].as_array().context("a path names its records")?;
    for event in ["GrantCreated", "MemberAdded"] {
        let record = records.iter().find(|record| record["event"] == event);
        let record = record.with_context(|| format!("{event} is named in {records:?}"))?;
        assert_eq!(record["actor"]["id"], server.init["user"]["id"], "who");
        assert!(record["at"].as_str().is_some_and(|at| at.ends_with('Z')), "when");
        assert!(record["position"].is_string(), "where");
    }
    let granted = records.iter().find(|record| record["event"] == "GrantCreated");
    assert_eq!(granted.context("found above")?["reason"], "apps may not touch production", "why");

    let denied = json!({"principal": {"type": "token", "id": story.token}, "permission": "update",
        "object": {"type": "project", "id": story.production}});
    let answer = server.call("POST", "/v1/explain", &denied)?.expect(200)?;
    assert_eq!((answer["allowed"].as_bool(), answer["reason"].as_str()), (Some(false), Some("no_grant")));
    Ok(())
}

fn the_audit_log_lists_everything_in_order(server: &Server) -> Result<()> {
    let story = Story::tell(server)?;
    let page = server.call("GET", "/v1/audit?order=asc&limit=1000", &Value::Null)?.expect(200)?;
    let items = page["items"].as_array().context("items")?;
    let types: Vec<_> = items.iter().filter_map(|item| item["events"][0]["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "OrganizationCreated",
            "ProjectCreated",
            "ProjectCreated",
            "TokenCreated",
            "GroupCreated",
            "GrantCreated",
            "MemberAdded",
            "KeyIssued"
        ]
    );
    assert!(items.iter().skip(1).all(|item| item["source_ip"] == "127.0.0.1"), "from where: {page}");
    let by_principal = format!("/v1/audit?principal=token:{}", story.token);
    let page = server.call("GET", &by_principal, &Value::Null)?.expect(200)?;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(3), "created, added, key issued: {page}");
    Ok(())
}

fn the_command_line_tells_the_same_story(server: &Server) -> Result<()> {
    let run = |args: &[&str]| -> Result<String> {
        let (out, err, code) = server.cli(args)?;
        anyhow::ensure!(code == 0, "{args:?} ended with {code}: {err}");
        Ok(out)
    };
    run(&["project", "create", "staging", "--label", "env=staging"])?;
    run(&["project", "create", "production", "--label", "env=production"])?;
    run(&["token", "create", "bot"])?;
    run(&["group", "create", "staging-apps"])?;
    run(&[
        "grant",
        "create",
        "--to",
        "group:staging-apps",
        "--role",
        "Engineer",
        "--projects",
        "all",
        "--except",
        "label:env=production",
        "--reason",
        "apps may not touch production",
    ])?;
    run(&["group", "add", "staging-apps", "token:bot"])?;
    let key = run(&["token", "key", "bot"])?.trim().to_owned();
    assert!(key.starts_with("gb_st_"), "standard output is exactly the key");

    assert_eq!(server.cli(&["check", "token:bot", "update", "project:staging"])?.2, 0);
    assert_eq!(server.cli(&["check", "token:bot", "update", "project:production"])?.2, 3);
    let why = run(&["why", "token:bot", "update", "project:staging"])?;
    for word in ["staging-apps", "Engineer", "ada@example.com", "apps may not touch production"] {
        assert!(why.contains(word), "{word} is missing in:\n{why}");
    }
    let (out, _, code) = server.cli_as(&key, &["--json", "whoami"])?;
    assert_eq!(code, 0);
    let whoami: Value = serde_json::from_str(&out)?;
    assert_eq!(whoami["principal"]["name"], "bot");
    let audit = run(&["audit"])?;
    assert!(audit.contains("ada@example.com"), "{audit}");
    let (_, err, code) = server.cli(&["check", "token:nobody", "update", "project:staging"])?;
    assert_eq!(code, 1, "a name that does not exist is a failure: {err}");
    assert_eq!(server.cli(&["token", "frobnicate"])?.2, 2, "bad usage");
    Ok(())
}
