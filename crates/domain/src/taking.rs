//! Taking access away. No limit refuses it: who revokes in a hurry must not have to look for room first.

use std::collections::BTreeSet;

use crate::{
    command::{Command, Expiry},
    event::Event,
    id::RoleId,
    model::{Effect, Membership, Role, RolePermission, Token},
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};

impl OrgState {
    /// Whether the command, as it stands on this state, may be one that only takes access away: the end of something, an earlier
    /// end of a membership or a service token, a role with less, a webhook switched off. [`OrgState::only_takes`] judges exactly,
    /// once it was decided.
    pub fn may_only_take(&self, command: &Command) -> bool {
        match command {
            Command::RevokeKey { .. }
            | Command::EndSession { .. }
            | Command::RevokeGrant { .. }
            | Command::RemoveMember { .. }
            | Command::DeactivateUser { .. }
            | Command::DeleteToken { .. }
            | Command::DeleteGroup { .. }
            | Command::DeleteRole { .. }
            | Command::DeleteProject { .. }
            | Command::RemoveObject { .. }
            | Command::DeleteWebhook { .. }
            | Command::UpdateWebhook {
                url: None,
                events: None,
                kinds: None,
                description: None,
                enabled: Some(false),
                ..
            } => true,
            Command::AddMember { group, member, expires_at: Expiry::At(at) } => {
                let old = self.membership(*member, *group);
                old.is_some_and(|old| *at <= Timestamp::end(old.expires_at))
            }
            Command::UpdateToken {
                id,
                name: None,
                description: None,
                external_id: None,
                expires_at: Some(Some(at)),
            } => self.token(*id).is_some_and(|old| *at <= Timestamp::end(old.expires_at)),
            Command::UpdateRole { id, name: None, permissions, includes } => {
                self.role(*id).is_some_and(|old| has_all(old, permissions.as_deref(), includes.as_deref()))
            }
            Command::Batch(commands) => commands.iter().all(|one| self.may_only_take(one)),
            Command::AddMember { .. }
            | Command::UpdateToken { .. }
            | Command::UpdateRole { .. }
            | Command::UpdateWebhook { .. }
            | Command::ExtendCatalog { .. }
            | Command::CreateUser { .. }
            | Command::UpdateUser { .. }
            | Command::CreateToken { .. }
            | Command::IssueKey { .. }
            | Command::RotateKey { .. }
            | Command::StartSession { .. }
            | Command::CreateGroup { .. }
            | Command::UpdateGroup { .. }
            | Command::CreateRole { .. }
            | Command::CreateProject { .. }
            | Command::UpdateProject { .. }
            | Command::RegisterObject { .. }
            | Command::UpdateObject { .. }
            | Command::CreateGrant { .. }
            | Command::CreateWebhook { .. }
            | Command::RotateWebhook { .. }
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => false,
        }
    }

    /// Whether the events, decided on this state, end or shorten keys, memberships, allow grants, permissions of roles, accounts,
    /// groups and other things, and make or change nothing else. Where a deny hangs on what ends, that gives access back: it
    /// still counts as taking, but for the revocation of the deny itself.
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
    let same = Role { permissions: new.permissions.clone(), includes: new.includes.clone(), ..old.clone() };
    same == *new && has_all(old, Some(&new.permissions), Some(&new.includes))
}

/// Whether the role has all of these; absent ones stay as they are.
fn has_all(old: &Role, permissions: Option<&[RolePermission]>, includes: Option<&[RoleId]>) -> bool {
    let had: BTreeSet<_> = old.permissions.iter().collect();
    let known: BTreeSet<_> = old.includes.iter().collect();
    permissions.unwrap_or_default().iter().all(|permission| had.contains(permission))
        && includes.unwrap_or_default().iter().all(|role| known.contains(role))
}

fn ends_no_later(new: Option<Timestamp>, old: Option<Timestamp>) -> bool {
    Timestamp::end(new) <= Timestamp::end(old)
}
