//! The lines of a report with names for people to read. What many lines share is looked up once.

use std::{collections::HashMap, rc::Rc};

use grantbook_api::{
    questions::{
        access::AccessEntry,
        explain::RecordRef,
        report::{Gift, PrincipalState, ReportPrincipal, ReportRow, ReportVia},
    },
    words::reference::{Named, NamedGrantee, PrincipalType},
};
use grantbook_domain::{
    access::effective::AccessRow,
    id::{GrantId, GroupId},
    model::{self, Gives},
    position::Position,
    principal::{Grantee, Principal},
};
use grantbook_views::{ReportLine, Step, ViewError};

use crate::{
    http::problem::Failure,
    read::{
        context::{Permit, authz::Authorizer},
        questions::{
            access,
            records::{self, Of},
            scope_words,
        },
    },
    wire::render,
};

/// Most things of a kind that are remembered.
const REMEMBERED: usize = 10_000;

/// What words are made with.
pub(crate) struct Words<'r> {
    authorizer: Authorizer<'r>,
    permit: Permit<'r>,
    /// Of grants to groups, by the grant and what is denied of it.
    grants: HashMap<(GrantId, Vec<GrantId>), Rc<Told>>,
    /// Of memberships of groups, by the record that made them.
    nested: HashMap<(Position, Grantee, GroupId), Rc<ReportVia>>,
}

/// What is told of a grant.
struct Told {
    gives: Vec<Gift>,
    scope: String,
    to: NamedGrantee,
    role: Option<Named>,
    given: RecordRef,
}

impl<'r> Words<'r> {
    pub(crate) fn new(authorizer: Authorizer<'r>, permit: Permit<'r>) -> Self {
        Self { authorizer, permit, grants: HashMap::new(), nested: HashMap::new() }
    }

    /// The rows of one principal.
    pub(crate) fn rows(
        &mut self,
        principal: Principal,
        lines: &[ReportLine],
    ) -> Result<Vec<ReportRow>, Failure> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let who = self.principal(principal)?;
        // Its own memberships are shared by its lines, and by nobody else's.
        let mut own = HashMap::new();
        lines.iter().map(|line| self.row(who.clone(), line, &mut own)).collect()
    }

    fn row(
        &mut self,
        principal: ReportPrincipal,
        line: &ReportLine,
        own: &mut HashMap<GroupId, Rc<ReportVia>>,
    ) -> Result<ReportRow, Failure> {
        let told = self.told(line)?;
        let mut via = Vec::new();
        for step in &line.via {
            via.push(self.step(step, own)?.as_ref().clone());
        }
        let Told { gives, scope, to, role, given } = told.as_ref();
        Ok(ReportRow {
            principal,
            gives: gives.clone(),
            scope: scope.clone(),
            grant: line.grant.to_string(),
            to: to.clone(),
            role: role.clone(),
            given: given.clone(),
            via,
            ends_at: render::time(line.until),
            denied_by: line.gift.denied_by.iter().map(ToString::to_string).collect(),
        })
    }

    fn principal(&mut self, principal: Principal) -> Result<ReportPrincipal, Failure> {
        let (kind, id) = match principal {
            Principal::User(id) => (PrincipalType::User, id.to_string()),
            Principal::Token(id) => (PrincipalType::Token, id.to_string()),
        };
        let name = self.authorizer.name_of(principal.into())?;
        let now = self.authorizer.reading().as_of().is_none();
        let keys_of_concern = if now { self.authorizer.keys_of_concern(principal)? } else { Vec::new() };
        Ok(ReportPrincipal { kind, id, name, state: PrincipalState::Active, keys_of_concern })
    }

    fn told(&mut self, line: &ReportLine) -> Result<Rc<Told>, Failure> {
        let key = (line.grant, line.gift.denied_by.clone());
        if let Some(known) = self.grants.get(&key) {
            return Ok(Rc::clone(known));
        }
        let grant: Option<model::Grant> = self.permit.rows().get(self.permit.reading().org, &line.grant)?;
        let grant = grant.ok_or_else(|| lost("a grant without its document"))?;
        let role = match grant.gives {
            Gives::Role(id) => Some(self.authorizer.role(id)?),
            Gives::Permissions(_) => None,
        };
        let given =
            records::at(&mut self.authorizer, self.permit, (line.given, Of::Grant(&grant)), String::new())?;
        let told = Rc::new(Told {
            gives: self.gifts(&line.gift.rows)?,
            scope: scope_words::words(&mut self.authorizer, &grant.on)?,
            to: self.authorizer.grantee(grant.to)?,
            role,
            given: given.ok_or_else(|| lost("a grant without its record"))?,
        });
        if line.to.principal().is_none() {
            remember(&mut self.grants, key, &told);
        }
        Ok(told)
    }

    /// Permissions that are held in the same places, together.
    fn gifts(&mut self, rows: &[AccessRow]) -> Result<Vec<Gift>, Failure> {
        let mut gifts: Vec<(AccessRow, Vec<String>)> = Vec::new();
        for row in rows {
            let place = AccessRow { permission: String::new(), ..row.clone() };
            match gifts.iter_mut().find(|(known, _)| *known == place) {
                Some((_, permissions)) => permissions.push(row.permission.clone()),
                None => gifts.push((place, vec![row.permission.clone()])),
            }
        }
        let gift = |(place, permissions): (AccessRow, Vec<String>)| {
            let object_types = place.types.clone();
            let AccessEntry { organization, projects, objects, except_objects, .. } =
                access::entry(&mut self.authorizer, place)?;
            Ok(Gift { permissions, object_types, organization, projects, objects, except_objects })
        };
        gifts.into_iter().map(gift).collect()
    }

    fn step(
        &mut self,
        step: &Step,
        own: &mut HashMap<GroupId, Rc<ReportVia>>,
    ) -> Result<Rc<ReportVia>, Failure> {
        let (member, group) = (step.membership.member, step.membership.group);
        let key = (step.position, member, group);
        let is_own = member.principal().is_some();
        let known = if is_own { own.get(&group) } else { self.nested.get(&key) };
        if let Some(known) = known {
            return Ok(Rc::clone(known));
        }
        let added = records::at(
            &mut self.authorizer,
            self.permit,
            (step.position, Of::Member(member, group)),
            String::new(),
        )?;
        let via = Rc::new(ReportVia {
            group: self.authorizer.group(group)?,
            expires_at: render::time(step.membership.expires_at),
            added: added.ok_or_else(|| lost("a membership without its record"))?,
        });
        if is_own {
            own.insert(group, Rc::clone(&via));
        } else {
            remember(&mut self.nested, key, &via);
        }
        Ok(via)
    }
}

fn remember<K: Eq + std::hash::Hash, V>(known: &mut HashMap<K, Rc<V>>, key: K, value: &Rc<V>) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, Rc::clone(value));
}

/// A view whose rows do not fit together.
fn lost(detail: &str) -> ViewError {
    ViewError::BadRow { table: "access", detail: detail.to_owned() }
}
