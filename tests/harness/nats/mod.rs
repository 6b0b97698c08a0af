//! Real nats-servers on loopback: one, or a cluster of three.

mod ask;
mod block;
pub mod configured;
mod disk;
pub mod identity;
pub mod streams;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{cut::Links, dice::Dice};

pub use block::{block_files, change_payload, cut_tail, remove_message};
pub use disk::SmallDisk;

const START_LIMIT: Duration = Duration::from_mins(1);
const STEP_LIMIT: Duration = Duration::from_secs(5);

/// The nats-server that `make nats` fetched, or the one that `NATS_SERVER` names.
pub fn binary() -> Result<PathBuf> {
    match std::env::var_os("NATS_SERVER") {
        Some(path) => Ok(path.into()),
        None => fetched("2.15.1"),
    }
}

/// One that is too old for a journal.
pub fn old_binary() -> Result<PathBuf> {
    fetched("2.12.8")
}

/// The oldest one that is taken for a journal.
pub fn oldest_binary() -> Result<PathBuf> {
    fetched("2.14.4")
}

fn fetched(version: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in the workspace")?;
    let path = root.join(".cache/nats").join(version).join("nats-server");
    ensure!(path.exists(), "{} is not there: run `make nats`, or set NATS_SERVER", path.display());
    Ok(path)
}

/// How servers are started.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// How many: 1, or 3 for a cluster.
    pub servers: usize,
    /// Whether every write reaches the disk before it is acknowledged.
    pub sync_always: bool,
    /// Which executable; none: [`binary`].
    pub binary: Option<PathBuf>,
    /// Further lines of the configuration, such as authorization or TLS.
    pub config: String,
    /// On which disk JetStream keeps its files; none: in a directory that goes with the servers.
    pub disk: Option<Arc<SmallDisk>>,
    /// Whether the servers of a cluster reach each other through a network that can be cut: [`Nats::links`]. Clients
    /// then know only the addresses that they were given.
    pub cuttable: bool,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            servers: 1,
            sync_always: true,
            binary: None,
            config: String::new(),
            disk: None,
            cuttable: false,
        }
    }
}

/// Running servers; killed when dropped.
#[derive(Debug)]
pub struct Nats {
    dir: TempDir,
    options: NatsOptions,
    nodes: Vec<Node>,
    links: Option<Links>,
}

#[derive(Debug)]
struct Node {
    client: u16,
    monitor: u16,
    child: Option<Child>,
}

impl Nats {
    /// One server that syncs always.
    pub fn single() -> Result<Self> {
        Self::start_with(&NatsOptions::default())
    }

    /// Three servers that sync always, with a leader.
    pub fn cluster() -> Result<Self> {
        Self::start_with(&NatsOptions { servers: 3, ..NatsOptions::default() })
    }

    /// As the options say.
    pub fn start_with(options: &NatsOptions) -> Result<Self> {
        let mut last = None;
        // A free port may be taken by somebody else before the server has it.
        for _ in 0..5 {
            match Self::try_start(options.clone()) {
                Ok(nats) => return Ok(nats),
                Err(error) => last = Some(error),
            }
        }
        last.map_or_else(|| bail!("no nats-server was started"), Err)
    }

    fn try_start(options: NatsOptions) -> Result<Self> {
        let ports = free_ports(options.servers * 3)?;
        let (dir, mut nodes) = (tempfile::tempdir()?, Vec::new());
        let routes: Vec<u16> = ports.iter().copied().skip(options.servers * 2).collect();
        for (index, (client, monitor)) in ports.iter().zip(ports.iter().skip(options.servers)).enumerate() {
            if index >= options.servers {
                break;
            }
            nodes.push(Node { client: *client, monitor: *monitor, child: None });
        }
        let links = if options.cuttable { Some(Links::between(&routes)?) } else { None };
        let mut nats = Self { dir, options, nodes, links };
        for index in 0..nats.nodes.len() {
            fs::write(nats.config_path(index), nats.config(index, &routes))?;
        }
        for index in 0..nats.nodes.len() {
            nats.spawn(index)?;
        }
        for index in 0..nats.nodes.len() {
            nats.wait_ready(index)?;
        }
        Ok(nats)
    }

    fn config(&self, index: usize, routes: &[u16]) -> String {
        let Some(node) = self.nodes.get(index) else { return String::new() };
        let sync = if self.options.sync_always { "sync_interval: always" } else { "" };
        let mut config = format!(
            "server_name: n{index}\nlisten: 127.0.0.1:{}\nhttp: 127.0.0.1:{}\njetstream {{ store_dir: \"{}\", {sync} }}\n",
            node.client,
            node.monitor,
            self.store_dir(index).display(),
        );
        if self.nodes.len() > 1 {
            let own = routes.get(index).copied().unwrap_or_default();
            let through = self.links.as_ref().map(|links| links.routes(index));
            // What servers tell each other must not lead around the network that can be cut: nobody listens there.
            let extra = if through.is_some() { "advertise: \"127.0.0.1:1\", no_advertise: true" } else { "" };
            let ports = through.unwrap_or_else(|| routes.to_vec());
            let all: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
            let all = all.join(", ");
            let cluster =
                format!("cluster {{ name: test, listen: 127.0.0.1:{own}, routes: [{all}], {extra} }}\n");
            config.push_str(&cluster);
        }
        config + &self.options.config + "\n"
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none, which never is so.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The network between the servers, if it can be cut.
    pub fn links(&self) -> Result<&Links> {
        self.links.as_ref().context("the cluster was started as cuttable")
    }

    /// The port on which clients reach a server.
    pub fn client_port(&self, index: usize) -> Result<u16> {
        Ok(self.nodes.get(index).context("there is such a server")?.client)
    }

    /// The addresses of all servers.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.client)).collect()
    }

    /// The same, parted by commas.
    pub fn url(&self) -> String {
        self.urls().join(",")
    }

    /// Where a server tells how it is, `http://127.0.0.1:PORT`.
    pub fn monitor_url(&self, index: usize) -> String {
        self.nodes.get(index).map(|node| format!("http://127.0.0.1:{}", node.monitor)).unwrap_or_default()
    }

    /// Where a server keeps its files.
    pub fn store_dir(&self, index: usize) -> PathBuf {
        let base = self.options.disk.as_ref().map(|disk| disk.path().to_owned());
        base.unwrap_or_else(|| self.dir.path().join("store")).join(format!("n{index}"))
    }

    /// What a server printed.
    pub fn log(&self, index: usize) -> String {
        fs::read_to_string(self.log_path(index)).unwrap_or_default()
    }

    /// The server's process id, while it runs.
    pub fn pid(&self, index: usize) -> Option<u32> {
        self.nodes.get(index)?.child.as_ref().map(Child::id)
    }

    /// Ends a server at once (SIGKILL).
    pub fn kill(&mut self, index: usize) -> Result<()> {
        if let Some(mut child) = self.nodes.get_mut(index).and_then(|node| node.child.take()) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks a server to end (SIGTERM) and waits for it.
    pub fn stop(&mut self, index: usize) -> Result<()> {
        self.signal(index, "TERM")?;
        let child = self.nodes.get_mut(index).and_then(|node| node.child.take());
        let mut child = child.context("the server runs")?;
        let deadline = Instant::now() + START_LIMIT;
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                bail!("the nats-server did not end:\n{}", self.log(index));
            }
            pause();
        }
        Ok(())
    }

    /// Which executable the servers are that are started from now on.
    pub fn exchange_binary(&mut self, binary: PathBuf) {
        self.options.binary = Some(binary);
    }

    /// Starts a server again, with the same ports and files, and waits until it is ready.
    pub fn start(&mut self, index: usize) -> Result<()> {
        self.spawn(index)?;
        self.wait_ready(index)
    }

    /// Starts a server again and does not wait: of a cluster without a majority none is ready.
    pub fn spawn(&mut self, index: usize) -> Result<()> {
        let binary = self.options.binary.clone().map_or_else(binary, Ok)?;
        let log = File::options().create(true).append(true).open(self.log_path(index))?;
        let mut words = self.options.disk.as_ref().map(|disk| disk.enter()).unwrap_or_default();
        words.push(binary.to_str().context("a plain path")?.to_owned());
        let (program, args) = words.split_first().context("a program")?;
        let mut command = Command::new(program);
        command.args(args).arg("-c").arg(self.config_path(index));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("nats-server does not start")?;
        self.nodes.get_mut(index).context("there is such a server")?.child = Some(child);
        Ok(())
    }

    /// Stops a server's process where it is (SIGSTOP); returns once all its threads stand still, as one of them could still answer.
    pub fn pause(&self, index: usize) -> Result<()> {
        self.signal(index, "STOP")?;
        let tasks = format!("/proc/{}/task", self.pid(index).context("the server runs")?);
        let stands_still = || -> Result<bool> {
            for task in std::fs::read_dir(&tasks)? {
                // The state follows the name of the program, which is in parentheses (proc(5)).
                let stat = std::fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
                if stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('T')) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        for _ in 0..500 {
            if stands_still()? {
                return Ok(());
            }
            pause();
        }
        anyhow::bail!("the server did not stop within 5 s")
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self, index: usize) -> Result<()> {
        self.signal(index, "CONT")
    }

    /// Lets no file of a running server grow beyond so many bytes: almost what a full disk is, for those who may not make one.
    pub fn limit_files(&self, index: usize, bytes: u64) -> Result<()> {
        let pid = self.pid(index).context("the server runs")?.to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status()?;
        ensure!(limited.success(), "prlimit, of util-linux, failed");
        Ok(())
    }

    fn signal(&self, index: usize, name: &str) -> Result<()> {
        let pid = self.pid(index).context("the server runs")?;
        signal(pid, name)
    }

    /// Until the server says that it and JetStream are well.
    pub fn wait_ready(&mut self, index: usize) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.is_ready(index) {
                return Ok(());
            }
            let node = self.nodes.get_mut(index).context("there is such a server")?;
            if let Some(child) = node.child.as_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("nats-server ended with {status}:\n{}", self.log(index));
            }
            ensure!(Instant::now() < deadline, "nats-server is not ready:\n{}", self.log(index));
            pause();
        }
    }

    fn is_ready(&self, index: usize) -> bool {
        let Some(node) = self.nodes.get(index) else { return false };
        let asked = get(node.monitor, "/healthz");
        asked.is_ok_and(|answer| answer.contains("200 OK"))
            && TcpStream::connect(("127.0.0.1", node.client)).is_ok()
    }

    /// What the server tells of itself, such as `/varz`.
    pub fn monitor(&self, index: usize, path: &str) -> Result<String> {
        get(self.nodes.get(index).context("there is such a server")?.monitor, path)
    }

    fn config_path(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("n{index}.conf"))
    }

    fn log_path(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("n{index}.log"))
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(child) = node.child.as_mut() {
                // A process that stands still dies of SIGKILL, too.
                let _ended_anyway = child.kill();
                let _reaped = child.wait();
            }
        }
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status()?;
    ensure!(sent.success(), "kill -{name} failed");
    Ok(())
}

fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(STEP_LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Below the ports that the system chooses itself (from 32768 on Linux), so that a test's server that starts later, or again,
/// finds its port free.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Ports that are free now.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut dice = Dice::new(RandomState::new().hash_one(()));
    let mut ports = BTreeSet::new();
    for _ in 0..count * 100 {
        if ports.len() == count {
            break;
        }
        let port = PORTS.start + u16::try_from(dice.below(PORTS.len() as u128))?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ports.insert(port);
        }
    }
    ensure!(ports.len() == count, "too few ports are free");
    Ok(ports.into_iter().collect())
}

fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
