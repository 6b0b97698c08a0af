//! The organization's catalog: which permissions and object types there are.

use serde::{Deserialize, Serialize};

/// Built-in permissions, in the order of their bits.
pub const PERMISSIONS: [&str; 9] = [
    "create",
    "read",
    "update",
    "delete",
    "create_acls",
    "read_acls",
    "update_acls",
    "delete_acls",
    "delegate",
];
/// Built-in object types with their parents, in the order of their bits.
pub const OBJECT_TYPES: [(&str, Option<&str>); 12] = [
    ("organization", None),
    ("org_project", Some("organization")),
    ("project", Some("org_project")),
    ("group", Some("organization")),
    ("role", Some("organization")),
    ("org_member", Some("organization")),
    ("org_audit_logs", Some("organization")),
    ("experiment", Some("project")),
    ("dataset", Some("project")),
    ("prompt", Some("project")),
    ("prompt_session", Some("project")),
    ("project_log", Some("project")),
];
/// Most permissions a catalog may hold: one bit each of a 64-bit mask.
pub const PERMISSIONS_MAX: usize = 64;
/// Most object types a catalog may hold; one further bit stands for the types of the future.
pub const OBJECT_TYPES_MAX: usize = 127;

/// A permission's place in the catalog, 0..64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(u8);

/// The built-in permissions by name.
impl Permission {
    /// Make something.
    pub const CREATE: Self = Self(0);
    /// See something.
    pub const READ: Self = Self(1);
    /// Change something.
    pub const UPDATE: Self = Self(2);
    /// End something.
    pub const DELETE: Self = Self(3);
    /// Give grants on something.
    pub const CREATE_ACLS: Self = Self(4);
    /// See grants on something, ask about others' access to it.
    pub const READ_ACLS: Self = Self(5);
    /// Change what existing grants cover.
    pub const UPDATE_ACLS: Self = Self(6);
    /// Revoke grants on something.
    pub const DELETE_ACLS: Self = Self(7);
    /// Give what one does not hold, and handle denies.
    pub const DELEGATE: Self = Self(8);

    /// The bit's number.
    pub const fn bit(self) -> u8 {
        self.0
    }

    /// The set of this one.
    pub const fn set(self) -> PermissionSet {
        PermissionSet(1 << self.0)
    }
}

/// A set of permissions, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(pub u64);

impl PermissionSet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// Every permission of the catalog, those of the future included.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the permission is in.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission.0) != 0
    }

    /// Those in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether none is in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        (0..64).map(Permission).filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, |set, permission| set.union(permission.set()))
    }
}

/// An object type's place in the catalog, 0..127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectType(u8);

/// The built-in types that the rules name.
impl ObjectType {
    /// The organization itself.
    pub const ORGANIZATION: Self = Self(0);
    /// The set of all projects.
    pub const ORG_PROJECT: Self = Self(1);
    /// A project.
    pub const PROJECT: Self = Self(2);
    /// A permission group.
    pub const GROUP: Self = Self(3);
    /// A role.
    pub const ROLE: Self = Self(4);
    /// The users and service tokens.
    pub const ORG_MEMBER: Self = Self(5);
    /// The audit log.
    pub const ORG_AUDIT_LOGS: Self = Self(6);

    /// The bit's number.
    pub const fn bit(self) -> u8 {
        self.0
    }

    /// The set of this one.
    pub const fn set(self) -> TypeSet {
        TypeSet(1 << self.0)
    }

    /// Whether its only object's id is the organization's.
    pub const fn is_singleton(self) -> bool {
        matches!(self, Self::ORGANIZATION | Self::ORG_PROJECT | Self::ORG_MEMBER | Self::ORG_AUDIT_LOGS)
    }
}

/// A set of object types, one bit each; the highest bit stands for all types not yet in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TypeSet(pub u128);

impl TypeSet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// Every type, those of the future included.
    pub const ALL: Self = Self(u128::MAX);
    /// The types not yet in the catalog.
    pub const FUTURE: Self = Self(1 << 127);
    /// `organization group role org_member org_audit_logs`: reached by no deny, nor by Engineer and Viewer.
    pub const ADMINISTRATIVE: Self = Self(0b111_1001);

    /// Whether the type is in.
    pub const fn has(self, object_type: ObjectType) -> bool {
        self.0 & (1 << object_type.0) != 0
    }

    /// Those in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those here and not there.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether none is in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A type to be added to the catalog, with its parent (fixed for ever).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDefinition {
    /// Its name.
    pub name: String,
    /// `organization`, `project`, or a type that lies below one of them and is no singleton.
    pub parent: String,
}

/// What lies between an object of a type and the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// The organization, or a singleton directly below it.
    Singleton,
    /// Directly or indirectly below the organization, in no project.
    Organization,
    /// A project.
    Project,
    /// In a project.
    InProject,
}

/// The permissions and object types of one organization; only ever grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    permissions: Vec<String>,
    types: Vec<(String, Option<String>, Lineage)>,
}

impl Default for Catalog {
    fn default() -> Self {
        let lineage = |name: &str, parent: Option<&str>| match (name, parent) {
            ("organization" | "org_project" | "org_member" | "org_audit_logs", _) => Lineage::Singleton,
            ("project", _) => Lineage::Project,
            (_, Some("project")) => Lineage::InProject,
            _ => Lineage::Organization,
        };
        let types = OBJECT_TYPES
            .iter()
            .map(|(name, parent)| ((*name).to_owned(), parent.map(str::to_owned), lineage(name, *parent)))
            .collect();
        Self { permissions: PERMISSIONS.iter().map(|name| (*name).to_owned()).collect(), types }
    }
}

impl Catalog {
    /// The permission of this name.
    pub fn permission(&self, name: &str) -> Option<Permission> {
        let index = self.permissions.iter().position(|known| known == name)?;
        u8::try_from(index).ok().map(Permission)
    }

    /// The permission's name.
    pub fn permission_name(&self, permission: Permission) -> &str {
        self.permissions.get(usize::from(permission.0)).map_or("", String::as_str)
    }

    /// The type of this name.
    pub fn object_type(&self, name: &str) -> Option<ObjectType> {
        let index = self.types.iter().position(|known| known.0 == name)?;
        u8::try_from(index).ok().map(ObjectType)
    }

    /// The type's name.
    pub fn type_name(&self, object_type: ObjectType) -> &str {
        self.types.get(usize::from(object_type.0)).map_or("", |known| known.0.as_str())
    }

    /// Where objects of this type lie.
    pub fn lineage(&self, object_type: ObjectType) -> Lineage {
        self.types.get(usize::from(object_type.0)).map_or(Lineage::Organization, |known| known.2)
    }

    /// The permissions by name, in the order of their bits.
    pub fn permissions(&self) -> &[String] {
        &self.permissions
    }

    /// The types with their parents, in the order of their bits.
    pub fn types(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.types.iter().map(|(name, parent, _)| (name.as_str(), parent.as_deref()))
    }

    /// The permissions that exist.
    pub fn all_permissions(&self) -> impl Iterator<Item = Permission> + use<> {
        (0..u8::try_from(self.permissions.len()).unwrap_or(u8::MAX)).map(Permission)
    }

    /// The types that exist.
    pub fn all_types(&self) -> impl Iterator<Item = ObjectType> + use<> {
        (0..u8::try_from(self.types.len()).unwrap_or(u8::MAX)).map(ObjectType)
    }

    /// The known types that lie at or below projects, with those of the future.
    pub fn project_types(&self) -> TypeSet {
        self.all_types()
            .filter(|known| matches!(self.lineage(*known), Lineage::Project | Lineage::InProject))
            .fold(TypeSet::FUTURE, |set, known| set.union(known.set()))
    }

    /// Adds names; those already there, without room, or with an unfit parent are passed over (`decide` refuses them).
    pub fn extend(&mut self, types: &[TypeDefinition], permissions: &[String]) {
        for name in permissions {
            if self.permission(name).is_none() && self.permissions.len() < PERMISSIONS_MAX {
                self.permissions.push(name.clone());
            }
        }
        for added in types {
            let Some(lineage) = self.lineage_below(&added.parent) else { continue };
            if self.object_type(&added.name).is_none() && self.types.len() < OBJECT_TYPES_MAX {
                self.types.push((added.name.clone(), Some(added.parent.clone()), lineage));
            }
        }
    }

    /// Where a new type with this parent would lie; none if the parent cannot have children.
    pub fn lineage_below(&self, parent: &str) -> Option<Lineage> {
        let parent = self.object_type(parent)?;
        match (parent, self.lineage(parent)) {
            (ObjectType::ORGANIZATION, _) => Some(Lineage::Organization),
            (ObjectType::GROUP | ObjectType::ROLE, _) | (_, Lineage::Singleton) => None,
            (_, Lineage::Project | Lineage::InProject) => Some(Lineage::InProject),
            (_, Lineage::Organization) => Some(Lineage::Organization),
        }
    }
}
