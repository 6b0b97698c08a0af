//! Lists: ascending by creation, then id; complete and stable as of a position while writes go on.

use grantbook_domain::{
    id::{GroupId, Id, OrgId, ProjectId, RoleId},
    model::{Gives, Grant, Group, Key, Membership, Project, RegisteredObject, Role, Token, User},
    position::Position,
    principal::{Grantee, Principal},
    webhook::Webhook,
};

use crate::store::{
    document::{Belonging, Document, listed_object, named_projects},
    encode::Take,
    entities::membership,
    error::ViewError,
    row::MembershipRow,
    row_key::{self, Kind, List},
    snapshot::Snapshot,
    table::Table,
};

/// Which part of a list, and as of when.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// What was made after this position is absent, what ended after it is present.
    pub at: Position,
    /// Beyond this item; from the start if absent.
    pub after: Option<&'a ListCursor>,
    /// Only those with exactly this name (a user's is its e-mail, a key's its label).
    pub name: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

/// A place in a list: stable, opaque, URL-safe once encoded by the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListCursor(pub(crate) Vec<u8>);

impl ListCursor {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From bytes that [`ListCursor::as_bytes`] gave; any others only choose another place in the same list.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// An item and its place, so that a reader who filters may stop after any item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The item, as it was at [`Listing::at`].
    pub thing: T,
    /// Its place.
    pub cursor: ListCursor,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<Listed<T>>,
    /// `after` for the next page; none if this is the last.
    pub next: Option<ListCursor>,
}

/// Which grants; all conditions that are present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Given to exactly this grantee,
    pub to: Option<Grantee>,
    /// naming this role,
    pub role: Option<RoleId>,
    /// naming this project: its object scope is the project, or its selector includes the project's id.
    pub project: Option<ProjectId>,
}

/// Which registered objects; all conditions that are present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectFilter<'a> {
    /// Of this type,
    pub object_type: &'a str,
    /// in this project,
    pub project: Option<ProjectId>,
    /// with exactly this name.
    pub name: Option<&'a str>,
}

impl<'a> ObjectFilter<'a> {
    /// All of the type.
    pub const fn of_type(object_type: &'a str) -> Self {
        Self { object_type, project: None, name: None }
    }
}

impl Snapshot {
    /// The living users.
    pub fn users(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<User>, ViewError> {
        self.all(org, listing)
    }

    /// The living service tokens.
    pub fn tokens(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<Token>, ViewError> {
        self.all(org, listing)
    }

    /// The living groups.
    pub fn groups(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<Group>, ViewError> {
        self.all(org, listing)
    }

    /// The living roles.
    pub fn roles(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<Role>, ViewError> {
        self.all(org, listing)
    }

    /// The living projects.
    pub fn projects(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<Project>, ViewError> {
        self.all(org, listing)
    }

    /// The living webhooks.
    pub fn webhooks(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<Webhook>, ViewError> {
        self.all(org, listing)
    }

    /// The living registered objects of one type, in living projects. There is no list by project or name: all objects of the
    /// type are walked, and of those in the project each is read to compare its name.
    pub fn objects(
        &self,
        org: OrgId,
        filter: &ObjectFilter<'_>,
        listing: &Listing<'_>,
    ) -> Result<Page<RegisteredObject>, ViewError> {
        self.page(org, List::ObjectsOfType(filter.object_type), listing, |entry| {
            let object = listed_object(filter.object_type, entry.id)?;
            if filter.project.is_some_and(|project| object.project != Some(project)) {
                return Ok(None);
            }
            let known: Option<RegisteredObject> =
                self.living_as_of(org, listing, &RegisteredObject::id_bytes(&object))?;
            Ok(known.filter(|known| filter.name.is_none_or(|name| known.name.as_deref() == Some(name))))
        })
    }

    /// The keys of a living principal that were not revoked; their time may have passed.
    pub fn keys_of(
        &self,
        org: OrgId,
        principal: Principal,
        listing: &Listing<'_>,
    ) -> Result<Page<Key>, ViewError> {
        self.documents(org, List::KeysOf(principal), listing)
    }

    /// The unrevoked grants whose grantee, and the object they are on, live; their time may have passed.
    pub fn grants(
        &self,
        org: OrgId,
        filter: &GrantFilter,
        listing: &Listing<'_>,
    ) -> Result<Page<Grant>, ViewError> {
        let list = match *filter {
            GrantFilter { to: Some(grantee), .. } => List::GrantsTo(grantee),
            GrantFilter { role: Some(role), .. } => List::GrantsOfRole(role),
            GrantFilter { project: Some(project), .. } => List::GrantsOnProject(project),
            GrantFilter { to: None, role: None, project: None } => List::All(Kind::Grant),
        };
        self.page(org, list, listing, |entry| {
            let grant = self.living_as_of(org, listing, entry.id)?;
            Ok(grant.filter(|grant| filter.takes(grant)))
        })
    }

    /// The direct members of a living group, by memberships that were not removed, whose member lives.
    pub fn members_of(
        &self,
        org: OrgId,
        group: GroupId,
        listing: &Listing<'_>,
    ) -> Result<Page<Membership>, ViewError> {
        self.page(org, List::MembersOf(group), listing, |entry| {
            let member = entry.member()?;
            let owners = [Belonging::Grantee(Grantee::Group(group)), Belonging::Grantee(member)];
            if listing.name.is_some() || !self.belongings_live(org, &owners, Some(listing.at))? {
                return Ok(None);
            }
            let row = self.membership_of(org, member, group, entry)?;
            Ok(Some(membership(member, group, &row)))
        })
    }

    fn all<D: Document>(&self, org: OrgId, listing: &Listing<'_>) -> Result<Page<D>, ViewError> {
        // Users are found by their e-mail whatever its case.
        let lower = |name: &str| name.to_ascii_lowercase();
        let name = listing.name.map(|name| if D::KIND == Kind::User { lower(name) } else { name.to_owned() });
        let list = name.as_deref().map_or(List::All(D::KIND), |name| List::Named(D::KIND, name));
        self.documents(org, list, listing)
    }

    fn documents<D: Document>(
        &self,
        org: OrgId,
        list: List<'_>,
        listing: &Listing<'_>,
    ) -> Result<Page<D>, ViewError> {
        self.page(org, list, listing, |entry| self.living_as_of(org, listing, entry.id))
    }

    /// The thing as it was, if it lived then and has the name asked for.
    fn living_as_of<D: Document>(
        &self,
        org: OrgId,
        listing: &Listing<'_>,
        id: &[u8],
    ) -> Result<Option<D>, ViewError> {
        let thing: Option<D> = self.document_at(org, id, listing.at)?;
        let thing = thing.ok_or_else(|| ViewError::bad_row("lists", "points to nothing"))?;
        let named = listing.name.is_none_or(|name| thing.goes_by(name));
        let wanted = named && self.belongings_live(org, &thing.belongs_to(), Some(listing.at))?;
        Ok(wanted.then_some(thing))
    }

    /// The living user or token that has this external id.
    pub fn by_external_id<D: Document>(
        &self,
        org: OrgId,
        external_id: &str,
        at: Position,
    ) -> Result<Option<D>, ViewError> {
        let listing = Listing { at, after: None, name: None, limit: 1 };
        let found = self.page(org, List::External(D::KIND, external_id), &listing, |entry| {
            let thing: Option<D> = self.living_as_of(org, &listing, entry.id)?;
            // The entry says that it took the id once, not that it has it still.
            let has = |thing: &D| thing.ended_at().is_none() && thing.external_id() == Some(external_id);
            Ok(thing.filter(has))
        })?;
        Ok(found.items.into_iter().next().map(|listed| listed.thing))
    }

    /// Looks at every entry of a list that was there at a position.
    pub(crate) fn each(
        &self,
        org: OrgId,
        list: List<'_>,
        at: Position,
        mut look: impl FnMut(&Entry<'_>) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let listing = Listing { at, after: None, name: None, limit: 0 };
        self.page(org, list, &listing, |entry| look(entry).map(|()| None::<()>)).map(|_| ())
    }

    /// Walks a list's entries that were there at the position asked for.
    pub(crate) fn page<T>(
        &self,
        org: OrgId,
        list: List<'_>,
        listing: &Listing<'_>,
        mut look: impl FnMut(&Entry<'_>) -> Result<Option<T>, ViewError>,
    ) -> Result<Page<T>, ViewError> {
        let prefix = row_key::list(org, list);
        let mut start = prefix.clone();
        if let Some(cursor) = listing.after {
            start.extend_from_slice(&cursor.0);
            // The least key beyond the cursor's.
            start.push(0);
        }
        let at = self.bound(Some(listing.at)).unwrap_or(listing.at);
        let mut items: Vec<Listed<T>> = Vec::new();
        for row in self.range(Table::Lists, &start, row_key::beyond(&prefix).as_deref())? {
            let (key, value) = row?;
            let mut take = Take::new(Table::Lists, key.value());
            take.raw(prefix.len())?;
            let place = take.rest();
            let entry = Entry::decode(place, value.value())?;
            if entry.from > at || entry.to <= at {
                continue;
            }
            let Some(thing) = look(&entry)? else { continue };
            if items.len() == listing.limit {
                let next = items.last().map(|last| last.cursor.clone());
                return Ok(Page { items, next });
            }
            items.push(Listed { thing, cursor: ListCursor(place.to_vec()) });
        }
        Ok(Page { items, next: None })
    }

    /// The membership of an entry, in force or past.
    fn membership_of(
        &self,
        org: OrgId,
        member: Grantee,
        group: GroupId,
        entry: &Entry<'_>,
    ) -> Result<MembershipRow, ViewError> {
        let key = row_key::membership(org, member, group);
        let row = if entry.to == LASTING {
            self.row(Table::Access, &key)?
        } else {
            self.row(Table::AccessPast, &row_key::access_past(&key, entry.to))?
        };
        let row = row.ok_or_else(|| ViewError::bad_row("lists", "points to no membership"))?;
        MembershipRow::decode(row.value())
    }
}

impl GrantFilter {
    fn takes(&self, grant: &Grant) -> bool {
        let of_role = |role: RoleId| matches!(grant.gives, Gives::Role(own) if own == role);
        self.to.is_none_or(|to| grant.to == to)
            && self.role.is_none_or(of_role)
            && self.project.is_none_or(|project| named_projects(&grant.on).contains(&project))
    }
}

/// The end of what lasts.
pub(crate) const LASTING: Position = Position::from_u64(u64::MAX);

/// A place in a list, taken apart, and how long it is taken.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a [u8],
    from: Position,
    to: Position,
}

impl<'a> Entry<'a> {
    /// Eight bytes of creation time, the id, eight bytes of position.
    fn decode(place: &'a [u8], value: &[u8]) -> Result<Self, ViewError> {
        let short = || ViewError::bad_row(Table::Lists.name(), "key too short");
        let (_created_at, rest) = place.split_first_chunk::<8>().ok_or_else(short)?;
        let (id, from) = rest.split_last_chunk().ok_or_else(short)?;
        let to = Take::new(Table::Lists, value).position()?;
        Ok(Self { id, from: Position::from_u64(u64::from_be_bytes(*from)), to })
    }

    /// Who is in, in a list of members.
    pub(crate) fn member(&self) -> Result<Grantee, ViewError> {
        let mut take = Take::new(Table::Lists, self.id);
        let id: [u8; 16] = take.id::<()>()?.bytes();
        match take.u8()? {
            1 => Ok(Grantee::User(Id::from_bytes(id))),
            2 => Ok(Grantee::Token(Id::from_bytes(id))),
            3 => Ok(Grantee::Group(Id::from_bytes(id))),
            other => Err(take.bad(format!("member kind {other}"))),
        }
    }
}
