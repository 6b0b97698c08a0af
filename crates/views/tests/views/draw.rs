//! Commands drawn from bytes: weighted towards memberships, grants and revocations, about what there is.

use grantbook_domain::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand,
    },
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId, TokenId},
    model::{Effect, Gives, Narrowing, RolePermission},
    principal::{Caller, Grantee},
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    time::Timestamp,
};
use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence};

use crate::world::{Step, World, hash_of, labels, object, role_permission};

/// Where the seeds of failed histories are kept, to be tried first from then on.
const SEEDS: FileFailurePersistence = FileFailurePersistence::Direct("tests/views/failed-seeds.txt");

/// How many histories a property is tried on, unless `PROPTEST_CASES` says otherwise.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked_for = ProptestConfig::default().cases;
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked_for } else { usual };
    ProptestConfig { cases, failure_persistence: Some(Box::new(SEEDS)), ..ProptestConfig::default() }
}

/// Drawing.
impl World {
    pub(crate) fn step(&mut self, step: Step) {
        self.now = self.now.plus_millis(i64::from(step[5] % 3) * 1000);
        let command = if step[0] == 255 {
            Command::Batch(vec![self.draw([step[1]; 6]), self.draw(step)])
        } else {
            self.draw(step)
        };
        if matches!(command, Command::NoteExpiries { .. }) {
            self.try_as(Author::System, command);
        } else if matches!(command, Command::Session(SessionCommand::Start { .. })) {
            self.try_as(Author::Caller(self.owner), command);
        } else if step[1] % 8 == 3 {
            let author = self.some_caller(step[4]);
            self.try_as(author, command);
        } else if step[1].is_multiple_of(2) || !self.try_as(Author::Caller(self.owner), command.clone()) {
            self.try_as(Author::Operator, command);
        }
    }

    fn draw(&mut self, [what, a, b, c, d, e]: Step) -> Command {
        match what % 32 {
            0..=4 => Command::Member(MemberCommand::Add {
                group: self.some_group(a),
                member: self.some_grantee(b),
                expires_at: self.some_expiry(c).into(),
            }),
            5..=7 => self.draw_removal(a),
            8..=13 => self.draw_grant([a, b, c, d, e]),
            14..=15 => {
                let ids: Vec<_> = self
                    .state
                    .grants()
                    .filter(|grant| grant.ended_at.is_none())
                    .map(|grant| grant.id)
                    .collect();
                Command::Grant(GrantCommand::Revoke { id: pick(&ids, a) })
            }
            16..=17 => Command::Role(RoleCommand::Update {
                id: self.some_role(a),
                name: None,
                permissions: Some(some_permissions(b, c)),
                includes: (d % 2 == 0).then(|| vec![self.some_role(e)]),
            }),
            18..=20 => Command::Project(ProjectCommand::Update {
                id: self.some_project(a),
                name: (b % 4 == 0).then(|| project_name(c)),
                labels: Some(some_labels(d)),
            }),
            21 | 22 => Command::Project(ProjectCommand::Create {
                id: ProjectId::from_u128(self.id()),
                name: project_name(a),
                labels: some_labels(b),
            }),
            23 => Command::Project(ProjectCommand::Delete { id: self.some_project(a) }),
            24 => self.draw_registration(a, b),
            25 => self.draw_change_of_object(a, b, c),
            26 | 27 => self.draw_key([a, b, c, d]),
            28 => self.draw_account(a, b),
            29 => match a % 3 {
                0 => Command::Group(GroupCommand::Delete { id: self.some_group(b) }),
                1 => Command::Group(GroupCommand::Update {
                    id: self.some_group(b),
                    name: Some(format!("g{}", c % 4)),
                    description: None,
                }),
                _ => Command::Group(GroupCommand::Create {
                    id: GroupId::from_u128(self.id()),
                    name: format!("g{}", b % 4),
                    description: None,
                }),
            },
            30 if a % 2 == 0 => Command::Role(RoleCommand::Delete { id: self.some_role(b) }),
            30 => Command::Role(RoleCommand::Create {
                id: RoleId::from_u128(self.id()),
                name: format!("r{}", a % 4),
                permissions: some_permissions(b, c),
                includes: (d % 2 == 0).then(|| self.some_role(e)).into_iter().collect(),
            }),
            _ if a % 4 == 0 => Command::ExtendCatalog {
                object_types: Vec::new(),
                permissions: vec![format!("extra{}", b % 2)],
            },
            _ => Command::NoteExpiries { limit: 100 },
        }
    }

    fn draw_removal(&self, a: u8) -> Command {
        let pairs: Vec<_> = self
            .state
            .groups()
            .flat_map(|group| self.state.members_of(group.id).map(|one| (one.group, one.member)))
            .collect();
        let (group, member) = pick(&pairs, a);
        Command::Member(MemberCommand::Remove { group, member })
    }

    fn draw_grant(&mut self, [a, b, c, d, e]: [u8; 5]) -> Command {
        let gives = if b % 2 == 0 {
            Gives::Role(self.some_role(b / 2))
        } else {
            let names = ["read", "update", "delete", "delegate", "deploy", "read_acls", "create"];
            Gives::Permissions(vec![pick(&names, b / 2).to_owned(), pick(&names, c).to_owned()])
        };
        let types = ["project", "dataset", "note", "group", "org_member"];
        let to = self.some_grantee(a);
        Command::Grant(GrantCommand::Create {
            id: GrantId::from_u128(self.id()),
            to,
            gives,
            on: self.some_scope(c, d),
            // A deny to a group is drawn as often as not: it must count for everybody below.
            effect: if e % 3 == 0 || (e % 3 == 1 && matches!(to, Grantee::Group(_))) {
                Effect::Deny
            } else {
                Effect::Allow
            },
            object_type: (e % 5 == 1).then(|| pick(&types, d).to_owned()),
            expires_at: self.some_expiry(e / 8),
            reason: None,
        })
    }

    fn draw_change_of_object(&self, a: u8, b: u8, c: u8) -> Command {
        let refs: Vec<_> = self.state.objects().map(|known| known.object.clone()).collect();
        let object = pick_ref(&refs, a);
        match b % 4 {
            0 => {
                Command::Object(ObjectCommand::Update { object, name: Some(Some(format!("name {}", c % 2))) })
            }
            1 => Command::Object(ObjectCommand::Remove { object: object.within(None) }),
            _ => Command::Object(ObjectCommand::Remove { object }),
        }
    }

    fn draw_registration(&self, a: u8, b: u8) -> Command {
        let (object_type, id) =
            pick(&[("dataset", "ds"), ("dataset", "ds2"), ("note", "n"), ("team", "blue")], a);
        let project = (object_type != "team").then(|| self.some_project(b));
        Command::Object(ObjectCommand::Register {
            object: object(object_type, id).within(project),
            name: None,
        })
    }

    fn draw_key(&mut self, [a, b, c, d]: [u8; 4]) -> Command {
        let ids: Vec<_> = self.state.keys().map(|key| key.id).collect();
        let new_id = KeyId::from_u128(self.id());
        match a % 5 {
            4 => Command::Session(SessionCommand::Start { id: new_id, hash: hash_of(new_id) }),
            0 => Command::Key(KeyCommand::Revoke { id: pick(&ids[1..], b) }),
            1 => Command::Key(KeyCommand::Rotate {
                id: pick(&ids[1..], b),
                new_id,
                hash: hash_of(new_id),
                grace_seconds: u64::from(c % 3),
            }),
            _ => Command::Key(KeyCommand::Issue {
                id: new_id,
                principal: self.some_grantee(b).principal().unwrap_or(self.owner.principal),
                name: None,
                hash: hash_of(new_id),
                expires_at: self.some_expiry(c),
                narrow: (d % 3 > 0).then(|| Narrowing {
                    generation: 0,
                    permissions: (d % 2 == 0).then(|| vec!["read".to_owned(), "deploy".to_owned()]),
                    on: (d % 3 == 1).then(|| self.some_scope(b, c)),
                }),
            }),
        }
    }

    fn draw_account(&mut self, a: u8, b: u8) -> Command {
        let tokens: Vec<_> = self.state.tokens().map(|token| token.id).collect();
        let id = pick(&tokens, b);
        match a % 6 {
            0 | 4 => Command::Token(TokenCommand::Delete { id }),
            1 | 2 => Command::Token(TokenCommand::Update {
                id,
                name: b.is_multiple_of(2).then(|| format!("t{}", b % 3)),
                description: None,
                external_id: None,
                expires_at: Some(self.some_expiry(b)),
            }),
            3 => {
                let users: Vec<_> = self.state.users().map(|user| user.id).collect();
                Command::User(UserCommand::Deactivate { id: pick(&users, b) })
            }
            _ => Command::Token(TokenCommand::Create {
                id: TokenId::from_u128(self.id()),
                name: format!("t{}", b % 3),
                description: None,
                external_id: None,
                expires_at: self.some_expiry(a),
            }),
        }
    }

    /// Somebody with a key, so that keys and what comes of them have many makers.
    fn some_caller(&self, byte: u8) -> Author {
        let keys: Vec<_> = self.state.keys().map(|key| (key.principal, key.id)).collect();
        let (principal, key) = pick(&keys, byte);
        Author::Caller(Caller { principal, key: Some(key) })
    }

    fn some_expiry(&self, byte: u8) -> Option<Timestamp> {
        let in_millis = [0, 0, 1000, 2000, 4000, 9000, 1][usize::from(byte) % 7];
        (in_millis > 0).then(|| self.now.plus_millis(in_millis))
    }

    fn some_group(&self, byte: u8) -> GroupId {
        let ids: Vec<_> =
            self.state.groups().filter(|one| one.ended_at.is_none()).map(|group| group.id).collect();
        pick(&ids, byte)
    }

    fn some_role(&self, byte: u8) -> RoleId {
        let ids: Vec<_> =
            self.state.roles().filter(|one| one.ended_at.is_none()).map(|role| role.id).collect();
        pick(&ids, byte)
    }

    fn some_project(&self, byte: u8) -> ProjectId {
        let living: Vec<_> =
            self.state.projects().filter(|one| one.ended_at.is_none()).map(|project| project.id).collect();
        if living.is_empty() { ProjectId::from_u128(1) } else { pick(&living, byte) }
    }

    fn some_grantee(&self, byte: u8) -> Grantee {
        let users = self.state.users().filter(|one| one.ended_at.is_none()).map(|one| Grantee::User(one.id));
        let tokens =
            self.state.tokens().filter(|one| one.ended_at.is_none()).map(|one| Grantee::Token(one.id));
        let groups =
            self.state.groups().filter(|one| one.ended_at.is_none()).map(|one| Grantee::Group(one.id));
        let all: Vec<_> = tokens.chain(groups).chain(users).collect();
        pick(&all, byte)
    }

    fn some_scope(&self, a: u8, b: u8) -> Scope {
        let some_atom = |byte: u8| match byte % 6 {
            0 => Atom::All,
            1 => Atom::Id(self.some_project(byte / 8)),
            2 => Atom::Name(pick(&["prod*", "*-a", "dev", "*a*"], byte / 8).to_owned()),
            3 => Atom::Label(labels(&[("env", "production"), ("tier", "1")])),
            4 => Atom::Label(labels(&[("env", "staging")])),
            _ => Atom::Label(labels(&[("env", "production")])),
        };
        match a % 8 {
            0 => Scope::Organization,
            1 => Scope::Object(object("project", self.some_project(b))),
            2 => Scope::Object(pick_ref(
                &self.state.objects().map(|known| known.object.clone()).collect::<Vec<_>>(),
                b,
            )),
            3 => Scope::Object(match b % 3 {
                0 => object("group", self.some_group(b / 4)),
                1 => object("role", self.some_role(b / 4)),
                _ => object(pick(&["org_project", "org_member", "org_audit_logs"], b / 4), self.org),
            }),
            4 => Scope::Projects(Selector {
                include: vec![some_atom(b), some_atom(b / 3)].into(),
                exclude: Vec::new().into(),
            }),
            _ => Scope::Projects(Selector {
                include: vec![Atom::All].into(),
                exclude: vec![some_atom(b)].into(),
            }),
        }
    }
}

fn pick<T: Copy>(from: &[T], byte: u8) -> T {
    from[usize::from(byte) % from.len()]
}

fn pick_ref(from: &[ObjectRef], byte: u8) -> ObjectRef {
    from[usize::from(byte) % from.len()].clone()
}

fn some_permissions(a: u8, b: u8) -> Vec<RolePermission> {
    let names = ["read", "update", "deploy", "delete", "read_acls"];
    let types = [None, Some("project"), Some("dataset"), None, Some("group")];
    vec![role_permission(pick(&names, a), pick(&types, b)), role_permission(pick(&names, b), pick(&types, a))]
}

fn project_name(byte: u8) -> String {
    pick(&["prod-a", "prod-b", "stage-a", "stage-b", "dev", "lab"], byte).to_owned()
}

fn some_labels(byte: u8) -> Labels {
    match byte % 5 {
        0 => labels(&[("env", "production")]),
        1 => labels(&[("env", "production"), ("tier", "1")]),
        2 => labels(&[("env", "staging")]),
        3 => labels(&[("tier", "1")]),
        _ => labels(&[]),
    }
}
