//! `GET /v1/whoami`

use serde::{Deserialize, Serialize};

use crate::{
    nouns::keys::SessionOf,
    words::reference::{Named, NamedPrincipal},
};

/// Answer of `GET /v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Whoami {
    /// Whose key this is.
    pub principal: NamedPrincipal,
    /// The key presented.
    pub key: WhoamiKey,
    /// Its organization.
    pub organization: Named,
}

/// The key presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoamiKey {
    /// Its id.
    pub id: String,
    /// Present if it is a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionOf>,
}
