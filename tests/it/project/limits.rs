//! Limits on the command line: what is used, another figure, and what `grantbook doctor` finds beyond them.

use anyhow::{Result, ensure};
use grantbook_tests::{binary, server::Server};
use serde_json::{Value, json};

/// A chain of groups, deeper than a service of ordinary figures would make.
fn deep(server: &Server, groups: usize) -> Result<()> {
    let made = (0..groups).map(
        |number| json!({"method": "POST", "path": "/v1/groups", "body": {"name": format!("level {number}")}}),
    );
    let nested = (1..groups).map(|number| {
        json!({"method": "POST", "path": format!("/v1/groups/${number}.id/members"),
            "body": {"member": {"type": "group", "id": format!("${}.id", number - 1)}}})
    });
    let commands: Vec<_> = made.chain(nested).collect();
    server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)?;
    Ok(())
}

#[test]
fn what_is_beyond_a_limit_stays_and_the_doctor_names_it() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_LIMITS", "group_depth=100,patterns=7");
    server.spawn()?;
    deep(&server, 80)?;
    let (text, _, code) = server.cli(&["limits"])?;
    ensure!(code == 0 && text.contains("group_depth"), "{text}");
    ensure!(server.terminate()?.success());
    let data = server.data().to_str().unwrap_or_default().to_owned();
    let output = binary::run(&["--json", "doctor", "--data", &data, "--org", "all"], &[])?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let found = found.as_array().and_then(|all| all.iter().find(|one| one["check"] == "limits")).cloned();
    let found = found.unwrap_or_default();
    assert_eq!(found["status"], "warn", "{found}");
    let told = found["found"].as_str().unwrap_or_default();
    assert!(told.contains("79 memberships on one path") && told.contains("at most 64"), "{told}");
    let output = binary::run(&["doctor", "--data", &data, "--org", "nobody"], &[])?;
    assert_eq!(output.status.code(), Some(1), "an organization that is not there");
    server.unset_env("GRANTBOOK_LIMITS");
    server.spawn()?;
    let (text, _, code) = server.cli(&["limits"])?;
    assert_eq!(code, 1, "it holds more than may be made: {text}");
    Ok(())
}

#[test]
fn a_limit_that_is_not_there_is_a_usage_error() -> Result<()> {
    for (limit, told) in [
        ("pattern=1", "no limit has this name; there are selector_conditions, pattern_stars, patterns"),
        ("patterns", "expected NAME=NUMBER"),
        ("patterns=many", "many is not a number"),
        ("pattern_stars=9", "the same in every installation"),
    ] {
        let output = binary::run(&["serve", "--limit", limit], &[])?;
        let text = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{limit}: {text}");
        assert!(text.contains(told), "{limit}: {text}");
    }
    Ok(())
}
