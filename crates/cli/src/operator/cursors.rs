//! `grantbook cursor`: the key of cursors.

use std::path::PathBuf;

use crate::shared::{exit::Verdict, output::Output};
use clap::Subcommand;
use grantbook_server::keys::CursorKey;

#[derive(Debug, Subcommand)]
pub(crate) enum CursorVerb {
    /// Make a key in a new file that its owner only may read. Nodes that are given a copy as --cursor-key-file take each
    /// other's cursors.
    Key {
        /// The new file.
        file: PathBuf,
    },
}

pub(crate) fn run(verb: &CursorVerb, out: Output) -> anyhow::Result<Verdict> {
    let CursorVerb::Key { file } = verb;
    CursorKey::create(file)?;
    out.note(&format!(
        "{} holds a cursor key: start every node behind one address with --cursor-key-file and a copy of it",
        file.display()
    ));
    Ok(Verdict::Yes)
}
