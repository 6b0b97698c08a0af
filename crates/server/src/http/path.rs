//! Paths: split first, decoded afterwards, so that an encoded slash stays inside its segment.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::http::problem::Failure;

/// The variable segments of a route's path, decoded; what cannot be decoded is not there.
#[derive(Debug)]
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(segments)| Self(segments)).map_err(|_| Failure::no_route())
    }
}

/// The segments of an absolute path, decoded; none if it is not one.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

/// Percent-decoded text; none unless every escape is whole and the result is UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (rest.next().and_then(digit)?, rest.next().and_then(digit)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        let expected = ["v1", "objects", "dataset", "a/b c"];
        assert_eq!(segments("/v1/objects/dataset/a%2Fb%20c").unwrap(), expected);
    }

    #[test]
    fn a_broken_escape_is_no_path() {
        for path in ["/a%", "/a%4", "/a%zz", "/%ff", "a/b", ""] {
            assert_eq!(segments(path), None, "{path}");
        }
    }
}
