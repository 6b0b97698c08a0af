//! `POST /v1/plan`: what a batch would do, without doing it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    questions::access::AccessLine,
    words::reference::{Actor, NamedPrincipal},
};

/// Most bytes of `gained` and `lost` together, as JSON; a plan with more is refused.
pub const PLAN_BYTES: usize = 8 << 20;

/// Answer of `POST /v1/plan`, whose body is that of `POST /v1/batch`. Ids of what would be made are not those that it will have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Plan {
    /// The organization's head, which it was decided on: the batch with this as `Grantbook-If-Position` does this or nothing.
    pub position: String,
    /// How many records the batch would append: 1, or 0 if everything is so already.
    pub records: u8,
    /// The events of that record, as the audit log would show them; none to callers without `read_acls` on the organization.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub events: Vec<Value>,
    /// What could be done afterwards and could not before: each change once, with everybody who shares it.
    pub gained: Vec<AccessChange>,
    /// What could be done before and not afterwards, likewise.
    pub lost: Vec<AccessChange>,
    /// Working keys that would then give more than their issuer could give, and do not today.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys_of_concern: Vec<PlannedConcern>,
    /// What else should be known before this is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<PlanWarning>,
    /// How many other living users and service tokens keep exactly what they have, of those whose access the caller may see.
    pub unaffected: u64,
    /// How many users and service tokens gain or lose access that is not shown: without `read_acls` on the organization, a plan shows
    /// nobody's access. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others_not_shown: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A key that would become one of concern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedConcern {
    /// Whose key it is.
    pub principal: NamedPrincipal,
    /// Id of the key.
    pub key: String,
    /// Who issued it, or the key that it was issued with.
    pub issued_by: Actor,
}

/// Something that the plan would lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanWarning {
    /// A stable word: `no_owner_key`.
    pub code: String,
    /// What it means, and what to do.
    pub detail: String,
}

/// What some principals gain, or lose, alike. A project that comes or goes is among it; other objects that do are not, where
/// access to all of their type stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessChange {
    /// Everybody whose access it is: users, then service tokens, each by id.
    pub principals: Vec<NamedPrincipal>,
    /// What: each of them all of it.
    pub access: Vec<AccessLine>,
}
