//! Prints the story: sentences, each command as a person would type it, and what the command prints.

use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use grantbook_api::words::secret::Secret;
use tokio::process::Command;

use crate::shared::output::Output;

const SUCCESS: i32 = 0;

/// Prints the sentences of the story.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrator {
    out: Output,
    is_bold: bool,
}

impl Narrator {
    /// Bold on a terminal, unless `NO_COLOR` is set to something (<https://no-color.org>).
    pub(super) fn new(out: Output) -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { out, is_bold: io::stdout().is_terminal() && !no_color }
    }

    /// A paragraph of the story.
    pub(super) fn say(self, text: &str) -> Result<()> {
        let (on, off) = if self.is_bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.print(&format!("\n{on}{text}{off}"))
    }

    /// Lines as they are.
    pub(super) fn print(self, text: &str) -> Result<()> {
        Ok(self.out.line(text)?)
    }
}

/// A running demo server, as its clients know it.
#[derive(Debug)]
pub(super) struct Served {
    /// Base URL that answers; also takes writes unless `command_url` is set.
    pub(super) url: String,
    /// Base URL that takes writes.
    pub(super) command_url: Option<String>,
    /// Where the journal is, in words.
    pub(super) journal: String,
    /// The key of Ada, who owns the organization.
    pub(super) owner_key: Secret,
}

/// Runs commands of this executable against the demo's server, and prints them.
#[derive(Debug)]
pub(super) struct Shell {
    narrator: Narrator,
    executable: PathBuf,
    served: Served,
}

impl Shell {
    pub(super) fn new(narrator: Narrator, served: Served) -> Result<Self> {
        Ok(Self { narrator, executable: env::current_exe()?, served })
    }

    /// A paragraph of the story.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        self.narrator.say(text)
    }

    /// Runs a command with Ada's key; it must succeed. Returns its standard output.
    pub(super) async fn run(&self, args: &[&str]) -> Result<String> {
        self.show("", args)?;
        self.execute(&self.served.owner_key, args, SUCCESS).await
    }

    /// Runs a command with the application's key; it must end with this exit code.
    pub(super) async fn run_as(&self, key: &Secret, args: &[&str], expected: i32) -> Result<String> {
        self.show("GRANTBOOK_KEY=gb_st_... ", args)?;
        self.execute(key, args, expected).await
    }

    /// Runs a command with Ada's key and prints nothing. Returns its standard output.
    pub(super) async fn run_quietly(&self, args: &[&str]) -> Result<String> {
        Ok(self.output(&self.served.owner_key, args, SUCCESS).await?.stdout)
    }

    fn show(&self, prefix: &str, args: &[&str]) -> Result<()> {
        let words: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
        self.narrator.print(&format!("\n$ {prefix}grantbook {}", words.join(" ")))
    }

    async fn execute(&self, key: &Secret, args: &[&str], expected: i32) -> Result<String> {
        let Printed { stdout, stderr } = self.output(key, args, expected).await?;
        self.narrator.print(format!("{stdout}{stderr}").trim_end())?;
        if expected != SUCCESS {
            self.narrator.print(&format!("(exit code {expected})"))?;
        }
        Ok(stdout)
    }

    async fn output(&self, key: &Secret, args: &[&str], expected: i32) -> Result<Printed> {
        let mut command = Command::new(&self.executable);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("GRANTBOOK_") {
                command.env_remove(name);
            }
        }
        command.args(args).env("GRANTBOOK_URL", &self.served.url).env("GRANTBOOK_KEY", key.expose());
        command.envs(self.served.command_url.as_ref().map(|url| ("GRANTBOOK_COMMAND_URL", url)));
        if self.served.command_url.is_some() {
            // The node may be a moment behind the write of the line before.
            command.args(["--at-least", "latest"]);
        }
        // A group of its own: an interrupt from the terminal ends the story, not the command before it.
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let output = command.output().await.context("a command of the demo does not start")?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        let code = output.status.code().unwrap_or(-1);
        ensure!(
            code == expected,
            "`grantbook {}` ended with exit code {code}, expected {expected}: {}",
            args.join(" "),
            stderr.trim_end()
        );
        Ok(Printed { stdout, stderr })
    }
}

struct Printed {
    stdout: String,
    stderr: String,
}

fn quoted(arg: &str) -> String {
    if arg.contains(' ') { format!("'{arg}'") } else { arg.to_owned() }
}
