//! What a change does to access: who gains and who loses what between two states of one organization.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use crate::{
    access::{
        diff::{self, Homes, Side, named_objects},
        effective::AccessRow,
    },
    event::Event,
    id::{GrantId, GroupId, ProjectId, RoleId},
    model::{Gives, Grant},
    principal::{Grantee, Principal, principals_below},
    scope::{ObjectRef, Scope},
    state::{OrgState, project_view},
    time::Timestamp,
};
use std::convert::Infallible;

/// What some principals gain and lose alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who, ascending.
    pub principals: Vec<Principal>,
    /// What they may do afterwards and could not before: an object is gained iff its row has it, as in [`AccessRow`].
    pub gained: Rc<[AccessRow]>,
    /// What they could do before and may not afterwards; projects are those that lived before.
    pub lost: Rc<[AccessRow]>,
}

/// Two states of one organization, asked about at one instant, so that time passing is no change.
///
/// A principal that can reach a project gains it when it is created and loses it when it is deleted; see [`diff::gained`].
#[derive(Debug, Clone, Copy)]
pub struct AccessDiff<'a> {
    /// The state before.
    pub before: &'a OrgState,
    /// The state after.
    pub after: &'a OrgState,
    /// The instant.
    pub at: Timestamp,
}

/// What is gained and what is lost.
type Gained = (Rc<[AccessRow]>, Rc<[AccessRow]>);

/// One of the states, with what is known of those whom the same grants reach.
struct Reach<'s> {
    state: &'s OrgState,
    at: Timestamp,
    /// The grants in force above somebody, by the groups that it is directly in.
    above: HashMap<Vec<GroupId>, Rc<[GrantId]>>,
    /// What grants give: the place in `rows`.
    known: HashMap<Vec<GrantId>, usize>,
    rows: Vec<Rc<[AccessRow]>>,
    /// Units of work since they were last spent.
    work: u64,
}

impl AccessDiff<'_> {
    /// The changes for these principals, each told once for all who share it, by the first of them; who keeps exactly what it had
    /// is left out. `spend` may end it; it is told of units of work: a unit is one grant held against one project, or against one
    /// pair of permission and type.
    pub fn changes<E>(
        &self,
        principals: &BTreeSet<Principal>,
        mut spend: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Vec<Change>, E> {
        let (mut before, mut after) = (Reach::of(self.before, self.at), Reach::of(self.after, self.at));
        let mut places: HashMap<(usize, usize), Option<usize>> = HashMap::new();
        let mut alike: HashMap<Gained, usize> = HashMap::new();
        let mut changes: Vec<Change> = Vec::new();
        for principal in principals {
            let class = (before.class(*principal), after.class(*principal));
            spend(std::mem::take(&mut before.work).saturating_add(std::mem::take(&mut after.work)))?;
            let place = places.entry(class).or_insert_with(|| {
                let (had, has) = (before.rows.get(class.0)?, after.rows.get(class.1)?);
                let gained = self.difference(had, has, self.after);
                let lost = self.difference(has, had, self.before);
                if gained.is_empty() && lost.is_empty() {
                    return None;
                }
                let key = (Rc::clone(&gained), Rc::clone(&lost));
                Some(*alike.entry(key).or_insert_with(|| {
                    changes.push(Change { principals: Vec::new(), gained, lost });
                    changes.len() - 1
                }))
            });
            if let Some(change) = place.and_then(|place| changes.get_mut(place)) {
                change.principals.push(*principal);
            }
        }
        Ok(changes)
    }

    /// What `more`, rows of the one state, has that `less`, rows of the other, has not.
    fn difference(&self, less: &[AccessRow], more: &[AccessRow], state: &OrgState) -> Rc<[AccessRow]> {
        let other = if std::ptr::eq(state, self.after) { self.before } else { self.after };
        let named = named_objects(more.iter().chain(less));
        let homes = |state: &OrgState| -> Homes {
            let found = named.iter().filter_map(|object| Some((*object, state.locate_exactly(object).ok()?)));
            found.map(|(object, located)| (object.clone(), located.project)).collect()
        };
        let living = |state: &OrgState| state.living_projects().map(|project| project.id).collect();
        let (here, there) = ((living(state), homes(state)), (living(other), homes(other)));
        let here = Side { rows: more, living: &here.0, homes: &here.1 };
        let there = Side { rows: less, living: &there.0, homes: &there.1 };
        diff::gained(state.catalog(), &here, &there, None).into()
    }
}

impl<'s> Reach<'s> {
    fn of(state: &'s OrgState, at: Timestamp) -> Self {
        let (above, known) = (HashMap::new(), HashMap::new());
        Self { state, at, above, known, rows: Vec::new(), work: 0 }
    }

    /// The place of what the principal has: the same for all whom the same grants reach.
    fn class(&mut self, principal: Principal) -> usize {
        let ids = self.grants(principal);
        if let Some(known) = self.known.get(&ids) {
            return *known;
        }
        let grants: Vec<&Grant> = ids.iter().filter_map(|id| self.state.grant(*id)).collect();
        let cells = self.state.catalog().all_permissions().count() * self.state.catalog().all_types().count();
        let each = self.state.living_projects().count().saturating_add(cells) as u64;
        self.work = self.work.saturating_add(each.saturating_mul(ids.len() as u64));
        self.rows.push(self.state.survey(&grants).into());
        let place = self.rows.len() - 1;
        self.known.insert(ids, place);
        place
    }

    /// The grants in force that reach the principal, by id; none if it is not active.
    fn grants(&mut self, principal: Principal) -> Vec<GrantId> {
        let (state, at) = (self.state, self.at);
        if state.active_principal(principal, at).is_err() {
            return Vec::new();
        }
        let in_force = |grantee: Grantee| {
            state.grants_to(grantee).filter(|grant| state.grant_in_force(grant, at)).map(|grant| grant.id)
        };
        let direct = state.living_memberships_of(principal.into());
        let direct = direct.filter(|one| at < Timestamp::end(one.expires_at));
        let groups: Vec<GroupId> = direct.map(|one| one.group).collect();
        let above = self.above.entry(groups).or_insert_with_key(|groups| {
            let reached = groups.iter().map(|id| Grantee::Group(*id));
            let reached: BTreeSet<Grantee> = reached
                .flat_map(|group| state.reached_from(group, Timestamp::FOREVER, at).into_keys())
                .collect();
            reached.into_iter().flat_map(in_force).collect()
        });
        let mut ids: Vec<GrantId> = in_force(principal.into()).chain(above.iter().copied()).collect();
        ids.sort_unstable();
        ids
    }
}

/// Whom events can touch.
impl AccessDiff<'_> {
    /// The principals whose access these events, which lead from one state to the other, can change: never too few.
    pub fn touched(&self, events: &[Event]) -> BTreeSet<Principal> {
        let mut grantees = BTreeSet::new();
        for event in events {
            self.touch(event, &mut grantees);
        }
        self.principals_below(grantees)
    }

    /// Every principal there is or was.
    pub fn everybody(&self) -> BTreeSet<Principal> {
        let users = self.after.users().map(|user| Principal::User(user.id));
        users.chain(self.after.tokens().map(|token| Principal::Token(token.id))).collect()
    }

    fn touch(&self, event: &Event, grantees: &mut BTreeSet<Grantee>) {
        match event {
            Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
                grantees.insert(Grantee::User(user.id));
            }
            Event::TokenCreated { token } | Event::TokenUpdated { token } | Event::TokenDeleted { token } => {
                grantees.insert(Grantee::Token(token.id));
            }
            Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
                grantees.insert(Grantee::Group(group.id));
                let object = ObjectRef::new("group", group.id.to_string());
                self.touch_grants_on(&object, grantees);
            }
            Event::MemberAdded { membership } | Event::MemberRemoved { membership } => {
                grantees.insert(membership.member);
            }
            Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
                self.touch_role(role.id, grantees);
                let object = ObjectRef::new("role", role.id.to_string());
                self.touch_grants_on(&object, grantees);
            }
            Event::ProjectCreated { project }
            | Event::ProjectUpdated { project }
            | Event::ProjectDeleted { project } => self.touch_project(project.id, grantees),
            Event::ObjectRegistered { object }
            | Event::ObjectUpdated { object }
            | Event::ObjectRemoved { object } => {
                self.touch_grants_on(&object.object, grantees);
            }
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } => {
                grantees.insert(grant.to);
            }
            // A new name is given by whatever gives all permissions or types.
            Event::CatalogExtended { .. } | Event::OrganizationCreated { .. } => {
                grantees.extend(self.grants().map(|grant| grant.to));
            }
            Event::OrganizationUpdated { .. }
            | Event::RollbackAccepted { .. }
            | Event::KeyIssued { .. }
            | Event::KeyRotated { .. }
            | Event::KeyRevoked { .. }
            | Event::TokenExpired { .. }
            | Event::KeyExpired { .. }
            | Event::MemberExpired { .. }
            | Event::GrantExpired { .. }
            | Event::WebhookCreated { .. }
            | Event::WebhookUpdated { .. }
            | Event::WebhookRotated { .. }
            | Event::WebhookDeleted { .. } => {}
        }
    }

    /// The grants of both states that were not revoked.
    fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.before.grants().chain(self.after.grants()).filter(|grant| grant.ended_at.is_none())
    }

    fn touch_grants_on(&self, object: &ObjectRef, grantees: &mut BTreeSet<Grantee>) {
        let grants = self.before.grants_on(object).chain(self.after.grants_on(object));
        grantees.extend(grants.map(|grant| grant.to));
    }

    /// Whoever has the role, or one that includes it.
    fn touch_role(&self, role: RoleId, grantees: &mut BTreeSet<Grantee>) {
        let mut roles = BTreeSet::from([role]);
        loop {
            let known = roles.len();
            for one in self.before.roles().chain(self.after.roles()) {
                if one.includes.iter().any(|included| roles.contains(included)) {
                    roles.insert(one.id);
                }
            }
            if roles.len() == known {
                break;
            }
        }
        let of_these = |grant: &&Grant| matches!(grant.gives, Gives::Role(id) if roles.contains(&id));
        grantees.extend(self.grants().filter(of_these).map(|grant| grant.to));
    }

    /// Whoever has a grant that covers the project, or something in it, before or after.
    fn touch_project(&self, project: ProjectId, grantees: &mut BTreeSet<Grantee>) {
        let covers = |grant: &&Grant| match &grant.on {
            Scope::Organization => true,
            Scope::Projects(selector) => [self.before, self.after]
                .iter()
                .filter_map(|state| state.project(project))
                .any(|known| selector.covers(project_view(known))),
            Scope::Object(object) => {
                object.project == Some(project)
                    || object.id == project.to_string()
                    || matches!(object.object_type.as_str(), "organization" | "org_project")
            }
        };
        grantees.extend(self.grants().filter(covers).map(|grant| grant.to));
    }

    /// The grantees that are principals, and the members of those that are groups, to any depth, before or after.
    fn principals_below(&self, grantees: BTreeSet<Grantee>) -> BTreeSet<Principal> {
        let below = principals_below(grantees, |group, found| {
            let members = self.before.members_of(group).chain(self.after.members_of(group));
            members.for_each(|one| found(one.member));
            Ok::<(), Infallible>(())
        });
        below.unwrap_or_else(|never| match never {})
    }
}
