//! How tests end, and what is printed of it.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{process::Command, time::timeout};

use crate::{TEST_LIMIT, suites::Test};

/// How many of the slowest tests are listed.
const SLOWEST: usize = 20;

/// What a test executable prints at the end of a run of one test that passed.
const ONE_PASSED: &str = "test result: ok. 1 passed;";

/// What a line begins with that a test wants to be seen also if it passes.
const TOLD: &str = "told: ";

/// One test that ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    title: String,
    took: Duration,
    /// What it wants to be seen.
    told: Vec<String>,
    /// What it printed, if it failed.
    failure: Option<String>,
}

impl Outcome {
    /// Runs a test. `executable` is the `grantbook` that acceptance tests start.
    pub(crate) async fn of(test: Test, executable: &Path) -> Result<Self> {
        let begun = Instant::now();
        let mut command = Command::new(&test.suite.executable);
        command.args(["--exact", &test.name, "--nocapture"]).current_dir(&test.suite.directory);
        command.env("GRANTBOOK_TEST_EXECUTABLE", executable).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = || test.suite.executable.display().to_string();
        let child = command.spawn().with_context(failed)?;
        let (mut group, mut told) = (Group(child.id()), Vec::new());
        let failure = match timeout(TEST_LIMIT, child.wait_with_output()).await {
            Err(_) => Some(format!("killed: it took longer than {TEST_LIMIT:?}")),
            Ok(output) => {
                group.0 = None;
                let output = output.with_context(failed)?;
                let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
                told.extend(printed.lines().filter_map(|line| line.strip_prefix(TOLD)).map(str::to_owned));
                // A name that fits no test, or an ignored one, ends well too.
                let has_passed = output.status.success() && printed.contains(ONE_PASSED);
                (!has_passed).then_some(printed)
            }
        };
        Ok(Self { title: test.title(), took: begun.elapsed(), told, failure })
    }
}

/// The process group of a test that runs: the test, and every server that it started. Killed when dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let mut kill = std::process::Command::new("kill");
            let _may_have_ended = kill.args(["-KILL", "--", &format!("-{leader}")]).status();
        }
    }
}

/// All tests that ended so far.
#[derive(Debug)]
pub(crate) struct Summary {
    total: usize,
    ended: Vec<Outcome>,
}

impl Summary {
    pub(crate) fn of(total: usize) -> Self {
        Self { total, ended: Vec::with_capacity(total) }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        let (number, total, took) = (self.ended.len() + 1, self.total, outcome.took.as_secs_f64());
        let word = if outcome.failure.is_none() { "ok" } else { "FAILED" };
        print(&format!("[{number:>4}/{total}] {took:>7.2} s  {word}  {}", outcome.title));
        for line in &outcome.told {
            print(&format!("{:>29}{line}", ""));
        }
        self.ended.push(outcome);
    }

    pub(crate) fn is_good(&self) -> bool {
        self.ended.iter().all(|outcome| outcome.failure.is_none())
    }

    /// The slowest, what failed with what it printed, and the count.
    pub(crate) fn print(&mut self, took: Duration) {
        self.ended.sort_by_key(|outcome| std::cmp::Reverse(outcome.took));
        print(&format!("\nThe {SLOWEST} slowest tests:"));
        for Outcome { title, took, .. } in self.ended.iter().take(SLOWEST) {
            print(&format!("{:>9.2} s  {title}", took.as_secs_f64()));
        }
        let failed: Vec<_> = self.ended.iter().filter(|outcome| outcome.failure.is_some()).collect();
        for Outcome { title, failure, .. } in &failed {
            print(&format!("\n---- {title} ----\n{}", failure.as_deref().unwrap_or_default()));
        }
        for Outcome { title, .. } in &failed {
            print(&format!("FAILED  {title}"));
        }
        let (passed, failed) = (self.ended.len() - failed.len(), failed.len());
        print(&format!("\nin {:.1} s:\n{passed} passed, {failed} failed", took.as_secs_f64()));
    }
}

/// A line of standard output.
#[expect(clippy::print_stdout, reason = "reporting is what this program is for")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}
