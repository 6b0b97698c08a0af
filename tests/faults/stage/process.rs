//! One process of the stage: stopped where it is, limited in what it may write, waited for.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{nats::signal, server::Server};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(1);

/// Stops processes where they are, or lets them go on.
pub(crate) fn stand_still(pids: &[Option<u32>], still: bool) -> Result<()> {
    for pid in pids {
        signal(pid.context("it runs")?, if still { "STOP" } else { "CONT" })?;
    }
    Ok(())
}

/// Until the process says that it is ready.
pub(crate) fn wait_ready(server: &Server) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let asked = server.http().and_then(|mut http| http.send("GET", "/readyz", &Value::Null));
        let told = match &asked {
            Ok(reply) if reply.status == 200 => return Ok(()),
            Ok(reply) => reply.json().to_string(),
            Err(error) => format!("{error:#}"),
        };
        ensure!(Instant::now() < deadline, "{} is not ready: {told}", server.base());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Lets no file of a running process grow beyond so many bytes.
pub(crate) fn limit_files(server: &Server, bytes: u64) -> Result<()> {
    let pid = server.pid().context("it runs")?.to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status()?;
    ensure!(limited.success(), "prlimit, of util-linux, failed");
    Ok(())
}
