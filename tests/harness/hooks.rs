//! A receiver of webhooks: keeps what it was sent, answers as it is told, and verifies signatures by itself.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;
use sha2::Sha256;

use crate::server::Server;

const PATIENCE: Duration = Duration::from_mins(1);

/// How a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With this status, and perhaps a further header line.
    Status(u16, &'static str),
    /// Not at all; the connection stays open until the other side ends it.
    Silence,
    /// These bytes, and then others again and again until the other side ends it, after a pause each time.
    Endless(&'static str, &'static str, Duration),
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path.
    pub path: String,
    /// `authorization`.
    pub authorization: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signatures: String,
    /// The body as bytes.
    pub raw: Vec<u8>,
    /// How it was answered.
    pub answer: Answer,
}

type Script = Box<dyn FnMut(&Received) -> Answer + Send>;

/// A receiver on a port of its own.
#[derive(Clone)]
pub struct Receiver {
    scheme: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    script: Mutex<Script>,
    more: Condvar,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Received {
    /// The body.
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap_or_default()
    }

    /// The name of the message.
    pub fn name(&self) -> String {
        self.body()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether one of its signatures is by this secret, as the specification says: HMAC-SHA256 over id, timestamp, body.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let Some(mut mac) = key.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok()) else {
            return false;
        };
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.raw);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.split(' ').any(|signature| signature == expected)
    }
}

impl Receiver {
    /// Begins to listen; answers 204 until told otherwise.
    pub fn start() -> Result<Self> {
        Self::listen("http", Ok)
    }

    /// The same by TLS, with this chain of certificates and its key, both as PEM.
    pub fn start_tls(chain: &str, key: &str) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?);
        Self::listen("https", move |stream| {
            Ok(StreamOwned::new(ServerConnection::new(Arc::clone(&config))?, stream))
        })
    }

    fn listen<S: Read + Write + 'static>(
        scheme: &'static str,
        open: impl Fn(TcpStream) -> Result<S> + Clone + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let script: Script = Box::new(|_| Answer::Status(204, ""));
        let shared =
            Arc::new(Shared { received: Mutex::default(), script: Mutex::new(script), more: Condvar::new() });
        let receiver = Self { scheme, address, shared };
        let taking = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (one, open) = (taking.clone(), open.clone());
                // One that goes wrong is one that the sender gave up.
                thread::spawn(move || {
                    open(stream).and_then(|stream| one.shared.serve(stream)).unwrap_or_default();
                });
            }
        });
        Ok(receiver)
    }

    /// Where it listens: `http://127.0.0.1:PORT/PATH`, or `https`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Answers in this way from now on.
    pub fn answer(&self, script: impl FnMut(&Received) -> Answer + Send + 'static) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(script);
    }

    /// Everything so far, in the order in which it came.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was accepted so far, without repeats, in the order in which it came first.
    pub fn accepted(&self) -> Vec<Received> {
        let mut once: Vec<Received> = Vec::new();
        for one in self.received() {
            let is_new = !once.iter().any(|known| known.id == one.id);
            if is_new && matches!(one.answer, Answer::Status(200..=299, _)) {
                once.push(one);
            }
        }
        once
    }

    /// Waits until what came so far is enough.
    pub fn wait(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Result<Vec<Received>> {
        let deadline = Instant::now() + PATIENCE;
        let mut received = self.shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        while !enough(&received) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let names: Vec<_> = received.iter().map(|one| (one.name(), one.answer.clone())).collect();
                bail!("{what} did not come within {PATIENCE:?}: {names:?}");
            }
            let waited = self.shared.more.wait_timeout(received, left);
            received = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(received.clone())
    }
}

impl Shared {
    fn serve(&self, stream: impl Read + Write) -> Result<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let header = |name: &str| {
            let found =
                lines.iter().filter_map(|line| line.split_once(": ")).find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let mut raw = vec![0; header("content-length").parse()?];
        reader.read_exact(&mut raw)?;
        let path =
            lines.first().and_then(|line| line.split(' ').nth(1)).context("a request line")?.to_owned();
        let (id, timestamp, signatures) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let authorization = header("authorization");
        let mut one =
            Received { path, authorization, id, timestamp, signatures, raw, answer: Answer::Silence };
        one.answer = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(&one);
        let answer = one.answer.clone();
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        self.more.notify_all();
        match answer {
            Answer::Status(status, line) => {
                let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
                let text =
                    format!("HTTP/1.1 {status} x\r\n{line}connection: close\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(text.as_bytes())?;
            }
            Answer::Silence => drop(reader.read_to_end(&mut Vec::new())?),
            Answer::Endless(begin, again, pause) => {
                reader.get_mut().write_all(begin.as_bytes())?;
                loop {
                    reader.get_mut().write_all(again.as_bytes())?;
                    thread::sleep(pause);
                }
            }
        }
        Ok(())
    }
}

/// Makes a webhook key in `place` and tells the server's processes of it: messages may go to this machine, and are tried
/// again as `retry` says.
pub fn configure(server: &mut Server, place: &Path, retry: &str) -> Result<()> {
    let file = place.join("webhook.key");
    let file = file.to_str().context("a temporary directory has a plain name")?;
    let (_, said, code) = server.cli(&["webhook", "key", file])?;
    anyhow::ensure!(code == 0, "no webhook key: {said}");
    server.set_env("GRANTBOOK_WEBHOOKS", file);
    server.set_env("GRANTBOOK_WEBHOOK_ALLOW", "127.0.0.1");
    server.set_env("GRANTBOOK_WEBHOOK_RETRY", retry);
    Ok(())
}
