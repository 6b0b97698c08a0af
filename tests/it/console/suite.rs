//! Each project of the suite in tests/browser, against servers of its own.

use anyhow::Result;
use grantbook_tests::{browser, scene::Scene};

/// Runs a project on a scene where people were made.
fn run(project: &str, scene: fn() -> Result<Scene>) -> Result<()> {
    if !browser::is_here()? {
        return Ok(());
    }
    let scene = scene()?;
    browser::run(project, &browser::settle(&scene)?)
}

#[test]
fn the_suite_notices_planted_faults() -> Result<()> {
    if browser::is_here()? { browser::run("planted", &[]) } else { Ok(()) }
}

#[test]
fn the_suite_passes_with_script() -> Result<()> {
    run("script", Scene::embedded)
}

#[test]
fn the_story_and_sessions_pass_without_script() -> Result<()> {
    run("no-script", Scene::embedded)
}

#[test]
fn the_story_and_sessions_pass_on_two_read_nodes() -> Result<()> {
    run("nodes", Scene::over_nats)
}

/// `make golden` accepts changes of tests/browser/golden.
#[test]
fn golden_pages_are_as_they_were_for_everybody() -> Result<()> {
    run("golden", Scene::embedded)
}
