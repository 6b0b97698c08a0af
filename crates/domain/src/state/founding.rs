//! An organization's first record: the organization, what is built in, its first owner and that owner's first key.

use crate::{
    event::Event,
    id::{GrantId, GroupId, KeyId, OrgId, RoleId, UserId},
    model::{
        Builtin, Effect, Gives, Grant, Group, Key, KeyHash, Membership, Personal, Role, RolePermission, User,
    },
    principal::{Grantee, Principal},
    refusal::Refusal,
    scope::Scope,
    text::{check_email, check_name},
    time::Timestamp,
};

/// Everything that a founding needs; ids are chosen by the caller.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The organization's id.
    pub org: OrgId,
    /// Its name.
    pub name: String,
    /// The first owner's id.
    pub owner: UserId,
    /// The first owner's e-mail.
    pub email: String,
    /// The first key's id.
    pub key: KeyId,
    /// The first secret's SHA-256.
    pub hash: KeyHash,
    /// Role, group and grant of Owners, Engineers and Viewers.
    pub builtins: [(RoleId, GroupId, GrantId); 3],
    /// When.
    pub at: Timestamp,
}

impl Founding {
    /// The events of the first record.
    pub fn decide(&self) -> Result<Vec<Event>, Refusal> {
        let text = |pointer: &str, fault| Refusal::Text { pointer: pointer.to_owned(), fault };
        check_name(&self.name).map_err(|fault| text("/org", fault))?;
        check_email(&self.email).map_err(|fault| text("/owner", fault))?;
        let mut events = vec![Event::OrganizationCreated {
            id: self.org,
            name: self.name.clone(),
            created_at: self.at,
            writers: Vec::new(),
        }];
        let kinds = [Builtin::Owner, Builtin::Engineer, Builtin::Viewer];
        for (builtin, ids) in kinds.into_iter().zip(self.builtins) {
            events.extend(self.built_in(builtin, ids));
        }
        events.extend(self.first_owner());
        Ok(events)
    }

    fn built_in(&self, builtin: Builtin, (role, group, grant): (RoleId, GroupId, GrantId)) -> [Event; 3] {
        let (role_name, group_name, permissions): (_, _, &[&str]) = match builtin {
            Builtin::Owner => ("Owner", "Owners", &[]),
            Builtin::Engineer => ("Engineer", "Engineers", &["create", "delete", "read", "update"]),
            Builtin::Viewer => ("Viewer", "Viewers", &["read"]),
        };
        let one = |name: &&str| RolePermission { permission: (*name).to_owned(), object_type: None };
        let created_at = self.at;
        [
            Event::RoleCreated {
                role: Role {
                    id: role,
                    name: role_name.to_owned(),
                    permissions: permissions.iter().map(one).collect(),
                    includes: Vec::new(),
                    builtin: Some(builtin),
                    created_at,
                    ended_at: None,
                },
            },
            Event::GroupCreated {
                group: Group {
                    id: group,
                    name: group_name.to_owned(),
                    description: None,
                    builtin: Some(builtin),
                    created_at,
                    ended_at: None,
                },
            },
            Event::GrantCreated {
                grant: Grant {
                    id: grant,
                    to: Grantee::Group(group),
                    gives: Gives::Role(role),
                    on: Scope::Organization,
                    effect: Effect::Allow,
                    object_type: None,
                    generation: 0,
                    expires_at: None,
                    reason: None,
                    builtin: true,
                    created_at,
                    ended_at: None,
                },
            },
        ]
    }

    fn first_owner(&self) -> [Event; 3] {
        let created_at = self.at;
        let [(_, owners, _), ..] = self.builtins;
        [
            Event::UserCreated {
                user: User {
                    id: self.owner,
                    email: Personal::Clear(self.email.clone()),
                    name: None,
                    external_id: None,
                    identities: Vec::new(),
                    created_at,
                    ended_at: None,
                },
            },
            Event::MemberAdded {
                membership: Membership {
                    group: owners,
                    member: Grantee::User(self.owner),
                    expires_at: None,
                    created_at,
                    ended_at: None,
                },
            },
            Event::KeyIssued {
                key: Key {
                    id: self.key,
                    principal: Principal::User(self.owner),
                    name: Some("first key".to_owned()),
                    hash: self.hash,
                    expires_at: None,
                    narrow: None,
                    replaces: None,
                    session: None,
                    created_at,
                    ended_at: None,
                },
            },
        ]
    }
}
