//! One webhook's worker: sends its messages one after the other. The next one is sent only after the one before was
//! accepted or put to the dead letters, and that was made durable.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use grantbook_domain::{
    id::{OrgId, WebhookId},
    time::Timestamp,
    webhook::Webhook,
};
use grantbook_views::{AuditFilter, AuditPage, Order};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use super::{
    deliveries::{Counted, DeliveryError, Shared},
    message::{Message, messages_of},
    send::Outcome,
    store::{Cursor, DEAD_MAX, DeadLetter, Failing, Standing, Tried},
};
use crate::project::Progress;

/// Records read at once.
const PAGE: usize = 32;
/// Records looked through before it is noted that nothing in them was wanted.
const SKIPPED_MAX: usize = 512;
/// How long to wait after something of our own failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What the worker shares with those who look at it.
#[derive(Debug, Clone)]
pub(super) struct Desk(Arc<Mutex<(Standing, Option<Timestamp>)>>);

impl Desk {
    /// Of a webhook that stands so.
    pub(super) fn new(standing: Standing) -> Self {
        Self(Arc::new(Mutex::new((standing, None))))
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// When the record was made whose message is in turn, if one is.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Takes what is newer: nothing of before a replay comes back.
    pub(super) fn put(&self, standing: Standing) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.epoch >= held.0.epoch {
            held.0 = standing;
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
    /// As the journal has it now; ends with the webhook.
    pub(super) webhook: watch::Receiver<Webhook>,
    pub(super) desk: Desk,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) stop: watch::Receiver<bool>,
    /// The message in turn, as long as nothing changes.
    pub(super) held: Option<Held>,
}

/// A message in turn, and what it was found for.
#[derive(Debug, Clone)]
pub(super) struct Held {
    webhook: Webhook,
    epoch: u64,
    cursor: Cursor,
    turn: Turn,
}

#[derive(Debug, Clone)]
struct Turn {
    message: Message,
    place: (grantbook_domain::position::Position, u32),
    at: Timestamp,
    after: Cursor,
}

enum Found {
    Message(Box<Turn>),
    /// Nothing up to here was wanted; whether there is more.
    Nothing(Cursor, bool),
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
                Next::Until(self.shared.clock.now().plus_millis(PAUSE.as_millis().try_into().unwrap_or(1000)))
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
            // While a message waits for its next attempt, newer records change nothing.
            moved = self.progress.changed(), if millis.is_none() => moved.is_ok(),
            () = sleep(Duration::from_millis(millis.unwrap_or_default())), if millis.is_some() => true,
            _ = self.stop.wait_for(|stop| *stop) => false,
        }
    }

    async fn turn(&mut self) -> Result<Next, DeliveryError> {
        self.progress.mark_unchanged();
        let webhook = self.webhook.borrow_and_update().clone();
        let standing = self.desk.standing();
        if !webhook.enabled || standing.gone.as_ref() == Some(&webhook.url) || !self.shared.can_sign(&webhook)
        {
            return Ok(Next::Wait);
        }
        let Some(turn) = self.message_in_turn(&webhook, &standing).await? else {
            return Ok(if self.desk.waiting_since().is_some() { Next::Go } else { Next::Wait });
        };
        self.desk.wait_since(Some(turn.at));
        let failing = standing.failing.clone();
        let failing =
            failing.filter(|failing| failing.message == turn.message.id && failing.url == webhook.url);
        match &failing {
            Some(failing) if failing.next > self.shared.clock.now() => return Ok(Next::Until(failing.next)),
            _ => {}
        }
        let outcome = tokio::select! {
            outcome = self.shared.attempt(&webhook, &turn.message) => outcome,
            _ = self.stop.wait_for(|stop| *stop) => return Ok(Next::Wait),
        };
        self.settle(webhook, standing, &turn, (failing, outcome)).await
    }

    /// The message in turn; if there is none, the desk says by `waiting_since` whether to look further.
    async fn message_in_turn(
        &mut self,
        webhook: &Webhook,
        standing: &Standing,
    ) -> Result<Option<Turn>, DeliveryError> {
        if let Some(held) = self.held.as_ref().filter(|held| {
            held.webhook == *webhook && held.epoch == standing.epoch && held.cursor == standing.cursor
        }) {
            return Ok(Some(held.turn.clone()));
        }
        let (shared, org, wanted, cursor) =
            (Arc::clone(&self.shared), self.org, webhook.clone(), standing.cursor);
        let found = spawn_blocking(move || look(&shared, org, &wanted, cursor)).await??;
        match found {
            Found::Message(turn) => {
                let (webhook, turn) = (webhook.clone(), *turn);
                let held = Held { webhook, epoch: standing.epoch, cursor, turn: turn.clone() };
                self.held = Some(held);
                Ok(Some(turn))
            }
            Found::Nothing(cursor, more) => {
                let moved = Standing { cursor, failing: None, ..standing.clone() };
                if more {
                    let noted = self.note(moved, None).await?;
                    self.desk.put(noted);
                    self.desk.wait_since(Some(self.shared.clock.now()));
                } else {
                    // Looked through again after a start: cheaper than to note each record that is not wanted.
                    self.desk.put(moved);
                    self.desk.wait_since(None);
                }
                Ok(None)
            }
        }
    }

    /// Notes how an attempt went.
    async fn settle(
        &mut self,
        webhook: Webhook,
        standing: Standing,
        turn: &Turn,
        (failing, outcome): (Option<Failing>, Outcome),
    ) -> Result<Next, DeliveryError> {
        let now = self.shared.clock.now();
        let last = tried(now, &outcome);
        let attempts = failing.as_ref().map_or(0, |failing| failing.attempts).saturating_add(1);
        let delivered = last.is_delivered();
        let done =
            Standing { cursor: turn.after, failing: None, last: Some(last.clone()), ..standing.clone() };
        let (after, dead, next) = if delivered {
            (done, None, Next::Go)
        } else if last.status == Some(410) {
            tracing::warn!(webhook = %self.id, "the receiver answered 410: nothing is sent to it any more");
            let after = Standing { gone: Some(webhook.url), failing: None, last: Some(last), ..standing };
            (after, None, Next::Wait)
        } else {
            let retry_after = match &outcome {
                Outcome::Answered { retry_after, .. } => *retry_after,
                Outcome::Failed(_) => None,
            };
            let schedule = &self.shared.configured.schedule;
            let full = standing.dead >= DEAD_MAX;
            let wait = schedule.wait(attempts, &turn.message.id, retry_after);
            match wait.or_else(|| full.then(|| schedule.last(attempts, &turn.message.id, retry_after))) {
                Some(wait) => {
                    let next = now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
                    let since = failing.map_or(now, |failing| failing.since);
                    let (message, url) = (turn.message.id.clone(), webhook.url);
                    let failing = Some(Failing { message, url, since, attempts, next });
                    (Standing { failing, last: Some(last), ..standing }, None, Next::Until(next))
                }
                None => {
                    let (position, index) = turn.place;
                    let name = turn.message.name.clone();
                    (done, Some(DeadLetter { position, index, name, attempts, last }), Next::Go)
                }
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

    async fn note(&self, standing: Standing, dead: Option<DeadLetter>) -> Result<Standing, DeliveryError> {
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        Ok(spawn_blocking(move || shared.store.note(id, standing, dead.as_ref())).await??)
    }
}

/// How an attempt went, as it is kept.
pub(super) fn tried(at: Timestamp, outcome: &Outcome) -> Tried {
    match outcome {
        Outcome::Answered { status, .. } => Tried { at, status: Some(*status), error: None },
        Outcome::Failed(why) => Tried { at, status: None, error: Some(why.clone()) },
    }
}

/// Looks for the next message that is wanted. Blocks.
fn look(shared: &Shared, org: OrgId, webhook: &Webhook, mut cursor: Cursor) -> Result<Found, DeliveryError> {
    let snapshot = shared.reader.snapshot()?;
    let mut skipped = 0;
    loop {
        let page = AuditPage { after: Some(cursor.done), order: Order::Ascending, limit: PAGE };
        let records = snapshot.audit(org, &AuditFilter::default(), &page)?;
        for recorded in &records.items {
            let messages = messages_of(&snapshot, shared.installation, recorded, webhook)?;
            let of = messages.len();
            let within = usize::try_from(cursor.within).unwrap_or(usize::MAX);
            let wanted =
                (0_u32..).zip(messages).skip(within).find_map(|(index, message)| Some((index, message?)));
            let whole = Cursor { done: recorded.position, within: 0 };
            if let Some((index, message)) = wanted {
                let sent = index.saturating_add(1);
                let is_last = usize::try_from(sent).is_ok_and(|sent| sent >= of);
                let after = if is_last { whole } else { Cursor { done: cursor.done, within: sent } };
                let (place, at) = ((recorded.position, index), recorded.record.at);
                return Ok(Found::Message(Box::new(Turn { message, place, at, after })));
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
