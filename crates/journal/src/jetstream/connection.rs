//! The connection: asked and answered within bounds, and whatever the servers complained of kept at hand.

use std::{
    fmt,
    future::ready,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, Message, ReconnectToServer, Request, Server, ServerInfo,
    client::{RequestError, RequestErrorKind},
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    frame::FRAME_MAX_BYTES,
    jetstream::{Credentials, JetStreamError, NatsOptions, Tls, options::without_user},
};

/// How long connecting may take, to whichever server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one server may take to be connected to: one that stands still takes connections and says nothing.
const SERVER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
/// How long a journal is asked for while it is opened: servers that were just started have no leader yet.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);
/// A server that does not answer two of these is left for another one.
const PING_EVERY: Duration = Duration::from_secs(2);
/// A server at which no leader answered for so long is left, too: it answers pings, but may be cut off from those that lead.
const LEFT_AFTER: Duration = Duration::from_secs(5);
/// How long further answers are waited for after one that only says that its sender knows of no leader.
const GATHERING: Duration = Duration::from_secs(1);
/// A server's answer if it knows of no leader, be it that the others have one: it then answers before the leader does
/// (`isGroupLeaderless`, nats-server, `server/jetstream_api.go`).
const KNOWS_NO_LEADER: u64 = 10008;
/// A server's answer if a stream finds no place (`JSClusterNoPeersErrF`, nats-server, `server/errors.json`), and what it
/// then says of servers that do not take part yet or any more.
const NO_PLACE: u64 = 10005;
const OFFLINE: &str = "peer offline";
/// The oldest version that is taken, and why: 2.14.4 mends a guard that could be evaluated against another subject's
/// text, and the 2.12 line still throws its log away when a snapshot is damaged.
const LEAST_VERSION: (u64, u64, u64) = (2, 14, 4);
const LEAST_VERSION_TEXT: &str = "2.14.4";
/// The API level of 2.14.
const LEAST_API_LEVEL: u64 = 4;
/// More than the headers of an append have.
const HEADERS_MAX: usize = 1024;

/// A connection that is kept up.
pub(super) struct Connection {
    client: Client,
    options: NatsOptions,
    /// What a server last complained of: a forbidden publish is not answered, only complained of.
    complaint: Complaint,
    /// Since when no leader has answered a question.
    unanswered: Arc<Mutex<Option<Instant>>>,
}

type Complaint = Arc<Mutex<Option<String>>>;

/// Why a question to JetStream has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It was refused.
    #[error("the NATS server refuses: {description} ({err_code})")]
    Refused {
        /// The number that tells refusals apart.
        err_code: u64,
        /// In its words.
        description: String,
    },
    /// Nobody is there to answer: no leader, or no JetStream.
    #[error("no NATS server answers for the stream at present")]
    NoResponders,
    /// No answer came in time.
    #[error("no answer from the NATS servers in time{0}")]
    TimedOut(String),
    /// It could not be sent, or the answer could not be read.
    #[error("the NATS servers cannot be asked: {0}")]
    Other(String),
}

/// An answer of JetStream's API: an error, or what was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Error { error: Refusal },
    Good(T),
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl Connection {
    /// Connects, and refuses a server that is not fit to keep a journal.
    pub(super) async fn open(options: &NatsOptions) -> Result<Self, JetStreamError> {
        let connection = Self::unchecked(options).await?;
        connection.check_server().await?;
        Ok(connection)
    }

    /// Connects to whatever is there.
    pub(super) async fn unchecked(options: &NatsOptions) -> Result<Self, JetStreamError> {
        options.validate()?;
        let complaint = Complaint::default();
        let connecting = connect(options, connect_options(options, &complaint).await?);
        let failed = |fault: String| {
            let servers: Vec<String> = options.servers.iter().map(|server| without_user(server)).collect();
            JetStreamError::Connect { servers: servers.join(", "), fault }
        };
        let client = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(failed(chain_of(&error))),
            Err(_) => return Err(failed(format!("no answer within {CONNECT_TIMEOUT:?}"))),
        };
        Ok(Self { client, options: options.clone(), complaint, unanswered: Arc::default() })
    }

    /// The same connection, about another stream.
    pub(super) fn about(&self, stream: String) -> Self {
        let options = NatsOptions { stream, ..self.options.clone() };
        let (complaint, unanswered) = (Arc::clone(&self.complaint), Arc::clone(&self.unanswered));
        Self { client: self.client.clone(), options, complaint, unanswered }
    }

    async fn check_server(&self) -> Result<(), JetStreamError> {
        let info = self.server();
        let server = info.server_name.clone();
        if !is_new_enough(&info.version) {
            return Err(JetStreamError::TooOld { server, version: info.version, least: LEAST_VERSION_TEXT });
        }
        let level = match patiently(|| self.api_level()).await {
            Ok(level) => level,
            Err(error) => return Err(JetStreamError::NoJetStream { server, fault: error.to_string() }),
        };
        if level < LEAST_API_LEVEL {
            return Err(JetStreamError::ApiLevel { server, level, least: LEAST_API_LEVEL });
        }
        let needed = FRAME_MAX_BYTES + HEADERS_MAX;
        if info.max_payload < needed {
            return Err(JetStreamError::MaxPayload { server, bytes: info.max_payload, needed });
        }
        Ok(())
    }

    /// The level of the JetStream API; 1 where the server does not say, as old ones do not.
    pub(super) async fn api_level(&self) -> Result<u64, ApiError> {
        #[derive(Deserialize)]
        struct Account {
            #[serde(default)]
            api: Api,
        }
        #[derive(Default, Deserialize)]
        struct Api {
            #[serde(default)]
            level: u64,
        }
        let account: Account = self.ask("$JS.API.INFO".to_owned(), Vec::new()).await?;
        Ok(account.api.level.max(1))
    }

    /// Whether the server we are connected to now is one that [`Connection::open`] would take.
    pub(super) fn is_fit(&self) -> bool {
        is_new_enough(&self.server().version)
    }

    pub(super) fn server(&self) -> ServerInfo {
        self.client.server_info()
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn options(&self) -> &NatsOptions {
        &self.options
    }

    pub(super) fn stream(&self) -> &str {
        &self.options.stream
    }

    /// What a server last complained of, in brackets; empty if of nothing.
    pub(super) fn complaint(&self) -> String {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        complaint.as_ref().map(|text| format!(" (it complained: {text})")).unwrap_or_default()
    }

    /// Asks about our stream; `verb` is the part of the subject between `$JS.API.` and the stream's name.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        verb: &str,
        question: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let body = serde_json::to_vec(question).map_err(|error| ApiError::Other(error.to_string()))?;
        self.ask(format!("$JS.API.{verb}.{}", self.options.stream), body).await
    }

    /// Asks a leader on a subject of the API.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        subject: String,
        body: Vec<u8>,
    ) -> Result<T, ApiError> {
        self.ask_for(subject, body, |_| true).await
    }

    /// The same, where the answer shows whether it is of a leader who leads still. Only such a question tells whether the
    /// server is one to stay with: a leader that was cut off from the others answers the others, too. Leaves one that is not.
    pub(super) async fn ask_leader<T: DeserializeOwned>(
        &self,
        subject: String,
        body: Vec<u8>,
        leads: impl Fn(&T) -> bool,
    ) -> Result<T, ApiError> {
        let asked = Instant::now();
        let answer = self.ask_for(subject, body, &leads).await;
        self.heed(asked, is_certain(&answer, &leads)).await;
        answer
    }

    /// Of several answers the first that is a leader's; if none is, what came first.
    async fn ask_for<T: DeserializeOwned>(
        &self,
        subject: String,
        body: Vec<u8>,
        is_leaders: impl Fn(&T) -> bool,
    ) -> Result<T, ApiError> {
        let body = Bytes::from(body);
        let request = Request::new().payload(body.clone()).timeout(Some(TIMEOUT));
        let message = self.request(subject.clone(), request).await;
        let mut answer = message.and_then(|message| parse(&message.payload));
        if !is_certain(&answer, &is_leaders)
            && matches!(answer, Ok(_) | Err(ApiError::Refused { .. }))
            && let Some(better) = self.gather(subject, body, &is_leaders).await
        {
            answer = better;
        }
        answer
    }

    /// Asks once more, and waits for a leader's answer behind those of others.
    async fn gather<T: DeserializeOwned>(
        &self,
        subject: String,
        body: Bytes,
        is_leaders: &impl Fn(&T) -> bool,
    ) -> Option<Result<T, ApiError>> {
        let gathering = async {
            let inbox = self.client.new_inbox();
            let mut answers = self.client.subscribe(inbox.clone()).await.ok()?;
            self.client.publish_with_reply(subject, inbox, body).await.ok()?;
            while let Some(message) = answers.next().await {
                let answer = parse(&message.payload);
                if is_certain(&answer, is_leaders) {
                    return Some(answer);
                }
            }
            None
        };
        timeout(GATHERING, gathering).await.ok().flatten()
    }

    /// Sends and waits for the answer, whatever it says and whoever gives it.
    pub(super) async fn request(&self, subject: String, request: Request) -> Result<Message, ApiError> {
        // The client's own bound does not count what waits for a connection.
        let asked = timeout(TIMEOUT, self.client.send_request(subject, request)).await;
        match asked {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(ApiError::TimedOut(self.complaint())),
        }
    }

    /// Whether a leader answered what was asked then. Leaves a server at which none did for long.
    async fn heed(&self, asked: Instant, answered: bool) {
        let leave = {
            let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            is_to_be_left(&mut unanswered, answered, (asked, Instant::now()))
        };
        let server = self.server();
        if leave && self.options.servers.len().max(server.connect_urls.len()) > 1 {
            tracing::warn!("NATS: no leader answers through {}, another server is tried", server.server_name);
            // If it cannot be told, the client is ending.
            self.client.force_reconnect().await.unwrap_or_default();
        }
    }

    fn explain(&self, error: &RequestError) -> ApiError {
        match error.kind() {
            RequestErrorKind::TimedOut => ApiError::TimedOut(self.complaint()),
            RequestErrorKind::NoResponders => ApiError::NoResponders,
            RequestErrorKind::InvalidSubject
            | RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::Other => ApiError::Other(chain_of(error)),
        }
    }
}

/// Whether it is a leader's answer, as far as can be seen.
fn is_certain<T>(answer: &Result<T, ApiError>, is_leaders: impl Fn(&T) -> bool) -> bool {
    match answer {
        Ok(good) => is_leaders(good),
        Err(ApiError::Refused { err_code, .. }) => *err_code != KNOWS_NO_LEADER,
        Err(_) => false,
    }
}

/// Notes whether a leader answered what was asked at `asked`; whether none did for so long, up to `now`, that the server
/// is left. Counts anew then.
fn is_to_be_left(unanswered: &mut Option<Instant>, answered: bool, (asked, now): (Instant, Instant)) -> bool {
    if answered {
        *unanswered = None;
        return false;
    }
    let leave = now.duration_since(*unanswered.get_or_insert(asked)) >= LEFT_AFTER;
    if leave {
        *unanswered = None;
    }
    leave
}

/// Asks what may be asked twice, until somebody answers. Where a server complained, as of a permission, nobody will.
pub(super) async fn patiently<T, F: Future<Output = Result<T, ApiError>>>(
    ask: impl Fn() -> F,
) -> Result<T, ApiError> {
    let deadline = Instant::now() + OPEN_TIMEOUT;
    loop {
        match ask().await {
            Err(ApiError::TimedOut(complaint)) if complaint.is_empty() && Instant::now() < deadline => {
                tracing::info!("no NATS server has answered yet: they are asked again");
            }
            Err(ApiError::Refused { err_code: KNOWS_NO_LEADER, .. }) if Instant::now() < deadline => {
                tracing::info!("the NATS servers have no leader yet: they are asked again");
                sleep(TIMEOUT / 10).await;
            }
            Err(ApiError::Refused { err_code: NO_PLACE, description })
                if description.contains(OFFLINE) && Instant::now() < deadline =>
            {
                tracing::info!("not all NATS servers take part yet: they are asked again");
                sleep(TIMEOUT / 10).await;
            }
            answer => return answer,
        }
    }
}

/// Reads an answer of the API.
pub(super) fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ApiError> {
    match serde_json::from_slice(payload) {
        Ok(Answer::Good(good)) => Ok(good),
        Ok(Answer::Error { error: Refusal { err_code, description } }) => {
            Err(ApiError::Refused { err_code, description })
        }
        Err(error) => Err(ApiError::Other(error.to_string())),
    }
}

/// Connects to the first server that takes the connection. Servers are taken in turn, here and whenever the connection is
/// lost: whoever was left is not asked first.
async fn connect(options: &NatsOptions, connect: ConnectOptions) -> Result<Client, async_nats::ConnectError> {
    // Processes begin with different ones.
    let begin = usize::try_from(std::process::id()).unwrap_or_default();
    let turn = Arc::new(AtomicUsize::new(begin));
    let connect = connect.reconnect_to_server_callback(move |pool: Vec<Server>, _| {
        let next = turn.fetch_add(1, Ordering::Relaxed).checked_rem(pool.len());
        let addr = next.and_then(|next| pool.get(next)).map(|server| server.addr.clone());
        ready(addr.map(|addr| ReconnectToServer { addr, delay: None }))
    });
    let mut rest = options.servers.len();
    loop {
        rest = rest.saturating_sub(1);
        match connect.clone().connect(options.servers.as_slice()).await {
            Err(error) if rest > 0 && !is_about_us(error.kind()) => {
                tracing::info!("a NATS server cannot be connected to, another one is tried: {error}");
            }
            connected => return connected,
        }
    }
}

/// Whether other servers would say the same.
const fn is_about_us(kind: ConnectErrorKind) -> bool {
    matches!(kind, ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication)
}

async fn connect_options(
    options: &NatsOptions,
    complaint: &Complaint,
) -> Result<ConnectOptions, JetStreamError> {
    let complaint = Arc::clone(complaint);
    let mut connect = ConnectOptions::new()
        .name("grantbook")
        .connection_timeout(SERVER_TIMEOUT)
        .ping_interval(PING_EVERY)
        .request_timeout(Some(TIMEOUT))
        .max_reconnects(None)
        .event_callback(move |event| {
            note(&complaint, &event);
            async {}
        });
    let NatsOptions { credentials, tls, .. } = options;
    connect = match credentials {
        Credentials::None => connect,
        Credentials::Password { user, password } => connect.user_and_password(user.clone(), password.clone()),
        Credentials::Nkey(seed) => connect.nkey(seed.trim().to_owned()),
        Credentials::File(path) => connect.credentials_file(path).await.map_err(|error| {
            JetStreamError::Options(format!("the credentials file {}: {error}", path.display()))
        })?,
    };
    let Tls { required, authorities, certificate } = tls;
    if *required {
        connect = connect.require_tls(true);
    }
    if let Some(path) = authorities {
        connect = connect.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = certificate {
        connect = connect.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(connect)
}

fn note(complaint: &Complaint, event: &Event) {
    let text = match event {
        Event::ServerError(error) => error.to_string(),
        Event::ClientError(error) => error.to_string(),
        Event::Connected | Event::Disconnected => {
            tracing::info!("the connection to NATS: {event}");
            return;
        }
        Event::LameDuckMode | Event::Draining | Event::Closed | Event::SlowConsumer(_) => return,
    };
    tracing::warn!("NATS: {text}");
    *complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

fn is_new_enough(version: &str) -> bool {
    // "2.15.1", "2.15.0-RC.1"
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u64>().ok());
    let mut next = || parts.next().flatten();
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= LEAST_VERSION,
        _ => false,
    }
}

/// An error with what caused it: the client's own texts leave the cause out.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let further = error.to_string();
        if !text.contains(&further) {
            text = format!("{text}: {further}");
        }
        cause = error.source();
    }
    text
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for version in ["2.14.4", "2.14.10", "2.15.1", "2.15.0-RC.1", "3.0.0"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["2.14.3", "2.12.8", "2.9.10", "1.0.0", "", "new", "2.14"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_do_not_answer_are_asked_again_and_not_for_ever() {
        let asked = std::cell::Cell::new(0);
        let silent = async |times: u32, complaint: &str| {
            asked.set(asked.get() + 1);
            tokio::time::sleep(TIMEOUT).await;
            if asked.get() > times { Ok(asked.get()) } else { Err(ApiError::TimedOut(complaint.to_owned())) }
        };
        assert_eq!(patiently(|| silent(3, "")).await.unwrap(), 4);
        asked.set(0);
        assert!(patiently(|| silent(u32::MAX, "")).await.is_err());
        assert!(asked.get() > 3, "{}", asked.get());
        asked.set(0);
        assert!(patiently(|| silent(3, " (it complained: no)")).await.is_err());
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn a_server_at_which_no_leader_answers_for_long_is_left() {
        let (mut unanswered, start) = (None, Instant::now());
        let mut heard = |answered, asked: Duration, now: Duration| {
            is_to_be_left(&mut unanswered, answered, (start + asked, start + now))
        };
        let half = LEFT_AFTER / 2;
        assert!(!heard(false, Duration::ZERO, half), "from when it was asked on");
        assert!(!heard(true, half, half));
        assert!(!heard(false, half, half * 2));
        assert!(heard(false, half * 2, half * 3));
        assert!(!heard(false, half * 2, half * 3), "the next one has its time, too");
    }

    #[test]
    fn who_knows_of_no_leader_shows_nothing() {
        let refused = |err_code| ApiError::Refused { err_code, description: String::new() };
        assert!(is_certain(&Ok(7), |_| true) && !is_certain(&Ok(7), |_| false));
        assert!(is_certain::<u64>(&Err(refused(10059)), |_| true));
        for error in [refused(10008), ApiError::NoResponders, ApiError::TimedOut(String::new())] {
            assert!(!is_certain::<u64>(&Err(error), |_| true));
        }
    }

    #[test]
    fn an_answer_is_good_or_a_refusal() {
        #[derive(Debug, Deserialize)]
        struct Ack {
            seq: u64,
        }
        assert_eq!(parse::<Ack>(br#"{"stream":"S","seq":7}"#).unwrap().seq, 7);
        let refused =
            br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"seq":0}"#;
        assert!(matches!(parse::<Ack>(refused), Err(ApiError::Refused { err_code: 10071, .. })));
        assert!(matches!(parse::<Ack>(b"garbage"), Err(ApiError::Other(_))));
    }
}
