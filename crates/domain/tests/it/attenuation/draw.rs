//! Commands drawn from bytes, by whomever: most of them asking for more than their caller has.

use grantbook_domain::{
    catalog::TypeDefinition,
    command::{
        Author, Command, GrantCommand, GroupCommand, IfTaken, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    event::Event,
    id::ObjectId,
    model::{Effect, Gives, KeyHash, Narrowing, RolePermission},
    principal::{Grantee, Principal},
    scope::{Atom, Labels, ObjectRef, Scope},
};

use crate::{
    attenuation::setting::{World, expiry},
    given::{
        all, all_but, excluding, ids, label, labelled, labels, named, on_project, one_of, webhook, within,
    },
};

/// What one command is drawn from: small bytes name the earlier choices, so that failures shrink.
pub(super) type Bytes = [u8; 10];

fn pick<T: Clone>(from: &[T], choice: u8) -> T {
    from[usize::from(choice) % from.len()].clone()
}

impl World {
    /// A caller and a command.
    pub(super) fn draw(&mut self, bytes: Bytes) -> (Author, Command) {
        let author = pick(&self.callers, bytes[0]);
        (author, self.draw_command(bytes))
    }

    /// A command that shapes the organization before the history begins.
    pub(super) fn draw_settling(&mut self, bytes: Bytes) -> Command {
        match bytes[1] % 4 {
            0 => self.draw_membership(bytes),
            1 => self.draw_key(bytes),
            _ => self.draw_grant(bytes),
        }
    }

    fn draw_command(&mut self, bytes: Bytes) -> Command {
        let [_, kind, a, b, c, d, ..] = bytes;
        match kind % 32 {
            0..=4 => self.draw_membership(bytes),
            5 | 6 => self.draw_removal(a),
            7..=11 => self.draw_grant(bytes),
            12 => self.draw_revocation(a),
            13..=15 => self.draw_role(bytes),
            16..=19 => self.draw_move(bytes),
            20..=22 => self.draw_key(bytes),
            23 => self.draw_rotation(a),
            24 => Command::Object(ObjectCommand::Remove { object: self.reference(a, b) }),
            25 if d % 3 == 0 => {
                let project = Some(pick(&self.projects, c));
                let id: ObjectId = self.org.id();
                let object = ObjectRef::new("experiment", id.to_string()).within(project);
                let if_taken = if b % 2 == 0 { IfTaken::Number } else { IfTaken::Use };
                Command::Object(ObjectCommand::Create { object, name: "run".to_owned(), if_taken })
            }
            25 => {
                let object = pick(&self.objects, a);
                let project = if b % 3 == 0 { Some(pick(&self.projects, c)) } else { object.project };
                Command::Object(ObjectCommand::Register { object: object.within(project), name: None })
            }
            26 => Command::Token(TokenCommand::Update {
                id: pick(&self.tokens, a),
                name: None,
                description: None,
                external_id: (b % 4 == 0).then(|| Some(format!("elsewhere-{c}"))),
                expires_at: Some(expiry(d)),
            }),
            27 => Command::User(UserCommand::Update {
                id: pick(&self.users, a),
                email: Some(format!("new{b}@x.y")),
                name: None,
                external_id: None,
            }),
            28 => match a % 4 {
                0 => Command::Group(GroupCommand::Delete { id: pick(&self.groups, b) }),
                1 => Command::Project(ProjectCommand::Delete { id: pick(&self.projects, b) }),
                2 => Command::Token(TokenCommand::Delete { id: pick(&self.tokens, b) }),
                _ => Command::User(UserCommand::Deactivate { id: pick(&self.users, b) }),
            },
            29 => Command::Project(ProjectCommand::Create {
                id: self.org.id(),
                name: format!("s{a}"),
                labels: draw_labels(b),
            }),
            30 => Command::Role(RoleCommand::Create {
                id: self.org.id(),
                name: format!("role {a}"),
                permissions: draw_role_permissions(b),
                includes: vec![pick(&self.roles, c)],
            }),
            31 if a % 4 == 0 => self.draw_webhook(b),
            31 if a % 4 == 1 => {
                Command::Session(SessionCommand::Start { id: self.org.id(), hash: KeyHash([5; 32]) })
            }
            _ => Command::ExtendCatalog {
                object_types: vec![TypeDefinition {
                    name: format!("type{}", a % 3),
                    parent: "project".to_owned(),
                }],
                permissions: vec![format!("verb{}", a % 3)],
            },
        }
    }

    /// They confer nothing, whoever makes them.
    fn draw_webhook(&mut self, choice: u8) -> Command {
        let known = self.org.state.living_webhooks().next().map(|webhook| webhook.id);
        match known {
            Some(id) if choice.is_multiple_of(3) => Command::Webhook(WebhookCommand::Delete { id }),
            Some(id) if choice % 3 == 1 => {
                Command::Webhook(WebhookCommand::Rotate { id, key: "k2".to_owned(), grace_seconds: 60 })
            }
            _ => webhook(self.org.id()),
        }
    }

    fn draw_membership(&self, [_, _, a, b, c, ..]: Bytes) -> Command {
        Command::Member(MemberCommand::Add {
            group: pick(&self.groups, a),
            member: self.grantee(b),
            expires_at: expiry(c).into(),
        })
    }

    fn draw_removal(&self, choice: u8) -> Command {
        let everywhere = self.groups.iter().flat_map(|group| self.org.state.members_of(*group));
        let memberships: Vec<_> = everywhere.map(|known| (known.group, known.member)).collect();
        let (group, member) = pick(&memberships, choice);
        Command::Member(MemberCommand::Remove { group, member })
    }

    fn draw_grant(&mut self, [_, _, to, kind, gives, on, more, end, ..]: Bytes) -> Command {
        let (gives, on) = match kind % 8 {
            0 | 4 => (Gives::Role(pick(&self.roles, gives)), self.scope(on)),
            7 => self.leadership(on),
            _ => (Gives::Permissions(draw_permissions(gives)), self.scope(on)),
        };
        let types = [None, None, None, Some("project"), Some("experiment"), Some("group")];
        Command::Grant(GrantCommand::Create {
            id: self.org.id(),
            to: self.grantee(to),
            gives,
            on,
            effect: if more % 6 == 5 { Effect::Deny } else { Effect::Allow },
            object_type: pick(&types, more / 6).map(str::to_owned),
            expires_at: expiry(end),
            reason: None,
        })
    }

    /// What a team lead may have, yet not give away.
    fn leadership(&self, choice: u8) -> (Gives, Scope) {
        let group = if choice.is_multiple_of(3) { pick(&self.groups, choice / 3) } else { self.groups[3] };
        (Gives::Permissions(vec!["delegate".to_owned()]), within("group", &group.to_string()))
    }

    fn draw_revocation(&self, choice: u8) -> Command {
        let grants: Vec<_> = self.org.state.grants().map(|grant| grant.id).collect();
        Command::Grant(GrantCommand::Revoke { id: pick(&grants, choice) })
    }

    fn draw_role(&self, [_, _, role, list, gives, keeps, ..]: Bytes) -> Command {
        let (id, name) = (pick(&self.roles, role), None);
        if list % 2 == 0 {
            let permissions = Some(draw_role_permissions(gives));
            return Command::Role(RoleCommand::Update { id, name, permissions, includes: None });
        }
        let includes = if keeps % 4 == 0 { Vec::new() } else { vec![pick(&self.roles, gives)] };
        Command::Role(RoleCommand::Update { id, name, permissions: None, includes: Some(includes) })
    }

    fn draw_move(&self, [_, _, a, b, c, ..]: Bytes) -> Command {
        let id = pick(&self.projects, a);
        if b % 3 == 0 {
            let name = pick(&["production", "staging", "dev", "prod2", "s2", "x"], c).to_owned();
            Command::Project(ProjectCommand::Update { id, name: Some(name), labels: None })
        } else {
            Command::Project(ProjectCommand::Update { id, name: None, labels: Some(draw_labels(c)) })
        }
    }

    fn draw_key(&mut self, [_, _, whose, kind, gives, on, end, ..]: Bytes) -> Command {
        let permissions = (kind % 3 == 0).then(|| draw_permissions(gives));
        let on = (kind % 2 == 0).then(|| self.scope(on));
        let narrow =
            (permissions.is_some() || on.is_some()).then_some(Narrowing { permissions, on, generation: 0 });
        let principal = self.principal(whose);
        let (id, hash) = (self.org.id(), KeyHash([3; 32]));
        Command::Key(KeyCommand::Issue { id, principal, name: None, hash, expires_at: expiry(end), narrow })
    }

    fn draw_rotation(&mut self, choice: u8) -> Command {
        let id = pick(&self.keys, choice);
        Command::Key(KeyCommand::Rotate {
            id,
            new_id: self.org.id(),
            hash: KeyHash([4; 32]),
            grace_seconds: 1,
        })
    }

    fn principal(&self, choice: u8) -> Principal {
        let users = self.users.iter().map(|id| Principal::User(*id));
        let everybody: Vec<_> = users.chain(self.tokens.iter().map(|id| Principal::Token(*id))).collect();
        pick(&everybody, choice)
    }

    fn grantee(&self, choice: u8) -> Grantee {
        match choice % 2 {
            0 => self.principal(choice / 2).into(),
            _ => Grantee::Group(pick(&self.groups, choice / 2)),
        }
    }

    fn scope(&self, choice: u8) -> Scope {
        let project = |index: u8| pick(&self.projects, index);
        let id = |index: u8| Atom::Id(project(index));
        match choice % 28 {
            0 | 1 => Scope::Organization,
            2 | 3 => all(),
            4 | 5 => all_but(vec![label("env", "prod")]),
            6 => ids(&[project(choice / 28)]),
            7 => ids(&[project(0), project(2)]),
            8 => labelled("env", "dev"),
            9 => labelled("env", "prod"),
            10 => labelled("tier", "a"),
            11 => one_of(vec![Atom::Label(labels(&[("env", "dev"), ("tier", "a")]))]),
            12 => one_of(vec![named("s*")]),
            13 => one_of(vec![named("prod*")]),
            14 => one_of(vec![named("staging")]),
            15 => all_but(vec![named("p*")]),
            16 => excluding(vec![label("env", "dev"), named("s*")], vec![label("tier", "a")]),
            17 => excluding(vec![id(choice / 28)], vec![label("env", "prod")]),
            18 => all_but(vec![id(choice / 28)]),
            19 | 20 => on_project(project(choice / 28)),
            21 => Scope::Object(self.reference(choice / 28, choice)),
            22..=24 => within("group", &pick(&self.groups, choice / 28).to_string()),
            25 => within("org_project", &self.org.own_id()),
            26 => within("org_member", &self.org.own_id()),
            _ => excluding(vec![named("*")], vec![label("env", "prod"), label("env", "staging")]),
        }
    }

    /// An object that was registered, mostly as callers name one whose project they know.
    fn reference(&self, which: u8, how: u8) -> ObjectRef {
        let object = pick(&self.objects, which);
        if how % 4 == 3 { object.within(None) } else { object }
    }

    /// Remembers what the accepted command made, so that later commands can name it.
    pub(super) fn remember(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::ProjectCreated { project } => self.projects.push(project.id),
                Event::RoleCreated { role } => self.roles.push(role.id),
                Event::ObjectRegistered { object } if !self.objects.contains(&object.object) => {
                    self.objects.push(object.object.clone());
                }
                Event::KeyIssued { key } | Event::KeyRotated { key, .. } => {
                    self.keys.push(key.id);
                    let caller =
                        grantbook_domain::principal::Caller { principal: key.principal, key: Some(key.id) };
                    self.callers.push(Author::Caller(caller));
                }
                _ => {}
            }
        }
    }
}

fn draw_permissions(choice: u8) -> Vec<String> {
    let sets: [&[&str]; 10] = [
        &["read"],
        &["update"],
        &["read", "update"],
        &["delete"],
        &["read", "create_acls"],
        &["delegate"],
        &["read", "delegate"],
        &["create", "update", "delete"],
        &["update_acls"],
        &["read", "read_acls", "delete_acls"],
    ];
    pick(&sets, choice).iter().map(|name| (*name).to_owned()).collect()
}

fn draw_role_permissions(choice: u8) -> Vec<RolePermission> {
    let object_type = pick(&[None, None, Some("experiment"), Some("project"), Some("group")], choice / 10);
    let one = |permission| RolePermission { permission, object_type: object_type.map(str::to_owned) };
    draw_permissions(choice).into_iter().map(one).collect()
}

fn draw_labels(choice: u8) -> Labels {
    let env = pick(&[Some("prod"), Some("staging"), Some("dev"), None], choice);
    let tier = pick(&[None, Some("a"), Some("b")], choice / 4);
    let pairs = [("env", env), ("tier", tier)];
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect()
}
