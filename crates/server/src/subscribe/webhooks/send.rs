//! One attempt to send a message: to an address that was looked at, without proxies or redirects, within bounds.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use axum::body::{Body, to_bytes};
use chrono::DateTime;
use grantbook_domain::{
    time::Timestamp,
    webhook::{Destination, Host},
};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1,
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    task::{AbortHandle, spawn_blocking},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::subscribe::webhooks::{Forbidden, Policy};

/// How long a name may take to be looked up, and a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long the whole attempt may take; the specification asks for 15 to 30 s.
const ATTEMPT_TIME: Duration = Duration::from_secs(20);
/// Attempts under way at once, of each [`Priority`].
const ATTEMPTS_MAX: [usize; 3] = [384, 96, 32];
/// Names looked up at once, of each lane. Each takes a thread for as long as the system's resolver may take, and those are
/// for everything that the process does.
const LOOKUPS_MAX: [usize; 3] = [32, 16, 8];
/// Most bytes of the head of an answer.
const HEAD_MAX: usize = 16 * 1024;
/// Most bytes read of an answer's body, and for how long: only its status counts.
const ANSWER_MAX: usize = 4096;
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;

/// The system's certificates are of no use.
#[derive(Debug, Clone, thiserror::Error)]
#[error("TLS for webhooks cannot be set up: {0}")]
pub struct TlsError(String);

/// Whose places an attempt takes, so that receivers that do not answer hold up only each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// A message that was not tried yet.
    Fresh,
    /// One that was not accepted before.
    Failing,
    /// By somebody's wish.
    Asked,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// Of the message.
    pub(super) id: String,
    /// Of the attempt, in seconds.
    pub(super) timestamp: i64,
    /// One or two.
    pub(super) signatures: String,
    /// As it was signed.
    pub(super) body: Vec<u8>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver answered.
    Answered {
        /// With this status.
        status: u16,
        /// It wants no other attempt for so long.
        retry_after: Option<Duration>,
    },
    /// It did not, or was not asked.
    Failed(String),
}

/// Sends; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    policy: Arc<Policy>,
    tls: TlsConfig,
    /// Places of each lane for attempts, and for look-ups.
    lanes: Arc<[Semaphore; 3]>,
    lookups: [Arc<Semaphore>; 3],
}

/// How others are recognized; made once.
#[derive(Clone)]
struct TlsConfig(Arc<ClientConfig>);

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConfig(..)")
    }
}

/// A failure in words that tell no secret.
type Fault = String;

impl Sender {
    /// Reads the certificates that the system trusts. Blocks.
    pub(super) fn new(policy: Arc<Policy>) -> Result<Self, TlsError> {
        let (mut roots, found) = (RootCertStore::empty(), rustls_native_certs::load_native_certs());
        // Those that cannot be read are left out: a receiver whose root is among them is not believed.
        for error in &found.errors {
            tracing::warn!(%error, "certificates that the system trusts cannot be read");
        }
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            tracing::warn!("the system trusts no certificates: no webhook is delivered by https");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| TlsError(error.to_string()))?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let tls = TlsConfig(Arc::new(config));
        let lanes = Arc::new(ATTEMPTS_MAX.map(Semaphore::new));
        let lookups = LOOKUPS_MAX.map(|places| Arc::new(Semaphore::new(places)));
        Ok(Self { policy, tls, lanes, lookups })
    }

    /// Waits for a place among the attempts under way.
    pub(super) async fn place(&self, lane: Priority) -> Option<SemaphorePermit<'_>> {
        // They are never closed.
        self.lanes.get(lane as usize)?.acquire().await.ok()
    }

    /// Tries once.
    pub(super) async fn attempt(
        &self,
        lane: Priority,
        url: &str,
        signed: &Signed,
        now: Timestamp,
    ) -> Outcome {
        match timeout(ATTEMPT_TIME, self.exchange(lane, url, signed, now)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(fault)) => Outcome::Failed(fault),
            Err(_) => Outcome::Failed("no answer in time".to_owned()),
        }
    }

    async fn exchange(
        &self,
        lane: Priority,
        url: &str,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let to = Destination::parse(url).map_err(|fault| fault.to_string())?;
        let addresses = self.addresses(lane, &to).await?;
        let stream = connect(&addresses).await?;
        let request = request(&to, signed)?;
        let (head, body) = if to.https {
            let name = match &to.host {
                Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| error.to_string())?,
                Host::Address(address) => ServerName::from(*address),
            };
            let connector = TlsConnector::from(Arc::clone(&self.tls.0));
            let secured = timeout(CONNECT_TIME, connector.connect(name, stream)).await;
            let secured = secured.map_err(|_| "TLS took too long".to_owned())?;
            ask(secured.map_err(|error| tls_fault(&error))?, request).await?
        } else {
            ask(stream, request).await?
        };
        let outcome = Outcome::Answered { status: head.0, retry_after: retry_after(&head.1, now) };
        drop(body);
        Ok(outcome)
    }

    /// The addresses that a connection may go to: every one that the name stands for was looked at.
    async fn addresses(&self, lane: Priority, to: &Destination) -> Result<Vec<SocketAddr>, Fault> {
        let found = match &to.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let looked_up = timeout(CONNECT_TIME, self.look_up(lane, name.clone())).await;
                looked_up.map_err(|_| "the name was not looked up in time".to_owned())??
            }
        };
        let admitted = self.policy.admit_all(to, found).map_err(|error: Forbidden| error.to_string())?;
        if admitted.is_empty() { Err("the name has no address".to_owned()) } else { Ok(admitted) }
    }
}

impl Sender {
    /// What a name stands for. Its place becomes free once the resolver has answered, even if nobody waits any more.
    async fn look_up(&self, lane: Priority, name: String) -> Result<Vec<IpAddr>, Fault> {
        let failed = || "the name could not be looked up".to_owned();
        let places = self.lookups.get(lane as usize).ok_or_else(failed)?;
        let place = Arc::clone(places).acquire_owned().await;
        let asked = spawn_blocking(move || {
            let _place = place;
            (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        asked.await.ok().and_then(Result::ok).ok_or_else(failed)
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    let mut last = "the name has no address".to_owned();
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = format!("no connection: {}", error.kind()),
            Err(_) => "no connection in time".clone_into(&mut last),
        }
    }
    Err(last)
}

/// In words for the operator of the receiver.
fn tls_fault(error: &io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "the certificate is signed by nobody whom this node trusts".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(why)) => format!("the certificate is not accepted: {why}"),
        _ => format!("TLS: {error}"),
    }
}

/// Ends the connection's task when dropped.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask<S>(stream: S, request: Request<Body>) -> Result<((u16, HeaderMap), Connection), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| format!("no answer: {error}");
    let handshake = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(failed)?;
    let connection = Connection(tokio::spawn(connection).abort_handle());
    let response: Response<Incoming> = sender.send_request(request).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    // A receiver that still writes is not cut off in the middle of a word, within bounds.
    let _not_looked_at = timeout(ANSWER_TIME, to_bytes(Body::new(body), ANSWER_MAX)).await;
    Ok(((head.status.as_u16(), head.headers), connection))
}

fn request(to: &Destination, signed: &Signed) -> Result<Request<Body>, Fault> {
    let host = match &to.host {
        Host::Name(name) => name.clone(),
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        Host::Address(address) => address.to_string(),
    };
    let usual = if to.https { 443 } else { 80 };
    let host = if to.port == usual { host } else { format!("{host}:{}", to.port) };
    Request::post(&to.path)
        .header(HOST, host)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, HeaderValue::from_static(concat!("grantbook/", env!("CARGO_PKG_VERSION"))))
        .header("webhook-id", &signed.id)
        .header("webhook-timestamp", signed.timestamp)
        .header("webhook-signature", &signed.signatures)
        .body(Body::from(signed.body.clone()))
        .map_err(|error| error.to_string())
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    let millis = u64::try_from(at.saturating_sub(now.millis())).unwrap_or_default();
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::subscribe::webhooks::Allowed;

    fn sender(allowed: &[&str]) -> Sender {
        let allowed = allowed.iter().map(|one| one.parse::<Allowed>().unwrap()).collect();
        Sender::new(Arc::new(Policy::new(allowed))).unwrap()
    }

    fn signed() -> Signed {
        Signed { id: "msg_a-0".into(), timestamp: 5, signatures: "v1,x".into(), body: b"{}".to_vec() }
    }

    async fn attempt(sender: &Sender, url: &str) -> Outcome {
        sender.attempt(Priority::Fresh, url, &signed(), Timestamp::EPOCH).await
    }

    /// Answers one request with this text; gives what it was asked.
    async fn receiver(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"{}") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_message_is_posted_with_its_headers() {
        let (port, asked) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
        let url = format!("http://127.0.0.1:{port}/a?b=c");
        let outcome = attempt(&sender(&["127.0.0.1"]), &url).await;
        assert_eq!(outcome, Outcome::Answered { status: 204, retry_after: None });
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{asked}");
        for line in [
            &format!("host: 127.0.0.1:{port}"),
            "content-type: application/json",
            "webhook-id: msg_a-0",
            "webhook-timestamp: 5",
            "webhook-signature: v1,x",
        ] {
            assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line} in {asked}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let (port, asked) = receiver(answer).await;
        let outcome = attempt(&sender(&["127.0.0.1"]), &format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(outcome, Outcome::Answered { status: 302, retry_after: None });
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_public_is_not_connected_to_by_whatever_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let strict = sender(&[]);
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"] {
            let outcome = attempt(&strict, &format!("https://{host}:{port}/")).await;
            assert_eq!(outcome, Outcome::Failed(Forbidden::NotPublic.to_string()), "{host}");
        }
        for host in ["2130706433", "0x7f000001", "017700000001", "127.1"] {
            let outcome = attempt(&strict, &format!("https://{host}:{port}/")).await;
            assert!(matches!(outcome, Outcome::Failed(_)), "{host}");
        }
        let asked = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(asked.is_err(), "nobody connected");
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read_to_its_end() {
        let answer = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 99999999\r\n\r\nxxx";
        let (port, asked) = receiver(answer).await;
        let outcome = attempt(&sender(&["127.0.0.0/8"]), &format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(outcome, Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(7)) });
        asked.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn receivers_that_hang_hold_up_only_each_other() {
        let sender = sender(&[]);
        let mut hanging = Vec::new();
        for _ in 0..ATTEMPTS_MAX[Priority::Failing as usize] {
            hanging.push(sender.place(Priority::Failing).await);
        }
        assert!(timeout(Duration::from_mins(1), sender.place(Priority::Failing)).await.is_err());
        for lane in [Priority::Fresh, Priority::Asked] {
            assert!(timeout(Duration::from_mins(1), sender.place(lane)).await.is_ok(), "{lane:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resolvers_that_hang_take_few_threads_and_hold_up_only_each_other() {
        let sender = sender(&[]);
        let places = u32::try_from(LOOKUPS_MAX[Priority::Failing as usize]).unwrap();
        let _hanging = sender.lookups[Priority::Failing as usize].acquire_many(places).await.unwrap();
        let to = Destination::parse("https://localhost/").unwrap();
        let waited = sender.addresses(Priority::Failing, &to).await;
        assert_eq!(waited, Err("the name was not looked up in time".to_owned()));
        // Another lane has threads: this machine is found, and refused.
        assert_eq!(sender.addresses(Priority::Fresh, &to).await, Err(Forbidden::NotPublic.to_string()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
            retry_after(&headers, Timestamp::from_millis(10_000))
        };
        assert_eq!(of("120"), Some(Duration::from_mins(2)));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:40 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:01 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }
}
