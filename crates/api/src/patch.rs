//! The three meanings of an optional member of a PATCH: absent leaves, `null` clears, a value sets.

use serde::{Deserialize, Deserializer};

/// Outer `None`: leave; inner `None`: clear. Needs `#[serde(default, deserialize_with = "present")]`.
pub type Change<T> = Option<Option<T>>;

/// Reads a member that is present, be it `null`; the absent one is left to `#[serde(default)]`.
pub fn present<'de, T, D>(deserializer: D) -> Result<Change<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Reads an optional member that may be left out but not be `null`: for what cannot be cleared.
pub fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
