//! Members of an object, items of an array, and the one alternative that a value chooses, each with its place in faults.

use std::{borrow::Cow, slice, vec};

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Map, Value, map};

use crate::strict::{Fault, Strict, give_way, listed, name_of};

/// What is left of something, own or borrowed.
enum Left<O, B> {
    Own(O),
    Borrowed(B),
}

/// The members of an object.
pub(super) struct Members<'v> {
    left: Left<map::IntoIter, map::Iter<'v>>,
    /// The one whose name was read.
    open: Option<(Cow<'v, str>, Strict<'v>)>,
}

impl<'v> Members<'v> {
    pub(super) fn of(members: Map<String, Value>) -> Self {
        Self { left: Left::Own(members.into_iter()), open: None }
    }

    pub(super) fn in_place(members: &'v Map<String, Value>) -> Self {
        Self { left: Left::Borrowed(members.iter()), open: None }
    }

    fn next(&mut self) -> Option<(Cow<'v, str>, Strict<'v>)> {
        match &mut self.left {
            Left::Own(left) => left.next().map(|(name, value)| (Cow::Owned(name), Strict(Cow::Owned(value)))),
            Left::Borrowed(left) => {
                left.next().map(|(name, value)| (Cow::Borrowed(name.as_str()), Strict(Cow::Borrowed(value))))
            }
        }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.next() else { return Ok(None) };
        let read = name_of(seed, &name).map_err(|fault| fault.under(&name))?;
        self.open = Some((name, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.open.take().unwrap_or((Cow::Borrowed(""), Strict(Cow::Owned(Value::Null))));
        seed.deserialize(value).map_err(|fault| fault.under(&name))
    }
}

/// The items of an array.
pub(super) struct Items<'v> {
    left: Left<vec::IntoIter<Value>, slice::Iter<'v, Value>>,
    index: usize,
}

impl<'v> Items<'v> {
    pub(super) fn of(items: Vec<Value>) -> Self {
        Self { left: Left::Own(items.into_iter()), index: 0 }
    }

    pub(super) fn in_place(items: &'v [Value]) -> Self {
        Self { left: Left::Borrowed(items.iter()), index: 0 }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let item = match &mut self.left {
            Left::Own(left) => left.next().map(Cow::Owned),
            Left::Borrowed(left) => left.next().map(Cow::Borrowed),
        };
        let Some(item) = item else { return Ok(None) };
        let index = self.index;
        self.index = index.saturating_add(1);
        give_way(self.index);
        seed.deserialize(Strict(item)).map(Some).map_err(|fault| fault.under(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(match &self.left {
            Left::Own(left) => left.len(),
            Left::Borrowed(left) => left.len(),
        })
    }
}

/// What a value says after the name of the alternative.
enum Content<'v> {
    /// Nothing: it is a string.
    Word,
    /// The value of its only member.
    Member(Strict<'v>),
    /// It is neither a string nor an object of one member.
    Neither,
}

/// The alternative that a value chooses: a string, or an object of exactly one member, as the alternative wants it.
pub(super) struct Variant<'v> {
    name: Cow<'v, str>,
    content: Content<'v>,
    known: &'static [&'static str],
}

impl<'v> Variant<'v> {
    pub(super) fn of(value: Cow<'v, Value>, known: &'static [&'static str]) -> Self {
        let (name, content) = match value {
            Cow::Owned(Value::String(word)) => (Some(Cow::Owned(word)), Content::Word),
            Cow::Borrowed(Value::String(word)) => (Some(Cow::Borrowed(word.as_str())), Content::Word),
            Cow::Owned(Value::Object(members)) if members.len() == 1 => Self::chosen(Members::of(members)),
            Cow::Borrowed(Value::Object(members)) if members.len() == 1 => {
                Self::chosen(Members::in_place(members))
            }
            // Any alternative knows which of the two it would want.
            Cow::Owned(_) | Cow::Borrowed(_) => (None, Content::Neither),
        };
        let name = name.unwrap_or_else(|| Cow::Borrowed(known.first().copied().unwrap_or_default()));
        Self { name, content, known }
    }

    fn chosen(mut members: Members<'v>) -> (Option<Cow<'v, str>>, Content<'v>) {
        members.next().map_or((None, Content::Neither), |(name, value)| (Some(name), Content::Member(value)))
    }

    fn no_string(&self) -> Fault {
        Fault::new(format!("must be a string, one of {}", listed(self.known)))
    }

    fn no_object(&self) -> Fault {
        Fault::new(format!("must be an object with exactly one member of {}", listed(self.known)))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((name_of(seed, &self.name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if matches!(self.content, Content::Word) { Ok(()) } else { Err(self.no_string()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.content {
            Content::Member(value) => seed.deserialize(value).map_err(|fault| fault.under(&self.name)),
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
            Content::Member(value) => value.object(visitor).map_err(|fault| fault.under(&self.name)),
            Content::Word | Content::Neither => Err(self.no_object()),
        }
    }
}
