//! Runs every test of the workspace, several at once, each in a process of its own.
//!
//! Most of the acceptance and fault tests wait for brokers, so more of them run at once than there are cores, beside the
//! suites that compute. `cargo test` runs the same tests, one suite after the other.
//!
//! ```text
//! run-tests [--jobs N] [PART OF A NAME ...]    run all tests, or those whose name contains one of the words
//! run-tests --names                            print the names, sorted
//! ```

mod outcome;
mod suites;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use self::{
    outcome::{Outcome, Summary},
    suites::Test,
};

/// No test takes longer; one that does is killed.
const TEST_LIMIT: Duration = Duration::from_mins(10);

/// What was asked for on the command line.
struct Options {
    names: bool,
    jobs: usize,
    wanted: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = options()?;
    let suites = suites::built()?;
    let mut tests = Vec::new();
    for suite in &suites {
        tests.extend(suite.tests()?);
    }
    let is_wanted = |test: &Test| {
        options.wanted.is_empty() || options.wanted.iter().any(|part| test.title().contains(part))
    };
    tests.retain(is_wanted);
    ensure!(!tests.is_empty(), "no test has {} in its name", options.wanted.join(" or "));
    if options.names {
        let mut names: Vec<String> = tests.iter().map(Test::title).collect();
        names.sort();
        for name in &names {
            outcome::print(name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let executable = suites::executable()?;
    let begun = Instant::now();
    let mut summary = tokio::select! {
        summary = run(tests, options.jobs, executable) => summary?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            anyhow::bail!("interrupted; the tests that ran, and what they had started, were killed");
        }
    };
    summary.print(begun.elapsed());
    Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options() -> Result<Options> {
    let cores = std::thread::available_parallelism()?.get();
    let mut options = Options { names: false, jobs: cores * 2, wanted: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--names" => options.names = true,
            "--jobs" => options.jobs = args.next().context("--jobs needs a number")?.parse()?,
            _ => options.wanted.push(arg),
        }
    }
    Ok(options)
}

/// Runs the tests in their order, so many at once.
async fn run(tests: Vec<Test>, jobs: usize, executable: std::path::PathBuf) -> Result<Summary> {
    let (slots, summary) = (Arc::new(Semaphore::new(jobs)), Arc::new(Mutex::new(Summary::of(tests.len()))));
    let mut running = JoinSet::new();
    for test in tests {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (summary, executable) = (Arc::clone(&summary), executable.clone());
        running.spawn(async move {
            let outcome = Outcome::of(test, &executable).await?;
            summary.lock().await.add(outcome);
            drop(slot);
            anyhow::Ok(())
        });
    }
    while let Some(one) = running.join_next().await {
        one??;
    }
    Ok(Arc::try_unwrap(summary).ok().context("all tests have ended")?.into_inner())
}
