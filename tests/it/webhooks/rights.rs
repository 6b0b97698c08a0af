//! Who may look at deliveries and steer them: a delegate of the organization who may read its audit log, nobody else.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    hooks::{Receiver, configure},
    server::Server,
};
use serde_json::{Value, json};

use crate::webhooks::hook;

/// A token that was given this on the whole organization, or on the type of an object; its key.
fn token(server: &Server, name: &str, given: &[Value]) -> Result<String> {
    let made = server.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(201)?;
    let id = made["id"].as_str().context("an id")?;
    for grant in given {
        let mut grant = grant.clone();
        grant["to"] = json!({"type": "token", "id": id});
        server.call("POST", "/v1/grants", &grant)?.expect(201)?;
    }
    let key = server.call("POST", &format!("/v1/tokens/{id}/keys"), &json!({"name": "k"}))?.expect(201)?;
    key["secret"].as_str().map(str::to_owned).context("a key")
}

#[test]
fn nobody_steers_deliveries_without_the_right_to_delegate_and_to_read_the_audit_log() -> Result<()> {
    let (mut server, place) = (Server::init()?, tempfile::tempdir()?);
    let data = server.data().to_str().context("a plain path")?.to_owned();
    let founded =
        ["--json", "org", "create", "--org", "other", "--owner", "eve@example.com", "--data", &data];
    let other = binary::run(&founded, &[])?;
    ensure!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    let other: Value = serde_json::from_slice(&other.stdout)?;
    configure(&mut server, place.path(), "1h")?;
    server.spawn()?;
    let receiver = Receiver::start()?;
    let (id, _) = hook(&server, &json!({"url": receiver.url("/"), "events": ["WebhookDeleted"]}))?;
    let delegate = json!({"permissions": ["delegate"], "on": {"organization": true}});
    let log = json!({"permissions": ["read"], "object_type": "org_audit_logs", "on": {"organization": true}});
    let nothing = token(&server, "nothing", &[])?;
    let only_delegate = token(&server, "delegate", std::slice::from_ref(&delegate))?;
    let only_log = token(&server, "log", std::slice::from_ref(&log))?;
    let both = token(&server, "both", &[delegate, log])?;
    let eve = other["key"].as_str().context("a key")?.to_owned();

    let message = "msg_AAAAAAAAAAAAAAAAAAAAAA-0";
    let asked = [
        ("GET", format!("/v1/webhooks/{id}"), Value::Null, 200),
        ("GET", format!("/v1/webhooks/{id}/dead-letters"), Value::Null, 200),
        ("POST", format!("/v1/webhooks/{id}/replay"), json!({"from": "start"}), 200),
        ("POST", format!("/v1/webhooks/{id}/dead-letters/{message}/retry"), Value::Null, 404),
        ("POST", format!("/v1/webhooks/{id}/test"), Value::Null, 200),
    ];
    let status = |key: &str, method: &str, path: &str, body: &Value| -> Result<u16> {
        Ok(server.http()?.as_bearer(key).send(method, path, body)?.status)
    };
    for (method, path, body, _) in &asked {
        for (who, key) in [("nothing", &nothing), ("delegate", &only_delegate), ("log", &only_log)] {
            assert_eq!(status(key, method, path, body)?, 403, "{who} {method} {path}");
        }
        assert_eq!(status(&eve, method, path, body)?, 404, "of another organization: {path}");
        assert_eq!(server.http()?.send(method, path, body)?.status, 401, "{path}");
    }
    assert!(receiver.received().is_empty());
    for (method, path, body, expected) in &asked {
        assert_eq!(status(&both, method, path, body)?, *expected, "{path}");
    }
    assert_eq!(receiver.received().len(), 1, "the test message");
    Ok(())
}
