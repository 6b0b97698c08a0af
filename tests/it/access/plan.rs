//! Access as a file: `grantbook plan` shows, `grantbook apply` does it as one record, and a second apply does nothing.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use grantbook_tests::server::Server;
use serde_json::{Value, json};

const FILE: &str = "
projects:
  - {name: staging, labels: {env: staging}}
  - {name: production, labels: {env: production}}
tokens:
  - {name: ci-bot, description: builds and deploys}
roles:
  - {name: deployer, permissions: [update, 'create:dataset'], includes: [watcher]}
  - {name: watcher, permissions: [read]}
groups:
  - name: apps
    members: [token:ci-bot, group:people]
    grants:
      - {role: deployer, on: {projects: {include: all, exclude: [{label: {env: production}}]}}, reason: from the file}
  - name: people
    members: [user:ada@example.com]
grants:
  - {to: token:ci-bot, permissions: [read], on: {projects: {include: [{id: production}]}}}
";

/// A server, and a file to apply to it.
struct Place {
    server: Server,
    file: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let file = server.outer().join("access.yaml");
        Ok(Self { server, file })
    }

    fn write(&self, text: &str) -> Result<()> {
        Ok(fs::write(&self.file, text)?)
    }

    /// Standard output, standard error and exit code of `grantbook VERB -f FILE ...`.
    fn run(&self, verb: &str, more: &[&str]) -> Result<(String, String, i32)> {
        let file = self.file.to_str().context("a path in UTF-8")?;
        let args: Vec<&str> = [verb, "-f", file].into_iter().chain(more.iter().copied()).collect();
        self.server.cli(&args)
    }

    fn done(&self, verb: &str, more: &[&str]) -> Result<(String, String)> {
        let (out, err, code) = self.run(verb, more)?;
        ensure!(code == 0, "{verb} {more:?} ended with {code}: {err}");
        Ok((out, err))
    }

    fn records(&self) -> Result<Vec<Value>> {
        let page = self.server.call("GET", "/v1/audit?limit=1000", &Value::Null)?.expect(200)?;
        page["items"].as_array().cloned().context("items")
    }

    fn check(&self, permission: &str, project: &str) -> Result<i32> {
        Ok(self.server.cli(&["check", "token:ci-bot", permission, &format!("project:{project}")])?.2)
    }
}

#[test]
fn a_file_is_shown_applied_as_one_record_and_then_left_alone() -> Result<()> {
    let place = Place::new()?;
    place.write(FILE)?;
    let before = place.records()?.len();
    let (out, err) = place.done("plan", &[])?;
    for words in [
        "create project staging",
        "create token ci-bot",
        "create role deployer",
        "add token:ci-bot to group apps",
        "grant group:apps deployer on projects: all except labelled env=production",
        "token:ci-bot",
    ] {
        ensure!(out.contains(words), "{words} is missing in:\n{out}");
    }
    ensure!(err.contains("nothing is written"), "{err}");
    assert_eq!(place.records()?.len(), before, "nothing was written");

    place.done("apply", &[])?;
    let records = place.records()?;
    assert_eq!(records.len(), before + 1, "one record");
    let id = records.last().context("a record")?["request_id"].as_str().unwrap_or_default().to_owned();
    ensure!(id.starts_with("apply-"), "{id}");
    assert_eq!((place.check("update", "staging")?, place.check("update", "production")?), (0, 3));
    assert_eq!((place.check("read", "production")?, place.check("create", "staging")?), (0, 3));

    let (_, err) = place.done("apply", &[])?;
    ensure!(err.contains("nothing to do"), "{err}");
    let (out, err) = place.done("plan", &[])?;
    ensure!(out.is_empty() && err.contains("nothing to do"), "{out}{err}");
    let plan: Value = serde_json::from_str(&place.done("plan", &["--json"])?.0)?;
    assert_eq!((&plan["records"], &plan["gained"]), (&json!(0), &json!([])));
    let applied: Value = serde_json::from_str(&place.done("apply", &["--json"])?.0)?;
    assert_eq!(applied["applied"], false);
    assert_eq!(place.records()?.len(), before + 1);
    Ok(())
}

#[test]
fn what_a_group_lists_is_exact_and_all_else_is_left_alone() -> Result<()> {
    let place = Place::new()?;
    place.write(FILE)?;
    place.done("apply", &[])?;
    let cli = |args: &[&str]| -> Result<()> {
        let (_, err, code) = place.server.cli(args)?;
        ensure!(code == 0, "{args:?}: {err}");
        Ok(())
    };
    cli(&["token", "create", "stray"])?;
    cli(&["group", "add", "apps", "token:stray"])?;
    cli(&["grant", "create", "--to", "group:apps", "--role", "Viewer", "--projects", "all"])?;
    cli(&["grant", "create", "--to", "group:people", "--role", "Viewer", "--projects", "all"])?;
    cli(&["grant", "create", "--to", "token:ci-bot", "--permissions", "delete", "--projects", "id:staging"])?;
    cli(&["project", "create", "other"])?;
    let (out, _) = place.done("plan", &[])?;
    for words in
        ["remove token:stray from group apps", "revoke the grant to group:apps of Viewer on projects: all"]
    {
        ensure!(out.contains(words), "{words} is missing in:\n{out}");
    }
    assert_eq!(out.lines().take_while(|line| !line.is_empty()).count(), 2, "and nothing else:\n{out}");
    ensure!(out.contains("loses"), "{out}");
    place.done("apply", &[])?;
    assert_eq!(place.check("delete", "staging")?, 0, "a token's own grants are not the file's");
    ensure!(place.done("plan", &[])?.1.contains("nothing to do"));

    place.write(
        &FILE
            .replace("labels: {env: staging}", "labels: {env: production}")
            .replace("permissions: [read]}", "permissions: [read, delete]}"),
    )?;
    let (out, _) = place.done("plan", &[])?;
    ensure!(
        out.contains("label project staging: env=production") && out.contains("change role watcher"),
        "{out}"
    );
    place.done("apply", &[])?;
    assert_eq!(place.check("update", "staging")?, 3, "production is excluded");
    Ok(())
}

#[test]
fn a_members_end_is_left_alone_unless_the_file_names_another_or_never() -> Result<()> {
    let place = Place::new()?;
    let end = "2090-01-01T00:00:00Z";
    let file =
        |member: &str| format!("tokens: [{{name: bot}}]\ngroups: [{{name: apps, members: [{member}]}}]\n");
    let shown = || -> Result<String> { Ok(place.server.cli(&["group", "members", "apps"])?.0) };
    place.write(&file(&format!("{{member: token:bot, expires_at: {end}}}")))?;
    place.done("apply", &[])?;
    ensure!(shown()?.contains("2090-01-01"), "{}", shown()?);
    place.write(&file("token:bot"))?;
    ensure!(place.done("apply", &[])?.1.contains("nothing to do"));
    place.write(&file("{member: token:bot, expires_at: }"))?;
    let (_, err, code) = place.run("apply", &[])?;
    ensure!(
        code == 2 && err.contains("no value") && err.contains("/groups/0/members/0/expires_at"),
        "{code}: {err}"
    );
    ensure!(shown()?.contains("2090-01-01"), "{}", shown()?);
    place.write(&file("{member: token:bot, expires_at: never}"))?;
    place.done("apply", &[])?;
    ensure!(!shown()?.contains("2090-01-01"), "{}", shown()?);
    place.write("# nothing\n")?;
    let (_, err, code) = place.run("apply", &[])?;
    ensure!(code == 2 && err.contains("the file is empty"), "{code}: {err}");
    Ok(())
}

#[test]
fn a_plan_that_was_reviewed_is_what_is_applied_or_nothing() -> Result<()> {
    let place = Place::new()?;
    place.write(FILE)?;
    let reviewed = place.server.outer().join("plan.json");
    let plan = reviewed.to_str().context("a path in UTF-8")?;
    fs::write(&reviewed, place.done("plan", &["--json"])?.0)?;
    let made = |path: &str, body: Value| place.server.call("POST", path, &body)?.expect(201);
    made("/v1/tokens", json!({"name": "elsewhere"}))?;
    let before = place.records()?.len();
    // Another production in between changes who gains what: somebody must look again.
    let project = made("/v1/projects", json!({"name": "between", "labels": {"env": "production"}}))?;
    let (_, err, code) = place.run("apply", &["--plan", plan])?;
    ensure!(code == 1 && err.contains("outcome would be another"), "{code}: {err}");
    assert_eq!(place.records()?.len(), before + 1, "nothing but the project was written");
    // Gone again: the head has moved, but the outcome is what was reviewed.
    let path = format!("/v1/projects/{}", project["id"].as_str().context("an id")?);
    place.server.call("DELETE", &path, &Value::Null)?.expect(200)?;
    place.done("apply", &["--plan", plan])?;
    assert_eq!(place.records()?.len(), before + 3);
    ensure!(place.done("apply", &["--plan", plan])?.1.contains("nothing to do"));
    fs::write(&reviewed, "{}")?;
    place.write(&format!("{FILE}  - {{to: token:ci-bot, role: Viewer, on: {{organization: true}}}}\n"))?;
    let (_, err, code) = place.run("apply", &["--plan", plan])?;
    ensure!(code == 2 && err.contains("plan --json"), "{code}: {err}");
    Ok(())
}

#[test]
fn a_bad_file_is_refused_with_the_place_in_it() -> Result<()> {
    let place = Place::new()?;
    let before = place.records()?.len();
    let deep = format!("groups: {}{}", "[".repeat(3000), "]".repeat(3000));
    let huge = format!("# {}\n", "x".repeat(2 << 20));
    let many: Vec<String> = (0..1001).map(|number| format!("  - {{name: t{number}}}")).collect();
    let many = format!("tokens:\n{}", many.join("\n"));
    for (text, told, expected) in [
        (deep.as_str(), "YAML", 2),
        (&huge, "too large", 2),
        (&many, "1001 changes", 1),
        ("groups: [", "YAML", 2),
        ("groups: []\ngroups: []\n", "YAML", 2),
        ("groups:\n  - {name: g, colour: red}\n", "/groups/0", 2),
        ("tokens:\n  - {name: t, key: abc}\n", "/tokens/0", 2),
        ("tokens:\n  - {name: t, description: gb_st_abcdefgh}\n", "line 2", 2),
        ("groups: [{name: g}, {name: g}]", "/groups/1/name", 2),
        ("groups: [{name: g, members: [token:nobody]}]", "/groups/0/members/0", 2),
        ("groups: [{name: g, members: [nobody]}]", "/groups/0/members/0", 2),
        ("groups: [{name: g, members: [group:g, group:g]}]", "/groups/0/members/1", 2),
        (
            "groups: [{name: g, grants: [{role: Nope, on: {organization: true}}]}]",
            "/groups/0/grants/0/role",
            2,
        ),
        ("grants: [{to: group:nope, role: Viewer, on: {organization: true}}]", "/grants/0/to", 2),
        (
            "groups: [{name: g, grants: [{role: Viewer, on: {projects: {include: [{id: nope}]}}}]}]",
            "/groups/0/grants/0/on/projects/include/0/id",
            2,
        ),
        (
            "groups: [{name: g, grants: [{role: Viewer, on: {organization: false}}]}]",
            "/groups/0/grants/0/on",
            2,
        ),
        ("roles: [{name: a, includes: [b]}, {name: b, includes: [a]}]", "circle", 2),
        ("roles: [{name: Owner, permissions: [read]}]", "built in", 2),
        ("roles: [{name: a, permissions: [fly]}]", "/roles/0", 1),
        ("groups: [{name: g, members: [group:g]}]", "/groups/0/members/0", 1),
        ("projects: [{name: ''}]", "/projects/0", 1),
    ] {
        place.write(text)?;
        for verb in ["plan", "apply"] {
            let (out, err, code) = place.run(verb, &[])?;
            ensure!(code == expected && err.contains(told), "{verb} of {text:.80}: {code}: {err}");
            ensure!(out.is_empty() && !err.contains("abcdefgh") && err.len() < 800, "{err}");
        }
    }
    let (_, err, code) = place.server.cli(&["plan", "-f", "/nowhere/access.yaml"])?;
    ensure!(code == 1 && err.contains("/nowhere/access.yaml"), "{err}");
    assert_eq!(place.records()?.len(), before, "nothing was written");
    Ok(())
}

/// `--dry-run` on any write: what it would change and for whom, and nothing is written.
#[test]
fn a_dry_run_shows_what_one_command_would_change() -> Result<()> {
    let place = Place::new()?;
    place.write(FILE)?;
    place.done("apply", &[])?;
    let before = place.records()?.len();
    let run = |args: &[&str]| place.server.cli(args);

    let (out, err, code) = run(&["group", "remove", "apps", "token:ci-bot", "--dry-run"])?;
    ensure!(code == 0 && out.contains("token:ci-bot") && out.contains("loses"), "{out}{err}");
    ensure!(err.contains("nothing is written"), "{err}");
    let (out, err, code) = run(&["token", "create", "another", "--dry-run", "--json"])?;
    let plan: Value = serde_json::from_str(&out)?;
    ensure!(code == 0 && plan["events"][0]["type"] == "TokenCreated", "{out}{err}");
    let (_, err, code) = run(&["group", "add", "apps", "token:ci-bot", "--dry-run"])?;
    ensure!(code == 0 && err.contains("nothing to do"), "{err}");
    let (_, err, code) = run(&["project", "create", "staging", "--dry-run"])?;
    ensure!(code == 1 && err.contains("name_taken"), "a refusal is that of the write: {err}");
    let file = place.file.to_str().context("a path in UTF-8")?.to_owned();
    place.write(&FILE.replace("production}}]}}, reason", "staging}}]}}, reason"))?;
    let (out, err, code) = run(&["apply", "-f", &file, "--dry-run"])?;
    ensure!(code == 0 && out.contains("gains") && err.contains("nothing is written"), "{out}{err}");
    ensure!(place.records()?.len() == before, "something was written");

    for args in [
        &["init", "--org", "x", "--owner", "x@example.com"][..],
        &["webhook", "test", "01900000-0000-7000-8000-000000000000"],
        &["check", "token:ci-bot", "read", "project:staging"],
    ] {
        let (_, err, code) = run(&[args, &["--dry-run"]].concat())?;
        ensure!(code == 2 && err.contains("--dry-run is for writes"), "{args:?}: {err}");
    }
    Ok(())
}
