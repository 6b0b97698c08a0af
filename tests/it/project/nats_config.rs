//! The servers' configurations that `grantbook nats config` writes: three servers are started from them, everybody can
//! do its work and nothing else, a mirror keeps all, and a read node lives behind a leaf node.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_journal::jetstream::{NatsOptions, NatsRole};
use grantbook_tests::{
    binary,
    nats::{
        configured::{Configured, free_rows},
        identity::Certificates,
    },
    server::Server,
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

/// Servers that run as their files say.
pub(crate) struct Scene {
    pub(crate) dir: PathBuf,
    pub(crate) nats: String,
    client_port: u16,
    servers: Vec<Configured>,
    _owned: tempfile::TempDir,
}

/// Writes configurations and starts three servers of them.
pub(crate) fn scene(with_tls: bool) -> Result<Scene> {
    scene_of(3, with_tls)
}

/// The same with so many servers.
pub(crate) fn scene_of(count: u16, with_tls: bool) -> Result<Scene> {
    // A free port may be taken by somebody else before a server has it.
    for _ in 0..4 {
        match try_scene(count, with_tls) {
            Err(error) if error.to_string().contains("address already in use") => {}
            tried => return tried,
        }
    }
    try_scene(count, with_tls)
}

fn try_scene(count: u16, with_tls: bool) -> Result<Scene> {
    let owned = tempfile::tempdir()?;
    let (dir, tls) = (owned.path().join("nats"), owned.path().join("tls"));
    let [client, cluster, leaf, monitor] = free_rows(3)?;
    let number = count.to_string();
    let ports = format!("{client},{cluster},{leaf},{monitor}");
    let text = |path: &Path| path.to_str().unwrap_or_default().to_owned();
    let (dir_text, tls_text) = (text(&dir), text(&tls));
    let mut args =
        vec!["--json", "nats", "config", "--servers", &number, "--dir", &dir_text, "--ports", &ports];
    if with_tls {
        fs::create_dir(&tls)?;
        certificates(&tls)?;
        args.extend(["--tls-dir", &tls_text]);
    }
    let written = binary::run(&args, &[])?;
    ensure!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let told: Value = serde_json::from_slice(&written.stdout)?;
    let again = binary::run(&args, &[])?;
    ensure!(again.status.code() == Some(1), "nothing is overwritten");
    let mut servers = Vec::new();
    for number in 1..=count {
        servers.push(Configured::start(&dir.join(format!("server-{number}.conf")))?);
    }
    servers.iter_mut().try_for_each(|server| server.wait_for("Server is ready"))?;
    if count > 1 {
        servers.iter_mut().try_for_each(|server| server.wait_for("Listening for route connections"))?;
    }
    let nats = told["nats"].as_str().context("addresses")?.to_owned();
    Ok(Scene { dir, nats, client_port: client, servers, _owned: owned })
}

/// One authority and one certificate, under the names that the configurations look for.
fn certificates(dir: &Path) -> Result<()> {
    let made = Certificates::make(dir)?;
    fs::rename(&made.authority, dir.join("ca.pem"))?;
    for number in 1..=3 {
        fs::copy(&made.server.0, dir.join(format!("server-{number}.pem")))?;
        fs::copy(&made.server.1, dir.join(format!("server-{number}.key")))?;
    }
    Ok(())
}

impl Scene {
    /// One of the addresses.
    pub(crate) fn first_url(&self) -> String {
        self.nats.split(',').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn key(&self, role: &str) -> String {
        self.dir.join(format!("keys/{role}.nk")).display().to_string()
    }

    /// Makes the mirrors in the subscribers' account, however long the servers take to agree on leaders; what is said.
    pub(crate) fn prepare_subscribers(&self) -> Result<String> {
        let key = self.key("subscriber-admin");
        let deadline = Instant::now() + LIMIT;
        loop {
            let args = ["nats", "prepare-subscribers", "--nats", &self.nats];
            let made = binary::run(&args, &[("GRANTBOOK_NATS_NKEY", &key)])?;
            if made.status.success() {
                return Ok(String::from_utf8(made.stdout)?);
            }
            ensure!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&made.stderr));
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Restarts the servers one by one, with whatever their files say now.
    pub(crate) fn restart(&mut self) -> Result<()> {
        for (number, server) in (1..).zip(&mut self.servers) {
            let config = self.dir.join(format!("server-{number}.conf"));
            server.kill()?;
            fs::remove_file(config.with_extension("log"))?;
            *server = Configured::start(&config)?;
            server.wait_for("Server is ready")?;
        }
        Ok(())
    }

    /// A process of this part with the credentials of a role.
    pub(crate) fn start(&self, first: &Server, part: &str, role: &str) -> Result<Server> {
        let mut server = first.another_stopped(part)?;
        server.set_env("GRANTBOOK_NATS_NKEY", &self.key(role));
        server.spawn()?;
        Ok(server)
    }

    /// Founds the installation, however long the servers take to agree on leaders.
    pub(crate) fn found(&self, further: &[(&str, &str)]) -> Result<Server> {
        let operator = self.key("operator");
        let mut env = vec![("GRANTBOOK_NATS_NKEY", operator.as_str())];
        env.extend(further);
        let deadline = Instant::now() + LIMIT;
        loop {
            match Server::init_over_as(&self.nats, &env) {
                Ok(first) => return Ok(first),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(self.servers.iter().map(Configured::log).collect::<String>()));
                }
                Err(_) => thread::sleep(Duration::from_millis(300)),
            }
        }
    }

    fn client(url: &str, key: &str) -> Result<Client> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seed = fs::read_to_string(key)?;
        let options = async_nats::ConnectOptions::new()
            .nkey(seed.trim().to_owned())
            .custom_inbox_prefix(if key.ends_with("subscriber.nk") { "_INBOX_SUBSCRIBER" } else { "_INBOX" });
        let client = runtime.block_on(options.connect(url))?;
        Ok(Client { runtime, client })
    }
}

/// Whoever asks NATS directly.
struct Client {
    runtime: tokio::runtime::Runtime,
    client: async_nats::Client,
}

impl Client {
    /// The answer; none if nobody answers, as when it is forbidden to ask.
    fn ask(&self, subject: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let asked = self.client.request(subject.to_owned(), body.into());
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?.ok() })?;
        serde_json::from_slice(&answer.payload).ok()
    }
}

/// A write is seen on the read node. While the broker is busy the service takes no writes and says so; as any client would, this
/// repeats the request with its key.
pub(crate) fn works(command: &Server, read: &Server, name: &str) -> Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let retry = format!("works {}", WRITES.fetch_add(1, Ordering::Relaxed));
    let deadline = Instant::now() + LIMIT;
    let made = loop {
        let mut http = command.http()?.as_bearer(&command.owner_key);
        let headers = [("idempotency-key", retry.as_str())];
        let made = http.send_with("POST", "/v1/tokens", &headers, &json!({"name": name}))?;
        if made.status != 503 || Instant::now() > deadline {
            break made;
        }
        thread::sleep(Duration::from_millis(300));
    };
    let position = made.header("grantbook-position").context("a position")?.to_owned();
    let id = made.expect(201)?["id"].as_str().context("an id")?.to_owned();
    for demand in [position.as_str(), "latest"] {
        let mut http = read.http()?.as_bearer(&read.owner_key);
        let at_least = [("grantbook-at-least", demand)];
        http.send_with("GET", &format!("/v1/tokens/{id}"), &at_least, &Value::Null)?.expect(200)?;
    }
    Ok(())
}

#[test]
fn three_servers_of_generated_files_serve_and_a_mirror_and_an_edge_follow() -> Result<()> {
    let scene = scene(false)?;
    for entry in fs::read_dir(scene.dir.join("keys"))? {
        assert_eq!(entry?.metadata()?.permissions().mode() & 0o777, 0o600);
    }
    let first = scene.found(&[])?;
    let (command, read) = (scene.start(&first, "command", "command")?, scene.start(&first, "read", "read")?);
    works(&command, &read, "one")?;
    let monitors: Vec<String> = scene.monitors()?;
    let doctor = binary::run(
        &["doctor", "--nats", &scene.nats, "--monitor", &monitors.join(",")],
        &[("GRANTBOOK_NATS_NKEY", &scene.key("command"))],
    )?;
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    nobody_does_more(&scene, &command)?;
    mirror_has_all(&scene, &read)?;
    edge_serves(&scene, &first, &command)
}

impl Scene {
    fn monitors(&self) -> Result<Vec<String>> {
        (1..=3)
            .map(|number| {
                let config = fs::read_to_string(self.dir.join(format!("server-{number}.conf")))?;
                let line =
                    config.lines().find_map(|line| line.strip_prefix("http: ")).context("an address")?;
                Ok(format!("http://{}", line.trim_matches('"')))
            })
            .collect()
    }
}

/// With the read node's credentials nothing is written; nobody may delete; a subscriber sees no frame.
fn nobody_does_more(scene: &Scene, command: &Server) -> Result<()> {
    let lame = {
        let mut lame = command.another_stopped("command")?;
        lame.set_env("GRANTBOOK_NATS_NKEY", &scene.key("read"));
        lame.spawn()?;
        lame
    };
    let refused = lame.call("POST", "/v1/tokens", &json!({"name": "lost"}))?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("outcome_unknown")));
    let url = scene.nats.split(',').next().unwrap_or_default();
    for role in NatsRole::ALL {
        let client = Scene::client(url, &scene.key(role.name()))?;
        for verb in ["STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE"] {
            let answer = client.ask(&format!("$JS.API.{verb}.GRANTBOOK"), &json!({"seq": 1}));
            assert!(answer.is_none(), "{role:?} {verb}: {answer:?}");
        }
        let may_look = client.ask("$JS.API.STREAM.INFO.GRANTBOOK", &Value::Null).is_some();
        let reads = !role.is_of_subscribers() && !matches!(role, NatsRole::Mirror | NatsRole::Edge);
        assert_eq!(may_look, reads, "{role:?}");
        let may_get = client.ask("$JS.API.STREAM.MSG.GET.GRANTBOOK", &json!({"seq": 1})).is_some();
        assert_eq!(may_get, reads, "{role:?}");
        let may_make =
            client.ask("$JS.API.STREAM.CREATE.OTHER", &json!({"name": "OTHER", "subjects": ["x"]})).is_some();
        assert!(!may_make, "{role:?}");
    }
    let operator = Scene::client(url, &scene.key("operator"))?;
    // `init` made them with the operator's permissions.
    for stream in ["GRANTBOOK_EVENTS", "GRANTBOOK_CHANGES", "GRANTBOOK_NODES", "OBJ_GRANTBOOK_SNAPSHOTS"] {
        let told =
            operator.ask(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).context("an answer")?;
        assert_eq!(told["config"]["num_replicas"], 3, "{told}");
    }
    scene.prepare_subscribers()?;
    let subscriber = Scene::client(url, &scene.key("subscriber"))?;
    let consumer = json!({"stream_name": "GRANTBOOK_EVENTS", "action": "create",
        "config": {"name": "c", "durable_name": "c", "ack_policy": "explicit"}});
    let made =
        subscriber.ask("$JS.API.CONSUMER.CREATE.GRANTBOOK_EVENTS.c", &consumer).context("an answer")?;
    assert!(made["error"].is_null(), "{made}");
    Ok(())
}

/// A server elsewhere, of the generated file, in an account that the cluster does not know, holds every message.
fn mirror_has_all(scene: &Scene, read: &Server) -> Result<()> {
    let head = read.http()?.send("GET", "/metrics", &Value::Null)?.body;
    let head = String::from_utf8(head)?;
    let head =
        head.lines().find_map(|line| line.strip_prefix("grantbook_journal_head ")).context("a head")?;
    let head: u64 = head.parse()?;
    let mut server = Configured::start(&scene.dir.join("mirror.conf"))?;
    server.wait_for("Server is ready")?;
    let url = format!("nats://127.0.0.1:{}", scene.client_port + 100);
    let archive = Scene::client(&url, &scene.key("archive"))?;
    let config = json!({"name": "GRANTBOOK", "storage": "file", "deny_delete": true, "deny_purge": true,
        "mirror": {"name": "GRANTBOOK", "external": {"api": "$JS.grantbook.API"}}});
    let deadline = Instant::now() + LIMIT;
    loop {
        let made = archive.ask("$JS.API.STREAM.CREATE.GRANTBOOK", &config);
        let told = archive.ask("$JS.API.STREAM.INFO.GRANTBOOK", &Value::Null);
        if told
            .as_ref()
            .is_some_and(|told| told["state"]["last_seq"] == head && told["state"]["messages"] == head)
        {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "of {head}: {made:?} {told:?}\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// A read node that knows only a leaf node follows the journal of the cluster.
fn edge_serves(scene: &Scene, first: &Server, command: &Server) -> Result<()> {
    let mut server = Configured::start(&scene.dir.join("edge.conf"))?;
    server.wait_for("Leafnode connection created")?;
    let mut node = first.over_as("read", &format!("nats://127.0.0.1:{}", scene.client_port + 200))?;
    node.unset_env("GRANTBOOK_NATS_NKEY");
    node.spawn().with_context(|| server.log())?;
    works(command, &node, "at the edge")
}

#[test]
fn with_certificates_everything_goes_over_tls() -> Result<()> {
    let scene = scene(true)?;
    let authority = scene.dir.with_file_name("tls").join("ca.pem").display().to_string();
    let plain = binary::run(
        &["doctor", "--nats", &scene.nats.replace("tls://", "nats://")],
        &[("GRANTBOOK_NATS_NKEY", &scene.key("read"))],
    )?;
    assert_eq!(plain.status.code(), Some(1), "nobody vouches for the servers");
    let first = scene.found(&[("GRANTBOOK_NATS_CA", &authority)])?;
    let (command, read) = (scene.start(&first, "command", "command")?, scene.start(&first, "read", "read")?);
    works(&command, &read, "one")?;
    let routes = scene.servers.iter().map(Configured::log).collect::<String>();
    assert!(routes.contains("TLS"), "{routes}");
    Ok(())
}

/// docs/operating.md has the very table of what is generated.
#[test]
fn the_documented_permissions_are_the_generated_ones() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let document = fs::read_to_string(path)?;
    let table = NatsRole::table(&NatsOptions::new(Vec::new()));
    assert!(document.contains(&table), "docs/operating.md should have:\n{table}");
    Ok(())
}
