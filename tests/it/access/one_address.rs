//! Read nodes that pass on what a command service decides: one address for everything.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    cut::{Cut, Flow, Way},
    front::{Nginx, RoundRobin},
    nats::Nats,
    server::Server,
    wire::{Http, Reply},
};
use serde_json::{Value, json};

/// An address of the documentation's networks, which no process has.
const CLIENT: &str = "203.0.113.7";
/// How much later everything comes to a node that is behind: far longer than a node takes that is not, and within the two
/// seconds that a read waits.
const BEHIND: Duration = Duration::from_millis(400);

/// A command service and two read nodes that pass on to it.
struct Scene {
    command: Server,
    nodes: [Server; 2],
    /// Before the second node's journal.
    cut: Cut,
    /// Its directory holds the cursor key.
    _first: Server,
    _nats: Nats,
}

impl Scene {
    fn set() -> Result<Self> {
        let nats = Nats::single()?;
        let mut first = Server::init_over(&nats.url())?;
        let key = first.outer().join("cursor.key");
        let key = key.to_str().context("a plain name")?.to_owned();
        let made = binary::run(&["cursor", "key", &key], &[])?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        first.set_env("GRANTBOOK_TRUSTED_PROXIES", "127.0.0.0/8");
        let command = first.another("command")?;
        first.set_env("GRANTBOOK_FORWARD_TO", command.base());
        first.set_env("GRANTBOOK_CURSOR_KEY_FILE", &key);
        let port = nats.url().rsplit(':').next().and_then(|port| port.parse().ok()).context("a port")?;
        let cut = Cut::before(port)?;
        let mut nodes = [first.another_stopped("read")?, first.over_as("read", &cut.nats_url())?];
        for node in &mut nodes {
            node.spawn()?;
        }
        Ok(Self { command, nodes, cut, _first: first, _nats: nats })
    }
}

fn ask(base: &str, key: &str, method: &str, path: &str, body: &Value) -> Result<Reply> {
    Http::connect(base)?.as_bearer(key).send(method, path, body)
}

fn id(value: &Value) -> Result<&str> {
    value["id"].as_str().with_context(|| format!("no id in {value}"))
}

/// The source address of the newest record.
fn source_ip(node: &Server) -> Result<String> {
    let path = "/v1/audit?order=desc&limit=1";
    Ok(node.call("GET", path, &Value::Null)?.expect(200)?["items"][0]["source_ip"].to_string())
}

/// Everything through one address, which two nodes share.
fn serves_everything(scene: &Scene, base: &str, name: &str) -> Result<()> {
    let key = &scene.command.owner_key;
    let mut ids = Vec::new();
    for number in 0..6 {
        let mut http = Http::connect(base)?.as_bearer(key).with("x-forwarded-for", CLIENT);
        let made = http.send("POST", "/v1/tokens", &json!({"name": format!("{name}-{number}")}))?;
        let position = made.header("grantbook-position").context("a position")?.to_owned();
        let made = made.expect(201)?;
        for node in &scene.nodes {
            let path = format!("/v1/tokens/{}", id(&made)?);
            let at = [("grantbook-at-least", position.as_str())];
            let read = node.http()?.as_bearer(key).send_with("GET", &path, &at, &Value::Null)?;
            assert_eq!(read.expect(200)?["name"], made["name"]);
            assert_eq!(source_ip(node)?, format!("\"{CLIENT}\""), "{name}");
        }
        ids.push(id(&made)?.to_owned());
    }
    // Lists go on at the other node.
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page =
            ask(base, key, "GET", &format!("/v1/tokens?limit=2{cursor}"), &Value::Null)?.expect(200)?;
        pages += 1;
        for item in page["items"].as_array().context("items")? {
            seen.push(id(item)?.to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    ensure!(pages >= 3 && ids.iter().all(|id| seen.iter().filter(|one| *one == id).count() == 1), "{seen:?}");
    // What is asked of the state that commands are decided on, and what would change.
    ask(base, key, "GET", "/v1/limits", &Value::Null)?.expect(200)?;
    let commands = json!({"commands": [{"method": "POST", "path": "/v1/groups", "body": {"name": "g"}}]});
    ask(base, key, "POST", "/v1/plan", &commands)?.expect(200)?;
    let tried = ask(base, key, "POST", "/v1/groups?dry_run=true", &json!({"name": "g"}))?.expect(200)?;
    assert_eq!(tried["records"], 1, "{tried}");
    // Refusals come as the command service words them.
    let refused = ask(base, key, "POST", "/v1/tokens", &json!({"name": format!("{name}-0")}))?;
    assert_eq!((refused.status, refused.text("/code").as_str()), (409, "name_taken"));
    let refused = ask(base, key, "POST", "/v1/tokens", &json!({"nam": "x"}))?;
    assert_eq!((refused.status, refused.text("/code").as_str()), (400, "invalid"));
    Ok(())
}

#[test]
fn two_nodes_behind_one_address_serve_everything() -> Result<()> {
    let scene = Scene::set()?;
    let [one, two] = [scene.nodes[0].base(), scene.nodes[1].base()];
    let front = RoundRobin::before(&[one, two])?;
    serves_everything(&scene, &front.base(), "proxy")?;
    match Nginx::before(&[one, two])? {
        Some(nginx) => serves_everything(&scene, &nginx.base(), "nginx")?,
        None => println!("without nginx, which is not installed"),
    }
    // Both processes log a request under one id.
    let mut http =
        scene.nodes[0].http()?.as_bearer(&scene.command.owner_key).with("x-request-id", "seen-twice");
    http.send("POST", "/v1/groups", &json!({"name": "logged"}))?.expect(201)?;
    for process in [&scene.nodes[0], &scene.command] {
        assert!(process.log().contains("request.id=\"seen-twice\""));
    }
    // The command line knows one URL, and so does a key that is not known anywhere.
    let (made, said, code) = scene.nodes[0].cli(&["token", "create", "by-cli"])?;
    assert_eq!(code, 0, "{made} {said}");
    let (listed, ..) = scene.nodes[0].cli(&["token", "list"])?;
    assert!(listed.contains("by-cli"), "{listed}");
    let unknown = scene.nodes[0].http()?.send("POST", "/v1/tokens", &json!({"name": "x"}))?;
    assert_eq!((unknown.status, unknown.text("/code").as_str()), (401, "unauthenticated"));
    Ok(())
}

#[test]
fn a_node_that_is_behind_waits_for_what_it_passed_on_and_for_cursors() -> Result<()> {
    let scene = Scene::set()?;
    let [ahead, behind] = &scene.nodes;
    let make = |name: &str| behind.call("POST", "/v1/tokens", &json!({"name": name}));
    let first = make("first")?.expect(201)?;
    scene.cut.set(Way::Out, Flow::Late(BEHIND));
    // Its own writes are there at once, without a word of the caller.
    let second = make("second")?.expect(201)?;
    behind.call("GET", &format!("/v1/tokens/{}", id(&second)?), &Value::Null)?.expect(200)?;
    // A key that it ended is ended.
    let issued = behind.call("POST", &format!("/v1/tokens/{}/keys", id(&first)?), &json!({}))?.expect(201)?;
    let secret = issued["secret"].as_str().context("a secret")?;
    let whoami = || ask(behind.base(), secret, "GET", "/v1/whoami", &Value::Null);
    whoami()?.expect(200)?;
    behind.call("DELETE", &format!("/v1/keys/{}", id(&issued)?), &Value::Null)?.expect(200)?;
    assert_eq!(whoami()?.status, 401);
    // A list that was begun further ahead goes on here.
    let third = ahead.call("POST", "/v1/tokens", &json!({"name": "third"}))?.expect(201)?;
    let page = ahead.call("GET", "/v1/tokens?limit=2", &Value::Null)?.expect(200)?;
    let next = page["next"].as_str().context("there are three")?;
    let page = behind.call("GET", &format!("/v1/tokens?limit=2&cursor={next}"), &Value::Null)?.expect(200)?;
    assert_eq!(page["items"][0]["id"], third["id"]);
    // One that never comes so far says so, and a cursor that nobody made is not waited for in vain twice.
    scene.cut.set(Way::Out, Flow::Hold);
    ahead.call("POST", "/v1/tokens", &json!({"name": "fourth"}))?.expect(201)?;
    let page = ahead.call("GET", "/v1/tokens?limit=2", &Value::Null)?.expect(200)?;
    let next = page["next"].as_str().context("there are four")?;
    let late = behind.call("GET", &format!("/v1/tokens?limit=2&cursor={next}"), &Value::Null)?;
    assert_eq!((late.status, late.text("/code").as_str()), (503, "behind"));
    let forged = format!("00{}", next.split_at(2).1);
    let refused = behind.call("GET", &format!("/v1/tokens?limit=2&cursor={forged}"), &Value::Null)?;
    assert_eq!((refused.status, refused.text("/code").as_str()), (400, "invalid"));
    scene.cut.heal();
    Ok(())
}

#[test]
fn nodes_that_lead_to_each_other_refuse_the_loop() -> Result<()> {
    let nats = Nats::single()?;
    let mut first = Server::init_over(&nats.url())?;
    let back = RoundRobin::before(&[])?;
    first.set_env("GRANTBOOK_FORWARD_TO", &back.base());
    let one = first.another("read")?;
    first.unset_env("GRANTBOOK_FORWARD_TO");
    first.set_env("GRANTBOOK_FORWARD_TO", one.base());
    let other = first.another("read")?;
    back.lead_to(&[other.base()])?;
    for node in [&one, &other] {
        let refused = node.call("POST", "/v1/tokens", &json!({"name": "t"}))?;
        assert_eq!((refused.status, refused.text("/code").as_str()), (508, "forwarding_loop"));
        assert!(refused.text("/detail").contains("--command-url"));
    }
    Ok(())
}

#[test]
fn without_the_command_service_nothing_is_written_and_a_repeated_request_writes_once() -> Result<()> {
    let mut scene = Scene::set()?;
    let key = scene.command.owner_key.clone();
    let node = &scene.nodes[0];
    let create = |name: &str| {
        let headers = [("idempotency-key", name)];
        node.http()?.as_bearer(&key).send_with("POST", "/v1/tokens", &headers, &json!({"name": name}))
    };
    create("before")?.expect(201)?;
    scene.command.keep_address()?;
    scene.command.kill()?;
    // The question comes first: it may be sent on a connection of which the node has not seen the end yet.
    for (method, path, body) in
        [("GET", "/v1/limits", Value::Null), ("POST", "/v1/tokens", json!({"name": "t"}))]
    {
        let refused = node.call(method, path, &body)?;
        assert_eq!((refused.status, refused.text("/code").as_str()), (503, "command_unreachable"), "{path}");
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(create("once")?.text("/code"), "command_unreachable");
    // Reads go on.
    node.call("GET", "/v1/tokens", &Value::Null)?.expect(200)?;
    scene.command.spawn()?;
    let made = create("once")?.expect(201)?;
    let again = create("once")?;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(id(&again.expect(201)?)?, id(&made)?);
    Ok(())
}

#[test]
fn a_lost_answer_to_a_write_is_an_unknown_outcome() -> Result<()> {
    let nats = Nats::single()?;
    let mut first = Server::init_over(&nats.url())?;
    // It takes requests and ends their connections without an answer.
    let silent = RoundRobin::before(&["http://127.0.0.1:1"])?;
    first.set_env("GRANTBOOK_FORWARD_TO", &silent.base());
    let node = first.another("read")?;
    let lost = node.call("POST", "/v1/tokens", &json!({"name": "t"}))?;
    assert_eq!((lost.status, lost.text("/code").as_str()), (503, "outcome_unknown"));
    let lost = node.call("GET", "/v1/limits", &Value::Null)?;
    assert_eq!((lost.status, lost.text("/code").as_str()), (503, "command_unreachable"));
    Ok(())
}

#[test]
fn who_is_not_trusted_cannot_say_who_the_client_is() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_TRUSTED_PROXIES", "10.0.0.0/8");
    server.spawn()?;
    for header in [("x-forwarded-for", CLIENT), ("forwarded", "for=203.0.113.7")] {
        let body = json!({"name": header.0});
        let mut http = server.http()?.as_bearer(&server.owner_key);
        http.send_with("POST", "/v1/tokens", &[header], &body)?.expect(201)?;
        assert_eq!(source_ip(&server)?, "\"127.0.0.1\"");
    }
    assert!(!server.log().contains(CLIENT));
    server.terminate()?;
    server.unset_env("GRANTBOOK_TRUSTED_PROXIES");
    server.set_env("GRANTBOOK_TRUSTED_PROXIES", "127.0.0.1");
    server.spawn()?;
    let mut http = server.http()?.as_bearer(&server.owner_key);
    http.send_with("POST", "/v1/tokens", &[("forwarded", "for=\"203.0.113.7:1\"")], &json!({"name": "t"}))?
        .expect(201)?;
    assert_eq!(source_ip(&server)?, format!("\"{CLIENT}\""));
    let log = server.log();
    let line = log.lines().find(|line| line.contains("client=203.0.113.7")).context("a line")?;
    assert!(line.contains("peer=127.0.0.1:"), "{line}");
    Ok(())
}
