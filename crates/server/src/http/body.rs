//! JSON bodies: read whole, within limits, strictly; complaints point at the member that is wrong.

use std::{fmt, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{
        HeaderMap,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::http::problem::Failure;

/// Largest body, in bytes.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The bytes of a JSON body: of the right type, in time, not too many.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    require_json(headers)?;
    collect(headers, body).await
}

/// Refuses a body where none belongs.
pub(crate) async fn require_none(headers: &HeaderMap, body: Body) -> Result<(), Failure> {
    let bytes = collect(headers, body).await?;
    if bytes.is_empty() { Ok(()) } else { Err(Failure::invalid("this request takes no body")) }
}

/// A JSON value in which no object names a member twice.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, Failure> {
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let Unique(value) = serde_path_to_error::deserialize(&mut source)?;
    let rest = source.end();
    rest.map_err(|error| Failure::invalid(format!("malformed JSON: {error}")))?;
    Ok(value)
}

/// A `T` from a value.
pub(crate) fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    Ok(serde_path_to_error::deserialize(value)?)
}

/// A `T` from text; where it fits, without looking twice.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    if let Ok(parsed) = serde_json::from_slice(bytes) {
        return Ok(parsed);
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut source)?;
    source.end().map_err(|error| Failure::invalid(format!("malformed JSON: {error}")))?;
    Ok(parsed)
}

/// One step of a JSON pointer (RFC 6901), with its slash.
pub(crate) fn escape_pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_MAX as u64) {
        return Err(Failure::body_too_large(BODY_MAX));
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length(&error) => Err(Failure::body_too_large(BODY_MAX)),
        Ok(Err(_)) => Err(Failure::invalid("the body ended early")),
        Err(_) => Err(Failure::body_too_slow()),
    }
}

/// Whether the limit was the cause: `to_bytes` tells only by the text of its source.
fn is_length(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Failure::not_json()) }
}

/// A value read with the wish that every member has its own name: of two, a reader could take either.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueSeed).map(Self)
    }
}

struct UniqueSeed;

impl<'de> DeserializeSeed<'de> for UniqueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let member = object.next_value_seed(Self)?;
            if members.insert(name, member).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use grantbook_api::{grants::CreateGrant, projects::CreateProject};
    use serde_json::json;

    use super::*;

    fn complaint<T: DeserializeOwned + fmt::Debug>(body: &Value) -> (String, String) {
        let direct = format!("{:?}", parse::<T>(body.to_string().as_bytes()).unwrap_err());
        let pointer = |debug: &str| {
            let after = debug.split("pointer: Some(\"").nth(1).unwrap_or("none\"");
            after.split('"').next().unwrap().to_owned()
        };
        let twice = format!("{:?}", shape::<T>(value(body.to_string().as_bytes()).unwrap()).unwrap_err());
        assert_eq!(pointer(&direct), pointer(&twice));
        (pointer(&direct), twice)
    }

    #[test]
    fn a_complaint_points_at_the_member_that_is_wrong() {
        let grant = |on: Value| json!({"to": {"type": "group", "id": "g"}, "role": "Viewer", "on": on});
        let atoms = json!({"projects": {"include": [{"id": "a"}, {"id": 7}]}});
        for (body, expected) in [
            (json!({"name": 1}), "/name"),
            (json!({"name": "x", "labels": {"a/b": 1}}), "/labels/a~1b"),
            (json!({"name": "x", "extra": 1}), "/extra"),
            (json!({}), "/name"),
        ] {
            assert_eq!(complaint::<CreateProject>(&body).0, expected, "{body}");
        }
        assert_eq!(complaint::<CreateGrant>(&grant(atoms)).0, "/on/projects/include/1/id");
        assert_eq!(complaint::<CreateGrant>(&grant(json!({"nowhere": true}))).0, "/on");
    }

    #[test]
    fn malformed_text_and_members_named_twice_are_refused() {
        for text in
            ["", "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{\"b\":[{\"a\":1,\"a\":1}]}", "nul", "\u{feff}{}"]
        {
            assert!(value(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(
            value(b" {\"a\":[1,-2,1.5,\"x\",null,true]} ").unwrap(),
            json!({"a": [1, -2, 1.5, "x", null, true]})
        );
        let deep = "[".repeat(100_000);
        assert!(value(deep.as_bytes()).is_err());
    }
}
