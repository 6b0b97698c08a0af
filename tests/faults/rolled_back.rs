//! A broker, a node and a service come back with files of before, as from a backup: a minority of the journal's copies, a view,
//! and what a service knew of the journal.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use grantbook_tests::backup::{copy, restore};

use crate::stage::Stage;

/// For so long the load goes on before the files are put back.
const MEANWHILE: Duration = Duration::from_secs(3);
/// The processes whose files are put back.
const PROCESSES: [&str; 2] = ["c0", "r1"];

/// Copies files while their processes stand still, lets everything go on, and puts the files back.
pub(crate) fn roll_back(stage: &mut Stage) -> Result<()> {
    let kept = tempfile::tempdir()?;
    let broker = stage.follower()?;
    stage.chosen = broker;
    stop(stage, broker)?;
    copy(&stage.nats.store_dir(broker), &kept.path().join("store"))?;
    for name in PROCESSES {
        copy(stage.process(name)?.data(), &kept.path().join(name))?;
    }
    start(stage, broker)?;
    thread::sleep(MEANWHILE);
    stop(stage, broker)?;
    restore(&kept.path().join("store"), &stage.nats.store_dir(broker))?;
    for name in PROCESSES {
        restore(&kept.path().join(name), stage.process(name)?.data())?;
    }
    start(stage, broker)
}

fn stop(stage: &mut Stage, broker: usize) -> Result<()> {
    for name in PROCESSES {
        let ended = stage.process(name)?.terminate()?;
        ensure!(ended.success(), "{name} ended with {ended}");
    }
    stage.nats.stop(broker)
}

fn start(stage: &mut Stage, broker: usize) -> Result<()> {
    stage.nats.start(broker)?;
    stage.wait_current(broker)?;
    PROCESSES.iter().try_for_each(|name| stage.process(name)?.spawn())
}
