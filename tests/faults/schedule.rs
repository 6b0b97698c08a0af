//! What befalls the stage: each fault begins, lasts, and is healed.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use grantbook_domain::id::OrgId;
use grantbook_journal::Journal as _;
use grantbook_tests::{
    cut::Flow,
    nats::{change_payload, cut_tail},
};

use crate::{
    rolled_back::roll_back,
    stage::{Stage, limit_files, stand_still},
};

/// How long most faults last.
const SHORT: Duration = Duration::from_secs(2);
/// Longer than a broker needs to see that another is away, and the others to have a new leader.
const LONG: Duration = Duration::from_secs(12);

/// Bursts of foreign messages, and messages of each on a subject.
const FOREIGN_BURSTS: u64 = 10;
const FOREIGN_MESSAGES: u64 = 8;

/// Something that befalls the stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) lasts: Duration,
    /// Whether commands are accepted meanwhile.
    pub(crate) writable: bool,
    /// Whether brokers' files are harmed: they may complain.
    pub(crate) harms: bool,
    /// Whether it is in the short form too, which `make test` runs.
    pub(crate) brief: bool,
    pub(crate) begin: fn(&mut Stage) -> Result<()>,
    pub(crate) heal: fn(&mut Stage) -> Result<()>,
}

/// A fault after which nothing has to be started again.
const fn fault(
    name: &'static str,
    begin: fn(&mut Stage) -> Result<()>,
    heal: fn(&mut Stage) -> Result<()>,
) -> Fault {
    Fault { name, lasts: SHORT, writable: true, harms: false, brief: true, begin, heal }
}

/// In the order in which they befall.
pub(crate) const SCHEDULE: &[Fault] = &[
    fault(
        "kill -9 of a command service",
        |stage| stage.process("c0")?.kill(),
        |stage| stage.process("c0")?.spawn(),
    ),
    fault(
        "a command service stands still",
        |stage| stand_still(&[stage.process("c1")?.pid()], true),
        |stage| stand_still(&[stage.process("c1")?.pid()], false),
    ),
    fault(
        "kill -9 of a read node",
        |stage| stage.process("r0")?.kill(),
        |stage| stage.process("r0")?.spawn(),
    ),
    fault(
        "a read node stands still",
        |stage| stand_still(&[stage.process("r1")?.pid()], true),
        |stage| stand_still(&[stage.process("r1")?.pid()], false),
    ),
    fault("another broker leads", |stage| stage.step_down(), |_| Ok(())),
    fault("kill -9 of a following broker", |stage| kill_broker(stage, false), start_broker),
    fault("kill -9 of the leading broker", |stage| kill_broker(stage, true), start_broker),
    Fault {
        brief: false,
        ..fault("a following broker stands still", |stage| pause_broker(stage, false), resume_broker)
    },
    Fault {
        lasts: LONG,
        brief: false,
        ..fault("the leading broker stands still", |stage| pause_broker(stage, true), resume_broker)
    },
    Fault { writable: false, ..fault("kill -9 of all brokers", kill_all_brokers, start_all_brokers) },
    Fault {
        writable: false,
        brief: false,
        ..fault(
            "all brokers stand still",
            |stage| stand_still(&brokers(stage), true),
            |stage| stand_still(&brokers(stage), false),
        )
    },
    Fault {
        lasts: LONG,
        ..fault(
            "the leading broker is cut off, with a node and a service on its side",
            part_leader,
            join_leader,
        )
    },
    Fault {
        lasts: LONG,
        ..fault(
            "a read node and a command service are cut off from all brokers",
            |stage| wires(stage, Flow::Hold),
            |stage| wires(stage, Flow::Pass),
        )
    },
    fault("foreign messages land in the journal", land_foreign, |_| Ok(())),
    fault("connections break again and again", break_often, |stage| wires(stage, Flow::Pass)),
    Fault {
        lasts: Duration::from_secs(4),
        ..fault(
            "everything arrives late at a node and a service",
            |stage| wires(stage, Flow::Late(Duration::from_millis(150))),
            |stage| wires(stage, Flow::Pass),
        )
    },
    fault(
        "the clock of a node and a service steps back a day, and forward again",
        |stage| stage.hand.as_ref().map_or(Ok(()), |hand| hand.step(-86_400)),
        |stage| stage.hand.as_ref().map_or(Ok(()), |hand| hand.step(0)),
    ),
    Fault {
        lasts: Duration::from_secs(6),
        harms: true,
        brief: false,
        ..fault("a broker's files may not grow", fill_broker, free_broker)
    },
    Fault { brief: false, ..fault("a node's files may not grow", fill_node, free_node) },
    Fault {
        harms: true,
        brief: false,
        ..fault("a flipped bit in a following broker's block", flip_in_block, mend_replica)
    },
    Fault {
        harms: true,
        brief: false,
        ..fault("a truncated block of a following broker", truncate_block, mend_replica)
    },
    Fault {
        harms: true,
        brief: false,
        ..fault("a broker, a node and a service come back with files of before", roll_back, |_| Ok(()))
    },
];

fn choose(stage: &mut Stage, leads: bool) -> Result<usize> {
    stage.chosen = if leads { stage.leader()? } else { stage.follower()? };
    Ok(stage.chosen)
}

fn kill_broker(stage: &mut Stage, leads: bool) -> Result<()> {
    let index = choose(stage, leads)?;
    stage.nats.kill(index)
}

fn start_broker(stage: &mut Stage) -> Result<()> {
    let index = stage.chosen;
    stage.nats.start(index)?;
    stage.wait_current(index)
}

fn pause_broker(stage: &mut Stage, leads: bool) -> Result<()> {
    let index = choose(stage, leads)?;
    stage.nats.pause(index)
}

fn resume_broker(stage: &mut Stage) -> Result<()> {
    stage.nats.resume(stage.chosen)?;
    stage.wait_current(stage.chosen)
}

fn brokers(stage: &Stage) -> Vec<Option<u32>> {
    (0..stage.nats.len()).map(|index| stage.nats.pid(index)).collect()
}

fn kill_all_brokers(stage: &mut Stage) -> Result<()> {
    (0..stage.nats.len()).try_for_each(|index| stage.nats.kill(index))
}

fn start_all_brokers(stage: &mut Stage) -> Result<()> {
    (0..stage.nats.len()).try_for_each(|index| stage.nats.spawn(index))?;
    (0..stage.nats.len()).try_for_each(|index| stage.nats.wait_ready(index))
}

/// The leader is cut off from the other brokers. Whoever is wired reaches only it.
fn part_leader(stage: &mut Stage) -> Result<()> {
    let leader = choose(stage, true)?;
    for (index, wire) in stage.wires.iter().enumerate() {
        if index != leader {
            wire.cut();
        }
    }
    stage.nats.links()?.isolate(leader, Flow::Hold)
}

fn join_leader(stage: &mut Stage) -> Result<()> {
    stage.nats.links()?.heal();
    wires(stage, Flow::Pass)?;
    stage.wait_current(stage.chosen)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a fault does")]
fn wires(stage: &mut Stage, flow: Flow) -> Result<()> {
    for wire in &stage.wires {
        wire.set_both(flow);
    }
    Ok(())
}

/// What is under way is lost or comes again, many times.
fn break_often(stage: &mut Stage) -> Result<()> {
    for _ in 0..10 {
        wires(stage, Flow::Broken)?;
        thread::sleep(Duration::from_millis(50));
        wires(stage, Flow::Pass)?;
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// Servers answer onto the subject of the organization in which everybody works, and onto that of one that is not there:
/// bursts, between which commands have time for a round trip.
fn land_foreign(stage: &mut Stage) -> Result<()> {
    let journal = stage.journal()?;
    stage.block_on(async {
        let org = journal.read_one(1).await?.and_then(|item| item.org()).context("an organization")?;
        let fresh = OrgId::from_u128(0xf4e5);
        let client = async_nats::connect(stage.nats.urls()).await?;
        let before = journal.head().await?;
        for _ in 0..FOREIGN_BURSTS {
            for org in [org, org, org, fresh] {
                for _ in 0..FOREIGN_MESSAGES {
                    let subject = format!("grantbook.v1.{org}");
                    client.publish_with_reply("$JS.API.INFO", subject, "".into()).await?;
                }
            }
            client.flush().await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let landed = journal.head().await?.saturating_sub(before);
        ensure!(landed > FOREIGN_BURSTS * FOREIGN_MESSAGES, "only {landed} landed");
        Ok(())
    })
}

/// Almost what a full disk is, for which nobody needs to be root.
fn fill_broker(stage: &mut Stage) -> Result<()> {
    let index = choose(stage, false)?;
    stage.nats.limit_files(index, 64 << 10)
}

fn free_broker(stage: &mut Stage) -> Result<()> {
    stage.nats.kill(stage.chosen)?;
    start_broker(stage)
}

fn fill_node(stage: &mut Stage) -> Result<()> {
    limit_files(stage.process("r2")?, 64 << 10)
}

fn free_node(stage: &mut Stage) -> Result<()> {
    let node = stage.process("r2")?;
    node.kill()?;
    node.spawn()
}

fn flip_in_block(stage: &mut Stage) -> Result<()> {
    damage(stage, |stage, index| {
        let store = stage.nats.store_dir(index);
        change_payload(&store, "GRANTBOOK", 7, false)
    })?;
    read_anew(stage)
}

/// A node reads the whole journal again, from whichever broker gives it.
fn read_anew(stage: &mut Stage) -> Result<()> {
    let node = stage.process("r1")?;
    node.kill()?;
    std::fs::remove_file(node.data().join("view.redb"))?;
    node.spawn()
}

fn truncate_block(stage: &mut Stage) -> Result<()> {
    damage(stage, |stage, index| cut_tail(&stage.nats.store_dir(index), "GRANTBOOK", 1000))?;
    read_anew(stage)
}

fn damage(stage: &mut Stage, harm: fn(&Stage, usize) -> Result<()>) -> Result<()> {
    let index = choose(stage, false)?;
    stage.nats.stop(index)?;
    harm(stage, index)?;
    stage.nats.start(index)
}

/// The damaged replica is made anew from the others, and whoever met the damage and stopped is started again: what an
/// operator does.
fn mend_replica(stage: &mut Stage) -> Result<()> {
    let index = stage.chosen;
    stage.nats.stop(index)?;
    let store = stage.nats.store_dir(index);
    std::fs::remove_dir_all(&store).with_context(|| store.display().to_string())?;
    start_broker(stage)?;
    for name in crate::stage::SERVICES.into_iter().chain(crate::stage::NODES) {
        let server = stage.process(name)?;
        let told = server.http()?.send("GET", "/readyz", &serde_json::Value::Null)?;
        let reason = told.json()["reason"].as_str().unwrap_or_default().to_owned();
        if reason.starts_with("quarantined") || reason.contains("damaged") {
            server.kill()?;
            server.spawn()?;
        }
    }
    ensure!(stage.pids().len() == 8, "everything runs again");
    Ok(())
}
