//! Work that ends with those who wait for it.

use grantbook_views::Work;

/// Ends the work once nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(Option<Work>);

impl CancelOnDrop {
    /// Of this work.
    pub(crate) const fn of(work: Work) -> Self {
        Self(Some(work))
    }

    /// It was finished.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.cancel();
        }
    }
}
