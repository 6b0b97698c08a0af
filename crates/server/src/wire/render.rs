//! From facts and things to the words of the wire: pure, so that a record gives its answer again.

use grantbook_api::{
    nouns::{
        catalog as catalog_words, grants, groups, keys, members, objects, projects, roles, sessions, tokens,
        users, webhooks,
    },
    words::{reference, scope as scope_words, state::State},
};
use grantbook_domain::{
    catalog::TypeDefinition,
    event::Event,
    model::{self, Effect, Gives, Narrowing},
    scope::{Atom, ObjectRef, Scope, Selector},
    time::Timestamp,
    webhook,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::wire::names::{clear, named_grantee, named_principal};
use grantbook_command::secret::{KeyKind, preview};

/// A fact as the audit log shows it: its name as `type`, the thing under its kind.
pub(crate) fn event(event: &Event) -> Value {
    let kind = event.kind();
    let mut shown = json!({"type": kind.name(), kind.entity().name(): content(event)});
    if let (Event::KeyRotated { old, .. }, Some(members)) = (event, shown.as_object_mut()) {
        members.insert("old".to_owned(), value(&key(old)));
    }
    shown
}

/// The thing after the event.
pub(crate) fn content(event: &Event) -> Value {
    match event {
        Event::OrganizationCreated { id, name, created_at, writers: _ } => {
            json!({"id": id.to_string(), "name": name, "created_at": created_at.to_string()})
        }
        Event::OrganizationUpdated { id, name, settings } => {
            json!({"id": id.to_string(), "name": name, "settings": settings})
        }
        Event::RollbackAccepted { kept, lost } => json!({"kept": kept, "lost": lost}),
        Event::CatalogExtended { object_types, permissions } => value(&added(object_types, permissions)),
        Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
            value(&self::user(user))
        }
        Event::TokenCreated { token }
        | Event::TokenUpdated { token }
        | Event::TokenDeleted { token }
        | Event::TokenExpired { token } => value(&self::token(token)),
        Event::KeyIssued { key }
        | Event::KeyRotated { key, old: _ }
        | Event::KeyRevoked { key }
        | Event::KeyExpired { key } => value(&self::key(key)),
        Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
            value(&self::group(group))
        }
        Event::MemberAdded { membership }
        | Event::MemberRemoved { membership }
        | Event::MemberExpired { membership } => value(&member(membership)),
        Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
            value(&self::role(role))
        }
        Event::ProjectCreated { project }
        | Event::ProjectUpdated { project }
        | Event::ProjectDeleted { project } => value(&self::project(project)),
        Event::ObjectRegistered { object }
        | Event::ObjectUpdated { object }
        | Event::ObjectRemoved { object } => value(&self::object(object)),
        Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
            value(&self::grant(grant))
        }
        Event::WebhookCreated { webhook }
        | Event::WebhookUpdated { webhook }
        | Event::WebhookRotated { webhook }
        | Event::WebhookDeleted { webhook } => value(&self::webhook(webhook)),
    }
}

/// How something is at an instant that ends in one of two ways: by what somebody did (`over`), or by itself.
pub(crate) fn state(
    over: State,
    ended_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    at: Timestamp,
) -> State {
    match ended_at {
        Some(_) => over,
        None if at >= Timestamp::end(expires_at) => State::Expired,
        None => State::Active,
    }
}

/// A user.
pub(crate) fn user(user: &model::User) -> users::User {
    let model::User { id, email, name, external_id, identities: _, created_at, ended_at } = user;
    users::User {
        id: id.to_string(),
        email: clear(email),
        name: name.as_ref().map(clear),
        external_id: external_id.as_ref().map(clear),
        created_at: created_at.to_string(),
        deactivated_at: time(*ended_at),
        keys_of_concern: Vec::new(),
        state: None,
    }
}

/// A service token.
pub(crate) fn token(token: &model::Token) -> tokens::Token {
    let model::Token { id, name, description, external_id, expires_at, created_at, ended_at } = token;
    tokens::Token {
        id: id.to_string(),
        name: name.clone(),
        description: description.clone(),
        expires_at: time(*expires_at),
        external_id: external_id.as_ref().map(clear),
        created_at: created_at.to_string(),
        deleted_at: time(*ended_at),
        keys_of_concern: Vec::new(),
        state: None,
    }
}

/// A key, without its secret.
pub(crate) fn key(key: &model::Key) -> keys::Key {
    let model::Key {
        id,
        principal,
        name,
        hash: _,
        expires_at,
        narrow,
        replaces,
        session,
        created_at,
        ended_at,
    } = key;
    keys::Key {
        id: id.to_string(),
        principal: named_principal(*principal, None),
        name: name.clone(),
        preview: preview(KeyKind::of(*principal), *id),
        secret: None,
        secret_withheld: false,
        expires_at: time(*expires_at),
        narrow: narrow.as_ref().map(narrowing),
        created_at: created_at.to_string(),
        revoked_at: time(*ended_at),
        replaces: replaces.map(|id| id.to_string()),
        session: session.map(session_of),
        old_valid_until: None,
        state: None,
    }
}

/// What makes a key a session.
pub(crate) fn session_of(session: model::Session) -> keys::SessionOf {
    keys::SessionOf {
        parent: session.parent.map(|id| id.to_string()),
        signed_in_at: session.signed_in_at.to_string(),
    }
}

/// A session, without its secret; none if the key is not one.
pub(crate) fn session(key: &model::Key) -> Option<sessions::Session> {
    let session = key.session?;
    Some(sessions::Session {
        id: key.id.to_string(),
        principal: named_principal(key.principal, None),
        preview: preview(KeyKind::of(key.principal), key.id),
        secret: None,
        secret_withheld: false,
        parent: session.parent.map(|id| id.to_string()),
        signed_in_at: session.signed_in_at.to_string(),
        expires_at: Timestamp::end(key.expires_at).to_string(),
        revoked_at: time(key.ended_at),
    })
}

/// A group.
pub(crate) fn group(group: &model::Group) -> groups::Group {
    let model::Group { id, name, description, builtin, created_at, ended_at } = group;
    groups::Group {
        id: id.to_string(),
        name: name.clone(),
        description: description.clone(),
        builtin: builtin.is_some(),
        created_at: created_at.to_string(),
        deleted_at: time(*ended_at),
    }
}

/// A membership.
pub(crate) fn member(membership: &model::Membership) -> members::Member {
    let model::Membership { group, member, expires_at, created_at, ended_at } = membership;
    members::Member {
        group: group.to_string(),
        member: named_grantee(*member, None),
        expires_at: time(*expires_at),
        created_at: created_at.to_string(),
        removed_at: time(*ended_at),
        state: None,
    }
}

/// A role.
pub(crate) fn role(role: &model::Role) -> roles::Role {
    let model::Role { id, name, permissions, includes, builtin, created_at, ended_at } = role;
    let permission = |one: &model::RolePermission| roles::RolePermission {
        permission: one.permission.clone(),
        object_type: one.object_type.clone(),
    };
    roles::Role {
        id: id.to_string(),
        name: name.clone(),
        permissions: permissions.iter().map(permission).collect(),
        includes: includes.iter().map(ToString::to_string).collect(),
        builtin: builtin.is_some(),
        created_at: created_at.to_string(),
        deleted_at: time(*ended_at),
    }
}

/// A project.
pub(crate) fn project(project: &model::Project) -> projects::Project {
    let model::Project { id, name, labels, created_at, ended_at } = project;
    projects::Project {
        id: id.to_string(),
        name: name.clone(),
        labels: labels.clone(),
        created_at: created_at.to_string(),
        deleted_at: time(*ended_at),
        state: None,
    }
}

/// A registered object.
pub(crate) fn object(object: &model::RegisteredObject) -> objects::Object {
    let model::RegisteredObject { object, name, minted: _, generation: _, created_at, ended_at } = object;
    objects::Object {
        object_type: object.object_type.clone(),
        id: object.id.clone(),
        project: object.project.map(|id| id.to_string()),
        name: name.clone(),
        created_at: created_at.to_string(),
        removed_at: time(*ended_at),
    }
}

/// A grant.
pub(crate) fn grant(grant: &model::Grant) -> grants::Grant {
    let model::Grant {
        id,
        to,
        gives,
        on,
        effect,
        object_type,
        generation: _,
        expires_at,
        reason,
        builtin,
        created_at,
        ended_at,
    } = grant;
    let (role, permissions) = match gives {
        Gives::Role(id) => (Some(id.to_string()), None),
        Gives::Permissions(names) => (None, Some(names.clone())),
    };
    grants::Grant {
        id: id.to_string(),
        to: named_grantee(*to, None),
        role,
        permissions,
        on: scope(on),
        effect: match effect {
            Effect::Allow => grants::Effect::Allow,
            Effect::Deny => grants::Effect::Deny,
        },
        object_type: object_type.clone(),
        expires_at: time(*expires_at),
        reason: reason.clone(),
        builtin: *builtin,
        created_at: created_at.to_string(),
        revoked_at: time(*ended_at),
        state: None,
    }
}

/// A webhook, without its secret and without how its delivery goes.
pub(crate) fn webhook(webhook: &webhook::Webhook) -> webhooks::Webhook {
    let webhook::Webhook {
        id,
        url,
        events,
        kinds,
        description,
        enabled,
        signer,
        former,
        created_at,
        ended_at,
    } = webhook;
    let kind = |kind: &webhook::MessageKind| match kind {
        webhook::MessageKind::Record => webhooks::MessageKind::Record,
        webhook::MessageKind::Change => webhooks::MessageKind::Change,
    };
    webhooks::Webhook {
        id: id.to_string(),
        url: url.clone(),
        events: events.clone(),
        kinds: kinds.iter().map(kind).collect(),
        description: description.clone(),
        enabled: *enabled,
        secret: None,
        secret_withheld: false,
        secret_generation: signer.generation,
        old_valid_until: time(former.as_ref().and_then(|former| former.until)),
        created_at: created_at.to_string(),
        deleted_at: time(*ended_at),
        delivery: None,
    }
}

/// A whole catalog.
pub(crate) fn catalog(catalog: &grantbook_domain::catalog::Catalog) -> catalog_words::Catalog {
    let object_type = |(name, parent): (&str, Option<&str>)| catalog_words::ObjectType {
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
    };
    catalog_words::Catalog {
        object_types: catalog.types().map(object_type).collect(),
        permissions: catalog.permissions().to_vec(),
    }
}

/// A thing as JSON. The words of the wire always serialize.
pub(crate) fn value<T: Serialize>(thing: &T) -> Value {
    serde_json::to_value(thing).unwrap_or_default()
}

/// An instant that may never come.
pub(crate) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn added(types: &[TypeDefinition], permissions: &[String]) -> catalog_words::Catalog {
    let object_type = |one: &TypeDefinition| catalog_words::ObjectType {
        name: one.name.clone(),
        parent: Some(one.parent.clone()),
    };
    catalog_words::Catalog {
        object_types: types.iter().map(object_type).collect(),
        permissions: permissions.to_vec(),
    }
}

fn narrowing(narrow: &Narrowing) -> keys::Narrowing {
    keys::Narrowing { permissions: narrow.permissions.clone(), on: narrow.on.as_ref().map(scope) }
}

fn scope(scope: &Scope) -> scope_words::Scope {
    match scope {
        Scope::Organization => scope_words::Scope::ORGANIZATION,
        Scope::Projects(Selector { include, exclude }) => {
            scope_words::Scope::Projects(scope_words::Selector {
                include: selection(include),
                exclude: (!exclude.is_empty()).then(|| selection(exclude)),
            })
        }
        Scope::Object(object) => scope_words::Scope::Object(self::object_ref(object)),
    }
}

/// An object by type, id and project.
pub(crate) fn object_ref(object: &ObjectRef) -> reference::ObjectRef {
    let ObjectRef { object_type, id, project } = object;
    let project = project.map(|id| id.to_string());
    reference::ObjectRef { object_type: object_type.clone(), id: id.clone(), project }
}

/// "Any of" with `all` among them is `all`.
pub(crate) fn selection(atoms: &[Atom]) -> scope_words::Selection {
    let one = |atom: &Atom| match atom {
        Atom::All => None,
        Atom::Id(id) => Some(scope_words::Atom::Id(id.to_string())),
        Atom::Name(pattern) => Some(scope_words::Atom::Name(pattern.clone())),
        Atom::Label(labels) => Some(scope_words::Atom::Label(labels.clone())),
    };
    let atoms: Option<Vec<_>> = atoms.iter().map(one).collect();
    atoms.map_or(scope_words::Selection::ALL, scope_words::Selection::Any)
}
