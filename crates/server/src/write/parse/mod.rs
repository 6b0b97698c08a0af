//! What writes are made of: a call becomes a command, with the secret and the reason that it brings.

pub(crate) mod catalog;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod objects;
pub(crate) mod projects;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod webhooks;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::http::Method;

use grantbook_api::words::reference::{GranteeRef, GranteeType};
use grantbook_domain::{
    command::Command,
    id::{KeyId, RoleId, WebhookId},
    principal::{Grantee, Principal},
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};
use serde_json::Value;

use crate::{
    http::{instant, problem::Failure},
    subscribe::webhooks::{Configured, WebhookKey},
    wire::reference::{builtin, id_in_body},
};
use grantbook_command::secret::Secret;
use grantbook_journal::stamp::ids::IdSource;

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
pub(crate) enum NewSecret {
    /// A key's.
    Key(KeyId, Secret),
    /// A webhook's, derived from this key.
    Webhook(WebhookId, WebhookKey),
}

impl Secrets {
    /// One more.
    pub(crate) fn add(&mut self, made: NewSecret) {
        match made {
            NewSecret::Key(id, secret) => drop(self.keys.insert(id, secret)),
            NewSecret::Webhook(id, key) => {
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
pub(crate) struct ParseContext<'a> {
    /// Where new ids come from.
    pub(crate) ids: &'a IdSource,
    /// The organization, for the ids of built-in roles and the kind of a key's principal.
    pub(crate) state: &'a OrgState,
    /// The keys of earlier commands of the same batch.
    pub(crate) issued: &'a HashMap<KeyId, Principal>,
    /// What the process was told of webhooks.
    pub(crate) webhooks: Option<&'a Configured>,
}

/// A write's path and body, to become a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The variable segments of the path, decoded, in order.
    pub(crate) variables: &'a [&'a str],
    /// The query's `project`, which only objects have.
    pub(crate) project: Option<&'a str>,
    /// The body; null if there is none.
    pub(crate) body: &'a Value,
    /// What else is looked at.
    pub(crate) context: &'a ParseContext<'a>,
}

impl<'a> Call<'a> {
    /// A variable segment of the path.
    pub(crate) fn at(&self, index: usize) -> &'a str {
        self.variables.get(index).copied().unwrap_or_default()
    }
}

/// Turns a call of one operation into a command.
pub(crate) type Parse = fn(Call<'_>) -> Result<ParsedWrite, Failure>;
/// Turns any call into a command. The path is decoded, segment by segment.
pub(crate) type ParseAny = fn(&Method, &[&str], Call<'_>) -> Result<ParsedWrite, Failure>;

/// A command, and what else its request said.
#[derive(Debug)]
pub(crate) struct ParsedWrite {
    /// The command.
    pub(crate) command: Command,
    /// The id of what it makes or changes: `$N.id` in a batch.
    pub(crate) id: String,
    /// The secret made for it.
    pub(crate) secret: Option<NewSecret>,
    /// The reason in its body.
    pub(crate) reason: Option<String>,
}

impl ParsedWrite {
    /// A command on the thing of this id.
    pub(crate) fn new(command: Command, id: impl Into<String>) -> Self {
        Self { command, id: id.into(), secret: None, reason: None }
    }
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

/// A role in a body: an id, or the name of a built-in one.
pub(crate) fn role_in_body(text: &str, pointer: &str, context: &ParseContext<'_>) -> Result<RoleId, Failure> {
    match builtin(text).and_then(|known| context.state.builtin_role(known)) {
        Some(id) => Ok(id),
        None => id_in_body(text, pointer),
    }
}
