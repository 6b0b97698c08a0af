//! The example of docs/embedding.md as a stranger runs it: it follows a real journal and its answers change with it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, nats::Nats, org::Story, server::Server};
use serde_json::Value;

#[test]
fn a_program_that_embeds_the_view_answers_by_itself() -> Result<()> {
    let nats = Nats::single()?;
    let server = Server::start_over(&nats.url())?;
    let story = Story::tell(&server)?;
    let mut program = Command::new(binary::example("embed")?)
        .args(["--nats", &nats.url(), &format!("token:{}", story.token), "update"])
        .arg(format!("project:{}", story.staging))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdin = program.stdin.take();
    let mut lines = BufReader::new(program.stdout.take().context("its output")?).lines();
    let mut next = || lines.next().context("a line")?.context("it can be read");
    ensure!(next()?.starts_with("allowed, "));
    server.call("DELETE", &format!("/v1/grants/{}", story.grant), &Value::Null)?.expect(200)?;
    ensure!(next()?.starts_with("denied, "), "the revocation is there without asking anybody");
    drop(stdin);
    let figures = next()?;
    ensure!(figures.contains(" checks, ") && figures.ends_with(" ns each"), "{figures}");
    ensure!(program.wait()?.success());
    Ok(())
}
