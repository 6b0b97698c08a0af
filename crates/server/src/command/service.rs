//! The command service: one task per organization, started by its first command, behind a cheap handle.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use grantbook_domain::{
    access::Reason, id::OrgId, position::Position, principal::Caller, state::OrgState, time::Timestamp,
};
use grantbook_journal::{Cause, Journal};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    Fold, OrgFold, Outcome, Submission, SubmitError,
    actor::{Actor, Job, Queue},
    directory::Directory,
    draft::Inputs,
    sweep::sweep,
};
use crate::{clock::Clock, ids::IdSource, secret::ParsedKey};

/// How many commands of one organization may wait.
const QUEUE: usize = 4096;

/// The running service. Dropping it lets the tasks drain unattended; [`CommandService::shutdown`] waits for them.
#[derive(Debug)]
pub struct CommandService {
    handle: CommandHandle,
    closing: watch::Sender<bool>,
}

/// What routes have of the command service; cheap to clone. It hides which journal is behind it.
#[derive(Clone)]
pub struct CommandHandle {
    shared: Arc<Shared>,
}

struct Shared {
    directory: Arc<Directory>,
    desks: HashMap<OrgId, Mutex<Desk>>,
    /// None once the service closes: nothing is started any more.
    tasks: Mutex<Option<JoinSet<()>>>,
    start: Box<Start>,
    halted: Box<dyn Fn() -> Option<Cause> + Send + Sync>,
    closing: watch::Receiver<bool>,
}

/// Where an organization's commands go.
enum Desk {
    /// No command has come yet.
    Idle(Box<OrgFold>),
    /// To its task.
    Open(mpsc::Sender<Job>),
    /// Nowhere.
    Closed,
}

/// Starts an organization's task.
type Start = dyn Fn(OrgFold, Queue, &mut JoinSet<()>) + Send + Sync;

impl CommandService {
    /// Starts on a fold that stands at the journal's head.
    pub fn start<J: Journal>(journal: Arc<J>, fold: Fold, clock: Clock, ids: IdSource) -> Self {
        let directory = Arc::new(Directory::of(&fold));
        let (closing, closed) = watch::channel(false);
        let desk = |(org, fold)| (org, Mutex::new(Desk::Idle(Box::new(fold))));
        let inputs = Inputs { clock: clock.clone(), ids };
        let watched = Arc::clone(&journal);
        let shared = Shared {
            directory: Arc::clone(&directory),
            desks: fold.orgs.into_iter().map(desk).collect(),
            tasks: Mutex::new(Some(JoinSet::new())),
            start: Box::new(move |fold, queue, tasks| {
                let (journal, directory) = (Arc::clone(&journal), Arc::clone(&directory));
                let inputs = inputs.clone();
                let replays = JoinSet::new();
                tasks.spawn(Actor { journal, fold, directory, inputs, doubtful: false, replays }.run(queue));
            }),
            halted: Box::new(move || watched.halted()),
            closing: closed,
        };
        let handle = CommandHandle { shared: Arc::new(shared) };
        if let Some(tasks) = lock(&handle.shared.tasks).as_mut() {
            tasks.spawn(sweep(handle.clone(), clock, handle.shared.closing.clone()));
        }
        Self { handle, closing }
    }

    /// What routes get.
    pub fn handle(&self) -> CommandHandle {
        self.handle.clone()
    }

    /// Takes no more commands, decides and appends those that wait, answers them, and ends.
    pub async fn shutdown(self) {
        self.closing.send_replace(true);
        let tasks = lock(&self.handle.shared.tasks).take();
        let Some(mut tasks) = tasks else { return };
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a command task failed");
            }
        }
    }
}

impl CommandHandle {
    /// Decides a command and, if it is accepted, appends it; answers once that is durable. Dropping the future
    /// does not take the command back.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, SubmitError> {
        let desk = self.shared.desks.get(&submission.org).ok_or(SubmitError::UnknownOrganization)?;
        let jobs = self.shared.open(desk)?;
        let (answer, answered) = oneshot::channel();
        match jobs.try_send(Job { submission, answer }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(SubmitError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.shared.ended()),
        }
        answered.await.unwrap_or(Err(SubmitError::OutcomeUnknown))
    }

    /// Recognizes a presented key: it and its principal must be active at `now`, and its prefix fit the principal.
    /// The same work is done, in constant time, for a key that is not known; a wrong secret is
    /// [`Reason::UnknownKey`].
    pub fn authenticate(&self, key: &ParsedKey, now: Timestamp) -> Result<(OrgId, Caller), Reason> {
        self.shared.directory.authenticate(key, now)
    }

    /// The organization's present state; cheap, a copy that shares structure.
    pub fn state(&self, org: OrgId) -> Option<OrgState> {
        self.shared.directory.published(org).map(|published| published.state.clone())
    }

    /// All organizations, by id.
    pub fn organizations(&self) -> Vec<OrgId> {
        self.shared.directory.organizations()
    }

    /// The organization's last position that this process knows to be durable: what its reads answer at, at least.
    pub fn acknowledged(&self, org: OrgId) -> Position {
        self.shared.directory.published(org).map_or(Position::START, |published| published.position)
    }

    /// Why no command is accepted any more until the process is started again; none as long as some may be.
    pub fn halted(&self) -> Option<Cause> {
        (self.shared.halted)()
    }

    /// Whether something has expired by `now` that the journal does not say yet.
    pub(super) fn has_unnoted_expiries(&self, org: OrgId, now: Timestamp) -> bool {
        let published = self.shared.directory.published(org);
        published.is_some_and(|published| published.state.unnoted_expiries(now).next().is_some())
    }
}

impl Shared {
    /// The way to the organization's task, which is started if need be.
    fn open(&self, desk: &Mutex<Desk>) -> Result<mpsc::Sender<Job>, SubmitError> {
        let mut desk = lock(desk);
        if let Desk::Open(jobs) = &*desk {
            return Ok(jobs.clone());
        }
        let mut tasks = lock(&self.tasks);
        let (Some(tasks), Desk::Idle(fold)) = (tasks.as_mut(), std::mem::replace(&mut *desk, Desk::Closed))
        else {
            return Err(self.ended());
        };
        let (jobs, waiting) = mpsc::channel(QUEUE);
        (self.start)(*fold, Queue { jobs: waiting, closing: self.closing.clone() }, tasks);
        *desk = Desk::Open(jobs.clone());
        Ok(jobs)
    }

    /// Why there is no task: the service is closing, or the task has failed.
    fn ended(&self) -> SubmitError {
        if *self.closing.borrow() || self.closing.has_changed().is_err() {
            return SubmitError::Stopping;
        }
        SubmitError::JournalUnavailable("the organization's command task has failed".to_owned())
    }
}

impl fmt::Debug for CommandHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandHandle")
            .field("organizations", &self.shared.desks.len())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
