//! Nodes that hold something else than others: one whose view is whole in itself, but wrong, as after a fault in the code that
//! filled it. Only another node can tell.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_domain::id::InstallationId;
use grantbook_tests::{binary, nats::Nats, server::Server};
use grantbook_views::{Chunk, Loader, Snapshot, ViewDigest, ViewWriter, Whole};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(2);

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// What doctor prints, and its exit code.
fn doctor(url: &str) -> Result<(String, Option<i32>)> {
    let output = binary::run(&["doctor", "--nats", url], &[])?;
    Ok((String::from_utf8(output.stdout)?, output.status.code()))
}

/// Makes the view of a stopped node anew without one row, and with a digest that fits.
fn lose_a_row(view: &Path) -> Result<()> {
    let installation = ViewWriter::verify(view, |_| true)?.installation;
    let (writer, _) = ViewWriter::open(view, installation)?;
    let snapshot = writer.reader().snapshot()?;
    let wrong = view.with_extension("wrong");
    without_a_row(&snapshot, installation, &wrong)?;
    drop((snapshot, writer));
    std::fs::rename(wrong, view)?;
    Ok(())
}

fn without_a_row(snapshot: &Snapshot, installation: InstallationId, to: &Path) -> Result<()> {
    let (mut loader, mut digest, mut lost) = (Loader::begin(to)?, ViewDigest::default(), 0);
    snapshot.dump(|chunk| {
        let chunk = match chunk.bytes().get(1..6) {
            Some(b"times") => {
                lost += 1;
                Chunk::parse(without_its_last_row(chunk.bytes()).unwrap_or_default())?
            }
            _ => chunk,
        };
        digest.join(chunk.digest());
        loader.load(&chunk)
    })?;
    ensure!(lost == 1 && digest != snapshot.kept_digest()?, "{lost} rows lost");
    let (sequence, checkpoint) = (snapshot.sequence()?, snapshot.checkpoint()?);
    drop(loader.finish(installation, &Whole { sequence, checkpoint: &checkpoint, digest })?);
    Ok(())
}

/// The bytes of a chunk: the table's name behind its length, then keys and values, each behind its length.
fn without_its_last_row(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut at = 1 + usize::from(*bytes.first()?);
    let mut last = at;
    while at < bytes.len() {
        last = at;
        for _ in 0..2 {
            let length: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            at += 4 + usize::try_from(u32::from_be_bytes(length)).ok()?;
        }
    }
    Some(bytes.get(..last)?.to_vec())
}

#[test]
fn a_node_whose_view_is_wrong_is_named() -> Result<()> {
    let nats = Nats::single()?;
    let (service, url) = (Server::start_over(&nats.url())?, nats.url());
    let prepared = binary::run(&["nats", "prepare", "--nats", &url], &[])?;
    ensure!(prepared.status.success(), "{prepared:?}");
    let mut nodes = [service.another_stopped("read")?, service.another_stopped("read")?];
    for (node, name) in nodes.iter_mut().zip(["right", "wrong"]) {
        node.set_env("GRANTBOOK_NODE_NAME", name);
        node.spawn()?;
    }
    // Each node lists the others, and not itself.
    until("every node hears of the other two", || {
        let mut all = Vec::new();
        for node in [&service].into_iter().chain(&nodes) {
            let ready = node.call("GET", "/readyz", &Value::Null)?.expect(200)?;
            let peers = ready["peers"].as_array().cloned().unwrap_or_default();
            all.push(
                peers.iter().map(|peer| peer["name"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>(),
            );
        }
        for names in &mut all {
            names.sort();
        }
        Ok(all == [vec!["right", "wrong"], vec!["-", "wrong"], vec!["-", "right"]])
    })?;
    until("nodes that agree", || {
        let (told, code) = doctor(&url)?;
        ensure!(!told.contains("nodes disagree"), "{told}");
        Ok(told.contains("nodes agree")
            && told.contains("right (")
            && told.contains("wrong (")
            && code == Some(0))
    })?;

    let [right, wrong] = &mut nodes;
    ensure!(wrong.terminate()?.success(), "{}", wrong.log());
    lose_a_row(&wrong.data().join("view.redb"))?;
    // It finds nothing: its rows are those that its digest is of. So it serves.
    wrong.spawn()?;
    until("a node that is named", || {
        let (told, code) = doctor(&url)?;
        let line = told.lines().find(|line| line.contains("nodes disagree"));
        Ok(code == Some(1)
            && line.is_some_and(|line| {
                line.starts_with("unsafe") && line.contains("wrong (") && line.contains("right (")
            }))
    })?;
    until("both say so themselves", || {
        let mut told = Vec::new();
        for node in [&*right, &*wrong] {
            let ready = node.http()?.send("GET", "/readyz", &Value::Null)?.expect(200)?;
            told.push(ready["disagreement"].as_str().is_some_and(|why| why.contains("wrong (")));
        }
        Ok(told == [true, true])
    })?;
    let metrics =
        String::from_utf8_lossy(&wrong.http()?.send("GET", "/metrics", &Value::Null)?.body).into_owned();
    ensure!(
        metrics.contains("grantbook_scrubs_total") && metrics.contains("grantbook_quarantined 0\n"),
        "{metrics}"
    );
    let disagreements = metrics.lines().find_map(|line| line.strip_prefix("grantbook_view_disagreements "));
    ensure!(disagreements.is_some_and(|count| count != "0"), "{metrics}");

    // Made anew of the journal it is right again.
    ensure!(wrong.terminate()?.success(), "{}", wrong.log());
    std::fs::remove_file(wrong.data().join("view.redb"))?;
    wrong.spawn()?;
    service.call("POST", "/v1/tokens", &json!({"name": "one more"}))?.expect(201)?;
    until("nodes that agree again", || {
        let (told, code) = doctor(&url)?;
        Ok(told.contains("nodes agree") && !told.contains("nodes disagree") && code == Some(0))
    })
}

/// The stream in which they say so keeps what was said, and is theirs alone.
#[test]
fn a_stream_of_statuses_that_drifted_is_told_of_and_refused() -> Result<()> {
    let nats = Nats::single()?;
    let (_service, url) = (Server::start_over(&nats.url())?, nats.url());
    let prepare = || binary::run(&["nats", "prepare", "--nats", &url], &[]);
    ensure!(prepare()?.status.success() && prepare()?.status.success());
    let (told, _) = doctor(&url)?;
    let of_nodes = |told: &str| told.lines().find(|line| line.contains("GRANTBOOK_NODES")).map(str::to_owned);
    ensure!(of_nodes(&told).context("a line")?.starts_with("ok"), "{told}");
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let jetstream = async_nats::jetstream::new(async_nats::connect(&url).await?);
        let mut stream = jetstream.get_stream("GRANTBOOK_NODES").await?;
        let mut config = stream.info().await?.config.clone();
        config.max_messages_per_subject = 1;
        jetstream.update_stream(config).await?;
        anyhow::Ok(())
    })?;
    let (told, code) = doctor(&url)?;
    let line = of_nodes(&told).context("a line")?;
    ensure!(line.starts_with("unsafe") && line.contains("max_msgs_per_subject is 1, must be 32"), "{told}");
    ensure!(code == Some(1));
    let refused = prepare()?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        !refused.status.success() && why.contains("has drifted") && why.contains("max_msgs_per_subject"),
        "{why}"
    );
    Ok(())
}
