//! The deliveries of a node: a worker for each webhook that lives, and what can be asked of them.

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use grantbook_domain::{
    id::{InstallationId, OrgId, WebhookId},
    position::Position,
    scope::ObjectRef,
    time::Timestamp,
    webhook::{MessageKind, Webhook},
};
use grantbook_views::{AuditFilter, AuditPage, Listing, Order, Snapshot, ViewError};
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinError, JoinHandle, JoinSet, spawn_blocking},
    time::sleep,
};

use crate::subscribe::webhooks::{
    Configured, SigningSecret, WebhooksError,
    message::{self, Message, message_of, test_message, told_of},
    send::{Outcome, Priority, Sender, Signed},
    store::{DeadLetter, DeliveryAttempt, DeliveryStatus, Store, StoreError},
    worker::{Worker, WorkerHandle, tried},
};
use grantbook_journal::stamp::clock::Clock;
use grantbook_node::{project::Progress, read::ReadNode};

/// Records are looked through for so many webhooks at once: a page of them is several MiB at most.
const LOOKS_MAX: usize = 8;
/// How long changes gather before webhooks are looked at again.
const GATHER: Duration = Duration::from_millis(50);
/// Most webhooks whose lag is told by itself.
const TOLD_MAX: usize = 100;

/// What deliveries are made from.
#[derive(Debug)]
pub(crate) struct DeliveryOptions {
    /// The view that messages come from, and whether it may be believed.
    pub(crate) node: ReadNode,
    /// What time it is.
    pub(crate) clock: Clock,
    /// Names the journal.
    pub(crate) installation: InstallationId,
    /// Key, policy, schedule.
    pub(crate) configured: Configured,
    /// Where it is kept what was sent.
    pub(crate) file: PathBuf,
}

/// Something of our own failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("{0}")]
    View(#[from] ViewError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Task(#[from] JoinError),
}

/// Why something that was asked for is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SteerError {
    /// There is no such dead letter.
    #[error("no such dead letter")]
    NoSuchLetter,
    /// The secret is of another key.
    #[error("the webhook's secret is derived from another key than this node has: rotate it")]
    WrongKey,
    /// Something of our own failed.
    #[error("{0}")]
    View(#[from] ViewError),
    /// Likewise.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    Delivered,
    Failed,
    Dead,
}

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: ReadNode,
    pub(super) looks: Semaphore,
    pub(super) clock: Clock,
    pub(super) installation: InstallationId,
    pub(super) configured: Configured,
    pub(super) store: Store,
    sender: Sender,
    endpoints: Mutex<HashMap<WebhookId, Endpoint>>,
    counts: [AtomicU64; 3],
}

#[derive(Debug)]
struct Endpoint {
    org: OrgId,
    webhook: watch::Sender<Webhook>,
    desk: WorkerHandle,
}

/// The deliveries, for routes; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Deliveries(Arc<Shared>);

/// The task that keeps a worker for each webhook.
#[derive(Debug)]
pub(crate) struct Deliverer {
    deliveries: Deliveries,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deliverer {
    /// Begins to deliver. Opens the file beside the runtime.
    pub(crate) async fn start(setting: DeliveryOptions) -> Result<Self, WebhooksError> {
        let DeliveryOptions { node, clock, installation, configured, file } = setting;
        let progress = node.progress();
        let shared = spawn_blocking(move || -> Result<Shared, WebhooksError> {
            let sender = Sender::new(Arc::clone(&configured.policy))?;
            let store = Store::open(&file, installation)?;
            let (endpoints, counts) = (Mutex::default(), Default::default());
            let looks = Semaphore::new(LOOKS_MAX);
            Ok(Shared { node, looks, clock, installation, configured, store, sender, endpoints, counts })
        });
        let shared = Arc::new(shared.await??);
        let (stop, stopping) = watch::channel(false);
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            progress,
            stopping,
            seen: HashMap::new(),
            workers: JoinSet::new(),
        };
        Ok(Self { deliveries: Deliveries(shared), stop, task: tokio::spawn(keeper.run()) })
    }

    /// The deliveries.
    pub(crate) fn deliveries(&self) -> Deliveries {
        self.deliveries.clone()
    }

    /// Ends it. What is under way may have been accepted and is then sent again at the next start.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the deliverer of webhooks failed");
        }
    }
}

/// The keeper of workers.
#[derive(Debug)]
struct Keeper {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    stopping: watch::Receiver<bool>,
    /// Where each organization stood when its webhooks were last looked at.
    seen: HashMap<OrgId, Position>,
    workers: JoinSet<()>,
}

/// The webhooks of an organization that changed, each with how it stands.
type Living = Vec<(OrgId, Vec<(Webhook, DeliveryStatus)>)>;

impl Keeper {
    async fn run(mut self) {
        if let Err(error) = self.tidy().await {
            tracing::error!(%error, "webhooks that have ended could not be forgotten");
        }
        loop {
            self.progress.mark_unchanged();
            match self.look().await {
                Ok(living) => self.keep(living).await,
                Err(error) => tracing::error!(%error, "webhooks cannot be looked at; it is tried again"),
            }
            while self.workers.try_join_next().is_some() {}
            tokio::select! {
                moved = self.progress.changed() => if moved.is_err() { break },
                _ = self.stopping.wait_for(|stop| *stop) => break,
            }
            sleep(GATHER).await;
        }
        self.shared.endpoints().clear();
        while self.workers.join_next().await.is_some() {}
    }

    /// Forgets what was noted of webhooks that the view knows to have ended.
    async fn tidy(&self) -> Result<(), DeliveryError> {
        let shared = Arc::clone(&self.shared);
        spawn_blocking(move || {
            let snapshot = shared.node.reader.snapshot()?;
            for id in shared.store.known()? {
                let Some(standing) = shared.store.standing(id)? else { continue };
                let webhook: Option<Webhook> = snapshot.get(standing.org, &id)?;
                if webhook.is_some_and(|webhook| webhook.ended_at.is_some()) {
                    shared.store.forget(id)?;
                }
            }
            Ok(())
        })
        .await?
    }

    /// Looks at the organizations that have moved.
    async fn look(&mut self) -> Result<Living, DeliveryError> {
        let (shared, mut seen) = (Arc::clone(&self.shared), std::mem::take(&mut self.seen));
        let looked = spawn_blocking(move || {
            let snapshot = shared.node.reader.snapshot()?;
            let mut living = Living::new();
            for organization in snapshot.organizations()? {
                let (org, position) = (organization.id, snapshot.position(organization.id)?);
                if seen.insert(org, position) == Some(position) {
                    continue;
                }
                let webhooks = living_webhooks(&snapshot, org)?.into_iter();
                let standing = |webhook: Webhook| {
                    let standing = shared.standing(&snapshot, org, webhook.id)?;
                    Ok::<_, DeliveryError>((webhook, standing))
                };
                living.push((org, webhooks.map(standing).collect::<Result<_, _>>()?));
            }
            Ok::<_, DeliveryError>((living, seen))
        });
        let (living, seen) = looked.await??;
        self.seen = seen;
        Ok(living)
    }

    /// Begins, tells and ends workers.
    async fn keep(&mut self, living: Living) {
        let mut ended = Vec::new();
        for (org, webhooks) in living {
            let mut endpoints = self.shared.endpoints();
            let is_living = |id: &WebhookId| webhooks.iter().any(|(webhook, _)| webhook.id == *id);
            ended.extend(
                endpoints.iter().filter(|(id, one)| one.org == org && !is_living(id)).map(|(id, _)| *id),
            );
            for (webhook, standing) in webhooks {
                if let Some(known) = endpoints.get(&webhook.id) {
                    // Its organization has moved: the worker looks.
                    known.webhook.send_replace(webhook);
                    continue;
                }
                let (id, desk) = (webhook.id, WorkerHandle::new(standing));
                let (tell, told) = watch::channel(webhook);
                endpoints.insert(id, Endpoint { org, webhook: tell, desk: desk.clone() });
                let worker = Worker {
                    shared: Arc::clone(&self.shared),
                    org,
                    id,
                    webhook: told,
                    desk,
                    stop: self.stopping.clone(),
                    held: None,
                };
                self.workers.spawn(worker.run());
            }
        }
        for id in ended {
            self.shared.endpoints().remove(&id);
            let shared = Arc::clone(&self.shared);
            let forgotten = spawn_blocking(move || shared.store.forget(id)).await;
            if let Err(error) = forgotten.map_err(DeliveryError::from).and_then(|done| Ok(done?)) {
                tracing::error!(%id, %error, "a webhook that has ended could not be forgotten");
            }
        }
    }
}

/// All of them: there are few.
fn living_webhooks(snapshot: &Snapshot, org: OrgId) -> Result<Vec<Webhook>, ViewError> {
    let at = snapshot.position(org)?;
    let listing = Listing { at, after: None, name: None, limit: 1000 };
    Ok(snapshot.webhooks(org, &listing)?.items.into_iter().map(|listed| listed.thing).collect())
}

impl Shared {
    fn endpoints(&self) -> std::sync::MutexGuard<'_, HashMap<WebhookId, Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a webhook stands; before anything was sent, at the record that made it.
    fn standing(
        &self,
        snapshot: &Snapshot,
        org: OrgId,
        id: WebhookId,
    ) -> Result<DeliveryStatus, DeliveryError> {
        if let Some(endpoint) = self.endpoints().get(&id) {
            return Ok(endpoint.desk.standing());
        }
        if let Some(standing) = self.store.standing(id)? {
            return Ok(standing);
        }
        let object = Some(ObjectRef::new("webhook", id.to_string()));
        let page = AuditPage { after: None, order: Order::Ascending, limit: 1 };
        let made = snapshot.audit(org, &AuditFilter { object, ..AuditFilter::default() }, &page)?;
        let made = made.items.first().map_or(Position::START, |recorded| recorded.position);
        Ok(DeliveryStatus::beginning(org, made))
    }

    /// The secrets that sign now; none if the present one is of another key.
    fn secrets(&self, webhook: &Webhook) -> Option<Vec<SigningSecret>> {
        let key = &self.configured.key;
        let present = key.secret(webhook.id, &webhook.signer)?;
        let now = self.clock.now();
        let former = webhook.former.as_ref().filter(|former| Timestamp::end(former.until) > now);
        let former = former.and_then(|former| key.secret(webhook.id, former));
        Some([Some(present), former].into_iter().flatten().collect())
    }

    /// Whether this node has the key of the webhook's secret.
    pub(super) fn can_sign(&self, webhook: &Webhook) -> bool {
        self.configured.key.name() == webhook.signer.key
    }

    /// Signs and sends, once.
    pub(super) async fn attempt(&self, lane: Priority, webhook: &Webhook, message: &Message) -> Outcome {
        // Signed once it can be sent at once: receivers refuse what is old.
        let _place = self.sender.place(lane).await;
        let now = self.clock.now();
        let Some(secrets) = self.secrets(webhook) else {
            return Outcome::Failed(SteerError::WrongKey.to_string());
        };
        let timestamp = now.millis().div_euclid(1000);
        let sign = |secret: &SigningSecret| secret.sign(&message.id, timestamp, &message.body);
        let signatures: Vec<_> = secrets.iter().map(sign).collect();
        let signed = Signed {
            id: message.id.clone(),
            timestamp,
            signatures: signatures.join(" "),
            body: message.body.clone(),
        };
        self.sender.attempt(lane, &webhook.url, &signed, now).await
    }

    pub(super) fn count(&self, what: Counted) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn put(&self, id: WebhookId, standing: DeliveryStatus) {
        if let Some(endpoint) = self.endpoints().get(&id) {
            endpoint.desk.put(standing);
            // The worker looks again.
            endpoint.webhook.send_modify(|_| {});
        }
    }
}

impl Deliveries {
    /// How the delivery to a webhook stands.
    pub(crate) fn standing(
        &self,
        snapshot: &Snapshot,
        org: OrgId,
        id: WebhookId,
    ) -> Result<DeliveryStatus, SteerError> {
        self.0.standing(snapshot, org, id).map_err(|error| match error {
            DeliveryError::View(error) => SteerError::View(error),
            DeliveryError::Store(error) => SteerError::Store(error),
            // Nothing there has a task of its own.
            DeliveryError::Task(_) => SteerError::NoSuchLetter,
        })
    }

    /// Whether this node can sign for the webhook.
    pub(crate) fn can_sign(&self, webhook: &Webhook) -> bool {
        self.0.can_sign(webhook)
    }

    /// Dead letters. Blocks.
    pub(crate) fn dead_letters(
        &self,
        id: WebhookId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, SteerError> {
        let after = after.map(|id| message::named(self.0.installation, id).ok_or(SteerError::NoSuchLetter));
        Ok(self.0.store.dead_letters(id, after.transpose()?, limit)?)
    }

    /// Begins anew after a position. Blocks.
    pub(crate) fn replay(
        &self,
        org: OrgId,
        id: WebhookId,
        from: Position,
    ) -> Result<DeliveryStatus, SteerError> {
        let standing = self.0.store.replay(id, org, from)?;
        self.0.put(id, standing.clone());
        Ok(standing)
    }

    /// Sends a dead letter once more; if it is accepted it leaves the list.
    pub(crate) async fn retry(
        &self,
        snapshot: &Snapshot,
        org: OrgId,
        webhook: &Webhook,
        message: &str,
    ) -> Result<DeliveryAttempt, SteerError> {
        let place = message::named(self.0.installation, message).ok_or(SteerError::NoSuchLetter)?;
        let letter = self.0.store.dead_letter(webhook.id, place.0, place.1)?;
        let letter = letter.ok_or(SteerError::NoSuchLetter)?;
        let whole = Webhook {
            events: Vec::new(),
            kinds: vec![MessageKind::Record, MessageKind::Change],
            ..webhook.clone()
        };
        let record = snapshot.record(org, place.0)?.ok_or(SteerError::NoSuchLetter)?;
        let recorded = grantbook_domain::record::Recorded { position: place.0, org, record };
        let told = told_of(snapshot, self.0.installation, &recorded, &whole)?;
        let told = usize::try_from(place.1).ok().and_then(|index| told.get(index)?.as_ref());
        let told = told.ok_or(SteerError::NoSuchLetter)?;
        let message = message_of(self.0.installation, place.0, place.1, told);
        let last = self.send_now(webhook, &message).await?;
        let letter = DeadLetter { attempts: letter.attempts.saturating_add(1), last: last.clone(), ..letter };
        match self.0.store.retried(webhook.id, &letter) {
            Ok(standing) => self.0.put(webhook.id, standing),
            // Somebody else was quicker.
            Err(StoreError::NotListed) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(last)
    }

    /// Sends a test message, once.
    pub(crate) async fn test(&self, webhook: &Webhook, id: String) -> Result<DeliveryAttempt, SteerError> {
        let at = self.0.clock.now().to_string();
        self.send_now(webhook, &test_message(id, &at, webhook)).await
    }

    async fn send_now(&self, webhook: &Webhook, message: &Message) -> Result<DeliveryAttempt, SteerError> {
        if !self.0.can_sign(webhook) {
            return Err(SteerError::WrongKey);
        }
        let outcome = self.0.attempt(Priority::Asked, webhook, message).await;
        let last = tried(self.0.clock.now(), &outcome);
        self.0.count(if last.is_delivered() { Counted::Delivered } else { Counted::Failed });
        Ok(last)
    }

    /// Counters and lags as Prometheus text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        let name = "grantbook_webhook_attempts_total";
        let _infallible =
            write!(text, "# HELP {name} Attempts to deliver by outcome.\n# TYPE {name} counter\n");
        for (outcome, count) in ["delivered", "failed", "dead_letter"].iter().zip(&self.0.counts) {
            let count = count.load(Ordering::Relaxed);
            let _infallible = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
        }
        let now = self.0.clock.now();
        let endpoints = self.0.endpoints();
        let mut lags: Vec<(WebhookId, i64)> = endpoints
            .iter()
            .map(|(id, one)| {
                let lag =
                    one.desk.waiting_since().map_or(0, |at| now.millis().saturating_sub(at.millis()).max(0));
                (*id, lag)
            })
            .collect();
        let dead: u64 = endpoints.values().map(|one| one.desk.standing().dead).sum();
        drop(endpoints);
        lags.sort_by_key(|(id, lag)| (std::cmp::Reverse(*lag), *id));
        let name = "grantbook_webhook_lag_ms";
        let _infallible = write!(
            text,
            "# HELP {name} Age of the message in turn; of the {TOLD_MAX} webhooks that are furthest behind.\n# TYPE {name} gauge\n"
        );
        for (id, lag) in lags.iter().take(TOLD_MAX) {
            let _infallible = writeln!(text, "{name}{{webhook=\"{id}\"}} {lag}");
        }
        crate::http::metric_text::gauge(
            &mut text,
            "grantbook_webhook_dead_letters",
            "Messages that were given up and are still listed.",
            dead,
        );
        text
    }
}
