//! Groups and their members.

use crate::{
    catalog::{ObjectType, Permission},
    command::{Expiry, GroupCommand},
    decide::{Events, Judge, changed, is_new, require_name, require_prose},
    event::Event,
    id::GroupId,
    limits::Limit,
    model::{Group, Membership},
    principal::Grantee,
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
    state::NameKind,
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_group(&self, command: &GroupCommand) -> Events {
        match command {
            GroupCommand::Create { id, name, description } => {
                let (name, description) = (name.clone(), description.clone());
                let group =
                    Group { id: *id, name, description, builtin: None, created_at: self.at, ended_at: None };
                self.require_group_fits(&group, None)?;
                Ok(vec![Event::GroupCreated { group }])
            }
            GroupCommand::Update { id, name, description } => {
                let old = self.living_group(*id)?;
                let group = Group {
                    name: name.clone().unwrap_or_else(|| old.name.clone()),
                    description: changed(description.as_ref(), old.description.as_ref()),
                    ..old.clone()
                };
                if group == *old {
                    return Ok(Vec::new());
                }
                if old.builtin.is_some() && group.name != old.name {
                    return Err(Refusal::BuiltIn(Kind::Group));
                }
                self.require_group_fits(&group, Some(old))?;
                Ok(vec![Event::GroupUpdated { group }])
            }
            GroupCommand::Delete { id } => {
                let group = self.state.group(*id).ok_or(Refusal::NotFound(Kind::Group))?;
                if group.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                if group.builtin.is_some() {
                    return Err(Refusal::BuiltIn(Kind::Group));
                }
                self.require_delegate_over_denies(*id, true)?;
                Ok(vec![Event::GroupDeleted { group: Group { ended_at: Some(self.at), ..group.clone() } }])
            }
        }
    }

    pub(super) fn add_member(&self, group: GroupId, member: Grantee, expires_at: Expiry) -> Events {
        self.living_group(group)?;
        self.require_grantee(member, "/member/id")?;
        let old = self.state.membership(member, group);
        let kept = expires_at == Expiry::Kept;
        let expires_at = expires_at.after(old.and_then(|old| old.expires_at));
        if kept && Timestamp::end(expires_at) <= self.at {
            let fault = "the membership has ended: say when it is to end, or `never`";
            return Err(Refusal::invalid("/expires_at", fault));
        }
        if old.is_some_and(|old| old.expires_at == expires_at) {
            return Ok(Vec::new());
        }
        self.require_future(expires_at)?;
        if let Grantee::Group(inner) = member
            && self.is_within(group, inner)
        {
            return Err(Refusal::Cycle(Kind::Group));
        }
        if old.is_none() {
            self.require_room_for_membership(group, member)?;
        }
        let until = Timestamp::end(expires_at);
        let old_until = old.map_or(self.at, |old| Timestamp::end(old.expires_at));
        self.require_delegate_over_denies(group, old.is_some())?;
        if until > old_until {
            let given = self.everything_of(Grantee::Group(group), until).allows;
            if !self.leads(group) {
                given.iter().try_for_each(|given| self.require_conferrable(given))?;
            }
            self.require_sign_in_to_delegate(&given)?;
        }
        let membership = Membership { group, member, expires_at, created_at: self.at, ended_at: None };
        Ok(vec![Event::MemberAdded { membership }])
    }

    pub(super) fn remove_member(&self, group: GroupId, member: Grantee) -> Events {
        let Some(membership) = self.state.membership(member, group) else {
            let known = self.state.removed_membership(member, group).is_some();
            return if known { Ok(Vec::new()) } else { Err(Refusal::NotFound(Kind::Member)) };
        };
        if self.state.living_group(group).is_none() || !self.state.grantee_lives(member) {
            return Ok(Vec::new());
        }
        self.require_delegate_over_denies(group, true)?;
        let membership = Membership { ended_at: Some(self.at), ..membership.clone() };
        Ok(vec![Event::MemberRemoved { membership }])
    }

    /// Whether the author holds `delegate` on the group, which lifts attenuation for its memberships.
    fn leads(&self, group: GroupId) -> bool {
        let object = ObjectRef::new("group", group.to_string());
        let (scope, types) = (Scope::Object(object), ObjectType::GROUP.set());
        self.on_ground(|ground| self.holdings.holds(ground, Permission::DELEGATE, types, &scope))
    }

    /// Where a deny reaches the group or one above: joining or leaving changes whom it reaches, leaving lifts it.
    fn require_delegate_over_denies(&self, group: GroupId, leaving: bool) -> Result<(), Refusal> {
        let reaching = self.everything_of(Grantee::Group(group), Timestamp::FOREVER).denies;
        let mut reaching = reaching.iter();
        if leaving {
            reaching.try_for_each(|deny| self.require_to_lift(deny, &deny.scope))
        } else {
            reaching.try_for_each(|deny| self.require_delegate(deny, &deny.scope))
        }
    }

    /// A new membership: how many the member has then, and how deep groups are nested.
    fn require_room_for_membership(&self, group: GroupId, member: Grantee) -> Result<(), Refusal> {
        let (limits, work) = (&self.terms.limits, &self.terms.work);
        let own = self.state.living_memberships_of(member).count();
        work.spend(own);
        limits.require(Limit::Memberships, own.saturating_add(1))?;
        let Grantee::Group(inner) = member else { return Ok(()) };
        limits.require(Limit::Nestings, self.state.nestings.len().saturating_add(1))?;
        limits.require(Limit::GroupDepth, self.state.group_depth_through(inner, group, work))
    }

    /// Whether `inner` is `outer` or a group that `outer` is in, by what lives; memberships whose time has passed count, as they
    /// may be renewed.
    fn is_within(&self, outer: GroupId, inner: GroupId) -> bool {
        self.state.with_groups_above(outer, &self.terms.work).contains(&inner)
    }

    fn living_group(&self, id: GroupId) -> Result<&Group, Refusal> {
        self.state.living_group(id).ok_or(Refusal::NotFound(Kind::Group))
    }

    fn require_group_fits(&self, group: &Group, old: Option<&Group>) -> Result<(), Refusal> {
        if is_new(&group.name, old.map(|old| &old.name)) {
            require_name(&group.name)?;
        }
        if is_new(&group.description, old.map(|old| &old.description)) {
            require_prose("/description", group.description.as_deref())?;
        }
        match self.state.holder_of(NameKind::Group, &group.name) {
            Some(holder) if holder != group.id.uuid() => Err(Refusal::NameTaken(Kind::Group)),
            _ => Ok(()),
        }
    }
}
