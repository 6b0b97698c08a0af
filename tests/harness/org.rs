//! The settled organization of the story, made over HTTP.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::server::Server;

/// Projects staging and production, group staging-apps (Engineer on all projects except production), token bot in it,
/// and the token's key.
#[derive(Debug, Clone)]
pub struct Story {
    /// Id of project `staging`.
    pub staging: String,
    /// Id of project `production`, labelled `env=production`.
    pub production: String,
    /// Id of group `staging-apps`.
    pub group: String,
    /// Id of the grant to the group.
    pub grant: String,
    /// Id of service token `bot`.
    pub token: String,
    /// Id of its key.
    pub key_id: String,
    /// The key itself.
    pub key: String,
}

impl Story {
    /// Tells the story up to the application having its key.
    pub fn tell(server: &Server) -> Result<Self> {
        let make =
            |path: &str, body: Value| -> Result<Value> { server.call("POST", path, &body)?.expect(201) };
        let id = |value: &Value| -> Result<String> {
            value["id"].as_str().map(str::to_owned).with_context(|| format!("no id in {value}"))
        };
        let staging = id(&make("/v1/projects", json!({"name": "staging", "labels": {"env": "staging"}}))?)?;
        let production =
            id(&make("/v1/projects", json!({"name": "production", "labels": {"env": "production"}}))?)?;
        let token = id(&make("/v1/tokens", json!({"name": "bot"}))?)?;
        let group = id(&make("/v1/groups", json!({"name": "staging-apps"}))?)?;
        let grant = id(&make(
            "/v1/grants",
            json!({
                "to": {"type": "group", "id": group}, "role": "Engineer", "reason": "apps may not touch production",
                "on": {"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}},
            }),
        )?)?;
        make(&format!("/v1/groups/{group}/members"), json!({"member": {"type": "token", "id": token}}))?;
        let key = make(&format!("/v1/tokens/{token}/keys"), json!({"name": "first"}))?;
        let secret = key["secret"].as_str().context("an issued key shows its secret")?.to_owned();
        Ok(Self { staging, production, group, grant, token, key_id: id(&key)?, key: secret })
    }

    /// Whether the token's key may do this on that project now, asked with the token's own key.
    pub fn may(&self, server: &Server, permission: &str, project: &str) -> Result<bool> {
        let body = json!({"permission": permission, "object": {"type": "project", "id": project}});
        let reply = server.http()?.as_bearer(&self.key).send("POST", "/v1/check", &body)?;
        reply.expect(200)?["allowed"].as_bool().context("a check answers allowed")
    }
}
