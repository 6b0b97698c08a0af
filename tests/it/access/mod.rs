//! Questions and changes over HTTP and by the command line.

pub(crate) mod audit;
pub(crate) mod bad_input;
pub(crate) mod ending;
pub(crate) mod latest;
pub(crate) mod one_address;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod secrets;
pub(crate) mod security_log;
pub(crate) mod story;
pub(crate) mod watch;
pub(crate) mod watching;
pub(crate) mod who_can;
