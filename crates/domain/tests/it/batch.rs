//! Batches: all or none, one after the other, as one record.

use grantbook_domain::{
    command::{Command, Expiry, GroupCommand, MemberCommand, ProjectCommand, Request, TokenCommand},
    principal::Grantee,
    refusal::{Kind, Refusal},
    scope::Labels,
};

use crate::given::{Give, Org, all, as_user};

fn create(org: &mut Org, name: &str) -> Command {
    Command::Project(ProjectCommand::Create { id: org.id(), name: name.to_owned(), labels: Labels::new() })
}

#[test]
fn a_later_command_stands_on_an_earlier_one() {
    let mut org = Org::founded();
    let (group, token, grant) = (org.id(), org.id(), org.id());
    let commands = vec![
        Command::Token(TokenCommand::Create {
            id: token,
            name: "t".into(),
            description: None,
            external_id: None,
            expires_at: None,
        }),
        Command::Group(GroupCommand::Create { id: group, name: "g".into(), description: None }),
        Command::Member(MemberCommand::Add {
            group,
            member: Grantee::Token(token),
            expires_at: Expiry::Never,
        }),
        Command::Member(MemberCommand::Add {
            group,
            member: Grantee::Token(token),
            expires_at: Expiry::Never,
        }),
        Give::allow(Grantee::Group(group), &["read"], all()).command(grant),
    ];
    let request = Request { author: org.ada(), at: org.now, command: Command::Batch(commands) };
    let decided = org.state.decide(&request).expect("accepted");
    assert_eq!(decided.steps, [1, 1, 1, 0, 1], "the repeated member is nothing new");
    assert_eq!(decided.events.len(), 4);
    assert_eq!(org.state.decide(&request), Ok(decided), "deciding changes nothing");
}

#[test]
fn one_refusal_refuses_all_and_says_which() {
    let mut org = Org::founded();
    let commands = vec![create(&mut org, "a"), create(&mut org, "b"), create(&mut org, "a")];
    let ada = org.ada();
    let refusal = org.act(ada, Command::Batch(commands)).expect_err("taken");
    assert_eq!(refusal, Refusal::InBatch { index: 2, refusal: Box::new(Refusal::NameTaken(Kind::Project)) });
    assert_eq!((refusal.code(), refusal.pointer().as_deref()), ("name_taken", Some("/commands/2")));
    assert_eq!(org.state.projects().count(), 0);
    let commands = vec![create(&mut org, "a"), create(&mut org, " b")];
    let refusal = org.act(ada, Command::Batch(commands)).expect_err("not trimmed");
    assert_eq!(refusal.pointer().as_deref(), Some("/commands/1/body/name"));
}

#[test]
fn a_batch_has_1_to_1000_commands_and_holds_no_batches() {
    let mut org = Org::founded();
    let ada = org.ada();
    let many = |org: &mut Org, count| (0..count).map(|number| create(org, &format!("p{number}"))).collect();
    let (just, over) = (many(&mut org, 1000), many(&mut org, 1001));
    for (commands, expected) in
        [(vec![], "invalid"), (over, "invalid"), (vec![Command::Batch(vec![])], "invalid")]
    {
        assert_eq!(org.decide(ada, Command::Batch(commands)).expect_err("odd").code(), expected);
    }
    assert_eq!(org.decide(ada, Command::Batch(just)).map(|events| events.len()), Ok(1000));
}

#[test]
fn a_batch_of_nothing_new_makes_no_record() {
    let mut org = Org::founded();
    let project = org.project("p", &[]);
    let same =
        Command::Project(ProjectCommand::Update { id: project, name: Some("p".to_owned()), labels: None });
    let request =
        Request { author: org.ada(), at: org.now, command: Command::Batch(vec![same.clone(), same]) };
    assert_eq!(
        org.state.decide(&request).map(|decided| (decided.events, decided.steps)),
        Ok((vec![], vec![]))
    );
}

/// Each step is judged on the state that it lands on, and with the rights of that state.
#[test]
fn a_caller_who_loses_the_right_in_a_batch_lacks_it_for_the_rest() {
    let mut org = Org::founded();
    let second = org.user("eve@x.y");
    let owners = org.owners();
    org.join(owners, Grantee::User(second));
    let leave = Command::Member(MemberCommand::Remove { group: owners, member: Grantee::User(second) });
    let commands = vec![leave, create(&mut org, "p")];
    let refusal = org.act(as_user(second), Command::Batch(commands)).expect_err("no longer an owner");
    assert!(matches!(refusal, Refusal::InBatch { index: 1, .. }), "{refusal:?}");
}
