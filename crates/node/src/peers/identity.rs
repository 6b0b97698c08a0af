//! The id of a node: made once, and kept in its data directory.

use std::{fs, io, path::Path};

use grantbook_files as files;

use crate::{error::ReadSideError, snapshots::NodeId};
use grantbook_journal::{follow::open::OpenError, stamp::ids::IdSource};

/// The file in the data directory.
pub const NODE_ID_FILE: &str = "node-id";

/// The id of the node with this data directory. Blocks.
pub fn node_id(data: &Path, ids: &IdSource) -> Result<NodeId, ReadSideError> {
    let path = data.join(NODE_ID_FILE);
    let failed = |source| ReadSideError::from(OpenError::Write { path: path.clone(), source });
    match fs::read_to_string(&path) {
        Ok(text) => {
            let broken =
                || io::Error::other("it does not hold the id of a node: remove it, a new one is made");
            text.trim().parse().map_err(|_| failed(broken()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let node: NodeId = ids.id();
            files::write_new(&path, format!("{node}\n").as_bytes()).map_err(failed)?;
            Ok(node)
        }
        Err(error) => Err(failed(error)),
    }
}
