//! A plain HTTP/1.1 client on a blocking socket: nothing is corrected or hidden, and nothing retried that does not say so.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);
/// How long a node may take to catch up with a position.
const CATCH_UP_LIMIT: Duration = Duration::from_mins(1);
const CATCH_UP_PAUSE: Duration = Duration::from_millis(20);

/// One kept-alive connection.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
    host: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Http {
    /// Opens a connection to `http://HOST:PORT`.
    pub fn connect(base: &str) -> Result<Self> {
        let host = base.strip_prefix("http://").context("plain http only")?.to_owned();
        let stream = TcpStream::connect(&host).with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host, headers: Vec::new() })
    }

    /// How long an answer may take; a minute by itself.
    pub fn patient_for(self, limit: Duration) -> Result<Self> {
        self.stream.get_ref().set_read_timeout(Some(limit))?;
        Ok(self)
    }

    /// Adds a header to every request from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the key to every request from now on.
    #[must_use]
    pub fn as_bearer(self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    /// One request; `Null` sends no body.
    pub fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Reply> {
        self.send_with(method, path, &[], body)
    }

    /// One request with further headers.
    pub fn send_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Reply> {
        if body.is_null() {
            return self.raw(method, path, headers, b"");
        }
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        self.raw(method, path, &headers, body.to_string().as_bytes())
    }

    /// One request that is to be answered at this position or later (or at `latest`). A node that cannot do so yet is asked
    /// again, for a minute.
    pub fn send_at(&mut self, position: &str, method: &str, path: &str, body: &Value) -> Result<Reply> {
        let deadline = Instant::now() + CATCH_UP_LIMIT;
        loop {
            let reply = self.send_with(method, path, &[("grantbook-at-least", position)], body)?;
            if reply.status != 503 || Instant::now() > deadline {
                return Ok(reply);
            }
            std::thread::sleep(CATCH_UP_PAUSE);
        }
    }

    /// One request with exactly this body.
    pub fn raw(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host).into_bytes();
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            write!(request, "{name}: {value}\r\n")?;
        }
        write!(request, "content-length: {}\r\n\r\n", body.len())?;
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)?;
        self.read_reply()
    }

    /// A form, as a browser sends it from a page of the same origin.
    pub fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Reply> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.raw("POST", path, &headers, body.finish().as_bytes())
    }

    fn read_reply(&mut self) -> Result<Reply> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not a status line: {status_line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let find =
            |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let body = if find("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            self.chunked()?
        } else {
            let length = find("content-length").map_or(Ok(0), |length| length.parse::<usize>())?;
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body)?;
            body
        };
        Ok(Reply { status, headers, body })
    }

    fn chunked(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(self.line()?.trim(), 16)?;
            let mut chunk = vec![0; size];
            self.stream.read_exact(&mut chunk)?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line)?;
        ensure!(read > 0, "the connection ended");
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text_body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body's member as text, empty if absent.
    pub fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The body, if the status is as expected; an error that shows both otherwise.
    pub fn expect(self, status: u16) -> Result<Value> {
        let body = self.text_body();
        ensure!(self.status == status, "expected {status}, got {}: {body}", self.status);
        Ok(self.json())
    }
}
