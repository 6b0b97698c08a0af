//! `POST /v1/explain`: who granted it, when, why; or what is missing. The body is a [`CheckRequest`](crate::questions::check::CheckRequest).

use serde::{Deserialize, Serialize};

use crate::{
    nouns::{grants::Grant, keys::Key},
    questions::check::Reason,
    words::{
        reference::{Actor, Named, NamedGrantee, NamedObject, NamedPrincipal},
        scope::Selection,
    },
};

/// Answer of `POST /v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The answer to the check.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The position at which it holds.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Who was asked about, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<NamedPrincipal>,
    /// The key asked about, if one was named and is known; never with its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The permission asked about.
    pub permission: String,
    /// The object asked about, with its name if it has one.
    pub object: NamedObject,
    /// The object's project, if it lies in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Named>,
    /// Every way on which an allow grant applies: shortest first, then by the grant's creation. Also listed when a
    /// deny or a narrowing overrules them.
    pub paths: Vec<Path>,
    /// Every way on which a deny grant applies, in the same form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<Path>,
    /// Whether there are more ways than the 1000 of one kind that an explanation lists.
    pub truncated: bool,
    /// Present in every denial: what is in the way, or what it would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// One way on which a grant reaches the principal and covers the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Path {
    /// The grant, its `to` with a name.
    pub grant: Grant,
    /// The role that the grant gives, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<PathRole>,
    /// The memberships that lead from the principal to the grantee, beginning with the principal's own; empty for a
    /// grant to the principal itself.
    pub via: Vec<Via>,
    /// How the grant's scope covers the object.
    pub matched: Matched,
    /// What was decided by whom: the grant first, then each membership in the order of `via`, then what else matters
    /// (the role's last change, the project's creation or last change).
    pub records: Vec<RecordRef>,
}

/// The role on a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PathRole {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The roles by inclusion of which it gives the permission, outermost first; empty if it gives it itself.
    #[serde(default)]
    pub via_roles: Vec<Named>,
}

/// One membership on a path: `member` is in `group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Via {
    /// Who is in the group: the principal, or the group of the membership before.
    pub member: NamedGrantee,
    /// The group.
    pub group: Named,
    /// In force before this instant.
    pub expires_at: Option<String>,
}

/// How a scope covers an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Matched {
    /// The scope in words, such as `all projects except those labelled env=production`.
    pub scope: String,
    /// What the scope takes in: the object itself, or the ancestor below which it lies.
    pub covers: NamedObject,
    /// In words why, such as `every project is included, and staging meets no exclusion`.
    pub why: String,
}

/// A record behind an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordRef {
    /// Where it is in the journal.
    pub position: String,
    /// The event in it that matters here, such as `MemberAdded`.
    pub event: String,
    /// What it accounts for: JSON pointer into the enclosing path (`/grant`, `/via/0`, `/role`, `/role/via_roles/0`,
    /// `/matched/covers`); empty for the enclosing thing itself.
    #[serde(default)]
    pub about: String,
    /// Who.
    pub actor: Actor,
    /// Id of the key used.
    pub credential: Option<String>,
    /// When.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
}

/// What a denial is due to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Missing {
    /// In one sentence.
    pub detail: String,
    /// The grants that reach the principal and come closest, at most 20: those that lack only the scope first.
    #[serde(default)]
    pub near: Vec<NearMiss>,
    /// Records behind the denial when it is not for want of a grant: `KeyRevoked`, `TokenDeleted`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordRef>,
}

/// An allow grant that reaches the principal and yet does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NearMiss {
    /// The grant, its `to` with a name.
    pub grant: Grant,
    /// The role that the grant gives, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<PathRole>,
    /// The memberships that lead from the principal to the grantee.
    pub via: Vec<Via>,
    /// The first thing that it lacks.
    pub lacks: Lack,
    /// The scope in words.
    pub scope: String,
    /// In words why it does not apply, such as `production is excluded: it is labelled env=production`.
    pub why: String,
    /// Everything that keeps it from applying, along the way: memberships, the grant, its object types, its scope.
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    /// As in [`Path`].
    #[serde(default)]
    pub records: Vec<RecordRef>,
}

/// One thing that keeps a grant from applying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Obstacle {
    /// What it is.
    pub code: ObstacleCode,
    /// What it is about: JSON pointer into the enclosing near miss (`/via/0`, `/grant`, `/grant/on`).
    pub about: String,
    /// In words.
    pub detail: String,
    /// When the membership or the grant expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<String>,
    /// Of an exclusion: the first condition that takes the project out, `"all"` or one in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_by: Option<Selection>,
}

/// The kinds of obstacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ObstacleCode {
    /// A membership on the way has expired.
    MembershipExpired,
    /// The grant has expired.
    GrantExpired,
    /// The permission is given on other object types only.
    ObjectType,
    /// The scope's selector would take the project, but excludes it.
    Excluded,
    /// The scope does not cover the object.
    NotCovered,
}

/// What keeps a grant from applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Lack {
    /// Its scope does not cover the object.
    Scope,
    /// It gives the permission on other object types only.
    ObjectType,
    /// It gives other permissions.
    Permission,
    /// Its own time, or that of a membership on the way, has passed.
    Expired,
}
