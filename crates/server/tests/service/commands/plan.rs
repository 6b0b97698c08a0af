//! Preview equals result: what is planned of random batches, by whomever, is what submitting them does, down to who
//! can do what; and what is refused is refused in the same words.

use crate::given::{Given, ORG, START};
use grantbook_command::{PlannedOutcome, Submission, SubmitError};
use grantbook_domain::{
    access::{
        check::{Question, Target},
        effective::AccessRow,
        planned::{AccessDiff, Change},
    },
    command::{
        Author, Command, GrantCommand, GroupCommand, MemberCommand, ProjectCommand, RoleCommand, TokenCommand,
    },
    id::{GrantId, GroupId, ProjectId, RoleId, TokenId},
    model::{Effect, Gives, RolePermission},
    principal::{Caller, Grantee, Principal},
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    state::OrgState,
    time::Timestamp,
};
use proptest::{
    collection::vec,
    prelude::any,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

/// What one command is drawn from.
type Bytes = [u8; 8];

/// What commands may name.
#[derive(Default)]
struct Things {
    tokens: Vec<TokenId>,
    groups: Vec<GroupId>,
    projects: Vec<ProjectId>,
    roles: Vec<RoleId>,
    grants: Vec<GrantId>,
}

fn pick<T: Copy>(from: &[T], choice: u8) -> T {
    from[usize::from(choice) % from.len()]
}

impl Things {
    /// One of each, by the owner.
    async fn settled(given: &Given) -> Self {
        let mut things = Self::default();
        let mut first = Vec::new();
        for round in 0..3 {
            for kind in 0..5 {
                first.push(things.make(given, [kind, round, 40 * round, 7 * round, round, round, 0, 0]));
            }
        }
        for command in first {
            given.submit(command).await.unwrap();
        }
        things
    }

    fn make(&mut self, given: &Given, bytes: Bytes) -> Command {
        let [kind, a, more, what, on, end, ..] = bytes;
        match kind % 5 {
            0 => {
                let id = given.ids.id();
                self.tokens.push(id);
                Command::Token(TokenCommand::Create {
                    id,
                    name: format!("token {id}"),
                    description: None,
                    external_id: None,
                    expires_at: (bytes[6] % 4 == 1).then_some(START.plus_millis(5000)),
                })
            }
            1 => {
                let id = given.ids.id();
                self.groups.push(id);
                Command::Group(GroupCommand::Create { id, name: format!("group {id}"), description: None })
            }
            2 => {
                let id = given.ids.id();
                self.projects.push(id);
                Command::Project(ProjectCommand::Create {
                    id,
                    name: format!("{}{id}", pick(&["s", "p"], a)),
                    labels: labels(more),
                })
            }
            3 => {
                let id = given.ids.id();
                self.roles.push(id);
                let permissions = role_permissions(a);
                Command::Role(RoleCommand::Create {
                    id,
                    name: format!("role {id}"),
                    permissions,
                    includes: Vec::new(),
                })
            }
            _ => {
                let id = given.ids.id();
                self.grants.push(id);
                let content = match more % 3 {
                    0 => Gives::Role(pick(&self.roles, what)),
                    _ => Gives::Permissions(permissions(what)),
                };
                Command::Grant(GrantCommand::Create {
                    id,
                    to: self.grantee(a),
                    gives: content,
                    on: self.scope(on),
                    effect: if end % 6 == 5 { Effect::Deny } else { Effect::Allow },
                    object_type: pick(&[None, None, Some("project"), Some("experiment")], bytes[6])
                        .map(str::to_owned),
                    expires_at: (end % 5 == 1).then_some(START.plus_millis(4000)),
                    reason: None,
                })
            }
        }
    }

    fn draw(&mut self, given: &Given, bytes: Bytes) -> Command {
        let [kind, a, b, c, ..] = bytes;
        match kind % 16 {
            0..=4 => self.make(given, [kind, a, b, c, bytes[4], bytes[5], bytes[6], 0]),
            5..=8 => Command::Member(MemberCommand::Add {
                group: pick(&self.groups, a),
                member: self.grantee(b),
                expires_at: (c % 5 == 0).then_some(START.plus_millis(3000)).into(),
            }),
            9 => Command::Member(MemberCommand::Remove {
                group: pick(&self.groups, a),
                member: self.grantee(b),
            }),
            10 => Command::Grant(GrantCommand::Revoke { id: pick(&self.grants, a) }),
            11 => Command::Project(ProjectCommand::Update {
                id: pick(&self.projects, a),
                name: None,
                labels: Some(labels(b)),
            }),
            12 => Command::Project(ProjectCommand::Delete { id: pick(&self.projects, a) }),
            13 => Command::Role(RoleCommand::Update {
                id: pick(&self.roles, a),
                name: None,
                permissions: Some(role_permissions(b)),
                includes: (c % 2 == 0).then(|| vec![pick(&self.roles, c)]),
            }),
            14 => match b % 2 {
                0 => Command::Group(GroupCommand::Delete { id: pick(&self.groups, a) }),
                _ => Command::Token(TokenCommand::Delete { id: pick(&self.tokens, a) }),
            },
            _ => self.make(given, [4, a, b, c, bytes[4], bytes[5], bytes[6], 0]),
        }
    }

    fn grantee(&self, choice: u8) -> Grantee {
        match choice % 2 {
            0 => Grantee::Token(pick(&self.tokens, choice / 2)),
            _ => Grantee::Group(pick(&self.groups, choice / 2)),
        }
    }

    fn scope(&self, choice: u8) -> Scope {
        let label = |value: &str| Atom::Label(Labels::from([("env".to_owned(), value.to_owned())]));
        let select = |include: Vec<Atom>, exclude: Vec<Atom>| {
            Scope::Projects(Selector { include: include.into(), exclude: exclude.into() })
        };
        match choice % 7 {
            0 => Scope::Organization,
            1 => select(vec![Atom::All], Vec::new()),
            2 => select(vec![Atom::All], vec![label("prod")]),
            3 => select(vec![label("dev"), Atom::Name("s*".to_owned())], Vec::new()),
            4 => select(vec![Atom::Id(pick(&self.projects, choice / 7))], Vec::new()),
            5 => {
                let id = pick(&self.groups, choice / 7).to_string();
                Scope::Object(ObjectRef::new("group", id))
            }
            _ => {
                let id = pick(&self.projects, choice / 7).to_string();
                Scope::Object(ObjectRef::new("project", id))
            }
        }
    }
}

fn labels(choice: u8) -> Labels {
    let env = pick(&["prod", "dev", "staging"], choice);
    Labels::from([("env".to_owned(), env.to_owned())])
}

fn permissions(choice: u8) -> Vec<String> {
    let sets: [&[&str]; 5] = [
        &["read"],
        &["read", "update"],
        &["delegate", "read"],
        &["create_acls", "read_acls", "read"],
        &["create", "update", "delete"],
    ];
    pick(&sets, choice).iter().map(|name| (*name).to_owned()).collect()
}

fn role_permissions(choice: u8) -> Vec<RolePermission> {
    let one = |permission| RolePermission { permission, object_type: None };
    permissions(choice).into_iter().map(one).collect()
}

/// Something to ask about, and where it lies.
struct Asked {
    object_type: &'static str,
    id: String,
    project: Option<String>,
}

fn asked(state: &OrgState) -> Vec<Asked> {
    let mut asked = Vec::new();
    for project in state.projects() {
        let id = project.id.to_string();
        asked.push(Asked { object_type: "experiment", id: "any".to_owned(), project: Some(id.clone()) });
        asked.push(Asked { object_type: "project", id, project: None });
    }
    let own = ORG.to_string();
    let singletons = ["organization", "org_project", "org_member", "org_audit_logs"];
    asked.extend(singletons.map(|object_type| Asked { object_type, id: own.clone(), project: None }));
    let living = state.groups().filter(|group| group.ended_at.is_none());
    asked.extend(living.map(|group| Asked { object_type: "group", id: group.id.to_string(), project: None }));
    asked
}

fn holds(rows: &[AccessRow], permission: &str, one: &Asked, state: &OrgState) -> bool {
    let target = Target { object_type: one.object_type, id: &one.id, project: one.project.as_deref() };
    let Ok(located) = state.locate(target) else { return false };
    rows.iter().filter(|row| row.permission == permission).any(|row| {
        let general = located.project.map_or(row.organization, |project| row.projects.has(project));
        row.types.iter().any(|name| name == one.object_type)
            && (row.objects.contains(&located.object) || (general && !row.except.contains(&located.object)))
    })
}

/// The changes against single checks of everybody on everything; gives how many answers differ.
fn verify(before: &OrgState, after: &OrgState, changes: &[Change], at: Timestamp) -> usize {
    let mut differences = 0;
    let tokens = after.tokens().map(|token| Principal::Token(token.id));
    let everybody: Vec<Principal> =
        after.users().map(|user| Principal::User(user.id)).chain(tokens).collect();
    for one in asked(after) {
        let there = |state: &OrgState| {
            let target = Target { object_type: one.object_type, id: &one.id, project: None };
            state.locate(target).is_ok()
        };
        if one.object_type == "group" && !there(before) {
            continue;
        }
        for who in &everybody {
            let change = changes.iter().find(|change| change.principals.contains(who));
            for permission in after.catalog().permissions() {
                let object =
                    Target { object_type: one.object_type, id: &one.id, project: one.project.as_deref() };
                let question = Question { principal: Some(*who), key: None, permission, object };
                let (had, has) = (before.check(&question, at).allows(), after.check(&question, at).allows());
                let gained = change.is_some_and(|change| holds(&change.gained, permission, &one, after));
                let lost = change.is_some_and(|change| holds(&change.lost, permission, &one, before));
                assert_eq!((gained, lost), (has && !had, had && !has), "{question:?} {change:?}");
                differences += usize::from(had != has);
            }
        }
    }
    differences
}

#[tokio::test]
async fn a_plan_is_what_then_happens() {
    let mut runner = TestRunner::deterministic();
    let batches = vec((any::<u8>(), vec(any::<Bytes>(), 1..6)), 8);
    let (mut done, mut refused, mut differences) = (0, 0, 0);
    for _ in 0..25 {
        let given = Given::settled().await;
        let mut things = Things::settled(&given).await;
        for (author, drawn) in batches.new_tree(&mut runner).unwrap().current() {
            let commands = drawn.iter().map(|bytes| things.draw(&given, *bytes)).collect();
            let mut submission = given.submission(Command::Batch(commands));
            if author % 4 == 0 {
                let principal = Principal::Token(pick(&things.tokens, author / 4));
                submission.author = Author::Caller(Caller { principal, key: None });
            }
            let before = given.handle.state(ORG).unwrap();
            match (given.handle.plan(&submission), given.handle.submit(submission.clone()).await) {
                (Ok(planned), Ok(outcome)) => {
                    let PlannedOutcome { position, at, before: known, after, events } = planned;
                    let record = outcome.record.as_deref();
                    assert_eq!(events, record.map(|record| record.events.clone()).unwrap_or_default());
                    let diff = AccessDiff { before: &known, after: &after, at };
                    let changes =
                        diff.changes(&diff.touched(&events), |_| Ok::<(), SubmitError>(())).unwrap();
                    let real = given.handle.state(ORG).unwrap();
                    differences += verify(&before, &real, &changes, at);
                    done += 1;
                    let stale = Submission {
                        if_position: Some(position),
                        ..given.submission(given.create_token("x"))
                    };
                    if record.is_some() {
                        let late = given.handle.submit(stale).await;
                        assert!(matches!(late, Err(SubmitError::Moved)), "{late:?}");
                    }
                }
                (Err(planned), Err(written)) => {
                    assert_eq!(planned.to_string(), written.to_string());
                    let unchanged = given.handle.state(ORG).unwrap();
                    assert_eq!(unchanged.grants().count(), before.grants().count());
                    refused += 1;
                }
                (planned, written) => panic!("{planned:?} but {written:?}"),
            }
            given.hand.advance_ms(i64::from(author) * 4);
        }
        given.service.shutdown().await;
    }
    assert!(done >= 60 && refused >= 20 && differences >= 500, "{done} {refused} {differences}");
}
