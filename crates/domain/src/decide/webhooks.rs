//! Webhooks: made, changed, given new secrets, and deleted for good. They belong to the organization and outlive their authors.

use crate::{
    catalog::{ObjectType, Permission},
    command::{Author, WebhookCommand},
    decide::{Events, Judge, changed, is_new, require_prose, text},
    event::{Event, kind::EventKind},
    id::WebhookId,
    refusal::{Kind, Refusal},
    text::{TextFault, check_word},
    webhook::{CHANGE_NAMES, Destination, GRACE_MAX_SECONDS, Signer, WEBHOOKS_MAX, Webhook},
};

impl Judge<'_> {
    pub(super) fn judge_webhook(&self, command: &WebhookCommand) -> Events {
        match command {
            WebhookCommand::Create { id, url, events, kinds, description, enabled, key } => {
                let webhook = Webhook {
                    id: *id,
                    url: url.clone(),
                    events: events.clone(),
                    kinds: kinds.clone(),
                    description: description.clone(),
                    enabled: *enabled,
                    signer: Signer { key: key.clone(), generation: 1, until: None },
                    former: None,
                    created_at: self.at,
                    ended_at: None,
                };
                let webhook = fitting(webhook, None)?;
                self.require_sight_of_all()?;
                if self.state.living_webhooks().count() >= WEBHOOKS_MAX {
                    return Err(Refusal::TooMany { kind: Kind::Webhook, limit: WEBHOOKS_MAX });
                }
                Ok(vec![Event::WebhookCreated { webhook }])
            }
            WebhookCommand::Update { id, url, events, kinds, description, enabled } => {
                let old = self.living_webhook(*id)?;
                let webhook = Webhook {
                    url: url.clone().unwrap_or_else(|| old.url.clone()),
                    events: events.clone().unwrap_or_else(|| old.events.clone()),
                    kinds: kinds.clone().unwrap_or_else(|| old.kinds.clone()),
                    description: changed(description.as_ref(), old.description.as_ref()),
                    enabled: enabled.unwrap_or(old.enabled),
                    ..old.clone()
                };
                self.update_webhook(old, webhook)
            }
            WebhookCommand::Rotate { id, key, grace_seconds } => {
                self.rotate_webhook(*id, key, *grace_seconds)
            }
            WebhookCommand::Delete { id } => {
                let webhook = self.state.webhook(*id).ok_or(Refusal::NotFound(Kind::Webhook))?;
                if webhook.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                let webhook = Webhook { ended_at: Some(self.at), ..webhook.clone() };
                Ok(vec![Event::WebhookDeleted { webhook }])
            }
        }
    }

    fn update_webhook(&self, old: &Webhook, webhook: Webhook) -> Events {
        let webhook = fitting(webhook, Some(old))?;
        if webhook == *old {
            return Ok(Vec::new());
        }
        let disabled = Webhook { enabled: false, ..old.clone() };
        if webhook != disabled {
            self.require_sight_of_all()?;
        }
        Ok(vec![Event::WebhookUpdated { webhook }])
    }

    /// A webhook carries every record and every change of access out of the organization: who makes or changes one must be
    /// allowed to see them all, with the very key that is used. Switching it off and deleting it need no such sight.
    fn require_sight_of_all(&self) -> Result<(), Refusal> {
        let Author::Caller(caller) = self.author else { return Ok(()) };
        if !self.can(caller, Permission::READ, &self.singleton(ObjectType::ORG_AUDIT_LOGS)) {
            return Err(Refusal::forbidden("read", "org_audit_logs, as a webhook carries its records"));
        }
        if !self.reads_access() {
            return Err(Refusal::forbidden(
                "read_acls",
                "the organization, as a webhook carries changes of access",
            ));
        }
        Ok(())
    }

    fn rotate_webhook(&self, id: WebhookId, key: &str, grace_seconds: u64) -> Events {
        if grace_seconds > GRACE_MAX_SECONDS {
            return Err(Refusal::invalid("/grace_seconds", "must be at most 31622400, a year"));
        }
        let old = self.living_webhook(id)?;
        self.require_sight_of_all()?;
        let grace_millis = i64::try_from(grace_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let until = Some(self.at.plus_millis(grace_millis));
        let generation = old.signer.generation.saturating_add(1);
        let webhook = Webhook {
            signer: Signer { key: key.to_owned(), generation, until: None },
            former: (grace_seconds > 0).then(|| Signer { until, ..old.signer.clone() }),
            ..old.clone()
        };
        let webhook = fitting(webhook, Some(old))?;
        Ok(vec![Event::WebhookRotated { webhook }])
    }

    fn living_webhook(&self, id: WebhookId) -> Result<&Webhook, Refusal> {
        let found = self.state.webhook(id).filter(|webhook| webhook.ended_at.is_none());
        found.ok_or(Refusal::NotFound(Kind::Webhook))
    }
}

/// The webhook with its lists sorted, without repeats.
fn fitting(mut webhook: Webhook, old: Option<&Webhook>) -> Result<Webhook, Refusal> {
    if is_new(&webhook.url, old.map(|old| &old.url)) {
        text("/url", Destination::parse(&webhook.url).map(drop))?;
    }
    if is_new(&webhook.description, old.map(|old| &old.description)) {
        require_prose("/description", webhook.description.as_deref())?;
    }
    text("/key", check_word(&webhook.signer.key))?;
    for (index, name) in webhook.events.iter().enumerate() {
        if EventKind::named(name).is_none() && !CHANGE_NAMES.contains(&name.as_str()) {
            return Err(Refusal::invalid(&format!("/events/{index}"), "there is no message of this name"));
        }
    }
    if webhook.kinds.is_empty() {
        return Err(Refusal::Text { pointer: "/kinds".to_owned(), fault: TextFault::Empty });
    }
    webhook.events.sort();
    webhook.events.dedup();
    webhook.kinds.sort();
    webhook.kinds.dedup();
    Ok(webhook)
}
