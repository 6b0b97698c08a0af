//! Golden files of what the outside relies on.

use std::path::Path;

use anyhow::{Context, Result};
use grantbook_tests::server::Server;
use serde_json::Value;

/// The document at `/openapi.json` is what the server serves; `make golden` accepts a change, its diff is read like code.
#[test]
fn golden_openapi() -> Result<()> {
    let running = Server::start()?;
    let served = running.http()?.send("GET", "/openapi.json", &Value::Null)?.expect(200)?;
    let text = serde_json::to_string_pretty(&served)? + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/openapi.json");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "accept") {
        std::fs::write(&path, &text)?;
    }
    let golden = std::fs::read_to_string(&path).context("tests/golden/openapi.json: run `make golden`")?;
    assert!(golden == text, "the OpenAPI document changed: run `make golden` and read the diff");
    let paths = served["paths"].as_object().context("paths")?;
    for expected in ["/v1/projects", "/v1/tokens/{id}/keys", "/v1/check/batch", "/v1/audit", "/readyz"] {
        assert!(paths.contains_key(expected), "{expected} is not documented");
    }
    Ok(())
}
