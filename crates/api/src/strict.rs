//! Strict JSON: an object is never read from an array, no member comes twice, and a fault says where it is, in JSON's words.
//!
//! What derives `Deserialize` also accepts an array for an object (its members by position), and complains in Rust's
//! words. Requests and files are therefore read through the deserializer of this module.

mod access;
mod unique;

use std::{borrow::Cow, fmt, thread};

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor,
};
use serde_json::{Number, Value};

use self::access::{Items, Members, Variant};

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the value at fault; none if the text is no JSON at all.
    pub pointer: Option<String>,
    /// What is wrong.
    pub detail: String,
}

/// A value from JSON text (RFC 8259) in which no object names a member twice.
pub fn value(text: &[u8]) -> Result<Value, Fault> {
    unique::read(text)
}

/// A `T` from a value, which stays as it is: a long one is not copied for it.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(Strict(Cow::Borrowed(value)))
}

/// A `T` from JSON text.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    T::deserialize(Strict(Cow::Owned(value(text)?)))
}

/// How many items of a list are read without giving other threads a turn: some 0.1 ms.
const ITEMS_A_TURN: usize = 128;

/// Lets others have the core now and then while a long list is read: left alone, the system lets a thread keep it for some
/// milliseconds, also from threads of a higher priority.
fn give_way(items: usize) {
    if items % ITEMS_A_TURN == ITEMS_A_TURN - 1 {
        thread::yield_now();
    }
}

/// One step of a JSON pointer (RFC 6901, section 3), with its slash.
pub fn escape_pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl Fault {
    fn new(detail: impl Into<String>) -> Self {
        Self { pointer: Some(String::new()), detail: detail.into() }
    }

    /// The same fault, seen from the value that has this one as its member or item.
    fn under(mut self, key: &str) -> Self {
        self.pointer = self.pointer.map(|inner| escape_pointer(key) + &inner);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_deref() {
            None | Some("") => f.write_str(&self.detail),
            Some(pointer) => write!(f, "{pointer}: {}", self.detail),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self::new(detail.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("must be {wanted}"))
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("must be {wanted}"))
    }

    fn invalid_length(_: usize, wanted: &dyn Expected) -> Self {
        Self::new(format!("must be {wanted}"))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("`{word}` is none of {}", listed(known)))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let known = if known.is_empty() { String::new() } else { format!("; known are {}", listed(known)) };
        Self::new(format!("unknown member `{name}`{known}"))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(format!("the member `{name}` is missing")).under(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(unique::TWICE).under(name)
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A value that is read as what it is, or refused. Texts of an own value are moved, those of a borrowed one copied.
struct Strict<'v>(Cow<'v, Value>);

impl Strict<'_> {
    fn refused<T>(&self, wanted: &str) -> Result<T, Fault> {
        let not_null = if self.0.is_null() { ", not null" } else { "" };
        Err(Fault::new(format!("must be {wanted}{not_null}")))
    }

    fn whole<'de, V: Visitor<'de>>(self, visitor: V, most: u64) -> Result<V::Value, Fault> {
        match self.0.as_u64() {
            Some(number) if number <= most => visitor.visit_u64(number),
            _ => self.refused(&format!("a whole number from 0 to {most}")),
        }
    }

    fn signed<'de, V: Visitor<'de>>(self, visitor: V, least: i64, most: i64) -> Result<V::Value, Fault> {
        match self.0.as_i64() {
            Some(number) if (least..=most).contains(&number) => visitor.visit_i64(number),
            _ => self.refused(&format!("a whole number from {least} to {most}")),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Cow::Owned(Value::String(text)) => visitor.visit_string(text),
            Cow::Borrowed(Value::String(text)) => visitor.visit_str(text),
            other @ (Cow::Owned(_) | Cow::Borrowed(_)) => Self(other).refused("a string"),
        }
    }

    fn array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Cow::Owned(Value::Array(items)) => visitor.visit_seq(Items::of(items)),
            Cow::Borrowed(Value::Array(items)) => visitor.visit_seq(Items::in_place(items)),
            other @ (Cow::Owned(_) | Cow::Borrowed(_)) => Self(other).refused("an array"),
        }
    }

    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Cow::Owned(Value::Object(members)) => visitor.visit_map(Members::of(members)),
            Cow::Borrowed(Value::Object(members)) => visitor.visit_map(Members::in_place(members)),
            other @ (Cow::Owned(_) | Cow::Borrowed(_)) => Self(other).refused("an object"),
        }
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Fault> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), ..) => visitor.visit_u64(number),
        (None, Some(number), _) => visitor.visit_i64(number),
        (None, None, Some(number)) => visitor.visit_f64(number),
        (None, None, None) => Err(Fault::new("must be a number within the usual range")),
    }
}

impl<'de> Deserializer<'de> for Strict<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &*self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(_) => self.text(visitor),
            Value::Array(_) => self.array(visitor),
            Value::Object(_) => self.object(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.as_bool() {
            Some(value) => visitor.visit_bool(value),
            None => self.refused("true or false"),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.whole(visitor, u8::MAX.into())
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.whole(visitor, u16::MAX.into())
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.whole(visitor, u32::MAX.into())
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.whole(visitor, u64::MAX)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.signed(visitor, i8::MIN.into(), i8::MAX.into())
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.signed(visitor, i16::MIN.into(), i16::MAX.into())
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.signed(visitor, i32::MIN.into(), i32::MAX.into())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.signed(visitor, i64::MIN, i64::MAX)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.as_number() {
            Some(number) => visit_number(number, visitor),
            None => self.refused("a number"),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_unit() } else { self.refused("null") }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.array(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Variant::of(self.0, variants))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// Reads the name of a member or variant.
fn name_of<'de, K: DeserializeSeed<'de>>(seed: K, name: &str) -> Result<K::Value, Fault> {
    seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        authzen::EvaluationRequest,
        nouns::{
            batch::Batch,
            grants::CreateGrant,
            keys::{IssueKey, RotateKey},
            projects::CreateProject,
            tokens::CreateToken,
        },
        questions::check::CheckRequest,
    };

    fn fault<T: DeserializeOwned + fmt::Debug>(body: &Value) -> (String, String) {
        let fault = parse::<T>(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(read::<T>(body).unwrap_err(), fault, "a value is read as its text is");
        let Fault { pointer, detail } = fault;
        (pointer.unwrap(), detail)
    }

    fn grant(on: &Value) -> Value {
        json!({"to": {"type": "group", "id": "g"}, "role": "Viewer", "on": on})
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        let object = "must be an object".to_owned();
        let at = |pointer: &str| (pointer.to_owned(), object.clone());
        assert_eq!(fault::<CreateToken>(&json!(["x", null, null, null])), at(""));
        assert_eq!(fault::<CreateToken>(&json!("x")), at(""));
        assert_eq!(fault::<CreateProject>(&json!({"name": "x", "labels": []})), at("/labels"));
        assert_eq!(fault::<CreateGrant>(&grant(&json!({"projects": ["all", null]}))), at("/on/projects"));
        assert_eq!(fault::<CreateGrant>(&grant(&json!({"object": ["dataset", "d"]}))), at("/on/object"));
        assert_eq!(fault::<Batch>(&json!({"commands": [["POST", "/v1/tokens", {}]]})), at("/commands/0"));
        let whole = json!({"subject": ["user", "u"], "action": {"name": "read"}, "resource": {"type": "x", "id": "y"}});
        assert_eq!(fault::<EvaluationRequest>(&whole), at("/subject"));
        let (pointer, detail) = fault::<CreateGrant>(&grant(&json!([{"organization": true}])));
        assert_eq!(pointer, "/on");
        assert!(detail.starts_with("must be an object with exactly one"), "{detail}");
    }

    #[test]
    fn a_fault_is_worded_as_json_and_points_at_its_value() {
        let atoms = |second: &Value| json!({"projects": {"include": [{"id": "a"}, second]}});
        let check = |object: &Value| json!({"permission": "read", "object": object});
        for ((pointer, detail), wanted, words) in [
            (fault::<CreateProject>(&json!({"name": 1})), "/name", "must be a string"),
            (fault::<CreateProject>(&json!({"name": null})), "/name", "must be a string, not null"),
            (fault::<CreateProject>(&json!({})), "/name", "the member `name` is missing"),
            (fault::<CreateProject>(&json!({"name": "x", "e/f": 1})), "/e~1f", "unknown member `e/f`"),
            (
                fault::<CreateProject>(&json!({"name": "x", "labels": {"a/b": 1}})),
                "/labels/a~1b",
                "must be a string",
            ),
            (
                fault::<CreateGrant>(&grant(&atoms(&json!({"id": 7})))),
                "/on/projects/include/1/id",
                "must be a string",
            ),
            (fault::<CreateGrant>(&grant(&json!({"nowhere": true}))), "/on", "`nowhere` is none of"),
            (
                fault::<CreateGrant>(&grant(&json!("organization"))),
                "/on",
                "must be an object with exactly one",
            ),
            (
                fault::<CreateGrant>(&grant(&json!({"projects": {"include": 7}}))),
                "/on/projects/include",
                "must be \"all\"",
            ),
            (
                fault::<CheckRequest>(&check(&json!({"type": "project"}))),
                "/object/id",
                "the member `id` is missing",
            ),
            (
                fault::<RotateKey>(&json!({"grace_seconds": -1})),
                "/grace_seconds",
                "must be a whole number from 0 to",
            ),
            (
                fault::<Batch>(&json!({"commands": [{"method": ["POST"], "path": "x"}]})),
                "/commands/0/method",
                "must be a string",
            ),
            (
                fault::<IssueKey>(&json!({"narrow": {"permissions": "read"}})),
                "/narrow/permissions",
                "must be an array",
            ),
        ] {
            assert_eq!(pointer, wanted, "{detail}");
            assert!(detail.starts_with(words), "{pointer}: {detail}");
        }
    }

    #[test]
    fn what_may_be_anything_is_kept_as_it_is() {
        let body = json!({"name": ["x", {"y": [1, -2, 1.5, null, true]}]});
        let batch = json!({"commands": [{"method": "POST", "path": "/v1/tokens", "body": body}]});
        let batch: Batch = parse(batch.to_string().as_bytes()).unwrap();
        assert_eq!(batch.commands[0].body, body);
    }
}
