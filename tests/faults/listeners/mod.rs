//! Those who listen: each writes what it gets into the history, and says how far it has come.

mod consumer;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    history::{Entry, Kind, Promise, Subscribed},
    load::Load,
};

const LIMIT: Duration = Duration::from_mins(1);

/// Somebody who listens from the beginning.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    kind: Kind,
    promise: Promise,
    /// The last position that it has.
    reached: AtomicU64,
    /// Why it last had to begin anew.
    trouble: Mutex<String>,
}

impl Listener {
    /// Everybody who listens.
    pub(crate) fn all() -> Vec<Self> {
        let new = |name, kind, promise| Self {
            name,
            kind,
            promise,
            reached: AtomicU64::new(0),
            trouble: Mutex::default(),
        };
        vec![new("consumer", Kind::Record, Promise::AtLeastOnce)]
    }

    /// Starts everybody; they end with the load.
    pub(crate) fn start<'scope>(
        all: &'scope [Self],
        scope: &'scope thread::Scope<'scope, '_>,
        load: &'scope Load,
        brokers: &[String],
    ) -> Vec<thread::ScopedJoinHandle<'scope, Result<()>>> {
        let start = |listener: &'scope Self| {
            let (kind, promise, behind) = (listener.kind, listener.promise, 0);
            let subscriber = listener.name.to_owned();
            load.history.add(Entry::Subscribed(Subscribed { subscriber, kind, promise, behind }));
            let brokers = brokers.to_vec();
            scope.spawn(move || consumer::listen(listener, load, &brokers))
        };
        all.iter().map(start).collect()
    }

    fn has(&self, position: u64) {
        self.reached.fetch_max(position, Ordering::SeqCst);
    }

    /// It has to begin anew.
    fn stumbles(&self, error: &anyhow::Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = format!("{error:#}");
    }

    /// Until it has everything up to a position.
    pub(crate) fn wait_for(&self, position: u64) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.reached.load(Ordering::SeqCst) < position {
            let reached = self.reached.load(Ordering::SeqCst);
            let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ensure!(Instant::now() < deadline, "{} is at {reached}, not at {position}: {trouble}", self.name);
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
