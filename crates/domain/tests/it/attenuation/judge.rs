//! The judge of one accepted command: whatever anybody gained, the actor had, or had `delegate` there.
//!
//! It asks only who has what before and after, at every instant that matters, on every object existing or possible. It
//! knows nothing of how the command was judged.

use std::collections::BTreeSet;

use grantbook_domain::{
    access::check::{Located, Target},
    catalog::{ObjectType, Permission, PermissionSet},
    command::{Author, Command, GrantCommand, MemberCommand, TokenCommand},
    event::Event,
    model::{Effect, Grant, Key, Narrowing},
    principal::{Caller, Grantee, Principal},
    scope::Scope,
    state::{Block, OrgState, permission_set},
    time::Timestamp,
};

use crate::attenuation::possible::{Place, instants, places, with_possible_projects};

/// One accepted command, with the states around it.
pub(super) struct Step<'a> {
    pub(super) before: &'a OrgState,
    pub(super) after: &'a OrgState,
    pub(super) caller: Caller,
    pub(super) command: &'a Command,
    pub(super) events: &'a [Event],
    pub(super) at: Timestamp,
}

/// What a step did, for counting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gains {
    /// (principal, instant, object, permission) gained and covered by what the actor had at that instant.
    pub(super) held: u64,
    /// Gained and covered only by the actor's `delegate` there.
    pub(super) delegated: u64,
    /// What a new key, or a changed e-mail or external id, gives; all of it covered.
    pub(super) by_key: u64,
}

/// The grants in force for somebody at an instant, with what they give.
type Reach<'a> = Vec<(&'a Grant, Vec<Block>)>;

impl Step<'_> {
    /// What was gained; an error names a gain that the actor could not give.
    pub(super) fn judge(&self) -> Result<Gains, String> {
        let (before, after) = with_possible_projects(self.before, self.after, self.events);
        let court = Court {
            step: self,
            places: places(&before, &after),
            instants: instants(&before, &after, self.at),
            before,
            after,
        };
        court.judge()
    }
}

/// Both states with the possible projects in them, and everything to ask about.
struct Court<'a> {
    step: &'a Step<'a>,
    before: OrgState,
    after: OrgState,
    places: Vec<Place>,
    instants: Vec<Timestamp>,
}

impl Court<'_> {
    fn judge(&self) -> Result<Gains, String> {
        let mut gains = Gains::default();
        if !self.lifted() {
            let users = self.after.users().map(|user| Principal::User(user.id));
            let tokens = self.after.tokens().map(|token| Principal::Token(token.id));
            for principal in users.chain(tokens) {
                self.judge_principal(principal, &mut gains)?;
            }
        }
        for event in self.step.events {
            match (event, self.step.command) {
                (Event::KeyIssued { key } | Event::KeyRotated { key, .. }, _) => {
                    self.judge_key(key, &mut gains)?;
                }
                (Event::UserUpdated { user }, _) => {
                    self.judge_way_in(Principal::User(user.id), None, Timestamp::FOREVER, &mut gains)?;
                }
                (
                    Event::TokenUpdated { token },
                    Command::Token(TokenCommand::Update { external_id: Some(_), .. }),
                ) => {
                    self.judge_way_in(Principal::Token(token.id), None, Timestamp::FOREVER, &mut gains)?;
                }
                _ => {}
            }
        }
        Ok(gains)
    }

    /// The two exceptions: memberships of a group on which the actor holds `delegate`, and a deny that an Owner takes
    /// back: who is given everything everywhere, whatever denies take from him.
    fn lifted(&self) -> bool {
        let mut now = reach(&self.before, self.step.caller.principal, self.step.at);
        match self.step.command {
            Command::Member(MemberCommand::Add { group, .. }) => {
                let id = group.to_string();
                let located = self.before.locate(Target { object_type: "group", id: &id, project: None });
                located.is_ok_and(|located| self.had(&now, &located).has(Permission::DELEGATE))
            }
            Command::Grant(GrantCommand::Revoke { .. }) => {
                now.retain(|(grant, _)| grant.effect == Effect::Allow);
                self.places.iter().all(|place| self.had(&now, &place.before) == PermissionSet::ALL)
            }
            _ => false,
        }
    }

    /// Whether the command changed what scopes cover, and not only who has which grants.
    fn ground_moved(&self) -> bool {
        let moves = |event: &Event| {
            matches!(
                event,
                Event::ProjectUpdated { .. } | Event::ObjectRegistered { .. } | Event::ObjectRemoved { .. }
            )
        };
        self.step.events.iter().any(moves)
    }

    fn judge_principal(&self, principal: Principal, gains: &mut Gains) -> Result<(), String> {
        let actor = self.step.caller.principal;
        let actor_now = reach(&self.before, actor, self.step.at);
        let mut asked = Vec::new();
        for instant in &self.instants {
            let old = reach(&self.before, principal, *instant);
            let new = reach(&self.after, principal, *instant);
            if !self.ground_moved() && same(&old, &new) {
                continue;
            }
            let actor_then = reach(&self.before, actor, *instant);
            let question = (old, new, actor_then);
            if asked.iter().any(|known| same_question(known, &question)) {
                continue;
            }
            for place in &self.places {
                let gained = minus(
                    allowed(&self.after, &question.1, &place.after),
                    allowed(&self.before, &question.0, &place.before),
                );
                if !gained.is_empty() {
                    let had = (self.had(&question.2, &place.before), self.had(&actor_now, &place.before));
                    self.weigh(gained, had, place, gains)
                        .map_err(|excess| self.verdict(principal, *instant, place, excess))?;
                }
            }
            asked.push(question);
        }
        Ok(())
    }

    /// Splits what was gained into held and delegated; the rest is an excess.
    fn weigh(
        &self,
        gained: PermissionSet,
        (then, now): (PermissionSet, PermissionSet),
        place: &Place,
        gains: &mut Gains,
    ) -> Result<(), PermissionSet> {
        let delegated = if now.has(Permission::DELEGATE) { PermissionSet::ALL } else { PermissionSet::EMPTY };
        let mut may = then.union(delegated);
        if place.before.object_type == ObjectType::GROUP && !self.delegates_on_every_group() {
            may = minus(may, Permission::DELEGATE.set());
        }
        let excess = minus(gained, may);
        if !excess.is_empty() {
            return Err(excess);
        }
        gains.held += u64::from(gained.intersect(then).0.count_ones());
        gains.delegated += u64::from(minus(gained, then).0.count_ones());
        Ok(())
    }

    /// `delegate` on groups is given only by who holds it on the organization, so also on a group to come.
    fn delegates_on_every_group(&self) -> bool {
        let now = reach(&self.before, self.step.caller.principal, self.step.at);
        let mut groups = self.places.iter().filter(|place| place.before.object_type == ObjectType::GROUP);
        groups.all(|place| self.had(&now, &place.before).has(Permission::DELEGATE))
    }

    /// A key of a user does whatever the user is given later, by whomever: only who could give everything everywhere makes one
    /// for another.
    fn judge_key(&self, key: &Key, gains: &mut Gains) -> Result<(), String> {
        let actor = self.step.caller.principal;
        if matches!(key.principal, Principal::User(_)) && key.principal != actor {
            let now = reach(&self.before, actor, self.step.at);
            let delegates = |place: &Place| self.had(&now, &place.before).has(Permission::DELEGATE);
            if !self.places.iter().all(delegates) {
                return Err(format!("{actor:?} made a key of {:?} that waits for rights", key.principal));
            }
        }
        self.judge_way_in(key.principal, key.narrow.as_ref(), Timestamp::end(key.expires_at), gains)
    }

    /// A new way to act as the principal gives nothing that the actor had not.
    fn judge_way_in(
        &self,
        principal: Principal,
        narrow: Option<&Narrowing>,
        until: Timestamp,
        gains: &mut Gains,
    ) -> Result<(), String> {
        let actor = self.step.caller.principal;
        let actor_now = reach(&self.before, actor, self.step.at);
        for instant in self.instants.iter().filter(|instant| **instant < until) {
            let new = reach(&self.after, principal, *instant);
            let actor_then = reach(&self.before, actor, *instant);
            for place in &self.places {
                let given = allowed(&self.after, &new, &place.after).intersect(narrowed(
                    &self.after,
                    narrow,
                    &place.after,
                ));
                let had = (self.had(&actor_then, &place.before), self.had(&actor_now, &place.before));
                let weighed = if principal == actor && minus(given, had.0).is_empty() {
                    Ok(())
                } else {
                    self.weigh(given, had, place, &mut Gains::default())
                };
                weighed.map_err(|excess| self.verdict(principal, *instant, place, excess))?;
                gains.by_key += u64::from(given.0.count_ones());
            }
        }
        Ok(())
    }

    /// What the actor has, its key's narrowing considered.
    fn had(&self, reach: &Reach<'_>, located: &Located) -> PermissionSet {
        let narrow =
            self.step.caller.key.and_then(|id| self.before.key(id)).and_then(|key| key.narrow.as_ref());
        allowed(&self.before, reach, located).intersect(narrowed(&self.before, narrow, located))
    }

    fn verdict(&self, who: Principal, instant: Timestamp, place: &Place, excess: PermissionSet) -> String {
        let names: Vec<_> =
            excess.iter().map(|one| self.before.catalog().permission_name(one).to_owned()).collect();
        format!(
            "{who:?} gained {names:?} on {:?} in {:?} at {}, which {:?} could not give at {} by {:?}",
            place.before.object,
            place.before.project.and_then(|id| self.before.project(id)),
            instant.millis(),
            self.step.caller,
            self.step.at.millis(),
            self.step.command,
        )
    }
}

/// Whether a caller stands behind the author.
pub(super) fn caller_of(author: Author) -> Option<Caller> {
    match author {
        Author::Caller(caller) => Some(caller),
        Author::System | Author::Operator => None,
    }
}

fn reach(state: &OrgState, principal: Principal, at: Timestamp) -> Reach<'_> {
    let grantees: BTreeSet<Grantee> = state.reached(principal, at).into_keys().collect();
    let grants = grantees.into_iter().flat_map(|grantee| state.grants_to(grantee));
    let in_force = grants.filter(|grant| state.grant_in_force(grant, at));
    in_force.map(|grant| (grant, state.grant_blocks(grant))).collect()
}

fn same(one: &Reach<'_>, other: &Reach<'_>) -> bool {
    let key = |(grant, blocks): &(&Grant, Vec<Block>)| (grant.id, blocks.clone());
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| key(a) == key(b))
}

fn same_question<'a>(
    one: &(Reach<'a>, Reach<'a>, Reach<'a>),
    other: &(Reach<'a>, Reach<'a>, Reach<'a>),
) -> bool {
    same(&one.0, &other.0) && same(&one.1, &other.1) && same(&one.2, &other.2)
}

/// All that these grants allow on the object.
fn allowed(state: &OrgState, reach: &Reach<'_>, located: &Located) -> PermissionSet {
    let (mut allowed, mut denied) = (PermissionSet::EMPTY, PermissionSet::EMPTY);
    for (grant, blocks) in reach {
        let fitting = blocks.iter().filter(|block| block.types.has(located.object_type));
        let set = fitting.fold(PermissionSet::EMPTY, |set, block| set.union(block.permissions));
        if set.is_empty() || !state.covers(&grant.on, located) {
            continue;
        }
        match grant.effect {
            Effect::Allow => allowed = allowed.union(set),
            Effect::Deny => denied = denied.union(set),
        }
    }
    minus(allowed, denied)
}

fn narrowed(state: &OrgState, narrow: Option<&Narrowing>, located: &Located) -> PermissionSet {
    let Some(narrow) = narrow else { return PermissionSet::ALL };
    let on = narrow.on.as_ref().unwrap_or(&Scope::Organization);
    let bound = match on {
        Scope::Object(object) => {
            let known = state.objects().find(|known| known.object == *object && known.ended_at.is_none());
            known.map_or(0, |known| known.generation) == narrow.generation
        }
        Scope::Organization | Scope::Projects(_) => true,
    };
    if !bound || !state.covers(on, located) {
        return PermissionSet::EMPTY;
    }
    narrow.permissions.as_ref().map_or(PermissionSet::ALL, |names| permission_set(state.catalog(), names))
}

fn minus(one: PermissionSet, other: PermissionSet) -> PermissionSet {
    PermissionSet(one.0 & !other.0)
}
