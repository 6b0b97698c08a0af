//! Objects created by name at the same moment, on one command service and on two.

use std::collections::BTreeSet;

use grantbook_command::{Fold, Outcome};
use grantbook_domain::{
    command::{Author, Command, IfTaken, ObjectCommand, ProjectCommand},
    event::Event,
    id::{ObjectId, ProjectId},
    model::RegisteredObject,
    scope::{Labels, ObjectRef},
};

use crate::given::{Given, START};

/// So many at once.
const RACERS: usize = 20;

async fn project(given: &Given) -> ProjectId {
    let id = given.ids.id();
    let command = ProjectCommand::Create { id, name: "home".to_owned(), labels: Labels::new() };
    given.submit(Command::Project(command)).await.unwrap();
    id
}

/// The outcomes, and the object that each command wanted to make.
async fn race(services: &[&Given], home: ProjectId, if_taken: IfTaken) -> Vec<(Outcome, ObjectRef)> {
    let racing: Vec<_> = (0..RACERS)
        .map(|n| {
            let given = services[n % services.len()];
            let id: ObjectId = given.ids.id();
            let object = ObjectRef::new("experiment", id.to_string()).within(Some(home));
            let create = ObjectCommand::Create { object: object.clone(), name: "run".to_owned(), if_taken };
            (given.spawn(given.submission(Command::Object(create))), object)
        })
        .collect();
    let mut outcomes = Vec::new();
    for (one, object) in racing {
        outcomes.push((one.await.unwrap().unwrap(), object));
    }
    outcomes
}

fn made(outcome: &Outcome) -> Option<RegisteredObject> {
    let record = outcome.record.as_ref()?;
    let [Event::ObjectRegistered { object }] = &record.events[..] else { panic!("{record:?}") };
    Some(object.clone())
}

async fn numbers(services: &[&Given], home: ProjectId) {
    let outcomes = race(services, home, IfTaken::Number).await;
    let objects: Vec<_> = outcomes.iter().map(|(outcome, _)| made(outcome).unwrap()).collect();
    let names: BTreeSet<_> = objects.iter().map(|object| object.name.clone().unwrap()).collect();
    let numbered = (2..=RACERS).map(|n| format!("run-{n}"));
    let expected: BTreeSet<_> = std::iter::once("run".to_owned()).chain(numbered).collect();
    assert_eq!(names, expected);
    let ids: BTreeSet<_> = objects.iter().map(|object| object.object.id.clone()).collect();
    assert_eq!(ids.len(), RACERS);
    let replayed = Fold::replay(&services[0].journal).await.unwrap();
    assert_eq!(replayed.organizations().next().unwrap().state().objects().count(), RACERS);
}

async fn uses(services: &[&Given], home: ProjectId) {
    let outcomes = race(services, home, IfTaken::Use).await;
    let objects: Vec<_> = outcomes.iter().filter_map(|(outcome, _)| made(outcome)).collect();
    let [winner] = &objects[..] else { panic!("one is made: {objects:?}") };
    assert_eq!(winner.name.as_deref(), Some("run"));
    for (outcome, wanted) in &outcomes {
        let author = Author::Caller(services[0].owner);
        let used = outcome.state.object_in_use(author, START, (wanted, "run"));
        assert_eq!(used.as_ref(), Some(winner), "the answer's state has it");
    }
    let replayed = Fold::replay(&services[0].journal).await.unwrap();
    assert_eq!(replayed.organizations().next().unwrap().state().objects().count(), 1);
}

#[tokio::test]
async fn creates_that_race_get_a_name_each_and_none_twice() {
    let one = Given::settled().await;
    let home = project(&one).await;
    numbers(&[&one], home).await;
    let one = Given::settled().await;
    let home = project(&one).await;
    let other = one.rival().await;
    numbers(&[&one, &other], home).await;
}

#[tokio::test]
async fn creates_that_race_to_use_one_object_make_one() {
    let one = Given::settled().await;
    let home = project(&one).await;
    uses(&[&one], home).await;
    let one = Given::settled().await;
    let home = project(&one).await;
    let other = one.rival().await;
    uses(&[&one, &other], home).await;
}
