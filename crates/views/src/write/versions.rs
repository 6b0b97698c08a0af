//! Versions of things and their entries in lists, each from one record to another.

use grantbook_domain::{position::Position, time::Timestamp};

use crate::{
    store::{
        document::Document,
        encode::Put,
        error::ViewError,
        list::LASTING,
        row::Version,
        row_key::{self, List},
        snapshot::parse,
        table::Table,
    },
    write::fold::{Fold, Place, odd, version_of},
};

/// A thing before and after an event, with the records that made and named it.
struct Change<'a, D> {
    before: Option<D>,
    after: &'a D,
    created: Position,
    named: Position,
}

impl Fold<'_> {
    /// Writes a thing's new version, and its entries in lists if it begins, ends or changes its name.
    pub(crate) fn thing<D: Document>(
        &mut self,
        place: Place,
        thing: &D,
        compact: &[u8],
    ) -> Result<(), ViewError> {
        let key = row_key::thing(place.org, D::KIND, &D::id_bytes(&thing.id()));
        let old = self.staged.get(Table::Things, &key)?;
        let living = old.as_deref().map(Version::decode).transpose()?.filter(|old| !old.ended);
        let mut change =
            Change { before: None, after: thing, created: place.position, named: place.position };
        if let Some(living) = living {
            change.before = Some(parse(Table::Things, living.document)?);
            (change.created, change.named) = (living.created, living.named);
        }
        let document = serde_json::to_vec(thing)?;
        let version = Version {
            created: change.created,
            named: self.entries(place, &change)?,
            ended: thing.ended_at().is_some(),
            until: Timestamp::end(thing.expires_at()),
            compact,
            document: &document,
            ..version_of(place)
        };
        self.version(place, key, old.as_deref(), version)
    }

    /// Opens and closes the thing's entries; gives the record since which it has its name.
    fn entries<D: Document>(&mut self, place: Place, change: &Change<'_, D>) -> Result<Position, ViewError> {
        let Change { before, after, created, named } = change;
        let (created_at, id) = (after.created_at(), after.sort_id());
        if before.as_ref().is_some_and(|before| before.created_at() != created_at) {
            return Err(odd(place, "a thing whose creation moved"));
        }
        let living = Some(*after).filter(|after| after.ended_at().is_none());
        match (before, living) {
            (None, Some(after)) => {
                for list in after.lists() {
                    self.open(place, list, &row_key::list_place(created_at, &id, place.position));
                }
            }
            (Some(before), None) => {
                for list in before.lists() {
                    self.close(place, list, &row_key::list_place(created_at, &id, *created))?;
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        let old_external = before.as_ref().and_then(Document::external_id);
        let new_external = living.and_then(Document::external_id);
        if let Some(external_id) = new_external.filter(|_| new_external != old_external) {
            let list = List::External(D::KIND, external_id);
            self.open(place, list, &row_key::list_place(created_at, &id, place.position));
        }
        let old_name = before.as_ref().and_then(Document::indexed_name);
        let new_name = living.and_then(Document::indexed_name);
        if old_name == new_name {
            return Ok(*named);
        }
        if let Some(name) = old_name {
            self.close(place, List::Named(D::KIND, &name), &row_key::list_place(created_at, &id, *named))?;
        }
        if let Some(name) = new_name {
            self.open(
                place,
                List::Named(D::KIND, &name),
                &row_key::list_place(created_at, &id, place.position),
            );
        }
        Ok(place.position)
    }

    /// Puts a version in force and the one before among the past.
    pub(crate) fn version(
        &mut self,
        place: Place,
        key: Vec<u8>,
        old: Option<&[u8]>,
        version: Version<'_>,
    ) -> Result<(), ViewError> {
        if let Some(bytes) = old {
            self.past(place, &key, (Version::decode(bytes)?.from, bytes));
        }
        self.staged.put(Table::Things, key, version.encode());
        Ok(())
    }

    /// Keeps a version that a new one replaces; one that its own record replaced was never in force.
    fn past(&mut self, place: Place, key: &[u8], (from, value): (Position, &[u8])) {
        if from < place.position {
            let past = Put::new(value.len() + 8).position(place.position).raw(value).done();
            self.staged.put(Table::ThingsPast, row_key::versioned(key, from), past);
        }
    }

    /// Keeps a row of `access` that a new one replaces, likewise.
    pub(crate) fn past_access(&mut self, place: Place, key: &[u8], (from, value): (Position, &[u8])) {
        if from < place.position {
            self.staged.put(Table::AccessPast, row_key::access_past(key, place.position), value.to_vec());
        }
    }

    pub(crate) fn open(&mut self, place: Place, list: List<'_>, at: &[u8]) {
        let key = Put::new(96).raw(&row_key::list(place.org, list)).raw(at).done();
        self.staged.put(Table::Lists, key, Put::new(8).position(LASTING).done());
    }

    /// Ends an entry; one that is not there means that creation and end do not fit together.
    pub(crate) fn close(&mut self, place: Place, list: List<'_>, at: &[u8]) -> Result<(), ViewError> {
        let key = Put::new(96).raw(&row_key::list(place.org, list)).raw(at).done();
        if self.staged.get(Table::Lists, &key)?.is_none() {
            return Err(odd(place, "the end of something that did not begin"));
        }
        self.staged.put(Table::Lists, key, Put::new(8).position(place.position).done());
        Ok(())
    }
}
