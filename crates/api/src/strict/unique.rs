//! JSON text to a value, refusing a member that is named twice: of two, a reader could take either.

use std::{cell::RefCell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry};

use crate::strict::{Fault, escape_pointer, give_way};

/// What is said of it.
pub(super) const TWICE: &str = "a member is named twice";

pub(super) fn read(text: &[u8]) -> Result<Value, Fault> {
    let steps = RefCell::new(Vec::new());
    let mut source = serde_json::Deserializer::from_slice(text);
    let read = Unique { steps: &steps }.deserialize(&mut source);
    let read = read.and_then(|value| source.end().map(|()| value));
    read.map_err(|error| {
        if !error.is_data() {
            return Fault { pointer: None, detail: format!("malformed JSON: {error}") };
        }
        let pointer = steps.take().iter().rev().map(|step| escape_pointer(step)).collect();
        Fault { pointer: Some(pointer), detail: error.to_string() }
    })
}

/// Reads any value. The parser's own errors have no room for a place: each level notes its step on the way out.
#[derive(Clone, Copy)]
struct Unique<'s> {
    steps: &'s RefCell<Vec<String>>,
}

impl Unique<'_> {
    fn note(self, step: impl Into<String>) {
        self.steps.borrow_mut().push(step.into());
    }
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
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
        let mut next =
            |index: usize| list.next_element_seed(self).inspect_err(|_| self.note(index.to_string()));
        while let Some(item) = next(items.len())? {
            items.push(item);
            give_way(items.len());
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            match members.entry(name) {
                Entry::Occupied(first) => {
                    self.note(first.key());
                    return Err(A::Error::custom(TWICE));
                }
                Entry::Vacant(place) => {
                    let member = object.next_value_seed(self).inspect_err(|_| self.note(place.key()))?;
                    place.insert(member);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_named_twice_is_pointed_at() {
        for (text, pointer) in [
            ("{\"a\":1,\"a\":2}", "/a"),
            ("{\"b\":[0,{\"a\":1,\"a\":1}]}", "/b/1/a"),
            ("[{\"x/y\":{\"\":1,\"\":2}}]", "/0/x~1y/"),
        ] {
            let fault = read(text.as_bytes()).unwrap_err();
            assert_eq!(fault.pointer.as_deref(), Some(pointer), "{text}");
            assert!(fault.detail.starts_with(TWICE), "{text}: {}", fault.detail);
        }
    }

    #[test]
    fn malformed_text_is_refused_and_any_value_read() {
        for text in ["", "{", "{\"a\":1}x", "nul", "\u{feff}{}"] {
            let fault = read(text.as_bytes()).unwrap_err();
            assert!(fault.pointer.is_none() && fault.detail.starts_with("malformed JSON"), "{text}: {fault}");
        }
        assert!(read(&[b'"', 0xff, b'"']).is_err());
        assert!(read("[".repeat(100_000).as_bytes()).is_err(), "no end of the stack");
        let text = b" {\"a\":[1,-2,1.5,\"x\",null,true]} ";
        assert_eq!(read(text).unwrap(), json!({"a": [1, -2, 1.5, "x", null, true]}));
    }
}
