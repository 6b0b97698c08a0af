//! `Idempotency-Key`: which request this is, and what it asked for.

use axum::http::HeaderMap;
use grantbook_api::words::header;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::http::{problem::Failure, single_header::single};
use grantbook_command::Idempotency;

/// Longest request id, in characters.
const KEY_MAX: usize = 128;

/// The request id that the caller chose, with a hash of what it asked for. Whether it may be kept is judged later.
pub(crate) fn of(
    headers: &HeaderMap,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Option<Idempotency>, Failure> {
    let Some(key) = single(headers, header::IDEMPOTENCY_KEY)? else { return Ok(None) };
    let printable = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if key.is_empty() || key.len() > KEY_MAX || !printable {
        return Err(Failure::invalid("Idempotency-Key must have 1 to 128 printable characters"));
    }
    Ok(Some(Idempotency { key: key.to_owned(), request_hash: request_hash(method, path, body) }))
}

/// The first 128 bits of SHA-256 over method, path and canonical body.
fn request_hash(method: &str, path: &str, body: &Value) -> [u8; 16] {
    let mut text = format!("{method}\n{path}\n");
    canonical(body, &mut text);
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut hash = [0; 16];
    for (to, from) in hash.iter_mut().zip(digest) {
        *to = from;
    }
    hash
}

/// Writes JSON without white space and with sorted members, whatever order the map keeps.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                canonical(member, text);
            }
            text.push('}');
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            text.push_str(&scalar.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_hash_depends_on_what_is_asked_and_not_on_how_it_is_written() {
        let one =
            request_hash("POST", "/v1/x", &parsed("{\"b\": [1, {\"y\":2,\"x\":null}], \"a\": \"\\u0041\"}"));
        let same = request_hash("POST", "/v1/x", &parsed("{\"a\":\"A\",\"b\":[1,{\"x\":null,\"y\":2}]}"));
        assert_eq!(one, same);
        for (method, path, body) in [
            ("PATCH", "/v1/x", "{\"a\":\"A\",\"b\":[1,{\"x\":null,\"y\":2}]}"),
            ("POST", "/v1/y", "{\"a\":\"A\",\"b\":[1,{\"x\":null,\"y\":2}]}"),
            ("POST", "/v1/x", "{\"a\":\"A\",\"b\":[1,{\"x\":null,\"y\":3}]}"),
            ("POST", "/v1/x", "{\"a\":\"A\",\"b\":[{\"x\":null,\"y\":2},1]}"),
        ] {
            assert_ne!(one, request_hash(method, path, &parsed(body)), "{method} {path} {body}");
        }
    }

    #[test]
    fn canonical_text_is_sorted_at_every_depth_and_escaped() {
        let mut text = String::new();
        canonical(&parsed("{\"b\":{\"d\":1,\"c\":\"\\n\\\"\"},\"a\\\"\":[ ]}"), &mut text);
        assert_eq!(text, "{\"a\\\"\":[],\"b\":{\"c\":\"\\n\\\"\",\"d\":1}}");
    }

    #[test]
    fn a_key_is_one_header_of_printable_characters() {
        let headers = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IDEMPOTENCY_KEY, axum::http::HeaderValue::from_bytes(value).unwrap());
            }
            headers
        };
        let long = "x".repeat(129);
        for bad in [&[&b""[..]][..], &[long.as_bytes()], &[b"a\tb"], &["caf\u{e9}".as_bytes()], &[b"a", b"a"]]
        {
            assert!(of(&headers(bad), "POST", "/", &Value::Null).is_err(), "{bad:?}");
        }
        assert!(of(&headers(&[]), "POST", "/", &Value::Null).unwrap().is_none());
        assert_eq!(of(&headers(&[b"a b"]), "POST", "/", &Value::Null).unwrap().unwrap().key, "a b");
    }
}
