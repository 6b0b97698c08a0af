//! What writes mean: method, path and body become a command. One table for single requests and for batches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use grantbook_api::reference::{GranteeRef, GranteeType};
use grantbook_domain::{
    command::Command,
    id::{Id, KeyId, RoleId, WebhookId},
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::Kind,
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};
use serde_json::Value;

use crate::{
    http::{instant, problem::Failure},
    ids::IdSource,
    routes::{
        catalog, grants, groups, keys, members, objects, projects, roles, sessions, tokens, users, webhooks,
    },
    secret::Secret,
    webhooks::{Configured, WebhookKey},
};

/// Secrets made for one request, for its one answer.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    keys: BTreeMap<KeyId, Secret>,
    /// The webhooks that it makes or rotates,
    webhooks: BTreeSet<WebhookId>,
    /// and the key that their secrets are derived from; none once they were shown.
    webhook_key: Option<WebhookKey>,
}

/// A secret made for one command.
#[derive(Debug)]
pub(crate) enum Made {
    /// A key's.
    Key(KeyId, Secret),
    /// A webhook's, derived from this key.
    Webhook(WebhookId, WebhookKey),
}

impl Secrets {
    /// One more.
    pub(crate) fn add(&mut self, made: Made) {
        match made {
            Made::Key(id, secret) => drop(self.keys.insert(id, secret)),
            Made::Webhook(id, key) => {
                self.webhooks.insert(id);
                self.webhook_key = Some(key);
            }
        }
    }

    /// For an answer that was given before. Keys need no look: a repeated request's record has other ids.
    pub(crate) fn shown_before(&mut self) {
        self.webhook_key = None;
    }

    /// The text of a key made for this request.
    pub(crate) fn of_key(&self, id: KeyId) -> Option<&str> {
        self.keys.get(&id).map(Secret::expose)
    }

    /// The signing secret of a webhook made or rotated by this request.
    pub(crate) fn of_webhook(&self, webhook: &Webhook) -> Option<String> {
        let key = self.webhook_key.as_ref().filter(|_| self.webhooks.contains(&webhook.id))?;
        key.secret(webhook.id, &webhook.signer).map(|secret| secret.text())
    }
}

/// What turning a request into a command may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake<'a> {
    /// Where new ids come from.
    pub(crate) ids: &'a IdSource,
    /// The organization, for the ids of built-in roles and the kind of a key's principal.
    pub(crate) state: &'a OrgState,
    /// The keys of earlier commands of the same batch.
    pub(crate) issued: &'a HashMap<KeyId, Principal>,
    /// What the process was told of webhooks.
    pub(crate) webhooks: Option<&'a Configured>,
}

/// A command, and what else its request said.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The command.
    pub(crate) command: Command,
    /// The id of what it makes or changes: `$N.id` in a batch.
    pub(crate) id: String,
    /// The secret made for it.
    pub(crate) secret: Option<Made>,
    /// The reason in its body.
    pub(crate) reason: Option<String>,
}

impl Plan {
    /// A command on the thing of this id.
    pub(crate) fn new(command: Command, id: impl Into<String>) -> Self {
        Self { command, id: id.into(), secret: None, reason: None }
    }
}

/// The command that a write stands for; `project` is the query's, which only objects have.
pub(crate) fn plan(
    method: &str,
    (path, project): (&[&str], Option<&str>),
    body: Value,
    intake: &Intake<'_>,
) -> Result<Plan, Failure> {
    if method == "DELETE" && !body.is_null() {
        return Err(Failure::invalid_at("", "this request takes no body"));
    }
    match (method, path) {
        ("POST", ["v1", noun]) => create(noun, body, intake),
        ("PATCH", ["v1", noun, id]) => update(noun, id, body, intake),
        ("DELETE", ["v1", noun, id]) => delete(noun, id, intake),
        ("PATCH", ["v1", "objects", object_type, id]) => objects::update((object_type, id), project, body),
        ("DELETE", ["v1", "objects", object_type, id]) => objects::remove((object_type, id), project),
        ("POST", ["v1", "tokens", id, "keys"]) => keys::issue(keys::token(id)?, body, intake),
        ("POST", ["v1", "users", id, "keys"]) => keys::issue(keys::user(id)?, body, intake),
        ("POST", ["v1", "keys", id, "rotate"]) => keys::rotate(id, body, intake),
        ("POST", ["v1", "webhooks", id, "rotate"]) => webhooks::rotate(id, body, intake),
        ("POST", ["v1", "groups", id, "members"]) => members::add(id, body),
        ("DELETE", ["v1", "groups", id, "members", kind, member]) => members::remove(id, kind, member),
        _ => Err(Failure::no_route()),
    }
}

fn create(noun: &str, body: Value, intake: &Intake<'_>) -> Result<Plan, Failure> {
    match noun {
        "projects" => projects::create(body, intake),
        "catalog" => catalog::extend(body),
        "objects" => objects::register(body),
        "users" => users::create(body, intake),
        "tokens" => tokens::create(body, intake),
        "groups" => groups::create(body, intake),
        "roles" => roles::create(body, intake),
        "grants" => grants::create(body, intake),
        "webhooks" => webhooks::create(body, intake),
        "sessions" => sessions::start(body, intake),
        _ => Err(Failure::no_route()),
    }
}

fn update(noun: &str, id: &str, body: Value, intake: &Intake<'_>) -> Result<Plan, Failure> {
    match noun {
        "projects" => projects::update(id, body),
        "users" => users::update(id, body),
        "tokens" => tokens::update(id, body),
        "groups" => groups::update(id, body),
        "roles" => roles::update(id, body, intake),
        "webhooks" => webhooks::update(id, body, intake),
        _ => Err(Failure::no_route()),
    }
}

fn delete(noun: &str, id: &str, intake: &Intake<'_>) -> Result<Plan, Failure> {
    match noun {
        "projects" => projects::delete(id),
        "users" => users::deactivate(id),
        "tokens" => tokens::delete(id),
        "keys" => keys::revoke(id),
        "sessions" => sessions::end(id),
        "groups" => groups::delete(id),
        "roles" => roles::delete(id, intake),
        "grants" => grants::revoke(id),
        "webhooks" => webhooks::delete(id),
        _ => Err(Failure::no_route()),
    }
}

/// An id in a path: one that cannot be is one that is not there.
pub(crate) fn id_in_path<K>(text: &str, kind: Kind) -> Result<Id<K>, Failure> {
    text.parse().map_err(|_| Failure::not_found(kind))
}

/// An id in a body.
pub(crate) fn id_in_body<K>(text: &str, pointer: &str) -> Result<Id<K>, Failure> {
    text.parse()
        .map_err(|error: grantbook_domain::id::NotAnId| Failure::invalid_at(pointer, error.to_string()))
}

/// An end in a body: a time, or none for `never`.
pub(crate) fn end(text: &str, pointer: &str) -> Result<Option<Timestamp>, Failure> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = |wrong: instant::NoInstant| format!("{}, or `never`", wrong.detail());
    instant::parse(text).map(Some).map_err(|error| Failure::invalid_at(pointer, wrong(error)))
}

/// The end of something new, which has none if none is given.
pub(crate) fn end_of_new(text: Option<&str>, pointer: &str) -> Result<Option<Timestamp>, Failure> {
    text.map_or(Ok(None), |text| end(text, pointer))
}

/// A grantee in a body, at `pointer`.
pub(crate) fn grantee_in_body(reference: &GranteeRef, pointer: &str) -> Result<Grantee, Failure> {
    let at = format!("{pointer}/id");
    Ok(match reference.kind {
        GranteeType::User => Grantee::User(id_in_body(&reference.id, &at)?),
        GranteeType::Token => Grantee::Token(id_in_body(&reference.id, &at)?),
        GranteeType::Group => Grantee::Group(id_in_body(&reference.id, &at)?),
    })
}

/// A grantee by the words of a path or parameter; none if they cannot name one.
pub(crate) fn grantee(kind: &str, id: &str) -> Option<Grantee> {
    match kind {
        "user" => id.parse().ok().map(Grantee::User),
        "token" => id.parse().ok().map(Grantee::Token),
        "group" => id.parse().ok().map(Grantee::Group),
        _ => None,
    }
}

/// The built-in role of this name.
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    match name {
        "Owner" => Some(Builtin::Owner),
        "Engineer" => Some(Builtin::Engineer),
        "Viewer" => Some(Builtin::Viewer),
        _ => None,
    }
}

/// A role in a body: an id, or the name of a built-in one.
pub(crate) fn role_in_body(text: &str, pointer: &str, intake: &Intake<'_>) -> Result<RoleId, Failure> {
    match builtin(text).and_then(|known| intake.state.builtin_role(known)) {
        Some(id) => Ok(id),
        None => id_in_body(text, pointer),
    }
}
