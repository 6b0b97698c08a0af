//! Histories: a settled little organization, then commands drawn from bytes, each decided by the domain.

use grantbook_domain::{
    catalog::TypeDefinition,
    command::{
        Author, Command, Expiry, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, Request, RoleCommand, TokenCommand, UserCommand,
    },
    event::Event,
    id::{GrantId, GroupId, Id, InstallationId, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId},
    model::{Builtin, Effect, Gives, KeyHash, Narrowing, RolePermission},
    position::Position,
    principal::{Actor, Caller, Grantee, Principal},
    record::{RECORD_SCHEMA, Record, Recorded},
    scope::{Atom, Labels, ObjectRef, Scope, Selector},
    state::{OrgState, founding::Founding},
    time::Timestamp,
};
use grantbook_views::{Batch, ViewWriter};

/// One drawn step: which command, and what about.
pub(crate) type Step = [u8; 6];

/// The installation of all views here.
pub(crate) const INSTALLATION: InstallationId = Id::from_u128(0xabc);

/// An organization as the domain sees it, with all that it recorded.
pub(crate) struct World {
    pub(crate) org: OrgId,
    pub(crate) state: OrgState,
    pub(crate) records: Vec<Recorded>,
    pub(crate) now: Timestamp,
    next_id: u128,
    sequence: u64,
    index: u64,
    pub(crate) owner: Caller,
    /// Whether every third record shares the frame of the one before it.
    pub(crate) shares_frames: bool,
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn object(object_type: &str, id: impl ToString) -> ObjectRef {
    ObjectRef::new(object_type, id.to_string())
}

pub(crate) fn all_except(pairs: &[(&str, &str)]) -> Scope {
    Scope::Projects(Selector {
        include: vec![Atom::All].into(),
        exclude: vec![Atom::Label(labels(pairs))].into(),
    })
}

impl World {
    /// A founded organization; `number` keeps ids and sequences of several apart.
    pub(crate) fn founded(number: u32) -> Self {
        let mut next_id = u128::from(number) << 64;
        let mut id = || {
            next_id += 1;
            next_id
        };
        let founding = Founding {
            org: OrgId::from_u128(id()),
            name: format!("org {number}"),
            owner: UserId::from_u128(id()),
            email: "Ada@example.com".to_owned(),
            key: KeyId::from_u128(id()),
            hash: KeyHash([7; 32]),
            builtins: std::array::from_fn(|_| {
                (RoleId::from_u128(id()), GroupId::from_u128(id()), GrantId::from_u128(id()))
            }),
            at: Timestamp::from_millis(1_000_000),
        };
        let owner = Caller { principal: Principal::User(founding.owner), key: Some(founding.key) };
        let mut world = Self {
            org: founding.org,
            state: OrgState::default(),
            records: Vec::new(),
            now: founding.at,
            next_id,
            sequence: u64::from(number),
            index: 0,
            owner,
            shares_frames: false,
        };
        world.record(Author::Operator, founding.decide().unwrap(), Vec::new());
        world
    }

    /// A founded organization with people, nested groups, roles, projects, objects, grants and keys.
    pub(crate) fn settled(number: u32) -> Self {
        let mut world = Self::founded(number);
        let types = [("team", "organization"), ("note", "project")];
        let object_types =
            types.map(|(name, parent)| TypeDefinition { name: name.to_owned(), parent: parent.to_owned() });
        let (object_types, permissions) = (object_types.to_vec(), vec!["deploy".to_owned()]);
        world.must(Command::ExtendCatalog { object_types, permissions });
        let id = UserId::from_u128(world.id());
        let (email, name, external_id) = ("bob@example.com".to_owned(), None, None);
        world.must(Command::User(UserCommand::Create { id, email, name, external_id }));
        for name in ["app", "job", "bot"] {
            world.create_token(name, None);
        }
        for name in ["low", "mid", "high"] {
            world.create_group(name);
        }
        let low = world.group("low");
        let (mid, high) = (world.group("mid"), world.group("high"));
        for (member, group) in [
            (Grantee::Group(low), mid),
            (Grantee::Group(mid), high),
            (Grantee::Token(world.token("app")), low),
            (Grantee::Token(world.token("job")), mid),
            (Grantee::User(id), high),
        ] {
            world.must(Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }));
        }
        world.create_project("prod-a", &[("env", "production")]);
        world.create_project("stage-a", &[("env", "staging")]);
        world.create_project("dev", &[]);
        world.create_role("writer", &[("update", None), ("deploy", Some("project"))], &[]);
        let writer = world.role("writer");
        world.create_role("lead", &[("read", None)], &[writer]);
        let prod = world.project("prod-a");
        world.must(Command::Object(ObjectCommand::Register {
            object: object("dataset", "ds").within(Some(prod)),
            name: None,
        }));
        world.must(Command::Object(ObjectCommand::Register { object: object("team", "blue"), name: None }));
        let lead = world.role("lead");
        world.allow(Grantee::Group(low), Gives::Role(lead), all_except(&[("env", "production")]));
        let stage = object("project", world.project("stage-a"));
        let engineer = world.state.builtin_role(Builtin::Engineer).unwrap();
        world.allow(Grantee::Group(mid), Gives::Role(engineer), Scope::Object(stage));
        let read = Gives::Permissions(vec!["read".to_owned()]);
        world.allow(Grantee::Group(high), read, Scope::Organization);
        let app = Principal::Token(world.token("app"));
        world.issue_key(app, None, None);
        let staging = vec![Atom::Name("stage*".to_owned())];
        let on = Some(Scope::Projects(Selector { include: staging.into(), exclude: Vec::new().into() }));
        let permissions = Some(vec!["read".to_owned(), "update".to_owned()]);
        world.issue_key(app, None, Some(Narrowing { permissions, on, generation: 0 }));
        world
    }

    /// A settled organization that went through the steps; refused ones leave nothing.
    pub(crate) fn lived(number: u32, steps: &[Step]) -> Self {
        Self::settled(number).living(steps)
    }

    pub(crate) fn living(mut self, steps: &[Step]) -> Self {
        for step in steps {
            self.step(*step);
        }
        self
    }

    pub(crate) fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    /// Decides as operator and records; whether anything was recorded.
    pub(crate) fn try_as(&mut self, author: Author, command: Command) -> bool {
        let request = Request { author, at: self.now, command };
        match self.state.decide(&request) {
            Ok(decided) if !decided.events.is_empty() => {
                self.record(author, decided.events, decided.steps);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    pub(crate) fn must(&mut self, command: Command) {
        assert!(self.try_as(Author::Operator, command.clone()), "refused: {command:?}");
    }

    /// Records without deciding, as a build with other limits may have.
    pub(crate) fn found_recorded(&mut self, events: Vec<Event>) {
        let steps = events.iter().map(|_| 1).collect();
        self.record(Author::Operator, events, steps);
    }

    fn record(&mut self, author: Author, events: Vec<Event>, steps: Vec<u32>) {
        for event in &events {
            self.state.apply(author.into(), event);
        }
        let (actor, credential) = match author {
            Author::Caller(caller) => (caller.principal.into(), caller.key),
            Author::System => (Actor::System, None),
            Author::Operator => (Actor::Operator, None),
        };
        let count = self.records.len() as u64;
        if self.shares_frames && count % 3 == 2 {
            self.index += 1;
        } else {
            self.sequence += 10;
            self.index = 0;
        }
        let record = Record {
            schema: RECORD_SCHEMA,
            ordinal: count + 1,
            at: self.now,
            actor,
            credential,
            source_ip: None,
            request_id: format!("r{count}"),
            request_hash: None,
            reason: None,
            steps,
            events,
        };
        let position = Position::of(self.sequence, self.index);
        self.records.push(Recorded { position, org: self.org, record });
    }

    pub(crate) fn position(&self) -> Position {
        self.records.last().unwrap().position
    }

    pub(crate) fn create_token(&mut self, name: &str, expires_at: Option<Timestamp>) -> TokenId {
        let id = TokenId::from_u128(self.id());
        let (name, description, external_id) = (name.to_owned(), None, None);
        self.must(Command::Token(TokenCommand::Create { id, name, description, external_id, expires_at }));
        id
    }

    pub(crate) fn create_group(&mut self, name: &str) -> GroupId {
        let id = GroupId::from_u128(self.id());
        self.must(Command::Group(GroupCommand::Create { id, name: name.to_owned(), description: None }));
        id
    }

    pub(crate) fn create_project(&mut self, name: &str, pairs: &[(&str, &str)]) -> ProjectId {
        let id = ProjectId::from_u128(self.id());
        self.must(Command::Project(ProjectCommand::Create {
            id,
            name: name.to_owned(),
            labels: labels(pairs),
        }));
        id
    }

    pub(crate) fn create_role(
        &mut self,
        name: &str,
        permissions: &[(&str, Option<&str>)],
        includes: &[RoleId],
    ) {
        let id = RoleId::from_u128(self.id());
        let permissions =
            permissions.iter().map(|(permission, object_type)| role_permission(permission, *object_type));
        let permissions = permissions.collect();
        self.must(Command::Role(RoleCommand::Create {
            id,
            name: name.to_owned(),
            permissions,
            includes: includes.to_vec(),
        }));
    }

    pub(crate) fn allow(&mut self, to: Grantee, gives: Gives, on: Scope) -> GrantId {
        self.grant(to, gives, on, Effect::Allow)
    }

    pub(crate) fn grant(&mut self, to: Grantee, gives: Gives, on: Scope, effect: Effect) -> GrantId {
        let id = GrantId::from_u128(self.id());
        let (object_type, expires_at, reason) = (None, None, None);
        self.must(Command::Grant(GrantCommand::Create {
            id,
            to,
            gives,
            on,
            effect,
            object_type,
            expires_at,
            reason,
        }));
        id
    }

    pub(crate) fn issue_key(
        &mut self,
        principal: Principal,
        expires_at: Option<Timestamp>,
        narrow: Option<Narrowing>,
    ) -> KeyId {
        let id = KeyId::from_u128(self.id());
        let hash = hash_of(id);
        self.must(Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at, narrow }));
        id
    }

    pub(crate) fn token(&self, name: &str) -> TokenId {
        self.state.tokens().find(|token| token.name == name).unwrap().id
    }

    pub(crate) fn group(&self, name: &str) -> GroupId {
        self.state.groups().find(|group| group.name == name).unwrap().id
    }

    pub(crate) fn role(&self, name: &str) -> RoleId {
        self.state.roles().find(|role| role.name == name).unwrap().id
    }

    pub(crate) fn project(&self, name: &str) -> ProjectId {
        self.state.projects().find(|project| project.name == name).unwrap().id
    }
}

pub(crate) fn hash_of(id: KeyId) -> KeyHash {
    let mut hash = [3; 32];
    hash[..16].copy_from_slice(&id.bytes());
    KeyHash(hash)
}

pub(crate) fn role_permission(permission: &str, object_type: Option<&str>) -> RolePermission {
    RolePermission { permission: permission.to_owned(), object_type: object_type.map(str::to_owned) }
}

/// A view in memory that has these records, in batches of `size` records.
pub(crate) fn view_of(records: &[Recorded], size: usize) -> ViewWriter {
    let mut writer = ViewWriter::in_memory(INSTALLATION).unwrap();
    for records in frames(records, size) {
        apply(&mut writer, records);
    }
    writer
}

pub(crate) fn apply(writer: &mut ViewWriter, records: &[Recorded]) {
    let last_sequence = records.last().unwrap().position.sequence();
    let checkpoint = last_sequence.to_string();
    writer.apply(&Batch { records, last_sequence, checkpoint: checkpoint.as_bytes() }, false).unwrap();
}

/// Cuts records into runs of whole frames with at least `size` records.
pub(crate) fn frames(records: &[Recorded], size: usize) -> Vec<&[Recorded]> {
    let mut runs = Vec::new();
    let mut start = 0;
    for end in 1..=records.len() {
        let frame_ends = records
            .get(end)
            .is_none_or(|next| next.position.sequence() != records[end - 1].position.sequence());
        if frame_ends && (end - start >= size || end == records.len()) {
            runs.push(&records[start..end]);
            start = end;
        }
    }
    runs
}
