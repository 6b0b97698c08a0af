//! The fold: facts into state. Total: a fact is never refused, and an odd one changes as little as it can.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    event::Event,
    id::{GrantId, GroupId, KeyId},
    limits::SelectorUse,
    model::{
        Gives, Grant, Group, Identity, Key, Membership, Personal, Project, RegisteredObject, Role, Token,
        User,
    },
    principal::{Actor, Grantee, Principal},
    record::{Maker, Record},
    scope::Scope,
    state::{Expiring, NameKind, OrgState, concern::Issuer},
    time::Timestamp,
};

impl OrgState {
    /// Folds a record in.
    pub fn apply_record(&mut self, record: &Record) {
        for event in &record.events {
            self.apply(record.maker(), event);
        }
    }

    /// Folds in one event of a record that `maker` made.
    pub fn apply(&mut self, maker: Maker, event: &Event) {
        match event {
            Event::OrganizationCreated { id, name, .. } => {
                self.id = Some(*id);
                self.name.clone_from(name);
            }
            Event::OrganizationUpdated { name, settings, .. } => {
                self.name.clone_from(name);
                self.settings = Arc::new(settings.clone());
            }
            Event::RollbackAccepted { .. } => {}
            Event::CatalogExtended { object_types, permissions } => {
                Arc::make_mut(&mut self.catalog).extend(object_types, permissions);
            }
            Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
                self.put_user(user);
            }
            Event::TokenCreated { token } | Event::TokenUpdated { token } | Event::TokenDeleted { token } => {
                self.put_token(token);
            }
            Event::KeyIssued { key } => self.issue(maker, key),
            Event::KeyRevoked { key } => self.put_key(key),
            Event::KeyRotated { key, old } => {
                self.put_key(old);
                self.issue(maker, key);
            }
            Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
                self.put_group(group);
            }
            Event::MemberAdded { membership } | Event::MemberRemoved { membership } => {
                self.put_membership(membership);
            }
            Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
                self.put_role(role);
            }
            Event::ProjectCreated { project }
            | Event::ProjectUpdated { project }
            | Event::ProjectDeleted { project } => self.put_project(project),
            Event::ObjectRegistered { object }
            | Event::ObjectUpdated { object }
            | Event::ObjectRemoved { object } => self.put_object(object),
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } => self.put_grant(grant),
            // A notice changes nothing but what is still to be noted; one that is late for a renewal does not even that.
            Event::TokenExpired { token } => self.forget_expiry(token.expires_at, Expiring::Token(token.id)),
            Event::KeyExpired { key } => {
                self.forget_expiry(key.expires_at, Expiring::Key(key.id));
                self.count_key(key.id, false);
            }
            Event::MemberExpired { membership } => {
                let member = Expiring::Member(membership.member, membership.group);
                self.forget_expiry(membership.expires_at, member);
            }
            Event::GrantExpired { grant } => {
                self.forget_expiry(grant.expires_at, Expiring::Grant(grant.id));
                self.count_grant(grant.id, false);
            }
            Event::WebhookCreated { webhook }
            | Event::WebhookUpdated { webhook }
            | Event::WebhookRotated { webhook }
            | Event::WebhookDeleted { webhook } => {
                self.webhooks.insert(webhook.id, Arc::new(webhook.clone()));
            }
        }
    }

    fn put_user(&mut self, user: &User) {
        if let Some(old) = self.users.get(&user.id).cloned() {
            self.release(NameKind::Email, email_key(&old.email));
            self.release(NameKind::UserExternalId, old.external_id.as_ref().and_then(Personal::clear));
            for identity in &old.identities {
                self.release(NameKind::Identity, identity_key(identity));
            }
        }
        if user.ended_at.is_none() {
            self.claim(NameKind::Email, email_key(&user.email), user.id.uuid());
            let external_id = user.external_id.as_ref().and_then(Personal::clear);
            self.claim(NameKind::UserExternalId, external_id, user.id.uuid());
            for identity in &user.identities {
                self.claim(NameKind::Identity, identity_key(identity), user.id.uuid());
            }
        }
        self.users.insert(user.id, Arc::new(user.clone()));
        if user.ended_at.is_some() {
            self.uncount_principal(Principal::User(user.id));
        }
    }

    fn put_token(&mut self, token: &Token) {
        if let Some(old) = self.tokens.get(&token.id).cloned() {
            self.release(NameKind::Token, Some(old.name.as_str()));
            self.release(NameKind::TokenExternalId, old.external_id.as_ref().and_then(Personal::clear));
            self.forget_expiry(old.expires_at, Expiring::Token(token.id));
        }
        if token.ended_at.is_none() {
            self.claim(NameKind::Token, Some(token.name.as_str()), token.id.uuid());
            let external_id = token.external_id.as_ref().and_then(Personal::clear);
            self.claim(NameKind::TokenExternalId, external_id, token.id.uuid());
            self.expect_expiry(token.expires_at, Expiring::Token(token.id));
        }
        self.tokens.insert(token.id, Arc::new(token.clone()));
        if token.ended_at.is_some() {
            self.uncount_principal(Principal::Token(token.id));
        }
    }

    /// Remembers who answers for the key: see [`Issuer`].
    fn issue(&mut self, maker: Maker, key: &Key) {
        let own = maker.actor == Actor::from(key.principal);
        let inherited = maker.credential.filter(|_| own).and_then(|credential| self.issuer_of(credential));
        let issuer = Issuer { by: maker.actor, with: maker.credential };
        self.issuers.insert(key.id, inherited.unwrap_or(issuer));
        self.put_key(key);
    }

    /// Who answers for a key.
    pub fn issuer_of(&self, key: KeyId) -> Option<Issuer> {
        self.issuers.get(&key).copied()
    }

    fn put_key(&mut self, key: &Key) {
        let mut key = key.clone();
        self.settle_narrowing(&mut key);
        let key = &key;
        if let Some(old) = self.keys.get(&key.id).cloned() {
            self.forget_expiry(old.expires_at, Expiring::Key(key.id));
        }
        let living = key.ended_at.is_none();
        if living {
            self.expect_expiry(key.expires_at, Expiring::Key(key.id));
        }
        self.keys_of.insert((key.principal, key.id));
        self.keys.insert(key.id, Arc::new(key.clone()));
        self.count_key(key.id, living && self.principal_lives(key.principal));
    }

    fn put_group(&mut self, group: &Group) {
        if let Some(old) = self.groups.get(&group.id).cloned() {
            self.release(NameKind::Group, Some(old.name.as_str()));
        }
        if group.ended_at.is_none() {
            self.claim(NameKind::Group, Some(group.name.as_str()), group.id.uuid());
        }
        if let Some(builtin) = group.builtin {
            self.builtin_groups.insert(builtin, group.id);
        }
        self.groups.insert(group.id, Arc::new(group.clone()));
        if group.ended_at.is_some() {
            self.uncount_group(group.id);
        }
    }

    fn put_membership(&mut self, membership: &Membership) {
        let (member, group) = (membership.member, membership.group);
        if let Some(old) = self.memberships.remove(&(member, group)) {
            self.forget_expiry(old.expires_at, Expiring::Member(member, group));
        }
        if let Grantee::Group(inner) = member {
            let lives = membership.ended_at.is_none()
                && self.grantee_lives(member)
                && self.living_group(group).is_some();
            set_membership(&mut self.nestings, (inner, group), lives);
        }
        if membership.ended_at.is_some() {
            self.members.remove(&(group, member));
            self.removed_members.insert((member, group), Arc::new(membership.clone()));
            return;
        }
        self.removed_members.remove(&(member, group));
        self.members.insert((group, member));
        self.memberships.insert((member, group), Arc::new(membership.clone()));
        self.expect_expiry(membership.expires_at, Expiring::Member(member, group));
    }

    fn put_role(&mut self, role: &Role) {
        if let Some(old) = self.roles.get(&role.id).cloned() {
            self.release(NameKind::Role, Some(old.name.as_str()));
            for included in &old.includes {
                self.included_by.remove(&(*included, role.id));
            }
        }
        if role.ended_at.is_none() {
            self.claim(NameKind::Role, Some(role.name.as_str()), role.id.uuid());
            self.included_by.extend(role.includes.iter().map(|included| (*included, role.id)));
        }
        if let Some(builtin) = role.builtin {
            self.builtin_roles.insert(builtin, role.id);
        }
        self.roles.insert(role.id, Arc::new(role.clone()));
    }

    fn put_project(&mut self, project: &Project) {
        if let Some(old) = self.projects.get(&project.id).cloned() {
            self.release(NameKind::Project, Some(old.name.as_str()));
        }
        if project.ended_at.is_none() {
            self.claim(NameKind::Project, Some(project.name.as_str()), project.id.uuid());
        }
        self.projects.insert(project.id, Arc::new(project.clone()));
    }

    fn put_object(&mut self, object: &RegisteredObject) {
        self.index_object(object);
        self.objects.insert(object.object.clone(), Arc::new(object.clone()));
    }

    fn put_grant(&mut self, grant: &Grant) {
        let mut grant = grant.clone();
        self.settle_scope(&mut grant.on);
        let grant = &grant;
        if let Some(old) = self.grants.get(&grant.id).cloned() {
            self.forget_expiry(old.expires_at, Expiring::Grant(grant.id));
        }
        let living = grant.ended_at.is_none();
        if living {
            self.expect_expiry(grant.expires_at, Expiring::Grant(grant.id));
        }
        set_membership(&mut self.grants_to, (grant.to, grant.id), living);
        if let Gives::Role(role) = grant.gives {
            set_membership(&mut self.grants_of_role, (role, grant.id), living);
        }
        match &grant.on {
            Scope::Organization | Scope::Projects(_) => {}
            Scope::Object(object) => set_membership(&mut self.grants_on, (object.clone(), grant.id), living),
        }
        self.grants.insert(grant.id, Arc::new(grant.clone()));
        self.count_grant(grant.id, living && self.grantee_lives(grant.to));
    }

    /// Counts the grant's selector among the living, or no longer.
    fn count_grant(&mut self, id: GrantId, lives: bool) {
        let Some(grant) = self.grants.get(&id).cloned() else { return };
        if !matches!(grant.on, Scope::Projects(_)) {
            return;
        }
        if lives && self.grants_by_selector.insert(id).is_none() {
            self.selector_use = self.selector_use.plus(SelectorUse::of(&grant.on));
        }
        if !lives && self.grants_by_selector.remove(&id).is_some() {
            self.selector_use = self.selector_use.minus(SelectorUse::of(&grant.on));
        }
    }

    /// The same for a key's narrowing, which is fixed.
    fn count_key(&mut self, id: KeyId, lives: bool) {
        let Some(key) = self.keys.get(&id).cloned() else { return };
        let Some(on @ Scope::Projects(_)) = key.narrow.as_ref().and_then(|narrow| narrow.on.as_ref()) else {
            return;
        };
        if lives && self.keys_by_selector.insert(id).is_none() {
            self.selector_use = self.selector_use.plus(SelectorUse::of(on));
        }
        if !lives && self.keys_by_selector.remove(&id).is_some() {
            self.selector_use = self.selector_use.minus(SelectorUse::of(on));
        }
    }

    /// With an account, its grants and keys end.
    fn uncount_principal(&mut self, principal: Principal) {
        self.uncount_grants_to(principal.into());
        let keys: Vec<_> = self.keys_of(principal).map(|key| key.id).collect();
        for key in keys {
            self.count_key(key, false);
        }
    }

    /// With a group, the grants to it and its memberships on both sides end.
    fn uncount_group(&mut self, id: GroupId) {
        self.uncount_grants_to(Grantee::Group(id));
        let above: Vec<_> = self.memberships_of(Grantee::Group(id)).map(|above| (id, above.group)).collect();
        let below = self.members_of(id).filter_map(|below| match below.member {
            Grantee::Group(inner) => Some((inner, id)),
            Grantee::User(_) | Grantee::Token(_) => None,
        });
        let below: Vec<_> = below.collect();
        for nesting in above.into_iter().chain(below) {
            self.nestings.remove(&nesting);
        }
    }

    fn uncount_grants_to(&mut self, grantee: Grantee) {
        let grants: Vec<_> = self.grants_to(grantee).map(|grant| grant.id).collect();
        for grant in grants {
            self.count_grant(grant, false);
        }
    }

    fn claim(&mut self, kind: NameKind, name: Option<impl Into<String>>, holder: Uuid) {
        if let Some(name) = name {
            self.names.insert((kind, name.into()), holder);
        }
    }

    fn release(&mut self, kind: NameKind, name: Option<impl Into<String>>) {
        if let Some(name) = name {
            self.names.remove(&(kind, name.into()));
        }
    }

    fn expect_expiry(&mut self, at: Option<Timestamp>, what: Expiring) {
        if let Some(at) = at {
            self.expiring.insert((at, what));
        }
    }

    fn forget_expiry(&mut self, at: Option<Timestamp>, what: Expiring) {
        if let Some(at) = at {
            self.expiring.remove(&(at, what));
        }
    }
}

/// The form in which e-mails are compared.
pub(crate) fn email_key(email: &Personal) -> Option<String> {
    email.clear().map(str::to_ascii_lowercase)
}

/// The form in which identities of issuers are compared; an issuer's URL has no line break.
pub(crate) fn identity_key(identity: &Identity) -> Option<String> {
    identity.subject.clear().map(|subject| format!("{}\n{subject}", identity.issuer))
}

fn set_membership<T: Ord + Clone>(set: &mut imbl::OrdSet<T>, value: T, present: bool) {
    if present {
        set.insert(value);
    } else {
        set.remove(&value);
    }
}
