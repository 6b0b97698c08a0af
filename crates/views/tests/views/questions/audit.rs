//! The history's filters against brute force over the records.

use grantbook_domain::{
    event::{Event, kind::EventKind},
    id::{GroupId, ProjectId},
    position::Position,
    principal::{Actor, Principal},
    record::Recorded,
    scope::ObjectRef,
    time::Timestamp,
};
use grantbook_views::{AuditFilter, AuditPage, Order, Snapshot};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use crate::world::{Step, World, object, view_of};

proptest! {
    #![proptest_config(crate::draw::cases(16))]

    #[test]
    fn filters_are_complete_and_exact(steps in vec(any::<Step>(), 20..60), cut in 0_usize..10) {
        let world = World::lived(5, &steps);
        let snapshot = view_of(&world.records, 5).reader().snapshot().unwrap();
        for filter in filters(&world, cut) {
            let expected: Vec<_> = world.records.iter().filter(|one| meets(&filter, one)).cloned().collect();
            prop_assert_eq!(&pages(&snapshot, &world, &filter, Order::Ascending), &expected, "{:?}", filter);
            let mut newest_first = expected;
            newest_first.reverse();
            prop_assert_eq!(pages(&snapshot, &world, &filter, Order::Descending), newest_first);
        }
    }
}

/// So many records of one project that its lists have full blocks, in frames of seven that lie ever further apart.
fn busy_world() -> World {
    let mut world = World::settled(5);
    let project = world.state.projects().next().unwrap().clone();
    let last = world.records.last().unwrap().clone();
    for number in 0..900 {
        let mut one = last.clone();
        one.position =
            Position::of(last.position.sequence() + 1 + (number / 7) * (number / 7 + 1), number % 7);
        one.record.ordinal += number + 1;
        one.record.at = last.record.at.plus_millis(i64::try_from(number / 3).unwrap());
        one.record.actor = if number % 50 == 0 { Actor::System } else { Actor::Operator };
        one.record.events = vec![Event::ProjectUpdated { project: project.clone() }];
        world.records.push(one);
    }
    world
}

#[test]
fn long_lists_are_walked_both_ways_from_anywhere() {
    let world = busy_world();
    let writer = view_of(&world.records, usize::MAX);
    let snapshot = writer.reader().snapshot().unwrap();
    let digest = snapshot.digest(None).unwrap();
    assert_eq!(view_of(&world.records, 1).reader().snapshot().unwrap().digest(None).unwrap(), digest);
    let project = world.state.projects().next().map(|project| project.id);
    let busy = AuditFilter { project, ..AuditFilter::default() };
    let rare = AuditFilter { actor: Some(Actor::System), ..busy.clone() };
    let by_object = AuditFilter { object: project.map(|id| object("project", id)), ..AuditFilter::default() };
    let judged = [(busy.clone(), busy.clone()), (by_object, busy), (rare.clone(), rare), Default::default()];
    for (filter, rule) in judged {
        let expected: Vec<_> = world.records.iter().filter(|one| meets(&rule, one)).collect();
        for here in &world.records {
            let next = |order| {
                let page = AuditPage { after: Some(here.position), order, limit: 1 };
                snapshot.audit(world.org, &filter, &page).unwrap().items.pop()
            };
            let after = expected.iter().find(|one| one.position > here.position);
            assert_eq!(next(Order::Ascending).as_ref(), after.copied());
            let before = expected.iter().rfind(|one| one.position < here.position);
            assert_eq!(next(Order::Descending).as_ref(), before.copied());
        }
    }
}

#[test]
fn an_instant_is_found_between_the_marks() {
    let world = busy_world();
    let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    let first = world.records.first().map(|one| one.record.at);
    assert_eq!(snapshot.first_record(world.org).unwrap(), first);
    for one in &world.records {
        for at in [-1, 0, 1].map(|millis| one.record.at.plus_millis(millis)) {
            let last = world.records.iter().rfind(|one| one.record.at <= at).map(|one| one.position);
            let moment = snapshot.moment_at(world.org, at).unwrap();
            assert_eq!((moment.position, moment.at), (last.unwrap_or(Position::START), at));
            let not_later = world.records.iter().filter(|one| one.record.at <= at).count() as u64;
            assert_eq!(snapshot.records_until(world.org, at).unwrap(), not_later);
            // From where a third of them are there, at a record's position or at none.
            let third = world.records[world.records.len() / 3].position;
            let third = Position::from_u64(third.get() + 1);
            let then = snapshot.as_of(third);
            let known = world.records.iter().filter(|one| one.record.at <= at && one.position <= third);
            assert_eq!(then.records_until(world.org, at).unwrap(), known.count() as u64);
            let page = AuditPage { after: None, order: Order::Ascending, limit: 1 };
            let filter = AuditFilter { from: Some(at), ..AuditFilter::default() };
            let first = snapshot.audit(world.org, &filter, &page).unwrap().items.pop();
            assert_eq!(first.as_ref(), world.records.iter().find(|one| one.record.at >= at));
        }
    }
}

/// Every condition alone and several in pairs.
fn filters(world: &World, cut: usize) -> Vec<AuditFilter> {
    let state = &world.state;
    let none = AuditFilter::default();
    let mut single = vec![none.clone()];
    let actors = [Actor::Operator, Actor::System, world.owner.principal.into()];
    single.extend(actors.map(|actor| AuditFilter { actor: Some(actor), ..none.clone() }));
    single.push(AuditFilter { credential: world.owner.key, ..none.clone() });
    let tokens = state.tokens().map(|token| Principal::Token(token.id));
    single.extend(tokens.map(|one| AuditFilter { principal: Some(one), ..none.clone() }));
    single.extend(state.groups().map(|one| AuditFilter { group: Some(one.id), ..none.clone() }));
    single.extend(state.projects().map(|one| AuditFilter { project: Some(one.id), ..none.clone() }));
    single.push(AuditFilter { object: Some(object("dataset", "ds")), ..none.clone() });
    let roles = state.roles().map(|one| object("role", one.id));
    single.extend(roles.map(|one| AuditFilter { object: Some(one), ..none.clone() }));
    // No record here is about webhooks.
    let several =
        [EventKind::KeyRotated, EventKind::MemberAdded, EventKind::WebhookDeleted, EventKind::ProjectUpdated];
    let one = |kind| AuditFilter { events: vec![kind], ..none.clone() };
    single.extend(several.into_iter().chain([EventKind::GrantCreated]).map(one));
    let several = several.to_vec();
    single.push(AuditFilter { events: several, ..none.clone() });
    let at = world.records[cut * (world.records.len() - 1) / 9].record.at;
    let spans =
        [(Some(at), None), (None, Some(at)), (Some(at), Some(at)), (Some(at), Some(at.plus_millis(2001)))];
    let mut filters = single.clone();
    for (from, to) in spans {
        filters.extend(single.iter().map(|one| AuditFilter { from, to, ..one.clone() }));
    }
    for group in state.groups() {
        let events = vec![EventKind::MemberAdded, EventKind::WebhookDeleted, EventKind::GroupCreated];
        filters.push(AuditFilter {
            group: Some(group.id),
            events,
            actor: Some(Actor::Operator),
            ..none.clone()
        });
    }
    filters
}

fn pages(snapshot: &Snapshot, world: &World, filter: &AuditFilter, order: Order) -> Vec<Recorded> {
    let mut found = Vec::new();
    let mut after: Option<Position> = None;
    loop {
        let page = AuditPage { after, order, limit: 3 };
        let records = snapshot.audit(world.org, filter, &page).unwrap();
        found.extend(records.items);
        match records.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

/// Judged on the record's JSON, so that the index's own reading of events is not trusted.
fn meets(filter: &AuditFilter, one: &Recorded) -> bool {
    let record = &one.record;
    let json = serde_json::to_value(&record.events).unwrap();
    let events = json.as_array().unwrap();
    let named = |kind: &EventKind| events.iter().any(|event| event.get(kind.name()).is_some());
    filter.actor.is_none_or(|actor| record.actor == actor)
        && filter.credential.is_none_or(|key| record.credential == Some(key))
        && (filter.events.is_empty() || filter.events.iter().any(named))
        && filter.principal.is_none_or(|principal| touches_principal(&json, principal))
        && filter.group.is_none_or(|group| touches_group(&json, group))
        && filter.project.is_none_or(|project| touches_project(&json, project))
        && filter.object.as_ref().is_none_or(|object| touches_object(&json, object))
        && filter.from.is_none_or(|from: Timestamp| record.at >= from)
        && filter.to.is_none_or(|to| record.at < to)
}

fn mentions(json: &Value, what: &dyn Fn(&str, &Value) -> bool) -> bool {
    match json {
        Value::Object(fields) => fields.iter().any(|(key, value)| what(key, value) || mentions(value, what)),
        Value::Array(items) => items.iter().any(|item| mentions(item, what)),
        _ => false,
    }
}

fn is_thing(value: &Value, id: &str) -> bool {
    value.get("id").and_then(Value::as_str) == Some(id)
}

fn typed(value: &Value, object_type: &str, id: &str) -> bool {
    value.get("type").and_then(Value::as_str) == Some(object_type) && is_thing(value, id)
}

fn touches_principal(json: &Value, principal: Principal) -> bool {
    let (kind, id) = match principal {
        Principal::User(id) => ("user", id.to_string()),
        Principal::Token(id) => ("token", id.to_string()),
    };
    mentions(json, &|key, value| (key == kind && is_thing(value, &id)) || typed(value, kind, &id))
}

fn touches_group(json: &Value, group: GroupId) -> bool {
    let id = group.to_string();
    mentions(json, &|key, value| {
        key == "group" && (is_thing(value, &id) || value.as_str() == Some(&id)) || typed(value, "group", &id)
    })
}

fn touches_project(json: &Value, project: ProjectId) -> bool {
    let id = project.to_string();
    mentions(json, &|key, value| {
        key == "project" && (is_thing(value, &id) || value.as_str() == Some(&id))
            || typed(value, "project", &id)
            || (matches!(key, "include" | "exclude")
                && value.as_array().is_some_and(|atoms| atoms.iter().any(|atom| is_thing(atom, &id))))
    })
}

fn touches_object(json: &Value, object: &ObjectRef) -> bool {
    let ObjectRef { object_type, id, .. } = object;
    mentions(json, &|key, value| {
        typed(value, object_type, id)
            || key == object_type && is_thing(value, id)
            // A grant's `gives` names a role by its bare id.
            || object_type == "role" && key == "role" && value.as_str() == Some(id)
    })
}
