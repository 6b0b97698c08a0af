//! Two command services and a read node over three brokers, under a load of writes, while one after another is killed
//! or stands still: every command has its effect exactly once, and no guard or chain is broken.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    nats::{Nats, signal},
    server::Server,
    wire::Http,
};
use serde_json::{Value, json};

const WRITERS: usize = 4;
/// A command that no service accepts for so long is lost.
const LIMIT: Duration = Duration::from_mins(2);
/// Commands that are accepted after each fault before the next one.
const PROGRESS: usize = 20;

/// What was accepted: the answer to each request id.
type Accepted = Mutex<BTreeMap<String, Value>>;

struct Scene {
    nats: Nats,
    services: [Server; 2],
    node: Server,
}

/// What befalls the scene.
type Fault = fn(&mut Scene, Duration) -> Result<()>;

const FAULTS: [(&str, Fault); 8] = [
    ("kill -9 of a command service", |scene, _| {
        scene.services[0].kill()?;
        scene.services[0].spawn()
    }),
    ("a command service stands still", |scene, pause| stand_still(&[scene.services[1].pid()], pause)),
    ("kill -9 of the read node", |scene, _| {
        scene.node.kill()?;
        scene.node.spawn()
    }),
    ("the read node stands still", |scene, pause| stand_still(&[scene.node.pid()], pause)),
    ("kill -9 of one broker", |scene, pause| {
        scene.nats.kill(0)?;
        thread::sleep(pause);
        scene.nats.spawn(0)?;
        recover(&mut scene.nats, 0)
    }),
    ("one broker stands still", |scene, pause| {
        let last = scene.nats.len() - 1;
        stand_still(&[scene.nats.pid(last)], pause)
    }),
    ("kill -9 of all brokers", |scene, _| {
        let all = 0..scene.nats.len();
        all.clone().try_for_each(|index| scene.nats.kill(index))?;
        all.clone().try_for_each(|index| scene.nats.spawn(index))?;
        all.clone().try_for_each(|index| recover(&mut scene.nats, index))
    }),
    ("all brokers stand still", |scene, pause| {
        let all: Vec<_> = (0..scene.nats.len()).map(|index| scene.nats.pid(index)).collect();
        stand_still(&all, pause)
    }),
];

/// Waits until a broker that was started again is well, as an operator would. nats-server 2.15.1 may come up with a stream
/// whose "monitor goroutine is not running" after a kill -9 under load, and stays so until it is started once more.
fn recover(nats: &mut Nats, index: usize) -> Result<()> {
    let Err(error) = nats.wait_ready(index) else { return Ok(()) };
    ensure!(nats.log(index).contains("monitor goroutine not running"), "{error:#}");
    nats.kill(index)?;
    nats.start(index)
}

fn stand_still(processes: &[Option<u32>], pause: Duration) -> Result<()> {
    let pids: Vec<u32> = processes.iter().copied().collect::<Option<_>>().context("all of them run")?;
    pids.iter().try_for_each(|pid| signal(*pid, "STOP"))?;
    thread::sleep(pause);
    pids.iter().try_for_each(|pid| signal(*pid, "CONT"))
}

#[test]
fn on_three_brokers_every_command_has_its_effect_once_whatever_befalls() -> Result<()> {
    survive(Nats::cluster()?)
}

#[test]
fn on_one_broker_every_command_has_its_effect_once_whatever_befalls() -> Result<()> {
    survive(Nats::single()?)
}

fn survive(nats: Nats) -> Result<()> {
    let rounds: usize = std::env::var("FAULT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let first = Server::init_over(&nats.url())?;
    forget_message_ids(&nats)?;
    let services = [first.another("command")?, first.another("command")?];
    let mut scene = Scene { node: first.another("read")?, nats, services };
    let (stop, accepted, count) = (AtomicBool::new(false), Accepted::default(), AtomicUsize::new(0));
    let bases: Mutex<Vec<String>> = Mutex::new(bases(&scene));
    thread::scope(|scope| -> Result<()> {
        let load =
            Load { stop: &stop, accepted: &accepted, count: &count, bases: &bases, key: &first.owner_key };
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || load.write(writer))).collect();
        let outcome = befall(&mut scene, rounds, load);
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        outcome
    })?;
    let accepted = accepted.into_inner().unwrap_or_else(PoisonError::into_inner);
    once_each(&scene.node, &accepted)?;
    replayed(&scene.services[0], &accepted)?;
    let urls = scene.nats.url();
    let verified = binary::run(&["journal", "verify", "--nats", &urls, "--json"], &[])?;
    let report: Value = serde_json::from_slice(&verified.stdout)?;
    ensure!(verified.status.success(), "verify found: {report}");
    assert_eq!(report["guards"], report["frames"], "every guard was there and held: {report}");
    Ok(())
}

/// Makes the brokers' own memory of messages as short as they allow: that retries have one effect must not hang on it.
fn forget_message_ids(nats: &Nats) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = async_nats::connect(nats.urls()).await?;
        let ask = async |verb: &str, body: &Value| -> Result<Value> {
            let subject = format!("$JS.API.STREAM.{verb}.GRANTBOOK");
            let answer = client.request(subject, body.to_string().into()).await?;
            Ok(serde_json::from_slice(&answer.payload)?)
        };
        let mut config = ask("INFO", &json!({})).await?["config"].take();
        config["duplicate_window"] = 100_000_000.into();
        let updated = ask("UPDATE", &config).await?;
        assert_eq!(updated["config"]["duplicate_window"], 100_000_000, "{updated}");
        Ok(())
    })
}

fn bases(scene: &Scene) -> Vec<String> {
    scene.services.iter().map(|service| service.base().to_owned()).collect()
}

fn befall(scene: &mut Scene, rounds: usize, load: Load<'_>) -> Result<()> {
    load.progress()?;
    for round in 0..rounds {
        for (name, fault) in FAULTS {
            fault(scene, Duration::from_secs(2 + round as u64)).with_context(|| name.to_owned())?;
            *load.bases.lock().unwrap_or_else(PoisonError::into_inner) = bases(scene);
            load.progress().with_context(|| format!("after {name}"))?;
        }
    }
    Ok(())
}

/// Writers and what they share.
#[derive(Clone, Copy)]
struct Load<'a> {
    stop: &'a AtomicBool,
    accepted: &'a Accepted,
    count: &'a AtomicUsize,
    /// Where the command services are: a service that was started again has another port.
    bases: &'a Mutex<Vec<String>>,
    key: &'a str,
}

impl Load<'_> {
    /// Until so many more commands were accepted.
    fn progress(self) -> Result<()> {
        let (from, deadline) = (self.count.load(Ordering::Relaxed), Instant::now() + LIMIT);
        while self.count.load(Ordering::Relaxed) < from + PROGRESS {
            ensure!(Instant::now() < deadline, "no command is accepted any more");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn write(self, writer: usize) -> Result<()> {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.send(writer, &format!("{writer}-{number}"))?;
        }
        Ok(())
    }

    /// Sends one command, again and again with the same request id to one service or the other, until it is accepted.
    fn send(self, writer: usize, name: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        for attempt in writer.. {
            ensure!(Instant::now() < deadline, "{name} was not accepted by anybody");
            let base = {
                let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
                bases.get(attempt % bases.len()).cloned().context("there is a service")?
            };
            let reply = Http::connect(&base).and_then(|http| post(http, self.key, name));
            match reply.map(|reply| (reply.status, reply.json())) {
                Ok((200, answer)) => {
                    let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                    accepted.insert(name.to_owned(), answer);
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Ok((503, _)) | Err(_) => thread::sleep(Duration::from_millis(20)),
                Ok((status, answer)) => anyhow::bail!("{name} was answered {status}: {answer}"),
            }
        }
        Ok(())
    }
}

/// A project and a token of the same name: half a command would be one without the other.
fn post(http: Http, key: &str, name: &str) -> Result<grantbook_tests::wire::Reply> {
    let body = json!({"commands": [
        {"method": "POST", "path": "/v1/projects", "body": {"name": name}},
        {"method": "POST", "path": "/v1/tokens", "body": {"name": name}},
    ]});
    let request_id = format!("fault-{name}");
    http.as_bearer(key).send_with("POST", "/v1/batch", &[("idempotency-key", &request_id)], &body)
}

/// On the read node each is there once in both lists, and nothing else is.
fn once_each(node: &Server, accepted: &BTreeMap<String, Value>) -> Result<()> {
    let last =
        accepted.values().filter_map(|answer| answer["position"].as_str()).max().context("a position")?;
    let expected: Vec<&String> = accepted.keys().collect();
    for path in ["/v1/projects", "/v1/tokens"] {
        let deadline = Instant::now() + LIMIT;
        loop {
            let names = names(node, path, last);
            match names {
                Ok(names) if names.iter().collect::<Vec<_>>() == expected => break,
                Ok(names) => {
                    ensure!(Instant::now() < deadline, "{path}: {} of {}", names.len(), expected.len());
                }
                Err(error) => ensure!(Instant::now() < deadline, "{path}: {error:#}"),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// All names, sorted; one that is there twice is twice in it.
fn names(node: &Server, path: &str, at_least: &str) -> Result<Vec<String>> {
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let mut http = node.http()?.as_bearer(&node.owner_key);
        let at_least = [("grantbook-at-least", at_least)];
        let page = http.send_with("GET", &format!("{path}?limit=1000{next}"), &at_least, &Value::Null)?;
        let page = page.expect(200)?;
        for item in page["items"].as_array().context("items")? {
            names.push(item["name"].as_str().context("a name")?.to_owned());
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    names.sort();
    Ok(names)
}

/// Each request, sent once more, gets its first answer.
fn replayed(service: &Server, accepted: &BTreeMap<String, Value>) -> Result<()> {
    for (name, answer) in accepted {
        let deadline = Instant::now() + LIMIT;
        let again = loop {
            let again = post(service.http()?, &service.owner_key, name)?;
            if again.status != 503 || Instant::now() > deadline {
                break again;
            }
            thread::sleep(Duration::from_millis(50));
        };
        assert_eq!((again.status, &again.json()), (200, answer), "the first answer, for ever");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    Ok(())
}
