//! Lists, a page at a time.

use crate::{shown::form::Fields, visit::encoded};

/// Items of a page.
pub(crate) const ITEMS: u32 = 50;

/// The link to the next page of a list, with its filters.
pub(crate) fn next(path: &str, asked: &Fields, filters: &[&str], cursor: Option<String>) -> Option<String> {
    let cursor = cursor?;
    let given = filters.iter().filter_map(|name| Some(format!("{name}={}&", encoded(&asked.text(name)?))));
    Some(format!("{path}?{}cursor={}", given.collect::<String>(), encoded(&cursor)))
}
