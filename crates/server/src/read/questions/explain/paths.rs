//! Paths as clients see them.

use std::collections::HashMap;

use grantbook_api::{
    nouns::grants::Grant,
    questions::explain::{Matched, Path, PathRole, RecordRef, Via},
    words::reference::{Named, NamedPrincipal},
};
use grantbook_domain::{
    access::rights::Ask,
    id::{GrantId, GroupId},
    model,
    principal::{Grantee, Principal},
    scope::ObjectRef,
};
use grantbook_views::{self as views, Coverage};

use crate::{
    http::problem::Failure,
    read::{
        context::{
            Permit,
            authz::{Authorizer, Resource},
        },
        questions::{
            records::{Of, RecordCache},
            scope_words,
        },
    },
    wire::render,
};

/// Writes the paths of one answer about one object. What paths have in common is looked up and judged once.
#[derive(Debug)]
pub(crate) struct PathWriter<'w, 'r> {
    pub(super) authorizer: &'w mut Authorizer<'r>,
    pub(super) permit: Permit<'r>,
    pub(super) object: &'w ObjectRef,
    records: RecordCache,
    steps: HashMap<(Grantee, GroupId), (Via, Option<RecordRef>)>,
    ends: HashMap<GrantId, End>,
}

/// What a path ends with.
#[derive(Debug, Clone)]
struct End {
    grant: Grant,
    role: Option<PathRole>,
    matched: Matched,
    record: Option<RecordRef>,
    /// What else matters: the roles and the project.
    others: Vec<RecordRef>,
}

impl<'w, 'r> PathWriter<'w, 'r> {
    pub(crate) fn new(authorizer: &'w mut Authorizer<'r>, permit: Permit<'r>, object: &'w ObjectRef) -> Self {
        let (records, steps, ends) = (RecordCache::default(), HashMap::new(), HashMap::new());
        Self { authorizer, permit, object, records, steps, ends }
    }

    /// The path with its records: the grant first, then each membership, then what else matters.
    pub(crate) fn path(&mut self, path: &views::Path) -> Result<Path, Failure> {
        let End { grant, role, matched, record, others } = self.end(path)?;
        let mut via = Vec::with_capacity(path.via.len());
        let mut records: Vec<RecordRef> = record.into_iter().collect();
        for (index, step) in path.via.iter().enumerate() {
            let (shown, record) = self.step(step)?;
            via.push(shown);
            records.extend(record.map(|record| RecordRef { about: format!("/via/{index}"), ..record }));
        }
        records.extend(others);
        Ok(Path { grant, role, via, matched, records })
    }

    /// Whose path it is.
    pub(crate) fn principal(&mut self, who: Principal) -> Result<NamedPrincipal, Failure> {
        self.authorizer.principal(who)
    }

    /// A membership with its record.
    pub(crate) fn step(&mut self, step: &views::Step) -> Result<(Via, Option<RecordRef>), Failure> {
        let (member, group) = (step.membership.member, step.membership.group);
        if let Some(known) = self.steps.get(&(member, group)) {
            return Ok(known.clone());
        }
        let via = Via {
            member: self.authorizer.grantee(member)?,
            group: self.authorizer.group(group)?,
            expires_at: render::time(step.membership.expires_at),
        };
        let wanted = (step.position, Of::Member(member, group));
        let record = self.records.at(self.authorizer, self.permit, wanted, String::new())?;
        self.steps.insert((member, group), (via.clone(), record.clone()));
        Ok((via, record))
    }

    fn end(&mut self, path: &views::Path) -> Result<End, Failure> {
        if let Some(known) = self.ends.get(&path.grant.id) {
            return Ok(known.clone());
        }
        let mut others = Vec::new();
        for (index, step) in path.roles.iter().enumerate() {
            let about =
                index.checked_sub(1).map_or("/role".to_owned(), |index| format!("/role/via_roles/{index}"));
            others.push((step.position, Of::Role(step.id), about));
        }
        if let Coverage::Included { project, version, .. } | Coverage::Excluded { project, version, .. } =
            path.coverage
        {
            others.push((version, Of::Project(project), "/matched/covers".to_owned()));
        }
        let (authorizer, permit) = (&mut *self.authorizer, self.permit);
        let wanted = (path.grant_position, Of::Grant(&path.grant));
        let record = self.records.at(authorizer, permit, wanted, "/grant".to_owned())?;
        let mut found = Vec::with_capacity(others.len());
        for (position, of, about) in others {
            found.extend(self.records.at(authorizer, permit, (position, of), about)?);
        }
        let end = End {
            grant: grant(authorizer, &path.grant)?,
            role: role(authorizer, path)?,
            matched: scope_words::matched(authorizer, &path.grant.on, &path.coverage, self.object)?,
            record,
            others: found,
        };
        self.ends.insert(path.grant.id, end.clone());
        Ok(end)
    }
}

/// A grant that decides is shown to every caller who may ask why; its reason only to callers who may read the grant.
fn grant(authorizer: &mut Authorizer<'_>, grant: &model::Grant) -> Result<Grant, Failure> {
    let seen = authorizer.may(Ask::Grant, &Resource::Grant(grant))?;
    let reason = grant.reason.clone().filter(|_| seen);
    Ok(Grant { to: authorizer.grantee(grant.to)?, reason, ..render::grant(grant) })
}

fn role(authorizer: &mut Authorizer<'_>, path: &views::Path) -> Result<Option<PathRole>, Failure> {
    let Some((first, rest)) = path.roles.split_first() else { return Ok(None) };
    let Named { id, name } = authorizer.role(first.id)?;
    let via_roles: Result<Vec<Named>, Failure> = rest.iter().map(|step| authorizer.role(step.id)).collect();
    Ok(Some(PathRole { id, name, via_roles: via_roles? }))
}
