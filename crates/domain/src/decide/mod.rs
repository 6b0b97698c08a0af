//! Deciding: one pure function from state and request to events or a refusal.
//!
//! Each file below holds the rules of one noun. All share `Judge`: the state, the request's author and time, and
//! the author's holdings, gathered once a command.

mod author;
mod catalog;
mod grants;
mod groups;
mod keys;
mod notices;
mod objects;
mod people;
mod projects;
mod roles;
mod sessions;
mod tokens;
mod webhooks;

use std::{cell::Cell, collections::BTreeSet};

use crate::{
    access::{authority::Holdings, containment::ScopeContext},
    catalog::Permission,
    command::{
        Author, Command, GrantCommand, KeyCommand, MemberCommand, Request, SessionCommand, UserCommand,
    },
    event::Event,
    limits::{Limit, Limits, WorkCounter},
    model::{Builtin, Key, RegisteredObject},
    principal::{Caller, Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::ObjectRef,
    state::OrgState,
    text::{TextFault, check_name, check_prose},
    time::Timestamp,
};

/// Most commands of one batch.
pub const BATCH_MAX: usize = 1000;

/// What an accepted command makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// The facts, in order; none if everything is so already.
    pub events: Vec<Event>,
    /// For a batch: how many of the events each command made; empty otherwise.
    pub steps: Vec<u32>,
}

/// What a command costs, in work units: see [`crate::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// To decide it.
    pub deciding: u64,
    /// To follow its record on a read node.
    pub following: u64,
}

type Events = Result<Vec<Event>, Refusal>;

impl OrgState {
    /// Decides the request on this very state. Pure: the same state and request give the same answer.
    pub fn decide(&self, request: &Request) -> Result<Decided, Refusal> {
        self.decide_within(request, &Limits::DEFAULT).0
    }

    /// The same under these limits, with what it costs, accepted or refused. No limit refuses a command that only takes
    /// access away.
    pub fn decide_within(&self, request: &Request, limits: &Limits) -> (Result<Decided, Refusal>, Cost) {
        let is_free = self.may_only_take(&request.command);
        let limit = if is_free { u64::MAX } else { limits.command_work };
        let terms = Terms { limits: *limits, work: WorkCounter::limited(limit), following: Cell::new(0) };
        let decided = if let Command::Batch(commands) = &request.command {
            self.decide_batch(request, commands, &terms)
        } else {
            let events = self.decide_one(request, &request.command, (&BTreeSet::new(), &terms));
            events.map(|events| {
                self.count_following(&events, &terms);
                Decided { events, steps: Vec::new() }
            })
        };
        let following = terms.following.get();
        let decided = match decided {
            // What was found after the work was used up, a refusal too, means nothing.
            _ if terms.work.is_exceeded() => Err(limits.too_costly(Limit::CommandWork)),
            Ok(decided) if following > limits.record_work && !self.only_takes(&decided.events) => {
                Err(limits.too_costly(Limit::RecordWork))
            }
            decided => decided,
        };
        (decided, Cost { deciding: terms.work.spent(), following })
    }

    fn count_following(&self, events: &[Event], terms: &Terms) {
        for event in events {
            let cost = self.cost_to_follow(event, &terms.work);
            terms.following.set(terms.following.get().saturating_add(cost));
        }
    }

    /// The registered object, living or ended, that a command of this author on it means; none if it sees no such one.
    pub fn object_meant(&self, author: Author, at: Timestamp, named: &ObjectRef) -> Option<RegisteredObject> {
        self.as_author(author, at, |judge| judge.object_in_path(named, Permission::READ).ok().cloned())
    }

    /// The living object that the author is given in place of a new one of this name; none if it sees no such one.
    pub fn object_in_use(
        &self,
        author: Author,
        at: Timestamp,
        wanted: (&ObjectRef, &str),
    ) -> Option<RegisteredObject> {
        self.as_author(author, at, |judge| judge.seen_with_name(wanted.0, wanted.1).cloned())
    }

    fn as_author<T>(
        &self,
        author: Author,
        at: Timestamp,
        ask: impl FnOnce(&Judge<'_>) -> Option<T>,
    ) -> Option<T> {
        let request = Request { author, at, command: Command::Batch(Vec::new()) };
        let made = BTreeSet::new();
        let terms =
            Terms { limits: Limits::DEFAULT, work: WorkCounter::unlimited(), following: Cell::new(0) };
        ask(&Judge::new(self, &request, (&made, &terms)).ok()?)
    }

    fn decide_batch(
        &self,
        request: &Request,
        commands: &[Command],
        terms: &Terms,
    ) -> Result<Decided, Refusal> {
        if commands.is_empty() || commands.len() > BATCH_MAX {
            return Err(Refusal::invalid("/commands", "a batch has 1 to 1000 commands"));
        }
        let mut state = self.clone();
        let mut decided = Decided::default();
        let mut made = BTreeSet::new();
        for (index, command) in commands.iter().enumerate() {
            let in_batch = |refusal| Refusal::InBatch { index, refusal: Box::new(refusal) };
            if matches!(command, Command::Batch(_)) {
                return Err(in_batch(Refusal::invalid("", "a batch holds no batches")));
            }
            let events = state.decide_one(request, command, (&made, terms)).map_err(in_batch)?;
            if terms.work.is_exceeded() {
                break;
            }
            for event in &events {
                state.count_following(std::slice::from_ref(event), terms);
                state.apply(request.author.into(), event);
                made.extend(author::visible::made_by(event));
            }
            decided.steps.push(u32::try_from(events.len()).unwrap_or(u32::MAX));
            decided.events.extend(events);
        }
        if decided.events.is_empty() {
            decided.steps.clear();
        }
        Ok(decided)
    }

    fn decide_one(
        &self,
        request: &Request,
        command: &Command,
        given: (&BTreeSet<ObjectRef>, &Terms),
    ) -> Events {
        let judge = Judge::new(self, request, given)?;
        judge.require_form(command)?;
        judge.authorize(command)?;
        judge.require_recent_sign_in(command)?;
        let events = judge.judge(command)?;
        if judge.may_end_an_owner(command) && !events.is_empty() {
            let mut after = self.clone();
            for event in &events {
                after.apply(request.author.into(), event);
            }
            if !after.has_owner() {
                return Err(Refusal::LastOwner);
            }
        }
        Ok(events)
    }

    /// Whether such an owner has a key, no session, that works at `now` and is not narrowed.
    pub fn an_owner_has_a_key(&self, now: Timestamp) -> bool {
        let owners = self.builtin_group(Builtin::Owner);
        owners.is_some_and(|owners| {
            let lasting = self.living_members_of(owners).filter(|one| one.expires_at.is_none());
            lasting.filter_map(|one| one.member.principal()).any(|owner| {
                let whole = self.keys_of(owner).filter(|key| key.narrow.is_none() && key.session.is_none());
                matches!(owner, Principal::User(_))
                    && whole.into_iter().any(|key| self.active_key(key.id, now).is_ok())
            })
        })
    }

    /// Whether an active user is a direct, unexpiring member of Owners.
    pub fn has_owner(&self) -> bool {
        let owners = self.builtin_group(Builtin::Owner);
        owners.is_some_and(|owners| {
            self.living_members_of(owners).any(|membership| {
                matches!(membership.member, Grantee::User(_)) && membership.expires_at.is_none()
            })
        })
    }
}

/// What a command may cost, and what it has cost so far.
struct Terms {
    limits: Limits,
    work: WorkCounter,
    /// What its events cost to follow.
    following: Cell<u64>,
}

/// One command being judged.
struct Judge<'a> {
    state: &'a OrgState,
    author: Author,
    at: Timestamp,
    /// What the caller holds; nothing for the system, and not asked for the operator.
    holdings: Holdings,
    /// What earlier commands of the same batch made: its author knows of it.
    made: &'a BTreeSet<ObjectRef>,
    terms: &'a Terms,
}

impl<'a> Judge<'a> {
    fn new(
        state: &'a OrgState,
        request: &Request,
        (made, terms): (&'a BTreeSet<ObjectRef>, &'a Terms),
    ) -> Result<Self, Refusal> {
        let Request { author, at, .. } = *request;
        let holdings = match author {
            Author::Caller(caller) => {
                Self::require_active(state, caller, at)?;
                state.holdings(caller, at)
            }
            Author::System | Author::Operator => Holdings::default(),
        };
        terms.work.spend(holdings.allows.len().saturating_add(holdings.denies.len()));
        Ok(Self { state, author, at, holdings, made, terms })
    }

    /// Runs `ask` with what is known of projects; comparisons of scopes are counted.
    fn on_ground<T>(&self, ask: impl FnOnce(&ScopeContext<'_>) -> T) -> T {
        self.state.on_ground_within(&self.terms.work, ask)
    }

    /// What the body alone shows to be wrong, before anything is compared with what the author holds.
    fn require_form(&self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Grant(GrantCommand::Create { on, expires_at, reason, .. }) => {
                self.require_future(*expires_at)?;
                require_prose("/reason", reason.as_deref())?;
                grants::require_selector(on, "/on")
            }
            Command::Key(KeyCommand::Issue { expires_at, narrow: Some(narrow), .. }) => {
                self.require_future(*expires_at)?;
                narrow.on.as_ref().map_or(Ok(()), |on| grants::require_selector(on, "/narrow/on"))
            }
            Command::Key(_)
            | Command::Grant(GrantCommand::Revoke { .. })
            | Command::Batch(_)
            | Command::ExtendCatalog { .. }
            | Command::User(_)
            | Command::Token(_)
            | Command::Session(_)
            | Command::Group(_)
            | Command::Member(_)
            | Command::Role(_)
            | Command::Project(_)
            | Command::Object(_)
            | Command::Webhook(_)
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => Ok(()),
        }
    }

    /// The key may have been revoked between its authentication and this decision.
    fn require_active(state: &OrgState, caller: Caller, at: Timestamp) -> Result<(), Refusal> {
        state.active_principal(caller.principal, at).map_err(|_| Refusal::Inactive)?;
        match caller.key.map(|id| state.active_key(id, at)) {
            None => Ok(()),
            Some(Ok(key)) if key.principal == caller.principal => Ok(()),
            Some(_) => Err(Refusal::Inactive),
        }
    }

    /// The key that is used, if one is.
    fn credential(&self) -> Option<&'a Key> {
        match self.author {
            Author::Caller(caller) => caller.key.and_then(|id| self.state.key(id)),
            Author::System | Author::Operator => None,
        }
    }

    /// The principal that asks, if one does.
    fn principal(&self) -> Option<Principal> {
        match self.author {
            Author::Caller(caller) => Some(caller.principal),
            Author::System | Author::Operator => None,
        }
    }

    fn judge(&self, command: &Command) -> Events {
        match command {
            Command::Batch(_) => Err(Refusal::invalid("", "a batch holds no batches")),
            Command::ExtendCatalog { object_types, permissions } => {
                self.extend_catalog(object_types, permissions)
            }
            Command::User(command) => self.judge_user(command),
            Command::Token(command) => self.judge_token(command),
            Command::Key(command) => self.judge_key(command),
            Command::Session(SessionCommand::Start { id, hash }) => self.start_session(*id, *hash),
            Command::Session(SessionCommand::End { id }) => {
                self.end_key(self.state.session(*id), Kind::Session)
            }
            Command::Group(command) => self.judge_group(command),
            Command::Member(MemberCommand::Add { group, member, expires_at }) => {
                self.add_member(*group, *member, *expires_at)
            }
            Command::Member(MemberCommand::Remove { group, member }) => self.remove_member(*group, *member),
            Command::Role(command) => self.judge_role(command),
            Command::Project(command) => self.judge_project(command),
            Command::Object(command) => self.judge_object(command),
            Command::Grant(command) => self.judge_grant(command),
            Command::Webhook(command) => self.judge_webhook(command),
            Command::NoteExpiries { limit } => Ok(self.note_expiries(*limit)),
            Command::RecoverOwner { email, new_user, key, hash } => {
                self.recover_owner(email, *new_user, *key, *hash)
            }
            Command::AcceptRollback { kept, lost } => {
                Ok(vec![Event::RollbackAccepted { kept: *kept, lost: *lost }])
            }
        }
    }

    fn may_end_an_owner(&self, command: &Command) -> bool {
        let owners = self.state.builtin_group(Builtin::Owner);
        match command {
            Command::User(UserCommand::Deactivate { .. }) => true,
            Command::Member(MemberCommand::Add { group, .. } | MemberCommand::Remove { group, .. }) => {
                Some(*group) == owners
            }
            Command::Batch(_)
            | Command::ExtendCatalog { .. }
            | Command::User(UserCommand::Create { .. } | UserCommand::Update { .. })
            | Command::Token(_)
            | Command::Key(_)
            | Command::Session(_)
            | Command::Group(_)
            | Command::Role(_)
            | Command::Project(_)
            | Command::Object(_)
            | Command::Grant(_)
            | Command::Webhook(_)
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => false,
        }
    }

    fn require_future(&self, expires_at: Option<Timestamp>) -> Result<(), Refusal> {
        if Timestamp::end(expires_at) > self.at {
            Ok(())
        } else {
            Err(Refusal::invalid("/expires_at", "must lie in the future"))
        }
    }
}

fn text(pointer: &str, checked: Result<(), TextFault>) -> Result<(), Refusal> {
    checked.map_err(|fault| Refusal::Text { pointer: pointer.to_owned(), fault })
}

/// Whether a text was not there before: what was is not judged again, by rules that may be newer than it.
fn is_new<T: PartialEq>(now: &T, old: Option<&T>) -> bool {
    old != Some(now)
}

fn require_name(name: &str) -> Result<(), Refusal> {
    text("/name", check_name(name))
}

fn require_prose(pointer: &str, prose: Option<&str>) -> Result<(), Refusal> {
    prose.map_or(Ok(()), |prose| text(pointer, check_prose(prose)))
}

/// The field after an optional change.
fn changed<T: Clone>(change: Option<&Option<T>>, old: Option<&T>) -> Option<T> {
    change.map_or_else(|| old.cloned(), Clone::clone)
}
