//! Members of an object, items of an array, and the one alternative that a value chooses, each with its place in faults.

use std::vec;

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Map, Value, map};

use crate::strict::{Fault, Strict, give_way, listed, name_of};

/// The members of an object.
pub(super) struct Members {
    left: map::IntoIter,
    /// The one whose name was read.
    open: Option<(String, Value)>,
}

impl Members {
    pub(super) fn of(members: Map<String, Value>) -> Self {
        Self { left: members.into_iter(), open: None }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        let read = name_of(seed, &name).map_err(|fault| fault.under(&name))?;
        self.open = Some((name, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.open.take().unwrap_or_default();
        seed.deserialize(Strict(value)).map_err(|fault| fault.under(&name))
    }
}

/// The items of an array.
pub(super) struct Items {
    left: vec::IntoIter<Value>,
    index: usize,
}

impl Items {
    pub(super) fn of(items: Vec<Value>) -> Self {
        Self { left: items.into_iter(), index: 0 }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.left.next() else { return Ok(None) };
        let index = self.index;
        self.index = index.saturating_add(1);
        give_way(self.index);
        seed.deserialize(Strict(item)).map(Some).map_err(|fault| fault.under(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// What a value says after the name of the alternative.
enum Content {
    /// Nothing: it is a string.
    Word,
    /// The value of its only member.
    Member(Value),
    /// It is neither a string nor an object of one member.
    Neither,
}

/// The alternative that a value chooses: a string, or an object of exactly one member, as the alternative wants it.
pub(super) struct Variant {
    name: String,
    content: Content,
    known: &'static [&'static str],
}

impl Variant {
    pub(super) fn of(value: Value, known: &'static [&'static str]) -> Self {
        let (name, content) = match value {
            Value::String(word) => (Some(word), Content::Word),
            Value::Object(members) if members.len() == 1 => {
                let (name, value) = members.into_iter().next().unwrap_or_default();
                (Some(name), Content::Member(value))
            }
            // Any alternative knows which of the two it would want.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                (None, Content::Neither)
            }
        };
        let name = name.unwrap_or_else(|| known.first().copied().unwrap_or_default().to_owned());
        Self { name, content, known }
    }

    fn no_string(&self) -> Fault {
        Fault::new(format!("must be a string, one of {}", listed(self.known)))
    }

    fn no_object(&self) -> Fault {
        Fault::new(format!("must be an object with exactly one member of {}", listed(self.known)))
    }
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((name_of(seed, &self.name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if matches!(self.content, Content::Word) { Ok(()) } else { Err(self.no_string()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.content {
            Content::Member(value) => {
                seed.deserialize(Strict(value)).map_err(|fault| fault.under(&self.name))
            }
            Content::Word | Content::Neither => Err(self.no_object()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(self.no_object())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.content {
            Content::Member(value) => Strict(value).object(visitor).map_err(|fault| fault.under(&self.name)),
            Content::Word | Content::Neither => Err(self.no_object()),
        }
    }
}
