//! What ended counts nowhere: after random histories with ends between all other commands, an organization decides every command
//! like one that never had what ended.

use std::collections::BTreeMap;

use grantbook_domain::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, Request, RoleCommand, TokenCommand, UserCommand,
    },
    event::Event,
    principal::{Grantee, Principal},
    refusal::Refusal,
    state::OrgState,
};
use proptest::{
    collection::vec,
    prelude::any,
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::{
    attenuation::{draw::Bytes, setting::World},
    given::by,
};

/// How often a command was decided, and how.
type JobStats = BTreeMap<&'static str, u64>;

fn histories() -> impl Strategy<Value = (Vec<Bytes>, Vec<Bytes>)> {
    (vec(any::<Bytes>(), 4..24), vec(any::<Bytes>(), 30))
}

/// Whether the thing that an event is about lives at the end. Keys are kept: whose they are may have ended, and who issued
/// others follows from them.
fn lives(now: &OrgState, event: &Event) -> bool {
    let account = |principal: Principal| now.principal_lives(principal);
    match event {
        Event::OrganizationCreated { .. }
        | Event::OrganizationUpdated { .. }
        | Event::CatalogExtended { .. }
        | Event::RollbackAccepted { .. }
        | Event::KeyIssued { .. }
        | Event::KeyRotated { .. }
        | Event::KeyRevoked { .. }
        | Event::KeyExpired { .. } => true,
        Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
            account(Principal::User(user.id))
        }
        Event::TokenCreated { token }
        | Event::TokenUpdated { token }
        | Event::TokenDeleted { token }
        | Event::TokenExpired { token } => account(Principal::Token(token.id)),
        Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
            now.living_group(group.id).is_some()
        }
        Event::MemberAdded { membership }
        | Event::MemberRemoved { membership }
        | Event::MemberExpired { membership } => {
            now.living_members_of(membership.group).any(|one| one.member == membership.member)
                && now.living_group(membership.group).is_some()
        }
        Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
            now.living_role(role.id).is_some()
        }
        Event::ProjectCreated { project }
        | Event::ProjectUpdated { project }
        | Event::ProjectDeleted { project } => now.living_project(project.id).is_some(),
        Event::ObjectRegistered { object }
        | Event::ObjectUpdated { object }
        | Event::ObjectRemoved { object } => {
            let known = now.living_object(&object.object);
            known.is_some_and(|known| known.generation == object.generation)
        }
        Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
            let known = now.grant(grant.id);
            known.is_some_and(|known| known.ended_at.is_none())
                && now.grantee_lives(grant.to)
                && now.scope_lives(&grant.on, grant.generation)
        }
        Event::WebhookCreated { webhook }
        | Event::WebhookUpdated { webhook }
        | Event::WebhookRotated { webhook }
        | Event::WebhookDeleted { webhook } => now.living_webhooks().any(|known| known.id == webhook.id),
    }
}

impl World {
    /// The same organization without a trace of what ended.
    fn forgotten(&self) -> OrgState {
        let mut state = OrgState::default();
        for (maker, event) in self.org.log.iter().filter(|(_, event)| lives(&self.org.state, event)) {
            state.apply(*maker, event);
        }
        state
    }

    /// An end of anything.
    fn draw_end(&self, [_, kind, a, b, ..]: Bytes) -> Option<Command> {
        fn pick<T: Clone>(from: &[T], choice: u8) -> Option<T> {
            from.get(usize::from(choice) % from.len().max(1)).cloned()
        }
        let members = |group| self.org.state.living_members_of(group);
        Some(match kind % 9 {
            0 | 1 => Command::Group(GroupCommand::Delete { id: pick(&self.groups, a)? }),
            2 => Command::Project(ProjectCommand::Delete { id: pick(&self.projects, a)? }),
            3 => Command::Token(TokenCommand::Delete { id: pick(&self.tokens, a)? }),
            4 => Command::User(UserCommand::Deactivate { id: pick(&self.users, a)? }),
            5 => {
                let group = pick(&self.groups, a)?;
                let members: Vec<Grantee> = members(group).map(|one| one.member).collect();
                Command::Member(MemberCommand::Remove { group, member: pick(&members, b)? })
            }
            6 => {
                let grants: Vec<_> = self.org.state.grants().map(|grant| grant.id).collect();
                Command::Grant(GrantCommand::Revoke { id: pick(&grants, a)? })
            }
            7 => Command::Role(RoleCommand::Delete { id: pick(&self.roles, a)? }),
            _ => Command::Object(ObjectCommand::Remove { object: pick(&self.objects, a)? }),
        })
    }

    /// From here on only what lives is named.
    fn forget_names(&mut self) {
        let state = &self.org.state;
        self.users.retain(|id| state.principal_lives(Principal::User(*id)));
        self.tokens.retain(|id| state.principal_lives(Principal::Token(*id)));
        self.groups.retain(|id| state.living_group(*id).is_some());
        self.roles.retain(|id| state.living_role(*id).is_some());
        self.projects.retain(|id| state.living_project(*id).is_some());
        // The generation of an object goes on where it was registered before.
        let ended_once = |object: &_| state.object(object).is_some_and(|known| known.generation > 1);
        self.objects.retain(|object| state.living_object(object).is_some() && !ended_once(object));
        self.callers.retain(|author| match author {
            Author::Caller(caller) => state.principal_lives(caller.principal),
            Author::System | Author::Operator => true,
        });
    }

    fn can_be_drawn_from(&self) -> bool {
        let Self { users, tokens, groups, roles, projects, objects, callers, .. } = self;
        // Commands name the fourth group and the third project.
        groups.len() > 3
            && projects.len() > 2
            && ![users.len(), tokens.len(), roles.len(), objects.len(), callers.len()].contains(&0)
    }
}

fn play(history: &[Bytes], asked: &[Bytes], tally: &mut JobStats) -> Result<(), String> {
    let mut world = World::settled();
    let owner = by(Principal::User(world.org.owner));
    for bytes in history {
        let end = (bytes[0] % 3 == 0).then(|| world.draw_end(*bytes)).flatten();
        let command = end.unwrap_or_else(|| world.draw(*bytes).1);
        if let Ok(events) = world.org.act(owner, command) {
            world.remember(&events);
        }
        world.org.pass(i64::from(bytes[9] % 4) * 50);
    }
    let forgotten = world.forgotten();
    world.forget_names();
    if !world.can_be_drawn_from() {
        *tally.entry("nothing left").or_default() += 1;
        return Ok(());
    }
    for bytes in asked {
        let (author, command) = world.draw(*bytes);
        let named = match &command {
            // An end that is asked for again is none; of what was never there, it is not found.
            Command::Grant(GrantCommand::Revoke { id }) => forgotten.grant(*id).is_some(),
            Command::Member(MemberCommand::Remove { group, member }) => {
                forgotten.membership(*member, *group).is_some()
            }
            Command::Object(ObjectCommand::Remove { object }) => object.project.is_some(),
            // The generations of an object go on.
            Command::Object(ObjectCommand::Register { object, .. }) => {
                world.org.state.object(object).is_some() == forgotten.object(object).is_some()
            }
            Command::Key(KeyCommand::Rotate { id, .. }) => {
                world.org.state.key(*id).is_some_and(|key| world.org.state.principal_lives(key.principal))
            }
            _ => true,
        };
        if !named {
            continue;
        }
        let decide = |state: &OrgState, author| {
            let request = Request { author, at: world.org.now, command: command.clone() };
            state.decide(&request).map(|decided| decided.events)
        };
        for author in [author, owner] {
            let (with, without) = (decide(&world.org.state, author), decide(&forgotten, author));
            if with != without {
                let told = |outcome: &Result<Vec<Event>, Refusal>| match outcome {
                    Ok(events) => format!("{events:?}"),
                    Err(refusal) => format!("{refusal:?}"),
                };
                return Err(format!(
                    "{author:?} {command:?}: {} with what ended, {} without",
                    told(&with),
                    told(&without)
                ));
            }
            *tally.entry(with.as_ref().map_or_else(Refusal::code, |_| "accepted")).or_default() += 1;
        }
    }
    *tally.entry("histories").or_default() += 1;
    Ok(())
}

#[test]
fn what_ended_counts_nowhere() {
    let config = Config { max_shrink_iters: 2000, ..crate::given::cases(300) };
    let tally = std::cell::RefCell::new(JobStats::default());
    let outcome = TestRunner::new(config).run(&histories(), |(history, asked)| {
        play(&history, &asked, &mut tally.borrow_mut()).map_err(TestCaseError::fail)
    });
    println!("{:?}", tally.borrow());
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The property is worth nothing if hardly anything is left, accepted or refused for what counts.
#[test]
fn the_histories_with_ends_are_strong_enough() {
    let mut runner = TestRunner::deterministic();
    let mut tally = JobStats::default();
    for _ in 0..100 {
        let (history, asked) = proptest::strategy::Strategy::new_tree(&histories(), &mut runner)
            .map(|tree| proptest::strategy::ValueTree::current(&tree))
            .expect("a history");
        play(&history, &asked, &mut tally).expect("what ended counts nowhere");
    }
    for (code, least) in
        [("histories", 40), ("accepted", 500), ("cycle", 3), ("not_held", 100), ("name_taken", 3)]
    {
        assert!(tally.get(code).is_some_and(|count| *count >= least), "too few {code}: {tally:?}");
    }
}
