//! A read node on the side of a leader that was cut off stops answering within its bound, and for good: neither the old
//! leader, nor a server that has none, makes it believe that it is up to date.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    cut::Flow,
    nats::{Nats, NatsOptions},
    org::Story,
    server::Server,
    wire::Reply,
};
use serde_json::{Value, json};

/// What the nodes are told; the least that is taken.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// A leader that lost its majority goes on to say that it leads for up to 20 s (nats-server, `server/raft.go`).
const OLD_LEADER: Duration = Duration::from_secs(22);
const LIMIT: Duration = Duration::from_mins(1);
/// What a busy machine may add to any of the program's steps.
const SLACK: Duration = Duration::from_secs(1);

/// A cluster with command service and nodes on both sides of where it will be cut.
struct Scene {
    nats: Nats,
    leader: usize,
    command: Server,
    majority: Server,
    refusing: Server,
    marking: Server,
    story: Story,
}

fn scene() -> Result<Scene> {
    let nats = Nats::start_with(&NatsOptions { servers: 3, cuttable: true, ..NatsOptions::default() })?;
    let first = Server::init_over(&nats.url())?;
    let leader = nats.leader()?;
    let urls = nats.urls();
    let others: Vec<String> =
        urls.iter().enumerate().filter(|(index, _)| *index != leader).map(|(_, url)| url.clone()).collect();
    let start = |part: &str, nats: &str, env: &[(&str, &str)]| -> Result<Server> {
        let mut server = first.over_as(part, nats)?;
        for (name, value) in env {
            server.set_env(name, value);
        }
        server.spawn()?;
        Ok(server)
    };
    let (own, others) = (urls.get(leader).context("the leader's address")?.clone(), others.join(","));
    let command = start("command", &others, &[])?;
    let bound = ("GRANTBOOK_MAX_SILENCE", "5s");
    let majority = start("read", &others, &[bound])?;
    let refusing = start("read", &own, &[bound])?;
    let marking = start("read", &own, &[bound, ("GRANTBOOK_WHEN_STALE", "mark")])?;
    let story = Story::tell(&command)?;
    Ok(Scene { nats, leader, command, majority, refusing, marking, story })
}

impl Scene {
    /// Asks with the token's own key whether it may work on staging.
    fn check(&self, node: &Server, at_least: &[(&str, &str)]) -> Result<Reply> {
        let body = json!({"permission": "update", "object": {"type": "project", "id": self.story.staging}});
        node.http()?.as_bearer(&self.story.key).send_with("POST", "/v1/check", at_least, &body)
    }

    fn allows(&self, node: &Server) -> Result<bool> {
        let reply = self.check(node, &[])?;
        Ok(reply.status == 200 && reply.json()["allowed"] == true)
    }

    /// For how long the server that was cut off goes on to say that it leads.
    fn says_that_it_leads(&self, cut: Instant) -> Duration {
        let (name, mut led) = (format!("n{}", self.leader), Duration::ZERO);
        while cut.elapsed() < OLD_LEADER {
            let told = self.nats.ask_one(self.leader, "STREAM.INFO.GRANTBOOK", &json!({}));
            if told.is_ok_and(|told| told["cluster"]["leader"] == name.as_str()) {
                led = cut.elapsed();
            }
            thread::sleep(Duration::from_millis(200));
        }
        led
    }

    /// Takes the token's access away on the majority's side; when that was acknowledged.
    fn revoke(&self) -> Result<Instant> {
        let deadline = Instant::now() + LIMIT;
        let path = format!("/v1/grants/{}", self.story.grant);
        loop {
            let mut http = self.command.http()?.as_bearer(&self.command.owner_key);
            let reply =
                http.send_with("DELETE", &path, &[("idempotency-key", "the-revocation")], &Value::Null)?;
            if reply.status == 200 {
                return Ok(Instant::now());
            }
            ensure!(reply.status == 503 && Instant::now() < deadline, "{}", reply.json());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "{what}: not so within {LIMIT:?}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What the nodes beside the old leader answered while it was cut off.
#[derive(Default)]
struct Seen {
    /// When a check was last allowed.
    allowed: Option<Instant>,
    /// When one was last allowed that demanded the latest.
    allowed_latest: Option<Instant>,
    /// When one was last allowed without a mark by the node that marks.
    allowed_unmarked: Option<Instant>,
}

impl Seen {
    fn watch(&mut self, scene: &Scene) -> Result<()> {
        let allowed = |reply: &Reply| reply.status == 200 && reply.json()["allowed"] == true;
        if allowed(&scene.check(&scene.refusing, &[])?) {
            self.allowed = Some(Instant::now());
        }
        let asked = Instant::now();
        if allowed(&scene.check(&scene.refusing, &[("grantbook-at-least", "latest")])?) {
            self.allowed_latest = Some(asked);
        }
        let marked = scene.check(&scene.marking, &[])?;
        if allowed(&marked) && marked.header("grantbook-stale").is_none() {
            self.allowed_unmarked = Some(Instant::now());
        }
        Ok(())
    }
}

/// One after the other: elections of two clusters at once take long on few cores.
#[test]
fn behind_a_silent_or_broken_network_nothing_is_allowed_beyond_the_bound() -> Result<()> {
    for flow in [Flow::Hold, Flow::Broken] {
        eprintln!("{}", beyond_the_bound(flow)?);
    }
    Ok(())
}

/// What was seen, in words.
fn beyond_the_bound(flow: Flow) -> Result<String> {
    let scene = scene()?;
    for node in [&scene.majority, &scene.refusing, &scene.marking] {
        until("the token has access", || scene.allows(node))?;
    }
    let cut = Instant::now();
    scene.nats.links()?.isolate(scene.leader, flow)?;
    let mut seen = Seen::default();
    let (revoked, led) = thread::scope(|scope| -> Result<(Instant, Duration)> {
        let revoking = scope.spawn(|| scene.revoke());
        let leading = scope.spawn(|| scene.says_that_it_leads(cut));
        while !revoking.is_finished() {
            seen.watch(&scene)?;
        }
        let revoked = revoking.join().map_err(|_| anyhow::anyhow!("the revocation panicked"))??;
        while cut.elapsed() < OLD_LEADER.max(revoked - cut + MAX_SILENCE + SLACK) {
            seen.watch(&scene)?;
        }
        Ok((revoked, leading.join().map_err(|_| anyhow::anyhow!("the question panicked"))?))
    })?;
    let after = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(revoked));
    let told = format!(
        "{flow:?}: the old leader said that it leads for {led:.1?}; the revocation was acknowledged {:.1?} after the \
         cut; allowed after that for {:.1?} (latest: {:.1?}, unmarked: {:.1?})",
        revoked - cut,
        after(seen.allowed),
        after(seen.allowed_latest),
        after(seen.allowed_unmarked)
    );
    for (what, at) in [("refuses", seen.allowed), ("marks", seen.allowed_unmarked)] {
        let late = after(at).context("it answered at first")?;
        ensure!(
            late <= MAX_SILENCE + SLACK,
            "the node that {what} still allowed {late:?} after the revocation"
        );
    }
    let late = after(seen.allowed_latest).context("it answered at first")?;
    ensure!(late.is_zero(), "what demanded the latest was allowed {late:?} after the revocation");
    stale_and_fresh(&scene)?;
    scene.nats.links()?.heal();
    for node in [&scene.refusing, &scene.marking] {
        until("the node comes back and knows of the revocation", || {
            let reply = scene.check(node, &[])?;
            let told = reply.header("grantbook-stale").is_none();
            Ok(told && reply.status == 200 && reply.json()["allowed"] == false)
        })?;
    }
    Ok(told)
}

/// How the nodes are while the network is cut: those beside the old leader say that they are stale.
fn stale_and_fresh(scene: &Scene) -> Result<()> {
    let refused = scene.check(&scene.refusing, &[])?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("stale")));
    let marked = scene.check(&scene.marking, &[])?;
    let mark = marked.header("grantbook-stale").context("a mark")?.to_owned();
    assert!(mark.starts_with("lag_frames=") && mark.contains(",age_ms="), "{mark}");
    let body = marked.expect(200)?;
    assert_eq!(
        body.as_object().context("an answer")?.keys().collect::<Vec<_>>(),
        ["allowed", "position", "reason"]
    );
    let latest = scene.check(&scene.marking, &[("grantbook-at-least", "latest")])?;
    assert_eq!((latest.status, latest.json()["code"].as_str()), (503, Some("journal_unavailable")));
    for (node, ready) in [(&scene.refusing, false), (&scene.marking, true)] {
        let told = node.http()?.send("GET", "/readyz", &Value::Null)?;
        let told = (told.status == 200, told.json());
        assert!(told.0 == ready && told.1["state"] == "stale" && told.1["ready"] == ready, "{told:?}");
        let metrics = node.http()?.send("GET", "/metrics", &Value::Null)?.body;
        let metrics = String::from_utf8(metrics)?;
        assert!(metrics.contains("grantbook_stale 1\n"), "{metrics}");
    }
    until("the majority's node knows of the revocation", || Ok(!scene.allows(&scene.majority)?))?;
    let latest = scene.check(&scene.majority, &[("grantbook-at-least", "latest")])?;
    assert_eq!(latest.expect(200)?["allowed"], false);
    Ok(())
}
