//! No secret in journal, view files, logs or errors after a full run: a search over all files and answers.

use std::path::Path;

use anyhow::{Context, Result};
use grantbook_tests::{org::Story, server::Server};
use serde_json::{Value, json};

#[test]
fn secrets_are_in_the_answer_that_makes_them_and_nowhere_else() -> Result<()> {
    let mut server = Server::start()?;
    let story = Story::tell(&server)?;
    let mut secrets = vec![server.owner_key.clone(), story.key.clone()];

    let rotate = format!("/v1/keys/{}/rotate", story.key_id);
    let rotated = server.call("POST", &rotate, &json!({"grace_seconds": 60}))?.expect(201)?;
    secrets.push(rotated["secret"].as_str().context("the new secret")?.to_owned());
    let mut answers = Vec::new();
    for body in [
        json!({"key": story.key, "permission": "update", "object": {"type": "project", "id": story.staging}}),
        json!({"key": format!("{}x", story.key), "permission": "update", "object": {"type": "project", "id": "?"}}),
        json!({"key": story.key, "nonsense": story.key}),
    ] {
        answers.push(server.call("POST", "/v1/check", &body)?.body);
    }
    let in_query = format!("/v1/whoami?key={}", story.key);
    answers.push(server.http()?.send("GET", &in_query, &Value::Null)?.body);
    let headers = [("grantbook-reason", "why"), ("idempotency-key", "s-1")];
    let mut http = server.http()?.as_bearer(&server.owner_key);
    let issue = format!("/v1/tokens/{}/keys", story.token);
    let issued = http.send_with("POST", &issue, &headers, &json!({"name": "k"}))?.expect(201)?;
    secrets.push(issued["secret"].as_str().context("a secret")?.to_owned());
    let replayed = http.send_with("POST", &issue, &headers, &json!({"name": "k"}))?;
    assert_eq!(replayed.json()["secret"], Value::Null);
    assert_eq!(replayed.json()["secret_withheld"], true);
    answers.push(replayed.body);
    for path in ["/v1/audit?limit=1000", &format!("/v1/tokens/{}/keys", story.token), "/metrics", "/readyz"] {
        answers.push(server.call("GET", path, &Value::Null)?.body);
    }
    server.terminate()?;
    server.spawn()?;
    server.terminate()?;

    for secret in &secrets {
        // The 43 characters before the checksum are the secret itself; the key id before them is no secret.
        let start = secret.len() - 49;
        let needle = secret.get(start..start + 43).context("a key has 43 secret characters")?;
        for answer in &answers {
            assert!(!holds(answer, needle.as_bytes()), "in an answer: {}", String::from_utf8_lossy(answer));
        }
        let mut files = 0;
        search(&server.outer(), needle.as_bytes(), &mut files)?;
        assert!(files >= 3, "journal, view and log were searched, got {files} files");
    }
    Ok(())
}

fn search(dir: &Path, needle: &[u8], files: &mut usize) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path, needle, files)?;
        } else {
            *files += 1;
            assert!(!holds(&std::fs::read(&path)?, needle), "in {}", path.display());
        }
    }
    Ok(())
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
