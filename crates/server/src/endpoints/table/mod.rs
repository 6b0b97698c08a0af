//! The one list of operations. A row says what an operation is; the files of `routes` and `authzen` say how it is done.

mod accounts;
mod questions;
mod rights;

use crate::endpoints::Endpoint;

/// All operations.
pub(crate) fn table() -> Vec<Endpoint> {
    [accounts::rows(), rights::rows(), questions::rows()].into_iter().flatten().collect()
}
