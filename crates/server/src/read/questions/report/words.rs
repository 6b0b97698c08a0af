//! The lines of a report with names for people to read. What many lines share is looked up once.

use std::{collections::HashMap, rc::Rc};

use grantbook_api::{
    questions::report::{Gift, PrincipalState, ReportPrincipal, ReportVia},
    words::reference::PrincipalType,
};
use grantbook_domain::{
    access::{
        effective::AccessRow,
        lines::{AccessLine, lines},
    },
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
            access::{self, AccessPlace},
            records::{self, Of},
            report::form::{Form, GrantText, GrantWords, RowText, WayText},
            scope_words,
        },
    },
    wire::render,
};

/// Most things of a kind that are remembered.
const REMEMBERED: usize = 10_000;
/// Beyond so many bytes of remembered ways their words are made anew.
const WAYS_BYTES: usize = 16 << 20;

/// What words are made with.
pub(crate) struct Words<'r> {
    authorizer: Authorizer<'r>,
    permit: Permit<'r>,
    form: Form,
    /// Of grants to groups, by the grant and what is denied of it.
    grants: HashMap<(GrantId, Vec<GrantId>), Rc<GrantText>>,
    /// Of memberships of groups, by the record that made them.
    nested: HashMap<(Position, Grantee, GroupId), Rc<WayText>>,
    /// Of the ways that principals share, by where they are kept.
    ways: HashMap<*const Step, (Rc<[Step]>, Rc<WayText>)>,
    /// How many bytes `ways` holds.
    bytes: usize,
}

impl<'r> Words<'r> {
    pub(crate) fn new(authorizer: Authorizer<'r>, permit: Permit<'r>, form: Form) -> Self {
        let (grants, nested, ways) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { authorizer, permit, form, grants, nested, ways, bytes: 0 }
    }

    /// The rows of one principal, each given to `take` until that has enough; whether it has not.
    pub(crate) fn rows(
        &mut self,
        principal: Principal,
        lines: &[ReportLine],
        mut take: impl FnMut(&RowText<'_>) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        if lines.is_empty() {
            return Ok(true);
        }
        let principal = self.form.principal(&self.principal(principal)?)?;
        // Its own memberships are shared by its lines, and by nobody else's.
        let mut own: HashMap<GroupId, Rc<WayText>> = HashMap::new();
        for line in lines {
            let grant = self.grant(line)?;
            let first = match &line.own {
                Some(step) => Some(self.own_step(step, &mut own)?),
                None => None,
            };
            let beyond = self.way(&line.beyond)?;
            let ends_at = render::time(line.until);
            let row = RowText {
                principal: &principal,
                grant: &grant,
                first: first.as_deref(),
                beyond: &beyond,
                ends_at,
            };
            if !take(&row)? {
                return Ok(false);
            }
        }
        Ok(true)
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

    fn grant(&mut self, line: &ReportLine) -> Result<Rc<GrantText>, Failure> {
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
        let words = GrantWords {
            gives: self.gifts(&line.gift.rows)?,
            scope: scope_words::words(&mut self.authorizer, &grant.on)?,
            grant: line.grant.to_string(),
            to: self.authorizer.grantee(grant.to)?,
            role,
            given: given.ok_or_else(|| lost("a grant without its record"))?,
            denied_by: line.gift.denied_by.iter().map(ToString::to_string).collect(),
        };
        let text = Rc::new(self.form.grant(&words)?);
        if line.to.principal().is_none() {
            remember(&mut self.grants, key, &text);
        }
        Ok(text)
    }

    /// Permissions that are held in the same places, together.
    fn gifts(&mut self, rows: &[AccessRow]) -> Result<Vec<Gift>, Failure> {
        let gift = |line: &AccessLine<'_>| {
            let AccessPlace { projects, objects, except_objects } =
                access::place(&mut self.authorizer, line.row)?;
            Ok(Gift {
                permissions: line.permissions.iter().map(|name| (*name).to_owned()).collect(),
                object_types: line.row.types.clone(),
                organization: line.row.organization,
                projects,
                objects,
                except_objects,
            })
        };
        lines(rows).iter().map(gift).collect()
    }

    /// A principal's own membership.
    fn own_step(
        &mut self,
        step: &Step,
        own: &mut HashMap<GroupId, Rc<WayText>>,
    ) -> Result<Rc<WayText>, Failure> {
        let group = step.membership.group;
        if let Some(known) = own.get(&group) {
            return Ok(Rc::clone(known));
        }
        let text = Rc::new(self.step(step)?);
        own.insert(group, Rc::clone(&text));
        Ok(text)
    }

    /// A way between groups.
    fn way(&mut self, steps: &Rc<[Step]>) -> Result<Rc<WayText>, Failure> {
        let place = steps.as_ptr();
        if let Some((_, known)) = self.ways.get(&place) {
            return Ok(Rc::clone(known));
        }
        let mut whole = WayText::default();
        for step in steps.iter() {
            let key = (step.position, step.membership.member, step.membership.group);
            if let Some(known) = self.nested.get(&key) {
                whole.push(known);
            } else {
                let text = Rc::new(self.step(step)?);
                remember(&mut self.nested, key, &text);
                whole.push(&text);
            }
        }
        let whole = Rc::new(whole);
        if !steps.is_empty() {
            if self.bytes > WAYS_BYTES {
                self.ways.clear();
                self.bytes = 0;
            }
            self.bytes += whole.len();
            self.ways.insert(place, (Rc::clone(steps), Rc::clone(&whole)));
        }
        Ok(whole)
    }

    fn step(&mut self, step: &Step) -> Result<WayText, Failure> {
        let (member, group) = (step.membership.member, step.membership.group);
        let of = (step.position, Of::Member(member, group));
        let added = records::at(&mut self.authorizer, self.permit, of, String::new())?;
        self.form.step(&ReportVia {
            group: self.authorizer.group(group)?,
            expires_at: render::time(step.membership.expires_at),
            added: added.ok_or_else(|| lost("a membership without its record"))?,
        })
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
