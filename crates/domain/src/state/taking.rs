//! Taking access away. No limit refuses it: who revokes in a hurry must not have to look for room first.

use std::collections::BTreeSet;

use crate::{
    command::{
        Command, Expiry, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    event::Event,
    id::RoleId,
    model::{Effect, Membership, Role, RolePermission, Token},
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};

impl Event {
    /// Whether somebody may have less by it than before, judged without the state before it: in doubt, yes. For a list of what
    /// was lost, in which nothing may be missed that took access away. Notices of expiry count for nothing: time takes
    /// without them.
    pub const fn may_take_away(&self) -> bool {
        match self {
            Self::KeyRevoked { .. }
            | Self::KeyRotated { .. }
            | Self::UserDeactivated { .. }
            | Self::TokenDeleted { .. }
            | Self::GroupDeleted { .. }
            | Self::MemberRemoved { .. }
            | Self::RoleUpdated { .. }
            | Self::RoleDeleted { .. }
            // Other labels, fewer selectors.
            | Self::ProjectUpdated { .. }
            | Self::ProjectDeleted { .. }
            | Self::ObjectRemoved { .. }
            | Self::WebhookRotated { .. }
            | Self::WebhookDeleted { .. } => true,
            Self::GrantCreated { grant } => matches!(grant.effect, Effect::Deny),
            Self::GrantRevoked { grant } => matches!(grant.effect, Effect::Allow),
            Self::MemberAdded { membership } => membership.expires_at.is_some(),
            Self::TokenUpdated { token } => token.expires_at.is_some(),
            Self::WebhookUpdated { webhook } => !webhook.enabled,
            Self::OrganizationCreated { .. }
            | Self::OrganizationUpdated { .. }
            | Self::RollbackAccepted { .. }
            | Self::CatalogExtended { .. }
            | Self::UserCreated { .. }
            | Self::UserUpdated { .. }
            | Self::TokenCreated { .. }
            | Self::TokenExpired { .. }
            | Self::KeyIssued { .. }
            | Self::KeyExpired { .. }
            | Self::GroupCreated { .. }
            | Self::GroupUpdated { .. }
            | Self::MemberExpired { .. }
            | Self::RoleCreated { .. }
            | Self::ProjectCreated { .. }
            | Self::ObjectRegistered { .. }
            | Self::ObjectUpdated { .. }
            | Self::GrantExpired { .. }
            | Self::WebhookCreated { .. } => false,
        }
    }
}

impl OrgState {
    /// Whether the command, as it stands on this state, may be one that only takes access away: the end of something, an earlier
    /// end of a membership or a service token, a role with less, a webhook switched off. [`OrgState::only_takes`] judges exactly,
    /// once it was decided.
    pub fn may_only_take(&self, command: &Command) -> bool {
        match command {
            Command::Key(KeyCommand::Revoke { .. })
            | Command::Session(SessionCommand::End { .. })
            | Command::Grant(GrantCommand::Revoke { .. })
            | Command::Member(MemberCommand::Remove { .. })
            | Command::User(UserCommand::Deactivate { .. })
            | Command::Token(TokenCommand::Delete { .. })
            | Command::Group(GroupCommand::Delete { .. })
            | Command::Role(RoleCommand::Delete { .. })
            | Command::Project(ProjectCommand::Delete { .. })
            | Command::Object(ObjectCommand::Remove { .. })
            | Command::Webhook(
                WebhookCommand::Delete { .. }
                | WebhookCommand::Update {
                    url: None,
                    events: None,
                    kinds: None,
                    description: None,
                    enabled: Some(false),
                    ..
                },
            ) => true,
            Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::At(at) }) => {
                let old = self.membership(*member, *group);
                old.is_some_and(|old| *at <= Timestamp::end(old.expires_at))
            }
            Command::Token(TokenCommand::Update {
                id,
                name: None,
                description: None,
                external_id: None,
                expires_at: Some(Some(at)),
            }) => self.token(*id).is_some_and(|old| *at <= Timestamp::end(old.expires_at)),
            Command::Role(RoleCommand::Update { id, name: None, permissions, includes }) => {
                self.role(*id).is_some_and(|old| has_all(old, permissions.as_deref(), includes.as_deref()))
            }
            Command::Batch(commands) => commands.iter().all(|one| self.may_only_take(one)),
            Command::Member(MemberCommand::Add { .. })
            | Command::Token(TokenCommand::Update { .. } | TokenCommand::Create { .. })
            | Command::Role(RoleCommand::Update { .. } | RoleCommand::Create { .. })
            | Command::Webhook(
                WebhookCommand::Update { .. } | WebhookCommand::Create { .. } | WebhookCommand::Rotate { .. },
            )
            | Command::ExtendCatalog { .. }
            | Command::User(UserCommand::Create { .. } | UserCommand::Update { .. })
            | Command::Key(KeyCommand::Issue { .. } | KeyCommand::Rotate { .. })
            | Command::Session(SessionCommand::Start { .. })
            | Command::Group(GroupCommand::Create { .. } | GroupCommand::Update { .. })
            | Command::Project(ProjectCommand::Create { .. } | ProjectCommand::Update { .. })
            | Command::Object(
                ObjectCommand::Register { .. } | ObjectCommand::Create { .. } | ObjectCommand::Update { .. },
            )
            | Command::Grant(GrantCommand::Create { .. })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{GrantId, GroupId, RoleId, TokenId, UserId},
        model::{Gives, Grant},
        principal::Grantee,
        scope::Scope,
    };

    const AT: Timestamp = Timestamp::EPOCH;

    #[test]
    fn without_the_state_before_an_event_takes_if_it_may() {
        let role = Role {
            id: RoleId::from_u128(1),
            name: "r".to_owned(),
            permissions: Vec::new(),
            includes: Vec::new(),
            builtin: None,
            created_at: AT,
            ended_at: None,
        };
        assert!(Event::RoleUpdated { role: role.clone() }.may_take_away());
        assert!(Event::RoleDeleted { role: role.clone() }.may_take_away());
        assert!(!Event::RoleCreated { role }.may_take_away());
        for expires_at in [None, Some(AT)] {
            let (group, member) = (GroupId::from_u128(1), Grantee::User(UserId::from_u128(1)));
            let membership = Membership { group, member, expires_at, created_at: AT, ended_at: None };
            assert_eq!(Event::MemberAdded { membership }.may_take_away(), expires_at.is_some());
            let token = Token {
                id: TokenId::from_u128(1),
                name: "t".to_owned(),
                description: None,
                external_id: None,
                expires_at,
                created_at: AT,
                ended_at: None,
            };
            assert_eq!(Event::TokenUpdated { token }.may_take_away(), expires_at.is_some());
        }
        for effect in [Effect::Allow, Effect::Deny] {
            let grant = Grant {
                id: GrantId::from_u128(1),
                to: Grantee::User(UserId::from_u128(1)),
                gives: Gives::Role(RoleId::from_u128(1)),
                on: Scope::Organization,
                effect,
                object_type: None,
                generation: 0,
                expires_at: None,
                reason: None,
                builtin: false,
                created_at: AT,
                ended_at: None,
            };
            assert_eq!(
                Event::GrantRevoked { grant: grant.clone() }.may_take_away(),
                effect == Effect::Allow,
                "a deny that ends gives"
            );
            assert_eq!(Event::GrantCreated { grant }.may_take_away(), effect == Effect::Deny);
        }
    }
}
