//! Names on the command line, looked up within the sight of the key.

use grantbook_api::{
    people::{
        names::{AskedObject, Kind, NameError},
        reference::{GranteeArg, ObjectArg, PrincipalArg},
    },
    questions::check::CheckObject,
    words::reference::{GranteeRef, ObjectRef, PrincipalRef},
};

use crate::shared::{exit::Usage, session::Session};

impl Session {
    /// The id of the thing with this name, e-mail or id.
    pub(crate) async fn id(&self, kind: Kind, text: &str) -> anyhow::Result<String> {
        self.client.id_of(kind, text).await.map_err(named)
    }

    /// As a request names it.
    pub(crate) async fn grantee(&self, arg: &GranteeArg) -> anyhow::Result<GranteeRef> {
        self.client.grantee_of(arg).await.map_err(named)
    }

    /// As a request names it.
    pub(crate) async fn principal(&self, arg: &PrincipalArg) -> anyhow::Result<PrincipalRef> {
        self.client.principal_of(arg).await.map_err(named)
    }

    /// As a scope names it; `project` is the one that the object lies in, by name or id.
    pub(crate) async fn object(&self, arg: &ObjectArg, project: Option<&str>) -> anyhow::Result<ObjectRef> {
        self.client.object_of(arg, project).await.map_err(named)
    }

    /// As a question names it. A name that the key cannot see goes out as if it were an id, so that the question gets
    /// its answer, a denial, from the server.
    pub(crate) async fn asked_object(
        &self,
        arg: &ObjectArg,
        project: Option<&str>,
    ) -> anyhow::Result<CheckObject> {
        let AskedObject { object, is_unseen } =
            self.client.asked_object_of(arg, project).await.map_err(named)?;
        if is_unseen {
            let (kind, name) = (&object.object_type, &object.id);
            let text = format!("note: this key sees no {kind} named `{name}`; asking for an id of that text");
            self.out.note(&text);
        }
        Ok(object)
    }
}

/// Tells wrong usage and the server's errors apart, as exit codes do.
pub(crate) fn named(error: NameError) -> anyhow::Error {
    match error {
        NameError::Client(error) => error.into(),
        NameError::Malformed(text) => Usage(text).into(),
        NameError::Unknown { .. } | NameError::Several { .. } => error.into(),
    }
}
