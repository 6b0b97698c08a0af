//! Values of rows: what the answer to a check needs, in few bytes that decode without JSON.

use grantbook_domain::{
    catalog::{PermissionSet, TypeSet},
    id::{GrantId, KeyId, OrgId, ProjectId, RoleId},
    model::{Effect, Narrowing},
    position::Position,
    principal::{Actor, Principal},
    scope::{Labels, ProjectView, Scope},
    state::{Block, concern::Issuer},
    time::Timestamp,
};

use crate::store::{
    encode::{Put, Take},
    encode_scope::{put_labels, put_scope, take_labels, take_scope},
    error::ViewError,
    table::Table,
};

/// A version of a thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version<'a> {
    /// The record that made this version.
    pub(crate) from: Position,
    /// The record that made the thing; of an object registered again, the latest such.
    pub(crate) created: Position,
    /// The record that gave it its present name.
    pub(crate) named: Position,
    /// Whether it has ended.
    pub(crate) ended: bool,
    /// Its own expiry.
    pub(crate) until: Timestamp,
    /// What checks need, by kind.
    pub(crate) compact: &'a [u8],
    /// The whole document, JSON.
    pub(crate) document: &'a [u8],
}

impl<'a> Version<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Put::new(self.compact.len().saturating_add(self.document.len()).saturating_add(37))
            .position(self.from)
            .position(self.created)
            .position(self.named)
            .u8(u8::from(self.ended))
            .time(self.until)
            .len(self.compact.len())
            .raw(self.compact)
            .raw(self.document)
            .done()
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Things, bytes);
        let (from, created, named) = (take.position()?, take.position()?, take.position()?);
        let (ended, until) = (take.flag()?, take.time()?);
        let len = usize::try_from(take.u32()?).unwrap_or(usize::MAX);
        let compact = take.raw(len)?;
        Ok(Self { from, created, named, ended, until, compact, document: take.rest() })
    }
}

impl<'a> Version<'a> {
    /// Of `things_past`, where the record that replaced it stands first.
    pub(crate) fn decode_past(bytes: &'a [u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::ThingsPast, bytes);
        take.position()?;
        Self::decode(take.rest())
    }
}

/// A living project as selectors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectRow {
    pub(crate) id: ProjectId,
    pub(crate) version: Position,
    pub(crate) name: String,
    pub(crate) labels: Labels,
}

impl ProjectRow {
    pub(crate) fn view(&self) -> ProjectView<'_> {
        ProjectView { id: self.id, name: &self.name, labels: &self.labels }
    }

    pub(crate) fn compact(name: &str, labels: &Labels) -> Vec<u8> {
        put_labels(Put::new(64).text(name), labels).done()
    }

    pub(crate) fn decode(id: ProjectId, version: &Version<'_>) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Things, version.compact);
        let (name, labels) = (take.text()?.to_owned(), take_labels(&mut take)?);
        Ok(Self { id, version: version.from, name, labels })
    }
}

/// A registered object; its project is part of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) generation: u32,
    pub(crate) ended: bool,
}

impl ObjectRow {
    pub(crate) fn compact(generation: u32) -> Vec<u8> {
        Put::new(4).u32(generation).done()
    }

    pub(crate) fn decode(version: &Version<'_>) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Things, version.compact);
        Ok(Self { generation: take.u32()?, ended: version.ended })
    }
}

/// The project in which an object of one type and id was first registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstHomeRow {
    pub(crate) project: ProjectId,
    /// Whether there are others.
    pub(crate) several: bool,
}

impl FirstHomeRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        Put::new(17).id(self.project).u8(u8::from(self.several)).done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Homes, bytes);
        Ok(Self { project: take.id()?, several: take.flag()? })
    }
}

/// What a role gives itself, and what it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleRow {
    pub(crate) version: Position,
    pub(crate) blocks: Vec<Block>,
    pub(crate) includes: Vec<RoleId>,
}

impl RoleRow {
    pub(crate) fn compact(blocks: &[Block], includes: &[RoleId]) -> Vec<u8> {
        let mut put = Put::new(64).len(blocks.len());
        for block in blocks {
            put = put.u64(block.permissions.0).u128(block.types.0);
        }
        put = put.len(includes.len());
        for id in includes {
            put = put.id(*id);
        }
        put.done()
    }

    pub(crate) fn decode(version: &Version<'_>) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Things, version.compact);
        let block = |take: &mut Take<'_>| -> Result<Block, ViewError> {
            Ok(Block { permissions: PermissionSet(take.u64()?), types: TypeSet(take.u128()?) })
        };
        let blocks = (0..take.u32()?).map(|_| block(&mut take)).collect::<Result<_, _>>()?;
        let includes = (0..take.u32()?).map(|_| take.id()).collect::<Result<_, _>>()?;
        Ok(Self { version: version.from, blocks, includes })
    }
}

/// Whether a user, token or group lives, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) from: Position,
    pub(crate) ended: bool,
    pub(crate) until: Timestamp,
}

impl HeadRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Put::new(17).position(self.from).u8(u8::from(self.ended)).time(self.until).done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Access, bytes);
        Ok(Self { from: take.position()?, ended: take.flag()?, until: take.time()? })
    }
}

/// A membership in force, its group and member being in the row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MembershipRow {
    pub(crate) from: Position,
    pub(crate) created_at: Timestamp,
    pub(crate) until: Timestamp,
}

impl MembershipRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Put::new(24).position(self.from).time(self.created_at).time(self.until).done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Access, bytes);
        Ok(Self { from: take.position()?, created_at: take.time()?, until: take.time()? })
    }
}

/// What a grant gives: what a role gives, or these permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Role(RoleId),
    Permissions(PermissionSet),
}

/// A grant in force, its grantee being in the row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantRow {
    pub(crate) id: GrantId,
    pub(crate) from: Position,
    pub(crate) until: Timestamp,
    pub(crate) effect: Effect,
    /// The object types it applies to. A deny never applies to administrative types.
    pub(crate) types: TypeSet,
    pub(crate) given: Given,
    pub(crate) generation: u32,
    pub(crate) scope: Scope,
}

impl GrantRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let put = Put::new(96)
            .position(self.from)
            .time(self.until)
            .u8(match self.effect {
                Effect::Allow => 1,
                Effect::Deny => 2,
            })
            .u128(self.types.0);
        let put = match self.given {
            Given::Role(id) => put.u8(1).id(id),
            Given::Permissions(set) => put.u8(2).u64(set.0),
        };
        put_scope(put.u32(self.generation), &self.scope).done()
    }

    pub(crate) fn decode(id: GrantId, bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Access, bytes);
        let (from, until) = (take.position()?, take.time()?);
        let effect = match take.u8()? {
            1 => Effect::Allow,
            2 => Effect::Deny,
            other => return Err(take.bad(format!("effect {other}"))),
        };
        let types = TypeSet(take.u128()?);
        let given = match take.u8()? {
            1 => Given::Role(take.id()?),
            2 => Given::Permissions(PermissionSet(take.u64()?)),
            other => return Err(take.bad(format!("unknown kind of grant content: {other}"))),
        };
        let generation = take.u32()?;
        let scope = take_scope(&mut take)?;
        Ok(Self { id, from, until, effect, types, given, generation, scope })
    }
}

/// A key, found by its id across all organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub(crate) org: OrgId,
    pub(crate) principal: Principal,
    pub(crate) hash: [u8; 32],
    pub(crate) until: Timestamp,
    pub(crate) ended: bool,
    pub(crate) narrow: Option<NarrowRow>,
    /// A session's parent: the key that it was started with, and ends with.
    pub(crate) parent: Option<KeyId>,
    /// Who answers for it.
    pub(crate) issuer: Issuer,
}

fn put_key_id(put: Put, id: Option<KeyId>) -> Put {
    match id {
        None => put.u8(0),
        Some(id) => put.u8(1).id(id),
    }
}

fn take_key_id(take: &mut Take<'_>) -> Result<Option<KeyId>, ViewError> {
    if take.flag()? { take.id().map(Some) } else { Ok(None) }
}

/// What a key is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NarrowRow {
    pub(crate) permissions: PermissionSet,
    pub(crate) on: Option<Scope>,
    /// The generation of the registered object that `on` is; 0 otherwise.
    pub(crate) generation: u32,
}

impl NarrowRow {
    pub(crate) fn of(narrow: &Narrowing, permissions: Option<PermissionSet>) -> Self {
        let Narrowing { on, generation, .. } = narrow;
        let permissions = permissions.unwrap_or(PermissionSet::ALL);
        Self { permissions, on: on.clone(), generation: *generation }
    }
}

impl KeyRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let put = Put::new(128)
            .id(self.org)
            .principal(self.principal)
            .raw(&self.hash)
            .time(self.until)
            .u8(u8::from(self.ended));
        let put = match self.issuer.by {
            Actor::User(id) => put.u8(1).id(id),
            Actor::Token(id) => put.u8(2).id(id),
            Actor::System => put.u8(3),
            Actor::Operator => put.u8(4),
        };
        let put = put_key_id(put_key_id(put, self.issuer.with), self.parent);
        match &self.narrow {
            None => put.u8(0),
            Some(NarrowRow { permissions, on: None, .. }) => put.u8(1).u64(permissions.0),
            Some(NarrowRow { permissions, on: Some(scope), generation }) => {
                put_scope(put.u8(2).u64(permissions.0).u32(*generation), scope)
            }
        }
        .done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Keys, bytes);
        let (org, principal, hash) = (take.id()?, take.principal()?, take.hash()?);
        let (until, ended) = (take.time()?, take.flag()?);
        let by = match take.u8()? {
            1 => Actor::User(take.id()?),
            2 => Actor::Token(take.id()?),
            3 => Actor::System,
            4 => Actor::Operator,
            other => return Err(take.bad(format!("actor {other}"))),
        };
        let issuer = Issuer { by, with: take_key_id(&mut take)? };
        let parent = take_key_id(&mut take)?;
        let narrow = match take.u8()? {
            0 => None,
            1 => Some(NarrowRow { permissions: PermissionSet(take.u64()?), on: None, generation: 0 }),
            2 => {
                let (permissions, generation) = (PermissionSet(take.u64()?), take.u32()?);
                Some(NarrowRow { permissions, on: Some(take_scope(&mut take)?), generation })
            }
            other => return Err(take.bad(format!("narrowing {other}"))),
        };
        Ok(Self { org, principal, hash, until, ended, narrow, parent, issuer })
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::{
        id::{Id, TokenId},
        scope::{Atom, ObjectRef, Selector},
    };

    use super::*;

    fn scopes() -> Vec<Scope> {
        let labels =
            Labels::from([("env".to_owned(), "production".to_owned()), ("k".to_owned(), String::new())]);
        let atoms =
            vec![Atom::All, Atom::Id(Id::from_u128(3)), Atom::Name("a*".to_owned()), Atom::Label(labels)];
        vec![
            Scope::Organization,
            Scope::Projects(Selector { include: vec![Atom::All].into(), exclude: Vec::new().into() }),
            Scope::Projects(Selector { include: atoms.clone().into(), exclude: atoms.into() }),
            Scope::Object(ObjectRef::new("dataset", "d/1").within(Some(Id::from_u128(7)))),
            Scope::Object(ObjectRef::new("group", "g")),
        ]
    }

    /// Cut anywhere, a row is an error and never another row.
    fn only_whole<T>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, ViewError>) {
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} of {} bytes decode", bytes.len());
        }
    }

    #[test]
    fn grants_and_keys_come_back_whole_or_not_at_all() {
        let id = GrantId::from_u128(4);
        for (scope, until) in scopes().into_iter().zip([i64::MIN, -1, 0, 1, i64::MAX]) {
            let until = Timestamp::from_millis(until);
            let grant = GrantRow {
                id,
                from: Position::of(7, 3),
                until,
                effect: Effect::Deny,
                types: TypeSet::ALL.minus(TypeSet::ADMINISTRATIVE),
                given: Given::Permissions(PermissionSet(5)),
                generation: 2,
                scope: scope.clone(),
            };
            assert_eq!(GrantRow::decode(id, &grant.encode()).unwrap(), grant);
            only_whole(&grant.encode(), |bytes| GrantRow::decode(id, bytes));
            let key = KeyRow {
                org: OrgId::from_u128(1),
                principal: Principal::Token(TokenId::from_u128(2)),
                hash: [9; 32],
                until,
                ended: true,
                narrow: Some(NarrowRow { permissions: PermissionSet::ALL, on: Some(scope), generation: 3 }),
                parent: Some(KeyId::from_u128(5)),
                issuer: Issuer { by: Actor::User(Id::from_u128(6)), with: Some(KeyId::from_u128(8)) },
            };
            assert_eq!(KeyRow::decode(&key.encode()).unwrap(), key);
            only_whole(&key.encode(), KeyRow::decode);
        }
    }

    #[test]
    fn what_no_row_says_is_an_error() {
        let head = HeadRow { from: Position::of(1, 0), ended: false, until: Timestamp::FOREVER };
        let mut bytes = head.encode();
        assert_eq!(HeadRow::decode(&bytes).unwrap(), head);
        bytes[8] = 2;
        assert!(matches!(HeadRow::decode(&bytes), Err(ViewError::BadRow { table: "access", .. })));
    }
}
