//! How people write things: `token:NAME`, `user:EMAIL`, `group:NAME`, `project:NAME`, `type:id`.

use std::{fmt, str::FromStr};

use crate::words::reference::{GranteeType, PrincipalType};

/// Types whose only object's id is the organization's, so that none need be given.
const SINGLETONS: [&str; 4] = ["organization", "org_project", "org_member", "org_audit_logs"];

/// An account: `token:NAME` or `user:EMAIL`, or an id in place of the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalArg {
    /// Which kind of account.
    pub kind: PrincipalType,
    /// Its name, e-mail or id.
    pub name: String,
}

/// An account or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GranteeArg {
    /// Account or group.
    pub kind: GranteeType,
    /// Its name, e-mail or id.
    pub name: String,
}

/// Whom a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedArg {
    /// The caller.
    Me,
    /// An account, whatever key it uses.
    Principal(PrincipalArg),
    /// A key by its id, with its narrowing.
    Key(String),
}

/// An object: `type:id`, where projects, groups and roles may be given by name; a singleton by its type alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectArg {
    /// Name of its type in the catalog.
    pub object_type: String,
    /// None for a singleton: the organization's id.
    pub name: Option<String>,
}

impl FromStr for GranteeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}`: write token:NAME, user:EMAIL or group:NAME");
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(fault)?;
        let kind = match kind {
            "token" => GranteeType::Token,
            "user" => GranteeType::User,
            "group" => GranteeType::Group,
            _ => return Err(fault()),
        };
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl FromStr for PrincipalArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}`: write token:NAME or user:EMAIL");
        let GranteeArg { kind, name } = text.parse().map_err(|_| fault())?;
        let kind = match kind {
            GranteeType::Token => PrincipalType::Token,
            GranteeType::User => PrincipalType::User,
            GranteeType::Group => return Err(fault()),
        };
        Ok(Self { kind, name })
    }
}

impl FromStr for AskedArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "me" => Ok(Self::Me),
            // The text of a key would be seen in the list of processes, and kept in the shell's history.
            Some(("key", secret)) if secret.starts_with("gb_") => Err(
                "give the key's id, not its text; to check with a key, set GRANTBOOK_KEY and ask about `me`"
                    .to_owned(),
            ),
            Some(("key", id)) if !id.is_empty() => Ok(Self::Key(id.to_owned())),
            _ => {
                let fault = |_| format!("`{text}`: write token:NAME, user:EMAIL, key:ID or me");
                text.parse().map(Self::Principal).map_err(fault)
            }
        }
    }
}

impl FromStr for ObjectArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (object_type, name) = match text.split_once(':') {
            Some((object_type, name)) => (object_type, Some(name.to_owned())),
            None if SINGLETONS.contains(&text) => (text, None),
            None => return Err(format!("`{text}`: write project:NAME or type:id")),
        };
        if object_type.is_empty() || name.as_deref() == Some("") {
            return Err(format!("`{text}`: write project:NAME or type:id"));
        }
        Ok(Self { object_type: object_type.to_owned(), name })
    }
}

impl fmt::Display for GranteeArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A pair such as a label: `key=value`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}`: write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grantees_and_principals_carry_their_kind() {
        let token = GranteeArg { kind: GranteeType::Token, name: "ci:bot".to_owned() };
        assert_eq!("token:ci:bot".parse(), Ok(token));
        assert_eq!(
            "user:a@b".parse(),
            Ok(PrincipalArg { kind: PrincipalType::User, name: "a@b".to_owned() })
        );
        assert!("group:g".parse::<PrincipalArg>().is_err());
        for text in ["", "ci", "token:", ":ci", "role:x"] {
            assert!(text.parse::<GranteeArg>().is_err(), "{text}");
        }
    }

    #[test]
    fn questions_are_about_the_caller_an_account_or_a_key() {
        assert_eq!("me".parse(), Ok(AskedArg::Me));
        assert_eq!("key:k".parse(), Ok(AskedArg::Key("k".to_owned())));
        assert!(matches!("token:ci".parse(), Ok(AskedArg::Principal(_))));
        for text in ["", "group:g", "key:", "key:gb_st_text", "you"] {
            assert!(text.parse::<AskedArg>().is_err(), "{text}");
        }
    }

    #[test]
    fn objects_have_a_type_and_an_id_unless_there_is_only_one() {
        let object = |object_type: &str, name: Option<&str>| ObjectArg {
            object_type: object_type.to_owned(),
            name: name.map(str::to_owned),
        };
        assert_eq!("project:staging".parse(), Ok(object("project", Some("staging"))));
        assert_eq!("dataset:a:b".parse(), Ok(object("dataset", Some("a:b"))));
        assert_eq!("org_member".parse(), Ok(object("org_member", None)));
        for text in ["", "project", "project:", ":x"] {
            assert!(text.parse::<ObjectArg>().is_err(), "{text}");
        }
    }
}
