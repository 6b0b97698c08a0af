//! Names: unique among the living, per kind, bytewise; short, trimmed, one line, unlike an id.

use grantbook_domain::{
    command::{Command, GroupCommand, ProjectCommand, RoleCommand, TokenCommand},
    event::Event,
    id::Id,
    model::KeyHash,
    refusal::{Kind, Refusal},
    scope::Labels,
    state::founding::Founding,
    text::TextFault,
};

use crate::given::{Org, START};

const KINDS: [Kind; 4] = [Kind::Token, Kind::Group, Kind::Role, Kind::Project];

fn create(org: &mut Org, kind: Kind, name: &str) -> Result<Vec<Event>, Refusal> {
    let (name, ada) = (name.to_owned(), org.ada());
    let command = match kind {
        Kind::Token => {
            let (description, external_id, expires_at) = (None, None, None);
            Command::Token(TokenCommand::Create { id: org.id(), name, description, external_id, expires_at })
        }
        Kind::Group => Command::Group(GroupCommand::Create { id: org.id(), name, description: None }),
        Kind::Role => {
            Command::Role(RoleCommand::Create { id: org.id(), name, permissions: vec![], includes: vec![] })
        }
        _ => Command::Project(ProjectCommand::Create { id: org.id(), name, labels: Labels::new() }),
    };
    org.act(ada, command)
}

fn end(event: &Event) -> Command {
    match event {
        Event::TokenCreated { token } => Command::Token(TokenCommand::Delete { id: token.id }),
        Event::GroupCreated { group } => Command::Group(GroupCommand::Delete { id: group.id }),
        Event::RoleCreated { role } => Command::Role(RoleCommand::Delete { id: role.id }),
        Event::ProjectCreated { project } => Command::Project(ProjectCommand::Delete { id: project.id }),
        other => panic!("{other:?}"),
    }
}

fn rename(event: &Event, name: &str) -> Command {
    let name = Some(name.to_owned());
    match event {
        Event::TokenCreated { token } => Command::Token(TokenCommand::Update {
            id: token.id,
            name,
            description: None,
            external_id: None,
            expires_at: None,
        }),
        Event::GroupCreated { group } => {
            Command::Group(GroupCommand::Update { id: group.id, name, description: None })
        }
        Event::RoleCreated { role } => {
            Command::Role(RoleCommand::Update { id: role.id, name, permissions: None, includes: None })
        }
        Event::ProjectCreated { project } => {
            Command::Project(ProjectCommand::Update { id: project.id, name, labels: None })
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_is_taken_among_the_living_of_a_kind_and_free_afterwards() {
    let mut org = Org::founded();
    for kind in KINDS {
        let first = create(&mut org, kind, "same").expect("other kinds do not matter");
        assert_eq!(create(&mut org, kind, "same"), Err(Refusal::NameTaken(kind)));
        let second = create(&mut org, kind, "Same").expect("bytewise");
        let ada = org.ada();
        assert_eq!(org.act(ada, rename(&second[0], "same")), Err(Refusal::NameTaken(kind)));
        org.done(rename(&first[0], "other"));
        org.done(rename(&second[0], "same"));
        org.done(end(&second[0]));
        create(&mut org, kind, "same").expect("free again");
    }
}

#[test]
fn every_name_has_the_same_limits() {
    let mut org = Org::founded();
    for kind in KINDS {
        for (name, fault) in [
            ("", TextFault::Empty),
            (" a", TextFault::NotTrimmed),
            ("a\u{a0}", TextFault::NotTrimmed),
            ("a\u{7}b", TextFault::Control),
            ("a\u{85}b", TextFault::Control),
            (&"a".repeat(257), TextFault::TooLong(256)),
            ("01900000-0000-7000-8000-000000000001", TextFault::LooksLikeId),
            ("01900000-0000-7000-8000-00000000000A", TextFault::LooksLikeId),
            ("01900000000070008000000000000001", TextFault::LooksLikeId),
        ] {
            let pointer = "/name".to_owned();
            assert_eq!(create(&mut org, kind, name), Err(Refusal::Text { pointer, fault }), "{name:?}");
        }
        for name in ["a", &"a".repeat(256), "gr\u{fc}n \u{2713}"] {
            create(&mut org, kind, name).expect(name);
        }
    }
}

#[test]
fn what_was_there_before_a_rule_is_not_judged_by_it() {
    let mut org = Org::founded();
    let (hidden, ada) = ("ci\u{202e}tob", org.ada());
    let (token, project) = (org.token("t"), org.project("p", &[("env", "dev")]));
    let mut old = org.state.token(token).expect("made").clone();
    old.name = hidden.to_owned();
    org.state.apply(grantbook_domain::command::Author::Operator.into(), &Event::TokenUpdated { token: old });
    let mut old = org.state.project(project).expect("made").clone();
    old.name = hidden.to_owned();
    old.labels.insert(hidden.to_owned(), String::new());
    org.state.apply(
        grantbook_domain::command::Author::Operator.into(),
        &Event::ProjectUpdated { project: old.clone() },
    );
    let update = |name: Option<&str>, description: &str| {
        Command::Token(TokenCommand::Update {
            id: token,
            name: name.map(str::to_owned),
            description: Some(Some(description.to_owned())),
            external_id: None,
            expires_at: None,
        })
    };
    assert_eq!(org.done(update(None, "a description")).len(), 1, "the old name is left alone");
    let refused = |pointer: &str, fault| Err(Refusal::Text { pointer: pointer.to_owned(), fault });
    let again = format!("{hidden}2");
    assert_eq!(org.act(ada, update(Some(&again), "x")), refused("/name", TextFault::Hidden('\u{202e}')));
    assert_eq!(org.act(ada, update(None, hidden)), refused("/description", TextFault::Hidden('\u{202e}')));
    let mut labels = old.labels.clone();
    labels.insert("team".to_owned(), "web".to_owned());
    let relabel =
        |labels| Command::Project(ProjectCommand::Update { id: project, name: None, labels: Some(labels) });
    assert_eq!(org.done(relabel(labels.clone())).len(), 1, "the old label is left alone");
    labels.insert("team".to_owned(), hidden.to_owned());
    assert_eq!(org.act(ada, relabel(labels)), refused("/labels/team", TextFault::Hidden('\u{202e}')));
}

#[test]
fn prose_may_have_lines_but_no_more_than_a_kilobyte() {
    let mut org = Org::founded();
    let ada = org.ada();
    for (description, fits) in [
        ("two\nlines\tand a tab".to_owned(), true),
        (String::new(), true),
        ("x".repeat(1024), true),
        ("x".repeat(1025), false),
        ("bell\u{7}".to_owned(), false),
        ("return\r\n".to_owned(), false),
    ] {
        let id = org.id();
        let command = Command::Group(GroupCommand::Create {
            id,
            name: format!("{id:?}-g"),
            description: Some(description.clone()),
        });
        assert_eq!(org.act(ada, command).is_ok(), fits, "{description:?}");
    }
}

#[test]
fn an_organization_is_founded_with_a_fitting_name_and_email() {
    let founding = |name: &str, email: &str| Founding {
        org: Id::from_u128(1),
        name: name.to_owned(),
        owner: Id::from_u128(2),
        email: email.to_owned(),
        key: Id::from_u128(3),
        hash: KeyHash([0; 32]),
        builtins: [4, 5, 6].map(|id| (Id::from_u128(id), Id::from_u128(id), Id::from_u128(id))),
        at: START,
    };
    assert_eq!(founding("acme", "a@b").decide().map(|events| events.len()), Ok(13));
    for (name, email, at) in [("", "a@b", "/org"), ("acme", "a", "/owner")] {
        let refusal = founding(name, email).decide().expect_err(at);
        assert_eq!(refusal.pointer().as_deref(), Some(at));
    }
}
