//! How far long work has come, on a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// A bar on the last line of stderr, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    is_shown: bool,
    begun: Instant,
    told: Option<Instant>,
}

impl Bar {
    const EVERY: Duration = Duration::from_millis(100);
    const WIDTH: u64 = 30;

    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), begun: Instant::now(), told: None }
    }

    /// So many of so many frames.
    pub(crate) fn show(&mut self, done: u64, head: u64) {
        let speed = done / self.seconds();
        self.draw(done, head, || format!("{done} of {head} frames, {speed} a second"));
    }

    /// So many records, and so many parts of so many of the time that they come from.
    pub(crate) fn show_records(&mut self, records: u64, done: u64, whole: u64) {
        let speed = records / self.seconds();
        self.draw(done, whole, || format!("{records} records, {speed} a second"));
    }

    /// So many of so many rows.
    pub(crate) fn show_loaded(&mut self, rows: u64, of: u64) {
        let speed = rows / self.seconds();
        self.draw(rows, of, || format!("{rows} of {of} rows, {speed} a second"));
    }

    /// So many rows, about so many of so many principals.
    pub(crate) fn show_rows(&mut self, rows: u64, principals: u64, whole: u64) {
        let speed = rows / self.seconds();
        self.draw(principals, whole, || format!("{rows} rows, {speed} a second"));
    }

    /// So many things, of so many of so many lists.
    pub(crate) fn show_import(&mut self, things: u64, lists: u64, whole: u64) {
        self.draw(lists, whole, || format!("{things} things, {lists} of {whole} lists"));
    }

    pub(crate) fn clear(&self) {
        if self.told.is_some() {
            write!(io::stderr(), "\r\x1b[K").unwrap_or_default();
        }
    }

    fn seconds(&self) -> u64 {
        self.begun.elapsed().as_secs().max(1)
    }

    fn draw(&mut self, done: u64, whole: u64, words: impl FnOnce() -> String) {
        if !self.is_shown || self.told.is_some_and(|told| told.elapsed() < Self::EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        let filled = done.saturating_mul(Self::WIDTH) / whole.max(1);
        let bar: String = (0..Self::WIDTH).map(|place| if place < filled { '#' } else { '.' }).collect();
        write!(io::stderr(), "\r[{bar}] {} ", words()).unwrap_or_default();
    }
}
