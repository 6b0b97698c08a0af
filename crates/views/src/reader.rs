//! Reading: a cheap handle to the newest snapshot, and to the image last published.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{
    image::Image,
    store::{
        error::ViewError,
        snapshot::{Shared, Snapshot},
    },
};

/// The image last published, if one is kept; shared by the writer and all readers.
#[derive(Debug, Default)]
pub(crate) struct Published(RwLock<Option<Arc<Image>>>);

impl Published {
    pub(crate) fn publish(&self, image: Image) {
        let image = Some(Arc::new(image));
        let old = {
            let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *slot, image)
        };
        // Nobody waits for what only the old one held to be given free.
        drop(old);
    }
}

/// A handle for reading; clone it freely.
#[derive(Debug, Clone)]
pub struct ViewReader {
    shared: Arc<Shared>,
    published: Arc<Published>,
}

impl ViewReader {
    pub(crate) fn new(shared: Arc<Shared>, published: Arc<Published>) -> Self {
        Self { shared, published }
    }

    /// The view as of the last committed batch.
    pub fn snapshot(&self) -> Result<Snapshot, ViewError> {
        Snapshot::latest(&self.shared)
    }

    /// The image last published by [`crate::ViewWriter::publish_image`]; it may lie behind a snapshot taken now.
    pub fn image(&self) -> Option<Arc<Image>> {
        self.published.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
