//! A system clock that can be stepped while processes run: a library that is loaded before theirs and adds to what the
//! system says. The service itself has no such hook. It also makes a file that may not grow an error, as a full disk is,
//! instead of the end of the process.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

/// Reads the number of seconds to add from a file at every question; the steady clocks are left alone.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) { signal(SIGXFSZ, SIG_IGN); }
int clock_gettime(clockid_t id, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, id, time);
    char text[32] = {0};
    const char *path = getenv("FAULTS_CLOCK_FILE");
    if (failed || id != CLOCK_REALTIME || !path) return failed;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
        close(file);
    }
    return 0;
}
"#;

/// What moves the clock of the processes that were started with its environment.
#[derive(Debug)]
pub(crate) struct ClockHand {
    dir: tempfile::TempDir,
}

impl ClockHand {
    /// Compiles the library; none where there is no C compiler.
    pub(crate) fn make() -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let source = dir.path().join("clock.c");
        std::fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(dir.path().join("clock.so")).arg(&source);
        let Ok(status) = compiler.stderr(Stdio::null()).status() else { return Ok(None) };
        let hand = Self { dir };
        hand.step(0)?;
        Ok(status.success().then_some(hand))
    }

    /// What the processes are started with.
    pub(crate) fn env(&self) -> [(&'static str, String); 2] {
        let text = |path: PathBuf| path.display().to_string();
        [
            ("LD_PRELOAD", text(self.dir.path().join("clock.so"))),
            ("FAULTS_CLOCK_FILE", text(self.dir.path().join("offset"))),
        ]
    }

    /// The clock is so many seconds off from now on.
    pub(crate) fn step(&self, seconds: i64) -> Result<()> {
        let next = self.dir.path().join("offset.next");
        std::fs::write(&next, seconds.to_string())?;
        // In one step: nobody reads half a number.
        std::fs::rename(&next, self.dir.path().join("offset")).context("the clock is stepped")
    }
}
