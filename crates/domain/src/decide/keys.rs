//! Keys: issued, rotated with a grace, revoked. A key confers what its principal has, cut by its narrowing.

use crate::{
    access::authority::{Holding, Narrow},
    catalog::{Permission, PermissionSet, TypeSet},
    command::{Author, KeyCommand},
    decide::{Events, Judge, require_name},
    event::Event,
    id::KeyId,
    model::{Key, KeyHash, Narrowing},
    principal::Principal,
    refusal::{Kind, Refusal},
    scope::Scope,
    state::Block,
    time::Timestamp,
};

/// Longest time that a rotated-out key may go on working: a year.
const GRACE_MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

impl Judge<'_> {
    pub(super) fn judge_key(&self, command: &KeyCommand) -> Events {
        match command {
            KeyCommand::Issue { id, principal, name, hash, expires_at, narrow } => {
                let key = Key {
                    id: *id,
                    principal: *principal,
                    name: name.clone(),
                    hash: *hash,
                    expires_at: *expires_at,
                    narrow: narrow.clone(),
                    replaces: None,
                    session: None,
                    created_at: self.at,
                    ended_at: None,
                };
                self.issue_key(key)
            }
            KeyCommand::Rotate { id, new_id, hash, grace_seconds } => {
                self.rotate_key(*id, *new_id, *hash, *grace_seconds)
            }
            KeyCommand::Revoke { id } => self.end_key(self.state.key(*id), Kind::Key),
        }
    }

    pub(super) fn end_key(&self, key: Option<&Key>, kind: Kind) -> Events {
        let key = key.ok_or(Refusal::NotFound(kind))?;
        if key.ended_at.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![Event::KeyRevoked { key: Key { ended_at: Some(self.at), ..key.clone() } }])
    }

    fn issue_key(&self, mut key: Key) -> Events {
        if let Some(name) = &key.name {
            require_name(name)?;
        }
        self.require_future(key.expires_at)?;
        self.require_living(key.principal)?;
        if let Some(narrow) = key.narrow.take() {
            key.narrow = self.fitting_narrowing(narrow)?;
        }
        self.require_room_for_narrowing(&key)?;
        self.require_key_conferrable(&key)?;
        Ok(vec![Event::KeyIssued { key }])
    }

    fn rotate_key(&self, id: KeyId, new_id: KeyId, hash: KeyHash, grace_seconds: u64) -> Events {
        if grace_seconds > GRACE_MAX_SECONDS {
            return Err(Refusal::invalid("/grace_seconds", "must be at most 31622400, a year"));
        }
        let old = self.state.active_key(id, self.at).map_err(|_| Refusal::KeyEnded)?;
        if old.session.is_some() {
            return Err(Refusal::WrongCredential("a session is not rotated: sign in again"));
        }
        self.require_living(old.principal)?;
        self.require_room_for_narrowing(old)?;
        self.require_key_conferrable(old)?;
        let grace_millis = i64::try_from(grace_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let old_until = self.at.plus_millis(grace_millis).min(Timestamp::end(old.expires_at));
        let key =
            Key { id: new_id, hash, replaces: Some(id), created_at: self.at, ended_at: None, ..old.clone() };
        let old = Box::new(Key { expires_at: Some(old_until), ..old.clone() });
        Ok(vec![Event::KeyRotated { key, old }])
    }

    pub(super) fn require_room_for_narrowing(&self, key: &Key) -> Result<(), Refusal> {
        let on = key.narrow.as_ref().and_then(|narrow| narrow.on.as_ref());
        on.map_or(Ok(()), |on| self.require_room_for(on))
    }

    fn require_living(&self, principal: Principal) -> Result<(), Refusal> {
        let kind = match principal {
            Principal::User(_) => Kind::User,
            Principal::Token(_) => Kind::Token,
        };
        if self.state.principal_lives(principal) { Ok(()) } else { Err(Refusal::NotFound(kind)) }
    }

    /// One's own principal gains nothing by a key that is no wider than the key in use. A key of another user would be
    /// given whatever that user is given later: only a holder of `delegate` on the organization issues such.
    fn require_key_conferrable(&self, key: &Key) -> Result<(), Refusal> {
        let narrow = key.narrow.as_ref().map(|narrow| self.state.narrow(narrow));
        if self.principal() == Some(key.principal) && self.within_own(narrow.as_ref()) {
            return Ok(());
        }
        let until = match key.principal {
            Principal::User(_) if self.principal() != Some(key.principal) => {
                return self.require_delegation();
            }
            Principal::User(_) => Timestamp::FOREVER,
            Principal::Token(id) => Timestamp::end(self.state.token(id).and_then(|token| token.expires_at)),
        };
        let until = until.min(Timestamp::end(key.expires_at));
        match narrow {
            Some(narrow) if self.principal() != Some(key.principal) && !self.reads_access() => {
                self.require_narrowed(key.principal, until, &narrow)
            }
            narrow => self.require_everything(key.principal, until, narrow.as_ref()),
        }
    }

    fn require_delegation(&self) -> Result<(), Refusal> {
        let held = self.on_ground(|ground| self.holdings.may_issue_for_others(ground));
        if held || self.author == Author::Operator {
            return Ok(());
        }
        Err(Refusal::forbidden("delegate", "the organization: a key of another user"))
    }

    /// What an author may do who does not see the principal's access: the answer to a narrowing must not depend on it, or
    /// trying one narrowing after another would read it.
    fn require_narrowed(
        &self,
        principal: Principal,
        until: Timestamp,
        narrow: &Narrow,
    ) -> Result<(), Refusal> {
        if self.require_everything(principal, until, None).is_ok() {
            return Ok(());
        }
        let scope = narrow.on.clone().unwrap_or(Scope::Organization);
        let blocks = vec![Block { permissions: narrow.permissions, types: TypeSet::ALL }];
        self.require_conferrable(&Holding { grant: None, scope, blocks, until })
    }

    fn within_own(&self, narrow: Option<&Narrow>) -> bool {
        let Some(own) = &self.holdings.narrow else { return self.author != Author::System };
        let Some(narrow) = narrow else { return false };
        let permissions = narrow.permissions.intersect(own.permissions) == narrow.permissions;
        let scope = match (&own.on, &narrow.on) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(given)) => self.on_ground(|ground| ground.contains(own, given)),
        };
        permissions && scope
    }

    /// An empty narrowing narrows nothing and is dropped.
    fn fitting_narrowing(&self, narrow: Narrowing) -> Result<Option<Narrowing>, Refusal> {
        if let Some(names) = &narrow.permissions {
            self.require_permissions(names, "/narrow/permissions")?;
        }
        let on = narrow.on.as_ref();
        let on = on.map(|scope| self.fitting_scope(scope, "/narrow/on", Permission::READ)).transpose()?;
        let (on, generation) = on.map_or((None, 0), |(scope, generation)| (Some(scope), generation));
        let narrowing = Narrowing { permissions: narrow.permissions, on, generation };
        Ok((narrowing.permissions.is_some() || narrowing.on.is_some()).then_some(narrowing))
    }

    /// Refuses an empty list, and names that the catalog does not have.
    pub(super) fn require_permissions(
        &self,
        names: &[String],
        pointer: &str,
    ) -> Result<PermissionSet, Refusal> {
        if names.is_empty() {
            return Err(Refusal::invalid(pointer, "must name at least one permission"));
        }
        let mut set = PermissionSet::EMPTY;
        for (index, name) in names.iter().enumerate() {
            let known = self.state.catalog().permission(name);
            let known =
                known.ok_or_else(|| Refusal::no_such(Kind::Permission, &format!("{pointer}/{index}")))?;
            set = set.union(known.set());
        }
        Ok(set)
    }
}
