//! An image from nothing: all rows that it is made of, table by table.

use grantbook_domain::id::OrgId;

use crate::{
    image::{Image, Updater},
    store::{
        encode::Take,
        error::ViewError,
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

impl Image {
    /// The image of a snapshot, for whoever does not write the view.
    pub fn build(snapshot: &Snapshot) -> Result<Self, ViewError> {
        Ok(Updater::build(snapshot)?.image)
    }
}

impl Updater {
    /// The image of a snapshot, to be kept up from here on.
    pub(crate) fn build(snapshot: &Snapshot) -> Result<Self, ViewError> {
        let mut updater = Self::default();
        for row in snapshot.prefix(Table::Orgs, &[])? {
            let (key, value) = row?;
            updater.position(key.value(), value.value())?;
            let org: OrgId = Take::new(Table::Orgs, key.value()).id()?;
            for kind in [Kind::Organization, Kind::Catalog, Kind::Role, Kind::Project, Kind::Object] {
                for row in snapshot.prefix(Table::Things, &row_key::thing_kind(org, kind))? {
                    let (key, value) = row?;
                    updater.thing(key.value(), value.value())?;
                }
            }
            updater.settle_things(org);
        }
        for row in snapshot.prefix(Table::Access, &[])? {
            let (key, value) = row?;
            updater.access(key.value(), Some(value.value()))?;
        }
        for row in snapshot.prefix(Table::Keys, &[])? {
            let (key, value) = row?;
            updater.key(key.value(), Some(value.value()))?;
        }
        for org in updater.orgs() {
            updater.settle(org);
        }
        updater.image.sequence = snapshot.sequence()?;
        Ok(updater)
    }
}
