//! What may be asked about: every object that exists, every project that could, and every instant at which an answer
//! can change.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::{
    access::check::{Located, Target},
    catalog::{ObjectType, TypeDefinition},
    command::Author,
    event::Event,
    id::ProjectId,
    model::Project,
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    state::OrgState,
    time::Timestamp,
};

/// An object as it lies before and after.
pub(super) struct Place {
    pub(super) before: Located,
    pub(super) after: Located,
}

/// Copies of both states with the types and projects that could be: a project for each combination of the names and labels that
/// selectors mention, and the project that the command itself made.
pub(super) fn with_possible_projects(
    before: &OrgState,
    after: &OrgState,
    made: &[Event],
) -> (OrgState, OrgState) {
    let (mut one, mut other) = (before.clone(), after.clone());
    for event in made.iter().filter(|event| matches!(event, Event::ProjectCreated { .. })) {
        one.apply(Author::Operator.into(), event);
    }
    let type_to_come =
        |name: &str, parent: &str| TypeDefinition { name: name.to_owned(), parent: parent.to_owned() };
    let object_types =
        vec![type_to_come("to-come-inside", "project"), type_to_come("to-come", "organization")];
    let mut events = vec![Event::CatalogExtended { object_types, permissions: Vec::new() }];
    events.extend(possible_projects(before, after).map(|project| Event::ProjectCreated { project }));
    for event in &events {
        one.apply(Author::Operator.into(), event);
        other.apply(Author::Operator.into(), event);
    }
    (one, other)
}

fn possible_projects(before: &OrgState, after: &OrgState) -> impl Iterator<Item = Project> + use<> {
    let selectors = selectors(before).chain(selectors(after)).cloned();
    let atoms: BTreeSet<Atom> = selectors
        .flat_map(|Selector { include, exclude }| [include.to_vec(), exclude.to_vec()].concat())
        .collect();
    let (names, labels) = (names_mentioned(&atoms), labels_mentioned(&atoms));
    let pairs = names
        .into_iter()
        .flat_map(move |name| labels.clone().into_iter().map(move |labels| (name.clone(), labels)));
    pairs.zip(0_u128..).map(|((name, labels), number)| Project {
        id: ProjectId::from_u128((0xffff << 96) + number),
        name,
        labels,
        created_at: Timestamp::EPOCH,
        ended_at: None,
    })
}

fn selectors(state: &OrgState) -> impl Iterator<Item = &Selector> {
    let of_grants = state.grants_by_selector().map(|grant| &grant.on);
    let of_keys = state.keys().filter_map(|key| key.narrow.as_ref()?.on.as_ref());
    of_grants.chain(of_keys).filter_map(|scope| match scope {
        Scope::Projects(selector) => Some(selector),
        Scope::Organization | Scope::Object(_) => None,
    })
}

/// Each pattern's shortest name, a longer one, and a name that no selector mentions.
fn names_mentioned(atoms: &BTreeSet<Atom>) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["unheard of".to_owned()]);
    for atom in atoms {
        if let Atom::Name(pattern) = atom {
            names.extend([pattern.replace('*', ""), pattern.replace('*', "~")]);
        }
    }
    names
}

/// Every combination of a mentioned value, another value, or none, for each mentioned key.
fn labels_mentioned(atoms: &BTreeSet<Atom>) -> Vec<Labels> {
    let mut values: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for atom in atoms {
        let Atom::Label(labels) = atom else { continue };
        for (key, value) in labels {
            values.entry(key).or_insert_with(|| BTreeSet::from([None])).insert(Some(value));
        }
    }
    let mut combinations = vec![Labels::new()];
    for (key, values) in values {
        let with = |labels: &Labels| {
            let labels = labels.clone();
            values.clone().into_iter().map(move |value| {
                let mut labels = labels.clone();
                labels.extend(value.map(|value| (key.to_owned(), value.to_owned())));
                labels
            })
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    combinations
}

/// Every object that exists in both states, or could.
pub(super) fn places(before: &OrgState, after: &OrgState) -> Vec<Place> {
    let own = before.id().map(|id| id.to_string()).unwrap_or_default();
    let mut asked: Vec<(&str, String, Option<String>)> = Vec::new();
    for object_type in ["organization", "org_project", "org_member", "org_audit_logs"] {
        asked.push((object_type, own.clone(), None));
    }
    asked.extend(before.groups().map(|group| ("group", group.id.to_string(), None)));
    asked.extend(before.roles().map(|role| ("role", role.id.to_string(), None)));
    for project in before.projects() {
        let id = project.id.to_string();
        asked.push(("project", id.clone(), None));
        asked.push(("experiment", "any".to_owned(), Some(id.clone())));
        asked.push(("to-come-inside", "any".to_owned(), Some(id)));
    }
    let registered =
        before.objects().map(|known| (&known.object, known.object.project.map(|id| id.to_string())));
    asked.extend(
        registered.map(|(object, project)| (object.object_type.as_str(), object.id.clone(), project)),
    );
    let found = asked.iter().filter_map(|(object_type, id, project)| {
        let target = Target { object_type, id, project: project.as_deref() };
        Some(Place { before: before.locate(target).ok()?, after: after.locate(target).ok()? })
    });
    found
        .chain(to_come(before, after, ObjectType::GROUP, "group"))
        .chain(to_come_by_name(before, after))
        .collect()
}

/// An object that is not there yet.
fn to_come(before: &OrgState, after: &OrgState, object_type: ObjectType, name: &str) -> Option<Place> {
    let object = ObjectRef::new(name, "to come");
    let located = Located { object_type, object, project: None, generation: 0 };
    let later = Located { object_type: after.catalog().object_type(name)?, ..located.clone() };
    Some(Place {
        before: Located { object_type: before.catalog().object_type(name)?, ..located },
        after: later,
    })
}

fn to_come_by_name(before: &OrgState, after: &OrgState) -> Option<Place> {
    to_come(before, after, before.catalog().object_type("to-come")?, "to-come")
}

/// Now, and just before and at every expiry after it.
pub(super) fn instants(before: &OrgState, after: &OrgState, at: Timestamp) -> Vec<Timestamp> {
    let mut instants = BTreeSet::from([at]);
    for state in [before, after] {
        let grants = state.grants().filter_map(|grant| grant.expires_at);
        let tokens = state.tokens().filter_map(|token| token.expires_at);
        let keys = state.keys().filter_map(|key| key.expires_at);
        let groups = state.groups().flat_map(|group| state.members_of(group.id));
        let members = groups.filter_map(|membership| membership.expires_at);
        for expiry in grants.chain(tokens).chain(keys).chain(members).filter(|expiry| *expiry > at) {
            instants.extend([expiry.plus_millis(-1), expiry]);
        }
    }
    instants.into_iter().collect()
}
