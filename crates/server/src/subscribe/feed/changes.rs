//! A record's changes of effective access as messages.

use grantbook_api::{
    questions::feed::{
        AccessChange, ChangeCause, ChangeType, ChangedAccess, CloudEvent, GroupMembers, ProjectIds,
        TYPE_PREFIX, Who,
    },
    words::reference::{self, PrincipalRef},
};
use grantbook_domain::{
    id::{InstallationId, ProjectId},
    principal::Principal,
    record::Recorded,
    scope::ObjectRef,
};
use grantbook_views::{AccessRow, ProjectSet, RecordChange, Snapshot, ViewError};

use crate::{
    subscribe::feed::events::source,
    wire::{names::named_principal, position, render},
};

/// One change, as it was computed and as it is told.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Whose and what, for filters.
    pub change: RecordChange,
    /// In words.
    pub told: AccessChange,
}

impl Changed {
    /// What of it is about access on one project, or in it.
    pub fn within(&self, project: ProjectId) -> AccessChange {
        AccessChange { access: access(&self.change.within(project)), ..self.told.clone() }
    }

    /// As a message of its own.
    pub fn message(&self, recorded: &Recorded) -> CloudEvent {
        let told = &self.told;
        CloudEvent {
            specversion: "1.0".to_owned(),
            id: format!("{}/c{}", told.position, told.index),
            source: source(recorded),
            kind: format!("{TYPE_PREFIX}{}", told.kind.name()),
            subject: told.causes.first().map(|cause| cause.position.clone()).unwrap_or_default(),
            time: told.at.clone(),
            datacontenttype: "application/json".to_owned(),
            data: render::value(told),
        }
    }
}

/// What a record of the view changed of effective access, in an order that is always the same.
///
/// Looks only at whom the record can touch; for what it costs see [`Snapshot::changes_of`].
pub fn changes_of(
    snapshot: &Snapshot,
    installation: InstallationId,
    recorded: &Recorded,
) -> Result<Vec<Changed>, ViewError> {
    let changes = snapshot.changes_of(recorded)?;
    let of = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let tell = |(index, change): (u32, RecordChange)| {
        let told = AccessChange {
            kind: if change.gained { ChangeType::AccessGained } else { ChangeType::AccessLost },
            position: position::encode(installation, recorded.position),
            index,
            of,
            at: recorded.record.at.to_string(),
            who: who(&change),
            access: access(&change.rows),
            causes: causes(installation, &change),
        };
        Changed { change, told }
    };
    Ok((0..).zip(changes).map(tell).collect())
}

fn who(change: &RecordChange) -> Who {
    match &change.who {
        grantbook_views::Who::Listed => Who::Only(change.principals.iter().copied().map(named).collect()),
        grantbook_views::Who::Members { of, except } => Who::Group(GroupMembers {
            id: of.to_string(),
            except: except.iter().copied().map(named).collect(),
        }),
    }
}

fn named(principal: Principal) -> PrincipalRef {
    let named = named_principal(principal, None);
    PrincipalRef { kind: named.kind, id: named.id }
}

/// Permissions held in the same way share a row.
fn access(rows: &[AccessRow]) -> Vec<ChangedAccess> {
    let mut told: Vec<(&AccessRow, Vec<String>)> = Vec::new();
    for row in rows {
        let same = told.iter_mut().find(|(first, _)| {
            (&first.types, first.organization, &first.projects, &first.objects, &first.except)
                == (&row.types, row.organization, &row.projects, &row.objects, &row.except)
        });
        match same {
            Some((_, permissions)) => permissions.push(row.permission.clone()),
            None => told.push((row, vec![row.permission.clone()])),
        }
    }
    let row = |(row, permissions): (&AccessRow, Vec<String>)| ChangedAccess {
        permissions,
        object_types: row.types.clone(),
        organization: row.organization,
        projects: match &row.projects {
            ProjectSet::Only(ids) => ProjectIds::Only(ids.iter().map(ToString::to_string).collect()),
            ProjectSet::AllBut(ids) => ProjectIds::AllBut(ids.iter().map(ToString::to_string).collect()),
        },
        objects: row.objects.iter().map(object).collect(),
        except_objects: row.except.iter().map(object).collect(),
    };
    told.into_iter().map(row).collect()
}

fn object(object: &ObjectRef) -> reference::ObjectRef {
    render::object_ref(object)
}

fn causes(installation: InstallationId, change: &RecordChange) -> Vec<ChangeCause> {
    let cause = |cause: &grantbook_views::Cause| ChangeCause {
        expiry: cause.expiry,
        position: position::encode(installation, cause.position),
    };
    change.causes.iter().map(cause).collect()
}
