//! The main story, the application's part of which is told by somebody else's code.

use anyhow::{Context, Result};
use grantbook_tests::{
    braintrust::{Application, Sdk, client_line},
    scene::Scene,
};
use serde_json::{Value, json};

pub(super) fn id(value: &Value) -> Result<String> {
    Ok(value["id"].as_str().with_context(|| format!("no id in {value}"))?.to_owned())
}

/// A service token with a key in a group that excludes production.
pub(super) struct Account {
    token: String,
    key: String,
    pub(super) secret: String,
    group: String,
    grant: String,
}

pub(super) fn account(scene: &Scene, name: &str) -> Result<Account> {
    let token = id(&scene.post("/v1/tokens", &json!({"name": name}))?)?;
    let key = scene.post(&format!("/v1/tokens/{token}/keys"), &json!({}))?;
    let group = id(&scene.post("/v1/groups", &json!({"name": format!("{name} group")}))?)?;
    let on = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
    let to = json!({"type": "group", "id": group});
    let grant = id(&scene.post("/v1/grants", &json!({"to": to, "role": "Engineer", "on": on}))?)?;
    let member = json!({"member": {"type": "token", "id": token}});
    scene.post(&format!("/v1/groups/{group}/members"), &member)?;
    let secret = key["secret"].as_str().context("a secret")?.to_owned();
    Ok(Account { token, key: id(&key)?, secret, group, grant })
}

/// Three applications; what each says of itself.
fn tell(scene: &Scene) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    scene.post("/v1/projects", &json!({"name": "staging"}))?;
    let production =
        scene.post("/v1/projects", &json!({"name": "production", "labels": {"env": "production"}}))?;
    for (number, sdk) in Sdk::ALL.into_iter().enumerate() {
        let account = account(scene, &format!("{sdk:?}"))?;
        let bases = scene.bases();
        let base = bases[number % bases.len()];
        let mut application = Application::start(sdk, base, &account.secret)?;
        for step in ["init:staging", "dataset:staging", "logger:staging", "open:staging", "summarize:staging"]
        {
            application.takes(step)?;
        }
        // Denied alike, whether or not there is such a project.
        application.takes("init:production=403")?;
        application.takes(&format!("logger_unchecked:{}=403", id(&production)?))?;
        let tomorrow = format!("tomorrow {number}");
        scene.post("/v1/projects", &json!({"name": tomorrow}))?;
        let first = application.takes(&format!("init:{tomorrow}"))?;
        let second = application.takes(&format!("init:{tomorrow}"))?;
        assert_ne!(first["experiment"], second["experiment"], "each is a new experiment");
        told.push(application.finish()?);
    }
    Ok(told)
}

#[test]
fn the_story_is_told_by_three_published_clients_on_the_embedded_journal() -> Result<()> {
    let told = tell(&Scene::embedded()?)?;
    for one in told {
        println!("{}", client_line(&one));
    }
    Ok(())
}

#[test]
fn the_story_is_told_by_three_published_clients_over_two_read_nodes() -> Result<()> {
    let told = tell(&Scene::over_nats()?)?;
    for one in told {
        println!("{}", client_line(&one));
    }
    Ok(())
}

/// The path of what is taken away.
type Path = fn(&Account) -> String;

/// Key, membership, grant and account in turn: the next call of an application that stays logged in fails, on every node.
#[test]
fn what_is_taken_away_ends_the_next_call() -> Result<()> {
    let scene = Scene::over_nats()?;
    let project = id(&scene.post("/v1/projects", &json!({"name": "staging"}))?)?;
    let ways: [(&str, &str, Path); 4] = [
        ("key", "401", |it| format!("/v1/keys/{}", it.key)),
        ("membership", "403", |it| format!("/v1/groups/{}/members/token/{}", it.group, it.token)),
        ("grant", "403", |it| format!("/v1/grants/{}", it.grant)),
        ("account", "401", |it| format!("/v1/tokens/{}", it.token)),
    ];
    for (name, status, path) in ways {
        let account = account(&scene, name)?;
        let bases = scene.bases();
        let mut applications = Vec::new();
        for base in &bases {
            let mut application = Application::start(Sdk::Python, base, &account.secret)?;
            application.takes(&format!("logger_unchecked:{project}"))?;
            applications.push(application);
        }
        scene.writes.call("DELETE", &path(&account), &Value::Null)?.expect(200)?;
        for mut application in applications {
            let denied = application.takes(&format!("logger_unchecked:{project}={status}"));
            denied.with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}
