//! Optional members of requests. In a PATCH an absent one leaves, `null` clears, a value sets. `null` is refused
//! where a missing member would give more access, or where the field cannot be cleared.

use serde::{Deserialize, Deserializer, de::Error as _};

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

/// Reads an optional member that may be left out but not be `null`: for what cannot be cleared, and for what gives more
/// access where it is absent.
pub fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let value = Option::<T>::deserialize(deserializer)?;
    let wanted = || D::Error::custom("must not be null: leave the member out, or give it a value");
    value.map(Some).ok_or_else(wanted)
}
