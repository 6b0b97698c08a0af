//! Taking access away. No limit refuses it: who revokes in a hurry must not have to look for room first.

use std::collections::BTreeSet;

use crate::{
    command::{Command, Expiry},
    event::Event,
    model::{Effect, Membership, Role, Token},
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};

impl Command {
    /// Whether the command, going by its form alone, may be one that only takes access away: the ends of things, a membership
    /// or a service token with a time to end at, a role with other permissions, a webhook switched off. [`OrgState::only_takes`]
    /// judges exactly, once it was decided.
    pub fn may_only_take(&self) -> bool {
        match self {
            Self::RevokeKey { .. }
            | Self::EndSession { .. }
            | Self::RevokeGrant { .. }
            | Self::RemoveMember { .. }
            | Self::DeactivateUser { .. }
            | Self::DeleteToken { .. }
            | Self::DeleteGroup { .. }
            | Self::DeleteRole { .. }
            | Self::DeleteProject { .. }
            | Self::RemoveObject { .. }
            | Self::DeleteWebhook { .. }
            | Self::AddMember { expires_at: Expiry::At(_), .. }
            | Self::UpdateToken {
                name: None,
                description: None,
                external_id: None,
                expires_at: Some(Some(_)),
                ..
            }
            | Self::UpdateRole { name: None, .. }
            | Self::UpdateWebhook {
                url: None,
                events: None,
                kinds: None,
                description: None,
                enabled: Some(false),
                ..
            } => true,
            Self::Batch(commands) => commands.iter().all(Self::may_only_take),
            Self::AddMember { .. }
            | Self::UpdateToken { .. }
            | Self::UpdateRole { .. }
            | Self::UpdateWebhook { .. }
            | Self::ExtendCatalog { .. }
            | Self::CreateUser { .. }
            | Self::UpdateUser { .. }
            | Self::CreateToken { .. }
            | Self::IssueKey { .. }
            | Self::RotateKey { .. }
            | Self::StartSession { .. }
            | Self::CreateGroup { .. }
            | Self::UpdateGroup { .. }
            | Self::CreateRole { .. }
            | Self::CreateProject { .. }
            | Self::UpdateProject { .. }
            | Self::RegisterObject { .. }
            | Self::UpdateObject { .. }
            | Self::CreateGrant { .. }
            | Self::CreateWebhook { .. }
            | Self::RotateWebhook { .. }
            | Self::NoteExpiries { .. }
            | Self::AcceptRollback { .. }
            | Self::RecoverOwner { .. } => false,
        }
    }
}

impl OrgState {
    /// Whether the events, decided on this state, end or shorten keys, memberships, allow grants, permissions of roles, accounts,
    /// groups and other things, and do nothing else.
    pub fn only_takes(&self, events: &[Event]) -> bool {
        events.iter().all(|event| self.takes(event))
    }

    fn takes(&self, event: &Event) -> bool {
        match event {
            Event::KeyRevoked { .. }
            | Event::KeyExpired { .. }
            | Event::UserDeactivated { .. }
            | Event::TokenDeleted { .. }
            | Event::TokenExpired { .. }
            | Event::GroupDeleted { .. }
            | Event::MemberRemoved { .. }
            | Event::MemberExpired { .. }
            | Event::RoleDeleted { .. }
            | Event::ProjectDeleted { .. }
            | Event::ObjectRemoved { .. }
            | Event::WebhookDeleted { .. } => true,
            Event::GrantRevoked { grant } | Event::GrantExpired { grant } => grant.effect == Effect::Allow,
            Event::MemberAdded { membership } => self.shortens_membership(membership),
            Event::TokenUpdated { token } => {
                self.token(token.id).is_some_and(|old| shortens_token(old, token))
            }
            Event::RoleUpdated { role } => self.role(role.id).is_some_and(|old| shrinks(old, role)),
            Event::WebhookUpdated { webhook } => self
                .webhook(webhook.id)
                .is_some_and(|old| *webhook == Webhook { enabled: false, ..old.clone() }),
            Event::OrganizationCreated { .. }
            | Event::OrganizationUpdated { .. }
            | Event::CatalogExtended { .. }
            | Event::UserCreated { .. }
            | Event::UserUpdated { .. }
            | Event::TokenCreated { .. }
            | Event::KeyIssued { .. }
            | Event::KeyRotated { .. }
            | Event::GroupCreated { .. }
            | Event::GroupUpdated { .. }
            | Event::RoleCreated { .. }
            | Event::ProjectCreated { .. }
            | Event::ProjectUpdated { .. }
            | Event::ObjectRegistered { .. }
            | Event::ObjectUpdated { .. }
            | Event::GrantCreated { .. }
            | Event::WebhookCreated { .. }
            | Event::WebhookRotated { .. }
            | Event::RollbackAccepted { .. } => false,
        }
    }

    fn shortens_membership(&self, new: &Membership) -> bool {
        let old = self.membership(new.member, new.group);
        old.is_some_and(|old| ends_no_later(new.expires_at, old.expires_at))
    }
}

fn shortens_token(old: &Token, new: &Token) -> bool {
    let same = Token { expires_at: new.expires_at, ..old.clone() } == *new;
    same && ends_no_later(new.expires_at, old.expires_at)
}

/// Whether the role has the same name and nothing that it did not have.
fn shrinks(old: &Role, new: &Role) -> bool {
    let had: BTreeSet<_> = old.permissions.iter().collect();
    let included: BTreeSet<_> = old.includes.iter().collect();
    let same = Role { permissions: new.permissions.clone(), includes: new.includes.clone(), ..old.clone() };
    same == *new
        && new.permissions.iter().all(|permission| had.contains(permission))
        && new.includes.iter().all(|role| included.contains(role))
}

fn ends_no_later(new: Option<Timestamp>, old: Option<Timestamp>) -> bool {
    Timestamp::end(new) <= Timestamp::end(old)
}
