//! Things by id: their present and past versions, and whether they live.

use grantbook_domain::{
    id::{GroupId, OrgId, ProjectId},
    model::{Membership, RegisteredObject},
    position::Position,
    principal::Grantee,
    scope::ObjectRef,
    time::Timestamp,
};

use crate::store::{
    document::{Belonging, Document},
    encode::Take,
    error::ViewError,
    row::{MembershipRow, ObjectRow, Version},
    row_key::{self, Kind},
    snapshot::{Cell, Snapshot, parse},
    table::Table,
};

impl Snapshot {
    /// The thing as it is where the snapshot stands, living or ended: `snapshot.get::<Token>(org, &id)`.
    pub fn get<D: Document>(&self, org: OrgId, id: &D::Id) -> Result<Option<D>, ViewError> {
        self.document(org, D::KIND, &D::id_bytes(id))
    }

    /// Whether the thing lives: ended neither itself nor with what it belongs to (a key's principal, a grant's grantee
    /// or object, an object's project). Its time may have passed.
    pub fn lives<D: Document>(&self, org: OrgId, thing: &D) -> Result<bool, ViewError> {
        Ok(thing.ended_at().is_none() && self.belongings_live(org, &thing.belongs_to(), None)?)
    }

    /// A membership that was not removed; its time may have passed, its ends may have ended.
    pub fn membership(
        &self,
        org: OrgId,
        member: Grantee,
        group: GroupId,
    ) -> Result<Option<Membership>, ViewError> {
        Ok(self.membership_row(org, member, group)?.map(|row| membership(member, group, &row)))
    }

    /// Whether all of these live, at the snapshot's position or an earlier one.
    pub(crate) fn belongings_live(
        &self,
        org: OrgId,
        owners: &[Belonging<'_>],
        at: Option<Position>,
    ) -> Result<bool, ViewError> {
        for owner in owners {
            let lives = match owner {
                Belonging::Grantee(Grantee::User(id)) => self.living(org, Kind::User, &id.bytes(), at)?,
                Belonging::Grantee(Grantee::Token(id)) => self.living(org, Kind::Token, &id.bytes(), at)?,
                Belonging::Grantee(Grantee::Group(id)) => self.living(org, Kind::Group, &id.bytes(), at)?,
                Belonging::Project(id) => self.living(org, Kind::Project, &id.bytes(), at)?,
                Belonging::Object(object, generation) => self.object_lives(org, object, *generation, at)?,
            };
            if !lives {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The projects in which an object of this type and id was ever registered.
    pub(crate) fn homes_ever(&self, org: OrgId, object: &ObjectRef) -> Result<Vec<ProjectId>, ViewError> {
        let prefix = row_key::homes(org, &object.object_type, &object.id);
        let project = |row: Result<(Cell, Cell), ViewError>| {
            let (key, _) = row?;
            let mut key = Take::new(Table::Homes, key.value());
            key.raw(prefix.len())?;
            key.id()
        };
        self.prefix(Table::Homes, &prefix)?.map(project).collect()
    }

    /// Whether an object of this type and id was ever registered in the project.
    pub(crate) fn was_home(
        &self,
        org: OrgId,
        object: &ObjectRef,
        project: ProjectId,
    ) -> Result<bool, ViewError> {
        let key = row_key::home(org, &object.object_type, &object.id, project);
        Ok(self.row(Table::Homes, &key)?.is_some())
    }

    fn living(&self, org: OrgId, kind: Kind, id: &[u8], at: Option<Position>) -> Result<bool, ViewError> {
        Ok(self
            .version_at(&row_key::thing(org, kind, id), at, |version| Ok(!version.ended))?
            .unwrap_or(false))
    }

    /// Whether what a grant is on lives: a project, group, role, singleton, or a registered object of this generation.
    fn object_lives(
        &self,
        org: OrgId,
        object: &ObjectRef,
        generation: u32,
        at: Option<Position>,
    ) -> Result<bool, ViewError> {
        let by_id = |kind: Kind| match object.id.parse::<ProjectId>() {
            Ok(id) => self.living(org, kind, &id.bytes(), at),
            Err(_) => Ok(false),
        };
        match object.object_type.as_str() {
            "project" => by_id(Kind::Project),
            "group" => by_id(Kind::Group),
            "role" => by_id(Kind::Role),
            "organization" | "org_project" | "org_member" | "org_audit_logs" => {
                Ok(object.id == org.to_string())
            }
            _ => {
                let key = row_key::thing(org, Kind::Object, &RegisteredObject::id_bytes(object));
                let known = self.version_at(&key, at, ObjectRow::decode)?;
                let lives = known.is_some_and(|known| !known.ended && known.generation == generation);
                match object.project.filter(|_| lives) {
                    Some(project) => self.living(org, Kind::Project, &project.bytes(), at),
                    None => Ok(lives),
                }
            }
        }
    }

    /// Looks at the version of a thing, given its row key, that was in force after the record at `at`; if absent, at the one
    /// in force where the snapshot stands.
    pub(crate) fn version_at<T>(
        &self,
        key: &[u8],
        at: Option<Position>,
        look: impl FnOnce(&Version<'_>) -> Result<T, ViewError>,
    ) -> Result<Option<T>, ViewError> {
        let Some(row) = self.row(Table::Things, key)? else { return Ok(None) };
        self.version_before(key, row.value(), at, look)
    }

    /// The same where the snapshot stands, given the thing's row.
    pub(crate) fn version_of_row<T>(
        &self,
        key: &[u8],
        row: &[u8],
        look: impl FnOnce(&Version<'_>) -> Result<T, ViewError>,
    ) -> Result<Option<T>, ViewError> {
        self.version_before(key, row, None, look)
    }

    fn version_before<T>(
        &self,
        key: &[u8],
        row: &[u8],
        at: Option<Position>,
        look: impl FnOnce(&Version<'_>) -> Result<T, ViewError>,
    ) -> Result<Option<T>, ViewError> {
        let present = Version::decode(row)?;
        let at = self.bound(at).filter(|at| *at < present.from);
        let Some(at) = at else { return look(&present).map(Some) };
        let end = row_key::versioned(key, Position::from_u64(at.get().saturating_add(1)));
        let start = row_key::versioned(key, Position::START);
        match self.range(Table::ThingsPast, &start, Some(&end))?.next_back() {
            None => Ok(None),
            Some(past) => look(&Version::decode_past(past?.1.value())?).map(Some),
        }
    }

    pub(crate) fn document_at<D: Document>(
        &self,
        org: OrgId,
        id: &[u8],
        at: Position,
    ) -> Result<Option<D>, ViewError> {
        self.version_at(&row_key::thing(org, D::KIND, id), Some(at), |version| {
            parse(Table::Things, version.document)
        })
    }
}

pub(crate) fn membership(member: Grantee, group: GroupId, row: &MembershipRow) -> Membership {
    let expires_at = (row.until != Timestamp::FOREVER).then_some(row.until);
    Membership { group, member, expires_at, created_at: row.created_at, ended_at: None }
}
