//! Names for people to read, of things that the caller may know of.

use grantbook_api::reference::{
    Actor, ActorType, GranteeType, Named, NamedGrantee, NamedObject, NamedPrincipal, PrincipalType,
};
use grantbook_domain::{
    id::{GroupId, ProjectId, RoleId},
    model::{Group, Personal, Project, Role, Token, User},
    principal::{self, Grantee, Principal},
    scope::ObjectRef,
};

use crate::http::{problem::Failure, read::Reading};

/// A token's or group's name, a user's e-mail.
pub(crate) fn of_grantee(reading: &Reading, grantee: Grantee) -> Result<Option<String>, Failure> {
    let Reading { snapshot, org, .. } = reading;
    Ok(match grantee {
        Grantee::User(id) => snapshot.get::<User>(*org, &id)?.map(|user| clear(&user.email)),
        Grantee::Token(id) => snapshot.get::<Token>(*org, &id)?.map(|token| token.name),
        Grantee::Group(id) => snapshot.get::<Group>(*org, &id)?.map(|group| group.name),
    })
}

/// A grantee with its name.
pub(crate) fn grantee(reading: &Reading, who: Grantee) -> Result<NamedGrantee, Failure> {
    Ok(named_grantee(who, of_grantee(reading, who)?))
}

/// A principal with its name.
pub(crate) fn principal(reading: &Reading, who: Principal) -> Result<NamedPrincipal, Failure> {
    Ok(named_principal(who, of_grantee(reading, who.into())?))
}

/// The author of a record with its name.
pub(crate) fn actor(reading: &Reading, actor: principal::Actor) -> Result<Actor, Failure> {
    let name = match actor.principal() {
        Some(who) => of_grantee(reading, who.into())?,
        None => None,
    };
    let (kind, id) = match actor {
        principal::Actor::User(id) => (ActorType::User, Some(id.to_string())),
        principal::Actor::Token(id) => (ActorType::Token, Some(id.to_string())),
        principal::Actor::System => (ActorType::System, None),
        principal::Actor::Operator => (ActorType::Operator, None),
    };
    Ok(Actor { kind, id, name })
}

/// A project by id and name.
pub(crate) fn project(reading: &Reading, id: ProjectId) -> Result<Named, Failure> {
    let found = reading.snapshot.get::<Project>(reading.org, &id)?;
    Ok(Named { id: id.to_string(), name: found.map(|project| project.name).unwrap_or_default() })
}

/// A group by id and name.
pub(crate) fn group(reading: &Reading, id: GroupId) -> Result<Named, Failure> {
    let found = reading.snapshot.get::<Group>(reading.org, &id)?;
    Ok(Named { id: id.to_string(), name: found.map(|group| group.name).unwrap_or_default() })
}

/// An object with its name, if objects of its type have names.
pub(crate) fn object(reading: &Reading, object: &ObjectRef) -> Result<NamedObject, Failure> {
    let Reading { snapshot, org, .. } = reading;
    let name = match object.object_type.as_str() {
        "organization" => {
            snapshot.organization(*org)?.filter(|one| one.id.to_string() == object.id).map(|one| one.name)
        }
        "project" => match object.id.parse::<ProjectId>() {
            Ok(id) => snapshot.get::<Project>(*org, &id)?.map(|project| project.name),
            Err(_) => None,
        },
        "group" => match object.id.parse::<GroupId>() {
            Ok(id) => snapshot.get::<Group>(*org, &id)?.map(|group| group.name),
            Err(_) => None,
        },
        "role" => match object.id.parse::<RoleId>() {
            Ok(id) => snapshot.get::<Role>(*org, &id)?.map(|role| role.name),
            Err(_) => None,
        },
        _ => None,
    };
    Ok(NamedObject { object_type: object.object_type.clone(), id: object.id.clone(), name })
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
