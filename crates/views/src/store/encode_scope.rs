//! Bytes of scopes and labels.

use grantbook_domain::scope::{Atom, Labels, ObjectRef, SELECTOR_MAX, Scope, Selector};

use crate::store::{
    encode::{Put, Take},
    error::ViewError,
};

pub(crate) fn put_labels(put: Put, labels: &Labels) -> Put {
    labels.iter().fold(put.len(labels.len()), |put, (key, value)| put.text(key).text(value))
}

pub(crate) fn take_labels(take: &mut Take<'_>) -> Result<Labels, ViewError> {
    (0..take.u32()?).map(|_| Ok((take.text()?.to_owned(), take.text()?.to_owned()))).collect()
}

pub(crate) fn put_scope(put: Put, scope: &Scope) -> Put {
    match scope {
        Scope::Organization => put.u8(1),
        Scope::Projects(selector) => {
            let put = selector.include.iter().fold(put.u8(2).len(selector.include.len()), put_atom);
            selector.exclude.iter().fold(put.len(selector.exclude.len()), put_atom)
        }
        Scope::Object(object) => {
            let put = put.u8(3).text(&object.object_type).text(&object.id);
            match object.project {
                None => put.u8(0),
                Some(id) => put.u8(1).id(id),
            }
        }
    }
}

pub(crate) fn take_scope(take: &mut Take<'_>) -> Result<Scope, ViewError> {
    match take.u8()? {
        1 => Ok(Scope::Organization),
        2 => {
            let include = take_atoms(take)?;
            Ok(Scope::Projects(Selector { include: include.into(), exclude: take_atoms(take)?.into() }))
        }
        3 => {
            let (object_type, id) = (take.text()?.to_owned(), take.text()?.to_owned());
            let project = if take.flag()? { Some(take.id()?) } else { None };
            Ok(Scope::Object(ObjectRef { object_type, id, project }))
        }
        other => Err(take.bad(format!("scope {other}"))),
    }
}

fn put_atom(put: Put, atom: &Atom) -> Put {
    match atom {
        Atom::All => put.u8(1),
        Atom::Id(id) => put.u8(2).id(*id),
        Atom::Name(pattern) => put.u8(3).text(pattern),
        Atom::Label(labels) => put_labels(put.u8(4), labels),
    }
}

fn take_atoms(take: &mut Take<'_>) -> Result<Vec<Atom>, ViewError> {
    let count = usize::try_from(take.u32()?).unwrap_or(usize::MAX);
    // A damaged count must not allocate more than a selector may have.
    let mut atoms = Vec::with_capacity(count.min(SELECTOR_MAX));
    for _ in 0..count {
        atoms.push(take_atom(take)?);
    }
    Ok(atoms)
}

fn take_atom(take: &mut Take<'_>) -> Result<Atom, ViewError> {
    match take.u8()? {
        1 => Ok(Atom::All),
        2 => take.id().map(Atom::Id),
        3 => Ok(Atom::Name(take.text()?.to_owned())),
        4 => take_labels(take).map(Atom::Label),
        other => Err(take.bad(format!("atom {other}"))),
    }
}
