//! Servers that are started from given configuration files, as an operator starts them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const START_LIMIT: Duration = Duration::from_mins(1);

/// A server of a configuration file; killed when dropped.
#[derive(Debug)]
pub struct Configured {
    child: Child,
    log: PathBuf,
}

impl Configured {
    /// Starts a server of this file; its log goes beside it.
    pub fn start(config: &Path) -> Result<Self> {
        let log = config.with_extension("log");
        let file = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(super::binary()?);
        command.arg("-c").arg(config);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().context("nats-server does not start")?;
        Ok(Self { child, log })
    }

    /// Ends it at once.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Until it says in its log what it is waited for.
    pub fn wait_for(&mut self, words: &str) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.log().contains(words) {
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "nats-server ended:\n{}", self.log());
            ensure!(Instant::now() < deadline, "nats-server does not say {words:?}:\n{}", self.log());
            super::pause();
        }
        Ok(())
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let _ended_anyway = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The first of so many ports in a row, each of them free now, in four rows; so are those of a mirror and of a leaf
/// node, which come 100 and 200 later.
pub fn free_rows(length: u16) -> Result<[u16; 4]> {
    let mut rows = Vec::new();
    for first in super::free_ports(64)? {
        let row = first..first.saturating_add(length);
        let apart = rows.iter().all(|other: &u16| first.abs_diff(*other) >= length);
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        let later = [first.saturating_add(100), first.saturating_add(200)];
        if apart && row.clone().chain(later).all(free) {
            rows.push(first);
        }
        if let [one, two, three, four] = rows[..] {
            return Ok([one, two, three, four]);
        }
    }
    anyhow::bail!("no free ports in a row")
}
