//! `POST /v1/plan`: what a batch would do, and who would gain and lose what by it; nothing is written.

use std::collections::{BTreeSet, HashMap};

use axum::{http::StatusCode, response::Response};
use grantbook_api::{
    questions::{
        access::{ProjectChoice, TypeChoice},
        plan::{AccessChange, CHANGES_MAX, Plan, PlanWarning, PlannedConcern},
    },
    words::reference::{Named, NamedObject, NamedPrincipal},
};
use grantbook_domain::{
    access::{
        check::{Question, Target},
        effective::{AccessRow, ProjectSet},
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

use crate::{
    http::{
        problem::Failure,
        respond::{json, with_position},
    },
    state::Web,
    wire::{names, render},
};
use grantbook_command::{CommandHandle, PlannedOutcome, Submission};

/// The answer; a refusal is what the write would be refused with.
pub(crate) fn answer(
    web: &Web,
    commands: &CommandHandle,
    submission: &Submission,
    caller: Caller,
) -> Result<Response, Failure> {
    let planned = commands.plan(submission, |state, at| permit(state, at, caller))?;
    let PlannedOutcome { position, at, before, after, events } = &planned;
    let diff = AccessDiff { before, after, at: *at };
    let changes = diff.changes(&diff.touched(events));
    let count = changes.iter().map(Change::rows).sum();
    if count > CHANGES_MAX {
        return Err(Failure::plan_too_large(count, CHANGES_MAX));
    }
    let mut eyes = PlanNames { diff, caller, projects: HashMap::new(), reads_members: None };
    let mut list = |rows: fn(&Change) -> &[AccessRow]| {
        let each = changes.iter().flat_map(|change| rows(change).iter().map(|row| (change.principal, row)));
        each.map(|(principal, row)| eyes.change(principal, row)).collect()
    };
    let plan = Plan {
        position: web.position_text(*position),
        records: u8::from(!events.is_empty()),
        events: events.iter().map(render::event).collect(),
        gained: list(|change| &change.gained),
        lost: list(|change| &change.lost),
        keys_of_concern: concerns(&mut eyes, &changes),
        warnings: warnings(&diff),
        unaffected: unaffected(after, &changes),
    };
    Ok(with_position(json(StatusCode::OK, &plan)?, &plan.position))
}

/// Whether the caller may know what changes for others.
fn permit(state: &OrgState, at: Timestamp, caller: Caller) -> Result<(), Failure> {
    let needs = Ask::Plan.needs();
    let own = state.id().map(|id| id.to_string()).unwrap_or_default();
    match needs {
        Needs::Permission(permission, _) => {
            let name = PERMISSIONS.get(usize::from(permission.bit())).copied().unwrap_or_default();
            let may = may(state, at, caller, name, ("organization", &own, None));
            if may { Ok(()) } else { Err(Failure::forbidden(needs)) }
        }
        Needs::Nothing => Ok(()),
        Needs::UnlessOwn(..) | Needs::Each | Needs::System | Needs::Operator => {
            Err(Failure::forbidden(needs))
        }
    }
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
    let affected: BTreeSet<Principal> = changes.iter().map(|change| change.principal).collect();
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
    let others: BTreeSet<Principal> = changes.iter().map(|change| change.principal).collect();
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
}

impl PlanNames<'_> {
    fn change(&mut self, principal: Principal, row: &AccessRow) -> AccessChange {
        let AccessRow { permission, types, organization, projects, objects, except } = row;
        AccessChange {
            principal: self.principal(principal),
            permission: permission.clone(),
            object_types: TypeChoice::Only(types.clone()),
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
