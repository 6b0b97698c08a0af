//! Short words for scopes, grants and callers.

use grantbook_domain::{
    command::{Author, Command, GrantCommand, WebhookCommand},
    event::Event,
    id::{GrantId, ProjectId, RoleId, UserId, WebhookId},
    model::{Effect, Gives},
    principal::{Caller, Grantee, Principal},
    refusal::Refusal,
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    time::Timestamp,
    webhook::MessageKind,
};

/// A caller without a key, so with all of its principal's authority.
pub(crate) fn by(principal: Principal) -> Author {
    Author::Caller(Caller { principal, key: None })
}

pub(crate) fn as_user(id: UserId) -> Author {
    by(Principal::User(id))
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn label(key: &str, value: &str) -> Atom {
    Atom::Label(labels(&[(key, value)]))
}

pub(crate) fn named(pattern: &str) -> Atom {
    Atom::Name(pattern.to_owned())
}

pub(crate) fn one_of(include: Vec<Atom>) -> Scope {
    excluding(include, Vec::new())
}

pub(crate) fn excluding(include: Vec<Atom>, exclude: Vec<Atom>) -> Scope {
    Scope::Projects(Selector { include: include.into(), exclude: exclude.into() })
}

pub(crate) fn all() -> Scope {
    one_of(vec![Atom::All])
}

pub(crate) fn all_but(exclude: Vec<Atom>) -> Scope {
    excluding(vec![Atom::All], exclude)
}

pub(crate) fn ids(projects: &[ProjectId]) -> Scope {
    one_of(projects.iter().map(|id| Atom::Id(*id)).collect())
}

pub(crate) fn labelled(key: &str, value: &str) -> Scope {
    one_of(vec![label(key, value)])
}

pub(crate) fn object(object_type: &str, id: &str) -> ObjectRef {
    ObjectRef::new(object_type, id)
}

pub(crate) fn within(object_type: &str, id: &str) -> Scope {
    Scope::Object(object(object_type, id))
}

pub(crate) fn project_object(id: ProjectId) -> ObjectRef {
    object("project", &id.to_string())
}

pub(crate) fn on_project(id: ProjectId) -> Scope {
    Scope::Object(project_object(id))
}

/// A webhook that wants everything.
pub(crate) fn webhook(id: WebhookId) -> Command {
    Command::Webhook(WebhookCommand::Create {
        id,
        url: "https://example.com/hook?for=acme".to_owned(),
        events: Vec::new(),
        kinds: vec![MessageKind::Change, MessageKind::Record],
        description: Some("alerts".to_owned()),
        enabled: true,
        key: "k1".to_owned(),
    })
}

/// Exactly one event was made, of this name.
#[track_caller]
pub(crate) fn assert_made(outcome: &Result<Vec<Event>, Refusal>, name: &str) {
    let events = outcome.as_ref().unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
    let names: Vec<_> = events.iter().map(|event| event.kind().name()).collect();
    assert_eq!(names, [name]);
}

/// A grant about to be given.
#[derive(Debug, Clone)]
pub(crate) struct Give {
    to: Grantee,
    gives: Gives,
    on: Scope,
    effect: Effect,
    object_type: Option<String>,
    expires_at: Option<Timestamp>,
}

impl Give {
    pub(crate) fn allow(to: impl Into<Grantee>, permissions: &[&str], on: Scope) -> Self {
        let gives = Gives::Permissions(permissions.iter().map(|name| (*name).to_owned()).collect());
        Self { to: to.into(), gives, on, effect: Effect::Allow, object_type: None, expires_at: None }
    }

    pub(crate) fn deny(to: impl Into<Grantee>, permissions: &[&str], on: Scope) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(to, permissions, on) }
    }

    pub(crate) fn role(to: impl Into<Grantee>, role: RoleId, on: Scope) -> Self {
        Self { gives: Gives::Role(role), ..Self::allow(to, &[], on) }
    }

    pub(crate) fn denying(self) -> Self {
        Self { effect: Effect::Deny, ..self }
    }

    pub(crate) fn only(self, object_type: &str) -> Self {
        Self { object_type: Some(object_type.to_owned()), ..self }
    }

    pub(crate) fn until(self, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    pub(crate) fn command(self, id: GrantId) -> Command {
        let Self { to, gives, on, effect, object_type, expires_at } = self;
        Command::Grant(GrantCommand::Create {
            id,
            to,
            gives,
            on,
            effect,
            object_type,
            expires_at,
            reason: None,
        })
    }
}
