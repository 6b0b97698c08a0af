//! Those who listen: each writes what it gets into the history, and says how far it has come.

mod consumer;
mod hook;
mod watcher;

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use self::{consumer::Source, hook::Hook};
use crate::{
    checker::Evidence,
    history::{Entry, Kind, Message, Promise, Subscribed},
    load::Load,
};

const LIMIT: Duration = Duration::from_mins(1);

/// How somebody listens.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// As a consumer of a stream in the brokers.
    Consumer(Source),
    /// At a node over HTTP.
    Watcher { slow: bool },
    /// As a receiver of webhooks.
    Hook,
}

/// Somebody who listens from the beginning.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    kind: Kind,
    promise: Promise,
    way: Way,
    /// The last message that it has: position, and place among those of the position.
    reached: Mutex<(u64, u32)>,
    /// Why it last had to begin anew.
    trouble: Mutex<String>,
}

impl Listener {
    /// Everybody who listens.
    pub(crate) fn all() -> Vec<Self> {
        let new = |name, kind, promise, way| {
            let (reached, trouble) = (Mutex::default(), Mutex::default());
            Self { name, kind, promise, way, reached, trouble }
        };
        vec![
            new("journal", Kind::Record, Promise::AtLeastOnce, Way::Consumer(consumer::JOURNAL)),
            new("events", Kind::Event, Promise::AtLeastOnce, Way::Consumer(consumer::EVENTS)),
            new("changes", Kind::Change, Promise::AtLeastOnce, Way::Consumer(consumer::CHANGES)),
            new("watcher", Kind::Record, Promise::Once, Way::Watcher { slow: false }),
            new("slow watcher", Kind::Record, Promise::Once, Way::Watcher { slow: true }),
            new("watcher of changes", Kind::Change, Promise::Once, Way::Watcher { slow: false }),
            new("webhook", Kind::Both, Promise::AtLeastOnce, Way::Hook),
        ]
    }

    /// Starts everybody; they end with the load.
    pub(crate) fn start<'scope>(
        all: &'scope [Self],
        scope: &'scope thread::Scope<'scope, '_>,
        load: &'scope Load,
        brokers: &[String],
    ) -> Result<Vec<thread::ScopedJoinHandle<'scope, Result<()>>>> {
        all.iter().map(|listener| listener.begin(scope, load, brokers.to_vec())).collect()
    }

    fn begin<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        load: &'scope Load,
        brokers: Vec<String>,
    ) -> Result<thread::ScopedJoinHandle<'scope, Result<()>>> {
        let hook = if matches!(self.way, Way::Hook) { Some(Hook::start()?) } else { None };
        let behind = hook.as_ref().map_or(Ok(0), |hook| load.send_hooks(&hook.url()))?;
        let (subscriber, kind, promise) = (self.name.to_owned(), self.kind, self.promise);
        load.history.add(Entry::Subscribed(Subscribed { subscriber, kind, promise, behind }));
        Ok(scope.spawn(move || match (self.way, hook) {
            (Way::Consumer(source), _) => consumer::listen(self, load, &brokers, source),
            (Way::Watcher { slow }, _) => {
                watcher::listen(self, load, slow);
                Ok(())
            }
            (Way::Hook, Some(hook)) => hook.listen(self, load),
            (Way::Hook, None) => Ok(()),
        }))
    }

    /// Writes down what it got.
    fn got(&self, load: &Load, (position, index): (u64, u32), name: String) {
        let (subscriber, at) = (self.name.to_owned(), load.history.now());
        load.history.add(Entry::Message(Message { subscriber, position, index, name, at }));
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        *reached = (position, index).max(*reached);
    }

    fn reached(&self) -> (u64, u32) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has to begin anew.
    fn stumbles(&self, error: &anyhow::Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = format!("{error:#}");
    }

    /// Until it has the last there is of its kind; it may be long about it, but must go on.
    pub(crate) fn wait_for(&self, evidence: &Evidence) -> Result<()> {
        let last =
            evidence.messages(self.kind).last().map_or((0, 0), |(position, index, _)| (*position, *index));
        let (mut reached, mut moved) = (self.reached(), Instant::now());
        while reached < last {
            let now = self.reached();
            if now > reached {
                (reached, moved) = (now, Instant::now());
            }
            let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ensure!(
                moved.elapsed() < LIMIT,
                "{} stays at {reached:?}, not at {last:?}: {trouble}",
                self.name
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
