//! The fold of one organization's events: everything a decision may look at, nothing of history.
//!
//! The maps are persistent (shared structure), so that a copy is cheap: the command service decides on a copy and
//! drops it when an append turns out to conflict. Ended things stay, as nothing that ended may come back.
//! Ends are implied: a deleted group's memberships stay in the maps; `living` says what of all this lives.

pub(crate) mod apply;
pub mod concern;
mod cost;
pub mod founding;
pub(crate) mod living;
pub(crate) mod object_names;
mod paths;
pub(crate) mod taking;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use crate::{
    catalog::{Catalog, ObjectType, Permission, PermissionSet, TypeSet},
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    limits::SelectorUse,
    model::{
        Builtin, Effect, Gives, Grant, Group, Key, Membership, Project, RegisteredObject, Role, Token, User,
    },
    principal::{Grantee, Principal},
    scope::{ObjectRef, ProjectView},
    state::concern::Issuer,
    time::Timestamp,
    webhook::Webhook,
};

/// What must be unique among the living.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// A user's e-mail, ASCII-lowercased.
    Email,
    /// A user's external id.
    UserExternalId,
    /// An issuer's identity of a user: issuer, line break, subject.
    Identity,
    /// A service token's name.
    Token,
    /// A service token's external id.
    TokenExternalId,
    /// A group's name.
    Group,
    /// A role's name.
    Role,
    /// A project's name.
    Project,
}

/// Permissions on types: what a grant or role gives is a union of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// These permissions,
    pub permissions: PermissionSet,
    /// on objects of these types.
    pub types: TypeSet,
}

/// Something whose expiry is not yet noted in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiring {
    /// A service token.
    Token(TokenId),
    /// A key.
    Key(KeyId),
    /// A membership.
    Member(Grantee, GroupId),
    /// A grant.
    Grant(GrantId),
}

/// One organization's present state.
#[derive(Debug, Clone, Default)]
pub struct OrgState {
    pub(crate) id: Option<OrgId>,
    pub(crate) name: String,
    pub(crate) settings: Arc<BTreeMap<String, String>>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) users: OrdMap<UserId, Arc<User>>,
    pub(crate) tokens: OrdMap<TokenId, Arc<Token>>,
    pub(crate) keys: OrdMap<KeyId, Arc<Key>>,
    pub(crate) keys_of: OrdSet<(Principal, KeyId)>,
    pub(crate) issuers: OrdMap<KeyId, Issuer>,
    pub(crate) groups: OrdMap<GroupId, Arc<Group>>,
    pub(crate) memberships: OrdMap<(Grantee, GroupId), Arc<Membership>>,
    pub(crate) members: OrdSet<(GroupId, Grantee)>,
    pub(crate) removed_members: OrdMap<(Grantee, GroupId), Arc<Membership>>,
    /// The memberships of living groups in living groups: (inner, outer).
    pub(crate) nestings: OrdSet<(GroupId, GroupId)>,
    pub(crate) roles: OrdMap<RoleId, Arc<Role>>,
    /// The inclusions of living roles: (included, including).
    pub(crate) included_by: OrdSet<(RoleId, RoleId)>,
    pub(crate) projects: OrdMap<ProjectId, Arc<Project>>,
    pub(crate) objects: OrdMap<ObjectRef, Arc<RegisteredObject>>,
    /// Those that are not removed, by name; their projects may have ended.
    pub(crate) object_names: OrdSet<object_names::NameEntry>,
    /// The ids of objects that Grantbook chose, removed or not.
    pub(crate) minted_ids: OrdSet<String>,
    pub(crate) grants: OrdMap<GrantId, Arc<Grant>>,
    pub(crate) grants_to: OrdSet<(Grantee, GrantId)>,
    pub(crate) grants_on: OrdSet<(ObjectRef, GrantId)>,
    pub(crate) grants_of_role: OrdSet<(RoleId, GrantId)>,
    pub(crate) grants_by_selector: OrdSet<GrantId>,
    pub(crate) keys_by_selector: OrdSet<KeyId>,
    /// What the selectors of these grants and keys hold.
    pub(crate) selector_use: SelectorUse,
    pub(crate) webhooks: OrdMap<WebhookId, Arc<Webhook>>,
    pub(crate) names: OrdMap<(NameKind, String), Uuid>,
    pub(crate) expiring: OrdSet<(Timestamp, Expiring)>,
    pub(crate) builtin_groups: OrdMap<Builtin, GroupId>,
    pub(crate) builtin_roles: OrdMap<Builtin, RoleId>,
}

/// Look-ups.
impl OrgState {
    /// The organization's id; none before its first record.
    pub fn id(&self) -> Option<OrgId> {
        self.id
    }

    /// The organization's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings; none of them decides about access.
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Its permissions and object types.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A user, living or ended.
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).map(Arc::as_ref)
    }

    /// A service token, living or ended.
    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id).map(Arc::as_ref)
    }

    /// A key, living or ended.
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.get(&id).map(Arc::as_ref)
    }

    /// A session, living or ended.
    pub fn session(&self, id: KeyId) -> Option<&Key> {
        self.key(id).filter(|key| key.session.is_some())
    }

    /// The keys of a principal, living or ended.
    pub fn keys_of(&self, principal: Principal) -> impl Iterator<Item = &Key> {
        let from = (principal, KeyId::from_u128(0));
        self.keys_of
            .range(from..)
            .take_while(move |(owner, _)| *owner == principal)
            .filter_map(|(_, id)| self.key(*id))
    }

    /// A group, living or ended.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id).map(Arc::as_ref)
    }

    /// The built-in group Owners, Engineers or Viewers.
    pub fn builtin_group(&self, builtin: Builtin) -> Option<GroupId> {
        self.builtin_groups.get(&builtin).copied()
    }

    /// The built-in role Owner, Engineer or Viewer.
    pub fn builtin_role(&self, builtin: Builtin) -> Option<RoleId> {
        self.builtin_roles.get(&builtin).copied()
    }

    /// A membership that was not removed; its time may have passed, its ends may have ended.
    pub fn membership(&self, member: Grantee, group: GroupId) -> Option<&Membership> {
        self.memberships.get(&(member, group)).map(Arc::as_ref)
    }

    /// A membership as it was when it was last removed.
    pub fn removed_membership(&self, member: Grantee, group: GroupId) -> Option<&Membership> {
        self.removed_members.get(&(member, group)).map(Arc::as_ref)
    }

    /// The groups that someone is directly in, by memberships that were not removed.
    pub fn memberships_of(&self, member: Grantee) -> impl Iterator<Item = &Membership> {
        self.memberships
            .range((member, GroupId::from_u128(0))..)
            .take_while(move |((owner, _), _)| *owner == member)
            .map(|(_, membership)| membership.as_ref())
    }

    /// The direct members of a group, by memberships that were not removed.
    pub fn members_of(&self, group: GroupId) -> impl Iterator<Item = &Membership> {
        self.members
            .range((group, Grantee::User(UserId::from_u128(0)))..)
            .take_while(move |(owner, _)| *owner == group)
            .filter_map(|(group, member)| self.membership(*member, *group))
    }

    /// A role, living or ended.
    pub fn role(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(&id).map(Arc::as_ref)
    }

    /// A project, living or ended.
    pub fn project(&self, id: ProjectId) -> Option<&Project> {
        self.projects.get(&id).map(Arc::as_ref)
    }

    /// A registered object, living or removed; for types below project the reference must say the project.
    pub fn object(&self, object: &ObjectRef) -> Option<&RegisteredObject> {
        self.objects.get(object).map(Arc::as_ref)
    }

    /// The registrations of this type and id in any project, living or removed, by project.
    pub fn registrations(&self, object_type: &str, id: &str) -> impl Iterator<Item = &RegisteredObject> {
        let from = ObjectRef::new(object_type, id);
        let like = from.clone();
        self.objects
            .range(from..)
            .map(|(_, known)| known.as_ref())
            .take_while(move |known| known.object.is_like(&like))
    }

    /// A grant, living or revoked.
    pub fn grant(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(&id).map(Arc::as_ref)
    }

    /// A webhook, living or ended.
    pub fn webhook(&self, id: WebhookId) -> Option<&Webhook> {
        self.webhooks.get(&id).map(Arc::as_ref)
    }

    /// The unrevoked grants to exactly this grantee.
    pub fn grants_to(&self, grantee: Grantee) -> impl Iterator<Item = &Grant> {
        self.grants_to
            .range((grantee, GrantId::from_u128(0))..)
            .take_while(move |(owner, _)| *owner == grantee)
            .filter_map(|(_, id)| self.grant(*id))
    }

    /// The unrevoked grants on exactly this object.
    pub fn grants_on(&self, object: &ObjectRef) -> impl Iterator<Item = &Grant> {
        self.grants_on
            .range((object.clone(), GrantId::from_u128(0))..)
            .take_while(move |(on, _)| on == object)
            .filter_map(|(_, id)| self.grant(*id))
    }

    /// The unrevoked grants that name this role directly.
    pub fn grants_of_role(&self, role: RoleId) -> impl Iterator<Item = &Grant> {
        self.grants_of_role
            .range((role, GrantId::from_u128(0))..)
            .take_while(move |(of, _)| *of == role)
            .filter_map(|(_, id)| self.grant(*id))
    }

    /// The grants whose scope is a selector, that are not revoked, whose grantee lives, and whose expiry is not noted.
    pub fn grants_by_selector(&self) -> impl Iterator<Item = &Grant> {
        self.grants_by_selector.iter().filter_map(|id| self.grant(*id))
    }

    /// The keys that are narrowed to a selector, that are not revoked, whose principal lives, and whose expiry is not noted.
    pub fn keys_by_selector(&self) -> impl Iterator<Item = &Key> {
        self.keys_by_selector.iter().filter_map(|id| self.key(*id))
    }

    /// Who holds a name among the living.
    pub fn holder_of(&self, kind: NameKind, name: &str) -> Option<Uuid> {
        self.names.get(&(kind, name.to_owned())).copied()
    }

    /// What has expired by `now` without a notice in the journal, oldest first.
    pub fn unnoted_expiries(&self, now: Timestamp) -> impl Iterator<Item = Expiring> {
        self.expiring.iter().take_while(move |(at, _)| *at <= now).map(|(_, what)| *what)
    }

    /// All users, living or ended.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(Arc::as_ref)
    }

    /// All service tokens, living or ended.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values().map(Arc::as_ref)
    }

    /// All groups, living or ended.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(Arc::as_ref)
    }

    /// All roles, living or ended.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values().map(Arc::as_ref)
    }

    /// All projects, living or ended.
    pub fn projects(&self) -> impl Iterator<Item = &Project> {
        self.projects.values().map(Arc::as_ref)
    }

    /// All objects ever registered.
    pub fn objects(&self) -> impl Iterator<Item = &RegisteredObject> {
        self.objects.values().map(Arc::as_ref)
    }

    /// All grants ever given.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values().map(Arc::as_ref)
    }

    /// All keys ever issued.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values().map(Arc::as_ref)
    }
}

/// What roles and grants give.
impl OrgState {
    /// The permissions a role gives, its includes followed.
    pub fn role_blocks(&self, id: RoleId) -> Vec<Block> {
        let mut given = BTreeMap::<Permission, TypeSet>::new();
        let (mut seen, mut open) = (BTreeSet::from([id]), vec![id]);
        while let Some(role) = open.pop().and_then(|id| self.role(id)) {
            for block in own_blocks(&self.catalog, role) {
                if block.permissions == PermissionSet::ALL {
                    return vec![block];
                }
                for permission in block.permissions.iter() {
                    let types = given.entry(permission).or_insert(TypeSet::EMPTY);
                    *types = types.union(block.types);
                }
            }
            open.extend(role.includes.iter().filter(|included| seen.insert(**included)));
        }
        merged(given)
    }

    /// The permissions a grant gives or takes, its type restriction and, for a deny, the administrative types cut.
    pub fn grant_blocks(&self, grant: &Grant) -> Vec<Block> {
        self.cut_blocks(grant, self.given_blocks(grant))
    }

    /// What a grant gives or takes, before its type restriction.
    pub(crate) fn given_blocks(&self, grant: &Grant) -> Vec<Block> {
        match &grant.gives {
            Gives::Role(role) => self.role_blocks(*role),
            Gives::Permissions(names) => {
                let permissions = permission_set(&self.catalog, names);
                vec![Block { permissions, types: TypeSet::ALL }]
            }
        }
    }

    /// What is left of this after the grant's type restriction and, for a deny, without the administrative types.
    pub(crate) fn cut_blocks(&self, grant: &Grant, blocks: Vec<Block>) -> Vec<Block> {
        let mut types = match &grant.object_type {
            None => TypeSet::ALL,
            Some(name) => self.catalog.object_type(name).map_or(TypeSet::EMPTY, ObjectType::set),
        };
        if grant.effect == Effect::Deny {
            types = types.minus(TypeSet::ADMINISTRATIVE);
        }
        let cut = |block: Block| Block { types: block.types.intersect(types), ..block };
        blocks.into_iter().map(cut).filter(|block| !block.types.is_empty()).collect()
    }
}

/// One block for all permissions on the same types, so that a role has at most as many as there are permissions.
fn merged(given: BTreeMap<Permission, TypeSet>) -> Vec<Block> {
    let mut by_types = BTreeMap::<u128, PermissionSet>::new();
    for (permission, types) in given {
        let permissions = by_types.entry(types.0).or_insert(PermissionSet::EMPTY);
        *permissions = permissions.union(permission.set());
    }
    by_types.into_iter().map(|(types, permissions)| Block { permissions, types: TypeSet(types) }).collect()
}

/// The permissions of these names; unknown ones give nothing.
pub fn permission_set(catalog: &Catalog, names: &[String]) -> PermissionSet {
    names.iter().filter_map(|name| catalog.permission(name)).collect()
}

/// What a role gives without its includes. The built-in ones mean what the design says, whatever the catalog became.
pub fn own_blocks(catalog: &Catalog, role: &Role) -> Vec<Block> {
    let content = TypeSet::ALL.minus(TypeSet::ADMINISTRATIVE);
    let write = [Permission::CREATE, Permission::READ, Permission::UPDATE, Permission::DELETE];
    match role.builtin {
        Some(Builtin::Owner) => vec![Block { permissions: PermissionSet::ALL, types: TypeSet::ALL }],
        Some(Builtin::Engineer) => vec![Block { permissions: write.into_iter().collect(), types: content }],
        Some(Builtin::Viewer) => vec![Block { permissions: Permission::READ.set(), types: content }],
        None => role.permissions.iter().filter_map(|one| role_permission_block(catalog, one)).collect(),
    }
}

fn role_permission_block(catalog: &Catalog, one: &crate::model::RolePermission) -> Option<Block> {
    let permissions = catalog.permission(&one.permission)?.set();
    let types = match &one.object_type {
        None => TypeSet::ALL,
        Some(name) => catalog.object_type(name)?.set(),
    };
    Some(Block { permissions, types })
}

/// How selectors see a project.
pub fn project_view(project: &Project) -> ProjectView<'_> {
    ProjectView { id: project.id, name: &project.name, labels: &project.labels }
}
