//! The grants of the file against those that are there.

use grantbook_api::{
    nouns::{
        batch::BatchMethod,
        grants::{CreateGrant, Effect, Grant},
    },
    people::names::Kind,
    words::{
        reference::{GranteeRef, ObjectRef},
        scope::{Atom, Scope, Selection, Selector},
    },
};
use serde_json::Value;

use crate::declare::{
    compare::{Builder, end, millis},
    file::{GrantEntry, fault},
};

/// What makes two grants the same, besides the reason.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    to: GranteeRef,
    gives: String,
    on: String,
    effect: Effect,
    object_type: Option<String>,
    until: Option<i64>,
}

/// A grant that must be there.
struct Wanted<'a> {
    identity: Identity,
    body: CreateGrant,
    entry: &'a GrantEntry,
    to: String,
    place: String,
}

impl Builder<'_> {
    /// Gives what is missing, and then revokes what a group's own list does not have.
    pub(super) fn grants(&mut self) -> anyhow::Result<()> {
        let (declared, present) = (self.declared, self.present);
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        let mut managed = Vec::new();
        for (index, group) in declared.groups.iter().enumerate() {
            let Some(grants) = &group.grants else { continue };
            let place = format!("/groups/{index}/grants");
            managed.push((self.id(Kind::Group, &group.name, &place)?, place.clone()));
            for (number, entry) in grants.iter().enumerate() {
                wanted.push(self.wanted(
                    &format!("group:{}", group.name),
                    entry,
                    format!("{place}/{number}"),
                )?);
            }
        }
        for (index, entry) in declared.grants.iter().enumerate() {
            let to = entry.to.clone().unwrap_or_default();
            wanted.push(self.wanted(&to, entry, format!("/grants/{index}"))?);
        }
        let mut there: Vec<(Identity, &Grant)> =
            present.grants.iter().map(|grant| (identity(grant), grant)).collect();
        for (index, one) in wanted.iter().enumerate() {
            let same = |other: &&Wanted<'_>| {
                other.identity == one.identity && other.entry.reason == one.entry.reason
            };
            if wanted.iter().take(index).any(|other| same(&other)) {
                return Err(fault(&one.place, "the same grant is listed twice"));
            }
            let fits = |(identity, grant): &(Identity, &Grant)| {
                *identity == one.identity && (one.entry.reason.is_none() || one.entry.reason == grant.reason)
            };
            match there.iter().position(fits) {
                Some(place) => drop(there.swap_remove(place)),
                None => self.give(one),
            }
        }
        // The rest, in their own order.
        there.sort_by(|(_, one), (_, other)| (&one.created_at, &one.id).cmp(&(&other.created_at, &other.id)));
        for (identity, grant) in there.iter().filter(|(_, grant)| !grant.builtin) {
            let list = managed.iter().find(|(group, _)| *group == identity.to.id);
            if let Some((_, place)) = list {
                self.revoke(grant, place);
            }
        }
        Ok(())
    }

    fn wanted<'e>(&self, to: &str, entry: &'e GrantEntry, place: String) -> anyhow::Result<Wanted<'e>> {
        let role = match &entry.role {
            Some(name) => Some(self.id(Kind::Role, name, &format!("{place}/role"))?),
            None => None,
        };
        let body = CreateGrant {
            to: self.grantee(to, &format!("{place}/to"))?,
            role,
            permissions: entry.permissions.clone(),
            on: self.scope(&entry.on, &format!("{place}/on"))?,
            effect: entry.effect,
            object_type: entry.object_type.clone(),
            expires_at: entry.expires_at.clone(),
            reason: entry.reason.clone(),
        };
        let identity = Identity {
            to: body.to.clone(),
            gives: gives(body.role.as_ref(), body.permissions.as_ref()),
            on: canonical(&self.housed(&body.on)),
            effect: body.effect,
            object_type: body.object_type.clone(),
            until: end(body.expires_at.as_deref(), &place)?,
        };
        Ok(Wanted { identity, body, entry, to: to.to_owned(), place })
    }

    fn give(&mut self, one: &Wanted<'_>) {
        let what = match (&one.entry.role, &one.entry.permissions) {
            (Some(role), _) => role.clone(),
            (None, permissions) => permissions.clone().unwrap_or_default().join(","),
        };
        let verb = if one.entry.effect == Effect::Deny { "deny" } else { "grant" };
        let words = format!("{verb} {} {what} on {}", one.to, self.scope_words(&one.entry.on));
        let body = serde_json::to_value(&one.body).unwrap_or_default();
        self.push((BatchMethod::Post, "/v1/grants".to_owned()), body, one.place.clone(), words);
    }

    fn revoke(&mut self, grant: &Grant, place: &str) {
        let what = match (&grant.role, &grant.permissions) {
            (Some(id), _) => {
                let role = self.present.roles.iter().find(|role| role.id == *id);
                role.map_or_else(|| id.clone(), |role| role.name.clone())
            }
            (None, permissions) => permissions.clone().unwrap_or_default().join(","),
        };
        let effect = if grant.effect == Effect::Deny { "denial" } else { "grant" };
        let to = format!("{}:{}", grant.to.kind, self.name_of(grant.to.kind, &grant.to.id));
        let words = format!("revoke the {effect} to {to} of {what} on {}", self.scope_words(&grant.on));
        let path = (BatchMethod::Delete, format!("/v1/grants/{}", grant.id));
        self.push(path, Value::Null, place.to_owned(), words);
    }

    /// The scope as a grant that is there would have it: the object that the file names without a project in the only one that
    /// grants name it in. A new grant is sent without: the server knows whether there is only one, grants do not tell.
    fn housed(&self, scope: &Scope) -> Scope {
        match scope {
            Scope::Object(ObjectRef { object_type, id, project: None }) => {
                let (project, object_type, id) =
                    (self.only_home(object_type, id), object_type.clone(), id.clone());
                Scope::Object(ObjectRef { object_type, id, project })
            }
            Scope::Object(_) | Scope::Organization(_) | Scope::Projects(_) => scope.clone(),
        }
    }

    fn only_home(&self, object_type: &str, id: &str) -> Option<String> {
        let homes = self.present.grants.iter().filter_map(|grant| match &grant.on {
            Scope::Object(on) if on.object_type == object_type && on.id == id => on.project.as_ref(),
            Scope::Object(_) | Scope::Organization(_) | Scope::Projects(_) => None,
        });
        let homes: std::collections::BTreeSet<&String> = homes.collect();
        homes.first().copied().filter(|_| homes.len() == 1).cloned()
    }

    /// The scope with ids in the place of names.
    fn scope(&self, scope: &Scope, place: &str) -> anyhow::Result<Scope> {
        Ok(match scope {
            Scope::Organization(_) => scope.clone(),
            Scope::Object(ObjectRef { object_type, id, project }) => {
                let id = match Kind::of_object(object_type) {
                    Some(kind) => self.id(kind, id, &format!("{place}/object/id"))?,
                    None => id.clone(),
                };
                let at = format!("{place}/object/project");
                let project = match project {
                    Some(name) => Some(self.id(Kind::Project, name, &at)?),
                    None => None,
                };
                Scope::Object(ObjectRef { object_type: object_type.clone(), id, project })
            }
            Scope::Projects(Selector { include, exclude }) => {
                let place = format!("{place}/projects");
                let exclude = exclude.as_ref();
                Scope::Projects(Selector {
                    include: self.selection(include, &format!("{place}/include"))?,
                    exclude: exclude
                        .map(|exclude| self.selection(exclude, &format!("{place}/exclude")))
                        .transpose()?,
                })
            }
        })
    }

    fn selection(&self, selection: &Selection, place: &str) -> anyhow::Result<Selection> {
        let Selection::Any(atoms) = selection else { return Ok(selection.clone()) };
        let mut resolved = Vec::new();
        for (index, atom) in atoms.iter().enumerate() {
            resolved.push(match atom {
                Atom::Id(name) => Atom::Id(self.id(Kind::Project, name, &format!("{place}/{index}/id"))?),
                Atom::Name(_) | Atom::Label(_) => atom.clone(),
            });
        }
        Ok(Selection::Any(resolved))
    }

    fn scope_words(&self, scope: &Scope) -> String {
        let project = |id: &String| {
            let known = self.present.projects.iter().find(|project| project.id == *id);
            known.map_or_else(|| id.clone(), |project| project.name.clone())
        };
        let any = |selection: &Selection| match selection {
            Selection::All(_) => "all".to_owned(),
            Selection::Any(atoms) => {
                let word = |atom: &Atom| match atom {
                    Atom::Id(id) => project(id),
                    Atom::Name(glob) => format!("named {glob}"),
                    Atom::Label(labels) => {
                        format!("labelled {}", grantbook_api::people::scope::label_words(labels))
                    }
                };
                atoms.iter().map(word).collect::<Vec<_>>().join(" or ")
            }
        };
        match scope {
            Scope::Organization(_) => "the organization".to_owned(),
            Scope::Object(object) => format!("{}:{}", object.object_type, project(&object.id)),
            Scope::Projects(Selector { include, exclude: None }) => format!("projects: {}", any(include)),
            Scope::Projects(Selector { include, exclude: Some(exclude) }) => {
                format!("projects: {} except {}", any(include), any(exclude))
            }
        }
    }
}

fn identity(grant: &Grant) -> Identity {
    Identity {
        to: GranteeRef { kind: grant.to.kind, id: grant.to.id.clone() },
        gives: gives(grant.role.as_ref(), grant.permissions.as_ref()),
        on: canonical(&grant.on),
        effect: grant.effect,
        object_type: grant.object_type.clone(),
        until: millis(grant.expires_at.as_deref()),
    }
}

/// What is given, in whatever order the permissions are written.
fn gives(role: Option<&String>, permissions: Option<&Vec<String>>) -> String {
    let mut permissions = permissions.cloned().unwrap_or_default();
    permissions.sort();
    permissions.dedup();
    format!("{role:?} {permissions:?}")
}

/// The scope as text, in whatever order its conditions are written.
fn canonical(scope: &Scope) -> String {
    let sorted = |selection: &Selection| match selection {
        Selection::All(_) => vec!["all".to_owned()],
        Selection::Any(atoms) => {
            let mut words: Vec<String> = atoms.iter().map(|atom| format!("{atom:?}")).collect();
            words.sort();
            words.dedup();
            words
        }
    };
    match scope {
        Scope::Projects(Selector { include, exclude }) => {
            format!("{:?} {:?}", sorted(include), exclude.as_ref().map(sorted))
        }
        Scope::Organization(_) | Scope::Object(_) => format!("{scope:?}"),
    }
}
