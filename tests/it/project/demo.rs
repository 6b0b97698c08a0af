//! `grantbook demo` tells the whole story and leaves nothing behind, also if it fails or is interrupted.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    nats::{self, Nats},
};
use serde_json::json;
use tempfile::TempDir;

/// Sentences and answers that the story has in every form.
const STORY: [&str; 9] = [
    "which ada@example.com owns",
    "1. A service token",
    "2. A permission group",
    "3. The service token joins the group",
    "4. The application gets a key",
    "$ GRANTBOOK_KEY=gb_st_... grantbook check me update project:production",
    "(exit code 3)",
    "apps must not touch production",
    "found in a public log",
];
const BOLD: &str = "\x1b[1m";

/// A directory for everything temporary, so that what is left behind is seen.
struct Place(TempDir);

impl Place {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// The demo, with an environment that must not disturb it: other servers, other keys.
    fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary::grantbook()?);
        command.arg("demo").args(args).stdin(Stdio::null());
        self.surround(&mut command);
        Ok(command)
    }

    fn surround(&self, command: &mut Command) {
        command.env("TMPDIR", self.0.path()).env_remove("NO_COLOR");
        command.env("GRANTBOOK_URL", "http://127.0.0.1:1").env("GRANTBOOK_COMMAND_URL", "http://127.0.0.1:1");
        command.env("GRANTBOOK_NATS_URL", "nats://127.0.0.1:1").env("GRANTBOOK_DATA", "/nowhere");
        command.env("GRANTBOOK_KEY", "gb_pk_of_somebody_else").env("GRANTBOOK_LISTEN", "127.0.0.1:1");
    }

    /// The demo on a terminal of its own. `script` (util-linux) provides the terminal.
    fn on_a_terminal(&self, env: &[(&str, &str)]) -> Result<Output> {
        let mut command = Command::new("script");
        let demo = format!("{} demo", binary::grantbook()?.display());
        command.args(["--quiet", "--return", "--command", &demo, "/dev/null"]).stdin(Stdio::null());
        self.surround(&mut command);
        command.envs(env.iter().copied()).output().context("script, of util-linux, does not start")
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(fs::read_dir(self.0.path())?.next().is_none())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_whole(output: &Output) -> Result<String> {
    let (told, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{}: {err}\n{told}", output.status);
    for part in STORY {
        ensure!(told.contains(part), "{part:?} is missing in:\n{told}");
    }
    Ok(told)
}

#[test]
fn the_story_is_told_and_nothing_is_left() -> Result<()> {
    let place = Place::new()?;
    let output = place.command(&[])?.output()?;
    let told = is_whole(&output)?;
    assert!(!told.contains('\x1b'), "without a terminal there are no escape sequences");
    assert_eq!(text(&output.stderr), "", "commands of the demo speak through the story");
    assert!(place.is_empty()?);
    Ok(())
}

#[test]
fn a_terminal_gets_bold_sentences_unless_no_color_is_set() -> Result<()> {
    let place = Place::new()?;
    for (env, is_bold) in
        [(&[][..], true), (&[("NO_COLOR", "1")][..], false), (&[("NO_COLOR", "")][..], true)]
    {
        let told = is_whole(&place.on_a_terminal(env)?)?;
        assert_eq!(told.contains(BOLD), is_bold, "{env:?}:\n{told}");
    }
    assert!(place.is_empty()?);
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named_and_nothing_is_left() -> Result<()> {
    let place = Place::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let output = place.command(&["--listen", &address])?.output()?;
    assert_eq!(output.status.code(), Some(1));
    let err = text(&output.stderr);
    assert!(err.contains(&format!("cannot listen on {address}")), "{err}");
    assert!(place.is_empty()?);
    Ok(())
}

#[test]
fn programs_get_told_that_it_is_for_people() -> Result<()> {
    let place = Place::new()?;
    let output = place.command(&["--json"])?.output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("leave out --json"));
    Ok(())
}

#[test]
fn a_reader_who_goes_away_ends_it_and_nothing_is_left() -> Result<()> {
    let place = Place::new()?;
    let (mut child, address) = begun(&place, &[])?;
    drop(child.stdout.take());
    child.wait()?;
    ensure_gone(&place, &address)
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing() -> Result<()> {
    for signal in ["INT", "TERM", "HUP"] {
        let place = Place::new()?;
        let (child, address) = begun(&place, &["--keep"])?;
        is_interrupted(child, signal)?;
        ensure_gone(&place, &address)?;
    }
    Ok(())
}

#[test]
fn what_is_kept_can_be_gone_on_with_as_it_says() -> Result<()> {
    let place = Place::new()?;
    let told = is_whole(&place.command(&["--keep"])?.output()?)?;
    answers_as_it_says(&place, &told)?;
    Ok(())
}

#[test]
fn over_nats_the_story_leaves_no_stream() -> Result<()> {
    let nats = Nats::single()?;
    let place = Place::new()?;
    let told = is_whole(&place.command(&["--nats", &nats.url()])?.output()?)?;
    assert!(told.contains("A command service at"), "{told}");
    assert_eq!(streams(&nats)?, Vec::<String>::new());

    let (child, address) = begun(&place, &["--nats", &nats.url()])?;
    assert_eq!(streams(&nats)?.len(), 1);
    is_interrupted(child, "INT")?;
    ensure_gone(&place, &address)?;
    assert_eq!(streams(&nats)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn over_nats_what_is_kept_can_be_gone_on_with_as_it_says() -> Result<()> {
    let nats = Nats::single()?;
    let place = Place::new()?;
    let told = is_whole(&place.command(&["--keep", "--nats", &nats.url()])?.output()?)?;
    let stream = streams(&nats)?.pop().context("the stream is kept")?;
    assert!(told.contains(&format!("nats stream rm {stream} --force")), "{told}");
    answers_as_it_says(&place, &told)
}

#[test]
fn brokers_that_are_not_there_are_named() -> Result<()> {
    let place = Place::new()?;
    let output = place.command(&["--nats", "nats://127.0.0.1:1"])?.output()?;
    assert_eq!(output.status.code(), Some(1));
    let err = text(&output.stderr);
    assert!(err.contains("cannot connect to nats://127.0.0.1:1"), "{err}");
    assert!(place.is_empty()?);
    Ok(())
}

/// A demo that has its server, and the server's address.
fn begun(place: &Place, args: &[&str]) -> Result<(Child, String)> {
    let mut child = place.command(args)?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("standard output")?);
    let mut line = String::new();
    while !line.starts_with("Grantbook runs at ") {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "the demo ended early");
    }
    let address = line.split(['/', ',']).find(|part| part.starts_with("127.0.0.1:"));
    let address = address.with_context(|| format!("an address in {line:?}"))?.to_owned();
    child.stdout = Some(lines.into_inner());
    Ok((child, address))
}

fn is_interrupted(mut child: Child, signal: &str) -> Result<()> {
    nats::signal(child.id(), signal)?;
    // A pipe that nobody empties would hold the demo up.
    let mut rest = Vec::new();
    child.stdout.take().context("standard output")?.read_to_end(&mut rest)?;
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(1), "{signal}");
    assert!(text(&output.stderr).contains("interrupted"), "{signal}: {}", text(&output.stderr));
    Ok(())
}

fn ensure_gone(place: &Place, address: &str) -> Result<()> {
    ensure!(place.is_empty()?, "files are left behind");
    ensure!(TcpStream::connect(address).is_err(), "the server is left behind");
    Ok(())
}

/// Types what the demo says, in a shell: serve, ask, remove.
fn answers_as_it_says(place: &Place, told: &str) -> Result<()> {
    let typed = |part: &str| -> Result<String> {
        let line = told.lines().find(|line| line.starts_with("  ") && line.contains(part));
        Ok(line.with_context(|| format!("{part:?} in:\n{told}"))?.trim().to_owned())
    };
    let (serve, export, ask) = (typed(" serve --")?, typed("export GRANTBOOK_KEY=")?, typed(" who-can ")?);
    let ready = place.0.path().join("ready");
    let script = format!(
        "{serve} --listen 127.0.0.1:0 --ready-file {ready} 2> {log} & server=$!
         trap 'kill $server; wait $server' EXIT
         until [ -s {ready} ]; do kill -0 $server || exit 9; sleep 0.05; done
         export GRANTBOOK_URL=$(cat {ready})
         {export}
         {ask}",
        ready = ready.display(),
        log = place.0.path().join("log").display(),
    );
    let output = Command::new("timeout").args(["60", "sh", "-c", &script]).output()?;
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{}: {out}{err}", output.status);
    ensure!(out.contains("deploy-bot") && out.contains("ada@example.com"), "{out}");
    let removal = typed("rm -r ")?;
    let kept = removal.strip_prefix("rm -r ").context("a path")?;
    ensure!(Path::new(kept).join("owner.key").exists(), "{removal}");
    ensure!(Command::new("sh").args(["-c", &removal]).status()?.success(), "{removal}");
    ensure!(!Path::new(kept).exists(), "{removal} removes it");
    Ok(())
}

fn streams(nats: &Nats) -> Result<Vec<String>> {
    let told = nats.ask("STREAM.NAMES", &json!({}))?;
    let names = told["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}
