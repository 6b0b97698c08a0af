//! Objects created by name: Grantbook chooses the id, and a name that is taken gets a number or leads to the object that has it.

use grantbook_domain::{
    command::{Author, Command, GrantCommand, IfTaken, ObjectCommand, ProjectCommand},
    event::Event,
    id::{Id, ObjectId, ProjectId},
    limits::{Limit, Limits},
    model::{Effect, Gives, RegisteredObject},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
};
use proptest::{collection::vec, prelude::*};

use crate::given::{Give, Org, by, cases, object, on_project};

const TYPES: [&str; 2] = ["experiment", "dataset"];

/// With an id of its own that the organization never gave before.
fn create(org: &mut Org, place: (&str, Option<ProjectId>), name: &str, if_taken: IfTaken) -> Command {
    let id: ObjectId = org.id();
    let object = object(place.0, &id.to_string()).within(place.1);
    Command::Object(ObjectCommand::Create { object, name: name.to_owned(), if_taken })
}

#[track_caller]
fn created(events: &[Event]) -> &RegisteredObject {
    let [Event::ObjectRegistered { object }] = events else { panic!("one object: {events:?}") };
    assert!(object.minted && object.generation == 1 && object.ended_at.is_none(), "{object:?}");
    object
}

#[track_caller]
fn name_of(org: &mut Org, place: (&str, Option<ProjectId>), name: &str) -> String {
    let command = create(org, place, name, IfTaken::Number);
    created(&org.done(command)).name.clone().expect("named")
}

fn register(id: &str, project: ProjectId, name: &str) -> Command {
    let object = object("experiment", id).within(Some(project));
    Command::Object(ObjectCommand::Register { object, name: Some(name.to_owned()) })
}

#[test]
fn a_taken_name_gets_the_first_free_number_in_its_project_and_type() {
    let mut org = Org::founded();
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    let place = ("experiment", Some(home));
    for expected in ["run", "run-2", "run-3"] {
        assert_eq!(name_of(&mut org, place, "run"), expected);
    }
    assert_eq!(name_of(&mut org, ("experiment", Some(other)), "run"), "run", "another project");
    assert_eq!(name_of(&mut org, ("dataset", Some(home)), "run"), "run", "another type");
    assert_eq!(name_of(&mut org, place, "Run"), "Run", "bytewise");
    assert_eq!(
        name_of(&mut org, place, "run-2"),
        "run-2-2",
        "a number is part of the name that is asked for"
    );
    org.done(register("own", home, "run-5"));
    assert_eq!(name_of(&mut org, place, "run"), "run-4");
    assert_eq!(name_of(&mut org, place, "run"), "run-6", "a caller's own object has its name too");
    let second =
        org.state.objects_named("experiment", Some(home), "run-2").next().expect("made").object.clone();
    org.done(Command::Object(ObjectCommand::Remove { object: second }));
    assert_eq!(name_of(&mut org, place, "run"), "run-2", "a removed object's name is free");
    let first = org.state.objects_named("experiment", Some(home), "run").next().expect("made").object.clone();
    let name = Some(Some("renamed".to_owned()));
    org.done(Command::Object(ObjectCommand::Update { object: first, name }));
    assert_eq!(name_of(&mut org, place, "run"), "run", "so is one that was given up");
}

#[test]
fn a_name_that_many_have_costs_no_more_and_leads_above_the_highest_number() {
    let mut org = Org::founded();
    let home = org.project("home", &[]);
    let place = ("experiment", Some(home));
    let cost = |org: &Org, command: &Command| {
        let request =
            grantbook_domain::command::Request { author: org.ada(), at: org.now, command: command.clone() };
        org.state.decide_within(&request, &Limits::DEFAULT).1.deciding
    };
    for id in 0..1500_u32 {
        org.done(register(&format!("own {id}"), home, if id == 0 { "run" } else { "run-2" }));
    }
    let command = create(&mut org, place, "run", IfTaken::Number);
    let dear = cost(&org, &command);
    assert!((1000..1100).contains(&dear), "{dear}");
    assert_eq!(name_of(&mut org, place, "run"), "run-3", "above the highest");
    for id in 1500..3000_u32 {
        org.done(register(&format!("own {id}"), home, "run-2"));
    }
    let command = create(&mut org, place, "run", IfTaken::Number);
    assert_eq!(cost(&org, &command), dear, "twice as many cost the same");
    org.done(register("last", home, "run-4294967295"));
    let ada = org.ada();
    assert_eq!(org.act(ada, command), Err(Refusal::NameTaken(Kind::Object)), "nothing is above the highest");
    assert_eq!(name_of(&mut org, place, "other"), "other");
}

#[test]
fn a_numbered_name_fits_as_names_do() {
    let mut org = Org::founded();
    let (home, ada) = (org.project("home", &[]), org.ada());
    let place = ("experiment", Some(home));
    let long = "n".repeat(255);
    assert_eq!(name_of(&mut org, place, &long), long);
    let command = create(&mut org, place, &long, IfTaken::Number);
    let refusal = org.act(ada, command).expect_err("two bytes too long");
    assert_eq!((refusal.code(), refusal.pointer().as_deref()), ("invalid", Some("/name")));
    for name in ["", " x", "01900000-0000-7000-8000-000000000001"] {
        let command = create(&mut org, place, name, IfTaken::Use);
        assert_eq!(org.act(ada, command).expect_err(name).pointer().as_deref(), Some("/name"));
    }
    for (place, pointer) in
        [(("experiment", None), "/project"), (("group", None), "/type"), (("nothing", Some(home)), "/type")]
    {
        let command = create(&mut org, place, "x", IfTaken::Number);
        assert_eq!(org.act(ada, command).expect_err(pointer).pointer().as_deref(), Some(pointer));
    }
    org.done(Command::Project(ProjectCommand::Delete { id: home }));
    let command = create(&mut org, place, "x", IfTaken::Use);
    assert_eq!(org.act(ada, command), Err(Refusal::no_such(Kind::Project, "/project")));
}

#[test]
fn the_object_that_has_the_name_is_used_by_who_may_read_it() {
    let mut org = Org::founded();
    let home = org.project("home", &[]);
    let place = ("experiment", Some(home));
    let ada = org.ada();
    org.done(register("a", home, "run"));
    let command = create(&mut org, place, "fresh", IfTaken::Use);
    let minted = created(&org.done(command)).object.clone();
    let rename = Some(Some("run".to_owned()));
    org.done(Command::Object(ObjectCommand::Update { object: minted.clone(), name: rename }));
    let command = create(&mut org, place, "run", IfTaken::Use);
    assert!(org.done(command.clone()).is_empty());
    let wanted = object("experiment", "").within(Some(home));
    let used = org.state.object_in_use(ada, org.now, (&wanted, "run")).expect("seen");
    assert_eq!(used.object, minted, "before the one that a caller registered");

    let maker = Principal::Token(org.token("maker"));
    org.give(Give::allow(maker, &["create"], on_project(home)));
    let refusal = org.decide(by(maker), command.clone()).expect_err("unseen");
    assert_eq!(org.state.object_in_use(by(maker), org.now, (&wanted, "run")), None);
    let stranger = Principal::Token(org.token("stranger"));
    org.give(Give::allow(stranger, &["read"], on_project(home)));
    assert_eq!(
        org.decide(by(stranger), command.clone()),
        Err(refusal),
        "the same as without the right to create"
    );
    let numbered = create(&mut org, place, "run", IfTaken::Number);
    assert_eq!(created(&org.decide(by(maker), numbered).expect("may create")).name.as_deref(), Some("run-2"));
    org.give(Give::allow(maker, &["read"], Scope::Object(minted)));
    assert_eq!(org.decide(by(maker), command), Ok(Vec::new()));
}

#[test]
fn an_id_that_was_chosen_for_an_object_is_not_a_callers_own_anywhere() {
    let mut org = Org::founded();
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    let command = create(&mut org, ("experiment", Some(home)), "run", IfTaken::Number);
    let ObjectRef { id, .. } = created(&org.done(command.clone())).object.clone();
    let ada = org.ada();
    for (object_type, project) in [("experiment", home), ("experiment", other), ("dataset", home)] {
        let object = object(object_type, &id).within(Some(project));
        let refusal = org.act(ada, Command::Object(ObjectCommand::Register { object, name: None }));
        assert_eq!(refusal.expect_err("ours").pointer().as_deref(), Some("/id"));
    }
    assert_eq!(org.act(ada, command).expect_err("the same id again").code(), "invalid");
}

#[test]
fn later_commands_of_a_batch_name_what_an_earlier_one_made() {
    let mut org = Org::founded();
    let maker = Principal::Token(org.token("maker"));
    let home = org.project("home", &[]);
    org.give(Give::allow(maker, &["create", "read", "create_acls"], on_project(home)));
    let mut batch = |if_taken| {
        let make = create(&mut org, ("experiment", Some(home)), "run", if_taken);
        let Command::Object(ObjectCommand::Create { object, .. }) = &make else { panic!("a create") };
        let give = Command::Grant(GrantCommand::Create {
            id: org.id(),
            to: Grantee::from(maker),
            gives: Gives::Permissions(vec!["read".to_owned()]),
            on: Scope::Object(object.clone()),
            effect: Effect::Allow,
            object_type: None,
            expires_at: None,
            reason: None,
        });
        org.act(by(maker), Command::Batch(vec![make, give]))
    };
    assert_eq!(batch(IfTaken::Number).expect("made and given").len(), 2);
    assert_eq!(batch(IfTaken::Number).expect("run-2").len(), 2);
    let refusal = batch(IfTaken::Use).expect_err("nothing has the id that was not needed");
    assert_eq!(
        (refusal.code(), refusal.pointer().as_deref()),
        ("not_found", Some("/commands/1/body/on/object/id"))
    );
}

#[test]
fn the_limit_of_work_holds_for_looking_at_names() {
    let mut org = Org::founded();
    let home = org.project("home", &[]);
    for id in 0..60_u32 {
        org.done(register(&format!("own {id}"), home, if id == 0 { "run" } else { "run-2" }));
    }
    let command = create(&mut org, ("experiment", Some(home)), "run", IfTaken::Number);
    let request = grantbook_domain::command::Request { author: org.ada(), at: org.now, command };
    let limits = Limits { command_work: 50, ..Limits::DEFAULT };
    let refusal = org.state.decide_within(&request, &limits).0.expect_err("sixty looks");
    assert_eq!(refusal.limit(), Some(Limit::CommandWork));
}

/// Where commands may work: three projects, two types, a type without project, and few names that all collide.
fn settled() -> (Org, Vec<(&'static str, Option<ProjectId>)>) {
    let mut org = Org::founded();
    org.extend(&[("vault", "organization")], &[]);
    let projects = ["a", "b", "c"].map(|name| org.project(name, &[]));
    let mut places: Vec<_> =
        projects.iter().flat_map(|home| TYPES.map(|object_type| (object_type, Some(*home)))).collect();
    places.push(("vault", None));
    for place in &places {
        for name in ["n", "n-2", "n-4"] {
            name_of(&mut org, *place, name);
        }
    }
    (org, places)
}

const NAMES: [&str; 8] = ["n", "n-2", "n-3", "n-4", "n-2-2", "m", "n-02", "n-"];

/// The living objects with the name, found by looking at every object there ever was.
fn slow<'a>(org: &'a Org, place: (&str, Option<ProjectId>), name: &str) -> Vec<&'a RegisteredObject> {
    let lives = |known: &&RegisteredObject| org.state.living_object(&known.object).is_some();
    let mut found: Vec<_> = org.state.objects().filter(lives).collect();
    found.retain(|known| (known.object.object_type.as_str(), known.object.project) == place);
    found.retain(|known| known.name.as_deref() == Some(name));
    found.sort_by_key(|known| (!known.minted, known.object.id.clone()));
    found
}

fn expected_name(org: &Org, place: (&str, Option<ProjectId>), name: &str) -> String {
    let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
    let mut wanted = std::iter::once(name.to_owned()).chain(numbered);
    wanted.find(|name| slow(org, place, name).is_empty()).expect("there is always one")
}

fn draw(org: &mut Org, places: &[(&str, Option<ProjectId>)], [kind, place, name, which]: [u8; 4]) -> Command {
    let place = places[usize::from(place) % places.len()];
    let name = NAMES[usize::from(name) % NAMES.len()];
    let known: Vec<_> = org.state.objects().map(|known| known.object.clone()).collect();
    let object = known[usize::from(which) % known.len()].clone();
    match kind % 12 {
        0..=2 => create(org, place, name, IfTaken::Number),
        3 => create(org, place, name, IfTaken::Use),
        4..=5 => {
            let object = ObjectRef::new(place.0, format!("own {}", which % 4)).within(place.1);
            Command::Object(ObjectCommand::Register { object, name: Some(name.to_owned()) })
        }
        6..=7 => Command::Object(ObjectCommand::Update { object, name: Some(Some(name.to_owned())) }),
        8 => Command::Object(ObjectCommand::Update { object, name: Some(None) }),
        9..=10 => Command::Object(ObjectCommand::Remove { object }),
        _ if which % 8 == 0 => {
            Command::Project(ProjectCommand::Delete { id: place.1.unwrap_or(Id::from_u128(1)) })
        }
        _ => Command::Object(ObjectCommand::Remove { object }),
    }
}

fn judge(org: &Org, command: &Command, decided: &Result<Vec<Event>, Refusal>) {
    let Command::Object(ObjectCommand::Create { object, name, if_taken }) = command else { return };
    let place = (object.object_type.as_str(), object.project);
    let Ok(events) = decided else {
        let home = object.project.and_then(|home| org.state.living_project(home));
        assert!(home.is_none(), "{decided:?}");
        return;
    };
    let holders = slow(org, place, name);
    match (if_taken, holders.first()) {
        (IfTaken::Use, Some(holder)) => {
            assert!(events.is_empty());
            let used = org.state.object_in_use(org.ada(), org.now, (object, name));
            assert_eq!(used.as_ref(), Some(*holder));
        }
        (IfTaken::Use | IfTaken::Number, _) => {
            let expected = expected_name(org, place, name);
            assert_eq!(created(events).name.as_deref(), Some(expected.as_str()));
        }
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn names_are_found_as_by_looking_at_every_object(history in vec(any::<[u8; 4]>(), 1..40)) {
        let (mut org, places) = settled();
        let ada: Author = org.ada();
        for bytes in history {
            let command = draw(&mut org, &places, bytes);
            let decided = org.decide(ada, command.clone());
            judge(&org, &command, &decided);
            let _ = org.act(ada, command);
            for place in &places {
                for name in NAMES {
                    let found: Vec<_> = org.state.objects_named(place.0, place.1, name).collect();
                    prop_assert_eq!(found, slow(&org, *place, name), "{:?} {}", place, name);
                }
            }
        }
    }
}
