//! Reads the whole view over and over, beside everything else, and compares it with its digest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use grantbook_views::{ViewError, ViewReader};
use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use crate::maintenance::JobStats;

/// How often the view is read whole, unless somebody says otherwise.
pub const SCRUB_EVERY: Duration = Duration::from_hours(1);
/// It sleeps so many times as long as it worked: it takes a quarter of a core.
const REST: u32 = 3;

/// Reads on until it is dropped.
#[derive(Debug)]
pub(super) struct Scrubber {
    damage: watch::Receiver<Option<String>>,
    stop: Arc<AtomicBool>,
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Scrubber {
    /// The first time at once, then every so often.
    pub(super) fn start(reader: ViewReader, every: Duration, tally: JobStats) -> Self {
        let (tell, damage) = watch::channel(None);
        let (stop, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let task = tokio::spawn(scrub((reader, every, tally), tell, Arc::clone(&stop), Arc::clone(&wake)));
        Self { damage, stop, wake, task }
    }

    /// What is wrong with the view's rows, once that is known.
    pub(super) fn damage(&self) -> watch::Receiver<Option<String>> {
        self.damage.clone()
    }
}

impl Scrubber {
    /// Ends it, and waits until it has let go of the view's file.
    pub(super) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        // It has nothing to say any more, also if it failed.
        (&mut self.task).await.unwrap_or_default();
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

async fn scrub(
    (reader, every, tally): (ViewReader, Duration, JobStats),
    tell: watch::Sender<Option<String>>,
    stop: Arc<AtomicBool>,
    wake: Arc<Notify>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = wake.notified() => return,
        }
        let (reader, stop, begun) = (reader.clone(), Arc::clone(&stop), tokio::time::Instant::now());
        let why = match spawn_blocking(move || read_all(&reader, &stop)).await {
            Ok(Ok(rows)) => {
                tally.note(begun, true);
                tracing::debug!(rows, "the view was read whole and agrees with its digest");
                continue;
            }
            Ok(Err(ViewError::Interrupted)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(failed) if failed.is_panic() => "the view is damaged: reading it has panicked".to_owned(),
            Err(_) => return,
        };
        tally.note(begun, false);
        tell.send_replace(Some(why));
        return;
    }
}

fn read_all(reader: &ViewReader, stop: &AtomicBool) -> Result<u64, ViewError> {
    let mut since = Instant::now();
    reader.snapshot()?.scrub(|_| {
        thread::sleep(since.elapsed().saturating_mul(REST).min(Duration::from_secs(1)));
        since = Instant::now();
        !stop.load(Ordering::Relaxed)
    })
}
