//! References in texts: ids in paths and bodies, grantees and built-in roles by their words.

use grantbook_domain::{
    id::Id,
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::Kind,
};

use crate::http::problem::Failure;

/// An id in a path: one that cannot be is one that is not there.
pub(crate) fn id_in_path<K>(text: &str, kind: Kind) -> Result<Id<K>, Failure> {
    text.parse().map_err(|_| Failure::not_found(kind))
}

/// An id in a body.
pub(crate) fn id_in_body<K>(text: &str, pointer: &str) -> Result<Id<K>, Failure> {
    text.parse()
        .map_err(|error: grantbook_domain::id::NotAnId| Failure::invalid_at(pointer, error.to_string()))
}

/// A grantee by the words of a path or parameter; none if they cannot name one.
pub(crate) fn grantee(kind: &str, id: &str) -> Option<Grantee> {
    match kind {
        "user" => id.parse().ok().map(Grantee::User),
        "token" => id.parse().ok().map(Grantee::Token),
        "group" => id.parse().ok().map(Grantee::Group),
        _ => None,
    }
}

/// The built-in role of this name.
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    match name {
        "Owner" => Some(Builtin::Owner),
        "Engineer" => Some(Builtin::Engineer),
        "Viewer" => Some(Builtin::Viewer),
        _ => None,
    }
}

/// The service token of a path.
pub(crate) fn token_in_path(id: &str) -> Result<Principal, Failure> {
    Ok(Principal::Token(id_in_path(id, Kind::Token)?))
}

/// The user of a path.
pub(crate) fn user_in_path(id: &str) -> Result<Principal, Failure> {
    Ok(Principal::User(id_in_path(id, Kind::User)?))
}
