//! Keeps an image up: takes the rows that a batch has written, and changes what they are about.
//!
//! Building from nothing goes the same way with all rows, so that the two cannot say different things.

use std::collections::{BTreeSet, HashMap};

use grantbook_domain::id::OrgId;

use crate::{
    image::{
        Image, OrgImage,
        sources::{Part, Sources},
    },
    store::{
        batch::Changes,
        encode::Take,
        error::ViewError,
        row::{GrantRow, HeadRow, KeyRow, MembershipRow, ObjectRow, ProjectRow, RoleRow, Version},
        row_key::{Kind, tag},
        snapshot::{CatalogAdditions, OrgRow, parse},
        table::Table,
    },
};

/// An image with its sources; the only one that changes it.
#[derive(Debug, Default)]
pub(crate) struct Updater {
    pub(super) image: Image,
    sources: HashMap<OrgId, Sources>,
}

/// Whether a row of `things` is of a kind that checks look at there: of others `access` and `keys` say it.
fn is_of_image(key: &[u8]) -> bool {
    let kinds = [Kind::Organization, Kind::Catalog, Kind::Role, Kind::Project, Kind::Object];
    key.get(16).is_some_and(|byte| kinds.iter().any(|kind| *kind as u8 == *byte))
}

impl Updater {
    /// As of the last batch applied.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Takes a committed batch.
    pub(crate) fn apply(&mut self, batch: &Changes, sequence: u64) -> Result<(), ViewError> {
        let mut orgs = BTreeSet::new();
        for (key, value) in batch.of(Table::Things).filter(|(key, _)| is_of_image(key)) {
            orgs.extend(value.map(|value| self.thing(key, value)).transpose()?);
        }
        for org in &orgs {
            self.settle_things(*org);
        }
        for (key, value) in batch.of(Table::Access) {
            orgs.insert(self.access(key, value)?);
        }
        for (key, value) in batch.of(Table::Keys) {
            self.key(key, value)?;
        }
        for (key, value) in batch.of(Table::Orgs) {
            self.position(key, value.unwrap_or_default())?;
        }
        for org in &orgs {
            self.settle(*org);
        }
        self.image.sequence = sequence;
        Ok(())
    }

    pub(super) fn settle_things(&mut self, org: OrgId) {
        let mut part = self.part(org);
        part.settle_projects();
        part.settle_roles();
    }

    pub(super) fn settle(&mut self, org: OrgId) {
        self.part(org).settle();
    }

    /// A row of `things` of a kind that is of the image; gives whose it is.
    pub(super) fn thing(&mut self, key: &[u8], value: &[u8]) -> Result<OrgId, ViewError> {
        let mut take = Take::new(Table::Things, key);
        let (org, kind) = (take.id()?, take.u8()?);
        let version = Version::decode(value)?;
        let mut part = self.part(org);
        match kind {
            kind if kind == Kind::Organization as u8 => part.image.founded = true,
            kind if kind == Kind::Catalog as u8 => {
                let additions: CatalogAdditions = parse(Table::Things, version.document)?;
                part.image.catalog = additions.catalog().into();
            }
            kind if kind == Kind::Role as u8 => {
                part.role(take.id()?, RoleRow::decode(&version)?, !version.ended);
            }
            kind if kind == Kind::Project as u8 => {
                part.project(ProjectRow::decode(take.id()?, &version)?, !version.ended);
            }
            kind if kind == Kind::Object as u8 => {
                let whole = take.rest();
                let _type_and_id = (take.text()?, take.text()?);
                let rest = take.rest();
                let name = whole.strip_suffix(rest).unwrap_or(whole);
                let project = if rest.is_empty() { None } else { Some(take.id()?) };
                part.image.objects.entry(name.into()).put(project, ObjectRow::decode(&version)?);
            }
            other => return Err(take.bad(format!("kind {other}"))),
        }
        Ok(org)
    }

    /// A row of `access`; gives whose it is.
    pub(super) fn access(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<OrgId, ViewError> {
        let mut take = Take::new(Table::Access, key);
        let (org, grantee) = (take.id()?, take.grantee()?);
        let mut part = self.part(org);
        match (take.u8()?, value) {
            (tag::HEAD, Some(value)) => part.head(grantee, &HeadRow::decode(value)?),
            (tag::MEMBERSHIP, value) => {
                let row = value.map(MembershipRow::decode).transpose()?;
                part.member(grantee, take.id()?, row.map(|row| row.until));
            }
            (tag::GRANT, value) => {
                let id = take.id()?;
                let row = value.map(|value| GrantRow::decode(id, value)).transpose()?;
                part.grant(grantee, id, row);
            }
            (other, _) => return Err(take.bad(format!("tag {other}"))),
        }
        Ok(org)
    }

    /// A row of `keys`.
    pub(super) fn key(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), ViewError> {
        let id = Take::new(Table::Keys, key).id_key()?;
        *self.image.keys.entry(id) = value.map(KeyRow::decode).transpose()?.map(Into::into);
        Ok(())
    }

    /// A row of `orgs`.
    pub(super) fn position(&mut self, key: &[u8], value: &[u8]) -> Result<(), ViewError> {
        let org = Take::new(Table::Orgs, key).id()?;
        self.part(org).image.position = OrgRow::decode(value)?.last;
        Ok(())
    }

    pub(super) fn orgs(&self) -> Vec<OrgId> {
        self.sources.keys().copied().collect()
    }

    fn part(&mut self, org: OrgId) -> Part<'_> {
        let image = self.image.orgs.entry(org.bytes());
        let image = image.get_or_insert_with(|| OrgImage::new(org).into());
        Part { image: std::sync::Arc::make_mut(image), sources: self.sources.entry(org).or_default() }
    }
}
