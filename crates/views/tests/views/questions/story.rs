//! Examples that a person can follow: what an explanation and a set of accesses look like.

use std::collections::BTreeSet;

use grantbook_domain::{
    access::check::{Question, Reason, Target},
    command::{Command, Expiry, MemberCommand, ProjectCommand},
    id::{KeyId, OrgId},
    model::{Builtin, Effect, Gives, KeyHash},
    principal::{Grantee, Principal},
    scope::{Atom, Scope},
    time::Timestamp,
};
use grantbook_views::{Coverage, Obstacle, ProjectSet, Snapshot};

use crate::{
    questions::explain::Explained,
    world::{World, all_except, hash_of, labels, object, view_of},
};

fn snapshot(world: &World) -> Snapshot {
    view_of(&world.records, usize::MAX).reader().snapshot().unwrap()
}

fn explained(world: &World, question: &Question<'_>) -> Explained {
    let snapshot = snapshot(world);
    Explained::of(&mut snapshot.checker(world.org, world.now).unwrap(), question)
}

fn ask<'a>(principal: Principal, permission: &'a str, project: &'a str) -> Question<'a> {
    let object = Target { object_type: "project", id: project, project: None };
    Question { principal: Some(principal), key: None, permission, object }
}

#[test]
fn an_explanation_names_the_membership_the_grant_its_role_and_the_project() {
    let world = World::settled(5);
    let app = Principal::Token(world.token("app"));
    let dev = world.project("dev");
    let found = explained(&world, &ask(app, "update", &dev.to_string()));
    assert_eq!(found.explanation.reason, Reason::Granted);
    let [path] = found.allows.as_slice() else { panic!("one path, not {:?}", found.allows) };
    let [step] = path.via.as_slice() else { panic!("one membership, not {:?}", path.via) };
    assert_eq!((step.membership.member, step.membership.group), (app.into(), world.group("low")));
    let record = |position| world.records.iter().find(|one| one.position == position).unwrap();
    let events = &record(step.position).record.events;
    assert!(matches!(events.as_slice(), [grantbook_domain::event::Event::MemberAdded { .. }]));
    let events = &record(path.grant_position).record.events;
    assert!(matches!(events.as_slice(), [grantbook_domain::event::Event::GrantCreated { .. }]));
    let roles: Vec<_> = path.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(roles, ["lead", "writer"], "lead itself gives only read");
    assert!(matches!(path.coverage, Coverage::Included { project, by: Atom::All, .. } if project == dev));
}

#[test]
fn a_denial_names_the_exclude_that_took_the_project_out() {
    let world = World::settled(5);
    let app = Principal::Token(world.token("app"));
    let prod = world.project("prod-a");
    let found =
        snapshot(&world).explain(world.org, &ask(app, "update", &prod.to_string()), world.now).unwrap();
    assert_eq!(found.reason, Reason::NoGrant);
    assert_eq!((found.total(Effect::Allow), found.total(Effect::Deny)), (0, 0));
    let nearest = found.nearest(found.near()[0]).unwrap();
    assert_eq!(nearest.obstacles, [Obstacle::NotCovered]);
    let production = Atom::Label(labels(&[("env", "production")]));
    assert!(
        matches!(&nearest.path.coverage, Coverage::Excluded { project, by, .. } if *project == prod && *by == production)
    );
}

#[test]
fn what_expired_is_named_as_missing() {
    let mut world = World::settled(5);
    let (bot, group) = (world.token("bot"), world.group("low"));
    let until = world.now.plus_millis(5);
    world.must(Command::Member(MemberCommand::Add {
        group,
        member: Grantee::Token(bot),
        expires_at: Expiry::At(until),
    }));
    let dev = world.project("dev").to_string();
    let question = ask(Principal::Token(bot), "update", &dev);
    let view = snapshot(&world);
    let last = until.plus_millis(-1);
    assert_eq!(view.explain(world.org, &question, last).unwrap().reason, Reason::Granted);
    let found = view.explain(world.org, &question, until).unwrap();
    assert_eq!(found.reason, Reason::NoGrant);
    let nearest = found.nearest(found.near()[0]).unwrap();
    assert_eq!(nearest.obstacles, [Obstacle::MembershipExpired(until)]);
}

#[test]
fn a_deny_that_reaches_is_named_with_what_it_overrules() {
    let mut world = World::settled(5);
    let (low, dev) = (world.group("low"), world.project("dev"));
    let update = Gives::Permissions(vec!["update".to_owned()]);
    let deny = world.grant(Grantee::Group(low), update, Scope::Organization, Effect::Deny);
    let app = Principal::Token(world.token("app"));
    let found = explained(&world, &ask(app, "update", &dev.to_string()));
    assert_eq!(found.explanation.reason, Reason::DeniedByGrant);
    assert_eq!(found.denies.iter().map(|path| path.grant.id).collect::<Vec<_>>(), [deny]);
    assert_eq!(found.allows.len(), 1);
    assert!(found.explanation.near().is_empty());
}

#[test]
fn a_set_of_projects_is_cofinite_only_where_new_ones_join_it() {
    let mut world = World::settled(5);
    let bot = Grantee::Token(world.token("bot"));
    let gives = |name: &str| Gives::Permissions(vec![name.to_owned()]);
    world.allow(bot, gives("update"), all_except(&[("env", "production")]));
    world.allow(bot, gives("delete"), Scope::Object(object("project", world.project("dev"))));
    world.allow(bot, gives("read"), Scope::Organization);
    world.grant(bot, gives("read"), Scope::Object(object("dataset", "ds")), Effect::Deny);
    world.allow(bot, gives("deploy"), Scope::Object(object("dataset", "ds")));
    let access = snapshot(&world).access(world.org, Principal::Token(world.token("bot")), world.now).unwrap();
    let row = |permission: &str, object_type: &str| {
        let fits = |row: &&grantbook_views::AccessRow| {
            row.permission == permission && row.types.iter().any(|name| name == object_type)
        };
        access.rows.iter().find(fits).cloned()
    };
    let prod = BTreeSet::from([world.project("prod-a")]);
    assert_eq!(row("update", "project").unwrap().projects, ProjectSet::AllBut(prod));
    let dev = BTreeSet::from([world.project("dev")]);
    assert_eq!(row("delete", "dataset").unwrap().projects, ProjectSet::Only(dev));
    let read = row("read", "dataset").unwrap();
    assert_eq!(read.projects, ProjectSet::AllBut(BTreeSet::new()));
    let ds = object("dataset", "ds").within(Some(world.project("prod-a")));
    assert_eq!(read.except, BTreeSet::from([ds.clone()]));
    assert!(read.organization, "everywhere but for the one named");
    assert!(row("read", "project").unwrap().organization);
    let deploy = row("deploy", "dataset").unwrap();
    assert_eq!(deploy.objects, BTreeSet::from([ds]));
    assert_eq!(row("deploy", "project"), None);
    assert_eq!(row("update", "group"), None, "a selector reaches nothing outside projects");
}

#[test]
fn a_key_is_known_by_its_hash_and_only_in_its_organization() {
    let (one, other) = (World::settled(5), World::settled(6));
    let mut records = one.records.clone();
    let last = one.position().sequence();
    records.extend(other.records.iter().cloned().map(|mut recorded| {
        let sequence = last + recorded.position.sequence();
        recorded.position = grantbook_domain::position::Position::of(sequence, 0);
        recorded
    }));
    let view = view_of(&records, usize::MAX).reader().snapshot().unwrap();
    let key = one.state.keys().last().unwrap();
    assert_eq!(
        view.organizations().unwrap().into_iter().map(|org| org.id).collect::<Vec<_>>(),
        [one.org, other.org]
    );
    assert_eq!(view.org_of_key(key.id).unwrap(), Some(one.org));
    let found = view.authenticate(key.id, &hash_of(key.id), one.now).unwrap().unwrap();
    assert_eq!((found.org, found.caller.principal), (one.org, key.principal));
    let wrong = KeyHash([0; 32]);
    assert_eq!(view.authenticate(key.id, &wrong, one.now).unwrap(), Err(Reason::UnknownKey));
    let unknown = KeyId::from_u128(1);
    assert_eq!(view.authenticate(unknown, &wrong, one.now).unwrap(), Err(Reason::UnknownKey));
    let org = other.org.to_string();
    let object = Target { object_type: "organization", id: &org, project: None };
    let question = Question { principal: None, key: Some(key.id), permission: "read", object };
    assert_eq!(view.check(other.org, &question, one.now).unwrap(), Reason::UnknownKey);
    assert_eq!(view.check(one.org, &question, one.now).unwrap(), Reason::UnknownObject);
    let nowhere = view.check(OrgId::from_u128(3), &question, Timestamp::EPOCH).unwrap();
    assert_eq!(nowhere, Reason::UnknownKey);
}

#[test]
fn names_are_found_and_deleted_things_are_not() {
    let mut world = World::settled(5);
    let before = world.position();
    let (prod, owners) = (world.project("prod-a"), world.state.builtin_group(Builtin::Owner).unwrap());
    world.must(Command::Project(ProjectCommand::Delete { id: prod }));
    let again = world.create_project("prod-a", &[]);
    let view = snapshot(&world);
    let named = |at, name| {
        let listing = grantbook_views::Listing { at, after: None, name: Some(name), limit: 10 };
        let page = view.projects(world.org, &listing).unwrap();
        page.items.into_iter().map(|one| one.thing.id).collect::<Vec<_>>()
    };
    assert_eq!(named(world.position(), "prod-a"), [again]);
    assert_eq!(named(before, "prod-a"), [prod]);
    let listing =
        grantbook_views::Listing { at: before, after: None, name: Some("ada@EXAMPLE.com"), limit: 10 };
    let users = view.users(world.org, &listing).unwrap();
    assert_eq!(users.items.len(), 1, "e-mails are compared without case");
    let members =
        view.members_of(world.org, owners, &grantbook_views::Listing { name: None, ..listing }).unwrap();
    assert_eq!(members.items[0].thing.member, world.owner.principal.into());
    let grant = world.state.grants().find(|grant| grant.to == Grantee::Group(owners)).unwrap();
    assert!(view.lives(world.org, grant).unwrap());
}
