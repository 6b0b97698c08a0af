//! The attacks by which a holder of some credential of NATS makes messages land in the journal without permission to
//! publish there, tried with every credential that `grantbook nats config` generates, on a real nats-server.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use grantbook_domain::id::OrgId;
use grantbook_journal::{
    Item, Journal as _,
    jetstream::{Credentials, JetStreamJournal, NatsOptions, NatsRole},
    verify,
};
use grantbook_tests::{binary, frames, nats::Nats, server::Server};
use serde_json::{Value, json};

use crate::project::nats_config::{Scene, scene_of, works};

const LIMIT: Duration = Duration::from_mins(1);
/// For so long it is looked whether something lands: answers of a server on this machine take a thousandth of it.
const LANDS_WITHIN: Duration = Duration::from_millis(600);
/// Messages of the flood.
const FLOOD: u64 = 3000;

/// Somebody with the credential of a role, who asks the servers to answer the journal.
struct Thief {
    role: NatsRole,
    client: Client,
    /// The subject of the organization that everybody works in, and of one that is not there.
    subjects: [String; 2],
}

/// What came of an attack.
struct Outcome {
    role: NatsRole,
    attack: String,
    foreign: u64,
    /// What landed and counts as a frame: nothing may.
    frames: u64,
}

impl Thief {
    async fn new(scene: &Scene, role: NatsRole, org: OrgId) -> Result<Self> {
        let seed = fs::read_to_string(scene.key(role.name()))?;
        let inbox = if role == NatsRole::Subscriber { "_INBOX_SUBSCRIBER" } else { "_INBOX" };
        let options = ConnectOptions::new().nkey(seed.trim().to_owned()).custom_inbox_prefix(inbox);
        let client = options.connect(scene.first_url()).await?;
        let fresh = OrgId::from_u128(0xf4e5_0000 + role as u128);
        Ok(Self { role, client, subjects: [org, fresh].map(|org| format!("grantbook.v1.{org}")) })
    }

    /// Asks, and has the answer sent to a subject of the journal.
    async fn ask(&self, subject: &str, onto: usize, question: Value) -> Result<()> {
        let reply = self.subjects.get(onto).context("one of two")?.clone();
        let question = if question.is_null() { Bytes::new() } else { question.to_string().into() };
        self.client.publish_with_reply(subject.to_owned(), reply, question).await?;
        Ok(self.client.flush().await?)
    }

    /// The subjects of the API that the role may ask, each a whole one.
    fn questions(&self) -> Vec<String> {
        let subjects = self.role.publishes(&NatsOptions::new(Vec::new())).into_iter();
        let subjects = subjects.filter(|subject| subject.contains(".API.") && !subject.contains("CREATE"));
        subjects.map(|subject| subject.replace(".>", ".x.y")).collect()
    }

    /// The streams of which the role may make consumers.
    fn streams(&self) -> Vec<String> {
        let subjects = self.role.publishes(&NatsOptions::new(Vec::new())).into_iter();
        let made = subjects.filter_map(|subject| {
            Some(subject.split_once("CONSUMER.CREATE.")?.1.strip_suffix(".>")?.to_owned())
        });
        made.collect()
    }

    fn consumers(&self) -> String {
        let edge = matches!(self.role, NatsRole::Mirror | NatsRole::Edge);
        format!("$JS{}.API.CONSUMER", if edge { ".grantbook" } else { "" })
    }

    /// A push consumer delivers messages and idle heartbeats to the journal's subject, as long as somebody listens there,
    /// which nobody may with these credentials.
    async fn push(&self, stream: &str) -> Result<()> {
        let name = format!("push-{}", self.role.name());
        let subject = format!("{}.CREATE.{stream}.{name}", self.consumers());
        let [org, _] = &self.subjects;
        let config = json!({"stream_name": stream, "action": "create", "config": {"name": name,
            "deliver_subject": org, "ack_policy": "none", "deliver_policy": "last",
            "idle_heartbeat": 100_000_000, "inactive_threshold": 1_000_000_000}});
        let asked = self.client.request(subject, config.to_string().into());
        // Who may not ask is not answered.
        drop(tokio::time::timeout(Duration::from_millis(200), asked).await);
        Ok(())
    }

    /// A pull consumer's messages, with the headers that they are stored with.
    async fn pull(&self, stream: &str) -> Result<()> {
        let name = format!("pull-{}", self.role.name());
        let subject = format!("{}.CREATE.{stream}.{name}", self.consumers());
        let config = json!({"stream_name": stream, "action": "create", "config": {"name": name,
            "ack_policy": "none", "deliver_policy": "all", "inactive_threshold": 1_000_000_000}});
        let asked = self.client.request(subject, config.to_string().into());
        // Who may not ask is not answered.
        drop(tokio::time::timeout(Duration::from_millis(200), asked).await);
        let next = format!("{}.MSG.NEXT.{stream}.{name}", self.consumers());
        self.ask(&next, 1, json!({"batch": 1, "expires": 500_000_000})).await
    }

    /// The answer to a direct get of the first frame has the headers of an append, whose guard says that there is nothing.
    async fn replay(&self) -> Result<()> {
        for subject in self.questions().iter().filter(|subject| subject.contains("DIRECT.GET")) {
            for sequence in 1..=3 {
                self.ask(subject, 1, json!({"seq": sequence})).await?;
            }
        }
        Ok(())
    }

    async fn flood(&self) -> Result<()> {
        let api = if matches!(self.role, NatsRole::Edge) { "$JS.grantbook.API.INFO" } else { "$JS.API.INFO" };
        let [org, _] = &self.subjects;
        for _ in 0..FLOOD {
            self.client.publish_with_reply(api, org.clone(), Bytes::new()).await?;
        }
        Ok(self.client.flush().await?)
    }
}

/// Looks at the journal from outside, with a reader's credential.
struct Watcher {
    journal: JetStreamJournal,
}

impl Watcher {
    async fn new(scene: &Scene) -> Result<Self> {
        let seed = fs::read_to_string(scene.key("read"))?;
        let options = NatsOptions::new(vec![scene.first_url()]);
        let options = NatsOptions { credentials: Credentials::Nkey(seed), ..options };
        Ok(Self { journal: JetStreamJournal::open(&options).await? })
    }

    /// What an attack, begun at this head, brings into the journal.
    async fn landed(&self, thief: &Thief, attack: &str, head: u64) -> Result<Outcome> {
        let deadline = Instant::now() + LANDS_WITHIN;
        // Heartbeats go on for as long as the consumer lives; one of them is enough to see.
        while self.journal.head().await? == head && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let items = frames::all(&self.journal).await?;
        let new = items.iter().filter(|item| item.sequence() > head);
        let (mut foreign, mut frames) = (0, 0);
        for item in new {
            match item {
                Item::Foreign(_) => foreign += 1,
                Item::Frame(_) => frames += 1,
            }
        }
        Ok(Outcome { role: thief.role, attack: attack.to_owned(), foreign, frames })
    }

    async fn head(&self) -> Result<u64> {
        Ok(self.journal.head().await?)
    }
}

async fn attack(scene: &Scene, org: OrgId, role: NatsRole) -> Result<Vec<Outcome>> {
    let (thief, watcher) = (Thief::new(scene, role, org).await?, Watcher::new(scene).await?);
    let mut outcomes = Vec::new();
    let head = watcher.head().await?;
    thief.ask("$JS.API.INFO", 0, Value::Null).await?;
    outcomes.push(watcher.landed(&thief, "$JS.API.INFO", head).await?);
    let head = watcher.head().await?;
    for question in thief.questions() {
        thief.ask(&question, 0, json!({"seq": 1})).await?;
    }
    outcomes.push(watcher.landed(&thief, "every other question it may ask", head).await?);
    let head = watcher.head().await?;
    thief.replay().await?;
    outcomes.push(watcher.landed(&thief, "replayed DIRECT.GET, fresh organization", head).await?);
    let head = watcher.head().await?;
    for stream in thief.streams() {
        thief.pull(&stream).await?;
    }
    outcomes.push(watcher.landed(&thief, "pulled message, fresh organization", head).await?);
    let head = watcher.head().await?;
    for stream in thief.streams() {
        thief.push(&stream).await?;
    }
    outcomes.push(watcher.landed(&thief, "push consumer with heartbeats", head).await?);
    Ok(outcomes)
}

/// Until nothing lands any more: consumers of the attacks are forgotten after a second.
async fn quiet(watcher: &Watcher) -> Result<u64> {
    let deadline = Instant::now() + LIMIT;
    let (mut head, mut since) = (watcher.head().await?, Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        ensure!(Instant::now() < deadline, "messages land all the time");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = watcher.head().await?;
        if now != head {
            (head, since) = (now, Instant::now());
        }
    }
    Ok(head)
}

fn ready(server: &Server) -> Result<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = server.http()?.send("GET", "/readyz", &Value::Null)?.json();
        if told["ready"] == true {
            return Ok(told);
        }
        ensure!(Instant::now() < deadline, "{told}\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Everything that an operator does with a whole journal.
fn tools(scene: &Scene, dir: &Path) -> Result<()> {
    let operator = scene.key("operator");
    let env = [("GRANTBOOK_NATS_NKEY", operator.as_str())];
    let run = |args: &[&str]| -> Result<String> {
        let output = binary::run(args, &env)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    };
    let text = |path: &Path| path.to_str().unwrap_or_default().to_owned();
    let (nats, file) = (scene.first_url(), text(&dir.join("export.ndjson")));
    let (copied, imported) = (text(&dir.join("copied")), text(&dir.join("imported")));
    let verified: Value = serde_json::from_str(&run(&["--json", "journal", "verify", "--nats", &nats])?)?;
    ensure!(verified["foreign"]["count"].as_u64() >= Some(FLOOD), "{}", verified["foreign"]["count"]);
    ensure!(run(&["journal", "verify", "--nats", &nats])?.contains("foreign messages in all"));
    run(&["journal", "export", "--nats", &nats, "--output", &file])?;
    run(&["journal", "copy", "--from", &nats, "--to", &copied])?;
    run(&["journal", "import", "--input", &file, "--data", &imported])?;
    for data in [&copied, &imported] {
        let again: Value = serde_json::from_str(&run(&["--json", "journal", "verify", "--data", data])?)?;
        for part in ["head", "frames", "records", "foreign", "organizations", "violations"] {
            ensure!(again[part] == verified[part], "{data} {part}");
        }
        ensure!(run(&["journal", "export", "--data", data])? == fs::read_to_string(&file)?, "{data}");
    }
    let doctor = binary::run(&["doctor", "--nats", &nats], &env)?;
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    ensure!(said.contains("warn     foreign") && said.contains("the last one at sequence"), "{said}");
    Ok(())
}

/// A read node with a relay, one that makes snapshots, and a command service, with the credentials of each.
fn start(scene: &Scene, first: &Server, dir: &Path) -> Result<[Server; 3]> {
    let command = scene.start(first, "command", "command")?;
    let mut relay = first.another_stopped("read")?;
    relay.set_env("GRANTBOOK_NATS_NKEY", &scene.key("relay"));
    relay.set_env("GRANTBOOK_RELAY", "true");
    relay.spawn()?;
    let mut maker = first.another_stopped("read")?;
    maker.set_env("GRANTBOOK_NATS_NKEY", &scene.key("snapshots"));
    maker.set_env("GRANTBOOK_SNAPSHOTS", "nats");
    maker.set_env("GRANTBOOK_SNAPSHOT_KEY", dir.join("snapshot.key").to_str().context("a path")?);
    maker.set_env("GRANTBOOK_SNAPSHOT_EVERY", "1s");
    maker.spawn()?;
    Ok([command, relay, maker])
}

fn told(outcomes: &[Outcome]) -> String {
    let mut text = "| credential | attack | lands |\n| --- | --- | --- |\n".to_owned();
    for Outcome { role, attack, foreign, frames } in outcomes {
        let lands = match (foreign, frames) {
            (0, 0) => "no".to_owned(),
            (foreign, 0) => format!("{foreign} foreign"),
            (foreign, frames) => format!("{foreign} foreign, {frames} taken for frames"),
        };
        let _infallible = writeln!(text, "| {} | {attack} | {lands} |", role.name());
    }
    text
}

#[test]
fn no_credential_stops_anybody_by_messages_that_land_in_the_journal() -> Result<()> {
    let (scene, dir) = (scene_of(1, false)?, tempfile::tempdir()?);
    let first = scene.found(&[])?;
    scene.prepare_subscribers()?;
    let key = dir.path().join("snapshot.key");
    let made = binary::run(&["snapshot", "key", key.to_str().context("a path")?], &[])?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let servers = start(&scene, &first, dir.path())?;
    let [command, relay, _] = &servers;
    works(command, relay, "before")?;
    let org = relay.call("GET", "/v1/whoami", &Value::Null)?.expect(200)?;
    let org: OrgId = org["organization"]["id"].as_str().context("an id")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut outcomes = Vec::new();
    for role in NatsRole::ALL {
        outcomes.extend(runtime.block_on(attack(&scene, org, role))?);
        works(command, relay, role.name()).with_context(|| told(&outcomes))?;
    }
    let watcher = runtime.block_on(Watcher::new(&scene))?;
    let head = runtime.block_on(quiet(&watcher))?;
    let thief = runtime.block_on(Thief::new(&scene, NatsRole::Read, org))?;
    runtime.block_on(thief.flood())?;
    works(command, relay, "in the flood")?;
    let flooded = runtime.block_on(watcher.landed(&thief, "flood of $JS.API.INFO", head))?;
    // The one frame is that of the command.
    outcomes.push(Outcome { frames: flooded.frames - 1, ..flooded });
    println!("{}", told(&outcomes));
    ensure!(outcomes.iter().all(|one| one.frames == 0), "{}", told(&outcomes));
    let mut of_subscribers = outcomes.iter().filter(|one| one.role.is_of_subscribers());
    ensure!(of_subscribers.all(|one| one.foreign == 0), "{}", told(&outcomes));
    runtime.block_on(quiet(&watcher))?;
    let found = runtime.block_on(verify::foreign(&watcher.journal, LIMIT))?;
    for server in &servers {
        works(command, server, "behind it all").or_else(|_| ready(server).map(drop))?;
        let told = ready(server)?;
        ensure!(told["foreign_messages"]["count"] == found.met.count, "{told}");
    }
    tools(&scene, dir.path())?;
    drop(servers);
    let servers = start(&scene, &first, dir.path())?;
    let [command, relay, maker] = &servers;
    for server in [relay, maker] {
        works(command, server, "after the restart").or_else(|_| works(command, server, "once more"))?;
        let told = ready(server)?;
        ensure!(told["foreign_messages"]["count"] == found.met.count, "{told}");
    }
    Ok(())
}

/// A client that may listen to the journal's subjects makes heartbeats of push consumers land there; they go past readers that
/// get heartbeats of their own. A stream that holds nothing else is no journal.
#[test]
fn heartbeats_land_where_somebody_listens_and_make_no_journal() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let (command, read) = (first.another("command")?, first.another("read")?);
    works(&command, &read, "before")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (client, journal) = runtime.block_on(async {
        let client = async_nats::connect(nats.urls()).await?;
        let journal = JetStreamJournal::open(&NatsOptions::new(nats.urls())).await?;
        anyhow::Ok((client, journal))
    })?;
    let identity = journal.identity();
    let (org, head) = runtime.block_on(async {
        let first = journal.read_one(1).await?.and_then(|item| item.org()).context("its organization")?;
        anyhow::Ok((first, journal.head().await?))
    })?;
    let subject = format!("grantbook.v1.{org}");
    runtime.block_on(async {
        let _listens = client.subscribe(subject.clone()).await?;
        let config = json!({"stream_name": "GRANTBOOK_EVENTS", "action": "create", "config": {"name": "p",
            "deliver_subject": subject, "ack_policy": "none", "deliver_policy": "new",
            "idle_heartbeat": 100_000_000, "inactive_threshold": 1_000_000_000}});
        let made = client.request("$JS.API.CONSUMER.CREATE.GRANTBOOK_EVENTS.p", config.to_string().into());
        ensure!(!String::from_utf8_lossy(&made.await?.payload).contains("error"), "no consumer");
        let deadline = Instant::now() + LIMIT;
        while journal.head().await? < head + 5 {
            ensure!(Instant::now() < deadline, "they do not land: this test can go");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    })?;
    works(&command, &read, "behind them")?;
    ensure!(ready(&read)?["foreign_messages"]["count"].as_u64() >= Some(5), "{}", ready(&read)?);
    let url = nats.url();
    let only = NatsOptions { stream: "ONLY".into(), prefix: "only".into(), ..NatsOptions::new(nats.urls()) };
    runtime.block_on(async {
        let journal = JetStreamJournal::create(&only, identity, None).await?;
        client.publish_with_reply("$JS.API.INFO", only.subject(org), Bytes::new()).await?;
        let deadline = Instant::now() + LIMIT;
        while journal.head().await? == 0 {
            ensure!(Instant::now() < deadline, "it does not land");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    })?;
    let where_it_is = ["--nats", url.as_str(), "--nats-stream", "ONLY", "--nats-prefix", "only"];
    let said = |args: &[&str]| -> Result<String> {
        let output = binary::run(&[args, &where_it_is].concat(), &[])?;
        ensure!(output.status.code() == Some(1), "{args:?} ended with {}", output.status);
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for part in ["read", "command"] {
        let refused = said(&["serve", part, "--listen", "127.0.0.1:0"])?;
        ensure!(refused.contains("holds 1 foreign messages and no frame"), "{refused}");
    }
    let refused = said(&["init", "--org", "acme", "--owner", "ada@example.com"])?;
    ensure!(refused.contains("holds a journal already"), "emptiness is the last sequence: {refused}");
    Ok(())
}
