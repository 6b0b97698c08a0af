//! From what must be there and what is there to the commands that lead from one to the other, in the order in which each can
//! name what those before it make.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::DateTime;
use grantbook_api::{
    nouns::{
        batch::{BatchCommand, BatchMethod},
        groups::Group,
        roles::{Role, RolePermission},
        users::User,
    },
    people::{
        names::{Kind, is_id},
        reference::GranteeArg,
        scope::label_words,
    },
    words::reference::{GranteeRef, GranteeType},
};
use serde_json::{Value, json};

use crate::{
    declare::{
        file::{Declared, GroupEntry, MemberEntry, RoleEntry, fault},
        present::Present,
    },
    nouns::roles::role_permission,
};

/// The commands, and what each is for.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) commands: Vec<BatchCommand>,
    pub(super) steps: Vec<Step>,
    /// What is there and says something else, and is left so.
    pub(super) left: Vec<String>,
}

/// What a command is for.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) words: String,
    /// The place in the file.
    pub(super) place: String,
}

/// Commands in the making.
pub(super) struct Builder<'a> {
    pub(super) declared: &'a Declared,
    pub(super) present: &'a Present,
    work: Work,
    /// References to what earlier commands make.
    made: HashMap<(Kind, String), String>,
}

/// The work that the file asks for.
pub(super) fn compare(declared: &Declared, present: &Present) -> anyhow::Result<Work> {
    let mut builder = Builder { declared, present, work: Work::default(), made: HashMap::new() };
    builder.users();
    builder.projects();
    builder.tokens();
    builder.roles()?;
    builder.groups();
    builder.members()?;
    builder.grants()?;
    Ok(builder.work)
}

impl Builder<'_> {
    /// Adds a command.
    pub(super) fn push(
        &mut self,
        (method, path): (BatchMethod, String),
        body: Value,
        place: String,
        words: String,
    ) {
        self.work.commands.push(BatchCommand { method, path, body });
        self.work.steps.push(Step { words, place });
    }

    /// Adds a command that makes something with a name.
    fn make(&mut self, kind: Kind, name: &str, body: Value, place: String) {
        let reference = format!("${}.id", self.work.commands.len());
        let path = format!("/v1/{}", kind.collection());
        self.push((BatchMethod::Post, path), body, place, format!("create {kind} {name}"));
        self.made.insert((kind, name.to_owned()), reference);
    }

    fn users(&mut self) {
        let (declared, present) = (self.declared, self.present);
        for (index, entry) in declared.users.iter().enumerate() {
            let is_same = |known: &User| known.email.eq_ignore_ascii_case(&entry.email);
            if !present.users.iter().any(is_same) {
                let body = match &entry.name {
                    Some(name) => json!({"email": entry.email, "name": name}),
                    None => json!({"email": entry.email}),
                };
                self.make(Kind::User, &entry.email, body, format!("/users/{index}"));
            }
        }
    }

    fn projects(&mut self) {
        let (declared, present) = (self.declared, self.present);
        for (index, entry) in declared.projects.iter().enumerate() {
            let place = format!("/projects/{index}");
            let Some(known) = present.projects.iter().find(|known| known.name == entry.name) else {
                let body = json!({"name": entry.name, "labels": entry.labels.clone().unwrap_or_default()});
                self.make(Kind::Project, &entry.name, body, place);
                continue;
            };
            let Some(mut labels) = entry.labels.clone() else { continue };
            if declared.only_adds {
                labels.extend(known.labels.clone());
            }
            if labels != known.labels {
                let words = format!("label project {}: {}", entry.name, label_words(&labels));
                let path = format!("/v1/projects/{}", known.id);
                self.push((BatchMethod::Patch, path), json!({"labels": labels}), place, words);
            }
        }
    }

    fn tokens(&mut self) {
        let (declared, present) = (self.declared, self.present);
        for (index, entry) in declared.tokens.iter().enumerate() {
            let place = format!("/tokens/{index}");
            let Some(known) = present.tokens.iter().find(|known| known.name == entry.name) else {
                self.make(
                    Kind::Token,
                    &entry.name,
                    described(&entry.name, entry.description.as_ref()),
                    place,
                );
                continue;
            };
            if self.describes(entry.description.as_ref(), known.description.as_ref()) {
                let path = (BatchMethod::Patch, format!("/v1/tokens/{}", known.id));
                let body = json!({"description": entry.description});
                self.push(path, body, place, format!("describe token {}", entry.name));
            }
        }
    }

    fn groups(&mut self) {
        let (declared, present) = (self.declared, self.present);
        for (index, entry) in declared.groups.iter().enumerate() {
            let place = format!("/groups/{index}");
            let Some(known) = present.groups.iter().find(|known| known.name == entry.name) else {
                self.make(
                    Kind::Group,
                    &entry.name,
                    described(&entry.name, entry.description.as_ref()),
                    place,
                );
                continue;
            };
            if self.describes(entry.description.as_ref(), known.description.as_ref()) {
                let path = (BatchMethod::Patch, format!("/v1/groups/{}", known.id));
                let body = json!({"description": entry.description});
                self.push(path, body, place, format!("describe group {}", entry.name));
            }
        }
    }

    /// Whether what is there gets another description.
    fn describes(&self, wanted: Option<&String>, known: Option<&String>) -> bool {
        !self.declared.only_adds && wanted.is_some() && wanted != known
    }

    /// New ones first, each after those that it includes; then changes.
    fn roles(&mut self) -> anyhow::Result<()> {
        let (declared, present) = (self.declared, self.present);
        let known = |name: &str| present.roles.iter().find(|known| known.name == name);
        let numbered = declared.roles.iter().enumerate();
        let mut pending: Vec<_> =
            numbered.clone().filter(|(_, entry)| known(&entry.name).is_none()).collect();
        while !pending.is_empty() {
            let waits =
                |entry: &RoleEntry| pending.iter().any(|(_, other)| entry.includes.contains(&other.name));
            let (later, now): (Vec<_>, Vec<_>) = pending.iter().partition(|(_, entry)| waits(entry));
            if let (Some((index, _)), true) = (later.first(), now.is_empty()) {
                let place = format!("/roles/{index}/includes");
                return Err(fault(&place, "these roles include each other in a circle"));
            }
            for (index, entry) in now {
                let place = format!("/roles/{index}");
                let (permissions, includes) = self.role(entry, &place)?;
                let includes: Vec<_> = includes.into_iter().collect();
                let body = json!({"name": entry.name, "permissions": permissions, "includes": includes});
                self.make(Kind::Role, &entry.name, body, place);
            }
            pending = later;
        }
        for (index, entry) in numbered {
            if let Some(known) = known(&entry.name) {
                self.change_role(entry, known, format!("/roles/{index}"))?;
            }
        }
        Ok(())
    }

    fn change_role(&mut self, entry: &RoleEntry, known: &Role, place: String) -> anyhow::Result<()> {
        if known.builtin {
            return Err(fault(&place, format!("the role `{}` is built in and never changes", entry.name)));
        }
        let (permissions, includes) = self.role(entry, &place)?;
        let same = known.permissions.iter().cloned().collect::<BTreeSet<_>>() == permissions
            && known.includes.iter().cloned().collect::<BTreeSet<_>>() == includes;
        if !same && self.declared.only_adds {
            let text = format!("role {} is there and gives something else: it is left as it is", entry.name);
            self.work.left.push(text);
        } else if !same {
            let body = json!({"permissions": permissions, "includes": includes});
            let path = (BatchMethod::Patch, format!("/v1/roles/{}", known.id));
            self.push(path, body, place, format!("change role {}", entry.name));
        }
        Ok(())
    }

    fn role(
        &self,
        entry: &RoleEntry,
        place: &str,
    ) -> anyhow::Result<(BTreeSet<RolePermission>, BTreeSet<String>)> {
        let permissions =
            entry.permissions.iter().map(|text| role_permission(text)).collect::<Result<_, _>>();
        let mut includes = BTreeSet::new();
        for (index, name) in entry.includes.iter().enumerate() {
            includes.insert(self.id(Kind::Role, name, &format!("{place}/includes/{index}"))?);
        }
        Ok((permissions.map_err(|told: String| fault(place, told))?, includes))
    }

    fn members(&mut self) -> anyhow::Result<()> {
        let declared = self.declared;
        for (index, group) in declared.groups.iter().enumerate() {
            let Some(members) = &group.members else { continue };
            self.members_of(group, members, &format!("/groups/{index}/members"))?;
        }
        Ok(())
    }

    fn members_of(&mut self, group: &GroupEntry, members: &[MemberEntry], place: &str) -> anyhow::Result<()> {
        let present = self.present;
        let id = self.id(Kind::Group, &group.name, place)?;
        let known = present.members.get(&id).map(Vec::as_slice).unwrap_or_default();
        let mut wanted = HashSet::new();
        for (index, entry) in members.iter().enumerate() {
            let place = format!("{place}/{index}");
            let member = self.grantee(&entry.member, &place)?;
            let until = end(entry.expires_at.as_deref(), &place)?;
            if !wanted.insert((member.kind.to_string(), member.id.clone())) {
                return Err(fault(&place, format!("`{}` is listed twice", entry.member)));
            }
            let same = known.iter().any(|one| {
                (one.member.kind, &one.member.id) == (member.kind, &member.id)
                    && (entry.expires_at.is_none() || millis(one.expires_at.as_deref()) == until)
            });
            if !same {
                let words = format!("add {} to group {}", entry.member, group.name);
                let path = (BatchMethod::Post, format!("/v1/groups/{id}/members"));
                let body = match &entry.expires_at {
                    Some(expires_at) => json!({"member": member, "expires_at": expires_at}),
                    None => json!({"member": member}),
                };
                self.push(path, body, place, words);
            }
        }
        if self.declared.only_adds {
            return Ok(());
        }
        for one in known {
            let (kind, member) = (one.member.kind, &one.member.id);
            if !wanted.contains(&(kind.to_string(), member.clone())) {
                let name = one.member.name.clone().unwrap_or_else(|| self.name_of(kind, member));
                let words = format!("remove {kind}:{name} from group {}", group.name);
                let path = (BatchMethod::Delete, format!("/v1/groups/{id}/members/{kind}/{member}"));
                self.push(path, Value::Null, place.to_owned(), words);
            }
        }
        Ok(())
    }

    /// The id of what has this name, or of what will have it, as later commands write it.
    pub(super) fn id(&self, kind: Kind, text: &str, place: &str) -> anyhow::Result<String> {
        if is_id(text) {
            return Ok(text.to_owned());
        }
        if let Some(reference) = self.made.get(&(kind, text.to_owned())) {
            return Ok(reference.clone());
        }
        let present = self.present;
        let found: Vec<&String> = match kind {
            Kind::Project => named(present.projects.iter().map(|one| (&one.name, &one.id)), text),
            Kind::Token => named(present.tokens.iter().map(|one| (&one.name, &one.id)), text),
            Kind::Group => named(present.groups.iter().map(|one| (&one.name, &one.id)), text),
            Kind::Role => named(present.roles.iter().map(|one| (&one.name, &one.id)), text),
            Kind::User => {
                let called = present.users.iter().filter(|user| {
                    user.email.eq_ignore_ascii_case(text) || user.name.as_deref() == Some(text)
                });
                called.map(|user| &user.id).collect()
            }
        };
        match found.as_slice() {
            [id] => Ok((*id).clone()),
            [] => Err(fault(place, format!("there is no {kind} named `{text}`, as far as this key may see"))),
            _ => Err(fault(place, format!("`{text}` is the name of several {}", kind.collection()))),
        }
    }

    /// A grantee as requests name it.
    pub(super) fn grantee(&self, text: &str, place: &str) -> anyhow::Result<GranteeRef> {
        let GranteeArg { kind, name } = text.parse().map_err(|told: String| fault(place, told))?;
        Ok(GranteeRef { kind, id: self.id(kind.into(), &name, place)? })
    }

    /// A name for people.
    pub(super) fn name_of(&self, kind: GranteeType, id: &str) -> String {
        let present = self.present;
        let found = match kind {
            GranteeType::User => present.users.iter().find(|one| one.id == id).map(|one| &one.email),
            GranteeType::Token => present.tokens.iter().find(|one| one.id == id).map(|one| &one.name),
            GranteeType::Group => {
                present.groups.iter().find(|one: &&Group| one.id == id).map(|one| &one.name)
            }
        };
        found.cloned().unwrap_or_else(|| id.to_owned())
    }
}

fn described(name: &str, description: Option<&String>) -> Value {
    match description {
        Some(description) => json!({"name": name, "description": description}),
        None => json!({"name": name}),
    }
}

fn named<'a>(all: impl Iterator<Item = (&'a String, &'a String)>, text: &str) -> Vec<&'a String> {
    all.filter(|(name, _)| *name == text).map(|(_, id)| id).collect()
}

/// An end in the file, in milliseconds; none for `never`, as for what has none.
pub(super) fn end(text: Option<&str>, place: &str) -> anyhow::Result<Option<i64>> {
    let known = millis(text);
    if known.is_none() && text.is_some_and(|text| text != "never") {
        return Err(fault(&format!("{place}/expires_at"), "must be a time as in RFC 3339, or `never`"));
    }
    Ok(known)
}

/// An instant in milliseconds, however it is written.
pub(super) fn millis(text: Option<&str>) -> Option<i64> {
    text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.timestamp_millis())
}
