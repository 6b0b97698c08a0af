//! Who calls: the organization's name and id, which these clients want in every answer.

use serde_json::Value;

use crate::braintrust::{denial::Denial, management::lost, native::Native};

/// The organization of a key, and whose key it is.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The caller's id if it is a user; none if it is a service token.
    pub(crate) user: Option<String>,
}

impl Organization {
    /// That of the caller, whose key is thereby used.
    pub(crate) async fn of(native: &Native) -> Result<Self, Denial> {
        let who = native.get("/v1/whoami").await?;
        let text =
            |pointer: &str| who.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        lost::note(&text("/key/id"));
        let user = (text("/principal/type") == "user").then(|| text("/principal/id"));
        Ok(Self { id: text("/organization/id"), name: text("/organization/name"), user })
    }

    /// Refuses what is asked of another organization: a key is of one.
    pub(crate) fn require(&self, id: Option<&str>, name: Option<&str>) -> Result<(), Denial> {
        let is_other = id.is_some_and(|id| id != self.id) || name.is_some_and(|name| name != self.name);
        if is_other { Err(Denial::forbidden()) } else { Ok(()) }
    }
}
