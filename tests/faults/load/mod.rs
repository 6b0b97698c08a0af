//! The load: writers of mixed commands, somebody who gives access and takes it away again, and some at each node who
//! ask all the time. Whatever they do and see goes into the history.

mod asking;
mod subjects;
mod wish;
mod writing;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use crate::history::{Entry, History, Outcome};
use anyhow::{Context, Result, ensure};
use grantbook_domain::{
    id::{InstallationId, OrgId},
    position::Position,
};
use grantbook_server::wire::position;
use grantbook_tests::wire::Reply;
use serde_json::json;

pub(crate) use subjects::Grounds;
use subjects::Subject;
use wish::{Client, Wish};

const WRITERS: usize = 3;
/// A command that nobody accepts for so long is lost.
const LIMIT: Duration = Duration::from_mins(2);
/// So many subjects are asked about at any time.
const SUBJECTS: usize = 40;

/// What all threads of the load share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) history: History,
    pub(crate) installation: InstallationId,
    /// In which organization everything happens.
    pub(crate) org: OrgId,
    /// The owner's key: everything is asked by its holder.
    key: String,
    /// Where each process is, by name: one that was started again has another port.
    bases: Mutex<BTreeMap<String, String>>,
    /// Every command by its request id, to be sent again.
    wishes: Mutex<BTreeMap<String, Wish>>,
    subjects: Mutex<Vec<Subject>>,
    /// Whoever writes holds it; whoever wants quiet takes it alone.
    quiet: RwLock<()>,
    stop: AtomicBool,
    end: AtomicBool,
    /// The highest position that was acknowledged.
    acknowledged: AtomicU64,
    /// Counts whatever needs a name.
    counter: AtomicU64,
}

impl Load {
    pub(crate) fn new((installation, org): (InstallationId, OrgId), key: &str) -> Self {
        Self {
            history: History::new(),
            installation,
            org,
            key: key.to_owned(),
            bases: Mutex::default(),
            wishes: Mutex::default(),
            subjects: Mutex::default(),
            quiet: RwLock::new(()),
            stop: AtomicBool::new(false),
            end: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            counter: AtomicU64::new(0),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Has messages of all kinds sent to a URL; those behind the position that it answers with.
    pub(crate) fn send_hooks(&self, url: &str) -> Result<u64> {
        let body = json!({"url": url, "kinds": ["record", "change"]});
        let wish = Wish::new("POST", "/v1/webhooks", body, &["WebhookCreated"]);
        let made = self.want_at(&mut Client::default(), &wish)?;
        Ok(made.context("a webhook is accepted")?.0)
    }

    /// Starts everybody, for the nodes of these names.
    pub(crate) fn start<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        grounds: &'scope Grounds,
        nodes: &[&'static str],
    ) -> Vec<ScopedJoinHandle<'scope, Result<()>>> {
        let mut running: Vec<_> =
            (0..WRITERS).map(|number| scope.spawn(move || writing::write(self, grounds, number))).collect();
        running.push(scope.spawn(move || subjects::come_and_go(self, grounds)));
        for (node, demands) in nodes.iter().copied().flat_map(|node| [(node, false), (node, true)]) {
            running.push(scope.spawn(move || {
                asking::ask(self, node, demands);
                Ok(())
            }));
        }
        running
    }

    /// Whoever writes or asks ends soon.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whoever listens ends soon, too.
    pub(crate) fn end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether nobody listens any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// Where a process is from now on.
    pub(crate) fn is_at(&self, name: &str, base: &str) {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.insert(name.to_owned(), base.to_owned());
    }

    pub(crate) fn base(&self, name: &str) -> Result<String> {
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.get(name).cloned().with_context(|| format!("there is a process {name}"))
    }

    /// The names of the read nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.keys().filter(|name| name.starts_with('r')).cloned().collect()
    }

    /// Does something while nobody writes.
    pub(crate) fn quietly<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let _quiet = self.quiet.write().unwrap_or_else(PoisonError::into_inner);
        act()
    }

    /// The position of an answer; 0 if it has none.
    fn position(&self, reply: &Reply) -> u64 {
        let text = reply.header("grantbook-position");
        let position = text.and_then(|text| position::decode(self.installation, text).ok());
        position.map_or(0, Position::get)
    }

    /// Waits until so many more commands were acknowledged.
    pub(crate) fn progress(&self, count: usize) -> Result<()> {
        let acknowledged = || {
            let is = |entry: &&Entry| matches!(entry, Entry::Command(one) if matches!(one.outcome, Outcome::Acknowledged { .. }));
            self.history.look(|entries| entries.iter().filter(is).count())
        };
        let (from, deadline) = (acknowledged(), Instant::now() + LIMIT);
        while acknowledged() < from + count {
            ensure!(Instant::now() < deadline, "no command is accepted any more");
            ensure!(!self.is_over(), "the load has ended");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
