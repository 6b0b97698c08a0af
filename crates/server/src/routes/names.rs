//! Names for people to read, of things that the caller may know of: [`Authorizer`](crate::routes::authz::Authorizer) asks whether.

use grantbook_api::reference::{Actor, ActorType, GranteeType, NamedGrantee, NamedPrincipal, PrincipalType};
use grantbook_domain::{
    id::{ProjectId, RoleId},
    model::{Group, Personal, Project, Role, Token, User},
    principal::{self, Grantee, Principal},
};

use crate::http::{problem::Failure, read::ReadContext};

/// A token's or group's name, a user's e-mail.
pub(crate) fn of_grantee(reading: &ReadContext, grantee: Grantee) -> Result<Option<String>, Failure> {
    let (snapshot, org) = (reading.rows(), &reading.org);
    Ok(match grantee {
        Grantee::User(id) => snapshot.get::<User>(*org, &id)?.map(|user| clear(&user.email)),
        Grantee::Token(id) => snapshot.get::<Token>(*org, &id)?.map(|token| token.name),
        Grantee::Group(id) => snapshot.get::<Group>(*org, &id)?.map(|group| group.name),
    })
}

/// A principal with its name.
pub(crate) fn principal(reading: &ReadContext, who: Principal) -> Result<NamedPrincipal, Failure> {
    Ok(named_principal(who, of_grantee(reading, who.into())?))
}

/// The author of a record with its name.
pub(crate) fn actor(reading: &ReadContext, actor: principal::Actor) -> Result<Actor, Failure> {
    let name = actor.principal().map(|who| of_grantee(reading, who.into())).transpose()?;
    Ok(named_actor(actor, name.flatten()))
}

/// A project's name.
pub(crate) fn of_project(reading: &ReadContext, id: ProjectId) -> Result<Option<String>, Failure> {
    Ok(reading.rows().get::<Project>(reading.org, &id)?.map(|project| project.name))
}

/// A role's name.
pub(crate) fn of_role(reading: &ReadContext, id: RoleId) -> Result<Option<String>, Failure> {
    Ok(reading.rows().get::<Role>(reading.org, &id)?.map(|role| role.name))
}

/// The author of a record with a name that was looked up, or none.
pub(crate) fn named_actor(actor: principal::Actor, name: Option<String>) -> Actor {
    let (kind, id) = match actor {
        principal::Actor::User(id) => (ActorType::User, Some(id.to_string())),
        principal::Actor::Token(id) => (ActorType::Token, Some(id.to_string())),
        principal::Actor::System => (ActorType::System, None),
        principal::Actor::Operator => (ActorType::Operator, None),
    };
    Actor { kind, id, name }
}

/// A grantee with a name that was looked up, or none.
pub(crate) fn named_grantee(grantee: Grantee, name: Option<String>) -> NamedGrantee {
    let (kind, id) = match grantee {
        Grantee::User(id) => (GranteeType::User, id.to_string()),
        Grantee::Token(id) => (GranteeType::Token, id.to_string()),
        Grantee::Group(id) => (GranteeType::Group, id.to_string()),
    };
    NamedGrantee { kind, id, name }
}

/// A principal with a name that was looked up, or none.
pub(crate) fn named_principal(principal: Principal, name: Option<String>) -> NamedPrincipal {
    let (kind, id) = match principal {
        Principal::User(id) => (PrincipalType::User, id.to_string()),
        Principal::Token(id) => (PrincipalType::Token, id.to_string()),
    };
    NamedPrincipal { kind, id, name }
}

/// A personal datum as it is shown.
pub(crate) fn clear(datum: &Personal) -> String {
    datum.clear().unwrap_or("(sealed)").to_owned()
}
