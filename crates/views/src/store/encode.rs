//! Bytes of keys and values: fixed-width big-endian numbers, 16-byte ids, texts behind their length (u32).

use grantbook_domain::{
    id::{Id, OrgId},
    position::Position,
    principal::{Grantee, Principal},
    time::Timestamp,
};

use crate::store::{error::ViewError, table::Table};

/// Builds the bytes of one key or value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Put(Vec<u8>);

impl Put {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// A key of this organization.
    pub(crate) fn of(org: OrgId) -> Self {
        Self::new(64).raw(&org.bytes())
    }

    /// Goes on behind these bytes.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(self, number: u8) -> Self {
        self.raw(&[number])
    }

    pub(crate) fn u32(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn u64(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn u128(self, number: u128) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn position(self, position: Position) -> Self {
        self.u64(position.get())
    }

    pub(crate) fn id<K>(self, id: Id<K>) -> Self {
        self.raw(&id.bytes())
    }

    /// Flipping the sign bit makes the order of the bytes that of the instants.
    pub(crate) fn time(self, time: Timestamp) -> Self {
        self.u64(time.millis().cast_unsigned() ^ (1 << 63))
    }

    /// A count or length; what exceeds 32 bits cannot come from a record of 512 KiB.
    pub(crate) fn len(self, len: usize) -> Self {
        self.u32(u32::try_from(len).unwrap_or(u32::MAX))
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.len(text.len()).raw(text.as_bytes())
    }

    pub(crate) fn grantee(self, grantee: Grantee) -> Self {
        match grantee {
            Grantee::User(id) => self.u8(1).id(id),
            Grantee::Token(id) => self.u8(2).id(id),
            Grantee::Group(id) => self.u8(3).id(id),
        }
    }

    pub(crate) fn principal(self, principal: Principal) -> Self {
        self.grantee(principal.into())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes the bytes of one row apart; a row too short or out of range is an error that names its table.
#[derive(Debug, Clone)]
pub(crate) struct Take<'a> {
    rest: &'a [u8],
    table: Table,
}

impl<'a> Take<'a> {
    pub(crate) fn new(table: Table, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, table }
    }

    pub(crate) fn bad(&self, detail: impl Into<String>) -> ViewError {
        ViewError::bad_row(self.table.name(), detail)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], ViewError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.bad("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ViewError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.bad("too short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn hash(&mut self) -> Result<[u8; 32], ViewError> {
        self.array()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ViewError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ViewError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ViewError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128, ViewError> {
        self.array().map(u128::from_be_bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, ViewError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.bad(format!("flag {other}"))),
        }
    }

    pub(crate) fn position(&mut self) -> Result<Position, ViewError> {
        self.u64().map(Position::from_u64)
    }

    pub(crate) fn id<K>(&mut self) -> Result<Id<K>, ViewError> {
        self.array().map(Id::from_bytes)
    }

    /// The bytes of an id.
    pub(crate) fn id_key(&mut self) -> Result<[u8; 16], ViewError> {
        self.array()
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, ViewError> {
        self.u64().map(|biased| Timestamp::from_millis((biased ^ (1 << 63)).cast_signed()))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, ViewError> {
        let len = self.u32()?;
        let bytes = self.raw(usize::try_from(len).unwrap_or(usize::MAX))?;
        std::str::from_utf8(bytes).map_err(|_| self.bad("text is not UTF-8"))
    }

    pub(crate) fn grantee(&mut self) -> Result<Grantee, ViewError> {
        match self.u8()? {
            1 => self.id().map(Grantee::User),
            2 => self.id().map(Grantee::Token),
            3 => self.id().map(Grantee::Group),
            other => Err(self.bad(format!("grantee kind {other}"))),
        }
    }

    pub(crate) fn principal(&mut self) -> Result<Principal, ViewError> {
        self.grantee()?.principal().ok_or_else(|| self.bad("a group where a principal was due"))
    }
}
