//! AuthZEN Authorization API 1.0: `/access/v1/*` and `/.well-known/authzen-configuration`.
//!
//! Unlike in the native API, members that are not known are ignored, everywhere, as the specification wants it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entity {
    /// Of a subject `user` or `token`, of a resource an object type of the catalog.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a subject its external id or its id, of a resource its id.
    pub id: String,
    /// Decide nothing, but for `project` of a resource: the id of the project of an object that is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Option<Value>,
}

/// The subject or resource that is searched for: its id, if there is one, is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntityKind {
    /// As in [`Entity`].
    #[serde(rename = "type")]
    pub kind: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionName {
    /// A permission of the catalog.
    pub name: String,
}

/// Body of `POST /access/v1/evaluation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationRequest {
    /// Who.
    pub subject: Entity,
    /// What.
    pub action: ActionName,
    /// On what.
    pub resource: Entity,
    /// Changes no decision. `{"grantbook": {"explain": true}}` asks for reason and position in the answer's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
}

/// Body of `POST /access/v1/evaluations`. Without `evaluations` it is answered as a single evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationsRequest {
    /// Who, where an item does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Entity>,
    /// What, where an item does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// On what, where an item does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Entity>,
    /// As in [`EvaluationRequest`], where an item has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// The questions, at most 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations: Option<Vec<EvaluationItem>>,
    /// How to go about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<EvaluationOptions>,
}

/// One question of several: what it lacks is taken whole from the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationItem {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Entity>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// On what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Entity>,
    /// As in [`EvaluationRequest`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
}

/// How several questions are gone about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationOptions {
    /// When to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluations_semantic: Option<Semantic>,
}

/// When to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Semantic {
    /// Never.
    #[default]
    ExecuteAll,
    /// After the first denial.
    DenyOnFirstDeny,
    /// After the first permit.
    PermitOnFirstPermit,
}

/// An answer. A denial is no error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Yes or no.
    pub decision: bool,
    /// What was asked for besides, or the error that made it a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
}

/// Answers, one a question, in the order of the questions, up to the one that ended it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decisions {
    /// The answers.
    pub evaluations: Vec<Decision>,
}

/// Body of `POST /access/v1/search/subject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectSearch {
    /// What kind of subject.
    pub subject: EntityKind,
    /// What.
    pub action: ActionName,
    /// On what.
    pub resource: Entity,
    /// As in [`EvaluationRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Which part of the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// Body of `POST /access/v1/search/resource`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceSearch {
    /// Who.
    pub subject: Entity,
    /// What.
    pub action: ActionName,
    /// On what kind of resource.
    pub resource: EntityKind,
    /// As in [`EvaluationRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Which part of the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// Body of `POST /access/v1/search/action`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionSearch {
    /// Who.
    pub subject: Entity,
    /// On what.
    pub resource: Entity,
    /// As in [`EvaluationRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Which part of the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageRequest>,
}

/// Which part of the results of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageRequest {
    /// `next_token` of the page before; all else must be as it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Most results; at most 1000 are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Where the results of a search go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageInfo {
    /// The token of the next page; empty on the last one.
    pub next_token: String,
}

/// Results of a search for subjects or resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FoundEntities {
    /// Present if a page was asked for, or if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageInfo>,
    /// What was asked for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Each evaluates to a yes.
    pub results: Vec<EntityId>,
}

/// A subject or resource found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntityId {
    /// As in [`Entity`].
    #[serde(rename = "type")]
    pub kind: String,
    /// As in [`Entity`]; of a subject the external id, if it has one that the caller may read.
    pub id: String,
}

/// Results of a search for actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FoundActions {
    /// As in [`FoundEntities`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageInfo>,
    /// What was asked for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Each evaluates to a yes.
    pub results: Vec<ActionName>,
}

/// Answer of `GET /.well-known/authzen-configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PdpConfiguration {
    /// The public URL of this service.
    pub policy_decision_point: String,
    /// Where `POST /access/v1/evaluation` is.
    pub access_evaluation_endpoint: String,
    /// Where `POST /access/v1/evaluations` is.
    pub access_evaluations_endpoint: String,
    /// Where `POST /access/v1/search/subject` is.
    pub search_subject_endpoint: String,
    /// Where `POST /access/v1/search/resource` is.
    pub search_resource_endpoint: String,
    /// Where `POST /access/v1/search/action` is.
    pub search_action_endpoint: String,
}
