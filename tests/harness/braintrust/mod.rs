//! The published clients of Braintrust, as their registries have them (`make braintrust` fetches them, pinned by hash).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::fetched::{self, NODE, path};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `PyPI` braintrust 0.47.0.
    Python,
    /// `PyPI` braintrust 0.30.1, which calls the `register` routes.
    OldPython,
    /// npm braintrust 3.35.0.
    JavaScript,
}

impl Sdk {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Python, Self::OldPython, Self::JavaScript];

    fn command(self) -> Result<Command> {
        let (clients, drivers) = (path(".cache/braintrust"), path("tests/clients/braintrust"));
        let python = |version: &str| -> Result<Command> {
            let mut command = Command::new("python3");
            command.env("PYTHONPATH", there(clients.join(version))?).arg(drivers.join("sdk_story.py"));
            Ok(command)
        };
        match self {
            Self::Python => python("sdk-0.47.0"),
            Self::OldPython => python("sdk-0.30.1"),
            Self::JavaScript => {
                there(clients.join("npm"))?;
                let mut command = Command::new(there(path(NODE))?);
                command.arg(drivers.join("story.mjs"));
                Ok(command)
            }
        }
    }
}

/// A client that was logged in and stays so, as an application does: it takes one step after another.
#[derive(Debug)]
pub struct Application {
    child: Child,
    steps: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
}

impl Application {
    /// Starts one at an address, with a key.
    pub fn start(sdk: Sdk, base: &str, key: &str) -> Result<Self> {
        let mut command = sdk.command()?;
        let home = std::env::temp_dir();
        command.env("BASE", format!("{base}/braintrust")).env("KEY", key).env("HOME", home);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (steps, told) = (child.stdin.take(), child.stdout.take().context("its words")?);
        Ok(Self { child, steps, told: BufReader::new(told) })
    }

    /// Has it take a step, such as `init:staging` or `init:production=403`; what it found, or why it was surprised.
    pub fn takes(&mut self, step: &str) -> Result<Value> {
        writeln!(self.steps.as_mut().context("it has ended")?, "{step}")?;
        let told = self.line()?;
        ensure!(told["outcome"] == told["expected"], "{step}: {told}");
        Ok(told)
    }

    /// Ends it: package, version, hash and number of requests, in its own words.
    pub fn finish(mut self) -> Result<Value> {
        drop(self.steps.take());
        let told = self.line()?;
        ensure!(self.child.wait()?.success(), "{told}");
        ensure!(told["requests"].as_u64() > Some(0) && told["hash"].is_string(), "{told}");
        Ok(told)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the client said {line:?}"))
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// Clients with which administrators manage access: each runs a driver to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// The REST client inside `PyPI` braintrust 0.47.0.
    Sdk,
    /// `PyPI` braintrust-api 0.6.0, which validates every reply strictly.
    Strict,
    /// The same, which sends a request again whose answer was lost, as it does by default.
    Again,
    /// npm @braintrust/api 0.1.1.
    JavaScript,
    /// The command line client of npm braintrust 3.35.0.
    Bt,
}

impl Manager {
    /// What it said, line by line; the last line is about itself. An error if anything surprised it.
    pub fn run(self, base: &str, key: &str, args: &[&str]) -> Result<Vec<Value>> {
        let mut command = self.command()?;
        let output = command
            .args(args)
            .env("BASE", format!("{base}/braintrust"))
            .env("KEY", key)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{self:?}"))?;
        let told = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{self:?} {args:?} was surprised: {told}{why}");
        let lines: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let last = lines.last().context("it says nothing")?;
        ensure!(last["step"] == "finished" && last["hash"].is_string(), "{self:?} {args:?}: {told}");
        Ok(lines)
    }

    fn command(self) -> Result<Command> {
        let (clients, drivers) = (path(".cache/braintrust"), path("tests/clients/braintrust"));
        let python = |packages: &str, driver: &str| -> Result<Command> {
            let mut command = Command::new("python3");
            command.env("PYTHONPATH", there(clients.join(packages))?).arg(drivers.join(driver));
            Ok(command)
        };
        match self {
            Self::Sdk => python("sdk-0.47.0", "rest_story.py"),
            Self::Strict => python("api-0.6.0", "api_strict.py"),
            Self::Again => python("api-0.6.0", "api_again.py"),
            Self::JavaScript => {
                there(clients.join("npm"))?;
                let mut command = Command::new(there(path(NODE))?);
                command.arg(drivers.join("api.mjs"));
                Ok(command)
            }
            Self::Bt => {
                there(clients.join("npm"))?;
                let mut command = Command::new("bash");
                command.arg(drivers.join("bt.sh"));
                Ok(command)
            }
        }
    }
}

/// What a client says of itself at its end, for the runner to show: package, version, hash, number of requests.
pub fn client_line(about: &Value) -> String {
    let text = |member: &str| about[member].as_str().unwrap_or("?");
    let requests = about["requests"].as_u64().map_or_else(|| "?".to_owned(), |count| count.to_string());
    format!("told: {} {}, {}, {requests} requests", text("package"), text("version"), text("hash"))
}

/// What `make demo-braintrust` runs; it takes the path of the executable.
pub fn demo() -> Result<Command> {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", there(path(".cache/braintrust/sdk-0.47.0"))?);
    command.arg(path("tests/clients/braintrust/demo.py"));
    Ok(command)
}

fn there(path: PathBuf) -> Result<PathBuf> {
    fetched::there(path, "braintrust")
}
