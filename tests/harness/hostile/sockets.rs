//! Sockets that send a request and never read the answer, and one reader of answers without end.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::net::TcpSocket;

/// How much of an answer the system takes for a socket that does not read, in bytes: the least that it allows is more.
const RECEIVED_MAX: u32 = 4 << 10;
/// How long a connection may take to be there, and a request to be sent.
const LIMIT: Duration = Duration::from_secs(5);

/// Sockets that never read.
#[derive(Debug)]
pub struct Deaf {
    source: Ipv4Addr,
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    open: Vec<Held>,
    /// How many were opened, the first and again.
    pub opened: u64,
    /// How many the server closed.
    pub closed: u64,
    /// How many could not be opened, or were refused.
    pub refused: u64,
    /// How many had the head of an answer of 200 waiting.
    pub answered: u64,
}

#[derive(Debug)]
struct Held {
    request: Vec<u8>,
    stream: Option<TcpStream>,
    answered: bool,
}

/// A request without a body, as bytes, so many times.
pub fn request(path: &str, key: Option<&str>, times: usize) -> Vec<u8> {
    let key = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: hostile\r\n{key}\r\n").repeat(times).into_bytes()
}

impl Deaf {
    /// A socket for each of these requests, from a loopback address to a server; none is open yet.
    pub fn with((source, base): (Ipv4Addr, &str), requests: Vec<Vec<u8>>) -> Result<Self> {
        let address = base.strip_prefix("http://").context("plain http")?.parse()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let held = |request| Held { request, stream: None, answered: false };
        let open = requests.into_iter().map(held).collect();
        Ok(Self { source, address, runtime, open, opened: 0, closed: 0, refused: 0, answered: 0 })
    }

    /// Opens those that are not open, and looks what became of the others.
    pub fn tend(&mut self) {
        let (way, runtime) = ((self.source, self.address), &self.runtime);
        for held in &mut self.open {
            if let Some(stream) = &held.stream {
                match peek(stream) {
                    Peeked::Nothing => {}
                    Peeked::Answer(refused) => {
                        if !held.answered {
                            held.answered = true;
                            *if refused { &mut self.refused } else { &mut self.answered } += 1;
                        }
                        if refused {
                            held.stream = None;
                        }
                    }
                    Peeked::Closed => {
                        held.stream = None;
                        self.closed += 1;
                    }
                }
            } else {
                held.answered = false;
                match open(runtime, way, &held.request) {
                    Ok(stream) => {
                        held.stream = Some(stream);
                        self.opened += 1;
                    }
                    Err(_) => self.refused += 1,
                }
            }
        }
    }

    /// How many are open.
    pub fn held(&self) -> usize {
        self.open.iter().filter(|held| held.stream.is_some()).count()
    }
}

fn open(
    runtime: &tokio::runtime::Runtime,
    (source, address): (Ipv4Addr, SocketAddr),
    request: &[u8],
) -> Result<TcpStream> {
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVED_MAX)?;
        socket.bind((source, 0).into())?;
        tokio::time::timeout(LIMIT, socket.connect(address)).await?.context("a connection")
    })?;
    let mut stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

enum Peeked {
    Nothing,
    /// The head of one, and whether it is a refusal.
    Answer(bool),
    Closed,
}

/// What has come, without reading it: the answer stays in the way.
fn peek(stream: &TcpStream) -> Peeked {
    let mut head = [0; 12];
    match stream.peek(&mut head) {
        Ok(0) => Peeked::Closed,
        Ok(_) => Peeked::Answer(head.get(9..12) != Some(b"200")),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Peeked::Nothing
        }
        Err(_) => Peeked::Closed,
    }
}

/// What was read of a long answer.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Its status.
    pub status: u16,
    /// Bytes of head and body.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Whether it came to its end.
    pub whole: bool,
}

/// Reads an answer and forgets it, for so long at most or until `enough` says so.
pub fn drain(base: &str, request: &[u8], limit: Duration, enough: &dyn Fn() -> bool) -> Result<Drained> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(base.strip_prefix("http://").context("plain http")?)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    stream.write_all(request)?;
    let (mut bytes, mut head, mut last) = (0, Vec::new(), Vec::new());
    let mut chunk = vec![0; 256 << 10];
    while started.elapsed() < limit && !enough() {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                bytes += read as u64;
                let new = chunk.get(..read).unwrap_or_default();
                head.extend_from_slice(
                    new.get(..new.len().min(12_usize.saturating_sub(head.len()))).unwrap_or_default(),
                );
                last.extend_from_slice(new);
                let old = last.len().saturating_sub(5);
                last.drain(..old);
                // The last chunk of an answer in chunks is empty (RFC 9112, section 7.1).
                if last == b"0\r\n\r\n" {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let status = head.get(9..12).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
    Ok(Drained { status, bytes, took: started.elapsed(), whole: last == b"0\r\n\r\n" })
}
