//! The journal in NATS: what every journal must do, and what only this one can do wrong.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use grantbook_journal::{
    AppendError, Identity, Journal, ReadError, Tail, append_surely, conformance,
    jetstream::{Credentials, JetStreamError, JetStreamJournal, NatsOptions},
};
use grantbook_tests::{
    frames,
    nats::{self, Nats},
};

const LONG: Duration = Duration::from_secs(30);

fn identity(number: u128) -> Identity {
    Identity { installation: InstallationId::from_u128(number), created_at: Timestamp::from_millis(1) }
}

fn options(nats: &Nats, stream: &str) -> NatsOptions {
    NatsOptions { stream: stream.to_owned(), prefix: stream.to_lowercase(), ..NatsOptions::new(nats.urls()) }
}

async fn create(nats: &Nats, stream: &str) -> Result<JetStreamJournal> {
    Ok(JetStreamJournal::create(&options(nats, stream), identity(1), None).await?)
}

#[expect(clippy::expect_used, reason = "the failure of a test")]
async fn conforms(nats: Nats) -> Result<()> {
    let count = Cell::new(0);
    let fresh = async || {
        count.set(count.get() + 1);
        create(&nats, &format!("S{}", count.get())).await.expect("a new stream")
    };
    let again = async |journal: JetStreamJournal| {
        drop(journal);
        JetStreamJournal::open(&options(&nats, &format!("S{}", count.get()))).await.expect("the same stream")
    };
    conformance::run(fresh, again).await;
    Ok(())
}

#[tokio::test]
async fn one_server_conforms() -> Result<()> {
    conforms(Nats::single()?).await
}

#[tokio::test]
async fn a_cluster_of_three_conforms() -> Result<()> {
    conforms(Nats::cluster()?).await
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_in_clear_words() -> Result<()> {
    let binary = Some(nats::old_binary()?);
    let old = Nats::start_with(&nats::NatsOptions { binary, ..nats::NatsOptions::default() })?;
    let refused = JetStreamJournal::create(&options(&old, "S"), identity(1), None).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("is version 2.12.8, at least 2.14.4 is needed"), "{text}");
    Ok(())
}

/// A first line as the 2.9.10 of Debian 12 would send it, written by hand: that server is in no Python registry.
#[tokio::test]
async fn a_server_of_2_9_10_is_refused_by_what_it_says_of_itself() -> Result<()> {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let info = r#"INFO {"server_id":"NBWX","server_name":"n","version":"2.9.10","proto":1,"go":"go1.19.8","host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576,"jetstream":true,"client_id":5,"client_ip":"127.0.0.1"}"#;
        socket.write_all(format!("{info}\r\n").as_bytes()).await?;
        let (read, mut write) = socket.split();
        let mut lines = BufReader::new(read).lines();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("PING") {
                write.write_all(b"PONG\r\n").await?;
            }
        }
        anyhow::Ok(())
    });
    let refused =
        JetStreamJournal::open(&NatsOptions::new(vec![format!("nats://{address}")])).await.unwrap_err();
    assert!(refused.to_string().contains("is version 2.9.10, at least 2.14.4 is needed"), "{refused}");
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn who_cannot_connect_is_told_why_and_no_secret() -> Result<()> {
    let config = "authorization { users: [ { user: ada, password: right } ] }".to_owned();
    let nats = Nats::start_with(&nats::NatsOptions { config, ..nats::NatsOptions::default() })?;
    let with = |user: &str, password: &str| NatsOptions {
        credentials: Credentials::Password { user: user.to_owned(), password: password.to_owned() },
        ..options(&nats, "S")
    };
    let wrong = JetStreamJournal::create(&with("ada", "secret-word"), identity(1), None).await.unwrap_err();
    assert!(wrong.to_string().contains("authorization"), "{wrong}");
    assert!(!wrong.to_string().contains("secret-word") && !format!("{wrong:?}").contains("secret-word"));
    JetStreamJournal::create(&with("ada", "right"), identity(1), None).await?;
    let missing =
        JetStreamJournal::open(&NatsOptions { stream: "T".to_owned(), ..with("ada", "right") }).await;
    assert!(missing.unwrap_err().to_string().contains("there is no stream T"));
    let nobody = NatsOptions::new(vec!["nats://127.0.0.1:1".to_owned()]);
    let nobody = JetStreamJournal::open(&nobody).await.unwrap_err();
    assert!(nobody.to_string().starts_with("cannot connect to nats://127.0.0.1:1"), "{nobody}");
    Ok(())
}

#[tokio::test]
async fn of_those_who_begin_at_once_one_wins() -> Result<()> {
    let nats = Nats::single()?;
    let opened = futures(8, |number| {
        let options = options(&nats, "S");
        async move { JetStreamJournal::create(&options, identity(number), None).await }
    })
    .await;
    let journals: Vec<JetStreamJournal> = opened.into_iter().collect::<Result<_, _>>()?;
    let first = journals.first().context("eight of them")?.identity();
    assert!(journals.iter().all(|journal| journal.identity() == first), "one identity");
    let journals: Vec<Arc<JetStreamJournal>> = journals.into_iter().map(Arc::new).collect();
    let found = futures(8, |number| {
        let journal = Arc::clone(&journals[usize::try_from(number).unwrap_or_default()]);
        async move { journal.found(OrgId::from_u128(number), 0, Bytes::from(format!("frame {number}"))).await }
    })
    .await;
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 1, "{found:?}");
    let again = JetStreamJournal::create(&options(&nats, "S"), identity(9), None).await;
    assert!(matches!(again, Err(JetStreamError::NotEmpty { .. })));
    Ok(())
}

async fn futures<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: u128,
    make: impl Fn(u128) -> F,
) -> Vec<T> {
    let mut running = tokio::task::JoinSet::new();
    for number in 0..count {
        running.spawn(make(number));
    }
    running.join_all().await
}

/// Each setting that a journal relies on, changed by itself on a stream that is otherwise as it must be.
#[tokio::test]
async fn a_stream_that_has_drifted_is_refused_by_name() -> Result<()> {
    let nats = Nats::single()?;
    drop(create(&nats, "S").await?);
    let client = async_nats::connect(nats.urls()).await?;
    let ask = async |subject: String, body: serde_json::Value| -> Result<serde_json::Value> {
        let answer = client.request(subject, body.to_string().into()).await?;
        Ok(serde_json::from_slice(&answer.payload)?)
    };
    let made = ask("$JS.API.STREAM.INFO.S".to_owned(), serde_json::json!({})).await?["config"].clone();
    let drifts = [
        ("discard", serde_json::json!("old")),
        ("max_age", serde_json::json!(3_600_000_000_000_u64)),
        ("max_msgs", serde_json::json!(10)),
        ("max_bytes", serde_json::json!(1_000_000)),
        ("max_msgs_per_subject", serde_json::json!(10)),
        ("deny_delete", serde_json::json!(false)),
        ("deny_purge", serde_json::json!(false)),
        ("allow_direct", serde_json::json!(false)),
        ("retention", serde_json::json!("interest")),
        ("storage", serde_json::json!("memory")),
        ("compression", serde_json::json!("s2")),
        ("no_ack", serde_json::json!(true)),
        ("allow_msg_ttl", serde_json::json!(true)),
        ("allow_rollup_hdrs", serde_json::json!(true)),
        ("allow_atomic", serde_json::json!(true)),
        ("allow_msg_counter", serde_json::json!(true)),
        ("max_msg_size", serde_json::json!(1000)),
        ("subjects", serde_json::json!(["drift.v1.*", "drift.other"])),
        ("republish", serde_json::json!({"src": ">", "dest": "copy.>"})),
        ("persist_mode", serde_json::json!("async")),
    ];
    for (number, (name, value)) in drifts.into_iter().enumerate() {
        let stream = format!("D{number}");
        let mut config = made.clone();
        config["name"] = stream.clone().into();
        config["subjects"] = serde_json::json!(["drift.v1.*"]);
        config[name] = value;
        if name == "allow_msg_counter" {
            config["discard"] = "old".into();
        }
        if name == "allow_rollup_hdrs" {
            config["deny_purge"] = false.into();
        }
        let answer = ask(format!("$JS.API.STREAM.CREATE.{stream}"), config).await?;
        ensure!(answer.get("error").is_none(), "{name}: {answer}");
        let own = NatsOptions { stream: stream.clone(), prefix: "drift".to_owned(), ..options(&nats, "S") };
        let refused = JetStreamJournal::open(&own).await.unwrap_err().to_string();
        assert!(
            refused.contains("has drifted") && refused.contains(&format!("{name} is")),
            "{name}: {refused}"
        );
        if name == "compression" {
            // What operators are told to do.
            let mut config =
                ask(format!("$JS.API.STREAM.INFO.{stream}"), serde_json::json!({})).await?["config"].clone();
            config["compression"] = "none".into();
            let updated = ask(format!("$JS.API.STREAM.UPDATE.{stream}"), config).await?;
            ensure!(updated.get("error").is_none(), "{updated}");
            JetStreamJournal::open(&own).await?;
        }
        ask(format!("$JS.API.STREAM.DELETE.{stream}"), serde_json::json!({})).await?;
    }
    let deleted = ask("$JS.API.STREAM.MSG.DELETE.S".to_owned(), serde_json::json!({"seq": 1})).await?;
    assert!(deleted.get("error").is_some(), "no message can be deleted: {deleted}");
    Ok(())
}

/// Appends frames of one organization until so many are there.
async fn fill(journal: &JetStreamJournal, from: u64, to: u64) -> Result<()> {
    let mut last = from;
    while last < to {
        let frame = Bytes::from(format!("frame {}", last + 1));
        last = append_surely(journal, conformance::org(1), last, frame, tokio::time::Instant::now() + LONG)
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_misses_nothing_when_servers_come_and_go() -> Result<()> {
    let mut nats = Nats::single()?;
    let journal = Arc::new(create(&nats, "S").await?);
    let mut tail = journal.tail(0);
    let writer = tokio::spawn({
        let journal = Arc::clone(&journal);
        async move { fill(&journal, 0, 3000).await }
    });
    let mut last = 0;
    let deadline = Instant::now() + Duration::from_mins(2);
    let mut kill_at = 500;
    while last < 3000 {
        ensure!(Instant::now() < deadline, "only {last} came");
        // Where the server is away for long, the reader says so and goes on.
        for item in tail.next(NonZeroUsize::MAX, LONG).await.unwrap_or_default() {
            let stored = item.into_frame().context("a frame")?;
            assert_eq!(stored.sequence, last + 1);
            assert_eq!(stored.bytes, format!("frame {}", last + 1).as_bytes());
            assert_eq!(stored.guard, Some(last));
            last += 1;
        }
        if last >= kill_at {
            kill_at += 1000;
            nats.kill(0)?;
            nats.start(0)?;
        }
    }
    writer.await??;
    assert_eq!(frames::all(journal.as_ref()).await?.len(), 3000);
    Ok(())
}

/// Twenty frames, then damage to the one of sequence 7; what a reader of all of them meets.
async fn damaged(damage: impl Fn(&std::path::Path) -> Result<()>) -> Result<(usize, ReadError)> {
    let mut nats = Nats::single()?;
    let journal = create(&nats, "S").await?;
    fill(&journal, 0, 20).await?;
    nats.stop(0)?;
    damage(&nats.store_dir(0))?;
    nats.start(0)?;
    let mut tail = journal.tail(0);
    let mut read = 0;
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        match tail.next(NonZeroUsize::MAX, LONG).await {
            Ok(frames) => read += frames.len(),
            Err(ReadError::Unavailable(cause)) => {
                ensure!(Instant::now() < deadline, "read {read}, then only: {cause}");
            }
            Err(error) => return Ok((read, error)),
        }
    }
}

#[tokio::test]
async fn a_message_that_was_removed_is_named() -> Result<()> {
    let (read, error) = damaged(|store| nats::remove_message(store, "S", 7)).await?;
    assert!(matches!(error, ReadError::Damaged { sequence: 7 }) && read == 6, "{read}: {error:?}");
    Ok(())
}

#[tokio::test]
async fn a_flipped_bit_is_named() -> Result<()> {
    let (read, error) = damaged(|store| nats::change_payload(store, "S", 7, false)).await?;
    assert!(matches!(error, ReadError::Damaged { sequence: 7 }) && read == 6, "{read}: {error:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_was_made_anew_is_another_one() -> Result<()> {
    let nats = Nats::single()?;
    let journal = create(&nats, "S").await?;
    fill(&journal, 0, 5).await?;
    let mut tail = journal.tail(0);
    assert_eq!(tail.next(NonZeroUsize::MAX, LONG).await?.len(), 5);
    let client = async_nats::connect(nats.urls()).await?;
    client.request("$JS.API.STREAM.DELETE.S", "".into()).await?;
    assert!(matches!(journal.head().await, Err(ReadError::Replaced(_))));
    let anew = create(&nats, "S").await?;
    fill(&anew, 0, 7).await?;
    let error = journal.head().await.unwrap_err().to_string();
    assert!(error.contains("is not the one that was opened"), "{error}");
    assert!(journal.halted().is_some());
    let deadline = Instant::now() + LONG;
    let error = loop {
        match tail.next(NonZeroUsize::MAX, LONG).await {
            Err(error @ ReadError::Replaced(_)) => break error,
            Err(ReadError::Unavailable(_)) => ensure!(Instant::now() < deadline, "it was not noticed"),
            other => anyhow::bail!("a frame of another stream was read: {other:?}"),
        }
    };
    drop(error);
    // The same installation, as a backup that was put back would be: the time of making tells.
    let appended = journal.append(conformance::org(1), 0, Bytes::from_static(b"x")).await;
    assert!(matches!(appended, Err(AppendError::Conflict { .. })), "{appended:?}");
    Ok(())
}
