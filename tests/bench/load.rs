//! A lean load generator: pre-encoded requests over kept-alive connections, one thread a connection.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use crate::report::{histogram, note};

/// What a run of requests took.
#[derive(Debug)]
pub(crate) struct Load {
    /// How many were answered.
    pub(crate) count: usize,
    /// From the first to the last.
    pub(crate) elapsed: Duration,
    /// Of each.
    pub(crate) latencies: Histogram<u64>,
}

/// Sends each writer's requests one after the other, all writers at once; every answer must have the status.
pub(crate) fn run(base: &str, writers: &[Vec<Vec<u8>>], status: &str) -> Result<Load> {
    let address = base.strip_prefix("http://").context("plain http")?;
    let barrier = Barrier::new(writers.len() + 1);
    let (started, ended, parts) = thread::scope(|scope| -> Result<_> {
        let threads: Vec<_> = writers
            .iter()
            .map(|requests| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let connection = Connection::open(address);
                    barrier.wait();
                    connection.and_then(|connection| connection.send_all(requests, status))
                })
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        let mut parts = Vec::new();
        for thread in threads {
            parts.push(thread.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??);
        }
        Ok((started, Instant::now(), parts))
    })?;
    let mut latencies = histogram();
    for part in parts {
        latencies.add(part)?;
    }
    let count = writers.iter().map(Vec::len).sum();
    Ok(Load { count, elapsed: ended - started, latencies })
}

/// A POST with a JSON body, as bytes.
pub(crate) fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 256 << 10] })
    }

    fn send_all(mut self, requests: &[Vec<u8>], status: &str) -> Result<Histogram<u64>> {
        let mut latencies = histogram();
        for request in requests {
            let sent = Instant::now();
            self.stream.write_all(request)?;
            let length = self.read_answer()?;
            note(&mut latencies, sent.elapsed());
            let answer = self.buffer.get(..length).unwrap_or_default();
            let expected = answer.get(9..12) == Some(status.as_bytes());
            ensure!(expected, "not {status}: {}", String::from_utf8_lossy(answer));
        }
        Ok(latencies)
    }

    fn read_answer(&mut self) -> Result<usize> {
        let mut filled = 0;
        loop {
            let space = self.buffer.get_mut(filled..).context("the answer fits the buffer")?;
            let read = self.stream.read(space)?;
            ensure!(read > 0, "the connection ended");
            filled += read;
            let got = self.buffer.get(..filled).unwrap_or_default();
            if answer_length(got).is_some_and(|length| filled >= length) {
                return Ok(filled);
            }
        }
    }
}

/// The length of head and body, once the head is there.
fn answer_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let body = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + 4 + body.unwrap_or(0))
}
