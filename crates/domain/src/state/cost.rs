//! What an event costs to follow on a read node, in work units: an upper bound, from the state before it.
//!
//! A unit is one condition compared with one project, or one row of rights put together again: some 0.1 to 0.3
//! microseconds. What costs the same whatever the organization holds is one unit.

use crate::{
    event::Event,
    id::GroupId,
    limits::{SelectorUse, WorkCounter},
    model::Grant,
    principal::Grantee,
    scope::Scope,
    state::OrgState,
};

impl OrgState {
    /// What the event costs to follow. `work` counts what it takes to find out.
    pub(crate) fn cost_to_follow(&self, event: &Event, work: &WorkCounter) -> u64 {
        let units = match event {
            Event::GrantCreated { grant } => {
                self.selected(&grant.on).saturating_add(self.recombined_by_grant(grant, work))
            }
            Event::GrantRevoked { grant } => self.recombined_by_grant(grant, work),
            Event::KeyIssued { key } | Event::KeyRotated { key, .. } => {
                let on = key.narrow.as_ref().and_then(|narrow| narrow.on.as_ref());
                on.map_or(0, |on| SelectorUse::of(on).conditions)
            }
            // Each living selector is asked about the project, and each name pattern is compared with its name.
            Event::ProjectCreated { .. } | Event::ProjectUpdated { .. } => {
                let selectors = self.grants_by_selector.len().saturating_add(self.keys_by_selector.len());
                selectors.saturating_add(self.selector_use.patterns)
            }
            Event::MemberAdded { membership } | Event::MemberRemoved { membership } => {
                match membership.member {
                    Grantee::Group(inner) => self.recombined(inner, membership.group, work),
                    Grantee::User(_) | Grantee::Token(_) => 0,
                }
            }
            Event::GroupDeleted { group } => self.recombined(group.id, group.id, work),
            // Each grant of the role, and of roles that include it, is resolved again.
            Event::RoleUpdated { role } => {
                let including = self.with_roles_including(role.id, work);
                including.iter().map(|role| self.grants_of_role(*role).count().saturating_add(1)).sum()
            }
            Event::OrganizationCreated { .. }
            | Event::OrganizationUpdated { .. }
            | Event::RollbackAccepted { .. }
            | Event::CatalogExtended { .. }
            | Event::UserCreated { .. }
            | Event::UserUpdated { .. }
            | Event::UserDeactivated { .. }
            | Event::TokenCreated { .. }
            | Event::TokenUpdated { .. }
            | Event::TokenDeleted { .. }
            | Event::TokenExpired { .. }
            | Event::KeyRevoked { .. }
            | Event::KeyExpired { .. }
            | Event::GroupCreated { .. }
            | Event::GroupUpdated { .. }
            | Event::MemberExpired { .. }
            | Event::RoleCreated { .. }
            | Event::RoleDeleted { .. }
            | Event::ProjectDeleted { .. }
            | Event::ObjectRegistered { .. }
            | Event::ObjectUpdated { .. }
            | Event::ObjectRemoved { .. }
            | Event::GrantExpired { .. }
            | Event::WebhookCreated { .. }
            | Event::WebhookUpdated { .. }
            | Event::WebhookRotated { .. }
            | Event::WebhookDeleted { .. } => 0,
        };
        u64::try_from(units).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Each project is compared with the patterns of a new selector; other conditions are looked up.
    fn selected(&self, scope: &Scope) -> usize {
        match scope {
            Scope::Organization | Scope::Object(_) => 0,
            Scope::Projects(_) => {
                let SelectorUse { patterns, conditions } = SelectorUse::of(scope);
                self.projects.len().saturating_mul(patterns.saturating_add(1)).saturating_add(conditions)
            }
        }
    }

    fn recombined_by_grant(&self, grant: &Grant, work: &WorkCounter) -> usize {
        match grant.to {
            Grantee::Group(group) => self.recombined(group, group, work),
            Grantee::User(_) | Grantee::Token(_) => 0,
        }
    }

    /// The rights of each group below are put together again from those of the groups above.
    fn recombined(&self, lowest: GroupId, uppermost: GroupId, work: &WorkCounter) -> usize {
        let below = self.with_groups_below(lowest, work).len();
        below.saturating_mul(self.with_groups_above(uppermost, work).len())
    }
}
