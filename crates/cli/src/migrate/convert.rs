//! From an organization of Braintrust to what must be here. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use grantbook_api::{
    nouns::grants::Effect,
    words::{
        reference::ObjectRef,
        scope::{Atom, Scope, Selection, Selector},
    },
};

use crate::{
    declare::{
        Declared,
        file::{GrantEntry, GroupEntry, MemberEntry, ProjectEntry, RoleEntry, TokenEntry, UserEntry},
    },
    migrate::source::{Acl, Role, RolePermission, Source, User},
};

/// Object types that both sides have, so that a permission may be restricted to them.
const TYPES: [&str; 12] = [
    "organization",
    "org_project",
    "project",
    "group",
    "role",
    "org_member",
    "org_audit_logs",
    "experiment",
    "dataset",
    "prompt",
    "prompt_session",
    "project_log",
];
/// Groups and roles that every organization has on both sides.
const BUILT_IN: [(&str, &str); 3] = [("Owners", "Owner"), ("Engineers", "Engineer"), ("Viewers", "Viewer")];
/// What the label of a project group begins with. Its name follows.
const LABEL: &str = "project-group/";
const LABEL_VALUE: &str = "member";
/// The top-level domain of addresses that no mail reaches (RFC 2606, section 2).
const NO_MAIL: &str = ".invalid";

/// What must be here, and what cannot be.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) declared: Declared,
    pub(super) not_carried: Vec<String>,
}

/// `organization` is the id of the one here.
pub(super) fn convert(source: &Source, organization: &str) -> Converted {
    let names = Names::of(source);
    let mut converted = Converted::default();
    converted.declared.only_adds = true;
    converted.accounts(source, &names);
    converted.roles(source, &names);
    converted.groups(source, &names);
    converted.projects(source, &names);
    for acl in &source.acls {
        match grant(acl, &names, organization) {
            Ok(Some(entry)) if !converted.declared.grants.contains(&entry) => {
                converted.declared.grants.push(entry);
            }
            Ok(_) => {}
            Err(why) => {
                let Acl { id, object_type, object_id, .. } = acl;
                converted.not_carried.push(format!("ACL {id} on {object_type} {object_id}: {why}"));
            }
        }
    }
    converted
}

/// What things are called here, by their ids there.
#[derive(Debug, Default)]
struct Names {
    /// `user:EMAIL` or `token:NAME`.
    accounts: HashMap<String, String>,
    groups: HashMap<String, String>,
    roles: HashMap<String, String>,
    projects: HashMap<String, String>,
    project_groups: HashMap<String, String>,
}

impl Names {
    fn of(source: &Source) -> Self {
        let holders: BTreeSet<&str> =
            source.service_tokens.iter().filter_map(|token| token.service_account_id.as_deref()).collect();
        let is_token = |user: &User| {
            let email = user.email.as_deref().unwrap_or_default();
            holders.contains(user.id.as_str()) || email.is_empty() || email.ends_with(NO_MAIL)
        };
        let people = source.users.iter().filter(|user| !is_token(user));
        let people =
            people.map(|user| (user.id.clone(), format!("user:{}", user.email.clone().unwrap_or_default())));
        let tokens = source.users.iter().filter(|user| is_token(user)).map(|user| (&user.id, name_of(user)));
        let tokens = distinct(tokens).into_iter().map(|(id, name)| (id, format!("token:{name}")));
        Self {
            accounts: people.chain(tokens).collect(),
            groups: distinct(source.groups.iter().map(|one| (&one.id, one.name.clone()))),
            roles: distinct(source.roles.iter().map(|one| (&one.id, one.name.clone()))),
            projects: distinct(source.projects.iter().map(|one| (&one.id, one.name.clone()))),
            project_groups: distinct(source.project_groups.iter().map(|one| (&one.id, one.name.clone()))),
        }
    }
}

/// Names by id, each once: of several things with one name, all but the first get their id behind it.
fn distinct<'a>(named: impl Iterator<Item = (&'a String, String)>) -> HashMap<String, String> {
    let mut taken = BTreeSet::new();
    let one = |(id, name): (&String, String)| {
        let name = if taken.contains(&name) { format!("{name} ({id})") } else { name };
        taken.insert(name.clone());
        (id.clone(), name)
    };
    named.map(one).collect()
}

fn name_of(user: &User) -> String {
    let parts = [&user.given_name, &user.family_name].into_iter().flatten().map(|part| part.trim());
    let name = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if name.is_empty() { format!("service account {}", user.id) } else { name }
}

fn is_built_in_role(role: &Role) -> bool {
    role.org_id.is_none() && BUILT_IN.iter().any(|(_, name)| *name == role.name)
}

impl Converted {
    fn accounts(&mut self, source: &Source, names: &Names) {
        for user in &source.users {
            let account = names.accounts.get(&user.id).map(String::as_str).unwrap_or_default();
            if let Some(email) = account.strip_prefix("user:") {
                let name =
                    Some(name_of(user)).filter(|_| user.given_name.is_some() || user.family_name.is_some());
                self.declared.users.push(UserEntry { email: email.to_owned(), name });
            } else if let Some(name) = account.strip_prefix("token:") {
                self.declared.tokens.push(TokenEntry { name: name.to_owned(), description: None });
            }
        }
        for token in &source.service_tokens {
            let account = token.service_account_name.as_deref().unwrap_or("an account");
            let text = format!("the secret of service token {} of {account}: issue another key", token.name);
            self.not_carried.push(text);
        }
    }

    fn roles(&mut self, source: &Source, names: &Names) {
        for role in source.roles.iter().filter(|role| !is_built_in_role(role)) {
            let name = names.roles.get(&role.id).cloned().unwrap_or_default();
            let mut permissions = Vec::new();
            for one in role.member_permissions.iter().flatten() {
                match permission_text(one) {
                    Some(text) => permissions.push(text),
                    None => self.not_carried.push(format!(
                        "role {name}: {} on {}",
                        one.permission,
                        one.restrict_object_type.as_deref().unwrap_or_default()
                    )),
                }
            }
            let includes = role.member_roles.iter().flatten().filter_map(|id| names.roles.get(id)).cloned();
            self.declared.roles.push(RoleEntry { name, permissions, includes: includes.collect() });
        }
    }

    fn groups(&mut self, source: &Source, names: &Names) {
        for group in &source.groups {
            let name = names.groups.get(&group.id).cloned().unwrap_or_default();
            let mut members = Vec::new();
            for id in group.member_users.iter().flatten() {
                match names.accounts.get(id) {
                    Some(member) => members.push(member.clone()),
                    None => {
                        self.not_carried.push(format!("member {id} of group {name}: no user has this id"));
                    }
                }
            }
            for id in group.member_groups.iter().flatten() {
                match names.groups.get(id) {
                    Some(member) => members.push(format!("group:{member}")),
                    None => {
                        self.not_carried.push(format!("member {id} of group {name}: no group has this id"));
                    }
                }
            }
            let members =
                members.into_iter().map(|member| MemberEntry { member, expires_at: None }).collect();
            let description = group.description.clone().filter(|text| !text.is_empty());
            self.declared.groups.push(GroupEntry { name, description, members: Some(members), grants: None });
        }
    }

    fn projects(&mut self, source: &Source, names: &Names) {
        for project in &source.projects {
            let holding = source
                .project_groups
                .iter()
                .filter(|group| group.member_projects.iter().flatten().any(|member| *member == project.id));
            let labels: BTreeMap<String, String> = holding
                .filter_map(|group| names.project_groups.get(&group.id))
                .map(|name| (format!("{LABEL}{name}"), LABEL_VALUE.to_owned()))
                .collect();
            let name = names.projects.get(&project.id).cloned().unwrap_or_default();
            self.declared.projects.push(ProjectEntry { name, labels: Some(labels) });
        }
    }
}

fn permission_text(one: &RolePermission) -> Option<String> {
    match &one.restrict_object_type {
        None => Some(one.permission.clone()),
        Some(object_type) if TYPES.contains(&object_type.as_str()) => {
            Some(format!("{}:{object_type}", one.permission))
        }
        Some(_) => None,
    }
}

/// What an ACL is here; nothing if every organization has it.
fn grant(acl: &Acl, names: &Names, organization: &str) -> Result<Option<GrantEntry>, &'static str> {
    let to = match (&acl.user_id, &acl.group_id) {
        (Some(id), None) => names.accounts.get(id).cloned().ok_or("no user has its user_id")?,
        (None, Some(id)) => format!("group:{}", names.groups.get(id).ok_or("no group has its group_id")?),
        (None, None) | (Some(_), Some(_)) => return Err("it is for nobody"),
    };
    let role = match &acl.role_id {
        Some(id) => Some(names.roles.get(id).cloned().ok_or("no role has its role_id")?),
        None => None,
    };
    let permissions = acl.permission.clone().map(|one| vec![one]);
    if role.is_some() == permissions.is_some() {
        return Err("it gives nothing");
    }
    let built_in =
        |(group, name): &(&str, &str)| to == format!("group:{group}") && role.as_deref() == Some(*name);
    if acl.object_type == "organization" && BUILT_IN.iter().any(built_in) {
        return Ok(None);
    }
    let mut object_type = acl.restrict_object_type.clone();
    let on = place(acl, names, organization)?;
    if acl.object_type == "project_log" {
        if object_type.as_deref().is_some_and(|one| one != "project_log") {
            return Err("it reaches nothing");
        }
        object_type = Some("project_log".to_owned());
    }
    if object_type.as_deref().is_some_and(|one| !TYPES.contains(&one)) {
        return Err("Grantbook has no such object type");
    }
    let (effect, expires_at, reason) = (Effect::Allow, None, None);
    Ok(Some(GrantEntry { to: Some(to), role, permissions, on, effect, object_type, expires_at, reason }))
}

fn place(acl: &Acl, names: &Names, organization: &str) -> Result<Scope, &'static str> {
    let object = |object_type: &str, id: &str| {
        Scope::Object(ObjectRef { object_type: object_type.to_owned(), id: id.to_owned(), project: None })
    };
    let called = |known: &HashMap<String, String>, why| known.get(&acl.object_id).cloned().ok_or(why);
    match acl.object_type.as_str() {
        "organization" => Ok(Scope::ORGANIZATION),
        one @ ("org_project" | "org_member" | "org_audit_logs") => Ok(object(one, organization)),
        "project" | "project_log" => {
            Ok(object("project", &called(&names.projects, "no project has its object_id")?))
        }
        "group" => Ok(object("group", &called(&names.groups, "no group has its object_id")?)),
        "role" => Ok(object("role", &called(&names.roles, "no role has its object_id")?)),
        "project_group" | "project_group_projects" => {
            let name = called(&names.project_groups, "no project group has its object_id")?;
            let label = BTreeMap::from([(format!("{LABEL}{name}"), LABEL_VALUE.to_owned())]);
            Ok(Scope::Projects(Selector { include: Selection::Any(vec![Atom::Label(label)]), exclude: None }))
        }
        "experiment" | "dataset" | "prompt" | "prompt_session" => {
            Err("single objects are not read: give the grant once the object is registered")
        }
        _ => Err("Grantbook has no such object type"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> Vec<T> {
        serde_json::from_value(value).unwrap()
    }

    /// Written by hand from Braintrust's specification.
    fn source() -> Source {
        Source {
            users: read(json!([
                {"id": "u1", "email": "ada@example.com", "given_name": "Ada", "family_name": "Lovelace", "avatar_url": null},
                {"id": "u2", "email": "bot-1@bots.example", "given_name": "ci", "family_name": null},
                {"id": "u3", "email": "x@service.invalid", "given_name": "ci"},
            ])),
            service_tokens: read(json!([
                {"id": "k1", "name": "deploy", "preview_name": "bt-st-***", "service_account_id": "u2", "service_account_name": "ci"},
            ])),
            groups: read(json!([
                {"id": "g1", "name": "Owners", "member_users": ["u1"], "member_groups": null},
                {"id": "g2", "name": "builders", "description": "", "member_users": ["u2", "gone"], "member_groups": ["g1"]},
            ])),
            roles: read(json!([
                {"id": "r1", "org_id": null, "name": "Owner"},
                {"id": "r2", "org_id": "o", "name": "writer", "member_roles": ["r1"], "member_permissions": [
                    {"permission": "update"}, {"permission": "read", "restrict_object_type": "dataset"},
                    {"permission": "read", "restrict_object_type": "ai_secret"}]},
            ])),
            projects: read(json!([{"id": "p1", "name": "staging"}, {"id": "p2", "name": "dev"}])),
            project_groups: read(json!([{"id": "pg", "name": "open", "member_projects": ["p1"]}])),
            acls: read(json!([
                {"id": "a1", "object_type": "organization", "object_id": "o", "group_id": "g1", "role_id": "r1"},
                {"id": "a2", "object_type": "project_group", "object_id": "pg", "group_id": "g2", "role_id": "r2"},
                {"id": "a3", "object_type": "project_log", "object_id": "p2", "user_id": "u3", "permission": "update"},
                {"id": "a4", "object_type": "dataset", "object_id": "d", "user_id": "u1", "permission": "read"},
                {"id": "a5", "object_type": "org_project", "object_id": "o", "user_id": "u1", "permission": "create"},
                {"id": "a6", "object_type": "org_project", "object_id": "o", "user_id": "u1", "permission": "create"},
            ])),
        }
    }

    #[test]
    fn an_organization_is_carried_as_far_as_it_goes() {
        let Converted { declared, not_carried } = convert(&source(), "here");
        let emails: Vec<&str> = declared.users.iter().map(|user| user.email.as_str()).collect();
        assert_eq!(
            (emails, declared.users[0].name.as_deref()),
            (vec!["ada@example.com"], Some("Ada Lovelace"))
        );
        let tokens: Vec<&str> = declared.tokens.iter().map(|token| token.name.as_str()).collect();
        assert_eq!(tokens, ["ci", "ci (u3)"], "names are told apart");
        assert_eq!(declared.roles.len(), 1);
        assert_eq!(declared.roles[0].permissions, ["update", "read:dataset"]);
        assert_eq!(declared.roles[0].includes, ["Owner"]);
        let members = |at: usize| -> Vec<&str> {
            declared.groups[at].members.iter().flatten().map(|one| one.member.as_str()).collect()
        };
        assert_eq!(
            (members(0), members(1)),
            (vec!["user:ada@example.com"], vec!["token:ci", "group:Owners"])
        );
        let labels = |at: usize| declared.projects[at].labels.clone().unwrap();
        assert_eq!(labels(0), BTreeMap::from([("project-group/open".to_owned(), "member".to_owned())]));
        assert_eq!(labels(1), BTreeMap::new());
        let given: Vec<String> = declared
            .grants
            .iter()
            .map(|one| {
                let on = serde_json::to_value(&one.on).unwrap();
                format!("{} {:?} {:?} {on}", one.to.as_deref().unwrap(), one.role, one.object_type)
            })
            .collect();
        assert_eq!(
            given,
            [
                r#"group:builders Some("writer") None {"projects":{"include":[{"label":{"project-group/open":"member"}}]}}"#,
                r#"token:ci (u3) None Some("project_log") {"object":{"id":"dev","type":"project"}}"#,
                r#"user:ada@example.com None None {"object":{"id":"here","type":"org_project"}}"#,
            ]
        );
        assert_eq!(
            not_carried,
            [
                "the secret of service token deploy of ci: issue another key",
                "role writer: read on ai_secret",
                "member gone of group builders: no user has this id",
                "ACL a4 on dataset d: single objects are not read: give the grant once the object is registered",
            ]
        );
        assert!(declared.only_adds);
    }

    #[test]
    fn what_gives_nothing_or_to_nobody_is_named() {
        let source = source();
        let names = Names::of(&source);
        for (acl, why) in [
            (json!({"object_type": "project", "object_id": "p1", "permission": "read"}), "it is for nobody"),
            (json!({"object_type": "project", "object_id": "p1", "user_id": "u1"}), "it gives nothing"),
            (
                json!({"object_type": "project", "object_id": "no", "user_id": "u1", "permission": "read"}),
                "no project has its object_id",
            ),
            (
                json!({"object_type": "ai_secret", "object_id": "s", "user_id": "u1", "permission": "read"}),
                "Grantbook has no such object type",
            ),
            (
                json!({"object_type": "project", "object_id": "p1", "user_id": "u1", "permission": "read", "restrict_object_type": "ai_secret"}),
                "Grantbook has no such object type",
            ),
        ] {
            let mut acl = acl;
            acl["id"] = "a".into();
            let acl: Acl = serde_json::from_value(acl).unwrap();
            assert_eq!(grant(&acl, &names, "here"), Err(why));
        }
    }
}
