//! The fold is total: whatever facts come, in whatever order, nothing is refused and nothing breaks.

use grantbook_domain::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, TokenCommand, UserCommand,
    },
    event::Event,
    principal::{Grantee, Principal},
    state::OrgState,
};
use proptest::{prelude::*, sample::subsequence};

use crate::given::{Give, Org, START, all, as_user, labels, object};

/// A founded organization's later facts, of nearly every kind.
fn facts() -> (Org, Vec<Event>) {
    let founded = Org::founded();
    let mut org = founded.clone();
    let mut facts = Vec::new();
    let (user, token, group, role, project) = (org.id(), org.id(), org.id(), org.id(), org.id());
    let (grant, key, new_id) = (org.id(), org.id(), org.id());
    let hash = grantbook_domain::model::KeyHash([0; 32]);
    let soon = Some(START.plus_millis(10));
    let member = Grantee::Token(token);
    let thing = object("experiment", "e");
    for command in [
        Command::User(UserCommand::Create {
            id: user,
            email: "u@x.y".into(),
            name: None,
            external_id: Some("1".into()),
        }),
        Command::Token(TokenCommand::Create {
            id: token,
            name: "t".into(),
            description: None,
            external_id: None,
            expires_at: soon,
        }),
        Command::Group(GroupCommand::Create { id: group, name: "g".into(), description: None }),
        Command::Role(RoleCommand::Create {
            id: role,
            name: "r".into(),
            permissions: vec![],
            includes: vec![],
        }),
        Command::Project(ProjectCommand::Create {
            id: project,
            name: "p".into(),
            labels: labels(&[("a", "b")]),
        }),
        Command::Object(ObjectCommand::Register { object: thing.clone().within(Some(project)), name: None }),
        Command::Member(MemberCommand::Add { group, member, expires_at: soon.into() }),
        Give::role(member, role, all()).command(grant),
        Command::Key(KeyCommand::Issue {
            id: key,
            principal: Principal::Token(token),
            name: None,
            hash,
            expires_at: soon,
            narrow: None,
        }),
        Command::Key(KeyCommand::Rotate { id: key, new_id, hash, grace_seconds: 0 }),
        Command::Project(ProjectCommand::Update { id: project, name: Some("q".into()), labels: None }),
        Command::Key(KeyCommand::Revoke { id: new_id }),
        Command::Grant(GrantCommand::Revoke { id: grant }),
        Command::Role(RoleCommand::Delete { id: role }),
        Command::Object(ObjectCommand::Remove { object: thing }),
        Command::Member(MemberCommand::Remove { group, member }),
        Command::Project(ProjectCommand::Delete { id: project }),
        Command::Group(GroupCommand::Delete { id: group }),
        Command::Token(TokenCommand::Delete { id: token }),
        Command::User(UserCommand::Deactivate { id: user }),
    ] {
        facts.extend(org.act(as_user(founded.owner), command).expect("accepted"));
    }
    (founded, facts)
}

fn fold(mut state: OrgState, facts: &[Event]) -> OrgState {
    for event in facts {
        state.apply(Author::Operator.into(), event);
    }
    state
}

#[test]
fn every_fact_can_be_folded_twice_without_a_difference() {
    let (org, facts) = facts();
    let mut state = org.state;
    for event in &facts {
        state.apply(Author::Operator.into(), event);
        let once = format!("{state:?}");
        state.apply(Author::Operator.into(), event);
        assert_eq!(format!("{state:?}"), once, "{event:?}");
    }
}

proptest! {
    #![proptest_config(crate::given::cases(200))]

    #[test]
    fn any_facts_in_any_order_are_folded(
        order in subsequence((0..20_usize).collect::<Vec<_>>(), 0..20).prop_shuffle()
    ) {
        let (org, facts) = facts();
        let picked: Vec<_> = order.into_iter().filter_map(|index| facts.get(index).cloned()).collect();
        for start in [OrgState::default(), org.state] {
            let state = fold(start, &picked);
            let late = state.unnoted_expiries(START.plus_millis(1_000)).count();
            prop_assert!(late <= 2 * picked.len(), "a rotation has two ends, everything else one");
        }
    }
}
