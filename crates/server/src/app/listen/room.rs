//! Room for connections: how many are open, whose, and which of them is closed so that another can be served.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::app::listen::wire::Exchange;

/// Connections that were told to close and have not yet. Each still has its descriptor.
const CLOSING_MAX: usize = 32;

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Room {
    connections: usize,
    /// For how long a connection rests before it is closed in favour of another from the same address.
    rest_time: Duration,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// By number.
    entries: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    exchange: Exchange,
    close: Arc<Notify>,
    is_closing: bool,
}

/// A place, until dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Room>,
    number: u64,
    close: Arc<Notify>,
}

impl Held {
    /// Returns once the connection is to close in favour of another.
    pub(super) async fn given_up(&self) {
        self.close.notified().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.open().entries.remove(&self.number);
    }
}

impl Room {
    /// For so many connections.
    pub(super) fn of(connections: usize, rest_time: Duration) -> Arc<Self> {
        Arc::new(Self { connections, rest_time, open: Mutex::default() })
    }

    /// A place for a connection; if all are taken, that of one that rests. None: all are busy.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, exchange: &Exchange) -> Option<Held> {
        let mut open = self.open();
        let closing = open.entries.values().filter(|entry| entry.is_closing).count();
        if open.entries.len() - closing >= self.connections {
            if closing >= CLOSING_MAX {
                return None;
            }
            let victim = self.resting(&open, peer, Instant::now())?;
            let entry = open.entries.get_mut(&victim)?;
            entry.is_closing = true;
            // Kept for it if it does not wait for that yet.
            entry.close.notify_one();
            tracing::debug!(peer = %entry.peer, "a connection that rests is closed to make room");
        }
        let number = open.next;
        open.next += 1;
        let close = Arc::new(Notify::new());
        let entry = Entry { peer, exchange: exchange.clone(), close: Arc::clone(&close), is_closing: false };
        open.entries.insert(number, entry);
        Some(Held { room: Arc::clone(self), number, close })
    }

    /// The connection that has waited longest for its peer, to send a request or to take an answer: of the address that has
    /// most connections, else of any. An address that has most gives way to another at once, its own newcomers wait.
    fn resting(&self, open: &Open, newcomer: IpAddr, now: Instant) -> Option<u64> {
        let mut of_peer: HashMap<IpAddr, usize> = HashMap::new();
        for entry in open.entries.values().filter(|entry| !entry.is_closing) {
            *of_peer.entry(entry.peer).or_default() += 1;
        }
        let count = |peer: IpAddr| of_peer.get(&peer).copied().unwrap_or_default();
        let rest =
            open.entries.iter().filter(|(_, entry)| !entry.is_closing).filter_map(|(number, entry)| {
                let since = entry.exchange.rests_since()?;
                let gives_way = count(entry.peer) > count(newcomer) + 1;
                let rests = gives_way || now.saturating_duration_since(since) >= self.rest_time;
                rests.then_some((std::cmp::Reverse(count(entry.peer)), since, *number))
            });
        rest.min().map(|(_, _, number)| number)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
