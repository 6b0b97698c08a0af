//! `POST /v1/explain`: who granted it, when, why; or what is missing. The body is a [`CheckRequest`](crate::questions::check::CheckRequest).
//!
//! The graph holds everything that has to do with the answer, once. Paths through it may be exponentially many: they come in
//! pages, all at the position and the instant of the first.

use serde::{Deserialize, Serialize};

use crate::{
    nouns::{
        batch::BatchCommand,
        grants::{Effect, Grant},
        keys::Key,
    },
    questions::check::Reason,
    words::{
        reference::{Actor, Named, NamedGrantee, NamedObject, NamedPrincipal},
        scope::Selection,
    },
};

/// Paths of one page when `limit` is absent.
pub const PATHS_DEFAULT: u32 = 20;

/// Query of `POST /v1/explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ExplainQuery {
    /// Most paths of the page: 1..1000, 20 if absent. A page with long paths may have fewer, at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before, which asked the same question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this position or time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

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
    /// Everything above the principal that has to do with the answer, complete on every page: whatever is not among `paths`
    /// and `denied_by` is here.
    pub graph: ExplanationGraph,
    /// The ways on which an allow grant applies, one page: shortest first, then by the ids of the groups on them and of the
    /// grant. Also listed when a deny or a narrowing overrules them.
    pub paths: Vec<Path>,
    /// How many such ways there are on all pages; 9007199254740991 stands for that many and more.
    pub paths_total: u64,
    /// Where the next page of `paths` begins; `null` on the last one.
    pub next: Option<String>,
    /// The ways on which a deny grant applies, in the same form and order: at most as many as a page of `paths`, the same on every
    /// page. The graph has the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<Path>,
    /// How many such ways there are; absent if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied_by_total: u64,
    /// Present in every denial: what is in the way, or what it would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Grants that have the permission in them, and what leads to them: every membership, grant and role once. What leads to
/// no such grant is left out.
///
/// Grants that apply are shown to everybody who may ask why; others, and what leads to them alone, only to those who may read
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplanationGraph {
    /// The principal first, then groups, nearest first, then grants, then roles. Empty if the question was not judged by grants.
    pub nodes: Vec<GraphNode>,
    /// Memberships first, then the edges of grants, then those of roles.
    pub edges: Vec<GraphEdge>,
}

/// A principal, group, grant or role in an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphNode {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: GraphNodeType,
    /// Its id.
    pub id: String,
    /// Its name, if it has one that the caller may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a grant and a role: the record that made it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Of a grant: what it does to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GraphGrant>,
}

/// The kinds of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GraphNodeType {
    /// The principal, a person.
    User,
    /// The principal, a service token.
    Token,
    /// A permission group above the principal.
    Group,
    /// A grant to the principal or one of the groups.
    Grant,
    /// A role that a grant gives, or that such a role includes.
    Role,
}

/// A grant in the graph of an explanation. `GET /v1/grants/{id}` has the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphGrant {
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whether it counts in the answer.
    pub applies: bool,
    /// What keeps it from applying, if it does not; `membership_expired`: every way to it has an expired membership.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<ObstacleCode>,
    /// The only type of objects that it is on, if it is restricted to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// In force before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The scope in words; of a long selector the first conditions, and how many more there are.
    pub scope: String,
    /// In words how the scope stands to the object.
    pub why: String,
}

/// What leads from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphEdge {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: GraphEdgeType,
    /// Id of the node where it begins.
    pub from: String,
    /// Id of the node where it ends.
    pub to: String,
    /// Of a membership: the record that put the member there, or last replaced the membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Of a membership: in force before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Of a membership: whether it has expired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

/// The kinds of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GraphEdgeType {
    /// From a member to its group.
    Membership,
    /// From a grantee to its grant.
    Grant,
    /// From a grant to the role that it gives.
    Role,
    /// From a role to one that it includes: a shortest chain to one that has the permission itself.
    Include,
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
    /// What would mend it, nearest first, at most 5; nothing for the past. Whether the caller may send the commands is decided when
    /// they are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// Something that would turn a denial into an allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Remedy {
    /// What to do, in words.
    pub detail: String,
    /// The commands, to be sent as one batch.
    pub commands: Vec<BatchCommand>,
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
