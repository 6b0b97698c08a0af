//! Where a grant applies: `{"organization":true}`, `{"projects":{...}}` or `{"object":{...}}`, exactly one of them.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use crate::words::reference::ObjectRef;

/// Where a grant, or a key's narrowing, applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Everything in the organization; the only value is `true`.
    Organization(True),
    /// The projects selected, and what lies below them.
    Projects(Selector),
    /// One object, and what lies below it.
    Object(ObjectRef),
}

impl Scope {
    /// The whole organization.
    pub const ORGANIZATION: Self = Self::Organization(True);
}

/// The word `true`; `false` is refused, because "not the organization" is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct True;

/// A live choice of projects: `include` minus `exclude`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Selector {
    /// Which projects.
    pub include: Selection,
    /// Which of them not.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub exclude: Option<Selection>,
}

/// `"all"`, or a non-empty list of which any must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Selection {
    /// Every project, also of the future.
    All(All),
    /// Projects that meet any of these conditions.
    Any(Vec<Atom>),
}

impl Selection {
    /// Every project.
    pub const ALL: Self = Self::All(All::All);
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum All {
    /// `all`.
    All,
}

/// One condition on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Atom {
    /// The project with this id.
    Id(String),
    /// The whole name matches: `*` matches any run of characters, nothing else is special; bytewise.
    Name(String),
    /// The project carries all these labels.
    Label(BTreeMap<String, String>),
}

impl Serialize for True {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for True {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            Ok(Self)
        } else {
            Err(de::Error::custom("the only value of `organization` is true"))
        }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for True {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::Object::builder()
            .schema_type(utoipa::openapi::schema::Type::Boolean)
            .enum_values(Some([true]))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for True {}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectionVisitor)
    }
}

/// Written out, because an untagged enum would say no more than "did not match".
struct SelectionVisitor;

impl<'de> Visitor<'de> for SelectionVisitor {
    type Value = Selection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\" or a non-empty list of {\"id\"}, {\"name\"} and {\"label\"} conditions")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Selection, E> {
        if text == "all" {
            Ok(Selection::ALL)
        } else {
            Err(E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Selection, A::Error> {
        let mut atoms = Vec::new();
        while let Some(atom) = list.next_element()? {
            atoms.push(atom);
        }
        if atoms.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Selection::Any(atoms)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(value: &serde_json::Value) -> bool {
        let text = value.to_string();
        let from_text = serde_json::from_str::<Scope>(&text).is_ok();
        assert_eq!(from_text, serde_json::from_value::<Scope>(value.clone()).is_ok(), "{text}");
        from_text
    }

    #[test]
    fn every_form_is_read_and_written_back_unchanged() {
        for form in [
            json!({"organization": true}),
            json!({"projects": {"include": "all"}}),
            json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}}),
            json!({"projects": {"include": [{"id": "x"}, {"name": "web-*"}], "exclude": "all"}}),
            json!({"object": {"type": "dataset", "id": "d1"}}),
            json!({"object": {"type": "dataset", "id": "d1", "project": "p"}}),
        ] {
            let scope: Scope = serde_json::from_value(form.clone()).unwrap();
            assert_eq!(serde_json::to_value(&scope).unwrap(), form);
            assert!(reads(&form));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for form in [
            json!({"organization": false}),
            json!({"organization": null}),
            json!("organization"),
            json!({}),
            json!({"organization": true, "object": {"type": "dataset", "id": "d1"}}),
            json!({"projects": {}}),
            json!({"projects": {"include": []}}),
            json!({"projects": {"include": "some"}}),
            json!({"projects": {"include": "all", "exclude": []}}),
            json!({"projects": {"include": [{"id": "x", "name": "y"}]}}),
            json!({"projects": {"include": ["all"]}}),
            json!({"projects": {"include": "all", "only": "all"}}),
            json!({"object": {"type": "dataset"}}),
            json!({"object": {"type": "dataset", "id": "d1", "home": "p"}}),
        ] {
            assert!(!reads(&form), "{form}");
        }
    }
}
