//! The questions the other way round through the real binary, over HTTP and the command line.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{org::Story, server::Server};
use serde_json::Value;

#[test]
fn the_command_line_tells_who_can_on_what_and_how() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let run = |args: &[&str]| -> Result<String> {
        let (out, err, code) = server.cli(args)?;
        ensure!(code == 0, "{args:?} ended with {code}: {err}");
        Ok(out)
    };
    let staging = run(&["who-can", "update", "project:staging"])?;
    for word in
        ["token:bot", "group:staging-apps", "Engineer", "user:ada@example.com", "group:Owners", &story.grant]
    {
        ensure!(staging.contains(word), "{word} is missing in:\n{staging}");
    }
    let production = run(&["who-can", "update", "project:production"])?;
    ensure!(production.contains("ada@example.com") && !production.contains("bot"), "{production}");
    let json: Value = serde_json::from_str(&run(&["--json", "who-can", "update", "project:staging"])?)?;
    assert_eq!(json["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["items"][1]["path"]["records"][0]["reason"], "apps may not touch production");

    let accessible = run(&["accessible", "token:bot", "update", "project"])?;
    ensure!(accessible.contains("staging") && !accessible.contains("production"), "{accessible}");
    let held = run(&["permissions", "token:bot", "project:staging"])?;
    assert_eq!(held.lines().collect::<Vec<_>>(), ["create", "read", "update", "delete"]);
    assert_eq!(run(&["permissions", "token:bot", "project:production"])?, "");

    let earlier = server.call("GET", "/v1/whoami", &Value::Null)?;
    let earlier = earlier.header("grantbook-position").context("a position")?.to_owned();
    run(&["group", "remove", "staging-apps", "token:bot"])?;
    ensure!(!run(&["who-can", "update", "project:staging"])?.contains("bot"), "removed");
    ensure!(
        run(&["who-can", "update", "project:staging", "--as-of", &earlier])?.contains("token:bot"),
        "it was in then"
    );
    let (_, err, code) = server.cli(&["who-can", "fly", "project:staging"])?;
    ensure!(code == 1 && err.contains("no such permission"), "{code}: {err}");
    Ok(())
}
