//! The commands of "Backup and restore" in docs/operating.md, run as they stand there: between servers that run as
//! `grantbook nats config` writes them, each with a directory of its own as the place where it is typed.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::binary;
use serde_json::json;

use crate::project::nats_config::{Scene, scene, works};

const PAGE: &str = include_str!("../../../docs/operating.md");

/// Each block of commands below a heading, up to the next one.
fn blocks(heading: &str) -> Result<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).context("the section is there")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    Ok(section.split("\n```\n").skip(1).step_by(2).collect())
}

/// Types a command of `grantbook` where the servers' files lie.
fn typed(scene: &Scene, line: &str) -> Result<Output> {
    let mut words = line.split_whitespace();
    ensure!(words.next() == Some("grantbook"), "{line}");
    let mut command = Command::new(binary::grantbook()?);
    command.args(words).current_dir(&scene.dir).env("GRANTBOOK_NATS_URL", &scene.nats);
    let ended = command.output()?;
    ensure!(ended.status.success(), "{line}: {}", String::from_utf8_lossy(&ended.stderr));
    Ok(ended)
}

/// What verifying says of each organization's chain.
fn verified(scene: &Scene) -> Result<String> {
    let ended = typed(scene, "grantbook journal verify --nats-nkey keys/operator.nk")?;
    Ok(String::from_utf8(ended.stdout)?)
}

#[test]
fn the_commands_of_the_page_back_up_and_restore() -> Result<()> {
    let blocks = blocks("Backup and restore")?;
    let (backup, restore) = (blocks.first().context("a backup")?, blocks.get(1).context("a restoration")?);
    ensure!(backup.lines().count() == 1 && restore.lines().count() == 2, "{backup}\n{restore}");
    let was = scene(false)?;
    let first = was.found(&[])?;
    let (command, read) = (was.start(&first, "command", "command")?, was.start(&first, "read", "read")?);
    works(&command, &read, "before")?;
    backup.lines().try_for_each(|line| typed(&was, line).map(drop))?;
    let told = verified(&was)?;

    let is = scene(false)?;
    let file = Path::new("backup.ndjson");
    fs::copy(was.dir.join(file), is.dir.join(file))?;
    drop((command, read, was));
    restore.lines().try_for_each(|line| typed(&is, line).map(drop))?;
    assert_eq!(verified(&is)?, told, "as many frames and records, and the same last hashes");
    // "then start services as at first"
    let start = |part: &str| {
        let mut server = first.over_as(part, &is.nats)?;
        server.set_env("GRANTBOOK_NATS_NKEY", &is.key(part));
        server.spawn()?;
        anyhow::Ok(server)
    };
    let (command, read) = (start("command")?, start("read")?);
    let taken = command.call("POST", "/v1/tokens", &json!({"name": "before"}))?;
    ensure!(taken.status == 409, "what was there is there: {}", taken.json());
    works(&command, &read, "after")
}
