//! Metrics in the text format of Prometheus.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// Writes one number that goes up and down.
pub(crate) fn gauge(text: &mut String, name: &str, help: &str, value: u64) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
}

/// Writes one number that only goes up.
pub(crate) fn counter(text: &mut String, name: &str, help: &str, value: u64) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
}

/// Writes a number for each of several sets of labels, which are written as `name="value"`.
pub(crate) fn labelled(
    text: &mut String,
    (name, kind): (&str, &str),
    help: &str,
    rows: impl Iterator<Item = (String, u64)>,
) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in rows {
        let _infallible = writeln!(text, "{name}{{{labels}}} {value}");
    }
}

/// Writes a number that only goes up for each value of a label.
pub(crate) fn family<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    rows: impl Iterator<Item = (&'a &'a str, &'a AtomicU64)>,
) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
    for (value, counter) in rows {
        let _infallible = writeln!(text, "{name}{{{label}=\"{value}\"}} {}", counter.load(Ordering::Relaxed));
    }
}
