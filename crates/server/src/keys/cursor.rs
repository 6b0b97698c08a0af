//! The key that nodes share so that a list begun on one goes on at another.

use std::{fmt, path::Path};

use crate::keys::{KeyFileError, KeyKind, create, derive, load};

/// The kind of its file.
const CURSOR_KEY: KeyKind = KeyKind { word: "cursor", prefix: "grantbook-cursor-key-1:" };

/// What cursors are bound with; never printed.
#[derive(Clone)]
pub struct CursorKey([u8; 32]);

impl CursorKey {
    /// Makes a key file that only its owner can read. Refuses to replace a file. Blocks.
    pub fn create(path: &Path) -> Result<(), KeyFileError> {
        create(CURSOR_KEY, path).map(drop)
    }

    /// Reads a key file. Refuses one that others than its owner can read. Blocks.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        load(CURSOR_KEY, path).map(|bytes| Self(derive(&bytes, [&b"grantbook cursor\0"[..]])))
    }

    /// The key of the digests.
    pub(crate) const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(****)")
    }
}
