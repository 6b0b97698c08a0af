//! The one list of operations. A row says what an operation is; the files of `routes` and `authzen` say how it is done.

mod accounts;
mod braintrust;
mod questions;
mod rights;

use crate::endpoints::Endpoint;

pub(crate) use self::braintrust::calls as braintrust_calls;

/// All operations of the native API.
pub(crate) fn table() -> Vec<Endpoint> {
    [accounts::rows(), rights::rows(), questions::rows()].into_iter().flatten().collect()
}
