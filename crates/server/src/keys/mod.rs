//! Files of secret keys, which processes of one installation share.

mod cursor;
mod file;

pub(crate) use self::file::{create, derive, load};
pub use self::{
    cursor::CursorKey,
    file::{KeyFileError, KeyKind},
};
