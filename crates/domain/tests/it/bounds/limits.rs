//! Limits: at the edge a plan and a write agree, one step beyond is refused with what to do, and what was made under other
//! limits is followed all the same.

use grantbook_domain::{
    command::{Author, Command, Expiry, GrantCommand, MemberCommand, ProjectCommand, Request, RoleCommand},
    decide::Cost,
    event::Event,
    id::{GroupId, Id, RoleId},
    limits::{Limit, Limits},
    model::Narrowing,
    principal::{Grantee, Principal},
    refusal::Refusal,
    scope::{Atom, Labels, Scope},
    state::OrgState,
};

use crate::given::{Give, Org, all_but, label, named, one_of};

/// Small ones, so that their edges are near.
const SMALL: Limits = Limits {
    patterns: 3,
    conditions: 6,
    memberships: 2,
    nestings: 6,
    group_depth: 3,
    inclusions: 6,
    role_depth: 3,
    command_work: u64::MAX,
    record_work: u64::MAX,
};

/// Every limit at nothing.
const NONE: Limits = Limits {
    patterns: 0,
    conditions: 0,
    memberships: 0,
    nestings: 0,
    group_depth: 0,
    inclusions: 0,
    role_depth: 0,
    command_work: 0,
    record_work: 0,
};

fn decide(state: &OrgState, org: &Org, command: &Command, limits: &Limits) -> Result<Vec<Event>, Refusal> {
    let request = Request { author: org.ada(), at: org.now, command: command.clone() };
    state.decide_within(&request, limits).0.map(|decided| decided.events)
}

/// Carries the commands out up to the first that is refused: how many were accepted, and the limit. Each is decided twice
/// on the same state, as a plan and a write do.
fn until_refused(org: &mut Org, commands: &[Command], limits: &Limits) -> (usize, Option<Limit>) {
    for (accepted, command) in commands.iter().enumerate() {
        let plan = decide(&org.state, org, command, limits);
        let write = decide(&org.state.clone(), org, command, limits);
        assert_eq!(plan, write, "a plan and a write differ");
        match write {
            Ok(events) => events.iter().for_each(|event| org.state.apply(org.ada().into(), event)),
            Err(Refusal::Limit { limit, most }) => {
                assert_eq!(most, limits.of(limit));
                return (accepted, Some(limit));
            }
            Err(other) => panic!("{other}"),
        }
    }
    (commands.len(), None)
}

fn join(group: GroupId, member: impl Into<Grantee>) -> Command {
    Command::Member(MemberCommand::Add { group, member: member.into(), expires_at: Expiry::Never })
}

fn nest(outer: GroupId, inner: GroupId) -> Command {
    join(outer, Grantee::Group(inner))
}

fn include(role: RoleId, included: &[RoleId]) -> Command {
    let all = Some(included.to_vec());
    Command::Role(RoleCommand::Update { id: role, name: None, permissions: None, includes: all })
}

fn groups(org: &mut Org, count: usize) -> Vec<GroupId> {
    (0..count).map(|number| org.group(&format!("g{number}"))).collect()
}

fn roles(org: &mut Org, count: usize) -> Vec<RoleId> {
    (0..count).map(|number| org.role(&format!("r{number}"), &["read"], &[])).collect()
}

/// A grant on a selector with so many patterns and labels.
fn grant(org: &mut Org, patterns: usize, others: usize) -> Command {
    let token = org.token(&format!("t{}", org.next));
    let names = (0..patterns).map(|number| named(&format!("a{number}*")));
    let labels = (0..others).map(|number| label("k", &number.to_string()));
    Give::allow(Principal::Token(token), &["read"], one_of(names.chain(labels).collect())).command(org.id())
}

#[test]
fn each_limit_is_reached_and_not_exceeded() {
    let mut org = Org::founded();
    let patterns: Vec<_> = (0..4).map(|_| grant(&mut org, 1, 0)).collect();
    assert_eq!(until_refused(&mut org, &patterns, &SMALL), (3, Some(Limit::Patterns)));

    let mut org = Org::founded();
    let conditions: Vec<_> = (0..4).map(|_| grant(&mut org, 0, 2)).collect();
    assert_eq!(until_refused(&mut org, &conditions, &SMALL), (3, Some(Limit::Conditions)));

    let mut org = Org::founded();
    let (token, all) = (Principal::Token(org.token("t")), groups(&mut org, 3));
    let memberships: Vec<_> = all.iter().map(|group| join(*group, token)).collect();
    assert_eq!(until_refused(&mut org, &memberships, &SMALL), (2, Some(Limit::Memberships)));

    let mut org = Org::founded();
    let all = groups(&mut org, 10);
    let nestings = all.chunks(2).chain(all[1..].chunks(2)).filter(|pair| pair.len() == 2);
    let nestings: Vec<_> = nestings.map(|pair| nest(pair[1], pair[0])).collect();
    let limits = Limits { group_depth: 100, ..SMALL };
    assert_eq!(until_refused(&mut org, &nestings, &limits), (6, Some(Limit::Nestings)));

    let mut org = Org::founded();
    let all = roles(&mut org, 5);
    let inclusions = [include(all[0], &all[1..]), include(all[1], &all[2..4]), include(all[2], &all[3..4])];
    assert_eq!(until_refused(&mut org, &inclusions, &SMALL), (2, Some(Limit::Inclusions)));
}

/// A chain grown at its upper end, at its lower end, and closed in the middle.
#[test]
fn depth_is_that_of_the_longest_path_through_the_new_edge() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 3, 2], [1, 0, 3, 2]] {
        let mut org = Org::founded();
        let all = groups(&mut org, 5);
        let nestings: Vec<_> = order.iter().map(|at| nest(all[at + 1], all[*at])).collect();
        assert_eq!(until_refused(&mut org, &nestings, &SMALL), (3, Some(Limit::GroupDepth)), "{order:?}");

        let mut org = Org::founded();
        let all = roles(&mut org, 5);
        let inclusions: Vec<_> = order.iter().map(|at| include(all[at + 1], &all[*at..=*at])).collect();
        assert_eq!(until_refused(&mut org, &inclusions, &SMALL), (3, Some(Limit::RoleDepth)), "{order:?}");
    }
}

/// Memberships whose time has passed count: they may be renewed. Those of deleted groups do not.
#[test]
fn what_may_be_renewed_counts_and_what_ended_does_not() {
    let mut org = Org::founded();
    let all = groups(&mut org, 5);
    org.join_until(all[1], Grantee::Group(all[0]), Some(org.now.plus_millis(10)));
    org.join(all[2], Grantee::Group(all[1]));
    org.join(all[3], Grantee::Group(all[2]));
    org.pass(1_000);
    let deeper = nest(all[4], all[3]);
    let refused = decide(&org.state, &org, &deeper, &SMALL).expect_err("four deep");
    assert_eq!(refused.code(), "too_deep");
    org.done(Command::Group(grantbook_domain::command::GroupCommand::Delete { id: all[1] }));
    assert_eq!(org.state.use_of(Limit::Nestings), Some(1));
    decide(&org.state, &org, &deeper, &SMALL).expect("two deep");
}

#[test]
fn what_is_revoked_or_ends_with_its_grantee_makes_room() {
    let mut org = Org::founded();
    let (token, group) = (org.token("t"), org.group("g"));
    let narrow = Narrowing { permissions: None, on: Some(all_but(vec![named("n*")])), generation: 0 };
    org.key(Principal::Token(token), None, Some(narrow));
    let patterns = |names: &[&str]| one_of(names.iter().map(|name| named(name)).collect());
    let given = org.give(Give::allow(Principal::Token(token), &["read"], patterns(&["a*", "b*"])));
    let to_group = Give::allow(Grantee::Group(group), &["read"], patterns(&["c*"]));
    org.give(to_group.until(org.now.plus_millis(10)));
    org.give(Give::allow(Grantee::Group(group), &["read"], patterns(&["d*"])));
    let used = |org: &Org| org.state.use_of(Limit::Patterns).expect("a figure");
    assert_eq!((used(&org), org.state.use_of(Limit::Conditions)), (5, Some(6)));
    org.done(Command::Grant(GrantCommand::Revoke { id: given }));
    assert_eq!(used(&org), 3);
    org.pass(1_000);
    let noted = Request { author: Author::System, at: org.now, command: Command::NoteExpiries { limit: 10 } };
    let noted = org.state.decide(&noted).expect("notices");
    noted.events.iter().for_each(|event| org.state.apply(Author::System.into(), event));
    assert_eq!(used(&org), 2);
    org.done(Command::Group(grantbook_domain::command::GroupCommand::Delete { id: group }));
    assert_eq!(used(&org), 1);
    org.done(Command::Token(grantbook_domain::command::TokenCommand::Delete { id: token }));
    assert_eq!((used(&org), org.state.use_of(Limit::Conditions)), (0, Some(0)));
}

/// What one service accepts under wide limits, another one with none follows: to the same state, and it still takes away.
#[test]
fn services_with_different_limits_agree_on_the_journal() {
    let mut wide = Org::founded();
    let mut narrow = wide.state.clone();
    let all = groups(&mut wide, 6);
    for pair in all.windows(2) {
        wide.done(nest(pair[1], pair[0]));
    }
    let given = wide.give(Give::allow(Grantee::Group(all[0]), &["read"], one_of(vec![named("a*b*c*")])));
    for (maker, event) in &wide.log[founding_events(&wide)..] {
        narrow.apply(*maker, event);
    }
    for limit in Limit::ALL {
        assert_eq!(narrow.use_of(limit), wide.state.use_of(limit), "{}", limit.name());
    }
    assert!(decide(&wide.state, &wide, &join(all[5], Grantee::User(wide.owner)), &Limits::DEFAULT).is_ok());
    let refused = decide(&narrow, &wide, &join(all[5], Grantee::User(wide.owner)), &NONE);
    assert_eq!(refused.map_err(|refusal| refusal.code()), Err("too_costly"));
    for taking in [
        Command::Grant(GrantCommand::Revoke { id: given }),
        Command::Member(MemberCommand::Remove { group: all[1], member: Grantee::Group(all[0]) }),
    ] {
        assert_eq!(
            decide(&narrow, &wide, &taking, &NONE).expect("taking"),
            decide(&wide.state, &wide, &taking, &Limits::DEFAULT).expect("taking")
        );
    }
}

/// How many events the founding made.
fn founding_events(org: &Org) -> usize {
    let founded = Org::founded();
    assert_eq!(founded.log[..], org.log[..founded.log.len()]);
    founded.log.len()
}

fn new_project(org: &mut Org) -> Command {
    let id = org.id();
    Command::Project(ProjectCommand::Create { id, name: format!("p{}", org.next), labels: Labels::new() })
}

/// The work of a command is the same number each time, and one unit less than it needs refuses it.
#[test]
fn the_work_of_a_command_is_exact() {
    let mut org = Org::founded();
    let lead = org.user("lead@x.y");
    let wide: Vec<Atom> = (0..50).map(|number| named(&format!("*{number}*"))).collect();
    org.give(Give::allow(Principal::User(lead), &["create_acls", "read"], one_of(wide.clone())));
    let token = org.token("t");
    let giving = Give::allow(Principal::Token(token), &["read"], one_of(wide)).command(org.id());
    let by_lead = |limits: &Limits| {
        let author = crate::given::as_user(lead);
        org.state.decide_within(&Request { author, at: org.now, command: giving.clone() }, limits)
    };
    let (decided, cost) = by_lead(&Limits::DEFAULT);
    let decided = decided.expect("given");
    assert_eq!(by_lead(&Limits::DEFAULT).1, cost);
    let Cost { deciding, following } = cost;
    assert_eq!(following, 1 + 50 + (org.state.projects().count() as u64) * 51);
    let exactly = Limits { command_work: deciding, record_work: following, ..Limits::DEFAULT };
    assert_eq!(by_lead(&exactly).0.as_ref(), Ok(&decided));
    for (limits, limit) in [
        (Limits { command_work: deciding - 1, ..exactly }, Limit::CommandWork),
        (Limits { record_work: following - 1, ..exactly }, Limit::RecordWork),
    ] {
        let most = limits.of(limit);
        assert_eq!(by_lead(&limits).0, Err(Refusal::Limit { limit, most }));
    }
}

/// Row 2 of the hostile table: each project to come is compared with each pattern, so patterns are limited, and a batch of
/// projects costs what its projects cost together.
#[test]
fn a_batch_costs_what_its_commands_cost_together() {
    let mut org = Org::founded();
    for _ in 0..3 {
        let command = grant(&mut org, 5, 0);
        org.done(command);
    }
    let single = new_project(&mut org);
    let request = |command| Request { author: org.ada(), at: org.now, command };
    let (decided, cost) = org.state.decide_within(&request(single), &Limits::DEFAULT);
    assert!(decided.is_ok());
    assert_eq!(cost.following, 1 + 3 + 15, "itself, each selector, each pattern");
    let mut many = org.clone();
    let batch = Command::Batch((0..100).map(|_| new_project(&mut many)).collect());
    let most = 100 * 19;
    let limits = |record_work| Limits { record_work, ..Limits::DEFAULT };
    assert!(decide(&org.state, &org, &batch, &limits(most)).is_ok());
    let refused = decide(&org.state, &org, &batch, &limits(most - 1)).expect_err("one unit too many");
    assert!(refused.to_string().contains("split the batch"), "{refused}");
}

/// Row 5 of the hostile table: a batch that lets each older role include a newer one.
#[test]
fn a_thousand_inclusions_cost_a_few_units_each() {
    let mut org = Org::founded();
    let all = roles(&mut org, 1_001);
    let limits = Limits { role_depth: usize::MAX, ..Limits::DEFAULT };
    let shallow: Vec<_> = all.chunks(20).flat_map(|some| some.windows(2)).collect();
    let batch =
        |pairs: &[&[RoleId]]| Command::Batch(pairs.iter().map(|pair| include(pair[0], &pair[1..])).collect());
    let (decided, units) = org.state.decide_within(
        &Request { author: org.ada(), at: org.now, command: batch(&shallow) },
        &Limits::DEFAULT,
    );
    assert!(decided.is_ok(), "{decided:?}");
    assert!(units.deciding < 500_000, "{units:?}");
    let deep: Vec<_> = all.windows(2).collect();
    let refused = decide(&org.state, &org, &batch(&deep), &Limits::DEFAULT).expect_err("a thousand deep");
    assert_eq!(refused.code(), "too_deep");
    let (decided, units) =
        org.state.decide_within(&Request { author: org.ada(), at: org.now, command: batch(&deep) }, &limits);
    assert!(matches!(decided, Ok(_) | Err(Refusal::Limit { .. })));
    assert!(units.deciding < 12_000_000, "{units:?}");
}

/// Row 1 of the hostile table: cheap checks come first.
#[test]
fn a_grant_that_has_expired_costs_nothing() {
    let mut org = Org::founded();
    let lead = org.user("lead@x.y");
    let atoms = |from: usize| (from..from + 1000).map(|number| label("k", &number.to_string())).collect();
    let on = crate::given::excluding(atoms(0), atoms(1000));
    org.give(Give::allow(Principal::User(lead), &["create_acls", "read"], on.clone()));
    let token = org.token("t");
    let giving = |until| {
        let give = Give::allow(Principal::Token(token), &["read"], on.clone()).until(until);
        let command = give.command(Id::from_u128(7));
        let author = crate::given::as_user(lead);
        org.state.decide_within(&Request { author, at: org.now, command }, &Limits::DEFAULT)
    };
    let (refused, units) = giving(org.now);
    assert_eq!(refused.map_err(|refusal| refusal.pointer()), Err(Some("/expires_at".to_owned())));
    assert!(units.deciding < 10, "{units:?}");
    let (given, units) = giving(org.now.plus_millis(1));
    assert!(given.is_ok(), "{given:?}");
    assert!(units.deciding < 5_000_000, "{units:?}");
}

#[test]
fn a_pattern_has_few_stars() {
    let mut org = Org::founded();
    let token = org.token("t");
    let give = |stars: usize| {
        let on: Scope = one_of(vec![named(&format!("a{}", "*".repeat(stars)))]);
        Give::allow(Principal::Token(token), &["read"], on).command(Id::from_u128(7))
    };
    assert!(org.decide(org.ada(), give(8)).is_ok());
    let refused = org.decide(org.ada(), give(9)).expect_err("nine stars");
    assert_eq!(refused.pointer().as_deref(), Some("/on/projects/include/0/name"));
}
