//! What was delivered is verified by others: the specification's own library for Python, with the secret as it was shown.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantbook_tests::hooks::{Received, Receiver};
use serde_json::{Value, json};

use crate::{
    relay::python,
    webhooks::{delivering, hook},
};

/// What the library says of messages: a line for each.
fn verified(secret: &str, messages: &[Received]) -> Result<Vec<String>> {
    let message = |one: &Received| {
        let headers = json!({"webhook-id": one.id, "webhook-timestamp": one.timestamp,
            "webhook-signature": one.signatures});
        json!({"body": STANDARD.encode(&one.raw), "headers": headers})
    };
    let asked = json!({"secret": secret, "messages": messages.iter().map(message).collect::<Vec<_>>()});
    let mut script: Command = python("tests/it/webhooks/verify.py")?;
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = script.spawn()?;
    running.stdin.take().context("it reads")?.write_all(asked.to_string().as_bytes())?;
    let ended = running.wait_with_output()?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(String::from_utf8(ended.stdout)?.lines().map(str::to_owned).collect())
}

/// The message with something changed.
fn forged(one: &Received, change: impl FnOnce(&mut Received)) -> Received {
    let mut forged = one.clone();
    change(&mut forged);
    forged
}

#[test]
fn the_library_of_the_specification_takes_what_was_sent_and_nothing_else() -> Result<()> {
    let (server, _place) = delivering("1s")?;
    let receiver = Receiver::start()?;
    let (id, first) = hook(&server, &json!({"url": receiver.url("/"), "events": ["ProjectCreated"]}))?;
    let other = hook(&server, &json!({"url": receiver.url("/"), "events": ["KeyRevoked"]}))?.1;
    let name = json!({"name": "Pr\u{fc}fung \u{1f511}"});
    server.call("POST", "/v1/projects", &name)?.expect(201)?;
    server.call("POST", &format!("/v1/webhooks/{id}/test"), &Value::Null)?.expect(200)?;
    let real = receiver.wait("the project and the test", |received| received.len() >= 2)?;
    let mut said = verified(&first, &real)?;
    said.sort();
    assert_eq!(said, ["genuine ProjectCreated", "genuine WebhookTest"]);
    let no_match = "refused No matching signature found".to_owned();
    assert_eq!(verified(&other, &real)?, [no_match.clone(), no_match.clone()], "of another webhook");

    let one = &real[0];
    let moved = |seconds: i64| -> Result<Received> {
        let timestamp: i64 = one.timestamp.parse()?;
        Ok(forged(one, |one| one.timestamp = (timestamp + seconds).to_string()))
    };
    let forgeries = [
        forged(one, |one| one.raw.push(b' ')),
        forged(one, |one| one.raw[0] = b'['),
        forged(one, |one| one.id.push('0')),
        forged(one, |one| one.signatures = one.signatures.replace("v1,", "v2,")),
        moved(1)?,
        moved(-1)?,
    ];
    for said in verified(&first, &forgeries)? {
        assert_eq!(said, no_match);
    }
    assert_eq!(verified(&first, &[moved(-600)?])?, ["refused Message timestamp too old"], "a replay");

    // While the grace lasts, receivers with either secret take the same message.
    let rotate = format!("/v1/webhooks/{id}/rotate");
    let rotated = server.call("POST", &rotate, &json!({"grace_seconds": 3600}))?.expect(201)?;
    let second = rotated["secret"].as_str().context("a secret")?.to_owned();
    server.call("POST", "/v1/projects", &json!({"name": "after"}))?.expect(201)?;
    let all = receiver.wait("another", |received| received.len() >= 3)?;
    let both = &all[2..];
    assert_eq!(verified(&first, both)?, ["genuine ProjectCreated"]);
    assert_eq!(verified(&second, both)?, ["genuine ProjectCreated"]);
    assert_eq!(verified(&second, &all[..2])?, [no_match.clone(), no_match], "what came before");
    Ok(())
}
