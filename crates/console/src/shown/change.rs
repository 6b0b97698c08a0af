//! What is gained and lost, in words.

use grantbook_api::{
    people::{
        access::{objects, projects, types},
        changes::others_not_shown,
        explanation::actor_words,
        text::clean,
    },
    questions::{
        access::AccessLine,
        diff::PrincipalChange,
        plan::{AccessChange, Plan},
    },
    words::reference::NamedPrincipal,
};

/// Principals that a line names.
const NAMED: usize = 20;
/// Lines that a page shows of what is gained, and of what is lost.
const LINES: usize = 200;

/// One kind of right.
#[derive(Debug)]
pub(crate) struct ShownLine {
    pub(crate) permissions: String,
    pub(crate) types: String,
    pub(crate) place: String,
}

/// What some principals gain or lose alike.
#[derive(Debug)]
pub(crate) struct ShownChange {
    pub(crate) who: String,
    pub(crate) lines: Vec<ShownLine>,
}

/// What a plan says.
#[derive(Debug)]
pub(crate) struct ShownPlan {
    pub(crate) gained: Vec<ShownChange>,
    pub(crate) lost: Vec<ShownChange>,
    pub(crate) not_shown: usize,
    pub(crate) warnings: Vec<String>,
    pub(crate) unaffected: u64,
    /// Others whose access changes, unseen.
    pub(crate) others: Option<String>,
    pub(crate) is_noop: bool,
}

/// What one principal gained and lost.
#[derive(Debug)]
pub(crate) struct ShownBoth {
    pub(crate) who: String,
    pub(crate) gained: Vec<ShownLine>,
    pub(crate) lost: Vec<ShownLine>,
}

pub(crate) fn plan(plan: &Plan) -> ShownPlan {
    let mut warnings: Vec<String> = plan.warnings.iter().map(|warning| clean(&warning.detail)).collect();
    warnings.extend(plan.keys_of_concern.iter().map(|concern| {
        let (whose, issuer) = (principal(&concern.principal), clean(&actor_words(&concern.issued_by)));
        format!("Key {} of {whose} could then do more than {issuer}, who issued it, could give.", concern.key)
    }));
    ShownPlan {
        gained: plan.gained.iter().take(LINES).map(change).collect(),
        lost: plan.lost.iter().take(LINES).map(change).collect(),
        not_shown: plan.gained.len().saturating_sub(LINES) + plan.lost.len().saturating_sub(LINES),
        warnings,
        unaffected: plan.unaffected,
        others: others_not_shown(plan.others_not_shown),
        is_noop: plan.records == 0,
    }
}

fn change(change: &AccessChange) -> ShownChange {
    let mut names: Vec<String> = change.principals.iter().take(NAMED).map(principal).collect();
    let more = change.principals.len().saturating_sub(NAMED);
    names.extend((more > 0).then(|| format!("{more} more")));
    ShownChange { who: names.join(", "), lines: lines(&change.access) }
}

pub(crate) fn both(change: &PrincipalChange) -> ShownBoth {
    let PrincipalChange { principal: who, gained, lost } = change;
    ShownBoth { who: principal(who), gained: lines(gained), lost: lines(lost) }
}

pub(crate) fn lines(access: &[AccessLine]) -> Vec<ShownLine> {
    access.iter().map(line).collect()
}

fn line(line: &AccessLine) -> ShownLine {
    let mut places = Vec::new();
    places.extend(line.organization.then(|| "the organization".to_owned()));
    let on = projects(&line.projects);
    places.extend((on != "-").then(|| format!("projects: {on}")));
    let single = objects(&line.objects, &line.except_objects);
    places.extend((single != "-").then(|| format!("objects: {single}")));
    ShownLine {
        permissions: clean(&line.permissions.join(", ")),
        types: clean(&types(&line.object_types)),
        place: clean(&places.join("; ")),
    }
}

/// `token:NAME` or `user:EMAIL`.
pub(crate) fn principal(principal: &NamedPrincipal) -> String {
    let name = principal.name.as_ref().unwrap_or(&principal.id);
    clean(&format!("{}:{name}", principal.kind))
}
