//! Every reverse answer is the brute force over all principals and objects, both ways, after every record.

use std::collections::BTreeMap;

use grantbook_domain::{
    access::check::{Question, Reason, Target},
    catalog::Lineage,
    command::{Command, TokenCommand},
    id::{TokenId, UserId},
    model::{Effect, Gives, Token, User},
    position::Position,
    principal::{Grantee, Principal},
    scope::{ObjectRef, Scope},
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{ListCursor, Page, Part, Reversed, Snapshot, ViewError, Whose};
use proptest::{collection::vec, prelude::*};

use crate::{
    brute::{self, Named},
    world::{Step, World, apply, frames, object, view_of},
};

proptest! {
    #![proptest_config(crate::draw::cases(8))]

    #[test]
    fn reverse_answers_are_those_of_checks_for_everybody_and_everything(steps in vec(any::<Step>(), 10..40)) {
        walk(&World::lived(5, &steps));
    }
}

/// Applies a history frame by frame and asks after each, from the end of the settling on.
fn walk(world: &World) {
    let mut writer = view_of(&World::settled(2).records[..1], 1);
    let mut state = OrgState::default();
    let settled = World::settled(5).records.len();
    let mut past: Vec<(Position, OrgState, Timestamp)> = Vec::new();
    for records in frames(&world.records, 1) {
        apply(&mut writer, records);
        for recorded in records {
            state.apply_record(&recorded.record);
        }
        let last = records.last().unwrap();
        let ordinal = usize::try_from(last.record.ordinal).unwrap();
        if ordinal < settled {
            continue;
        }
        let snapshot = writer.reader().snapshot().unwrap();
        for now in brute::instants(&state, last.record.at) {
            let all = All { world, state: &state, snapshot: &snapshot, now };
            all.who_can(ordinal);
            all.accessible(ordinal);
            all.permissions(ordinal);
        }
        past.push((last.position, state.clone(), last.record.at));
    }
    let snapshot = writer.reader().snapshot().unwrap();
    for (ordinal, (position, state, now)) in past.into_iter().enumerate() {
        let all = All { world, state: &state, snapshot: &snapshot.as_of(position), now };
        all.who_can(ordinal);
        all.accessible(ordinal);
        all.permissions(ordinal);
    }
}

/// Everything there is to ask at one position and instant.
struct All<'a> {
    world: &'a World,
    state: &'a OrgState,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

impl All<'_> {
    fn allows(&self, principal: Principal, permission: &str, target: Target<'_>) -> bool {
        let question = Question { principal: Some(principal), key: None, permission, object: target };
        self.state.check(&question, self.now).allows()
    }

    fn who_can(&self, ordinal: usize) {
        let permissions = brute::permissions(self.state);
        let targets = brute::targets(self.state, self.world.org);
        let every = 11;
        let questions = permissions.iter().flat_map(|one| targets.iter().map(move |target| (one, target)));
        let mut checker = self.snapshot.checker(self.world.org, self.now).unwrap();
        for (permission, named) in questions.skip(ordinal % every).step_by(every) {
            let target = named.target();
            let expected: Vec<Principal> = brute::principals(self.state)
                .into_iter()
                .filter(|principal| self.allows(*principal, permission, target))
                .collect();
            let whose = [Whose::Everybody, Whose::Users, Whose::Tokens];
            let [found, users, tokens] =
                whose.map(|whose| paged(|part| checker.who_can(permission, target, whose, part)));
            assert_eq!(users.and_then(|users| Ok([users, tokens?].concat())), found);
            let unknown = self.unknown(permission, named);
            assert_eq!(found, unknown.map_or(Ok(expected), Err), "{permission} {named:?}");
            for principal in found.unwrap_or_default() {
                self.shortest(principal, permission, named);
            }
        }
    }

    fn unknown(&self, permission: &str, named: &Named) -> Option<Reason> {
        let known = self.state.catalog().permission(permission).ok_or(Reason::UnknownPermission);
        known.and_then(|_| self.state.locate(named.target())).err()
    }

    /// The path told is one that counts, and no other is shorter.
    fn shortest(&self, principal: Principal, permission: &str, named: &Named) {
        let mut checker = self.snapshot.checker(self.world.org, self.now).unwrap();
        let path = checker.shortest_path(principal, permission, named.target()).unwrap().unwrap();
        let question = Question { principal: Some(principal), key: None, permission, object: named.target() };
        let explanation = checker.explain(&question).unwrap();
        let first = checker.path_after(&explanation, Effect::Allow, None).unwrap().unwrap();
        assert_eq!(explanation.path(Effect::Allow, &first).unwrap(), path);
    }

    fn accessible(&self, ordinal: usize) {
        let permissions = brute::permissions(self.state);
        let types = self.state.catalog().types().map(|(name, _)| name.to_owned());
        let types: Vec<String> = types.chain(["unheard".to_owned()]).collect();
        let questions = permissions.iter().flat_map(|one| types.iter().map(move |name| (one, name)));
        let every = 7;
        let questions: Vec<_> = questions.skip(ordinal % every).step_by(every).collect();
        let mut checker = self.snapshot.checker(self.world.org, self.now).unwrap();
        for principal in brute::principals(self.state) {
            for (permission, object_type) in &questions {
                let living = self.living(object_type);
                let expected: Vec<ObjectRef> = living
                    .into_iter()
                    .filter(|one| {
                        let home = one.project.map(|id| id.to_string());
                        let (object_type, id) = (one.object_type.as_str(), one.id.as_str());
                        let target = Target { object_type, id, project: home.as_deref() };
                        self.allows(principal, permission, target)
                    })
                    .collect();
                let found = paged(|part| checker.accessible(principal, permission, object_type, part));
                let unknown = self
                    .state
                    .active_principal(principal, self.now)
                    .err()
                    .or_else(|| {
                        self.state
                            .catalog()
                            .permission(permission)
                            .is_none()
                            .then_some(Reason::UnknownPermission)
                    })
                    .or_else(|| {
                        let unknown = self.state.catalog().object_type(object_type).is_none();
                        unknown.then_some(Reason::UnknownObjectType)
                    });
                let expected = unknown.map_or(Ok(expected), Err);
                assert_eq!(found, expected, "{principal:?} {permission} {object_type}");
            }
        }
    }

    /// Every object of a type that is there, by creation, then id.
    fn living(&self, object_type: &str) -> Vec<ObjectRef> {
        let Some(known) = self.state.catalog().object_type(object_type) else { return Vec::new() };
        let mut found: BTreeMap<(Timestamp, ObjectRef), ObjectRef> = BTreeMap::new();
        let mut put = |at: Timestamp, object: ObjectRef| {
            found.insert((at, object.clone()), object);
        };
        let mut add = |at: Timestamp, id: String| put(at, object(object_type, id));
        match (self.state.catalog().lineage(known), object_type) {
            (Lineage::Singleton, _) => add(self.now, self.world.org.to_string()),
            (Lineage::Project, _) => {
                let living = self.state.projects().filter(|one| one.ended_at.is_none());
                living.for_each(|one| add(one.created_at, one.id.to_string()));
            }
            (_, "group") => {
                let living = self.state.groups().filter(|one| one.ended_at.is_none());
                living.for_each(|one| add(one.created_at, one.id.to_string()));
            }
            (_, "role") => {
                let living = self.state.roles().filter(|one| one.ended_at.is_none());
                living.for_each(|one| add(one.created_at, one.id.to_string()));
            }
            _ => {
                let of_type = self.state.objects().filter(|one| one.object.object_type == object_type);
                let living = of_type.filter(|one| one.ended_at.is_none());
                living.for_each(|one| put(one.created_at, one.object.clone()));
            }
        }
        found.into_values().collect()
    }

    fn permissions(&self, ordinal: usize) {
        let targets = brute::targets(self.state, self.world.org);
        let every = 5;
        let mut checker = self.snapshot.checker(self.world.org, self.now).unwrap();
        for principal in brute::principals(self.state) {
            for named in targets.iter().skip(ordinal % every).step_by(every) {
                let all = self.state.catalog().permissions().iter();
                let expected: Vec<String> =
                    all.filter(|one| self.allows(principal, one, named.target())).cloned().collect();
                let located = self.state.locate(named.target()).map(|_| ());
                let active = self.state.active_principal(principal, self.now).map(|_| ());
                let unknown = active.and(located).err();
                let found = checker.permissions(principal, named.target()).unwrap();
                assert_eq!(found, unknown.map_or(Ok(expected), Err), "{principal:?} {named:?}");
            }
        }
    }
}

/// All pages of an answer, two items each.
fn paged<T>(mut ask: impl FnMut(Part<'_>) -> Result<Reversed<Page<T>>, ViewError>) -> Reversed<Vec<T>> {
    let mut items = Vec::new();
    let mut after: Option<ListCursor> = None;
    loop {
        let page = ask(Part { after: after.as_ref(), limit: 2 }).unwrap()?;
        assert!(page.items.len() <= 2 && (page.next.is_none() || page.items.len() == 2));
        items.extend(page.items.into_iter().map(|listed| listed.thing));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}

#[test]
fn who_can_comes_down_nested_groups_and_a_deny_takes_away() {
    let mut world = World::settled(1);
    let stage = object("project", world.project("stage-a"));
    let who = |world: &World| {
        let writer = view_of(&world.records, usize::MAX);
        let snapshot = writer.reader().snapshot().unwrap();
        let mut checker = snapshot.checker(world.org, world.now).unwrap();
        let target = Target { object_type: &stage.object_type, id: &stage.id, project: None };
        paged(|part| checker.who_can("update", target, Whose::Everybody, part)).unwrap()
    };
    let [app, job] = ["app", "job"].map(|name| Principal::Token(world.token(name)));
    assert_eq!(who(&world), [world.owner.principal, app, job], "by way of low, nested in mid, and of mid");
    let update = Gives::Permissions(vec!["update".to_owned()]);
    let deny = Effect::Deny;
    world.grant(Grantee::Group(world.group("low")), update, Scope::Object(stage.clone()), deny);
    assert_eq!(who(&world), [world.owner.principal, job]);
}

#[test]
fn an_account_is_found_by_its_external_id_while_it_has_it() {
    let mut world = World::settled(1);
    let (app, job) = (world.token("app"), world.token("job"));
    let mut past: Vec<(Position, [Option<TokenId>; 3])> = Vec::new();
    let none = [None, None, None];
    past.push((world.position(), none));
    let change = |id: TokenId, external_id: Option<&str>| {
        Command::Token(TokenCommand::Update {
            id,
            name: None,
            description: None,
            external_id: Some(external_id.map(str::to_owned)),
            expires_at: None,
        })
    };
    for (command, expected) in [
        (change(app, Some("x")), [Some(app), None, None]),
        (change(app, Some("X")), [None, Some(app), None]),
        (change(job, Some("x")), [Some(job), Some(app), None]),
        (change(app, None), [Some(job), None, None]),
        (change(job, Some("caf\u{e9}")), [None, None, Some(job)]),
        (change(job, Some("x")), [Some(job), None, None]),
        (Command::Token(TokenCommand::Delete { id: job }), none),
        (change(app, Some("x")), [Some(app), None, None]),
    ] {
        world.must(command);
        past.push((world.position(), expected));
    }
    let writer = view_of(&world.records, usize::MAX);
    let snapshot = writer.reader().snapshot().unwrap();
    for (at, expected) in past {
        let found = ["x", "X", "caf\u{e9}"]
            .map(|text| snapshot.by_external_id::<Token>(world.org, text, at).unwrap().map(|token| token.id));
        assert_eq!(found, expected, "at {at}");
        assert!(snapshot.by_external_id::<Token>(world.org, "cafe\u{301}", at).unwrap().is_none());
        assert!(snapshot.by_external_id::<User>(world.org, "x", at).unwrap().is_none(), "kinds are apart");
    }
}

#[test]
fn a_cursor_that_is_none_is_an_error_and_no_answer() {
    let world = World::settled(1);
    let writer = view_of(&world.records, usize::MAX);
    let snapshot = writer.reader().snapshot().unwrap();
    let mut checker = snapshot.checker(world.org, world.now).unwrap();
    let org = world.org.to_string();
    let target = Target { object_type: "organization", id: &org, project: None };
    let nonsense = ListCursor::from_bytes(vec![7]);
    let part = Part { after: Some(&nonsense), limit: 1 };
    assert!(checker.who_can("read", target, Whose::Everybody, part).is_err());
    let nobody = Principal::User(UserId::from_u128(9));
    assert_eq!(checker.permissions(nobody, target).unwrap(), Err(Reason::UnknownPrincipal));
}
