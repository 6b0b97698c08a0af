//! What pages are made of: forms that come in, and things in words that go out.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod change;
pub(crate) mod days;
pub(crate) mod form;
pub(crate) mod grant;
pub(crate) mod paging;
pub(crate) mod record;
pub(crate) mod time;
