//! A watcher of `/v1/watch`: goes from node to node, ends its connection now and then, and goes on behind the last id that
//! it saw. One is slow: it does not read for a while, with the connection open.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use super::Listener;
use crate::{history::Kind, load::Load};
use anyhow::{Context, Result, bail};
use grantbook_server::wire::position;
use serde_json::Value;

/// After so many messages of one connection it goes elsewhere.
const MESSAGES: usize = 60;
/// For so long the slow one does not read.
const STALLS: Duration = Duration::from_secs(2);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one look for more takes.
const LOOK: Duration = Duration::from_millis(500);

/// Watches until nobody listens any more.
pub(super) fn listen(listener: &Listener, load: &Load, slow: bool) {
    let mut last = None;
    for turn in 0_usize.. {
        if load.has_ended() {
            break;
        }
        let nodes = load.nodes();
        let node = &nodes[turn % nodes.len()];
        if let Err(error) = follow(listener, load, (node, slow), &mut last) {
            listener.stumbles(&error);
            thread::sleep(PAUSE);
        }
    }
}

/// One connection; `last` is the id of the last message.
fn follow(
    listener: &Listener,
    load: &Load,
    (node, slow): (&str, bool),
    last: &mut Option<String>,
) -> Result<()> {
    let mut stream = Stream::open(load, node, listener.kind, last.as_deref())?;
    let mut taken = 0;
    while !load.has_ended() && taken < MESSAGES {
        let Some(block) = stream.block()? else { continue };
        let message = Block::read(&block);
        match message.event {
            "record" | "change" => {
                let (position, index, name) = told(load, &message).context("a record or a change")?;
                listener.got(load, (position, index), name);
                taken += 1;
                if slow && taken.is_multiple_of(MESSAGES / 2) {
                    thread::sleep(STALLS);
                }
            }
            "error" | "end" => bail!("{node} ends it: {}", message.data),
            _ => {}
        }
        if let Some(id) = message.id {
            *last = Some(id.to_owned());
        }
    }
    Ok(())
}

/// What a message says: its position, its place among those of one position, its name.
fn told(load: &Load, message: &Block<'_>) -> Option<(u64, u32, String)> {
    let data: Value = serde_json::from_str(&message.data).ok()?;
    let position = position::decode(load.installation, data["position"].as_str()?).ok()?.get();
    if message.event == "change" {
        let index = u32::try_from(data["index"].as_u64()?).ok()?;
        return Some((position, index, data["type"].as_str()?.to_owned()));
    }
    let names = data["events"].as_array()?.iter().filter_map(|event| event["type"].as_str());
    Some((position, 0, names.collect::<Vec<_>>().join(",")))
}

/// One block of server-sent events.
#[derive(Debug, Default)]
struct Block<'a> {
    event: &'a str,
    id: Option<&'a str>,
    data: String,
}

impl<'a> Block<'a> {
    fn read(text: &'a str) -> Self {
        let mut block = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => block.event = value,
                "id" => block.id = Some(value),
                "data" => block.data.push_str(value),
                _ => {}
            }
        }
        block
    }
}

/// An answer without an end, in chunks.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    raw: Vec<u8>,
    text: Vec<u8>,
}

impl Stream {
    fn open(load: &Load, node: &str, kind: Kind, last: Option<&str>) -> Result<Self> {
        let base = load.base(node)?;
        let host = base.strip_prefix("http://").context("plain http")?;
        let mut socket = TcpStream::connect(host)?;
        socket.set_read_timeout(Some(LOOK))?;
        let kind = if kind == Kind::Change { "change" } else { "record" };
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let key = load.key();
        write!(
            socket,
            "GET /v1/watch?kind={kind}&from=start HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n{last}\r\n"
        )?;
        let mut stream = Self { socket, raw: Vec::new(), text: Vec::new() };
        let head = loop {
            if let Some(end) = find(&stream.raw, b"\r\n\r\n") {
                break String::from_utf8(stream.raw.drain(..end + 4).collect())?;
            }
            stream.more()?;
            // A node that stands still says nothing: the watcher waits, unless all is over.
            if load.has_ended() {
                bail!("it is over");
            }
        };
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{node} answers {}", head.lines().next().unwrap_or_default());
        }
        Ok(stream)
    }

    /// The next block, if it is there already.
    fn block(&mut self) -> Result<Option<String>> {
        if find(&self.text, b"\n\n").is_none() {
            self.more()?;
            self.unwrap_chunks()?;
        }
        let Some(end) = find(&self.text, b"\n\n") else { return Ok(None) };
        Ok(Some(String::from_utf8(self.text.drain(..end + 2).collect())?))
    }

    /// Reads what is there, waiting a moment for it.
    fn more(&mut self) -> Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(0) => bail!("the connection ended"),
            Ok(length) => self.raw.extend(chunk.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn unwrap_chunks(&mut self) -> Result<()> {
        while let Some(line) = find(&self.raw, b"\r\n") {
            let head = self.raw.get(..line).unwrap_or_default();
            let length = usize::from_str_radix(std::str::from_utf8(head)?.trim(), 16)?;
            let Some(content) = self.raw.get(line + 2..line + 2 + length) else { break };
            if self.raw.len() < line + 4 + length {
                break;
            }
            if length == 0 {
                bail!("the stream ended");
            }
            self.text.extend(content);
            self.raw.drain(..line + 4 + length);
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
