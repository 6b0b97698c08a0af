//! What a view says of the journal that it was made of.

use std::path::Path;

use grantbook_journal::{
    Identity,
    chain::StreamEnd,
    follow::known_head::{KnownHead, SeenEnd},
};
use grantbook_views::{ViewError, ViewWriter};

use crate::project::Checkpoint;

/// What a view knows of this journal; none if the file is no view of it that goes on. Blocks.
///
/// # Errors
///
/// The view is in use, or damaged.
pub fn head_of_view(path: &Path, identity: Identity) -> Result<Option<KnownHead>, ViewError> {
    if !ViewWriter::would_resume(path, identity.installation)? {
        return Ok(None);
    }
    let (writer, _) = ViewWriter::open(path, identity.installation)?;
    let Ok(checkpoint) = Checkpoint::decode(writer.checkpoint()) else { return Ok(None) };
    let StreamEnd { sequence, hash, .. } = checkpoint.end;
    Ok(Some(KnownHead::new(identity, SeenEnd { sequence, hash })))
}
