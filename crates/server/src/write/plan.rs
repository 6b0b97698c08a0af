//! `POST /v1/plan`: what a batch would do, and who would gain and lose what by it; nothing is written.

use std::collections::{BTreeSet, HashMap};

use axum::{http::StatusCode, response::Response};
use grantbook_api::{
    questions::{
        access::{AccessLine, ProjectChoice},
        plan::{AccessChange, PLAN_BYTES, Plan, PlanWarning, PlannedConcern},
    },
    words::reference::{Named, NamedObject, NamedPrincipal},
};
use grantbook_domain::{
    access::{
        check::{Question, Target},
        effective::{AccessRow, ProjectSet},
        lines as domain,
        lines::lines,
        planned::{AccessDiff, Change},
        rights::{Ask, Needs},
    },
    catalog::PERMISSIONS,
    id::ProjectId,
    model::{Key, Personal},
    principal::{Caller, Principal},
    scope::ObjectRef,
    state::OrgState,
    time::Timestamp,
};

use grantbook_views::Work;

use crate::{
    http::{
        problem::Failure,
        respond::{json, with_position},
    },
    read::{context::paging::json_bytes, questions::access::type_choice},
    state::Web,
    wire::{names, render},
};
use grantbook_command::{CommandHandle, PlannedOutcome, Submission};
use serde::Serialize;

/// Most units of work of comparing what everybody has, before and after; see [`AccessDiff::changes`].
const WORK_MAX: u64 = 50_000_000;
/// So many of them cost about as much as reading a row.
const UNITS_A_ROW: u64 = 100;

/// The answer; a refusal is what the write would be refused with. It goes no further once the work is ended.
pub(crate) fn answer(
    web: &Web,
    commands: &CommandHandle,
    submission: &Submission,
    caller: Caller,
    work: &Work,
) -> Result<Response, Failure> {
    work.spend(1)?;
    let PlannedOutcome { position, at, before, after, events } = &commands.plan(submission)?;
    let diff = AccessDiff { before, after, at: *at };
    let sees_all = may_ask(before, *at, caller, Ask::Plan);
    let mut spent = 0_u64;
    let mut changes = diff.changes(&diff.touched(events), |units| {
        spent = spent.saturating_add(units);
        if spent > WORK_MAX {
            return Err(Failure::plan_too_large("comparing what everybody has takes too long"));
        }
        Ok(work.spend(1 + units / UNITS_A_ROW)?)
    })?;
    let others_not_shown = if sees_all { 0 } else { affected(&changes).len() as u64 };
    if !sees_all {
        changes.clear();
    }
    let mut eyes =
        PlanNames { diff, caller, projects: HashMap::new(), reads_members: None, bytes: PLAN_BYTES };
    let plan = Plan {
        position: web.position_text(*position),
        records: u8::from(!events.is_empty()),
        events: if sees_all { events.iter().map(render::event).collect() } else { Vec::new() },
        gained: eyes.changes(&changes, |change| &change.gained, after)?,
        lost: eyes.changes(&changes, |change| &change.lost, before)?,
        keys_of_concern: if sees_all { concerns(&mut eyes, &changes) } else { Vec::new() },
        warnings: warnings(&diff),
        unaffected: if sees_all { unaffected(after, &changes) } else { 0 },
        others_not_shown,
    };
    Ok(with_position(json(StatusCode::OK, &plan)?, &plan.position))
}

/// Whether the caller may ask about the whole organization, by the state that commands are decided on.
pub(crate) fn may_ask(state: &OrgState, at: Timestamp, caller: Caller, ask: Ask) -> bool {
    let own = state.id().map(|id| id.to_string()).unwrap_or_default();
    match ask.needs() {
        Needs::Permission(permission, _) => {
            let name = PERMISSIONS.get(usize::from(permission.bit())).copied().unwrap_or_default();
            may(state, at, caller, name, ("organization", &own, None))
        }
        Needs::Nothing => true,
        Needs::UnlessOwn(..) | Needs::Each | Needs::System | Needs::Operator => false,
    }
}

/// Everybody whose access changes.
fn affected(changes: &[Change]) -> BTreeSet<Principal> {
    changes.iter().flat_map(|change| &change.principals).copied().collect()
}

fn may(
    state: &OrgState,
    at: Timestamp,
    caller: Caller,
    permission: &str,
    on: (&str, &str, Option<&str>),
) -> bool {
    let object = Target { object_type: on.0, id: on.1, project: on.2 };
    let question = Question { principal: Some(caller.principal), key: caller.key, permission, object };
    state.check(&question, at).allows()
}

/// The keys that the change would make ones of concern.
fn concerns(eyes: &mut PlanNames<'_>, changes: &[Change]) -> Vec<PlannedConcern> {
    let AccessDiff { before, after, at } = eyes.diff;
    let mut found = Vec::new();
    // Whose rights change, and whose keys they answer for.
    let affected = affected(changes);
    let answers = |key: &&Key| after.answering_for(key.id).any(|who| affected.contains(&who));
    let answered = after.keys().filter(answers).map(|key| key.principal);
    let concerned: BTreeSet<Principal> = affected.iter().copied().chain(answered).collect();
    for principal in concerned {
        let known = before.keys_of_concern(principal, at);
        for one in after.keys_of_concern(principal, at).into_iter().filter(|one| !known.contains(one)) {
            let name = one.issued_by.principal().and_then(|who| eyes.principal(who).name);
            let issued_by = names::named_actor(one.issued_by, name);
            found.push(PlannedConcern {
                principal: eyes.principal(principal),
                key: one.key.to_string(),
                issued_by,
            });
        }
    }
    found
}

fn warnings(diff: &AccessDiff<'_>) -> Vec<PlanWarning> {
    let AccessDiff { before, after, at } = diff;
    let lost = before.an_owner_has_a_key(*at) && !after.an_owner_has_a_key(*at);
    let detail = "no Owner would have a working, unrestricted key: issue one first; otherwise only `grantbook owner recover` restores access";
    lost.then(|| PlanWarning { code: "no_owner_key".to_owned(), detail: detail.to_owned() })
        .into_iter()
        .collect()
}

fn unaffected(after: &OrgState, changes: &[Change]) -> u64 {
    let others = affected(changes);
    let users = after.users().filter(|user| user.ended_at.is_none()).map(|user| Principal::User(user.id));
    let tokens = after.tokens().filter(|token| token.ended_at.is_none());
    let living = users.chain(tokens.map(|token| Principal::Token(token.id)));
    living.filter(|principal| !others.contains(principal)).count() as u64
}

/// Names, as far as the caller may read them: of what is there by its rights of now, of what would be made by those that it
/// would have.
struct PlanNames<'a> {
    diff: AccessDiff<'a>,
    caller: Caller,
    projects: HashMap<ProjectId, Named>,
    reads_members: Option<bool>,
    /// How many more bytes of changes may be listed.
    bytes: usize,
}

impl PlanNames<'_> {
    /// What is gained, or lost, each with everybody who shares it.
    fn changes(
        &mut self,
        changes: &[Change],
        rows: fn(&Change) -> &[AccessRow],
        state: &OrgState,
    ) -> Result<Vec<AccessChange>, Failure> {
        let types = state.catalog().all_types().count();
        let mut found: Vec<AccessChange> = Vec::new();
        let mut known: HashMap<&[AccessRow], usize> = HashMap::new();
        for change in changes.iter().filter(|change| !rows(change).is_empty()) {
            let principals: Vec<_> = change.principals.iter().map(|one| self.principal(*one)).collect();
            self.spend(&principals)?;
            let place = *known.entry(rows(change)).or_insert(found.len());
            if let Some(same) = found.get_mut(place) {
                same.principals.extend(principals);
                continue;
            }
            let mut access = Vec::new();
            for line in lines(rows(change)) {
                let line = self.line(&line, types);
                self.spend(&line)?;
                access.push(line);
            }
            found.push(AccessChange { principals, access });
        }
        Ok(found)
    }

    fn spend(&mut self, part: &impl Serialize) -> Result<(), Failure> {
        let left = self.bytes.checked_sub(json_bytes(part)?);
        let detail = || format!("the changes of access would be longer than {PLAN_BYTES} bytes");
        self.bytes = left.ok_or_else(|| Failure::plan_too_large(&detail()))?;
        Ok(())
    }

    fn line(&mut self, line: &domain::AccessLine<'_>, types: usize) -> AccessLine {
        let AccessRow { types: names, organization, projects, objects, except, .. } = line.row;
        AccessLine {
            permissions: line.permissions.iter().map(|name| (*name).to_owned()).collect(),
            object_types: type_choice(names, types),
            organization: *organization,
            projects: match projects {
                ProjectSet::Only(ids) => ProjectChoice::Only(self.named(ids)),
                ProjectSet::AllBut(ids) => ProjectChoice::AllBut(self.named(ids)),
            },
            objects: objects.iter().map(|object| self.object(object)).collect(),
            except_objects: except.iter().map(|object| self.object(object)).collect(),
        }
    }

    fn reads(&self, made: bool, object: (&str, &str, Option<&str>)) -> bool {
        let AccessDiff { before, after, at } = self.diff;
        may(if made { after } else { before }, at, self.caller, "read", object)
    }

    fn principal(&mut self, principal: Principal) -> NamedPrincipal {
        let after = self.diff.after;
        let reads = self.reads_members.unwrap_or_else(|| {
            let own = after.id().map(|id| id.to_string()).unwrap_or_default();
            self.reads(false, ("org_member", &own, None))
        });
        self.reads_members = Some(reads);
        let email = |datum: &Personal| names::clear(datum);
        let name = match principal {
            Principal::User(id) => after.user(id).map(|user| email(&user.email)),
            Principal::Token(id) => after.token(id).map(|token| token.name.clone()),
        };
        names::named_principal(principal, name.filter(|_| reads || principal == self.caller.principal))
    }

    fn named(&mut self, ids: &BTreeSet<ProjectId>) -> Vec<Named> {
        ids.iter().map(|id| self.project(*id)).collect()
    }

    fn project(&mut self, id: ProjectId) -> Named {
        if let Some(known) = self.projects.get(&id) {
            return known.clone();
        }
        let AccessDiff { before, after, .. } = self.diff;
        let text = id.to_string();
        let seen = self.reads(before.project(id).is_none(), ("project", &text, None));
        let name = after.project(id).map(|project| project.name.clone());
        let named = Named { id: text, name: name.filter(|_| seen).unwrap_or_default() };
        self.projects.insert(id, named.clone());
        named
    }

    fn object(&mut self, object: &ObjectRef) -> NamedObject {
        let AccessDiff { before, after, .. } = self.diff;
        let ObjectRef { object_type, id, project } = object;
        let (made, name) = match object_type.as_str() {
            "group" => {
                let id = id.parse().ok();
                let group = id.and_then(|id| after.group(id));
                (id.and_then(|id| before.group(id)).is_none(), group.map(|group| group.name.clone()))
            }
            "role" => {
                let id = id.parse().ok();
                let role = id.and_then(|id| after.role(id));
                (id.and_then(|id| before.role(id)).is_none(), role.map(|role| role.name.clone()))
            }
            _ => {
                let known = after.object(object);
                (before.object(object).is_none(), known.and_then(|known| known.name.clone()))
            }
        };
        let project = project.map(|id| id.to_string());
        let name = name.filter(|_| self.reads(made, (object_type, id, project.as_deref())));
        NamedObject { object_type: object_type.clone(), id: id.clone(), project, name }
    }
}
