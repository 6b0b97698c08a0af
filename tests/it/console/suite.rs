//! Each project of the suite in tests/browser, against servers of its own.

use anyhow::Result;
use grantbook_tests::{browser, front::tls::TlsFront, hooks, scene::Scene, server::Server};

/// One process that also delivers webhooks, and tries again soon.
fn delivering() -> Result<Scene> {
    let mut server = Server::init()?;
    let place = server.outer();
    hooks::configure(&mut server, &place, "1s,1s,1s")?;
    server.spawn()?;
    Ok(Scene::alone(server))
}

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
    run("script", delivering)
}

#[test]
fn the_story_and_sessions_pass_without_script() -> Result<()> {
    run("no-script", delivering)
}

#[test]
fn the_story_and_sessions_pass_on_two_read_nodes() -> Result<()> {
    run("nodes", Scene::over_nats)
}

/// Only over TLS, and at the public URL, has the cookie its prefix and do browsers keep to https.
#[test]
fn sessions_and_headers_are_safe_behind_a_proxy_that_speaks_tls() -> Result<()> {
    if !browser::is_here()? {
        return Ok(());
    }
    let (front, mut server) = (TlsFront::start()?, Server::init()?);
    server.set_env("GRANTBOOK_PUBLIC_URL", &front.base());
    server.spawn()?;
    front.lead_to(server.base())?;
    let scene = Scene::alone(server);
    let mut env = browser::settle(&scene)?;
    env.retain(|(name, _)| *name != "BASE");
    // The suite itself calls the API there, too, and knows no authority that signed this certificate.
    env.extend([
        ("BASE", front.base()),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0".to_owned()),
        ("NODE_NO_WARNINGS", "1".to_owned()),
    ]);
    browser::run("tls", &env)
}

/// `make golden` accepts changes of tests/browser/golden.
#[test]
fn golden_pages_are_as_they_were_for_everybody() -> Result<()> {
    run("golden", Scene::embedded)
}
