//! A frame that one replica of three has damaged is taken from another one, whoever leads; one that none has stops those
//! who need it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, nats, nats::Nats, server::Server};
use serde_json::{Value, json};

const STREAM: &str = "GRANTBOOK";
const DAMAGED: u64 = 7;
const FRAMES: u64 = 20;
/// Where a consumer is kept is the servers' choice: so many readers do not all miss the damaged replica.
const READERS: usize = 16;
const LIMIT: Duration = Duration::from_mins(1);

fn damage(nats: &mut Nats, index: usize) -> Result<()> {
    nats.stop(index)?;
    nats::change_payload(&nats.store_dir(index), STREAM, DAMAGED, false)?;
    nats.start(index)
}

/// A process that has just been started, once it is ready, and what it says of itself.
fn ready(first: &Server, part: &str) -> Result<(Server, Value)> {
    let node = first.another(part)?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = node.http()?.send("GET", "/readyz", &Value::Null)?;
        if told.status == 200 {
            return Ok((node, told.json()));
        }
        ensure!(Instant::now() < deadline, "not ready: {}", told.json());
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many gaps it says that it met.
fn gaps(told: &Value) -> Result<u64> {
    let (met, sequences) = (told["gaps"]["met"].as_u64().context("a count")?, &told["gaps"]["sequences"]);
    assert_eq!(*sequences, if met == 0 { json!([]) } else { json!([DAMAGED]) });
    Ok(met)
}

/// How many gaps a new command service met, which knows what the damaged frame says in any case, and decides.
fn gaps_of_a_new_service(first: &Server) -> Result<u64> {
    let (service, told) = ready(first, "command")?;
    let taken = json!({"name": format!("t{}", DAMAGED - 2)});
    service.call("POST", "/v1/tokens", &taken)?.expect(409)?;
    gaps(&told)
}

/// How many gaps a new read node met, which holds the whole journal and answers correctly in any case.
fn gaps_of_a_new_node(first: &Server) -> Result<u64> {
    let (node, told) = ready(first, "read")?;
    let tokens = node.call("GET", "/v1/tokens?limit=100", &Value::Null)?.expect(200)?;
    assert_eq!(tokens["items"].as_array().map(Vec::len), Some(19));
    let met = gaps(&told)?;
    let metrics = String::from_utf8(node.http()?.send("GET", "/metrics", &Value::Null)?.body)?;
    assert!(metrics.contains(&format!("grantbook_gaps_total {met}\n")), "{metrics}");
    Ok(met)
}

/// New readers meet the damage sooner or later, go on over it, and say so; `journal verify` names it.
fn is_met_and_mended(nats: &Nats, first: &Server) -> Result<()> {
    for (who, gaps_of_a_new_one) in
        [("node", gaps_of_a_new_node as fn(&Server) -> Result<u64>), ("service", gaps_of_a_new_service)]
    {
        let mut met = 0;
        for _ in 0..READERS {
            met = gaps_of_a_new_one(first)?;
            if met > 0 {
                break;
            }
        }
        ensure!(met == 1, "no {who} met the damage");
    }
    for _ in 0..READERS {
        let verified = binary::run(&["--json", "journal", "verify", "--nats", &nats.url()], &[])?;
        let told: Value = serde_json::from_slice(&verified.stdout)?;
        assert!(verified.status.success() && told["frames"] == FRAMES, "{told}");
        if told["mended"] == json!([DAMAGED]) {
            return Ok(());
        }
        assert_eq!(told["mended"], json!([]));
    }
    anyhow::bail!("verify did not meet the damage")
}

#[test]
fn of_a_follower_or_of_the_leader_is_read_over_and_of_all_stops() -> Result<()> {
    let mut nats = Nats::cluster()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    for number in 0..19 {
        command.call("POST", "/v1/tokens", &json!({"name": format!("t{number}")}))?.expect(201)?;
    }
    drop(command);
    let follower = (nats.leader()? + 1) % 3;
    damage(&mut nats, follower)?;
    ensure!(nats.leader()? != follower, "a follower was damaged");
    is_met_and_mended(&nats, &first).context("a follower's replica is damaged")?;
    nats.lead(follower)?;
    is_met_and_mended(&nats, &first).context("the leader's replica is damaged")?;
    for other in (0..3).filter(|index| *index != follower) {
        damage(&mut nats, other)?;
    }
    nats.leader()?;
    let node = first.another("read")?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = node.http()?.send("GET", "/readyz", &Value::Null)?.json();
        if told["state"] == "quarantined" {
            assert_eq!(told["quarantine"]["sequence"], DAMAGED - 1, "{told}");
            let why = told["quarantine"]["reason"].as_str().unwrap_or_default();
            assert!(why.contains(&format!("sequence {DAMAGED}")), "{told}");
            break;
        }
        ensure!(Instant::now() < deadline, "not quarantined: {told}");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.call("GET", "/v1/tokens", &Value::Null)?.status, 503);
    let verified = binary::run(&["journal", "verify", "--nats", &nats.url()], &[])?;
    let said = String::from_utf8(verified.stdout)?;
    assert!(verified.status.code() == Some(1) && said.contains(&format!("sequence {DAMAGED}")), "{said}");
    Ok(())
}
