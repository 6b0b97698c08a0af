//! The image in memory answers everything like the rows and like the domain's fold, after every record and around every
//! expiry; kept up batch by batch it says what one built from the rows says.

use std::sync::Arc;

use grantbook_domain::{
    access::check::Question,
    command::{Command, ObjectCommand},
    id::OrgId,
    model::{Effect, Gives, KeyHash, Narrowing},
    principal::{Grantee, Principal},
    record::Recorded,
    scope::Scope,
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{Image, Snapshot, ViewWriter};
use proptest::{collection::vec, prelude::*};

use crate::{
    brute::{self, Named},
    world::{INSTALLATION, Step, World, apply, frames, object},
};

proptest! {
    #![proptest_config(crate::draw::cases(10))]

    #[test]
    fn after_every_record_the_image_answers_like_the_rows_and_the_fold(steps in vec(any::<Step>(), 10..40)) {
        walk(&World::lived(5, &steps));
    }

    #[test]
    fn an_image_kept_up_in_batches_says_what_a_rebuilt_one_says(
        steps in vec(any::<Step>(), 10..120),
        size in 1_usize..9,
    ) {
        let mut world = World::settled(5);
        world.shares_frames = true;
        let world = world.living(&steps);
        let mut writer = kept();
        for records in frames(&world.records, size) {
            apply(&mut writer, records);
            let (image, snapshot) = both(&writer);
            prop_assert_eq!(image.content(), Image::build(&snapshot).unwrap().content());
        }
    }
}

/// Rare in drawn histories: grants on an object that was removed, also after it was registered again.
#[test]
fn grants_on_an_object_that_was_removed_stay_dead() {
    let mut world = World::settled(5);
    let ds = object("dataset", "ds").within(Some(world.project("prod-a")));
    for (name, permission, effect) in [("app", "delete", Effect::Allow), ("job", "read", Effect::Deny)] {
        let (to, gives) =
            (Grantee::Token(world.token(name)), Gives::Permissions(vec![permission.to_owned()]));
        world.grant(to, gives, Scope::Object(ds.clone()), effect);
    }
    world.must(Command::Object(ObjectCommand::Remove { object: ds.clone() }));
    world.must(Command::Object(ObjectCommand::Register { object: ds, name: None }));
    walk(&world);
}

/// Rare in drawn histories: keys narrowed to an object that was removed, also after it was registered again, by owners of
/// whatever lies there.
#[test]
fn keys_narrowed_to_an_object_that_was_removed_stay_dead() {
    let mut world = World::settled(5);
    let ds = object("dataset", "ds").within(Some(world.project("prod-a")));
    let app = world.token("app");
    world.allow(Grantee::Token(app), Gives::Permissions(vec!["read".to_owned()]), Scope::Organization);
    let on = || Some(Scope::Object(ds.clone()));
    let narrow = |on| Some(Narrowing { permissions: None, on, generation: 0 });
    world.issue_key(Principal::Token(app), None, narrow(on()));
    world.must(Command::Object(ObjectCommand::Remove { object: ds.clone() }));
    world.must(Command::Object(ObjectCommand::Register { object: ds.clone(), name: None }));
    world.issue_key(Principal::Token(app), None, narrow(on()));
    walk(&world);
}

/// Rare in drawn histories: a group further up denies what its own members and those of the groups below have.
#[test]
fn a_deny_of_any_group_above_counts() {
    for group in ["low", "mid", "high"] {
        let mut world = World::settled(5);
        let read = || Gives::Permissions(vec!["read".to_owned()]);
        world.allow(Grantee::Token(world.token("app")), read(), Scope::Organization);
        world.grant(Grantee::Group(world.group(group)), read(), Scope::Organization, Effect::Deny);
        walk(&world);
    }
}

/// A view in memory that keeps an image.
fn kept() -> ViewWriter {
    let mut writer = ViewWriter::in_memory(INSTALLATION).unwrap();
    writer.keep_image().unwrap();
    writer
}

fn both(writer: &ViewWriter) -> (Arc<Image>, Snapshot) {
    writer.publish_image();
    (writer.reader().image().unwrap(), writer.reader().snapshot().unwrap())
}

fn walk(world: &World) {
    let stranger = World::settled(2);
    let mut writer = kept();
    apply(&mut writer, &stranger.records[..1]);
    let mut state = OrgState::default();
    let settled = World::settled(5).records.len() - 1;
    for records in frames(&world.records, 1) {
        apply(&mut writer, records);
        for recorded in records {
            state.apply_record(&recorded.record);
        }
        let Recorded { position, record, .. } = records.last().unwrap();
        let (image, snapshot) = both(&writer);
        assert_eq!(image.sequence(), snapshot.sequence().unwrap());
        for org in [world.org, stranger.org, OrgId::from_u128(9)] {
            assert_eq!(image.position(org), snapshot.position(org).unwrap());
        }
        assert_eq!(image.position(world.org), *position);
        // The settling itself is the same in every case: ask from its end on.
        if usize::try_from(record.ordinal).unwrap() > settled {
            Asking { image: &image, snapshot: &snapshot, state: &state, org: world.org }
                .all(record.ordinal, record.at);
        }
    }
    unknown_organizations(&writer, world);
}

struct Asking<'a> {
    image: &'a Image,
    snapshot: &'a Snapshot,
    state: &'a OrgState,
    org: OrgId,
}

impl Asking<'_> {
    fn all(&self, ordinal: u64, at: Timestamp) {
        let (permissions, targets) = (brute::permissions(self.state), brute::targets(self.state, self.org));
        for (index, now) in brute::every_instant(self.state, at).into_iter().enumerate() {
            // At the record's instant everything; later, where only expiries differ, two permissions in turn.
            let turn = usize::try_from(ordinal).unwrap() + index;
            let some = [permissions[turn % permissions.len()].clone(), permissions[1].clone()];
            self.at(now, if index == 0 { &permissions } else { &some }, &targets);
        }
    }

    fn at(&self, now: Timestamp, permissions: &[String], targets: &[Named]) {
        let mut checker = self.snapshot.checker(self.org, now).unwrap();
        for question in brute::questions(self.state, permissions, targets) {
            let expected = brute::answer(self.state, &question, now);
            assert_eq!(self.image.check(self.org, &question, now), expected, "{question:?} at {now}");
            assert_eq!(checker.check(&question).unwrap(), expected, "{question:?} at {now}");
        }
        for target in targets.iter().map(Named::target) {
            let named = object(target.object_type, target.id);
            let homes = checker.homes(&named).unwrap();
            let (mut found, mut expected) = (self.image.homes(self.org, &named), homes);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{named:?}");
        }
        for key in self.state.keys() {
            for hash in [key.hash, KeyHash([1; 32])] {
                let expected = self.snapshot.authenticate(key.id, &hash, now).unwrap();
                assert_eq!(self.image.authenticate(key.id, &hash, now), expected);
            }
            assert_eq!(self.image.key_holder(self.org, key.id), Some(key.principal));
        }
    }
}

/// Questions under another organization, of which the image knows little or nothing.
fn unknown_organizations(writer: &ViewWriter, world: &World) {
    let (image, snapshot) = both(writer);
    let targets = brute::targets(&world.state, world.org);
    let somebody: Principal = world.owner.principal;
    for org in [OrgId::from_u128(9), World::settled(2).org] {
        for (principal, key) in
            [(Some(somebody), None), (None, world.owner.key), (Some(somebody), world.owner.key), (None, None)]
        {
            let question = Question { principal, key, permission: "read", object: targets[0].target() };
            let expected = snapshot.check(org, &question, world.now).unwrap();
            assert_eq!(image.check(org, &question, world.now), expected);
        }
    }
}
