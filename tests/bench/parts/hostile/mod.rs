//! What another organization notices of costly requests: the eight attacks that docs/limits.md answers, each beside the
//! ordinary requests of an organization that has no part in it.

mod explain;
mod grants;
mod measure;
mod other;
mod pages;
mod patterns;
mod roles;
mod sockets;
mod stage;
mod streams;

use anyhow::{Context, Result};
use grantbook_tests::hostile::scenes::Crowd;

use self::{
    measure::head,
    other::Other,
    stage::{Stage, size},
};

/// How deep groups are nested in what was possible before there was a limit.
const FORMERLY: usize = 400;
/// Files that the server of the sockets may have open: 72 connections.
const DESCRIPTORS: u32 = 200;

pub(crate) fn run() -> Result<()> {
    head();
    within_limits()?;
    beyond_limits()?;
    few_descriptors()
}

/// A server as it is by itself.
fn within_limits() -> Result<()> {
    let stage = Stage::set(&["labels", "patterns", "projects", "questions", "roles", "other"], |_| {})?;
    let other = Other::make(stage.tenant("other")?)?;
    grants::run(&stage, &other).context("row 1")?;
    patterns::run(&stage, &other).context("row 2")?;
    explain::run(&stage, &other).context("row 3")?;
    roles::run(&stage, &other).context("row 5")?;
    explain::run_in_parallel(&stage, &other).context("row 6")
}

/// One whose limits let an organization be as large as it could be before there were limits.
fn beyond_limits() -> Result<()> {
    let stage = Stage::set(&["deep", "crowd", "other"], |server| {
        server.set_env("GRANTBOOK_LIMITS", &format!("group_depth={FORMERLY}"));
    })?;
    let other = Other::make(stage.tenant("other")?)?;
    explain::run_formerly(&stage, &other, size(FORMERLY, 20)).context("row 3")?;
    let owner = stage.tenant("crowd")?;
    let crowd = Crowd::make(owner, [size(2_000, 20), size(300, 10), size(500, 20)])?;
    pages::run((owner, &crowd), &other).context("row 4")?;
    streams::run(owner, &other).context("row 7")
}

/// One that may open few files.
fn few_descriptors() -> Result<()> {
    let stage = Stage::set(&["other"], |server| server.set_descriptors(DESCRIPTORS))?;
    let other = Other::make(stage.tenant("other")?)?;
    sockets::run(&stage, &other).context("row 8")
}
