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
    id::{GrantId, ProjectId, RoleId},
    model::{Gives, Grant},
    principal::{Grantee, Principal, principals_below},
    scope::{ObjectRef, Scope},
    state::{OrgState, project_view},
    time::Timestamp,
};
use std::convert::Infallible;

/// What one principal gains and loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub principal: Principal,
    /// What it may do afterwards and could not before: an object is gained iff its row has it, as in [`AccessRow`].
    pub gained: Rc<[AccessRow]>,
    /// What it could do before and may not afterwards; projects are those that lived before.
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

/// What somebody with these grants has, worked out once for all who have the same.
type Known = HashMap<Vec<GrantId>, Rc<[AccessRow]>>;
type Gained = (Rc<[AccessRow]>, Rc<[AccessRow]>);

impl AccessDiff<'_> {
    /// The changes for these principals, by principal; who keeps exactly what it had is left out.
    pub fn changes(&self, principals: &BTreeSet<Principal>) -> Vec<Change> {
        let (mut before, mut after) = (Known::new(), Known::new());
        let mut known: HashMap<(*const AccessRow, *const AccessRow), Gained> = HashMap::new();
        let mut changes = Vec::new();
        for principal in principals {
            let had = rows(self.before, *principal, self.at, &mut before);
            let has = rows(self.after, *principal, self.at, &mut after);
            // Rows are kept as long as this goes on, so that the same address is the same rows.
            let (gained, lost) = known.entry((had.as_ptr(), has.as_ptr())).or_insert_with(|| {
                (self.difference(&had, &has, self.after), self.difference(&has, &had, self.before))
            });
            if !gained.is_empty() || !lost.is_empty() {
                let (gained, lost) = (Rc::clone(gained), Rc::clone(lost));
                changes.push(Change { principal: *principal, gained, lost });
            }
        }
        changes
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

fn rows(state: &OrgState, principal: Principal, at: Timestamp, known: &mut Known) -> Rc<[AccessRow]> {
    let grants = state.grants_reaching(principal, at).unwrap_or_default();
    let ids: Vec<GrantId> = grants.iter().map(|grant| grant.id).collect();
    Rc::clone(known.entry(ids).or_insert_with(|| state.survey(&grants).into()))
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

/// What was gained and lost, counted.
impl Change {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.gained.len() + self.lost.len()
    }
}
