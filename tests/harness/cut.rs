//! A network that can be cut: a TCP proxy that passes on, holds back, delays or breaks what goes through it, each way by
//! itself; and one such proxy for each pair of servers of a cluster.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// Most chunks that are under way in one direction of one connection; beyond them the sender is not read.
const UNDER_WAY: usize = 256;
const CHUNK: usize = 64 * 1024;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They go through.
    Pass,
    /// They are kept, in order, until it passes again: as a network that drops packets looks to those above TCP.
    Hold,
    /// They arrive so much later.
    Late(Duration),
    /// Connections end, both ways, and new ones end at once.
    Broken,
}

/// Which bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From those who connect to the server behind the proxy.
    In,
    /// From the server to those who connect.
    Out,
}

/// A proxy on loopback in front of one server. Ends with its connections when dropped.
#[derive(Debug)]
pub struct Cut {
    port: u16,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    inward: Flow,
    outward: Flow,
    ended: bool,
    /// Both ends of every connection.
    open: Vec<TcpStream>,
}

impl Cut {
    /// In front of a port of loopback, on a free port of its own.
    pub fn before(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = State { inward: Flow::Pass, outward: Flow::Pass, ended: false, open: Vec::new() };
        let gate = Arc::new(Gate { state: Mutex::new(state), changed: Condvar::new() });
        let taking = Arc::clone(&gate);
        thread::spawn(move || take(&listener, target, &taking));
        Ok(Self { port, gate })
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of a nats-server behind it.
    pub fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What happens to the bytes of one direction from now on.
    pub fn set(&self, way: Way, flow: Flow) {
        let mut state = self.gate.lock();
        match way {
            Way::In => state.inward = flow,
            Way::Out => state.outward = flow,
        }
        if state.is_broken() {
            state.end_all();
        }
        drop(state);
        self.gate.changed.notify_all();
    }

    /// The same for both.
    pub fn set_both(&self, flow: Flow) {
        self.set(Way::In, flow);
        self.set(Way::Out, flow);
    }

    /// Ends all connections; none is made any more.
    pub fn cut(&self) {
        self.set_both(Flow::Broken);
    }

    /// Keeps everything back, both ways.
    pub fn pause(&self) {
        self.set_both(Flow::Hold);
    }

    /// Everything arrives so much later, both ways.
    pub fn delay(&self, by: Duration) {
        self.set_both(Flow::Late(by));
    }

    /// As at first.
    pub fn heal(&self) {
        self.set_both(Flow::Pass);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.ended = true;
        state.end_all();
        drop(state);
        self.gate.changed.notify_all();
        // Wakes the thread that takes connections, which then ends.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a chunk that came at `came` may go on; whether it may at all.
    fn pass(&self, way: Way, came: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if state.ended || state.is_broken() {
                return false;
            }
            let flow = if way == Way::In { state.inward } else { state.outward };
            let rest = match flow {
                Flow::Pass => return true,
                Flow::Late(by) => (came + by).saturating_duration_since(Instant::now()),
                // However long: it is woken.
                Flow::Hold | Flow::Broken => Duration::from_hours(1),
            };
            if rest.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn is_broken(&self) -> bool {
        self.inward == Flow::Broken || self.outward == Flow::Broken
    }

    fn end_all(&mut self) {
        for stream in self.open.drain(..) {
            end(&stream);
        }
    }
}

/// Takes connections until the proxy is dropped.
fn take(listener: &TcpListener, target: u16, gate: &Arc<Gate>) {
    for client in listener.incoming() {
        if gate.lock().ended {
            return;
        }
        // Whoever cannot be served sees that the connection ends.
        drop(client.map_err(Into::into).and_then(|client| join(&client, target, gate)));
    }
}

/// Joins a client to the server.
fn join(client: &TcpStream, target: u16, gate: &Arc<Gate>) -> Result<()> {
    if gate.lock().is_broken() {
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [client.try_clone()?, server.try_clone()?];
    carry(Way::In, client.try_clone()?, server.try_clone()?, gate);
    carry(Way::Out, server.try_clone()?, client.try_clone()?, gate);
    let mut state = gate.lock();
    state.open.extend(ends);
    if state.ended || state.is_broken() {
        state.end_all();
    }
    Ok(())
}

/// Carries one direction of a connection: one thread reads, another writes what is due.
fn carry(way: Way, from: TcpStream, to: TcpStream, gate: &Arc<Gate>) {
    let (send, due) = sync_channel(UNDER_WAY);
    let gate = Arc::clone(gate);
    thread::spawn(move || read(from, &send));
    thread::spawn(move || write(way, to, &due, &gate));
}

fn read(mut from: TcpStream, send: &SyncSender<(Instant, Vec<u8>)>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        let bytes = chunk.get(..length).unwrap_or_default().to_vec();
        if send.send((Instant::now(), bytes)).is_err() {
            break;
        }
    }
    // The other thread writes what is under way and then sees that nothing more comes.
}

fn write(way: Way, mut to: TcpStream, due: &Receiver<(Instant, Vec<u8>)>, gate: &Gate) {
    while let Ok((came, bytes)) = due.recv() {
        if !gate.pass(way, came) || to.write_all(&bytes).is_err() {
            break;
        }
    }
    end(&to);
}

fn end(stream: &TcpStream) {
    // It may have ended already.
    let _either_way = stream.shutdown(Shutdown::Both);
}

/// The network between the servers of a cluster: a proxy for each ordered pair, through which the first reaches the
/// second.
#[derive(Debug)]
pub struct Links {
    cuts: BTreeMap<(usize, usize), Cut>,
    count: usize,
}

impl Links {
    /// Between servers that listen to each other on these ports of loopback.
    pub fn between(ports: &[u16]) -> Result<Self> {
        let mut cuts = BTreeMap::new();
        for from in 0..ports.len() {
            for (to, port) in ports.iter().enumerate().filter(|(to, _)| *to != from) {
                cuts.insert((from, to), Cut::before(*port)?);
            }
        }
        Ok(Self { cuts, count: ports.len() })
    }

    /// The ports through which a server reaches the others.
    pub fn routes(&self, from: usize) -> Vec<u16> {
        self.cuts.iter().filter(|((one, _), _)| *one == from).map(|(_, cut)| cut.port()).collect()
    }

    /// What happens to what one server sends to another from now on, whoever of them made the connection.
    pub fn set(&self, from: usize, to: usize, flow: Flow) -> Result<()> {
        self.cuts.get(&(from, to)).context("two servers of the cluster")?.set(Way::In, flow);
        self.cuts.get(&(to, from)).context("two servers of the cluster")?.set(Way::Out, flow);
        Ok(())
    }

    /// The same for everything between one server and all others, both ways.
    pub fn isolate(&self, server: usize, flow: Flow) -> Result<()> {
        for other in (0..self.count).filter(|other| *other != server) {
            self.set(server, other, flow)?;
            self.set(other, server, flow)?;
        }
        Ok(())
    }

    /// All as at first.
    pub fn heal(&self) {
        self.cuts.values().for_each(Cut::heal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that repeats what it hears.
    fn echo() -> Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(mut back) = stream.try_clone() else { return };
                let mut stream = stream;
                thread::spawn(move || std::io::copy(&mut stream, &mut back));
            }
        });
        Ok(port)
    }

    fn connect(cut: &Cut) -> Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, cut.port()))?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        Ok(stream)
    }

    fn round(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<()> {
        stream.write_all(text)?;
        hear(stream, text)
    }

    fn hear(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<()> {
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard)?;
        assert_eq!(heard, text);
        Ok(())
    }

    #[test]
    fn what_is_held_comes_in_order_and_what_is_cut_ends() -> Result<()> {
        let cut = Cut::before(echo()?)?;
        let mut stream = connect(&cut)?;
        round(&mut stream, b"one")?;
        for way in [Way::In, Way::Out] {
            cut.set(way, Flow::Hold);
            assert!(round(&mut stream, b"two").is_err(), "nothing passes {way:?}");
            stream.write_all(b"three")?;
            cut.heal();
            hear(&mut stream, b"twothree")?;
        }
        cut.delay(Duration::from_millis(50));
        let begun = Instant::now();
        round(&mut stream, b"late")?;
        assert!(begun.elapsed() >= Duration::from_millis(100), "delayed both ways");
        cut.cut();
        assert!(round(&mut stream, b"lost").is_err());
        assert!(connect(&cut).and_then(|mut stream| Ok(round(&mut stream, b"lost")?)).is_err());
        cut.heal();
        round(&mut connect(&cut)?, b"again")?;
        Ok(())
    }

    #[test]
    fn servers_are_parted_whoever_connected() -> Result<()> {
        let links = Links::between(&[echo()?, echo()?, echo()?])?;
        assert_eq!(links.routes(0).len(), 2);
        links.isolate(0, Flow::Broken)?;
        let works = |from, to| -> Result<bool> {
            let cut = links.cuts.get(&(from, to)).context("a pair")?;
            Ok(round(&mut connect(cut)?, b"x").is_ok())
        };
        for (from, to) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
            assert!(!works(from, to)?, "{from} to {to}");
        }
        assert!(works(1, 2)? && works(2, 1)?);
        links.heal();
        assert!(works(0, 1)? && works(2, 0)?);
        Ok(())
    }
}
