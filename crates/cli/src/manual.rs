//! `grantbook completions`, `grantbook man`: what shells and `man` know of the command line, made from the same tree.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{args::Cli, shared::exit::Verdict};

const COMPLETIONS: &str = "\
Examples:
  grantbook completions bash > /etc/bash_completion.d/grantbook
  grantbook completions zsh  > ~/.zfunc/_grantbook            # a directory in $fpath
  grantbook completions fish > ~/.config/fish/completions/grantbook.fish";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory for the pages; it is created if it does not exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints the script that completes the command line in a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Verdict> {
    let mut script = Vec::new();
    let (mut tree, name) = (Cli::command(), env!("CARGO_BIN_NAME"));
    clap_complete::generate(args.shell, &mut tree, name, &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Verdict::Yes)
}

/// Writes a manual page for each command, `grantbook-token-create.1` for `grantbook token create`.
pub(crate) fn man(args: &ManArgs) -> Result<Verdict> {
    let failed = || format!("cannot write manual pages into {}", args.directory.display());
    fs::create_dir_all(&args.directory).with_context(failed)?;
    // Apart first: a page's name may be a link to somewhere else.
    let apart = tempfile::tempdir_in(&args.directory).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), apart.path()).with_context(failed)?;
    for page in fs::read_dir(apart.path()).with_context(failed)? {
        let page = page.with_context(failed)?;
        fs::rename(page.path(), args.directory.join(page.file_name())).with_context(failed)?;
    }
    Ok(Verdict::Yes)
}
