//! From a key to whose it is, across all organizations.

use grantbook_domain::{
    access::check::Reason,
    id::{KeyId, OrgId},
    model::KeyHash,
    principal::Caller,
    time::Timestamp,
};
use subtle::ConstantTimeEq as _;

use crate::{
    access::checker::Stop,
    store::{error::ViewError, row::KeyRow, snapshot::Snapshot},
};

/// A key that was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    /// Whose organization's.
    pub org: OrgId,
    /// The principal, with its key.
    pub caller: Caller,
}

impl Snapshot {
    /// The organization of a key, living or ended.
    pub fn org_of_key(&self, key: KeyId) -> Result<Option<OrgId>, ViewError> {
        Ok(self.key_row(key)?.map(|row| row.org))
    }

    /// The key that a key was issued with; none if it was issued without one, or there is no such key.
    pub fn issued_with(&self, key: KeyId) -> Result<Option<KeyId>, ViewError> {
        Ok(self.key_row(key)?.and_then(|row| row.issuer.with))
    }

    /// What a key is narrowed to, in a form that only an equal narrowing has; none if it is not, or there is no such key.
    pub fn narrowing_of(&self, key: KeyId) -> Result<Option<String>, ViewError> {
        Ok(self.key_row(key)?.and_then(|row| row.narrow).map(|narrow| format!("{narrow:?}")))
    }

    /// Recognizes a presented secret by its key id and the SHA-256 of its secret part: the key and its principal must be
    /// active. Compares in constant time, also when there is no such key. A wrong secret is [`Reason::UnknownKey`].
    pub fn authenticate(
        &self,
        key: KeyId,
        hash: &KeyHash,
        now: Timestamp,
    ) -> Result<Result<Authenticated, Reason>, ViewError> {
        match self.recognize(key, hash, now) {
            Ok(recognized) => Ok(Ok(recognized)),
            Err(Stop::Because(reason)) => Ok(Err(reason)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Whether a key works now: not revoked, not expired, and if it is a session, so is the key that it was started with.
    pub fn key_works(&self, key: KeyId, now: Timestamp) -> Result<bool, ViewError> {
        let Some(row) = self.key_row(key)? else { return Ok(false) };
        match self.require_working(&row, now) {
            Ok(()) => Ok(true),
            Err(Stop::Because(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// The key works, and so does the one that it was started with, if it is a session.
    pub(crate) fn require_working(&self, row: &KeyRow, now: Timestamp) -> Result<(), Stop> {
        let parent = row.parent.map(|id| self.key_row(id)).transpose()?;
        let parent = parent.map(|parent| parent.ok_or(Reason::KeyRevoked)).transpose()?;
        for key in [Some(row), parent.as_ref()].into_iter().flatten() {
            if key.ended {
                return Err(Reason::KeyRevoked.into());
            }
            if now >= key.until {
                return Err(Reason::KeyExpired.into());
            }
        }
        Ok(())
    }

    fn recognize(&self, key: KeyId, hash: &KeyHash, now: Timestamp) -> Result<Authenticated, Stop> {
        let row = self.key_row(key)?;
        let expected = row.as_ref().map_or([0; 32], |row| row.hash);
        let equal: bool = expected.ct_eq(&hash.0).into();
        let row = row.filter(|_| equal).ok_or(Reason::UnknownKey)?;
        self.require_working(&row, now)?;
        let head = self.head(row.org, row.principal.into())?.ok_or(Reason::UnknownPrincipal)?;
        if head.ended || now >= head.until {
            return Err(Reason::InactivePrincipal.into());
        }
        Ok(Authenticated { org: row.org, caller: Caller { principal: row.principal, key: Some(key) } })
    }
}
