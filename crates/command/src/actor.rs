//! An organization's task: the only one of this process that decides its commands and appends its frames.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use grantbook_domain::{
    command::{Command, GrantCommand, KeyCommand},
    id::OrgId,
    limits::SelectorUse,
    position::Position,
    record::Record,
    state::OrgState,
};
use grantbook_journal::{
    AppendError, Item, Journal, ReadError, append_surely,
    follow::doubt::{Doubts, JournalDoubt},
    frame,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, spawn_blocking, yield_now},
    time::{Instant, sleep},
};

use crate::{
    Outcome, Submission, SubmitError,
    directory::Directory,
    draft::{Decision, Draft, Finished, Inputs},
    fold::{FoldError, OrgFold},
    meter::WorkMeter,
};
use grantbook_journal::read_patiently;

/// How often a command is decided again because another writer came first.
const ATTEMPTS: usize = 8;
/// How long an append may take before its outcome counts as unknown.
const APPEND_DEADLINE: Duration = Duration::from_secs(10);
/// How often an idle task looks whether a frame of unknown outcome has landed.
const DOUBT_BACKOFF: Duration = Duration::from_secs(1);
/// Most commands taken from the queue for one frame.
const JOBS_MAX: usize = 1024;

/// Longest batch, and most conditions of a selector, that are decided like any other command: some 0.2 ms.
const LONG_BATCH: usize = 32;
const LONG_SELECTOR: usize = 64;

/// A command and whoever waits for its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) submission: Submission,
    pub(super) answer: oneshot::Sender<Result<Outcome, SubmitError>>,
}

impl Job {
    /// Whether deciding it may keep a core busy for long: nobody else's request should wait for that. What only takes access away
    /// is never put behind others.
    fn is_long(&self, state: &OrgState) -> bool {
        is_long(&self.submission.command) && !state.may_only_take(&self.submission.command)
    }
}

fn is_long(command: &Command) -> bool {
    match command {
        Command::Batch(commands) => commands.len() > LONG_BATCH || commands.iter().any(is_long),
        Command::Grant(GrantCommand::Create { on, .. }) => SelectorUse::of(on).conditions > LONG_SELECTOR,
        Command::Key(KeyCommand::Issue { narrow, .. }) => {
            let on = narrow.as_ref().and_then(|narrow| narrow.on.as_ref());
            on.is_some_and(|on| SelectorUse::of(on).conditions > LONG_SELECTOR)
        }
        Command::ExtendCatalog { .. }
        | Command::User(_)
        | Command::Token(_)
        | Command::Key(KeyCommand::Rotate { .. } | KeyCommand::Revoke { .. })
        | Command::Session(_)
        | Command::Group(_)
        | Command::Member(_)
        | Command::Role(_)
        | Command::Project(_)
        | Command::Object(_)
        | Command::Grant(GrantCommand::Revoke { .. })
        | Command::Webhook(_)
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => false,
    }
}

/// Where commands come from; ends after a last drain once closing begins.
#[derive(Debug)]
pub(super) struct Queue {
    /// Commands that may only take access away, taken in turn with the others: these places are nobody else's.
    pub(super) revocations: mpsc::Receiver<Job>,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) closing: watch::Receiver<bool>,
}

impl Queue {
    /// A command that waits already, by turns of either kind.
    fn waiting(&mut self, turn: usize) -> Option<Job> {
        if turn.is_multiple_of(2) {
            self.revocations.try_recv().or_else(|_| self.jobs.try_recv()).ok()
        } else {
            self.jobs.try_recv().or_else(|_| self.revocations.try_recv()).ok()
        }
    }

    /// The next command; none once both ways are closed and empty.
    async fn next(&mut self) -> Option<Job> {
        tokio::select! {
            biased;
            Some(job) = self.revocations.recv() => Some(job),
            Some(job) = self.jobs.recv() => Some(job),
            else => None,
        }
    }
}

/// One organization's task.
#[derive(Debug)]
pub(super) struct Actor<J> {
    pub(super) journal: Arc<J>,
    pub(super) org: OrgId,
    pub(super) directory: Arc<Directory>,
    pub(super) inputs: Inputs,
    /// Whose blocking threads decide long commands; the own runtime's if absent.
    pub(super) long_work: Option<Handle>,
    /// What the organization's commands may still cost.
    pub(super) meter: WorkMeter,
    pub(super) doubts: Doubts,
    /// Behind this guard a frame of ours may land, or has: as long as the fold ends there, look before deciding.
    pub(super) unresolved_guard: Option<u64>,
    /// Answers that read the journal first.
    pub(super) replays: JoinSet<()>,
}

/// A frame that was decided, and who waits for it.
struct Round {
    draft: Draft,
    /// Those whose answer depends on the frame.
    waiting: Vec<(Job, Decision)>,
    /// Those that did not fit.
    rest: Vec<Job>,
    /// Those that had their effect earlier, and where.
    replayed: Vec<(Job, Position, OrgState)>,
    meter: WorkMeter,
}

impl Round {
    /// Decides jobs in order until the frame is full. What depends on no record of the frame is answered at once if it is
    /// `certain` that nobody else has appended something newer.
    fn decide(fold: &OrgFold, jobs: Vec<Job>, certain: bool, (inputs, meter): (&Inputs, WorkMeter)) -> Self {
        let mut round = Self {
            draft: Draft::new(fold),
            waiting: Vec::new(),
            rest: Vec::new(),
            replayed: Vec::new(),
            meter,
        };
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let certain = certain && round.draft.is_empty();
            let decision = round.draft.decide(fold, &job.submission, (inputs, &mut round.meter));
            match decision {
                Decision::Full => {
                    round.rest.push(job);
                    round.rest.extend(jobs);
                    break;
                }
                Decision::Replayed { position, state } => round.replayed.push((job, position, state)),
                Decision::Refused(_) | Decision::Unchanged { .. } if certain => {
                    reply(job, without_record(fold, decision));
                }
                Decision::Recorded { .. }
                | Decision::DuplicateInFrame { .. }
                | Decision::Refused(_)
                | Decision::Unchanged { .. } => round.waiting.push((job, decision)),
            }
        }
        round
    }
}

impl<J: Journal> Actor<J> {
    /// Serves commands until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: Queue) {
        let mut carried = Vec::new();
        loop {
            if carried.is_empty() {
                let Some(job) = self.next(&mut queue).await else { break };
                carried.push(job);
            }
            // Whoever was just answered gets to send the next command before the queue is drained.
            yield_now().await;
            yield_now().await;
            while carried.len() < JOBS_MAX
                && let Some(job) = queue.waiting(carried.len())
            {
                carried.push(job);
            }
            carried = self.serve(carried).await;
            while self.replays.try_join_next().is_some() {}
        }
        while self.replays.join_next().await.is_some() {}
    }

    /// The next command; none once the queue is closed and empty.
    async fn next(&mut self, queue: &mut Queue) -> Option<Job> {
        loop {
            let mut ending = queue.closing.clone();
            let closing = async { ending.wait_for(|closing| *closing).await.is_ok() };
            tokio::select! {
                job = queue.next() => return job,
                _ = closing => break,
                () = sleep(DOUBT_BACKOFF), if self.is_doubtful() => {
                    // A failure is told to the next command, which looks again.
                    self.catch_up().await.unwrap_or_default();
                }
            }
        }
        queue.revocations.close();
        queue.jobs.close();
        queue.next().await
    }

    /// Decides the jobs and appends what they make as one frame; gives back those that did not fit.
    async fn serve(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        if self.is_doubtful()
            && let Err(error) = self.catch_up().await
        {
            self.refuse(jobs, &unavailable(&error));
            return Vec::new();
        }
        let (mut rounds, deadline) = (0, Instant::now() + APPEND_DEADLINE);
        while rounds < ATTEMPTS && Instant::now() < deadline {
            let fold = match self.believed_fold() {
                Ok(fold) => fold,
                Err(error) => {
                    self.refuse(jobs, &error);
                    return Vec::new();
                }
            };
            let Round { draft, waiting, rest, .. } = self.decide(&fold, jobs).await;
            let waiting = if draft.is_empty() {
                match self.answer_unchanged(&fold, waiting).await {
                    Ok(()) => return rest,
                    Err(again) => {
                        rounds += 1;
                        jobs = again.into_iter().chain(rest).collect();
                        continue;
                    }
                }
            } else {
                waiting
            };
            if let Err(error) = self.believed_fold() {
                self.refuse(waiting.into_iter().map(|(job, _)| job), &error);
                return rest;
            }
            let outcome = match draft.finish(&fold) {
                Ok(frame) => self.append(&fold, &frame).await.map(|sequence| (sequence, frame)),
                Err(error) => Err(AppendError::Unavailable(Arc::new(error))),
            };
            let error = match outcome {
                Ok((sequence, frame)) => {
                    self.accept(&fold, sequence, frame, waiting);
                    return rest;
                }
                Err(AppendError::Conflict { .. }) => match self.catch_up().await {
                    Ok(()) => {
                        // A foreign message moves the guard, and decides nothing: the race goes on.
                        let is_moved_by_foreign = self.fold().is_some_and(|now| {
                            now.end.sequence == fold.end.sequence && now.end.guard() > fold.end.guard()
                        });
                        rounds += usize::from(!is_moved_by_foreign);
                        jobs = waiting.into_iter().map(|(job, _)| job).chain(rest).collect();
                        continue;
                    }
                    Err(error) => {
                        // Somebody was faster, and what they did is not known: look before deciding again.
                        self.unresolved_guard = Some(fold.end.guard());
                        unavailable(&error)
                    }
                },
                Err(error) => self.not_appended(fold.end.guard(), error),
            };
            self.refuse(waiting.into_iter().map(|(job, _)| job), &error);
            return rest;
        }
        self.refuse(jobs, &SubmitError::Contended);
        Vec::new()
    }

    /// What those who wait for a frame behind the guard are told. It may still land if nobody knows.
    fn not_appended(&mut self, guard: u64, error: AppendError) -> SubmitError {
        match error {
            AppendError::OutcomeUnknown(cause) => {
                tracing::warn!(org = %self.org, %cause, "the outcome of an append is unknown");
                self.unresolved_guard = Some(guard);
                SubmitError::OutcomeUnknown
            }
            error @ (AppendError::Conflict { .. }
            | AppendError::TooLarge { .. }
            | AppendError::Busy(_)
            | AppendError::Unavailable(_)) => {
                tracing::warn!(org = %self.org, %error, "an append failed");
                SubmitError::JournalUnavailable(error.to_string())
            }
        }
    }

    /// Answers those whose commands appended nothing, once it is certain that they were decided on the organization's
    /// last frame: only appends are guarded. Gives them back if they were not.
    async fn answer_unchanged(
        &mut self,
        fold: &OrgFold,
        waiting: Vec<(Job, Decision)>,
    ) -> Result<(), Vec<Job>> {
        if waiting.is_empty() {
            return Ok(());
        }
        if self.is_doubtful() {
            // What was found proves nothing: not even that a command would change nothing.
            self.refuse(waiting.into_iter().map(|(job, _)| job), &in_doubt());
            return Ok(());
        }
        if self.journal.is_shared() {
            match self.catch_up().await {
                Ok(()) => {}
                Err(error) => {
                    self.refuse(waiting.into_iter().map(|(job, _)| job), &unavailable(&error));
                    return Ok(());
                }
            }
            if self.fold().is_none_or(|now| now.end.sequence != fold.end.sequence) {
                return Err(waiting.into_iter().map(|(job, _)| job).collect());
            }
        }
        for (job, decision) in waiting {
            reply(job, without_record(fold, decision));
        }
        Ok(())
    }

    /// The organization's last durable fold.
    fn fold(&self) -> Option<Arc<OrgFold>> {
        self.directory.fold(self.org)
    }

    /// The same, unless the journal is doubted: then nothing more is decided or appended, however long it has waited.
    fn believed_fold(&self) -> Result<Arc<OrgFold>, SubmitError> {
        match self.doubts.get() {
            Some(doubt) => Err(SubmitError::JournalDoubted(doubt)),
            None => self.fold().ok_or(SubmitError::UnknownOrganization),
        }
    }

    /// Whether a frame of ours may still land behind the end of the fold. Whatever stands behind its guard, also a foreign
    /// message, keeps it out.
    fn is_doubtful(&self) -> bool {
        self.unresolved_guard.is_some_and(|guard| self.fold().is_none_or(|fold| fold.end.guard() <= guard))
    }

    /// Answers with the error. In doubt, a request id may be one whose first attempt is still to land: for it
    /// nothing is certain.
    fn refuse(&self, jobs: impl IntoIterator<Item = Job>, error: &SubmitError) {
        for job in jobs {
            let uncertain = self.is_doubtful() && job.submission.idempotency.is_some();
            let error = if uncertain { SubmitError::OutcomeUnknown } else { error.clone() };
            reply(job, Err(error));
        }
    }

    /// Decides jobs on a thread that may take its time: what a command costs depends on the size of the organization.
    async fn decide(&mut self, fold: &Arc<OrgFold>, jobs: Vec<Job>) -> Round {
        let certain = !self.journal.is_shared() && !self.is_doubtful();
        let (own, inputs, meter) = (Arc::clone(fold), self.inputs.clone(), self.meter);
        let long_work = self.long_work.as_ref().filter(|_| jobs.iter().any(|job| job.is_long(&fold.state)));
        let decide = move || Round::decide(&own, jobs, certain, (&inputs, meter));
        let deciding = match long_work {
            Some(threads) => threads.spawn_blocking(decide),
            None => spawn_blocking(decide),
        };
        let mut round = match deciding.await {
            Ok(round) => round,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends: nothing was decided.
                Err(_) => Round::decide(fold, Vec::new(), certain, (&self.inputs, self.meter)),
            },
        };
        self.meter = round.meter;
        for (job, position, state) in std::mem::take(&mut round.replayed) {
            self.replay(job, position, state);
        }
        round
    }

    async fn append(&self, fold: &OrgFold, frame: &Finished) -> Result<u64, AppendError> {
        let deadline = Instant::now() + APPEND_DEADLINE;
        let (journal, after) = (self.journal.as_ref(), fold.end.guard());
        append_surely(journal, self.org, after, frame.bytes.clone(), deadline).await
    }

    /// The frame is durable: the fold becomes what was decided, everybody may know, those who wait are told.
    fn accept(&mut self, fold: &OrgFold, sequence: u64, frame: Finished, waiting: Vec<(Job, Decision)>) {
        let Finished { state, mut end, records, requests, .. } = frame;
        (end.sequence, end.foreign) = (sequence, 0);
        let advance = |fold: &mut OrgFold| fold.advance(state, end, requests);
        let events = records.iter().flat_map(|record| &record.events);
        if !self.directory.accept(self.org, (fold.end.guard(), sequence), advance, events) {
            // The frame stands where another one was read: the journal went back.
            self.doubts.raise(JournalDoubt::Exchanged { sequence });
            self.refuse(waiting.into_iter().map(|(job, _)| job), &SubmitError::OutcomeUnknown);
            return;
        }
        self.unresolved_guard = None;
        let place = |index: usize| Position::of(sequence, index as u64);
        for (job, decision) in waiting {
            let record = |index: usize| records.get(index).map(Arc::clone);
            reply(
                job,
                match decision {
                    Decision::Recorded { index, state } => {
                        Ok(Outcome { position: place(index), record: record(index), replayed: false, state })
                    }
                    Decision::DuplicateInFrame { index, state } => {
                        Ok(Outcome { position: place(index), record: record(index), replayed: true, state })
                    }
                    Decision::Unchanged { after, state } => {
                        let position = place(after.saturating_sub(1));
                        Ok(Outcome { position, record: None, replayed: false, state })
                    }
                    Decision::Refused(error) => Err(error),
                    // Neither waits: one was answered, the other is in the rest.
                    Decision::Replayed { .. } | Decision::Full => Err(SubmitError::OutcomeUnknown),
                },
            );
        }
    }

    /// Folds in what others appended, or what became of a frame of ours.
    async fn catch_up(&mut self) -> Result<(), FoldError> {
        let outcome = self.follow().await;
        if let Err(error) = &outcome {
            tracing::error!(org = %self.org, %error, "cannot catch up with the journal");
            if let Some(doubt) = error.doubt() {
                self.doubts.raise(doubt);
            }
        }
        outcome
    }

    async fn follow(&mut self) -> Result<(), FoldError> {
        let deadline = Instant::now() + APPEND_DEADLINE;
        let end = |fold: Option<Arc<OrgFold>>| fold.map_or(0, |fold| fold.end.guard());
        while let Some(item) = self.journal.next_of(self.org, end(self.fold())).await? {
            self.directory.take(&item)?;
            if Instant::now() > deadline {
                return Err(ReadError::Unavailable(Arc::new(Flooded)).into());
            }
        }
        Ok(())
    }

    /// Answers with the record that the same request made earlier, read back from the journal.
    fn replay(&mut self, job: Job, position: Position, state: OrgState) {
        let (journal, org) = (Arc::clone(&self.journal), self.org);
        self.replays.spawn(async move {
            let answer = read_back(journal.as_ref(), org, position).await;
            reply(
                job,
                answer.map(|record| Outcome { position, record: Some(record), replayed: true, state }),
            );
        });
    }
}

/// A record that is in the journal for certain. A journal that does not answer is asked again for a while.
async fn read_back<J: Journal>(
    journal: &J,
    org: OrgId,
    position: Position,
) -> Result<Arc<Record>, SubmitError> {
    let stored = read_patiently(APPEND_DEADLINE, || journal.read_one(position.sequence())).await;
    let stored = stored.map_err(|error| SubmitError::JournalUnavailable(error.to_string()))?;
    let frame = stored.and_then(Item::into_frame).filter(|stored| stored.org == org);
    let frame = frame.and_then(|stored| frame::decode(&stored.bytes).ok());
    let index = usize::try_from(position.index()).unwrap_or(usize::MAX);
    let record = frame.and_then(|frame| frame.records.into_iter().nth(index)).map(Arc::new);
    record.ok_or_else(|| {
        tracing::error!(%org, %position, "a record that was acknowledged is not in the journal any more");
        SubmitError::JournalUnavailable(format!("the record at {position} is not there"))
    })
}

/// The answer to what was decided on the fold alone.
fn without_record(fold: &OrgFold, decision: Decision) -> Result<Outcome, SubmitError> {
    match decision {
        Decision::Unchanged { state, .. } => {
            Ok(Outcome { position: fold.last, record: None, replayed: false, state })
        }
        Decision::Refused(error) => Err(error),
        // None of these is decided without a record.
        Decision::Recorded { .. }
        | Decision::DuplicateInFrame { .. }
        | Decision::Replayed { .. }
        | Decision::Full => Err(SubmitError::OutcomeUnknown),
    }
}

/// Whoever no longer waits does not want to know. Whoever does has a copy of the command, and is the last to give it up: a
/// long one is not freed on the thread of the queue.
fn reply(job: Job, answer: Result<Outcome, SubmitError>) {
    let Job { submission, answer: waiting } = job;
    drop(submission);
    drop(waiting.send(answer));
}

/// Foreign messages come to the organization's subject faster than they are read.
#[derive(Debug, thiserror::Error)]
#[error("foreign messages come faster than they are read: see `grantbook doctor`")]
struct Flooded;

fn in_doubt() -> SubmitError {
    SubmitError::JournalUnavailable("the outcome of an earlier append is not known yet".to_owned())
}

fn unavailable(error: &FoldError) -> SubmitError {
    SubmitError::JournalUnavailable(error.to_string())
}
