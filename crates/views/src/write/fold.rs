//! From events to rows. A change writes what it changes: nothing is spread over members, projects or roles, and ends
//! are implied, as in the domain's fold: whoever reads looks whether group, principal and object still live.

use std::collections::HashMap;

use grantbook_domain::{
    catalog::{Catalog, ObjectType, TypeDefinition, TypeSet},
    event::Event,
    id::{OrgId, ProjectId},
    model::{Effect, Gives, Grant, Key, Membership, Narrowing, Project, RegisteredObject, Role},
    position::Position,
    principal::{Actor, Grantee},
    record::{Maker, Record, Recorded},
    scope::{ObjectRef, Scope},
    state::{concern::Issuer, own_blocks, permission_set},
    time::Timestamp,
};

use crate::{
    history::facet::facets,
    store::{
        batch::{Changes, Staged},
        document::Document,
        encode::Put,
        error::ViewError,
        row::{
            FirstHomeRow, Given, GrantRow, HeadRow, KeyRow, MembershipRow, NarrowRow, ObjectRow, ProjectRow,
            RoleRow, Version,
        },
        row_key::{self, Kind, List},
        snapshot::{CatalogAdditions, OrgRow, Organization, Snapshot, parse},
        table::Table,
    },
    time::as_of::MARK_EVERY,
    work::{ROWS_A_TURN, give_way},
};

/// How many events are folded in without giving other threads a turn: some 0.1 ms.
const EVENTS_A_TURN: usize = 4;

/// Folds records into staged rows.
#[derive(Debug)]
pub(crate) struct Fold<'s> {
    pub(crate) staged: Staged<'s>,
    catalogs: HashMap<OrgId, Catalog>,
}

/// Where an event happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) org: OrgId,
    pub(crate) position: Position,
}

impl<'s> Fold<'s> {
    /// Over the rows of a snapshot and of a batch that it may not have yet.
    pub(crate) fn over(snapshot: &'s Snapshot, ahead: Option<&'s Changes>) -> Self {
        Self { staged: Staged::over(snapshot, ahead), catalogs: HashMap::new() }
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.staged.into_changes()
    }

    /// Folds one record in.
    pub(crate) fn apply(&mut self, recorded: &Recorded) -> Result<(), ViewError> {
        let Recorded { position, org, record } = recorded;
        let place = Place { org: *org, position: *position };
        if let Some(detail) = record.misunderstood(*org) {
            return Err(odd(place, detail));
        }
        self.follow(recorded)?;
        let stored = Put::new(512).time(record.at).raw(&serde_json::to_vec(record)?).done();
        self.staged.add(Table::History, row_key::at_position(*org, *position), stored);
        if record.ordinal % MARK_EVERY == 1 {
            self.staged.add(Table::Times, row_key::time(*org, record.at, *position), Vec::new());
        }
        let mut events = record.events.clone();
        for (number, event) in events.iter_mut().enumerate() {
            give_way(number, EVENTS_A_TURN);
            self.settle(place, event)?;
            self.event(place, record.maker(), event)?;
        }
        for (number, facet) in facets(&Record { events, ..record.clone() }).into_iter().enumerate() {
            give_way(number, ROWS_A_TURN);
            self.post(&facet.key(*org), *position)?;
        }
        Ok(())
    }

    /// What schema 1 left open about objects. It knew one project for each type and id, so the one registration there was is
    /// meant: see [`grantbook_domain::record::RECORD_SCHEMA`].
    fn settle(&self, place: Place, event: &mut Event) -> Result<(), ViewError> {
        match event {
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
                self.settle_scope(place, &mut grant.on)
            }
            Event::KeyIssued { key } | Event::KeyRevoked { key } | Event::KeyExpired { key } => {
                self.settle_key(place, key)
            }
            Event::KeyRotated { key, old } => {
                self.settle_key(place, old)?;
                self.settle_key(place, key)
            }
            Event::OrganizationCreated { .. }
            | Event::OrganizationUpdated { .. }
            | Event::RollbackAccepted { .. }
            | Event::CatalogExtended { .. }
            | Event::UserCreated { .. }
            | Event::UserUpdated { .. }
            | Event::UserDeactivated { .. }
            | Event::TokenCreated { .. }
            | Event::TokenUpdated { .. }
            | Event::TokenDeleted { .. }
            | Event::TokenExpired { .. }
            | Event::GroupCreated { .. }
            | Event::GroupUpdated { .. }
            | Event::GroupDeleted { .. }
            | Event::MemberAdded { .. }
            | Event::MemberRemoved { .. }
            | Event::MemberExpired { .. }
            | Event::RoleCreated { .. }
            | Event::RoleUpdated { .. }
            | Event::RoleDeleted { .. }
            | Event::ProjectCreated { .. }
            | Event::ProjectUpdated { .. }
            | Event::ProjectDeleted { .. }
            | Event::ObjectRegistered { .. }
            | Event::ObjectUpdated { .. }
            | Event::ObjectRemoved { .. }
            | Event::WebhookCreated { .. }
            | Event::WebhookUpdated { .. }
            | Event::WebhookRotated { .. }
            | Event::WebhookDeleted { .. } => Ok(()),
        }
    }

    fn settle_scope(&self, place: Place, scope: &mut Scope) -> Result<(), ViewError> {
        let Scope::Object(object @ ObjectRef { project: None, .. }) = scope else { return Ok(()) };
        let key = row_key::first_home(place.org, &object.object_type, &object.id);
        let first = self.staged.get(Table::Homes, &key)?;
        let first = first.map(|bytes| FirstHomeRow::decode(&bytes)).transpose()?;
        object.project = first.filter(|first| !first.several).map(|first| first.project);
        Ok(())
    }

    fn settle_key(&self, place: Place, key: &mut Key) -> Result<(), ViewError> {
        let Some(narrow) = &mut key.narrow else { return Ok(()) };
        let Some(scope) = &mut narrow.on else { return Ok(()) };
        self.settle_scope(place, scope)?;
        let Scope::Object(object) = &*scope else { return Ok(()) };
        if narrow.generation != 0 {
            return Ok(());
        }
        let known = self.staged.get(Table::Keys, &row_key::key(key.id))?;
        let known = known.map(|bytes| KeyRow::decode(&bytes)).transpose()?.and_then(|row| row.narrow);
        let row = row_key::thing(place.org, Kind::Object, &RegisteredObject::id_bytes(object));
        let of_object = || -> Result<u32, ViewError> {
            let row = self.staged.get(Table::Things, &row)?;
            let row = row.map(|bytes| ObjectRow::decode(&Version::decode(&bytes)?)).transpose()?;
            Ok(row.map_or(0, |row| row.generation))
        };
        narrow.generation = known.map_or_else(of_object, |known| Ok(known.generation))?;
        Ok(())
    }

    /// An organization's records have no gap and do not step back.
    fn follow(&mut self, recorded: &Recorded) -> Result<(), ViewError> {
        let Recorded { position, org, record } = recorded;
        let key = row_key::org(*org);
        let last = self.staged.get(Table::Orgs, &key)?.map(|bytes| OrgRow::decode(&bytes)).transpose()?;
        let expected = last.map_or(1, |last| last.ordinal.saturating_add(1));
        if record.ordinal != expected {
            return Err(ViewError::Gap { org: *org, position: *position, expected, found: record.ordinal });
        }
        if last.is_some_and(|last| record.at < last.at) {
            let place = Place { org: *org, position: *position };
            return Err(odd(place, "a record that steps back in time"));
        }
        let row = OrgRow { last: *position, ordinal: record.ordinal, at: record.at };
        self.staged.put(Table::Orgs, key, row.encode());
        Ok(())
    }

    fn event(&mut self, place: Place, maker: Maker, event: &Event) -> Result<(), ViewError> {
        match event {
            Event::OrganizationUpdated { name, .. } => self.rename(place, name),
            Event::RollbackAccepted { .. } => Ok(()),
            Event::OrganizationCreated { id, name, created_at, .. } => self
                .organization(place, &Organization { id: *id, name: name.clone(), created_at: *created_at }),
            Event::CatalogExtended { object_types, permissions } => {
                self.extend_catalog(place, object_types, permissions)
            }
            Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
                self.head(place, Grantee::User(user.id), user)?;
                self.thing(place, user, &[])
            }
            Event::TokenCreated { token } | Event::TokenUpdated { token } | Event::TokenDeleted { token } => {
                self.head(place, Grantee::Token(token.id), token)?;
                self.thing(place, token, &[])
            }
            Event::KeyIssued { key } | Event::KeyRevoked { key } => self.key(place, maker, key),
            Event::KeyRotated { key, old } => {
                self.key(place, maker, old)?;
                self.key(place, maker, key)
            }
            Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
                self.head(place, Grantee::Group(group.id), group)?;
                self.thing(place, group, &[])
            }
            Event::MemberAdded { membership } | Event::MemberRemoved { membership } => {
                self.membership(place, membership)
            }
            Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
                self.role(place, role)
            }
            Event::ProjectCreated { project }
            | Event::ProjectUpdated { project }
            | Event::ProjectDeleted { project } => self.project(place, project),
            Event::ObjectRegistered { object }
            | Event::ObjectUpdated { object }
            | Event::ObjectRemoved { object } => self.object(place, object),
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } => self.grant(place, grant),
            Event::WebhookCreated { webhook }
            | Event::WebhookUpdated { webhook }
            | Event::WebhookRotated { webhook }
            | Event::WebhookDeleted { webhook } => self.thing(place, webhook, &[]),
            // Notices have no effect: readers judge expiry by the clock.
            Event::TokenExpired { .. }
            | Event::KeyExpired { .. }
            | Event::MemberExpired { .. }
            | Event::GrantExpired { .. } => Ok(()),
        }
    }

    fn organization(&mut self, place: Place, organization: &Organization) -> Result<(), ViewError> {
        if organization.id != place.org {
            return Err(odd(place, "an organization created under the id of another"));
        }
        let document = serde_json::to_vec(organization)?;
        let key = row_key::thing(place.org, Kind::Organization, &place.org.bytes());
        let old = self.staged.get(Table::Things, &key)?;
        self.version(place, key, old.as_deref(), Version { document: &document, ..version_of(place) })
    }

    fn rename(&mut self, place: Place, name: &str) -> Result<(), ViewError> {
        let key = row_key::thing(place.org, Kind::Organization, &place.org.bytes());
        let old = self.staged.get(Table::Things, &key)?;
        let old = old.ok_or_else(|| odd(place, "a change of an organization that did not begin"))?;
        let known: Organization = parse(Table::Things, Version::decode(&old)?.document)?;
        let document = serde_json::to_vec(&Organization { name: name.to_owned(), ..known })?;
        self.version(place, key, Some(&old), Version { document: &document, ..version_of(place) })
    }

    fn extend_catalog(
        &mut self,
        place: Place,
        object_types: &[TypeDefinition],
        permissions: &[String],
    ) -> Result<(), ViewError> {
        self.catalog(place.org)?;
        if let Some(catalog) = self.catalogs.get_mut(&place.org) {
            catalog.extend(object_types, permissions);
        }
        let key = row_key::thing(place.org, Kind::Catalog, &place.org.bytes());
        let old = self.staged.get(Table::Things, &key)?;
        let mut additions = CatalogAdditions::of(old.as_deref())?;
        additions.object_types.extend_from_slice(object_types);
        additions.permissions.extend_from_slice(permissions);
        let document = serde_json::to_vec(&additions)?;
        self.version(place, key, old.as_deref(), Version { document: &document, ..version_of(place) })
    }

    fn catalog(&mut self, org: OrgId) -> Result<&Catalog, ViewError> {
        if !self.catalogs.contains_key(&org) {
            let row = self.staged.get(Table::Things, &row_key::thing(org, Kind::Catalog, &org.bytes()))?;
            self.catalogs.insert(org, CatalogAdditions::of(row.as_deref())?.catalog());
        }
        self.catalogs.get(&org).ok_or_else(|| ViewError::bad_row("things", "no catalog"))
    }

    /// Who answers for a new key: its maker, or the one who answers for the key that its own principal made it with.
    fn issuer(&self, maker: Maker, key: &Key) -> Result<Issuer, ViewError> {
        let (own, made) =
            (maker.actor == Actor::from(key.principal), Issuer { by: maker.actor, with: maker.credential });
        let Some(credential) = maker.credential.filter(|_| own) else { return Ok(made) };
        let known = self.staged.get(Table::Keys, &row_key::key(credential))?;
        let known = known.map(|bytes| KeyRow::decode(&bytes)).transpose()?;
        Ok(known.map_or(made, |known| known.issuer))
    }

    fn key(&mut self, place: Place, maker: Maker, key: &Key) -> Result<(), ViewError> {
        let row_key = row_key::key(key.id);
        let known =
            self.staged.get(Table::Keys, &row_key)?.map(|bytes| KeyRow::decode(&bytes)).transpose()?;
        if known.as_ref().is_some_and(|known| known.org != place.org) {
            return Err(odd(place, "a key with the id of another organization's key"));
        }
        let issuer = known.map_or_else(|| self.issuer(maker, key), |known| Ok(known.issuer))?;
        let narrow = key.narrow.as_ref().map(|narrow| self.narrow(place, narrow)).transpose()?;
        let row = KeyRow {
            org: place.org,
            principal: key.principal,
            hash: key.hash.0,
            until: Timestamp::end(key.expires_at),
            ended: key.ended_at.is_some(),
            narrow,
            parent: key.session.and_then(|session| session.parent),
            issuer,
        };
        self.staged.put(Table::Keys, row_key, row.encode());
        self.thing(place, key, &[])
    }

    fn narrow(&mut self, place: Place, narrow: &Narrowing) -> Result<NarrowRow, ViewError> {
        let names = narrow.permissions.as_deref();
        let permissions = names.map(|names| self.permissions(place, names)).transpose()?;
        Ok(NarrowRow::of(narrow, permissions))
    }

    fn role(&mut self, place: Place, role: &Role) -> Result<(), ViewError> {
        let catalog = self.catalog(place.org)?;
        let blocks = own_blocks(catalog, role);
        if role.builtin.is_none() && blocks.len() != role.permissions.len() {
            return Err(odd(place, "a role that names what the catalog does not have"));
        }
        self.thing(place, role, &RoleRow::compact(&blocks, &role.includes))
    }

    fn project(&mut self, place: Place, project: &Project) -> Result<(), ViewError> {
        self.thing(place, project, &ProjectRow::compact(&project.name, &project.labels))
    }

    fn object(&mut self, place: Place, object: &RegisteredObject) -> Result<(), ViewError> {
        if let Some(project) = object.object.project {
            self.home(place, &object.object, project)?;
        }
        self.thing(place, object, &ObjectRow::compact(object.generation))
    }

    /// Remembers that such an object was registered in the project.
    fn home(&mut self, place: Place, object: &ObjectRef, project: ProjectId) -> Result<(), ViewError> {
        let (object_type, id) = (&object.object_type, &object.id);
        let key = row_key::home(place.org, object_type, id, project);
        if self.staged.get(Table::Homes, &key)?.is_some() {
            return Ok(());
        }
        self.staged.put(Table::Homes, key, Vec::new());
        let key = row_key::first_home(place.org, object_type, id);
        let first = self.staged.get(Table::Homes, &key)?;
        let first = first.map(|bytes| FirstHomeRow::decode(&bytes)).transpose()?;
        let row =
            FirstHomeRow { project: first.map_or(project, |first| first.project), several: first.is_some() };
        self.staged.put(Table::Homes, key, row.encode());
        Ok(())
    }

    /// Whether a grantee lives and until when, in the very range that its memberships and grants are read from.
    fn head<D: Document>(&mut self, place: Place, grantee: Grantee, thing: &D) -> Result<(), ViewError> {
        let key = row_key::head(place.org, grantee);
        let (ended, until) = (thing.ended_at().is_some(), Timestamp::end(thing.expires_at()));
        if let Some(bytes) = self.staged.get(Table::Access, &key)? {
            let old = HeadRow::decode(&bytes)?;
            if (old.ended, old.until) == (ended, until) {
                return Ok(());
            }
            self.past_access(place, &key, (old.from, &bytes));
        }
        self.staged.put(Table::Access, key, HeadRow { from: place.position, ended, until }.encode());
        self.deadline(place, grantee, until);
        Ok(())
    }

    /// Remembers a time that a row of `access` has.
    fn deadline(&mut self, place: Place, grantee: Grantee, until: Timestamp) {
        if until != Timestamp::FOREVER {
            let key = row_key::deadline(place.org, until, grantee, place.position);
            self.staged.put(Table::Deadlines, key, Vec::new());
        }
    }

    fn membership(&mut self, place: Place, membership: &Membership) -> Result<(), ViewError> {
        let key = row_key::membership(place.org, membership.member, membership.group);
        let list = List::MembersOf(membership.group);
        let id = row_key::member_id(membership.member);
        if let Some(bytes) = self.staged.get(Table::Access, &key)? {
            let old = MembershipRow::decode(&bytes)?;
            self.past_access(place, &key, (old.from, &bytes));
            self.close(place, list, &row_key::list_place(old.created_at, &id, old.from))?;
        }
        if membership.ended_at.is_some() {
            self.staged.remove(Table::Access, key);
            return Ok(());
        }
        let row = MembershipRow {
            from: place.position,
            created_at: membership.created_at,
            until: Timestamp::end(membership.expires_at),
        };
        self.staged.put(Table::Access, key, row.encode());
        self.deadline(place, membership.member, row.until);
        self.open(place, list, &row_key::list_place(row.created_at, &id, place.position));
        Ok(())
    }

    fn grant(&mut self, place: Place, grant: &Grant) -> Result<(), ViewError> {
        let key = row_key::grant(place.org, grant.to, grant.id);
        if let Some(bytes) = self.staged.get(Table::Access, &key)? {
            let old = GrantRow::decode(grant.id, &bytes)?;
            self.past_access(place, &key, (old.from, &bytes));
        }
        if grant.ended_at.is_some() {
            self.staged.remove(Table::Access, key);
        } else {
            let row = self.grant_row(place, grant)?;
            self.staged.put(Table::Access, key, row.encode());
            self.deadline(place, grant.to, row.until);
        }
        self.thing(place, grant, &[])
    }

    fn grant_row(&mut self, place: Place, grant: &Grant) -> Result<GrantRow, ViewError> {
        let given = match &grant.gives {
            Gives::Role(id) => Given::Role(*id),
            Gives::Permissions(names) => Given::Permissions(self.permissions(place, names)?),
        };
        let mut types = match &grant.object_type {
            None => TypeSet::ALL,
            Some(name) => {
                let known = self.catalog(place.org)?.object_type(name).map(ObjectType::set);
                known.ok_or_else(|| odd(place, "a grant on an object type that the catalog does not have"))?
            }
        };
        if grant.effect == Effect::Deny {
            types = types.minus(TypeSet::ADMINISTRATIVE);
        }
        Ok(GrantRow {
            id: grant.id,
            from: place.position,
            until: Timestamp::end(grant.expires_at),
            effect: grant.effect,
            types,
            given,
            generation: grant.generation,
            scope: grant.on.clone(),
        })
    }

    /// The bits of permissions. A name without one would mean something later that the row could not know: refused.
    fn permissions(
        &mut self,
        place: Place,
        names: &[String],
    ) -> Result<grantbook_domain::catalog::PermissionSet, ViewError> {
        let catalog = self.catalog(place.org)?;
        if names.iter().any(|name| catalog.permission(name).is_none()) {
            return Err(odd(place, "a permission that the catalog does not have"));
        }
        Ok(permission_set(catalog, names))
    }
}

pub(crate) fn version_of(place: Place) -> Version<'static> {
    Version {
        from: place.position,
        created: place.position,
        named: place.position,
        ended: false,
        until: Timestamp::FOREVER,
        compact: &[],
        document: &[],
    }
}

pub(crate) fn odd(place: Place, detail: &str) -> ViewError {
    ViewError::NotUnderstood { position: place.position, detail: detail.to_owned() }
}
