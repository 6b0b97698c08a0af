//! The real `grantbook` executable, built once by cargo in the profile of the caller.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

/// Where the executable is: `GRANTBOOK_TEST_EXECUTABLE`, which the runner of all tests sets; else builds it the first time.
pub fn grantbook() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let what = ["--package", "grantbook-cli", "--bin", "grantbook"];
    let built = BINARY.get_or_init(|| match std::env::var_os("GRANTBOOK_TEST_EXECUTABLE") {
        Some(path) => Ok(path.into()),
        None => build(&what, "grantbook").map_err(|error| format!("{error:#}")),
    });
    built.as_deref().map_err(|error| anyhow::anyhow!("cannot build the executable: {error}"))
}

/// Where an example is; builds it.
pub fn example(name: &str) -> Result<PathBuf> {
    build(&["--package", "grantbook-tests", "--example", name], &format!("examples/{name}"))
}

/// Builds something and says where it is, below the directory of the profile.
fn build(what: &[&str], path: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile_dir = own
        .ancestors()
        .skip(1)
        .find(|dir| dir.file_name().is_some_and(|name| name != "deps"))
        .context("the test executable lies in no target directory")?;
    let target_dir = profile_dir.parent().context("the target directory has a parent")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet"]).args(what);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // What cargo tells the package under test would make it build others anew, whose build scripts look at it.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.to_string_lossy().starts_with(start)) {
            cargo.env_remove(name);
        }
    }
    cargo.arg("--target-dir").arg(target_dir).current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.status().context("cargo does not start")?;
    ensure!(status.success(), "cargo build ended with {status}");
    Ok(profile_dir.join(path))
}

/// Runs the executable with a clean environment and waits for its end. Without `--data` it keeps what it keeps in a directory
/// that goes with it.
pub fn run(args: &[&str], env: &[(&str, &str)]) -> Result<Output> {
    let scratch = tempfile::tempdir()?;
    let mut command = Command::new(grantbook()?);
    command.args(args).env("GRANTBOOK_DATA", scratch.path().join("data"));
    for name in
        ["GRANTBOOK_URL", "GRANTBOOK_COMMAND_URL", "GRANTBOOK_KEY", "GRANTBOOK_NATS_URL", "GRANTBOOK_LOG"]
    {
        command.env_remove(name);
    }
    command.envs(env.iter().copied());
    command.output().context("grantbook does not start")
}
