//! The id of a node: made once, and kept in its data directory.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{ids::IdSource, snapshots::NodeId, start::StartError};

/// The file in the data directory.
pub const NODE_ID_FILE: &str = "node-id";

/// The id of the node with this data directory. Blocks.
pub fn node_id(data: &Path, ids: &IdSource) -> Result<NodeId, StartError> {
    let path = data.join(NODE_ID_FILE);
    let failed = |source| StartError::Write { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let broken =
                || io::Error::other("it does not hold the id of a node: remove it, a new one is made");
            text.trim().parse().map_err(|_| failed(broken()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let node: NodeId = ids.id();
            let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            written.and_then(|mut file| writeln!(file, "{node}")).map_err(failed)?;
            Ok(node)
        }
        Err(error) => Err(failed(error)),
    }
}
