//! Headers that must not be repeated.

use axum::http::HeaderMap;

use crate::http::problem::Failure;

/// The text of a header that must not be repeated.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Failure::invalid(format!("the header {name} is not UTF-8"))),
        },
        (Some(_), Some(_)) => Err(Failure::invalid(format!("the header {name} must not be repeated"))),
    }
}
