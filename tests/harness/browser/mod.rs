//! The suite of the console in a real browser: Playwright's, of tests/browser (`make browser` fetches what it needs).

mod people;

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

pub use self::people::settle;
use crate::fetched::{NODE, path, there};

/// No run of a project takes longer; one that does is ended.
const RUN_LIMIT: Duration = Duration::from_mins(8);
/// How long a run that was asked to end may take for closing its browsers.
const END_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// What a line begins with that the runner of all tests shows.
const TOLD: &str = "told: ";
/// What `make browser` leaves behind where it succeeded.
const PLAYWRIGHT: &str = ".cache/browser/node_modules/@playwright/test/cli.js";

/// Whether the suite can run. Where it cannot, this says so; in CI it is an error.
pub fn is_here() -> Result<bool> {
    let Err(why) = version() else { return Ok(true) };
    if std::env::var_os("CI").is_some() {
        return Err(why.context("in CI the console must be tested in a browser"));
    }
    show(&format!("{TOLD}NOT tested in a browser: {why:#}"));
    Ok(false)
}

fn version() -> Result<()> {
    there(path(PLAYWRIGHT), "browser")?;
    let node = there(path(NODE), "browser")?;
    let asked = Command::new(node).arg(path("tests/browser/chromium.mjs")).arg("--version").output()?;
    ensure!(asked.status.success(), "no Chromium starts (make browser, or CHROMIUM=path)");
    Ok(())
}

/// Runs one project of the suite with these environment variables, and prints what it wants to be seen; an error that shows its
/// whole output if a test failed.
pub fn run(project: &str, env: &[(&str, String)]) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let log = scratch.path().join("output.txt");
    let written = File::create(&log)?;
    let mut command = Command::new(there(path(NODE), "browser")?);
    command.arg(there(path(PLAYWRIGHT), "browser")?).arg("test");
    command.arg("--config").arg(path("tests/browser/playwright.config.mjs")).args(["--project", project]);
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.env("OUTPUT", scratch.path().join("results")).env("FORCE_COLOR", "0");
    command.stdin(Stdio::null()).stdout(written.try_clone()?).stderr(written);
    let mut suite = Running(command.spawn().context("node does not start")?);
    let succeeded = suite.ends_well();
    let printed = std::fs::read_to_string(&log)?;
    match succeeded {
        Ok(true) => {}
        Ok(false) => bail!("project {project} failed:\n{printed}{}", pages(&scratch.path().join("results"))),
        Err(why) => return Err(why.context(format!("project {project}:\n{printed}"))),
    }
    let told: Vec<&str> = printed.lines().filter(|line| line.starts_with(TOLD)).collect();
    ensure!(!told.is_empty(), "project {project} ran no test:\n{printed}");
    for line in told {
        show(line);
    }
    Ok(())
}

/// A line of standard output, where the runner of all tests looks for it.
#[expect(clippy::print_stdout, reason = "what the suite says of itself is to be seen")]
fn show(line: &str) {
    println!("{line}");
}

/// The pages on which tests failed, as Playwright describes them.
fn pages(results: &Path) -> String {
    let Ok(failed) = std::fs::read_dir(results) else { return String::new() };
    let contexts = failed.flatten().map(|entry| entry.path().join("error-context.md"));
    contexts.filter_map(|context| std::fs::read_to_string(context).ok()).collect()
}

/// A run of Playwright; ended when dropped, and with it the browsers, whose pipe it holds.
struct Running(Child);

impl Running {
    fn ends_well(&mut self) -> Result<bool> {
        match self.ends_within(RUN_LIMIT)? {
            Some(succeeded) => Ok(succeeded),
            None => bail!("it took longer than {RUN_LIMIT:?}"),
        }
    }

    /// Whether it succeeded, if it ends in this time.
    fn ends_within(&mut self, limit: Duration) -> Result<Option<bool>> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status.success()));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        let _may_have_ended = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _killed_below = self.ends_within(END_LIMIT);
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}
