//! The command service: one task per organization, started by its first command, behind a cheap handle.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use grantbook_domain::{
    access::check::Reason, id::OrgId, limits::Limits, position::Position, principal::Caller, state::OrgState,
    time::Timestamp,
};
use grantbook_journal::{
    Cause, Journal,
    chain::ForeignMet,
    follow::{
        doubt::{Doubts, JournalDoubt},
        head_watch::{Behind, HeadSeen, HeadWatch},
        known_head::SeenEnd,
        read_barrier::{ReadBarrier, Unconfirmed},
    },
    stamp::{clock::Clock, ids::IdSource},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    Fold, Outcome, PlannedOutcome, Submission, SubmitError,
    actor::{Actor, Job, Queue},
    directory::Directory,
    draft::{Draft, Inputs},
    follow::{Fault, Follower},
    meter::{WorkMeter, WorkRate},
    secret::ParsedKey,
    sweep::sweep,
};

/// How many commands of one organization may wait.
const QUEUE: usize = 4096;
/// How many more that may only take access away.
const REVOCATIONS: usize = 1024;
/// How long a command waits until the journal was compared with what is known of it.
const VERDICT: Duration = Duration::from_secs(10);

/// How a command service runs.
#[derive(Debug, Clone)]
pub struct CommandOptions {
    /// What time it is.
    pub clock: Clock,
    /// New ids.
    pub ids: IdSource,
    /// Whether the journal is believed: the first write waits for the verdict.
    pub doubts: Doubts,
    /// What an organization may hold, and what one command may cost.
    pub limits: Limits,
    /// What an organization's commands may cost in the long run.
    pub rate: WorkRate,
    /// Whose blocking threads decide long commands, such as those of a lower priority; the own runtime's if absent.
    pub long_work: Option<Handle>,
}

impl CommandOptions {
    /// No doubts, and the limits of docs/limits.md.
    pub fn of(clock: Clock, ids: IdSource) -> Self {
        let (doubts, limits, rate) = (Doubts::default(), Limits::DEFAULT, WorkRate::DEFAULT);
        Self { clock, ids, doubts, limits, rate, long_work: None }
    }
}

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

/// The ways to an organization's task.
#[derive(Debug, Clone)]
struct OrgQueue {
    /// For commands that may only take access away.
    revocations: mpsc::Sender<Job>,
    jobs: mpsc::Sender<Job>,
}

struct Shared {
    directory: Arc<Directory>,
    /// Where the commands go of each organization that had one.
    queues: Mutex<HashMap<OrgId, OrgQueue>>,
    /// None once the service closes: nothing is started any more.
    tasks: Mutex<Option<JoinSet<()>>>,
    start: Box<Start>,
    inputs: Inputs,
    halted: Box<dyn Fn() -> Option<Cause> + Send + Sync>,
    /// Whether the journal is believed.
    doubts: Doubts,
    /// Of a journal that others append to, too: how to be sure that the folds are not behind.
    confirmer: Option<ReadBarrier>,
    /// What follows the journal, if others append to it.
    pulse: Option<HeadWatch>,
    reached: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
}

/// Starts an organization's task.
type Start = dyn Fn(OrgId, Queue, &mut JoinSet<()>) + Send + Sync;

impl CommandService {
    /// Starts on a fold that stands at the journal's head.
    pub fn start<J: Journal>(journal: Arc<J>, fold: Fold, clock: Clock, ids: IdSource) -> Self {
        Self::start_with(journal, fold, CommandOptions::of(clock, ids))
    }

    /// The same with options.
    pub fn start_with<J: Journal>(journal: Arc<J>, fold: Fold, options: CommandOptions) -> Self {
        let CommandOptions { clock, ids, doubts, limits, rate, long_work } = options;
        let sequence = fold.sequence();
        let directory = Arc::new(Directory::of(fold));
        let (closing, closed) = watch::channel(false);
        let (reached, known) = watch::channel(sequence);
        let fault = Fault::default();
        let mut tasks = JoinSet::new();
        let (mut confirmer, mut pulse) = (None, None);
        if journal.is_shared() {
            let (journal, directory) = (Arc::clone(&journal), Arc::clone(&directory));
            confirmer = Some(ReadBarrier::following(&journal, &known, |sequence| *sequence));
            let listening = HeadWatch::start(Arc::clone(&journal), known.clone());
            tasks.spawn(doubt_broken(listening.heard(), doubts.clone(), closed.clone()));
            pulse = Some(listening);
            let (fault, closing, doubts) = (Arc::clone(&fault), closed.clone(), doubts.clone());
            tasks.spawn(Follower { journal, directory, reached, fault, doubts, closing }.run());
        }
        let inputs = Inputs { clock: clock.clone(), ids, limits };
        let own_inputs = inputs.clone();
        let (watched, own_doubts) = (Arc::clone(&journal), doubts.clone());
        let shared = Shared {
            directory: Arc::clone(&directory),
            queues: Mutex::default(),
            tasks: Mutex::new(Some(tasks)),
            start: Box::new(move |org, queue, tasks| {
                let (journal, directory) = (Arc::clone(&journal), Arc::clone(&directory));
                let (inputs, doubts, replays) = (inputs.clone(), doubts.clone(), JoinSet::new());
                let (meter, unresolved_guard) = (WorkMeter::full(rate), None);
                let actor = Actor {
                    journal,
                    org,
                    directory,
                    inputs,
                    long_work: long_work.clone(),
                    meter,
                    doubts,
                    unresolved_guard,
                    replays,
                };
                tasks.spawn(actor.run(queue));
            }),
            inputs: own_inputs,
            halted: Box::new(move || fault.get().map(Arc::clone).or_else(|| watched.halted())),
            doubts: own_doubts,
            confirmer,
            pulse,
            reached: known,
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

    /// The last frame of the journal that is known to be durable, as it changes.
    pub fn last(&self) -> watch::Receiver<SeenEnd> {
        self.handle.shared.directory.last()
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
        match timeout(VERDICT, self.shared.doubts.settled()).await {
            Ok(None) => {}
            Ok(Some(doubt)) => return Err(SubmitError::JournalDoubted(doubt)),
            Err(_) => {
                let why = "it is still being compared with what is known of it";
                return Err(SubmitError::JournalUnavailable(why.to_owned()));
            }
        }
        if let Some(cause) = self.halted() {
            return Err(SubmitError::JournalUnavailable(cause.to_string()));
        }
        let OrgQueue { revocations, jobs } = self.shared.open(submission.org)?;
        let fold = self.shared.directory.fold(submission.org);
        let takes = fold.is_some_and(|fold| fold.state.may_only_take(&submission.command));
        let (answer, answered) = oneshot::channel();
        let job = Job { submission, answer };
        let sent = match takes.then_some(&revocations) {
            Some(revocations) => match revocations.try_send(job) {
                // What takes away finds room with the others, too.
                Err(mpsc::error::TrySendError::Full(job)) => jobs.try_send(job),
                sent => sent,
            },
            None => jobs.try_send(job),
        };
        match sent {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(SubmitError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.shared.ended()),
        }
        answered.await.unwrap_or(Err(SubmitError::OutcomeUnknown))
    }

    /// What the command would do, decided as if it came next. Nothing is appended.
    ///
    /// # Errors
    /// What [`CommandHandle::submit`] would refuse it with.
    pub fn plan(&self, submission: &Submission) -> Result<PlannedOutcome, SubmitError> {
        if let Some(doubt) = self.doubt() {
            return Err(SubmitError::JournalDoubted(doubt));
        }
        let fold = self.shared.directory.fold(submission.org).ok_or(SubmitError::UnknownOrganization)?;
        Draft::new(&fold).plan(&fold, submission, &self.shared.inputs)
    }

    /// Recognizes a presented key: it and its principal must be active at `now`, and its prefix fit the principal.
    /// The same work is done, in constant time, for a key that is not known; a wrong secret is
    /// [`Reason::UnknownKey`].
    pub fn authenticate(&self, key: &ParsedKey, now: Timestamp) -> Result<(OrgId, Caller), Reason> {
        self.shared.directory.authenticate(key, now)
    }

    /// The limits that commands are decided under.
    pub fn limits(&self) -> &Limits {
        &self.shared.inputs.limits
    }

    /// The organization's present state; cheap, a copy that shares structure.
    pub fn state(&self, org: OrgId) -> Option<OrgState> {
        self.shared.directory.fold(org).map(|fold| fold.state.clone())
    }

    /// All organizations, by id.
    pub fn organizations(&self) -> Vec<OrgId> {
        self.shared.directory.organizations()
    }

    /// The organization's last position that this process knows to be durable: what its reads answer at, at least.
    pub fn acknowledged(&self, org: OrgId) -> Position {
        self.shared.directory.fold(org).map_or(Position::START, |fold| fold.last)
    }

    /// Returns once everything is folded that the journal held when this was called; at once if nobody else appends.
    pub async fn confirm(&self) -> Result<(), Unconfirmed> {
        match &self.shared.confirmer {
            Some(confirmer) => confirmer.confirm().await,
            None => Ok(()),
        }
    }

    /// The last sequence of the journal that this process knows to be durable.
    pub fn last_sequence(&self) -> u64 {
        self.shared.directory.last_sequence()
    }

    /// The foreign messages of the journal up to where it was read.
    pub fn foreign(&self) -> ForeignMet {
        self.shared.directory.foreign()
    }

    /// How far the folds are behind the journal; none if nobody else appends.
    pub fn behind(&self) -> Option<Behind> {
        let pulse = self.shared.pulse.as_ref()?;
        Some(pulse.behind(*self.shared.reached.borrow()))
    }

    /// Why no command is accepted any more until the process is started again; none as long as some may be.
    pub fn halted(&self) -> Option<Cause> {
        let doubted = self.doubt().map(|doubt| Arc::new(doubt) as Cause);
        doubted.or_else(|| (self.shared.halted)())
    }

    /// Why the journal is not believed any more, if so.
    pub fn doubt(&self) -> Option<JournalDoubt> {
        self.shared.doubts.get()
    }

    /// Whether something has expired by `now` that the journal does not say yet.
    pub(super) fn has_unnoted_expiries(&self, org: OrgId, now: Timestamp) -> bool {
        let fold = self.shared.directory.fold(org);
        fold.is_some_and(|fold| fold.state.unnoted_expiries(now).next().is_some())
    }
}

impl Shared {
    /// The way to the organization's task, which is started if need be.
    fn open(&self, org: OrgId) -> Result<OrgQueue, SubmitError> {
        let mut queues = lock(&self.queues);
        if let Some(queue) = queues.get(&org) {
            return Ok(queue.clone());
        }
        self.directory.fold(org).ok_or(SubmitError::UnknownOrganization)?;
        let mut tasks = lock(&self.tasks);
        let Some(tasks) = tasks.as_mut() else { return Err(self.ended()) };
        let ((revocations, first), (jobs, then)) = (mpsc::channel(REVOCATIONS), mpsc::channel(QUEUE));
        (self.start)(org, Queue { revocations: first, jobs: then, closing: self.closing.clone() }, tasks);
        let queue = OrgQueue { revocations, jobs };
        queues.insert(org, queue.clone());
        Ok(queue)
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
            .field("organizations", &self.organizations().len())
            .finish_non_exhaustive()
    }
}

/// Raises what the pulse says against the journal, until the service closes.
async fn doubt_broken(
    mut heard: watch::Receiver<HeadSeen>,
    doubts: Doubts,
    mut closing: watch::Receiver<bool>,
) {
    let broken = async {
        let heard = heard.wait_for(|heard| heard.broken.is_some()).await;
        heard.ok().and_then(|heard| heard.broken.clone())
    };
    tokio::select! {
        broken = broken => if let Some(broken) = broken { doubts.raise(broken.into()) },
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
