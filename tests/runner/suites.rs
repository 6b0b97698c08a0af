//! The suites: what `cargo test` builds, in the order in which they are begun.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Suites that are begun first, because their longest tests are the longest of all.
const FIRST: [&str; 3] = ["tests::faults", "tests::it", "views::views"];

/// One test executable.
#[derive(Debug)]
pub(crate) struct Suite {
    /// `PACKAGE::TARGET`, such as `domain::it`.
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    /// The package's directory, in which its tests run.
    pub(crate) directory: PathBuf,
}

/// One test of a suite.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) suite: Arc<Suite>,
    pub(crate) name: String,
}

impl Test {
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.suite.name, self.name)
    }
}

/// Builds what is to be tested, and all tests.
pub(crate) fn built() -> Result<Vec<Arc<Suite>>> {
    let mut cargo = cargo();
    cargo.args(["test", "--locked", "--no-run", "--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo test --no-run ended with {}", output.status);
    let mut suites = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        suites.extend(suite(&serde_json::from_slice(line)?)?);
    }
    let place =
        |suite: &Arc<Suite>| FIRST.iter().position(|first| *first == suite.name).unwrap_or(FIRST.len());
    suites.sort_by(|one, other| (place(one), &one.name).cmp(&(place(other), &other.name)));
    ensure!(suites.len() > 5, "cargo builds suites");
    Ok(suites)
}

/// The suite that a message of cargo's is about, if it is one.
fn suite(message: &Value) -> Result<Option<Arc<Suite>>> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
    let Some(executable) = text("/executable").filter(|_| is_test) else { return Ok(None) };
    let manifest = Path::new(text("/manifest_path").context("a manifest")?);
    let directory = manifest.parent().context("a directory")?.to_owned();
    let package = directory.file_name().context("a name")?.to_string_lossy();
    let target = text("/target/name").context("a target")?;
    let name = if text("/target/kind/0") == Some("test") { target } else { "unit" };
    Ok(Some(Arc::new(Suite { name: format!("{package}::{name}"), executable: executable.into(), directory })))
}

/// Builds `grantbook`; where it is.
pub(crate) fn executable() -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args([
        "build",
        "--locked",
        "--package",
        "grantbook-cli",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo build ended with {}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut found = messages.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    found.next().context("cargo builds the executable")
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo sets for this program would make it build some packages again.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.to_string_lossy().starts_with(start)) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo
}

impl Suite {
    /// All its tests, in their order.
    pub(crate) fn tests(self: &Arc<Self>) -> Result<Vec<Test>> {
        let output = Command::new(&self.executable).args(["--list", "--format", "terse"]).output()?;
        ensure!(output.status.success(), "{} does not list its tests", self.name);
        let text = String::from_utf8(output.stdout)?;
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(|name| Test { suite: Arc::clone(self), name: name.to_owned() }).collect())
    }
}
