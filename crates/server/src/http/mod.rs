//! The toolkit of HTTP: bodies, queries, paths, problems, streams, cursors. It knows nothing of ours but the API's words.

pub(crate) mod body;
pub(crate) mod client_address;
pub(crate) mod cursor;
pub(crate) mod head;
pub(crate) mod instant;
pub(crate) mod metric_text;
pub(crate) mod network;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod respond;
pub(crate) mod single_header;
pub(crate) mod stream;
