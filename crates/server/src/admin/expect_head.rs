//! What a command that runs to its end asks first: that the journal is no older than what is known of it.

use std::path::Path;

use grantbook_journal::{
    Journal,
    follow::{
        doubt::Doubts,
        known_head::{HeadFile, judge, recall},
        open::OpenError,
    },
};
use tokio::task::spawn_blocking;

use crate::admin::error::AdminError;
use grantbook_node::{head_of_view::head_of_view, read_side::VIEW_FILE};

/// Compares the journal with what the data directory knows of it. A doubt ends the command, also one that only the view in
/// the directory raises.
/// The flag says whether anything was known.
pub(crate) async fn require<J: Journal>(journal: &J, data: &Path) -> Result<(HeadFile, bool), AdminError> {
    let doubts = Doubts::default();
    let (file, known) = recall(journal, data, &doubts).await?;
    let is_known = known.is_some();
    let (view, identity) = (data.join(VIEW_FILE), journal.identity());
    match spawn_blocking(move || head_of_view(&view, identity)).await? {
        Ok(Some(seen)) => judge(journal, &seen, &doubts).await?,
        Ok(None) => {}
        // One in use has a process that compares it, and damage of a view says nothing against the journal.
        Err(error) => tracing::debug!(%error, "the view is not compared with the journal"),
    }
    match doubts.get() {
        Some(doubt) => Err(OpenError::Doubted(doubt).into()),
        None => Ok((file, is_known)),
    }
}
