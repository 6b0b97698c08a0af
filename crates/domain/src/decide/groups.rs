//! Groups and their members.

use super::{Events, Judge, changed, require_name, require_prose};
use crate::{
    catalog::{ObjectType, Permission},
    command::Command,
    event::Event,
    id::GroupId,
    model::{Group, Membership},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
    state::NameKind,
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_group(&self, command: &Command) -> Events {
        match command {
            Command::CreateGroup { id, name, description } => {
                let (name, description) = (name.clone(), description.clone());
                let group =
                    Group { id: *id, name, description, builtin: None, created_at: self.at, ended_at: None };
                self.require_group_fits(&group)?;
                Ok(vec![Event::GroupCreated { group }])
            }
            Command::UpdateGroup { id, name, description } => {
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
                self.require_group_fits(&group)?;
                Ok(vec![Event::GroupUpdated { group }])
            }
            Command::DeleteGroup { id } => {
                let group = self.state.group(*id).ok_or(Refusal::NotFound(Kind::Group))?;
                if group.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                if group.builtin.is_some() {
                    return Err(Refusal::BuiltIn(Kind::Group));
                }
                self.require_delegate_over_denies(*id)?;
                Ok(vec![Event::GroupDeleted { group: Group { ended_at: Some(self.at), ..group.clone() } }])
            }
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn add_member(
        &self,
        group: GroupId,
        member: Grantee,
        expires_at: Option<Timestamp>,
    ) -> Events {
        self.living_group(group)?;
        self.require_living_grantee(member, "/member/id")?;
        let old = self.state.membership(member, group);
        if old.is_some_and(|old| old.expires_at == expires_at) {
            return Ok(Vec::new());
        }
        self.require_future(expires_at)?;
        if let Grantee::Group(inner) = member
            && self.is_within(group, inner)
        {
            return Err(Refusal::Cycle(Kind::Group));
        }
        let until = Timestamp::end(expires_at);
        let old_until = old.map_or(self.at, |old| Timestamp::end(old.expires_at));
        self.require_delegate_over_denies(group)?;
        if until > old_until && !self.leads(group) {
            for given in self.everything_of(Grantee::Group(group), until).allows {
                self.require_conferrable(&given)?;
            }
        }
        let membership = Membership { group, member, expires_at, created_at: self.at, ended_at: None };
        Ok(vec![Event::MemberAdded { membership }])
    }

    pub(super) fn remove_member(&self, group: GroupId, member: Grantee) -> Events {
        let Some(membership) = self.state.membership(member, group) else {
            let known = self.state.removed_membership(member, group).is_some();
            return if known { Ok(Vec::new()) } else { Err(Refusal::NotFound(Kind::Member)) };
        };
        self.require_delegate_over_denies(group)?;
        let membership = Membership { ended_at: Some(self.at), ..membership.clone() };
        Ok(vec![Event::MemberRemoved { membership }])
    }

    /// Whether the author holds `delegate` on the group, which lifts attenuation for its memberships.
    fn leads(&self, group: GroupId) -> bool {
        let object = ObjectRef { object_type: "group".to_owned(), id: group.to_string() };
        let (scope, types) = (Scope::Object(object), ObjectType::GROUP.set());
        self.state.on_ground(|ground| self.holdings.holds(ground, Permission::DELEGATE, types, &scope))
    }

    /// Where a deny reaches the group or one above: joining or leaving changes whom it reaches.
    fn require_delegate_over_denies(&self, group: GroupId) -> Result<(), Refusal> {
        let reaching = self.everything_of(Grantee::Group(group), Timestamp::FOREVER).denies;
        reaching.iter().try_for_each(|deny| self.require_delegate(deny, &deny.scope))
    }

    /// Whether `inner` is `outer` or a group that `outer` is in; memberships whose time has passed count, as they may be renewed.
    fn is_within(&self, outer: GroupId, inner: GroupId) -> bool {
        let mut open = vec![outer];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(group) = open.pop() {
            if group == inner {
                return true;
            }
            if seen.insert(group) {
                open.extend(self.state.memberships_of(Grantee::Group(group)).map(|above| above.group));
            }
        }
        false
    }

    pub(super) fn require_living_grantee(&self, grantee: Grantee, pointer: &str) -> Result<(), Refusal> {
        let (kind, living) = match grantee {
            Grantee::Group(id) => {
                (Kind::Group, self.state.group(id).is_some_and(|group| group.ended_at.is_none()))
            }
            Grantee::User(id) => (Kind::User, self.is_known(Principal::User(id))),
            Grantee::Token(id) => (Kind::Token, self.is_known(Principal::Token(id))),
        };
        if living { Ok(()) } else { Err(Refusal::no_such(kind, pointer)) }
    }

    /// Whether the principal has not ended; a service token whose time has passed may get a new one.
    fn is_known(&self, principal: Principal) -> bool {
        match principal {
            Principal::User(id) => self.state.user(id).is_some_and(|user| user.ended_at.is_none()),
            Principal::Token(id) => self.state.token(id).is_some_and(|token| token.ended_at.is_none()),
        }
    }

    fn living_group(&self, id: GroupId) -> Result<&Group, Refusal> {
        let group = self.state.group(id).filter(|group| group.ended_at.is_none());
        group.ok_or(Refusal::NotFound(Kind::Group))
    }

    fn require_group_fits(&self, group: &Group) -> Result<(), Refusal> {
        require_name(&group.name)?;
        require_prose("/description", group.description.as_deref())?;
        match self.state.holder_of(NameKind::Group, &group.name) {
            Some(holder) if holder != group.id.uuid() => Err(Refusal::NameTaken(Kind::Group)),
            _ => Ok(()),
        }
    }
}
