//! One running server on a free port, with its data in a directory that goes with it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    binary,
    wire::{Http, Reply},
};

const ANY_PORT: &str = "127.0.0.1:0";
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A process of the real executable; killed when dropped.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    owned: Option<tempfile::TempDir>,
    child: Option<Child>,
    /// Where it listens once started.
    listen: String,
    base: String,
    /// The first owner's key.
    pub owner_key: String,
    /// What `init` said: `{organization:{id,name}, user:{id,email}, key}`.
    pub init: Value,
    env: Vec<(String, String)>,
    /// Which part of the service, and where the journal is, if it is in NATS.
    nats: Option<(String, String)>,
    /// How many files a process may have open, if not as many as this one.
    descriptors: Option<u32>,
}

impl Server {
    /// A new installation with organization `acme` and owner `ada@example.com`, started.
    pub fn start() -> Result<Self> {
        let mut server = Self::init()?;
        server.spawn()?;
        Ok(server)
    }

    /// A new installation, not started.
    pub fn init() -> Result<Self> {
        Self::found(None, &[])
    }

    /// A server on an installation that is in the directory `data` of another, with the key of an owner; started.
    pub fn on(owned: tempfile::TempDir, owner_key: &str) -> Result<Self> {
        let (dir, owner_key) = (owned.path().join("data"), owner_key.to_owned());
        let (base, init, env) = (String::new(), Value::Null, Vec::new());
        let mut server = Self {
            dir,
            owned: Some(owned),
            child: None,
            listen: ANY_PORT.to_owned(),
            base,
            owner_key,
            init,
            env,
            nats: None,
            descriptors: None,
        };
        server.spawn()?;
        Ok(server)
    }

    /// A process of an installation that is in NATS already, with a directory of its own and the key of an owner: `all`,
    /// `command` or `read`; not started.
    pub fn joining(part: &str, nats: &str, owner_key: &str) -> Result<Self> {
        let owned = tempfile::tempdir()?;
        let (dir, owner_key) = (owned.path().join("data"), owner_key.to_owned());
        let (base, init, env) = (String::new(), Value::Null, Vec::new());
        let nats = Some((part.to_owned(), nats.to_owned()));
        Ok(Self {
            dir,
            owned: Some(owned),
            child: None,
            listen: ANY_PORT.to_owned(),
            base,
            owner_key,
            init,
            env,
            nats,
            descriptors: None,
        })
    }

    /// A new installation in NATS, of which this process will be everything; not started.
    pub fn init_over(nats: &str) -> Result<Self> {
        Self::init_over_as(nats, &[])
    }

    /// The same, with environment variables of this and all further processes, such as who they are to the servers.
    pub fn init_over_as(nats: &str, env: &[(&str, &str)]) -> Result<Self> {
        Self::found(Some(("all".to_owned(), nats.to_owned())), env)
    }

    /// The same, started.
    pub fn start_over(nats: &str) -> Result<Self> {
        let mut server = Self::init_over(nats)?;
        server.spawn()?;
        Ok(server)
    }

    /// A process on a copy of the same journal in NATS, not started.
    pub fn over(&self, nats: &str) -> Result<Self> {
        let owned = tempfile::tempdir()?;
        let dir = owned.path().join("data");
        let (owner_key, init, env) = (self.owner_key.clone(), self.init.clone(), self.env.clone());
        let nats = Some(("all".to_owned(), nats.to_owned()));
        Ok(Self {
            dir,
            owned: Some(owned),
            child: None,
            listen: ANY_PORT.to_owned(),
            base: String::new(),
            owner_key,
            init,
            env,
            nats,
            descriptors: None,
        })
    }

    /// The same, of which it will be this part: `all`, `command` or `read`.
    pub fn over_as(&self, part: &str, nats: &str) -> Result<Self> {
        let mut other = self.over(nats)?;
        other.nats = Some((part.to_owned(), nats.to_owned()));
        Ok(other)
    }

    /// A further process of the same installation in NATS, with a directory of its own: `all`, `command` or `read`;
    /// started.
    pub fn another(&self, part: &str) -> Result<Self> {
        let mut server = self.another_stopped(part)?;
        server.spawn()?;
        Ok(server)
    }

    /// The same, not started.
    pub fn another_stopped(&self, part: &str) -> Result<Self> {
        let (_, nats) = self.nats.as_ref().context("the journal is in NATS")?;
        self.over_as(part, nats)
    }

    fn found(nats: Option<(String, String)>, env: &[(&str, &str)]) -> Result<Self> {
        let owned = tempfile::tempdir()?;
        let dir = owned.path().join("data");
        let data = dir.to_str().context("a temporary directory has a plain name")?;
        let mut args = vec!["--json", "init", "--org", "acme", "--owner", "ada@example.com", "--data", data];
        if let Some((_, urls)) = &nats {
            args.extend(["--nats", urls]);
        }
        let output = binary::run(&args, env)?;
        ensure!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
        let init: Value = serde_json::from_slice(&output.stdout).context("init --json prints JSON")?;
        let owner_key = init["key"].as_str().context("init prints a key")?.to_owned();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let base = String::new();
        Ok(Self {
            dir,
            owned: Some(owned),
            child: None,
            listen: ANY_PORT.to_owned(),
            base,
            owner_key,
            init,
            env,
            nats,
            descriptors: None,
        })
    }

    /// Sets an environment variable of the processes started from now on, those of the command line client included.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Takes an environment variable away from the processes started from now on.
    pub fn unset_env(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// Lets the processes started from now on have so many files open.
    pub fn set_descriptors(&mut self, count: u32) {
        self.descriptors = Some(count);
    }

    /// The environment variables that were set.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// Starts the process and waits until it is ready.
    pub fn spawn(&mut self) -> Result<()> {
        let ready = self.outer().join("ready");
        let _absent_at_first = std::fs::remove_file(&ready);
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = match self.descriptors {
            None => Command::new(binary::grantbook()?),
            Some(count) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &count.to_string()]);
                shell.arg(binary::grantbook()?);
                shell
            }
        };
        command.arg("serve");
        if let Some((part, urls)) = &self.nats {
            command.args([part, "--nats", urls]);
        }
        command.arg("--data").arg(&self.dir);
        command.args(["--listen", &self.listen, "--ready-file"]).arg(&ready);
        // Tests search everything that can be logged; benchmarks run as users do.
        command.env("GRANTBOOK_LOG", if cfg!(debug_assertions) { "debug" } else { "info" });
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("serve does not start")?;
        let deadline = Instant::now() + START_LIMIT;
        self.base = loop {
            match std::fs::read_to_string(&ready) {
                Ok(base) if base.ends_with('\n') => break base.trim().to_owned(),
                _ if Instant::now() > deadline => {
                    child.kill()?;
                    bail!("not ready within {START_LIMIT:?}:\n{}", self.log());
                }
                _ => {}
            }
            if let Some(status) = child.try_wait()? {
                bail!("serve ended with {status}:\n{}", self.log());
            }
            std::thread::yield_now();
        };
        self.child = Some(child);
        Ok(())
    }

    /// The base URL, `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// From the next start on it listens where it listens now.
    pub fn keep_address(&mut self) -> Result<()> {
        self.base.strip_prefix("http://").context("it was started")?.clone_into(&mut self.listen);
        Ok(())
    }

    /// A connection to the server, as nobody.
    pub fn http(&self) -> Result<Http> {
        Http::connect(&self.base)
    }

    /// One request with a JSON body (none for `Null`), with the owner's key.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Result<Reply> {
        self.http()?.as_bearer(&self.owner_key).send(method, path, body)
    }

    /// A connection whose requests carry the cookie of a session that a user's key started.
    pub fn signed_in(&self, key: &str) -> Result<Http> {
        let session = self.http()?.as_bearer(key).send("POST", "/v1/sessions", &json!({}))?.expect(201)?;
        let secret = session.get("secret").and_then(Value::as_str).context("a secret")?;
        Ok(self.http()?.with("cookie", &format!("grantbook={secret}")))
    }

    /// Runs the command line client against this server with the owner's key; standard output, standard error, exit code.
    pub fn cli(&self, args: &[&str]) -> Result<(String, String, i32)> {
        self.cli_as(&self.owner_key, args)
    }

    /// The same, with another key.
    pub fn cli_as(&self, key: &str, args: &[&str]) -> Result<(String, String, i32)> {
        let mut env = vec![("GRANTBOOK_URL", self.base.as_str()), ("GRANTBOOK_KEY", key)];
        env.extend(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let output = binary::run(args, &env)?;
        let code = output.status.code().unwrap_or(-1);
        Ok((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?, code))
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends the process at once (SIGKILL) and reaps it.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the server runs")?;
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -TERM failed");
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                child.kill()?;
                bail!("not stopped within {STOP_LIMIT:?}:\n{}", self.log());
            }
            std::thread::yield_now();
        }
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.dir
    }

    /// Everything this installation wrote: data, logs.
    pub fn outer(&self) -> PathBuf {
        self.owned.as_ref().map_or_else(|| self.dir.clone(), |owned| owned.path().to_owned())
    }

    /// What the processes printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.outer().join("serve.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_anyway = self.kill();
    }
}
