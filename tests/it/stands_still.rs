//! Whoever talks to a broker that stands still, or that is cut off from the others, soon talks to another one: commands are
//! accepted, nodes follow, and relays publish again within a bound, again and again, whichever broker leads.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use grantbook_tests::{
    cut::Flow,
    nats::{Nats, NatsOptions},
    server::Server,
};
use serde_json::{Value, json};

/// For so long at most nothing goes on. Others elect a leader 4 to 9 s after they last heard of one; to leave a broker that
/// answers nothing takes up to 6 s, one that answers without knowing a leader as long.
const BOUND: Duration = Duration::from_secs(15);
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Three brokers, a command service, and a node with a relay, told apart by how they come in.
struct Scene {
    nats: Nats,
    command: Server,
    node: Server,
    commands: u32,
}

/// What befalls a broker.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// SIGSTOP: connections stay, nothing is answered.
    StandsStill,
    /// The other brokers do not hear it, nor it them; clients do.
    CutOff,
}

impl Scene {
    fn start() -> Result<Self> {
        let users = ["command", "node", "other"];
        let user = |name: &&str| format!("{{ user: {name}, password: word }}");
        let users = users.iter().map(user).collect::<Vec<_>>().join(", ");
        let config = format!("authorization {{ users: [{users}] }}\nno_auth_user: other");
        let options = NatsOptions { servers: 3, cuttable: true, config, ..NatsOptions::default() };
        let nats = Nats::start_with(&options)?;
        let mut first = found(&nats)?;
        let password = first.outer().join("password");
        std::fs::write(&password, "word")?;
        first.set_env("GRANTBOOK_NATS_PASSWORD_FILE", password.to_str().context("a plain path")?);
        let start = |part: &str, user: &str, relay: bool| -> Result<Server> {
            let mut server = first.another_stopped(part)?;
            server.set_env("GRANTBOOK_NATS_USER", user);
            if relay {
                server.set_env("GRANTBOOK_RELAY", "true");
            }
            server.spawn()?;
            Ok(server)
        };
        let (command, node) = (start("command", "command", false)?, start("read", "node", true)?);
        Ok(Self { nats, command, node, commands: 0 })
    }

    /// Which broker somebody is connected to.
    fn broker_of(&self, user: &str) -> Result<usize> {
        for index in 0..self.nats.len() {
            let told = self.nats.monitor(index, "/connz?auth=1")?;
            let (_, body) = told.split_once("\r\n\r\n").context("an answer with a body")?;
            let told: Value = serde_json::from_str(body)?;
            let users = told["connections"].as_array().context("connections")?;
            if users.iter().any(|one| one["authorized_user"] == user) {
                return Ok(index);
            }
        }
        bail!("{user} is connected nowhere")
    }

    /// Until a new command is accepted, the node knows of it, and its events are published; how long each took.
    fn goes_on(&mut self) -> Result<[Duration; 3]> {
        self.commands += 1;
        let (since, name) = (Instant::now(), format!("t{}", self.commands));
        let within = |what: &str, last: &Value| -> Result<()> {
            ensure!(since.elapsed() < BOUND, "{what}: not within {BOUND:?}, but {last}");
            thread::sleep(PAUSE);
            Ok(())
        };
        let position = loop {
            let mut http = self.command.http()?.as_bearer(&self.command.owner_key);
            let key = [("idempotency-key", name.as_str())];
            let reply = http.send_with("POST", "/v1/tokens", &key, &json!({"name": name}))?;
            if reply.status == 201 {
                break reply.header("grantbook-position").context("a position")?.to_owned();
            }
            ensure!(reply.status == 503, "{}", reply.json());
            within("no command is accepted", &reply.json())?;
        };
        let accepted = since.elapsed();
        loop {
            let mut http = self.node.http()?.as_bearer(&self.node.owner_key);
            let at_least = [("grantbook-at-least", position.as_str())];
            let reply = http.send_with("GET", "/v1/tokens?limit=1", &at_least, &Value::Null)?;
            if reply.status == 200 {
                break;
            }
            within("the node does not follow", &reply.json())?;
        }
        let followed = since.elapsed();
        loop {
            let told = self.node.http()?.send("GET", "/readyz", &Value::Null)?.json();
            let lines = told["relay"].as_array().context("lines")?;
            if told["lag_frames"] == 0 && lines.iter().all(|line| line["lag_frames"] == 0) {
                break;
            }
            within("the relay publishes nothing", &told)?;
        }
        Ok([accepted, followed, since.elapsed()])
    }

    fn begin(&self, trouble: Trouble, broker: usize) -> Result<()> {
        match trouble {
            Trouble::StandsStill => self.nats.pause(broker),
            Trouble::CutOff => self.nats.links()?.isolate(broker, Flow::Hold),
        }
    }

    /// Mends it, and waits until all brokers are up to date.
    fn mend(&mut self, trouble: Trouble, broker: usize) -> Result<()> {
        match trouble {
            Trouble::StandsStill => self.nats.resume(broker)?,
            Trouble::CutOff => self.nats.links()?.heal(),
        }
        self.nats.wait_ready(broker)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let told = self.nats.ask("STREAM.INFO.GRANTBOOK", &json!({})).unwrap_or_default();
            let replicas = told["cluster"]["replicas"].as_array().cloned().unwrap_or_default();
            if replicas.len() == 2 && replicas.iter().all(|one| one["current"] == true) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the brokers do not come together: {told}");
            thread::sleep(PAUSE);
        }
    }

    /// One round: trouble with the broker of `who`, which leads or does not; what was seen, in words.
    fn round(&mut self, trouble: Trouble, who: &str, leads: bool) -> Result<String> {
        let broker = self.broker_of(who)?;
        self.nats.lead(if leads { broker } else { (broker + 1) % 3 })?;
        self.goes_on().context("before")?;
        self.begin(trouble, broker)?;
        let went_on = self.goes_on();
        let what = format!("{trouble:?}: n{broker}, the broker of {who}, leads: {leads}");
        let [accepted, followed, relayed] = went_on
            .with_context(|| format!("{what}\n{}\n{}", tail(&self.command.log()), tail(&self.node.log())))?;
        self.mend(trouble, broker).context(what.clone())?;
        Ok(format!("{what}: accepted after {accepted:.1?}, followed {followed:.1?}, relayed {relayed:.1?}\n"))
    }
}

/// A new installation, however long the servers take to know each other.
fn found(nats: &Nats) -> Result<Server> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match Server::init_over(&nats.url()) {
            Err(_) if Instant::now() < deadline => thread::sleep(PAUSE),
            first => return first,
        }
    }
}

/// The end of a log, without what was said for debugging.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("DEBUG")).collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

/// What was seen, a line each round.
fn rounds(trouble: Trouble) -> Result<String> {
    let rounds: usize = std::env::var("FAULT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (mut scene, mut seen) = (Scene::start()?, String::new());
    for _ in 0..rounds {
        for who in ["command", "node"] {
            for leads in [false, true] {
                seen += &scene.round(trouble, who, leads)?;
            }
        }
    }
    Ok(seen)
}

#[test]
fn a_broker_that_stands_still_is_left_for_another_one() -> Result<()> {
    eprintln!("{}", rounds(Trouble::StandsStill)?);
    Ok(())
}

#[test]
fn a_broker_that_is_cut_off_from_the_others_is_left_for_another_one() -> Result<()> {
    eprintln!("{}", rounds(Trouble::CutOff)?);
    Ok(())
}
