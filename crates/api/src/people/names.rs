//! From names to ids (for requests) and back (for people), as far as the caller sees what bears them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;

use crate::{
    client::{Client, ClientError},
    people::reference::{GranteeArg, ObjectArg, PrincipalArg},
    questions::check::CheckObject,
    words::{
        list::ListQuery,
        reference::{GranteeRef, GranteeType, NamedGrantee, ObjectRef, PrincipalRef, PrincipalType},
    },
};

/// Roles that the API takes by name.
const BUILTIN_ROLES: [&str; 3] = ["Owner", "Engineer", "Viewer"];

/// Why a name does not lead to an id.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing that the caller sees bears it.
    #[error("there is no {kind} named `{name}`, as far as this key may see")]
    Unknown {
        /// What was looked for.
        kind: Kind,
        /// The name.
        name: String,
    },
    /// Several bear it.
    #[error("`{name}` is the name of several {}: give one of the ids {}", kind.collection(), ids.join(", "))]
    Several {
        /// What was looked for.
        kind: Kind,
        /// The name.
        name: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// A text does not say what it should.
    #[error("{0}")]
    Malformed(String),
    /// The server did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person.
    User,
    /// A service token.
    Token,
    /// A permission group.
    Group,
    /// A role.
    Role,
    /// A project.
    Project,
}

/// What a list says of each of them.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

impl Kind {
    /// Its word in paths.
    pub fn collection(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Token => "tokens",
            Self::Group => "groups",
            Self::Role => "roles",
            Self::Project => "projects",
        }
    }

    /// Kinds whose objects, in a check or a scope, may be given by name.
    pub fn of_object(object_type: &str) -> Option<Self> {
        match object_type {
            "group" => Some(Self::Group),
            "role" => Some(Self::Role),
            "project" => Some(Self::Project),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Group => "group",
            Self::Role => "role",
            Self::Project => "project",
        })
    }
}

impl From<GranteeType> for Kind {
    fn from(kind: GranteeType) -> Self {
        match kind {
            GranteeType::User => Self::User,
            GranteeType::Token => Self::Token,
            GranteeType::Group => Self::Group,
        }
    }
}

impl From<PrincipalType> for Kind {
    fn from(kind: PrincipalType) -> Self {
        GranteeType::from(kind).into()
    }
}

/// Looks up names with a client, within the sight of its key.
impl Client {
    /// The id of the thing with this name, e-mail or id.
    pub async fn id_of(&self, kind: Kind, text: &str) -> Result<String, NameError> {
        let mut found = self.ids_of(kind, text).await?;
        match (found.pop(), found.is_empty()) {
            (Some(id), true) => Ok(id),
            (None, _) => Err(NameError::Unknown { kind, name: text.to_owned() }),
            (Some(last), false) => {
                found.push(last);
                Err(NameError::Several { kind, name: text.to_owned(), ids: found })
            }
        }
    }

    /// The ids of all things with this name, e-mail or id.
    pub async fn ids_of(&self, kind: Kind, text: &str) -> Result<Vec<String>, ClientError> {
        // A name is never shaped like an id.
        if is_id(text) || (kind == Kind::Role && BUILTIN_ROLES.contains(&text)) {
            return Ok(vec![text.to_owned()]);
        }
        let query = ListQuery { name: Some(text.to_owned()), ..ListQuery::default() };
        let found: Vec<Listed> = self.every(&["v1", kind.collection()], &query).await?;
        Ok(found.into_iter().filter(|thing| thing.is_called(kind, text)).map(|thing| thing.id).collect())
    }

    /// As a request names it.
    pub async fn grantee_of(&self, arg: &GranteeArg) -> Result<GranteeRef, NameError> {
        Ok(GranteeRef { kind: arg.kind, id: self.id_of(arg.kind.into(), &arg.name).await? })
    }

    /// As a request names it.
    pub async fn principal_of(&self, arg: &PrincipalArg) -> Result<PrincipalRef, NameError> {
        Ok(PrincipalRef { kind: arg.kind, id: self.id_of(arg.kind.into(), &arg.name).await? })
    }

    /// As a scope names it; `project` is the one that the object lies in, by name or id.
    pub async fn object_of(&self, arg: &ObjectArg, project: Option<&str>) -> Result<ObjectRef, NameError> {
        let id = match (&arg.name, Kind::of_object(&arg.object_type)) {
            (Some(name), Some(kind)) => self.id_of(kind, name).await?,
            (Some(id), None) => id.clone(),
            (None, _) => self.whoami().await?.value.organization.id,
        };
        let project = match project {
            Some(name) => Some(self.id_of(Kind::Project, name).await?),
            None => None,
        };
        Ok(ObjectRef { object_type: arg.object_type.clone(), id, project })
    }

    /// As a question names it. A name that the caller cannot see goes out as if it were an id, so that the question gets
    /// its answer, a denial, from the server; `is_unseen` says so.
    pub async fn asked_object_of(
        &self,
        arg: &ObjectArg,
        project: Option<&str>,
    ) -> Result<AskedObject, NameError> {
        let mut is_unseen = false;
        let id = match (&arg.name, Kind::of_object(&arg.object_type)) {
            (Some(name), Some(kind)) => match self.ids_of(kind, name).await?.as_slice() {
                [] => {
                    is_unseen = true;
                    name.clone()
                }
                _ => self.id_of(kind, name).await?,
            },
            _ => self.object_of(arg, None).await?.id,
        };
        let project = match project {
            Some(project) => Some(self.id_of(Kind::Project, project).await?),
            None => None,
        };
        let object = CheckObject { object_type: arg.object_type.clone(), id, project };
        Ok(AskedObject { object, is_unseen })
    }
}

/// An object that a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedObject {
    /// As the request names it.
    pub object: CheckObject,
    /// Whether the caller sees nothing of this name.
    pub is_unseen: bool,
}

impl Listed {
    fn is_called(&self, kind: Kind, text: &str) -> bool {
        let is_email =
            kind == Kind::User && self.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(text));
        is_email || self.name.as_deref() == Some(text)
    }
}

/// Names of ids, looked up once each. Ids whose thing has ended, or cannot be seen, stay ids.
#[derive(Debug)]
pub struct NameBook<'a> {
    client: &'a Client,
    known: Mutex<HashMap<(Kind, String), String>>,
}

impl<'a> NameBook<'a> {
    /// A book without names, which looks them up with this client.
    pub fn new(client: &'a Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// Notes a name that an answer happens to give.
    pub fn learn(&self, kind: Kind, id: &str, name: &str) {
        self.names().insert((kind, id.to_owned()), name.to_owned());
    }

    /// `kind:name`, or `kind:id`.
    pub async fn full(&self, kind: Kind, id: &str) -> String {
        format!("{}:{}", kind, self.name(kind, id).await)
    }

    /// The grantee as people write it.
    pub async fn grantee(&self, grantee: &NamedGrantee) -> String {
        match &grantee.name {
            Some(name) => format!("{}:{name}", grantee.kind),
            None => self.full(grantee.kind.into(), &grantee.id).await,
        }
    }

    /// The name, or the id.
    pub async fn name(&self, kind: Kind, id: &str) -> String {
        let key = (kind, id.to_owned());
        if let Some(name) = self.names().get(&key) {
            return name.clone();
        }
        let name = self.look_up(kind, id).await.unwrap_or_else(|_| id.to_owned());
        self.names().insert(key, name.clone());
        name
    }

    fn names(&self) -> MutexGuard<'_, HashMap<(Kind, String), String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, kind: Kind, id: &str) -> Result<String, ClientError> {
        let client = self.client;
        let name = match kind {
            Kind::User => client.user(id).await?.value.email,
            Kind::Token => client.token(id).await?.value.name,
            Kind::Group => client.group(id).await?.value.name,
            Kind::Role => client.role(id).await?.value.name,
            Kind::Project => client.project(id).await?.value.name,
        };
        Ok(name)
    }
}

/// Whether a text is shaped like an id of ours.
pub fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("0198c5a0-7d5e-7cc1-8d5b-111111111111"));
        for text in
            ["", "staging", "0198c5a07d5e7cc18d5b111111111111", "0198c5a0-7d5e-7cc1-8d5b-11111111111g"]
        {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn users_are_called_by_their_mail_and_others_by_their_exact_name() {
        let user = Listed { id: "u".into(), name: Some("Ada".into()), email: Some("ada@x".into()) };
        assert!(user.is_called(Kind::User, "ADA@X") && user.is_called(Kind::User, "Ada"));
        let token = Listed { id: "t".into(), name: Some("ci".into()), email: None };
        assert!(token.is_called(Kind::Token, "ci") && !token.is_called(Kind::Token, "CI"));
    }
}
