//! Users: made, changed, deactivated for ever, and the recovery of an owner.

use crate::{
    command::{Author, UserCommand},
    decide::{Events, Judge, changed, is_new, require_name, text},
    event::Event,
    id::{KeyId, UserId},
    model::{Builtin, Key, KeyHash, Membership, Personal, User},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    state::{NameKind, apply::email_key},
    text::{NAME_MAX_BYTES, check_email, check_line},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_user(&self, command: &UserCommand) -> Events {
        match command {
            UserCommand::Create { id, email, name, external_id } => {
                let user = User {
                    id: *id,
                    email: Personal::Clear(email.clone()),
                    name: name.clone().map(Personal::Clear),
                    external_id: external_id.clone().map(Personal::Clear),
                    identities: Vec::new(),
                    created_at: self.at,
                    ended_at: None,
                };
                self.require_user_fits(&user, None)?;
                Ok(vec![Event::UserCreated { user }])
            }
            UserCommand::Update { id, email, name, external_id } => {
                let old = self.state.user(*id).filter(|user| user.ended_at.is_none());
                let old = old.ok_or(Refusal::NotFound(Kind::User))?;
                let clear = |text: &String| Personal::Clear(text.clone());
                let name = name.as_ref().map(|value| value.as_ref().map(clear));
                let external_id = external_id.as_ref().map(|value| value.as_ref().map(clear));
                let user = User {
                    email: email.as_ref().map_or_else(|| old.email.clone(), clear),
                    name: changed(name.as_ref(), old.name.as_ref()),
                    external_id: changed(external_id.as_ref(), old.external_id.as_ref()),
                    ..old.clone()
                };
                self.update_user(old, user)
            }
            UserCommand::Deactivate { id } => {
                let user = self.state.user(*id).ok_or(Refusal::NotFound(Kind::User))?;
                if user.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::UserDeactivated { user: User { ended_at: Some(self.at), ..user.clone() } }])
            }
        }
    }

    /// A new e-mail or external id may let somebody else in as this user: that confers everything it has. A new display name
    /// lets this user pass for somebody else, in everything it may do: it needs as much, but for one's own.
    fn update_user(&self, old: &User, user: User) -> Events {
        if user == *old {
            return Ok(Vec::new());
        }
        self.require_user_fits(&user, Some(old))?;
        let renamed = user.name != old.name && !self.is_oneself(old.id);
        if user.email != old.email || user.external_id != old.external_id || renamed {
            self.require_everything(Principal::User(old.id), Timestamp::FOREVER, None)?;
        }
        Ok(vec![Event::UserUpdated { user }])
    }

    /// Whether the author is this user, with all of its rights.
    fn is_oneself(&self, id: UserId) -> bool {
        self.principal() == Some(Principal::User(id)) && self.holdings.narrow.is_none()
    }

    fn require_user_fits(&self, user: &User, old: Option<&User>) -> Result<(), Refusal> {
        if is_new(&user.email, old.map(|old| &old.email)) {
            text("/email", check_email(user.email.clear().unwrap_or_default()))?;
        }
        if is_new(&user.name, old.map(|old| &old.name))
            && let Some(name) = user.name.as_ref().and_then(Personal::clear)
        {
            require_name(name)?;
        }
        let holder = email_key(&user.email).and_then(|email| self.state.holder_of(NameKind::Email, &email));
        if holder.is_some_and(|holder| holder != user.id.uuid()) {
            return Err(Refusal::EmailTaken);
        }
        if !is_new(&user.external_id, old.map(|old| &old.external_id)) {
            return Ok(());
        }
        self.require_external_id(NameKind::UserExternalId, user.external_id.as_ref(), user.id.uuid())
    }

    pub(super) fn require_external_id(
        &self,
        kind: NameKind,
        external_id: Option<&Personal>,
        own: uuid::Uuid,
    ) -> Result<(), Refusal> {
        let Some(external_id) = external_id.and_then(Personal::clear) else { return Ok(()) };
        text("/external_id", check_line(external_id, NAME_MAX_BYTES))?;
        match self.state.holder_of(kind, external_id) {
            Some(holder) if holder != own => Err(Refusal::ExternalIdTaken),
            _ => Ok(()),
        }
    }

    /// Whatever became of the owners: an active user with this e-mail is one again, with a new key.
    pub(super) fn recover_owner(&self, email: &str, new_user: UserId, key: KeyId, hash: KeyHash) -> Events {
        if self.author != Author::Operator {
            return Err(Refusal::forbidden("operator", "the installation"));
        }
        let owners = self.state.builtin_group(Builtin::Owner);
        let owners = owners.ok_or(Refusal::NotFound(Kind::Organization))?;
        let mut events = Vec::new();
        let known = self.state.holder_of(NameKind::Email, &email.to_ascii_lowercase());
        let id = known.map_or(new_user, UserId::new);
        if known.is_none() {
            let (id, email) = (new_user, email.to_owned());
            let made = UserCommand::Create { id, email, name: None, external_id: None };
            events.extend(self.judge_user(&made)?);
        }
        let member = Grantee::User(id);
        let lasting =
            self.state.membership(member, owners).is_some_and(|membership| membership.expires_at.is_none());
        if !lasting {
            let (created_at, ended_at) = (self.at, None);
            let membership = Membership { group: owners, member, expires_at: None, created_at, ended_at };
            events.push(Event::MemberAdded { membership });
        }
        events.push(Event::KeyIssued {
            key: Key {
                id: key,
                principal: Principal::User(id),
                name: Some("owner recovery".to_owned()),
                hash,
                expires_at: None,
                narrow: None,
                replaces: None,
                session: None,
                created_at: self.at,
                ended_at: None,
            },
        });
        Ok(events)
    }
}
