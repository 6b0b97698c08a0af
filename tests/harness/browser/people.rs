//! Who signs in to the console in its suite: one person of each sort, and what they find.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::scene::Scene;

/// Projects staging and production; an Engineer, a Viewer, a manager of group `team` and a stranger beside the owner; service
/// token `robot`. The environment variables with addresses and keys that the suite reads.
pub fn settle(scene: &Scene) -> Result<Vec<(&'static str, String)>> {
    for env in ["staging", "production"] {
        scene.post("/v1/projects", &json!({"name": env, "labels": {"env": env}}))?;
    }
    let [base, others @ ..] = &*scene.bases() else { anyhow::bail!("no node") };
    let mut env = vec![("BASE", (*base).to_owned()), ("OWNER_KEY", scene.writes.owner_key.clone())];
    env.extend(others.first().map(|second| ("SECOND_BASE", (*second).to_owned())));
    for (name, variable, role) in
        [("engineer", "ENGINEER_KEY", Some("Engineer")), ("viewer", "VIEWER_KEY", Some("Viewer"))]
    {
        env.push((variable, person(scene, name, role)?.1));
    }
    env.push(("STRANGER_KEY", person(scene, "stranger", None)?.1));
    let (manager, key) = person(scene, "manager", None)?;
    manages(scene, &manager)?;
    env.push(("MANAGER_KEY", key));
    let robot = id(&scene.post("/v1/tokens", &json!({"name": "robot", "description": "has a key"}))?)?;
    env.push(("TOKEN_KEY", key_of(scene, "tokens", &robot)?));
    Ok(env)
}

/// Somebody, with a role on the organization or with nothing; id and key.
fn person(scene: &Scene, name: &str, role: Option<&str>) -> Result<(String, String)> {
    let user = id(&scene.post("/v1/users", &json!({"email": format!("{name}@example.com"), "name": name}))?)?;
    if let Some(role) = role {
        let to = json!({"type": "user", "id": user});
        scene.post("/v1/grants", &json!({"to": to, "role": role, "on": {"organization": true}}))?;
    }
    let key = key_of(scene, "users", &user)?;
    Ok((user, key))
}

/// Makes a person the manager of a group of one's own, with nothing else.
fn manages(scene: &Scene, user: &str) -> Result<()> {
    let group = id(&scene.post("/v1/groups", &json!({"name": "team", "description": "has a manager"}))?)?;
    let grant = json!({
        "to": {"type": "user", "id": user},
        "permissions": ["read", "update", "read_acls", "delegate"],
        "on": {"object": {"type": "group", "id": group}},
    });
    scene.post("/v1/grants", &grant)?;
    Ok(())
}

fn key_of(scene: &Scene, kind: &str, account: &str) -> Result<String> {
    let key = scene.post(&format!("/v1/{kind}/{account}/keys"), &json!({}))?;
    Ok(key["secret"].as_str().context("a secret")?.to_owned())
}

fn id(value: &Value) -> Result<String> {
    Ok(value["id"].as_str().with_context(|| format!("no id in {value}"))?.to_owned())
}
