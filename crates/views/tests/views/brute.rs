//! Brute force: every question there is to ask, and the answers that the domain's fold gives.

use std::collections::BTreeSet;

use grantbook_domain::{
    access::{
        check::{Located, Question, Reason, Target},
        effective::AccessRow,
    },
    catalog::Permission,
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, TokenId},
    model::{Effect, Grant, Membership},
    principal::{Grantee, Principal},
    scope::ObjectRef,
    state::OrgState,
    time::Timestamp,
};

/// An object as a question names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) object: ObjectRef,
    pub(crate) project: Option<String>,
}

impl Named {
    fn new(object_type: &str, id: impl ToString, project: Option<String>) -> Self {
        Self { object: ObjectRef::new(object_type, id.to_string()), project }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            object_type: &self.object.object_type,
            id: &self.object.id,
            project: self.project.as_deref(),
        }
    }
}

/// Who can be asked about: everybody, ended or not, and nobody.
pub(crate) fn principals(state: &OrgState) -> Vec<Principal> {
    let users = state.users().map(|user| Principal::User(user.id));
    let tokens = state.tokens().map(|token| Principal::Token(token.id));
    users.chain(tokens).chain([Principal::Token(TokenId::from_u128(9))]).collect()
}

/// Every key, and one that there is not.
pub(crate) fn keys(state: &OrgState) -> Vec<KeyId> {
    state.keys().map(|key| key.id).chain([KeyId::from_u128(9)]).collect()
}

/// Every permission, and one that there is not.
pub(crate) fn permissions(state: &OrgState) -> Vec<String> {
    state.catalog().permissions().iter().cloned().chain(["nonsense".to_owned()]).collect()
}

/// Every object, ended or not, also under wrong names, and some that there are not.
pub(crate) fn targets(state: &OrgState, org: OrgId) -> Vec<Named> {
    let mut found = BTreeSet::new();
    let somewhere = state.projects().next().map(|project| project.id.to_string());
    for project in state.projects() {
        let id = project.id.to_string();
        found.insert(Named::new("project", &id, None));
        found.insert(Named::new("dataset", "free", Some(id.clone())));
        found.insert(Named::new("note", "free", Some(id)));
    }
    for known in state.objects() {
        let home = known.object.project.map(|id| id.to_string());
        for project in [None, home, somewhere.clone()] {
            found.insert(Named { object: known.object.clone(), project });
        }
    }
    found.extend(state.groups().map(|group| Named::new("group", group.id, None)));
    found.extend(state.roles().map(|role| Named::new("role", role.id, None)));
    for singleton in ["organization", "org_project", "org_member", "org_audit_logs"] {
        found.insert(Named::new(singleton, org, None));
    }
    found.insert(Named::new("organization", org, somewhere));
    found.insert(Named::new("organization", OrgId::from_u128(9), None));
    found.insert(Named::new("project", "no uuid", None));
    found.insert(Named::new("project", ProjectId::from_u128(9), None));
    found.insert(Named::new("group", GroupId::from_u128(9), None));
    found.insert(Named::new("dataset", "free", None));
    found.insert(Named::new("dataset", "free", Some("no uuid".to_owned())));
    found.insert(Named::new("team", "unknown", None));
    found.insert(Named::new("unheard", "x", None));
    found.into_iter().collect()
}

/// Every question about these, by principal and by key.
pub(crate) fn questions<'a>(
    state: &OrgState,
    permissions: &'a [String],
    targets: &'a [Named],
) -> Vec<Question<'a>> {
    let mut who: Vec<(Option<Principal>, Option<KeyId>)> = Vec::new();
    who.extend(principals(state).into_iter().map(|principal| (Some(principal), None)));
    who.extend(keys(state).into_iter().map(|key| (None, Some(key))));
    let (first, last) = (principals(state).into_iter().next(), state.keys().last().map(|key| key.id));
    who.extend([(first, last), (None, None)]);
    let mut questions = Vec::new();
    for (principal, key) in who {
        for permission in permissions {
            for target in targets {
                questions.push(Question { principal, key, permission, object: target.target() });
            }
        }
    }
    questions
}

/// The record's instant, the last one before the next expiry, that expiry, and the end of time.
pub(crate) fn instants(state: &OrgState, now: Timestamp) -> Vec<Timestamp> {
    let next = expiries(state).into_iter().find(|at| *at > now);
    let around = next.into_iter().flat_map(|at| [at.plus_millis(-1), at]);
    [now].into_iter().chain(around).chain([now.plus_millis(1_000_000)]).collect()
}

/// The record's instant, then for every later expiry the last instant before it and that instant itself, and the end of time.
pub(crate) fn every_instant(state: &OrgState, now: Timestamp) -> Vec<Timestamp> {
    let ends = expiries(state).into_iter().filter(|at| *at > now);
    let around: BTreeSet<_> = ends.flat_map(|at| [at.plus_millis(-1), at]).collect();
    [now].into_iter().chain(around).chain([Timestamp::FOREVER]).collect()
}

fn expiries(state: &OrgState) -> BTreeSet<Timestamp> {
    let tokens = state.tokens().filter_map(|token| token.expires_at);
    let keys = state.keys().filter_map(|key| key.expires_at);
    let grants = state.grants().filter_map(|grant| grant.expires_at);
    let groups = state.groups().flat_map(|group| state.members_of(group.id)).filter_map(|one| one.expires_at);
    tokens.chain(keys).chain(grants).chain(groups).collect()
}

/// A chain of groups from the principal, and the grant at its end.
pub(crate) type Chain = (Vec<GroupId>, GrantId);

/// Every chain of unexpired memberships to a grant of one effect that counts: shortest first, then by ids.
pub(crate) fn paths(state: &OrgState, question: &Question<'_>, effect: Effect, now: Timestamp) -> Vec<Chain> {
    let counts = |grant: &Grant, (permission, located): (Permission, &Located)| {
        grant.effect == effect
            && state.grant_in_force(grant, now)
            && state.covers(&grant.on, located)
            && state
                .grant_blocks(grant)
                .iter()
                .any(|block| block.permissions.has(permission) && block.types.has(located.object_type))
    };
    chains(state, question, &counts, &|one| now < Timestamp::end(one.expires_at))
}

/// Every chain of memberships, expired or not, to a grant that has the permission in it, counting or not.
pub(crate) fn all_chains(state: &OrgState, question: &Question<'_>) -> Vec<Chain> {
    let stands = |grant: &Grant, (permission, _): (Permission, &Located)| {
        // Before its own end and where its object has not ended.
        let begin = Timestamp::from_millis(i64::MIN);
        // What it gives before its own types cut it.
        let uncut = Grant { object_type: None, effect: Effect::Allow, ..grant.clone() };
        state.grant_in_force(grant, begin)
            && state.grant_blocks(&uncut).iter().any(|block| block.permissions.has(permission))
    };
    chains(state, question, &stands, &|_| true)
}

fn chains(
    state: &OrgState,
    question: &Question<'_>,
    counts: &dyn Fn(&Grant, (Permission, &Located)) -> bool,
    usable: &dyn Fn(&Membership) -> bool,
) -> Vec<Chain> {
    let (Some(permission), Ok(located)) =
        (state.catalog().permission(question.permission), state.locate(question.object))
    else {
        return Vec::new();
    };
    let key = question.key.and_then(|id| state.key(id));
    let Some(principal) = question.principal.or(key.map(|key| key.principal)) else { return Vec::new() };
    let mut found = Vec::new();
    let mut open: Vec<(Grantee, Vec<GroupId>)> = vec![(principal.into(), Vec::new())];
    while let Some((from, groups)) = open.pop() {
        let counting = state.grants_to(from).filter(|grant| counts(grant, (permission, &located)));
        found.extend(counting.map(|grant| (groups.clone(), grant.id)));
        for one in state.memberships_of(from).filter(|one| usable(one)) {
            if state.group(one.group).is_some_and(|group| group.ended_at.is_none()) {
                open.push((Grantee::Group(one.group), [groups.as_slice(), &[one.group]].concat()));
            }
        }
    }
    found.sort_by_key(|(groups, grant)| (groups.len(), groups.clone(), *grant));
    found
}

/// The oracle's answer.
pub(crate) fn answer(state: &OrgState, question: &Question<'_>, now: Timestamp) -> Reason {
    state.check(question, now)
}

/// Whether rows of effective access have a permission on an object that was found.
pub(crate) fn holds(
    rows: &[AccessRow],
    (permission, type_name): (&str, &str),
    located: &Located,
    in_project: bool,
) -> bool {
    rows.iter().any(|row| {
        let general = match located.project.filter(|_| in_project) {
            Some(project) => row.projects.has(project),
            None => row.organization,
        };
        row.permission == permission
            && row.types.iter().any(|name| name == type_name)
            && (row.objects.contains(&located.object) || (general && !row.except.contains(&located.object)))
    })
}
