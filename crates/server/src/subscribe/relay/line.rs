//! One stream's line: reads the journal behind the stream's last message, renders, and publishes.
//!
//! What it knows of the stream is its end: sequence and place together, as the leader told them or as its own publishes
//! were acknowledged. Everything rendered behind that place is pending. After any doubt it asks for the end again and
//! drops what is there by now; so nothing is published twice and nothing is left out, even if others publish.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use grantbook_domain::{id::OrgId, position::Position};
use grantbook_journal::{
    Item, Journal, ReadError, Tail,
    hash::Hash,
    jetstream::{Derived, End, Interrupted, JetStreamTail, Message, Place, Publisher},
    log_throttle::LogThrottle,
};
use tokio::{
    sync::watch,
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep, timeout},
};

use crate::{
    schedule::{Class, Party},
    subscribe::relay::{
        BACKOFF, Followed,
        render::{RenderError, Rendered, render},
        status::{LineState, LineStatus},
    },
};
use grantbook_node::read::Unready;

/// Frames rendered at once.
const FRAMES_MAX: usize = 128;
/// No more is rendered while so many messages wait.
const PENDING_MAX: usize = 1024;
/// How long it waits for something before it looks around.
const IDLE: Duration = Duration::from_secs(1);
/// A line that stands by takes over once the stream has lacked something due for so long.
const TAKE_OVER: Duration = Duration::from_secs(3);
/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After each so many frames a message without content says that they were looked at, so that nobody does so again. Always
/// at the same frames: what the stream holds at a sequence must follow from the journal alone.
const MARK_EVERY: u64 = 1024;
/// So many of the stream's last messages are looked at at the start: twice as many as a publisher has under way.
const LOOKED_BACK: u64 = 512;
/// The stream may be ahead of a view that has everything for so long before that is believed.
const AHEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a line stops. Nothing is skipped.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the view has stopped: {0}")]
    Node(Unready),
    #[error("{0}")]
    Read(ReadError),
    #[error("{0}")]
    Render(#[from] RenderError),
    #[error("a task failed: {0}")]
    Task(#[from] JoinError),
    #[error(
        "the stream's last message was made from another frame {0} than the journal has: the journal was exchanged for another copy"
    )]
    OtherHistory(u64),
    #[error(
        "the stream's last message was made from frame {has}, and the journal ends at {head}: it was restored from an older copy"
    )]
    Ahead { has: u64, head: u64 },
    #[error(
        "message {sequence} of the stream was made from {found} of the journal, and {due} was due there: another relay tells something else, perhaps of another version"
    )]
    Diverged { sequence: u64, due: Place, found: Place },
    #[error("message {0} of the stream is of no relay: somebody else published it")]
    Foreign(u64),
    #[error(
        "message {sequence} of the stream was made from {found} of the journal, which is not behind {before}"
    )]
    Disordered { sequence: u64, before: Place, found: Place },
    #[error("stopped")]
    Stopped,
}

/// The line of one stream.
pub(super) struct Line {
    publisher: Publisher,
    followed: Followed,
    stopping: watch::Receiver<bool>,
    tell: watch::Sender<LineStatus>,
    tail: JetStreamTail,
    /// Items that were read and are not rendered yet.
    read: VecDeque<Item>,
    /// The last frame that was rendered, or need not be.
    rendered: (u64, Hash),
    /// What the stream is known to hold.
    end: End,
    /// What it lacks, of what was rendered.
    pending: VecDeque<Message>,
    state: LineState,
    /// Since when the stream seems to be ahead of the journal.
    ahead_since: Option<Instant>,
    outage: LogThrottle,
}

impl Line {
    pub(super) fn new(
        publisher: Publisher,
        followed: Followed,
        stopping: watch::Receiver<bool>,
    ) -> (Self, watch::Receiver<LineStatus>) {
        let (tell, status) = watch::channel(LineStatus {
            stream: publisher.stream().to_owned(),
            word: publisher.derived().word(),
            state: LineState::Ready,
            sequence: 0,
            published: 0,
            fenced: 0,
        });
        let line = Self {
            tail: followed.journal.tail(0),
            end: End { sequence: 0, place: Place::START, frame: None, is_ours: false },
            read: VecDeque::new(),
            rendered: (0, Hash::ZERO),
            pending: VecDeque::new(),
            state: LineState::Ready,
            ahead_since: None,
            outage: LogThrottle::silent_at_first(),
            publisher,
            followed,
            stopping,
            tell,
        };
        (line, status)
    }

    pub(super) async fn run(mut self) {
        let state = match self.follow().await {
            Ok(()) | Err(Fault::Stopped) => LineState::Stopped,
            Err(fault) => {
                let (stream, why) = (self.publisher.stream(), fault.to_string());
                tracing::error!(
                    stream,
                    why,
                    "the relay stops: nothing more is published until this is resolved"
                );
                LineState::Broken(why)
            }
        };
        self.tell.send_modify(|status| status.state = state);
    }

    async fn follow(&mut self) -> Result<(), Fault> {
        let end = self.ask_for_end().await?;
        self.look_back(&end).await?;
        self.begin_at(end);
        while !self.is_stopping() {
            self.believe().await?;
            self.refuse_ahead()?;
            self.fill().await?;
            self.show();
            if !self.pending.is_empty() {
                self.deliver().await?;
            }
        }
        Ok(())
    }

    /// Waits until the view may be believed. One that has stopped never may be again.
    async fn believe(&mut self) -> Result<(), Fault> {
        let nobody = OrgId::from_u128(0);
        loop {
            let why = match self.followed.node.wait_for(nobody, Position::START, IDLE).await {
                Ok(_) => return Ok(()),
                Err(why @ (Unready::Quarantined { .. } | Unready::Stopped)) => return Err(Fault::Node(why)),
                Err(why) => why,
            };
            self.wait_out(why.to_string()).await?;
        }
    }

    /// Tells that nothing can be done at present, and pauses.
    async fn wait_out(&mut self, why: String) -> Result<(), Fault> {
        if self.outage.is_due() {
            tracing::warn!(stream = self.publisher.stream(), why, "the relay waits");
        }
        self.tell.send_modify(|status| status.state = LineState::Waiting(why));
        self.pause(BACKOFF).await
    }

    async fn pause(&mut self, length: Duration) -> Result<(), Fault> {
        tokio::select! {
            () = sleep(length) => {}
            _ = self.stopping.changed() => {}
        }
        if self.is_stopping() { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// The stream's end, however long its leader takes to answer.
    async fn ask_for_end(&mut self) -> Result<End, Fault> {
        loop {
            match self.publisher.end().await {
                Ok(end) => return Ok(end),
                Err(error @ ReadError::Unavailable(_)) => self.wait_out(text_of(&error)).await?,
                Err(error) => return Err(Fault::Read(error)),
            }
        }
    }

    /// A relay that was killed may have put messages behind one of somebody else, in whose place another was due: nothing is
    /// published behind such a stream. Of the messages that may have been under way each is to be behind the one before it.
    async fn look_back(&mut self, end: &End) -> Result<(), Fault> {
        let first = end.sequence.saturating_sub(LOOKED_BACK).max(1);
        let mut before = Place::START;
        for (sequence, place) in self.ask_for_places(first, end.sequence).await? {
            let found = place.ok_or(Fault::Foreign(sequence))?;
            if found <= before {
                return Err(Fault::Disordered { sequence, before, found });
            }
            before = found;
        }
        Ok(())
    }

    /// What was published since, by this relay or another, stands where it was due: of messages that are under way a later
    /// one may land although somebody else's message stands in the place of an earlier one.
    async fn compare(&mut self, end: &End) -> Result<(), Fault> {
        let first = self.end.sequence.saturating_add(1);
        let known = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        let last = end.sequence.min(self.end.sequence.saturating_add(known));
        for (sequence, place) in self.ask_for_places(first, last).await? {
            let offset = usize::try_from(sequence.saturating_sub(first)).ok();
            let Some(due) = offset.and_then(|offset| self.pending.get(offset)) else { continue };
            let found = place.ok_or(Fault::Foreign(sequence))?;
            if due.place != found {
                return Err(Fault::Diverged { sequence, due: due.place, found });
            }
        }
        Ok(())
    }

    async fn ask_for_places(&mut self, first: u64, last: u64) -> Result<Vec<(u64, Option<Place>)>, Fault> {
        loop {
            match self.publisher.places(first..=last).await {
                Ok(places) => return Ok(places),
                Err(error @ ReadError::Unavailable(_)) => self.wait_out(text_of(&error)).await?,
                Err(error) => return Err(Fault::Read(error)),
            }
        }
    }

    /// Forgets everything, and reads the journal again from the frame of the stream's last message on.
    fn begin_at(&mut self, end: End) {
        let before = end.place.sequence.saturating_sub(1);
        self.tail = self.followed.journal.tail(before);
        self.read.clear();
        self.pending.clear();
        self.rendered = (before, Hash::ZERO);
        self.end = end;
    }

    /// Goes on from what the stream's leader says.
    fn adopt(&mut self, end: End) -> Result<(), Fault> {
        if end.place < self.end.place || end.sequence < self.end.sequence {
            // The leader has not applied everything yet, or the stream has lost its tail: either way nothing is skipped.
            tracing::info!(
                stream = self.publisher.stream(),
                "the stream ends earlier than it did: its messages are made again"
            );
            self.begin_at(end);
            return Ok(());
        }
        let due = end.sequence.checked_sub(self.end.sequence.saturating_add(1));
        let due = due.and_then(|offset| self.pending.get(usize::try_from(offset).ok()?));
        if let Some(due) = due.filter(|due| due.place != end.place) {
            return Err(Fault::Diverged { sequence: end.sequence, due: due.place, found: end.place });
        }
        self.pending.retain(|message| message.place > end.place);
        self.end = end;
        Ok(())
    }

    /// A stream that goes beyond a journal that is wholly known was made from a longer one.
    fn refuse_ahead(&mut self) -> Result<(), Fault> {
        let (has, head) = (self.end.place.sequence, self.followed.progress.borrow().head);
        if has <= head {
            self.ahead_since = None;
            return Ok(());
        }
        let since = *self.ahead_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= AHEAD_TIMEOUT { Err(Fault::Ahead { has, head }) } else { Ok(()) }
    }

    /// Renders the next frames that the view holds; waits for one if there is nothing else to do.
    async fn fill(&mut self) -> Result<(), Fault> {
        if self.pending.len() >= PENDING_MAX {
            return Ok(());
        }
        if self.read.is_empty() {
            let patience = if self.pending.is_empty() { IDLE } else { Duration::ZERO };
            let limit = NonZeroUsize::new(FRAMES_MAX).unwrap_or(NonZeroUsize::MIN);
            // Dropping the question loses no frame.
            let asked = tokio::select! {
                asked = self.tail.next(limit, patience) => asked,
                _ = self.stopping.changed() => return Err(Fault::Stopped),
            };
            match asked {
                Ok(frames) => self.read.extend(frames),
                Err(error @ ReadError::Unavailable(_)) => return self.wait_out(text_of(&error)).await,
                Err(error) => return Err(Fault::Read(error)),
            }
        }
        let Some(next) = self.read.front().map(Item::sequence) else { return Ok(()) };
        let mut progress = self.followed.progress.clone();
        if progress.borrow_and_update().sequence < next && self.pending.is_empty() {
            // The view is about to take it; whether it has stopped is looked at next time.
            let arrived = progress.wait_for(|progress| progress.sequence >= next || progress.has_ended());
            let _looked_at_below = timeout(IDLE, arrived).await.map(|seen| seen.is_ok());
        }
        let reached = progress.borrow().sequence;
        let ready = self.read.iter().take_while(|item| item.sequence() <= reached).count();
        let items: Vec<Item> = self.read.drain(..ready).collect();
        self.take(items).await
    }

    /// Renders items beside the runtime.
    async fn take(&mut self, mut items: Vec<Item>) -> Result<(), Fault> {
        let Place { sequence: known, .. } = self.end.place;
        if let Some(last) = items.iter().find(|item| item.sequence() == known)
            && self.end.frame.is_some_and(|frame| frame != last.hash())
        {
            return Err(Fault::OtherHistory(known));
        }
        // What another relay has published meanwhile need not be rendered.
        let skipped = items.iter().take_while(|item| Place::end_of(item.sequence()) <= self.end.place).last();
        if let Some(item) = skipped {
            self.rendered = (item.sequence(), item.hash());
        }
        items.retain(|item| Place::end_of(item.sequence()) > self.end.place);
        if items.is_empty() {
            return Ok(());
        }
        let (reader, installation) = (self.followed.reader.clone(), self.followed.installation);
        let derived = self.publisher.derived();
        // Frames are of all organizations, in the journal's order: the relay's places are its own.
        let place = self.followed.scheduler.enter(Class::Relay, Party::PROCESS).await.ok();
        let rendering = spawn_blocking(move || {
            let _held_until_rendered = place;
            render(&reader, installation, derived, &items)
        });
        for Rendered { sequence, hash, messages } in rendering.await?? {
            for message in messages {
                if message.place > self.end.place {
                    let subject = self.publisher.subject(message.org, &message.name);
                    self.pending.push_back(message.at(subject, hash));
                }
            }
            if derived == Derived::Changes && sequence.is_multiple_of(MARK_EVERY) {
                let (place, subject) = (Place::end_of(sequence), self.publisher.progress_subject());
                let (headers, body) = (Vec::new(), bytes::Bytes::new());
                self.pending.push_back(Message { place, frame: hash, subject, headers, body });
            }
            self.rendered = (sequence, hash);
        }
        Ok(())
    }

    /// Publishes what is pending, or waits for another relay to do so.
    async fn deliver(&mut self) -> Result<(), Fault> {
        if self.state == LineState::Standby && !self.take_over().await? {
            return Ok(());
        }
        let messages: Vec<Message> = self.pending.iter().take(PENDING_MAX).cloned().collect();
        let published = self.publisher.publish(self.end.sequence, &messages).await;
        match (published, messages.last()) {
            (Ok(()), Some(last)) => {
                let count = u64::try_from(messages.len()).unwrap_or(u64::MAX);
                self.pending.drain(..messages.len().min(self.pending.len()));
                let sequence = self.end.sequence.saturating_add(count);
                self.end = End { sequence, place: last.place, frame: Some(last.frame), is_ours: true };
                self.tell.send_modify(|status| status.published = status.published.saturating_add(count));
                if self.state != LineState::Active {
                    tracing::info!(stream = self.publisher.stream(), "this relay is the active one");
                    self.state = LineState::Active;
                }
                self.outage.reset();
                self.show();
                Ok(())
            }
            (Ok(()), None) => Ok(()),
            (Err(why), _) => self.recover(why).await,
        }
    }

    /// Whether another relay has left something due unpublished for so long that this one is to go on. If it has not,
    /// what it published is known now.
    async fn take_over(&mut self) -> Result<bool, Fault> {
        let mut since = Instant::now();
        while since.elapsed() < TAKE_OVER {
            self.pause(LOOK_EVERY).await?;
            match self.publisher.end().await {
                Ok(end) if end.sequence == self.end.sequence && end.place == self.end.place => {}
                Ok(end) => {
                    self.adopt(end)?;
                    return Ok(false);
                }
                // That nobody answers does not show that nobody publishes.
                Err(ReadError::Unavailable(_)) => since = Instant::now(),
                Err(error) => return Err(Fault::Read(error)),
            }
        }
        Ok(true)
    }

    /// After a publish of which something may have landed: looks what is there.
    async fn recover(&mut self, why: Interrupted) -> Result<(), Fault> {
        if let Interrupted::Unknown(_) = &why {
            self.wait_out(why.to_string()).await?;
        }
        let end = self.ask_for_end().await?;
        let is_fenced = end.sequence > self.end.sequence && !end.is_ours;
        self.compare(&end).await?;
        self.adopt(end)?;
        if is_fenced {
            self.tell.send_modify(|status| status.fenced = status.fenced.saturating_add(1));
            if self.state != LineState::Standby {
                tracing::info!(
                    stream = self.publisher.stream(),
                    "another relay publishes: this one stands by"
                );
                self.state = LineState::Standby;
            }
        }
        self.show();
        Ok(())
    }

    /// Tells how it is now.
    fn show(&self) {
        let first = self.pending.front().map(|message| message.place.sequence.saturating_sub(1));
        let sequence = first.unwrap_or(self.rendered.0.max(self.end.place.sequence));
        self.tell.send_if_modified(|status| {
            let is_news = status.sequence != sequence || status.state != self.state;
            if is_news {
                (status.sequence, status.state) = (sequence, self.state.clone());
            }
            is_news
        });
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }
}

/// An error with what caused it.
fn text_of(error: &ReadError) -> String {
    if let ReadError::Unavailable(cause) = error { format!("{error}: {cause}") } else { error.to_string() }
}
