//! The story: an application gets a key that can do less than the person who made it.

use anyhow::{Context, Result, ensure};
use grantbook_api::words::secret::Secret;
use serde_json::Value;

use crate::demo::shell::Shell;

const ALLOWED: i32 = 0;
const FAILED: i32 = 1;
const DENIED: i32 = 3;

pub(super) async fn tell(shell: &Shell) -> Result<()> {
    let key = set_up(shell).await?;
    use_the_key(shell, &key).await?;
    explain(shell).await?;
    revoke(shell, &key).await?;
    shell.say(
        "That was the whole path. Each command became a record in the journal; every answer was derived from\n\
         those records, so each answer can name who granted the access, when, and why.",
    )
}

async fn set_up(shell: &Shell) -> Result<Secret> {
    shell.say(
        "Ada wants an application to work everywhere except in production.\n\
         Every line after $ is a real command, run with Ada's key unless it says otherwise.",
    )?;
    shell.say("Two projects. Production carries a label.")?;
    shell.run(&["project", "create", "staging", "--label", "env=staging"]).await?;
    shell.run(&["project", "create", "production", "--label", "env=production"]).await?;
    shell.say("1. A service token: an account of its own, not a copy of Ada. It has no access yet.")?;
    shell.run(&["token", "create", "deploy-bot"]).await?;
    shell.say("2. A permission group that may work on all projects except those labelled production.")?;
    shell.run(&["group", "create", "non-production"]).await?;
    let grant = [
        ["grant", "create"],
        ["--to", "group:non-production"],
        ["--role", "Engineer"],
        ["--projects", "all"],
        ["--except", "label:env=production"],
        ["--reason", "apps must not touch production"],
    ];
    shell.run(&grant.concat()).await?;
    shell.say("3. The service token joins the group.")?;
    shell.run(&["group", "add", "non-production", "token:deploy-bot"]).await?;
    shell.say(
        "4. The application gets a key of the token. It is shown only now; Grantbook stores its hash.",
    )?;
    let key = shell.run(&["token", "key", "deploy-bot"]).await?.trim().to_owned();
    ensure!(key.starts_with("gb_st_"), "a key of a service token begins with gb_st_");
    Ok(Secret::new(key))
}

async fn use_the_key(shell: &Shell, key: &Secret) -> Result<()> {
    shell.say(
        "The application uses its key (GRANTBOOK_KEY). Staging is allowed; production is denied (exit code 3).",
    )?;
    shell.run_as(key, &["whoami"], ALLOWED).await?;
    shell.run_as(key, &["check", "me", "update", "project:staging"], ALLOWED).await?;
    shell.run_as(key, &["check", "me", "update", "project:production"], DENIED).await?;
    shell.say("A project created tomorrow falls under the same rule, without another grant.")?;
    shell.run(&["project", "create", "tomorrow"]).await?;
    shell.run(&["check", "token:deploy-bot", "update", "project:tomorrow"]).await?;
    Ok(())
}

async fn explain(shell: &Shell) -> Result<()> {
    shell.say("Why? Every answer names the records behind it: who granted it, when, and for what reason.")?;
    shell.run(&["why", "token:deploy-bot", "update", "project:staging"]).await?;
    shell.run(&["why", "token:deploy-bot", "update", "project:production"]).await?;
    shell.run(&["access", "token:deploy-bot"]).await?;
    shell.say("The audit log lists who did what.")?;
    shell.run(&["audit", "--limit", "20"]).await?;
    Ok(())
}

async fn revoke(shell: &Shell, key: &Secret) -> Result<()> {
    shell.say(
        "The key leaks? Revoke it. The next request with it fails; other keys of the token go on working.",
    )?;
    let listed = shell.run_quietly(&["--json", "key", "list", "token:deploy-bot"]).await?;
    let keys: Value = serde_json::from_str(&listed).context("`key list --json` prints JSON")?;
    let id = keys.pointer("/items/0/id").and_then(Value::as_str).context("the token has a key")?;
    shell.run(&["key", "revoke", id, "--reason", "found in a public log"]).await?;
    shell.run_as(key, &["whoami"], FAILED).await?;
    Ok(())
}
