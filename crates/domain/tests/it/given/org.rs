//! One organization being driven.

use grantbook_domain::{
    access::check::{Question, Reason, Target},
    catalog::TypeDefinition,
    command::{
        Author, Command, GroupCommand, KeyCommand, MemberCommand, ObjectCommand, ProjectCommand, Request,
        RoleCommand, TokenCommand, UserCommand,
    },
    event::Event,
    id::{GrantId, GroupId, Id, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId},
    model::{Builtin, KeyHash, Narrowing, RolePermission},
    principal::{Caller, Grantee, Principal},
    record::Maker,
    refusal::Refusal,
    scope::{ObjectRef, Scope},
    state::{OrgState, founding::Founding},
    time::Timestamp,
};

use crate::given::words::{Give, as_user, labels};

/// When every organization here is founded.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);

/// An organization with its clock; commands are decided and folded at once.
#[derive(Debug, Clone)]
pub(crate) struct Org {
    pub(crate) state: OrgState,
    pub(crate) now: Timestamp,
    pub(crate) owner: UserId,
    pub(crate) owner_key: KeyId,
    pub(crate) next: u128,
    /// Everything that was folded.
    pub(crate) log: Vec<(Maker, Event)>,
}

impl Org {
    pub(crate) fn founded() -> Self {
        let mut org = Self {
            state: OrgState::default(),
            now: START,
            owner: Id::from_u128(0),
            owner_key: Id::from_u128(0),
            next: 0,
            log: Vec::new(),
        };
        let mut builtins = || (org.id(), org.id(), org.id());
        let builtins = [builtins(), builtins(), builtins()];
        let (owner, key): (UserId, KeyId) = (org.id(), org.id());
        let founding = Founding {
            org: org.id::<grantbook_domain::id::kind::Org>(),
            name: "acme".to_owned(),
            owner,
            email: "ada@example.com".to_owned(),
            key,
            hash: KeyHash([1; 32]),
            builtins,
            at: START,
        };
        org.fold(Author::Operator, &founding.decide().expect("a founding"));
        org.owner = owner;
        org.owner_key = key;
        org
    }

    /// A new id, of whatever kind is wanted.
    pub(crate) fn id<K>(&mut self) -> Id<K> {
        self.next += 1;
        Id::from_u128((0x0190_0000_0000_7000_8000_u128 << 48) + self.next)
    }

    pub(crate) fn org_id(&self) -> OrgId {
        self.state.id().expect("founded")
    }

    /// The text id of the singletons.
    pub(crate) fn own_id(&self) -> String {
        self.org_id().to_string()
    }

    pub(crate) fn ada(&self) -> Author {
        as_user(self.owner)
    }

    pub(crate) fn owners(&self) -> GroupId {
        self.state.builtin_group(Builtin::Owner).expect("founded")
    }

    pub(crate) fn builtin(&self, builtin: Builtin) -> RoleId {
        self.state.builtin_role(builtin).expect("founded")
    }

    pub(crate) fn pass(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
    }

    pub(crate) fn decide(&self, author: Author, command: Command) -> Result<Vec<Event>, Refusal> {
        self.state.decide(&Request { author, at: self.now, command }).map(|decided| decided.events)
    }

    /// Decides, and folds what was decided.
    pub(crate) fn act(&mut self, author: Author, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = self.decide(author, command)?;
        self.fold(author, &events);
        Ok(events)
    }

    fn fold(&mut self, author: Author, events: &[Event]) {
        for event in events {
            self.state.apply(author.into(), event);
            self.log.push((author.into(), event.clone()));
        }
    }

    /// By the owner, who may.
    #[track_caller]
    pub(crate) fn done(&mut self, command: Command) -> Vec<Event> {
        let ada = self.ada();
        self.act(ada, command).unwrap_or_else(|refusal| panic!("refused: {refusal:?}"))
    }

    #[track_caller]
    pub(crate) fn user(&mut self, email: &str) -> UserId {
        let id = self.id();
        self.done(Command::User(UserCommand::Create {
            id,
            email: email.to_owned(),
            name: None,
            external_id: None,
        }));
        id
    }

    #[track_caller]
    pub(crate) fn token(&mut self, name: &str) -> TokenId {
        self.token_until(name, None)
    }

    #[track_caller]
    pub(crate) fn token_until(&mut self, name: &str, expires_at: Option<Timestamp>) -> TokenId {
        let id = self.id();
        let name = name.to_owned();
        self.done(Command::Token(TokenCommand::Create {
            id,
            name,
            description: None,
            external_id: None,
            expires_at,
        }));
        id
    }

    #[track_caller]
    pub(crate) fn group(&mut self, name: &str) -> GroupId {
        let id = self.id();
        self.done(Command::Group(GroupCommand::Create { id, name: name.to_owned(), description: None }));
        id
    }

    #[track_caller]
    pub(crate) fn role(&mut self, name: &str, permissions: &[&str], includes: &[RoleId]) -> RoleId {
        let id = self.id();
        let one = |name: &&str| RolePermission { permission: (*name).to_owned(), object_type: None };
        let (permissions, includes) = (permissions.iter().map(one).collect(), includes.to_vec());
        self.done(Command::Role(RoleCommand::Create { id, name: name.to_owned(), permissions, includes }));
        id
    }

    #[track_caller]
    pub(crate) fn project(&mut self, name: &str, pairs: &[(&str, &str)]) -> ProjectId {
        let id = self.id();
        self.done(Command::Project(ProjectCommand::Create {
            id,
            name: name.to_owned(),
            labels: labels(pairs),
        }));
        id
    }

    #[track_caller]
    pub(crate) fn relabel(&mut self, id: ProjectId, pairs: &[(&str, &str)]) {
        self.done(Command::Project(ProjectCommand::Update { id, name: None, labels: Some(labels(pairs)) }));
    }

    #[track_caller]
    pub(crate) fn register(&mut self, object: &ObjectRef, project: Option<ProjectId>) {
        self.done(Command::Object(ObjectCommand::Register {
            object: object.clone().within(project),
            name: None,
        }));
    }

    #[track_caller]
    pub(crate) fn extend(&mut self, object_types: &[(&str, &str)], permissions: &[&str]) {
        let one = |(name, parent): &(&str, &str)| TypeDefinition {
            name: (*name).to_owned(),
            parent: (*parent).to_owned(),
        };
        self.done(Command::ExtendCatalog {
            object_types: object_types.iter().map(one).collect(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
        });
    }

    #[track_caller]
    pub(crate) fn join(&mut self, group: GroupId, member: Grantee) {
        self.join_until(group, member, None);
    }

    #[track_caller]
    pub(crate) fn join_until(&mut self, group: GroupId, member: Grantee, expires_at: Option<Timestamp>) {
        self.done(Command::Member(MemberCommand::Add { group, member, expires_at: expires_at.into() }));
    }

    #[track_caller]
    pub(crate) fn give(&mut self, give: Give) -> GrantId {
        let id = self.id();
        self.done(give.command(id));
        id
    }

    /// Whether somebody may give this grant; nothing is folded.
    pub(crate) fn try_give(&mut self, author: Author, give: Give) -> Result<Vec<Event>, Refusal> {
        let id = self.id();
        self.decide(author, give.command(id))
    }

    #[track_caller]
    pub(crate) fn key(
        &mut self,
        principal: Principal,
        expires_at: Option<Timestamp>,
        narrow: Option<Narrowing>,
    ) -> KeyId {
        let id = self.id();
        let hash = KeyHash([2; 32]);
        self.done(Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at, narrow }));
        id
    }

    /// The principal acting with a new key of its own that is narrowed so.
    #[track_caller]
    pub(crate) fn narrowed(
        &mut self,
        principal: Principal,
        permissions: Option<&[&str]>,
        on: Option<Scope>,
    ) -> Author {
        let permissions = permissions.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let key = self.key(principal, None, Some(Narrowing { permissions, on, generation: 0 }));
        Author::Caller(Caller { principal, key: Some(key) })
    }

    /// May the principal do it on the object, now? `project` names the object's project.
    pub(crate) fn ask(
        &self,
        who: Principal,
        permission: &str,
        on: &ObjectRef,
        project: Option<ProjectId>,
    ) -> Reason {
        self.ask_as((Some(who), None), permission, on, project)
    }

    pub(crate) fn ask_as(
        &self,
        (principal, key): (Option<Principal>, Option<KeyId>),
        permission: &str,
        on: &ObjectRef,
        project: Option<ProjectId>,
    ) -> Reason {
        let project = project.map(|id| id.to_string());
        let object = Target { object_type: &on.object_type, id: &on.id, project: project.as_deref() };
        self.state.check(&Question { principal, key, permission, object }, self.now)
    }
}
