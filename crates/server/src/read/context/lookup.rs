//! Names by id, for the authorizer to show, and for answers that were authorized as a whole.

use grantbook_api::words::reference::{Actor, NamedPrincipal};
use grantbook_domain::{
    id::{KeyId, OrgId, ProjectId, RoleId},
    model::{Group, Project, Role, Token, User},
    principal::{self, Grantee, Principal},
};
use grantbook_views::Snapshot;

use crate::{
    http::problem::Failure,
    read::context::Permit,
    wire::names::{clear, named_actor, named_principal},
};

/// A token's or group's name, a user's e-mail; none if there never was one.
pub(super) fn of_grantee(rows: &Snapshot, org: OrgId, grantee: Grantee) -> Result<Option<String>, Failure> {
    Ok(match grantee {
        Grantee::User(id) => rows.get::<User>(org, &id)?.map(|user| clear(&user.email)),
        Grantee::Token(id) => rows.get::<Token>(org, &id)?.map(|token| token.name),
        Grantee::Group(id) => rows.get::<Group>(org, &id)?.map(|group| group.name),
    })
}

/// A project's name.
pub(super) fn of_project(rows: &Snapshot, org: OrgId, id: ProjectId) -> Result<Option<String>, Failure> {
    Ok(rows.get::<Project>(org, &id)?.map(|project| project.name))
}

/// A role's name.
pub(super) fn of_role(rows: &Snapshot, org: OrgId, id: RoleId) -> Result<Option<String>, Failure> {
    Ok(rows.get::<Role>(org, &id)?.map(|role| role.name))
}

impl Permit<'_> {
    /// A principal with its name.
    pub(crate) fn named_principal(self, who: Principal) -> Result<NamedPrincipal, Failure> {
        let name = of_grantee(self.rows(), self.reading().org, who.into())?;
        Ok(named_principal(who, name))
    }

    /// Whether a key was issued with the key that the caller presents.
    pub(crate) fn is_issued_with_own(self, key: KeyId) -> Result<bool, Failure> {
        let own = self.reading().caller.key;
        Ok(own.is_some() && self.rows().issued_with(key)? == own)
    }

    /// The author of a record with its name.
    pub(crate) fn named_actor(self, actor: principal::Actor) -> Result<Actor, Failure> {
        let who = actor.principal();
        let name = who.map(|who| of_grantee(self.rows(), self.reading().org, who.into())).transpose()?;
        Ok(named_actor(actor, name.flatten()))
    }

    /// Whether there is or was such a principal.
    pub(crate) fn knows_principal(self, who: Principal) -> Result<bool, Failure> {
        Ok(of_grantee(self.rows(), self.reading().org, who.into())?.is_some())
    }

    /// Whether there is or was such a project.
    pub(crate) fn knows_project(self, id: ProjectId) -> Result<bool, Failure> {
        Ok(of_project(self.rows(), self.reading().org, id)?.is_some())
    }
}
