//! Server-sent events on a blocking socket: HTTP/1.0, so that the body is what comes until the connection ends.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// A stream that was begun.
#[derive(Debug)]
pub struct Events {
    lines: BufReader<TcpStream>,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SentEvent {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its name; empty for what only moves the id on.
    pub name: String,
    /// Its data.
    pub data: Value,
}

impl Events {
    /// Begins a stream with a key, behind the message of an id.
    pub fn open(base: &str, key: &str, query: &str, last_id: Option<&str>) -> Result<Self> {
        let host = base.strip_prefix("http://").context("plain http only")?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let last = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "GET /v1/watch{query} HTTP/1.0\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n{last}\r\n"
        )?;
        let mut events = Self { lines: BufReader::new(stream) };
        let status = events.line()?.context("no answer")?;
        ensure!(status.contains(" 200 "), "{status}");
        while events.line()?.context("no end of the head")? != "" {}
        Ok(events)
    }

    /// The next event; none once the connection has ended.
    pub fn next_event(&mut self) -> Result<Option<SentEvent>> {
        let mut event = SentEvent::default();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            if line.is_empty() {
                return Ok(Some(event));
            }
            let (field, value) = line.split_once(": ").unwrap_or((&line, ""));
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut event.name),
                "data" => event.data = serde_json::from_str(value)?,
                _ => {}
            }
        }
    }

    /// The next event that has a name.
    pub fn message(&mut self) -> Result<Option<SentEvent>> {
        loop {
            match self.next_event()? {
                Some(event) if event.name.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    /// The next messages, which must come.
    pub fn messages(&mut self, count: usize) -> Result<Vec<SentEvent>> {
        (0..count).map(|_| self.message()?.context("the stream ended")).collect()
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}
