//! What is said of a change is what it does: for everybody, every permission and every object, gained and lost are the
//! difference between two checks, and nobody outside of those whom the events can touch has any.

use std::{collections::BTreeSet, convert::Infallible};

use grantbook_domain::{
    access::{
        check::{Question, Target},
        effective::AccessRow,
        planned::{AccessDiff, Change},
    },
    catalog::Lineage,
    event::Event,
    principal::Principal,
    scope::ObjectRef,
    state::OrgState,
    time::Timestamp,
};
use proptest::{
    collection::vec,
    prelude::{any, prop_assert_eq, proptest},
    strategy::{Strategy, ValueTree},
    test_runner::{TestCaseError, TestRunner},
};

use crate::{
    attenuation::{draw::Bytes, setting::World},
    given::by,
};

/// A change: the states around it, and its events.
struct Told {
    before: OrgState,
    after: OrgState,
    events: Vec<Event>,
    at: Timestamp,
}

fn play(settling: &[Bytes], change: &[Bytes]) -> Told {
    let mut world = World::settled();
    let owner = by(Principal::User(world.org.owner));
    for bytes in settling {
        let command = world.draw_settling(*bytes);
        if let Ok(events) = world.org.act(owner, command) {
            world.remember(&events);
        }
    }
    let before = world.org.state.clone();
    let mut events = Vec::new();
    for bytes in change {
        let (author, command) = world.draw(*bytes);
        let author = if bytes[9] % 2 == 0 { owner } else { author };
        if let Ok(made) = world.org.act(author, command) {
            world.remember(&made);
            events.extend(made);
        }
    }
    world.org.pass(i64::from(change.first().map_or(0, |bytes| bytes[8] % 32)) * 100);
    Told { before, after: world.org.state.clone(), events, at: world.org.now }
}

/// Something to ask about.
#[derive(Debug)]
struct Asked {
    object: ObjectRef,
    project: Option<String>,
}

impl Asked {
    fn is_allowed(&self, state: &OrgState, who: Principal, permission: &str, at: Timestamp) -> bool {
        let object = self.target();
        state.check(&Question { principal: Some(who), key: None, permission, object }, at).allows()
    }

    fn target(&self) -> Target<'_> {
        let ObjectRef { object_type, id, .. } = &self.object;
        Target { object_type, id, project: self.project.as_deref() }
    }
}

impl Told {
    fn diff(&self) -> AccessDiff<'_> {
        AccessDiff { before: &self.before, after: &self.after, at: self.at }
    }

    /// Every object of a project there is or was, and every other object that is there all the time.
    fn asked(&self) -> Vec<Asked> {
        let own = self.after.id().unwrap().to_string();
        let mut asked = Vec::new();
        let mut ask = |object_type: &str, id: &str, project: Option<String>| {
            let object = ObjectRef::new(object_type, id);
            asked.push(Asked { object, project });
        };
        let catalog = self.after.catalog();
        for object_type in catalog.all_types() {
            let name = catalog.type_name(object_type);
            match catalog.lineage(object_type) {
                Lineage::Singleton => ask(name, &own, None),
                Lineage::Organization => {}
                Lineage::Project => {
                    self.after.projects().for_each(|project| ask(name, &project.id.to_string(), None));
                }
                Lineage::InProject => {
                    self.after.projects().for_each(|project| ask(name, "any", Some(project.id.to_string())));
                }
            }
        }
        self.after.groups().for_each(|group| ask("group", &group.id.to_string(), None));
        self.after.roles().for_each(|role| ask("role", &role.id.to_string(), None));
        for known in self.after.objects() {
            let project = known.object.project.map(|id| id.to_string());
            ask(&known.object.object_type, &known.object.id, project);
        }
        asked.retain(|one| {
            let lies_in_project = one.project.is_some() || one.object.object_type == "project";
            let there = |state: &OrgState| state.locate(one.target()).is_ok();
            lies_in_project || (there(&self.before) && there(&self.after))
        });
        asked
    }

    fn verify(&self) -> Result<usize, TestCaseError> {
        let diff = self.diff();
        let changes = diff.changes(&diff.touched(&self.events), |_| Ok::<(), Infallible>(())).unwrap();
        prop_assert_eq!(
            &changes,
            &diff.changes(&diff.everybody(), |_| Ok::<(), Infallible>(())).unwrap(),
            "nobody else is touched"
        );
        let catalog = self.after.catalog();
        let mut differences = 0;
        let asked = self.asked();
        for who in diff.everybody() {
            let change = changes.iter().find(|change| change.principals.contains(&who));
            for permission in catalog.permissions() {
                for one in &asked {
                    let had = one.is_allowed(&self.before, who, permission, self.at);
                    let has = one.is_allowed(&self.after, who, permission, self.at);
                    let says = |rows: fn(&Change) -> &[AccessRow], state| {
                        change.is_some_and(|change| holds(rows(change), permission, one, state))
                    };
                    let gained = says(|change| &change.gained, &self.after);
                    let lost = says(|change| &change.lost, &self.before);
                    let told = format!("{who:?} {permission} {one:?} {change:?}");
                    prop_assert_eq!((gained, lost), (has && !had, had && !has), "{}", told);
                    differences += usize::from(had != has);
                }
            }
        }
        Ok(differences)
    }
}

/// Whether the rows, of a state, have the permission on the object.
fn holds(rows: &[AccessRow], permission: &str, one: &Asked, state: &OrgState) -> bool {
    let Ok(located) = state.locate(one.target()) else { return false };
    rows.iter().filter(|row| row.permission == permission).any(|row| {
        let general = located.project.map_or(row.organization, |project| row.projects.has(project));
        row.types.contains(&one.object.object_type)
            && (row.objects.contains(&located.object) || (general && !row.except.contains(&located.object)))
    })
}

fn changes() -> impl Strategy<Value = (Vec<Bytes>, Vec<Bytes>)> {
    (vec(any::<Bytes>(), 4..10), vec(any::<Bytes>(), 1..8))
}

proptest! {
    #![proptest_config(crate::given::cases(200))]

    #[test]
    fn what_is_said_of_a_change_is_what_it_does((settling, change) in changes()) {
        play(&settling, &change).verify()?;
    }
}

/// The property is worth nothing if hardly anything changes.
#[test]
fn the_changes_are_strong_enough() {
    let mut runner = TestRunner::deterministic();
    let (mut differing, mut kinds) = (0, BTreeSet::new());
    for _ in 0..60 {
        let (settling, change) = changes().new_tree(&mut runner).unwrap().current();
        let told = play(&settling, &change);
        differing += usize::from(told.verify().unwrap() > 0);
        kinds.extend(
            told.events
                .iter()
                .filter_map(|event| format!("{event:?}").split_whitespace().next().map(str::to_owned)),
        );
    }
    assert!(differing >= 30 && kinds.len() >= 10, "only {differing} changes differ: {kinds:?}");
}
