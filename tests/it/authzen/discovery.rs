//! `GET /.well-known/authzen-configuration`: from the configuration, or not at all.

use anyhow::Result;
use grantbook_tests::server::Server;
use serde_json::{Value, json};

const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

fn started(public_url: Option<&str>) -> Result<Server> {
    let mut server = Server::init()?;
    if let Some(url) = public_url {
        server.set_env("GRANTBOOK_PUBLIC_URL", url);
    }
    server.spawn()?;
    Ok(server)
}

#[test]
fn the_configuration_is_told_to_everybody_and_never_by_the_host_header() -> Result<()> {
    let server = started(Some("https://pdp.example.com/"))?;
    let expected = json!({
        "policy_decision_point": "https://pdp.example.com",
        "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
        "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
        "search_subject_endpoint": "https://pdp.example.com/access/v1/search/subject",
        "search_resource_endpoint": "https://pdp.example.com/access/v1/search/resource",
        "search_action_endpoint": "https://pdp.example.com/access/v1/search/action",
    });
    for headers in [
        vec![],
        vec![
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "host=evil.example"),
        ],
        vec![("x-original-host", "evil.example"), ("x-request-id", "discovery 1")],
    ] {
        let reply = server.http()?.raw("GET", WELL_KNOWN, &headers, b"")?;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        if headers.len() == 2 {
            assert_eq!(reply.header("x-request-id"), Some("discovery 1"));
        }
        assert_eq!(reply.expect(200)?, expected);
    }
    // The harness names the address as host; here it is somebody else's name, in the request line itself.
    let foreign = format!("http://evil.example{WELL_KNOWN}");
    let reply = server.http()?.raw("GET", &foreign, &[], b"")?;
    assert!(!String::from_utf8_lossy(&reply.body).contains("evil"), "{reply:?}");
    assert_eq!(server.http()?.send("POST", WELL_KNOWN, &json!({}))?.status, 405);
    assert_eq!(server.http()?.send("GET", &format!("{WELL_KNOWN}/t1"), &Value::Null)?.status, 404);
    Ok(())
}

#[test]
fn a_public_url_with_a_path_is_described_between_host_and_path() -> Result<()> {
    let server = started(Some("https://pdp.example.com/t1"))?;
    let told = server.http()?.send("GET", &format!("{WELL_KNOWN}/t1"), &Value::Null)?.expect(200)?;
    assert_eq!(told["policy_decision_point"], "https://pdp.example.com/t1");
    assert_eq!(told["access_evaluation_endpoint"], "https://pdp.example.com/t1/access/v1/evaluation");
    for path in [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/t2"), format!("{WELL_KNOWN}/t1/x")] {
        assert_eq!(server.http()?.send("GET", &path, &Value::Null)?.status, 404, "{path}");
    }
    Ok(())
}

#[test]
fn without_a_public_url_there_is_no_configuration_and_it_says_what_to_do() -> Result<()> {
    let server = started(None)?;
    let reply = server.http()?.send("GET", WELL_KNOWN, &Value::Null)?;
    assert_eq!((reply.status, reply.text("/code").as_str()), (404, "not_found"));
    assert!(reply.text("/detail").contains("--public-url"), "{}", reply.text("/detail"));
    Ok(())
}
