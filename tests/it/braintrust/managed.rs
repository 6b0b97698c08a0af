//! The main story, told by somebody else's code from the first step on: its clients also make the token, the group and the grants.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    braintrust::{Application, Manager, Sdk, client_line},
    front::RoundRobin,
    scene::Scene,
    wire::Http,
};
use serde_json::{Value, json};

use crate::braintrust::wire::ask;

/// A scene behind one address, which reaches each of its nodes in turn.
fn behind_one(scene: &Scene) -> Result<RoundRobin> {
    RoundRobin::before(&scene.bases())
}

/// What the driver's line `result` says.
fn result(told: &[Value]) -> Result<&Value> {
    told.iter().find(|line| line["step"] == "result").context("no result")
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str> {
    value[member].as_str().with_context(|| format!("no {member} in {value}"))
}

/// All four steps; what each client says of itself.
fn tell(scene: &Scene) -> Result<Vec<Value>> {
    let front = behind_one(scene)?;
    let (base, key) = (&*front.base(), scene.writes.owner_key.as_str());
    scene.post("/v1/projects", &json!({"name": "production"}))?;
    let mut about = Vec::new();
    let mut run = |manager: Manager, args: &[&str]| -> Result<Vec<Value>> {
        let mut told = manager.run(base, key, args)?;
        about.extend(told.pop());
        Ok(told)
    };
    let made = run(Manager::Sdk, &["setup", "story", "staging", "dev"])?;
    let made = result(&made)?.clone();
    let mut application = Application::start(Sdk::Python, base, text(&made, "key")?)?;
    for step in ["init:staging", "init:dev", "dataset:staging", "init:production=403", "init:tomorrow=403"] {
        application.takes(step)?;
    }
    // A project of tomorrow, in the project group from its beginning.
    let (group, project_group) = (text(&made, "group")?, text(&made, "project_group")?);
    let on = json!({"object_type": "project_group", "object_id": project_group, "group_id": group, "permission": "read"});
    ask(base, key, "POST", "/v1/acl", &on)?.expect(200)?;
    let tomorrow = json!({"name": "tomorrow", "project_group_name": "story-projects"});
    ask(base, key, "POST", "/v1/project", &tomorrow)?.expect(200)?;
    application.takes("init:tomorrow")?;
    run(Manager::Sdk, &["lists"])?;
    run(Manager::Strict, &["strict"])?;
    run(Manager::JavaScript, &["js"])?;
    run(Manager::Bt, &["owner", "x"])?;
    let seen = Manager::Bt.run(base, text(&made, "key")?, &["token", "staging", "production"])?;
    about.extend(seen.last().cloned());
    about.push(application.finish()?);
    Ok(about)
}

#[test]
fn published_clients_manage_access_on_the_embedded_journal() -> Result<()> {
    for one in tell(&Scene::embedded()?)? {
        println!("{}", client_line(&one));
    }
    Ok(())
}

#[test]
fn published_clients_manage_access_over_two_read_nodes() -> Result<()> {
    for one in tell(&Scene::over_nats()?)? {
        println!("{}", client_line(&one));
    }
    Ok(())
}

/// What the client takes away ends the next call of an application that stays logged in, on every node; and the records say who
/// did it.
#[test]
fn what_a_client_takes_away_ends_the_next_call() -> Result<()> {
    let scene = Scene::over_nats()?;
    let front = behind_one(&scene)?;
    let (base, key) = (&*front.base(), scene.writes.owner_key.as_str());
    let owner = scene.writes.init["user"]["id"].clone();
    let native = |method: &str, path: &str, body: &Value| -> Result<Value> {
        Http::connect(base)?.as_bearer(key).send_at("latest", method, path, body)?.expect(200)
    };
    for (way, status, event) in [
        ("revoke-key", "401", "KeyRevoked"),
        ("remove-member", "403", "MemberRemoved"),
        ("remove-acl", "403", "GrantRevoked"),
        ("remove-account", "401", "TokenDeleted"),
    ] {
        let made = Manager::Sdk.run(base, key, &["setup", way, "staging"])?;
        let made = result(&made)?;
        let project = made["projects"][0].as_str().with_context(|| format!("no project in {made}"))?;
        let step = format!("logger_unchecked:{project}");
        let mut applications = Vec::new();
        for node in scene.bases() {
            let mut application = Application::start(Sdk::Python, node, text(made, "key")?)?;
            application.takes(&step)?;
            applications.push(application);
        }
        let acls: Vec<&str> =
            made["acls"].as_array().context("acls")?.iter().filter_map(Value::as_str).collect();
        let (account, group) = (text(made, "account")?, text(made, "group")?);
        let principal = json!({"type": "token", "id": account});
        let object = json!({"type": "project", "id": project});
        let why = json!({"principal": principal, "permission": "read", "object": object});
        let why = native("POST", "/v1/explain", &why)?;
        let records = why["paths"][0]["records"].as_array().context("records")?;
        ensure!(!records.is_empty() && records.iter().all(|record| record["actor"]["id"] == owner), "{why}");
        let args = match way {
            "revoke-key" => vec![way, text(made, "token")?],
            "remove-member" => vec![way, group, account],
            "remove-acl" => [&[way][..], &acls].concat(),
            _ => vec![way, account],
        };
        Manager::Sdk.run(base, key, &args)?;
        for mut application in applications {
            application.takes(&format!("{step}={status}")).with_context(|| way.to_owned())?;
        }
        let audit = format!("/v1/audit?event={event}&order=desc&limit=1");
        let audit = native("GET", &audit, &Value::Null)?;
        ensure!(audit["items"][0]["actor"]["id"] == owner, "{audit}");
    }
    Ok(())
}
