//! A settled organization: owners, delegated admins, a team lead, plain users and tokens, nested groups, roles that
//! include roles, labelled projects, denies, and keys narrowed in several ways.

use grantbook_domain::{
    command::{Author, Command, RoleCommand},
    id::{GroupId, KeyId, ProjectId, RoleId, TokenId, UserId},
    model::RolePermission,
    principal::{Grantee, Principal},
    scope::ObjectRef,
    time::Timestamp,
};

use crate::given::{Give, Org, START, all, all_but, by, label, labelled, object, on_project, within};

/// The organization and what commands may name.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) org: Org,
    pub(super) callers: Vec<Author>,
    pub(super) users: Vec<UserId>,
    pub(super) tokens: Vec<TokenId>,
    pub(super) groups: Vec<GroupId>,
    pub(super) roles: Vec<RoleId>,
    pub(super) projects: Vec<ProjectId>,
    /// Each with its project; one id is used in two.
    pub(super) objects: Vec<ObjectRef>,
    pub(super) keys: Vec<KeyId>,
}

/// The instants at which things expire.
pub(super) fn expiry(choice: u8) -> Option<Timestamp> {
    match choice % 5 {
        0 => Some(START.plus_millis(1000)),
        1 => Some(START.plus_millis(2000)),
        2 => Some(START.plus_millis(3000)),
        _ => None,
    }
}

impl World {
    pub(super) fn settled() -> Self {
        let mut world = Self::peopled();
        world.rule();
        world.narrow_keys();
        world
    }

    fn peopled() -> Self {
        let mut org = Org::founded();
        let users = vec![org.owner, org.user("bob@x.y"), org.user("cat@x.y"), org.user("dan@x.y")];
        let tokens = vec![org.token("deployer"), org.token_until("crawler", expiry(2))];
        let groups =
            ["admins", "outer", "middle", "inner", "walled", "team"].map(|name| org.group(name)).to_vec();
        let reader = org.role("reader", &["read"], &[]);
        let roles = vec![reader, org.role("writer", &["update"], &[reader]), role_on_experiments(&mut org)];
        let projects = vec![
            org.project("production", &[("env", "prod")]),
            org.project("staging", &[("env", "staging")]),
            org.project("dev", &[("env", "dev"), ("tier", "a")]),
        ];
        let objects: Vec<_> = [("e1", 1), ("e2", 0), ("e1", 0), ("e3", 2)]
            .map(|(id, project)| object("experiment", id).within(Some(projects[project])))
            .to_vec();
        for object in &objects {
            org.register(object, object.project);
        }
        let people =
            users.iter().map(|id| Principal::User(*id)).chain(tokens.iter().map(|id| Principal::Token(*id)));
        let mut callers: Vec<_> = people.map(by).collect();
        for admin in [Principal::User(users[1]), Principal::User(users[2]), Principal::Token(tokens[0])] {
            callers.extend([by(admin), by(admin)]);
        }
        Self { org, callers, users, tokens, groups, roles, projects, objects, keys: Vec::new() }
    }

    /// Admins may ask for nearly every command, so that attenuation is all that stands between them and more.
    fn rule(&mut self) {
        let Self { org, users, tokens, groups, roles, projects, objects, .. } = self;
        let admins = Grantee::Group(groups[0]);
        let acls = ["read", "create_acls", "read_acls", "update_acls", "delete_acls"];
        org.give(Give::allow(admins, &acls, grantbook_domain::scope::Scope::Organization));
        for object_type in ["group", "role", "org_member", "org_project"] {
            let every = grantbook_domain::scope::Scope::Organization;
            org.give(Give::allow(admins, &["create", "update", "delete"], every).only(object_type));
        }
        org.give(Give::allow(admins, &["update", "delete"], all()).only("project"));
        org.give(Give::allow(admins, &["create", "delete"], all()).only("experiment"));
        for (member, until) in [
            (Grantee::User(users[1]), None),
            (Grantee::User(users[2]), None),
            (Grantee::Token(tokens[0]), expiry(2)),
        ] {
            org.join_until(groups[0], member, until);
        }
        org.join(groups[1], Grantee::Group(groups[2]));
        org.join_until(groups[2], Grantee::Group(groups[3]), expiry(2));
        org.join(groups[3], Grantee::Group(groups[5]));
        org.join(groups[3], Grantee::User(users[3]));
        org.join_until(groups[3], Grantee::User(users[2]), expiry(1));
        org.join(groups[4], Grantee::Token(tokens[1]));
        org.give(Give::allow(Grantee::User(users[1]), &["delegate"], labelled("env", "staging")));
        let delegate =
            Give::allow(Grantee::Token(tokens[0]), &["delegate"], all_but(vec![label("env", "prod")]));
        org.give(delegate.only("project"));
        let team_lead = Grantee::User(users[2]);
        org.give(Give::allow(team_lead, &["delegate"], within("group", &groups[3].to_string())));
        org.give(Give::allow(Grantee::Group(groups[1]), &["read"], all()));
        org.give(Give::role(Grantee::Group(groups[2]), roles[1], all_but(vec![label("env", "prod")])));
        org.give(Give::allow(Grantee::Group(groups[3]), &["delegate"], on_project(projects[2])));
        org.give(Give::deny(Grantee::Group(groups[4]), &["read", "update"], labelled("env", "prod")));
        org.give(Give::deny(
            Grantee::Token(tokens[1]),
            &["update"],
            grantbook_domain::scope::Scope::Object(objects[0].clone()),
        ));
        org.give(Give::allow(Grantee::Token(tokens[1]), &["update", "delete"], all()));
        org.give(Give::allow(Grantee::User(users[3]), &["update"], all()));
        org.give(Give::role(Grantee::User(users[3]), roles[1], labelled("tier", "a")).denying());
        org.give(
            Give::role(Grantee::User(users[1]), roles[2], labelled("env", "staging"))
                .until(START.plus_millis(2000)),
        );
    }

    fn narrow_keys(&mut self) {
        let (ada, bob) = (Principal::User(self.users[0]), Principal::User(self.users[1]));
        let not_prod = all_but(vec![label("env", "prod")]);
        for (who, permissions, on) in [
            (ada, None, Some(not_prod)),
            (ada, Some(&["read", "update", "create_acls", "read_acls"][..]), None),
            (bob, None, Some(labelled("env", "dev"))),
        ] {
            let author = self.org.narrowed(who, permissions, on);
            let Author::Caller(caller) = author else { continue };
            self.keys.extend(caller.key);
            self.callers.push(author);
        }
    }
}

fn role_on_experiments(org: &mut Org) -> RoleId {
    let id = org.id();
    let one = |permission: &str| RolePermission {
        permission: permission.to_owned(),
        object_type: Some("experiment".to_owned()),
    };
    let permissions = vec![one("read"), one("update"), one("delete")];
    org.done(Command::Role(RoleCommand::Create {
        id,
        name: "experimenter".to_owned(),
        permissions,
        includes: Vec::new(),
    }));
    id
}
