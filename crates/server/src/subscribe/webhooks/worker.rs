//! One webhook's worker: sends its messages one after the other. The next one is sent only after the one before was
//! accepted or put to the dead letters, and that was made durable.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use grantbook_domain::{
    id::{OrgId, WebhookId},
    position::Position,
    time::Timestamp,
    webhook::Webhook,
};
use grantbook_views::{AuditFilter, AuditPage, Order};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::subscribe::webhooks::{
    deliveries::{Counted, DeliveryError, Shared},
    message::{Message, message_of, told_of},
    send::{Outcome, Priority},
    store::{Cursor, DEAD_MAX, DeadLetter, DeliveryAttempt, DeliveryStatus, Failing},
};

/// Records read at once.
const PAGE: usize = 8;
/// Records looked through before it is noted that nothing in them was wanted.
const SKIPPED_MAX: usize = 512;
/// How long to wait after something of our own failed, in milliseconds.
const PAUSE_MS: i64 = 1000;
/// How long to wait for a view that has just been opened.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Longest error that is kept, in bytes: some of them repeat what a receiver said.
const ERROR_MAX: usize = 300;

/// What the worker shares with those who look at it.
#[derive(Debug, Clone)]
pub(super) struct WorkerHandle(Arc<Mutex<(DeliveryStatus, Option<Timestamp>)>>);

impl WorkerHandle {
    /// Of a webhook that stands so.
    pub(super) fn new(standing: DeliveryStatus) -> Self {
        Self(Arc::new(Mutex::new((standing, None))))
    }

    /// How it stands.
    pub(super) fn standing(&self) -> DeliveryStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// When the record was made whose message is in turn, if one is.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Takes what is newer: nothing of before a replay comes back.
    pub(super) fn put(&self, standing: DeliveryStatus) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.epoch >= held.0.epoch {
            held.0 = standing;
        }
    }

    /// Nothing up to there was wanted.
    fn skip_to(&self, epoch: u64, cursor: Cursor) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.epoch == epoch {
            held.0.cursor = cursor;
            held.0.failing = None;
        }
    }

    fn wait_since(&self, at: Option<Timestamp>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = at;
    }
}

/// The worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) org: OrgId,
    pub(super) id: WebhookId,
    /// Changes when its organization does, or when something was asked for; ends with the webhook. What it says is not
    /// believed: what the view says now is.
    pub(super) webhook: watch::Receiver<Webhook>,
    pub(super) desk: WorkerHandle,
    pub(super) stop: watch::Receiver<bool>,
    /// The message in turn, to be taken again as long as nothing changes.
    pub(super) held: Option<Turn>,
}

/// A message in turn, for a webhook as the view has it, found after a cursor.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    webhook: Webhook,
    from: Cursor,
    message: Message,
    place: (Position, u32),
    at: Timestamp,
    after: Cursor,
}

enum Found {
    Message(Box<Turn>),
    /// Nothing up to here was wanted; whether there is more.
    Nothing(Cursor, bool),
    /// Nothing is to be sent: disabled, gone, ended, or of another key.
    Off,
}

/// What to do after a turn.
enum Next {
    Go,
    Wait,
    Until(Timestamp),
}

impl Worker {
    /// Sends until the webhook ends or the process does.
    pub(super) async fn run(mut self) {
        loop {
            let next = self.turn().await.unwrap_or_else(|error| {
                tracing::error!(webhook = %self.id, %error, "a webhook cannot be delivered; it is tried again");
                Next::Until(self.shared.clock.now().plus_millis(PAUSE_MS))
            });
            let goes_on = match next {
                Next::Go => !*self.stop.borrow() && self.webhook.has_changed().is_ok(),
                Next::Wait => self.wait(None).await,
                Next::Until(at) => self.wait(Some(at)).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Waits until something may be different; false at the end.
    async fn wait(&mut self, until: Option<Timestamp>) -> bool {
        let now = self.shared.clock.now();
        let millis = until.map(|at| u64::try_from(at.millis().saturating_sub(now.millis())).unwrap_or(0));
        tokio::select! {
            changed = self.webhook.changed() => changed.is_ok(),
            () = sleep(Duration::from_millis(millis.unwrap_or_default())), if millis.is_some() => true,
            _ = self.stop.wait_for(|stop| *stop) => false,
        }
    }

    async fn turn(&mut self) -> Result<Next, DeliveryError> {
        // Whether, and where, something may be sent must not follow from what was so on an earlier day.
        let believed = self.shared.node.wait_for(self.org, Position::START, TIMEOUT).await;
        if believed.is_err() {
            return Ok(Next::Until(self.shared.clock.now().plus_millis(PAUSE_MS)));
        }
        self.webhook.mark_unchanged();
        let standing = self.desk.standing();
        match self.look(standing.clone()).await? {
            Found::Off => {
                self.desk.wait_since(None);
                Ok(Next::Wait)
            }
            Found::Nothing(cursor, more) => {
                self.desk.wait_since(None);
                if more {
                    let moved = DeliveryStatus { cursor, failing: None, ..standing };
                    let noted = self.note(moved, None).await?;
                    self.desk.put(noted);
                    return Ok(Next::Go);
                }
                // Looked through again after a start: cheaper than to note each record that is not wanted.
                self.desk.skip_to(standing.epoch, cursor);
                Ok(Next::Wait)
            }
            Found::Message(turn) => self.send(standing, *turn).await,
        }
    }

    async fn look(&mut self, standing: DeliveryStatus) -> Result<Found, DeliveryError> {
        let (shared, org, id, held) = (Arc::clone(&self.shared), self.org, self.id, self.held.take());
        let _place = self.shared.looks.acquire().await;
        spawn_blocking(move || look(&shared, org, id, &standing, held)).await?
    }

    async fn send(&mut self, standing: DeliveryStatus, turn: Turn) -> Result<Next, DeliveryError> {
        self.desk.wait_since(Some(turn.at));
        self.held = Some(turn.clone());
        let failing = standing.failing.clone();
        let failing =
            failing.filter(|failing| failing.message == turn.message.id && failing.url == turn.webhook.url);
        match &failing {
            Some(failing) if failing.next > self.shared.clock.now() => return Ok(Next::Until(failing.next)),
            _ => {}
        }
        let lane = if failing.is_some() { Priority::Failing } else { Priority::Fresh };
        let outcome = tokio::select! {
            outcome = self.shared.attempt(lane, &turn.webhook, &turn.message) => outcome,
            _ = self.stop.wait_for(|stop| *stop) => return Ok(Next::Wait),
        };
        self.settle(standing, turn, failing, outcome).await
    }

    /// Notes how an attempt went.
    async fn settle(
        &self,
        standing: DeliveryStatus,
        turn: Turn,
        failing: Option<Failing>,
        outcome: Outcome,
    ) -> Result<Next, DeliveryError> {
        let now = self.shared.clock.now();
        let last = tried(now, &outcome);
        let attempts = failing.as_ref().map_or(0, |failing| failing.attempts).saturating_add(1);
        let delivered = last.is_delivered();
        let done = DeliveryStatus {
            cursor: turn.after,
            failing: None,
            last: Some(last.clone()),
            ..standing.clone()
        };
        let (after, dead, next) = if delivered {
            (done, None, Next::Go)
        } else if last.status == Some(410) {
            tracing::warn!(webhook = %self.id, "the receiver answered 410: nothing is sent to it any more");
            let after =
                DeliveryStatus { gone: Some(turn.webhook.url), failing: None, last: Some(last), ..standing };
            (after, None, Next::Wait)
        } else {
            let retry_after = match &outcome {
                Outcome::Answered { retry_after, .. } => *retry_after,
                Outcome::Failed(_) => None,
            };
            let schedule = &self.shared.configured.schedule;
            let full = standing.dead >= DEAD_MAX;
            let wait = schedule.wait(attempts, &turn.message.id, retry_after);
            let wait = wait.or_else(|| full.then(|| schedule.last(attempts, &turn.message.id, retry_after)));
            if let Some(wait) = wait {
                let next = now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
                let since = failing.map_or(now, |failing| failing.since);
                let (message, url) = (turn.message.id, turn.webhook.url);
                let failing = Some(Failing { message, url, since, attempts, next });
                (DeliveryStatus { failing, last: Some(last), ..standing }, None, Next::Until(next))
            } else {
                let (position, index) = turn.place;
                let name = turn.message.name;
                (done, Some(DeadLetter { position, index, name, attempts, last }), Next::Go)
            }
        };
        self.shared.count(match (delivered, &dead) {
            (true, _) => Counted::Delivered,
            (false, None) => Counted::Failed,
            (false, Some(_)) => Counted::Dead,
        });
        let noted = self.note(after, dead).await?;
        self.desk.put(noted);
        Ok(next)
    }

    async fn note(
        &self,
        standing: DeliveryStatus,
        dead: Option<DeadLetter>,
    ) -> Result<DeliveryStatus, DeliveryError> {
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        Ok(spawn_blocking(move || shared.store.note(id, standing, dead.as_ref())).await??)
    }
}

/// How an attempt went, as it is kept.
pub(super) fn tried(at: Timestamp, outcome: &Outcome) -> DeliveryAttempt {
    match outcome {
        Outcome::Answered { status, .. } => DeliveryAttempt { at, status: Some(*status), error: None },
        Outcome::Failed(why) => {
            let why = why.get(..why.floor_char_boundary(ERROR_MAX)).unwrap_or_default();
            DeliveryAttempt { at, status: None, error: Some(why.to_owned()) }
        }
    }
}

/// Looks for the next message that is wanted, by the webhook as the view has it. Blocks.
fn look(
    shared: &Shared,
    org: OrgId,
    id: WebhookId,
    standing: &DeliveryStatus,
    held: Option<Turn>,
) -> Result<Found, DeliveryError> {
    let snapshot = shared.node.reader.snapshot()?;
    let Some(webhook) = snapshot.get::<Webhook>(org, &id)? else { return Ok(Found::Off) };
    let is_gone = standing.gone.as_ref() == Some(&webhook.url);
    if webhook.ended_at.is_some() || !webhook.enabled || is_gone || !shared.can_sign(&webhook) {
        return Ok(Found::Off);
    }
    let mut cursor = standing.cursor;
    if let Some(held) = held.filter(|held| held.webhook == webhook && held.from == cursor) {
        return Ok(Found::Message(Box::new(held)));
    }
    let mut skipped = 0;
    loop {
        let page = AuditPage { after: Some(cursor.done), order: Order::Ascending, limit: PAGE };
        let records = snapshot.audit(org, &AuditFilter::default(), &page)?;
        for recorded in &records.items {
            let told = told_of(&snapshot, shared.installation, recorded, &webhook)?;
            let of = told.len();
            let within = usize::try_from(cursor.within).unwrap_or(usize::MAX);
            let wanted =
                (0_u32..).zip(&told).skip(within).find_map(|(index, told)| Some((index, told.as_ref()?)));
            let whole = Cursor { done: recorded.position, within: 0 };
            if let Some((index, told)) = wanted {
                let message = message_of(shared.installation, recorded.position, index, told);
                let sent = index.saturating_add(1);
                let is_last = usize::try_from(sent).is_ok_and(|sent| sent >= of);
                let after = if is_last { whole } else { Cursor { done: cursor.done, within: sent } };
                let (place, at, from) = ((recorded.position, index), recorded.record.at, standing.cursor);
                return Ok(Found::Message(Box::new(Turn { webhook, from, message, place, at, after })));
            }
            cursor = whole;
            skipped += 1;
        }
        if records.next.is_none() {
            return Ok(Found::Nothing(cursor, false));
        }
        if skipped >= SKIPPED_MAX {
            return Ok(Found::Nothing(cursor, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_makes_of_an_error_is_cut_short() {
        let long = "\u{e9}".repeat(1000);
        let kept = tried(Timestamp::EPOCH, &Outcome::Failed(format!("x{long}"))).error.unwrap();
        assert!(kept.len() <= ERROR_MAX && format!("x{long}").starts_with(&kept), "{kept}");
        let short = tried(Timestamp::EPOCH, &Outcome::Failed("TLS".to_owned()));
        assert_eq!(short.error.as_deref(), Some("TLS"));
    }
}
