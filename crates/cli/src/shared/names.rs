//! From names to ids (for requests) and back (for people).

use std::{cell::RefCell, collections::HashMap, fmt};

use anyhow::bail;
use grantbook_api::{
    client::ClientError,
    questions::check::CheckObject,
    words::{
        list::ListQuery,
        reference::{GranteeRef, GranteeType, NamedGrantee, ObjectRef, PrincipalRef, PrincipalType},
    },
};
use serde::Deserialize;

use crate::shared::{
    reference::{GranteeArg, ObjectArg, PrincipalArg},
    session::Session,
};

/// Roles that the API takes by name.
const BUILTIN_ROLES: [&str; 3] = ["Owner", "Engineer", "Viewer"];

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    User,
    Token,
    Group,
    Role,
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
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Token => "tokens",
            Self::Group => "groups",
            Self::Role => "roles",
            Self::Project => "projects",
        }
    }

    /// Kinds whose objects, in a check or a scope, may be given by name.
    pub(crate) fn of_object(object_type: &str) -> Option<Self> {
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

impl Session {
    /// The id of the thing with this name, e-mail or id.
    pub(crate) async fn id(&self, kind: Kind, text: &str) -> anyhow::Result<String> {
        match self.find(kind, text).await?.as_slice() {
            [id] => Ok(id.clone()),
            [] => bail!("there is no {kind} named `{text}`, as far as this key may see"),
            several => bail!(
                "`{text}` is the name of several {}: give one of the ids {}",
                kind.collection(),
                several.join(", ")
            ),
        }
    }

    async fn find(&self, kind: Kind, text: &str) -> anyhow::Result<Vec<String>> {
        // A name is never shaped like an id.
        if is_id(text) || (kind == Kind::Role && BUILTIN_ROLES.contains(&text)) {
            return Ok(vec![text.to_owned()]);
        }
        let query = ListQuery { name: Some(text.to_owned()), ..ListQuery::default() };
        let found: Vec<Listed> = self.client.every(&["v1", kind.collection()], &query).await?;
        Ok(found.into_iter().filter(|thing| thing.is_called(kind, text)).map(|thing| thing.id).collect())
    }

    /// As a request names it.
    pub(crate) async fn grantee(&self, arg: &GranteeArg) -> anyhow::Result<GranteeRef> {
        Ok(GranteeRef { kind: arg.kind, id: self.id(arg.kind.into(), &arg.name).await? })
    }

    /// As a request names it.
    pub(crate) async fn principal(&self, arg: &PrincipalArg) -> anyhow::Result<PrincipalRef> {
        Ok(PrincipalRef { kind: arg.kind, id: self.id(arg.kind.into(), &arg.name).await? })
    }

    /// As a scope names it; `project` is the one that the object lies in, by name or id.
    pub(crate) async fn object(&self, arg: &ObjectArg, project: Option<&str>) -> anyhow::Result<ObjectRef> {
        let id = match (&arg.name, Kind::of_object(&arg.object_type)) {
            (Some(name), Some(kind)) => self.id(kind, name).await?,
            (Some(id), None) => id.clone(),
            (None, _) => self.client.whoami().await?.value.organization.id,
        };
        let project = match project {
            Some(name) => Some(self.id(Kind::Project, name).await?),
            None => None,
        };
        Ok(ObjectRef { object_type: arg.object_type.clone(), id, project })
    }

    /// As a question names it. A name that the key cannot see goes out as if it were an id, so that the question gets
    /// its answer, a denial, from the server.
    pub(crate) async fn asked_object(
        &self,
        arg: &ObjectArg,
        project: Option<&str>,
    ) -> anyhow::Result<CheckObject> {
        let id = match (&arg.name, Kind::of_object(&arg.object_type)) {
            (Some(name), Some(kind)) => match self.find(kind, name).await?.as_slice() {
                [] => {
                    self.out.note(&format!(
                        "note: this key sees no {kind} named `{name}`; asking for an id of that text"
                    ));
                    name.clone()
                }
                _ => self.id(kind, name).await?,
            },
            _ => self.object(arg, None).await?.id,
        };
        let project = match project {
            Some(project) => Some(self.id(Kind::Project, project).await?),
            None => None,
        };
        Ok(CheckObject { object_type: arg.object_type.clone(), id, project })
    }
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
pub(crate) struct NameBook<'a> {
    session: &'a Session,
    known: RefCell<HashMap<(Kind, String), String>>,
}

impl<'a> NameBook<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session, known: RefCell::default() }
    }

    /// Notes a name that an answer happens to give.
    pub(crate) fn learn(&self, kind: Kind, id: &str, name: &str) {
        self.known.borrow_mut().insert((kind, id.to_owned()), name.to_owned());
    }

    /// `kind:name`, or `kind:id`.
    pub(crate) async fn full(&self, kind: Kind, id: &str) -> String {
        format!("{}:{}", kind, self.name(kind, id).await)
    }

    /// The grantee as people write it.
    pub(crate) async fn grantee(&self, grantee: &NamedGrantee) -> String {
        match &grantee.name {
            Some(name) => format!("{}:{name}", grantee.kind),
            None => self.full(grantee.kind.into(), &grantee.id).await,
        }
    }

    /// The name, or the id.
    pub(crate) async fn name(&self, kind: Kind, id: &str) -> String {
        let key = (kind, id.to_owned());
        if let Some(name) = self.known.borrow().get(&key) {
            return name.clone();
        }
        let name = self.look_up(kind, id).await.unwrap_or_else(|_| id.to_owned());
        self.known.borrow_mut().insert(key, name.clone());
        name
    }

    async fn look_up(&self, kind: Kind, id: &str) -> Result<String, ClientError> {
        let client = &self.session.client;
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
pub(crate) fn is_id(text: &str) -> bool {
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
