//! The API that Braintrust's published clients speak, below `/braintrust`: their words for what the native API does.
//!
//! No rule lives here. Each call becomes calls of the native API in this process, with the caller's key: those decide, and on a
//! read node they are forwarded as any other. On this wire a service account is what the native API calls a service token, and
//! a service token is a key of it. `docs/braintrust.md` lists the calls.

mod body;
mod call;
mod caller;
mod denial;
pub(crate) mod management;
mod native;
mod page;
pub(crate) mod sdk;

pub(crate) use self::native::NativeRouter;
