//! The fold is total: whatever facts come, in whatever order, nothing is refused and nothing breaks.

use grantbook_domain::{
    command::{Author, Command},
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
        Command::CreateUser { id: user, email: "u@x.y".into(), name: None, external_id: Some("1".into()) },
        Command::CreateToken {
            id: token,
            name: "t".into(),
            description: None,
            external_id: None,
            expires_at: soon,
        },
        Command::CreateGroup { id: group, name: "g".into(), description: None },
        Command::CreateRole { id: role, name: "r".into(), permissions: vec![], includes: vec![] },
        Command::CreateProject { id: project, name: "p".into(), labels: labels(&[("a", "b")]) },
        Command::RegisterObject { object: thing.clone().within(Some(project)), name: None },
        Command::AddMember { group, member, expires_at: soon.into() },
        Give::role(member, role, all()).command(grant),
        Command::IssueKey {
            id: key,
            principal: Principal::Token(token),
            name: None,
            hash,
            expires_at: soon,
            narrow: None,
        },
        Command::RotateKey { id: key, new_id, hash, grace_seconds: 0 },
        Command::UpdateProject { id: project, name: Some("q".into()), labels: None },
        Command::RevokeKey { id: new_id },
        Command::RevokeGrant { id: grant },
        Command::DeleteRole { id: role },
        Command::RemoveObject { object: thing },
        Command::RemoveMember { group, member },
        Command::DeleteProject { id: project },
        Command::DeleteGroup { id: group },
        Command::DeleteToken { id: token },
        Command::DeactivateUser { id: user },
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
