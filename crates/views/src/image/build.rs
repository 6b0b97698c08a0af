//! An image from nothing: all rows that it is made of, table by table.

use grantbook_domain::id::OrgId;

use super::{Image, Keeper};
use crate::{
    encode::Take,
    error::ViewError,
    reader::Snapshot,
    row_key::{self, Kind},
    table::Table,
};

impl Image {
    /// The image of a snapshot, for whoever does not write the view.
    pub fn build(snapshot: &Snapshot) -> Result<Self, ViewError> {
        Ok(Keeper::build(snapshot)?.image)
    }
}

impl Keeper {
    /// The image of a snapshot, to be kept up from here on.
    pub(crate) fn build(snapshot: &Snapshot) -> Result<Self, ViewError> {
        let mut keeper = Self::default();
        for row in snapshot.prefix(Table::Orgs, &[])? {
            let (key, value) = row?;
            keeper.position(key.value(), value.value())?;
            let org: OrgId = Take::new(Table::Orgs, key.value()).id()?;
            for kind in [Kind::Organization, Kind::Catalog, Kind::Role, Kind::Project, Kind::Object] {
                for row in snapshot.prefix(Table::Things, &row_key::thing_kind(org, kind))? {
                    let (key, value) = row?;
                    keeper.thing(key.value(), value.value())?;
                }
            }
            keeper.settle_things(org);
        }
        for row in snapshot.prefix(Table::Access, &[])? {
            let (key, value) = row?;
            keeper.access(key.value(), Some(value.value()))?;
        }
        for row in snapshot.prefix(Table::Keys, &[])? {
            let (key, value) = row?;
            keeper.key(key.value(), Some(value.value()))?;
        }
        for org in keeper.orgs() {
            keeper.settle(org);
        }
        keeper.image.sequence = snapshot.sequence()?;
        Ok(keeper)
    }
}
