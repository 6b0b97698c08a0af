//! References with names that were looked up, or without.

use grantbook_api::words::reference::{
    Actor, ActorType, GranteeType, NamedGrantee, NamedPrincipal, PrincipalType,
};
use grantbook_domain::{
    model::Personal,
    principal::{self, Grantee, Principal},
};

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
