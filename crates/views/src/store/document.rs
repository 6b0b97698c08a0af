//! The things that a view keeps as whole documents, version by version.

use std::collections::BTreeSet;

use grantbook_domain::{
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    model::{Gives, Grant, Group, Key, Personal, Project, RegisteredObject, Role, Token, User},
    principal::Grantee,
    scope::{Atom, ObjectRef, Scope},
    time::Timestamp,
    webhook::Webhook,
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use crate::store::row_key::{Kind, List};
use crate::store::{
    encode::{Put, Take},
    error::ViewError,
    table::Table,
};

/// A kind of thing with versions: those of [`grantbook_domain::model`] that have an id.
pub trait Document: Serialize + DeserializeOwned {
    /// What identifies one.
    type Id;
    /// Which kind it is.
    const KIND: Kind;

    /// Its id as the rows have it.
    fn id_bytes(id: &Self::Id) -> Vec<u8>;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its id as lists sort by it.
    fn sort_id(&self) -> Vec<u8> {
        Self::id_bytes(&self.id())
    }
    /// When it was made.
    fn created_at(&self) -> Timestamp;
    /// When it ended.
    fn ended_at(&self) -> Option<Timestamp>;
    /// When it ends by itself.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
    /// The name that it is looked up by, if its kind has an index of names.
    fn indexed_name(&self) -> Option<String> {
        None
    }
    /// Its id in somebody else's system, by which accounts are found too.
    fn external_id(&self) -> Option<&str> {
        None
    }
    /// Whether it goes by this name.
    fn goes_by(&self, name: &str) -> bool {
        self.indexed_name().is_some_and(|own| own == name)
    }
    /// Whether a search for a part of a name, in lower case, finds it.
    fn is_found_by(&self, part: &str) -> bool {
        self.indexed_name().is_some_and(|name| name.to_lowercase().contains(part))
    }
    /// The lists it is in.
    fn lists(&self) -> Vec<List<'_>>;
    /// What it belongs to: things whose end is its end too.
    fn belongs_to(&self) -> Vec<Belonging<'_>> {
        Vec::new()
    }
}

/// Something whose end ends another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belonging<'a> {
    /// A user, token or group.
    Grantee(Grantee),
    /// A project.
    Project(ProjectId),
    /// An object that is no project, in this generation.
    Object(&'a ObjectRef, u32),
}

impl Document for User {
    type Id = UserId;
    const KIND: Kind = Kind::User;

    fn id_bytes(id: &UserId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> UserId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn indexed_name(&self) -> Option<String> {
        self.email.clear().map(str::to_ascii_lowercase)
    }
    fn external_id(&self) -> Option<&str> {
        self.external_id.as_ref().and_then(Personal::clear)
    }
    fn goes_by(&self, name: &str) -> bool {
        self.email.clear().is_some_and(|email| email.eq_ignore_ascii_case(name))
    }
    fn is_found_by(&self, part: &str) -> bool {
        let texts = [self.email.clear(), self.name.as_ref().and_then(Personal::clear)];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(part))
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

impl Document for Token {
    type Id = TokenId;
    const KIND: Kind = Kind::Token;

    fn id_bytes(id: &TokenId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> TokenId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
    fn indexed_name(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn external_id(&self) -> Option<&str> {
        self.external_id.as_ref().and_then(Personal::clear)
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

impl Document for Key {
    type Id = KeyId;
    const KIND: Kind = Kind::Key;

    fn id_bytes(id: &KeyId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> KeyId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
    fn goes_by(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::KeysOf(self.principal)]
    }
    fn belongs_to(&self) -> Vec<Belonging<'_>> {
        vec![Belonging::Grantee(self.principal.into())]
    }
}

impl Document for Group {
    type Id = GroupId;
    const KIND: Kind = Kind::Group;

    fn id_bytes(id: &GroupId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> GroupId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn indexed_name(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

impl Document for Role {
    type Id = RoleId;
    const KIND: Kind = Kind::Role;

    fn id_bytes(id: &RoleId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> RoleId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn indexed_name(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

impl Document for Project {
    type Id = ProjectId;
    const KIND: Kind = Kind::Project;

    fn id_bytes(id: &ProjectId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> ProjectId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn indexed_name(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

impl Document for RegisteredObject {
    type Id = ObjectRef;
    const KIND: Kind = Kind::Object;

    fn id_bytes(id: &ObjectRef) -> Vec<u8> {
        let put = Put::new(80).text(&id.object_type).text(&id.id);
        id.project.map_or_else(|| put.clone(), |project| put.clone().id(project)).done()
    }
    fn id(&self) -> ObjectRef {
        self.object.clone()
    }
    fn sort_id(&self) -> Vec<u8> {
        let put = Put::new(64).raw(self.object.id.as_bytes());
        self.object.project.map_or_else(|| put.clone(), |project| put.clone().u8(0).id(project)).done()
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn goes_by(&self, name: &str) -> bool {
        self.object.id == name || self.name.as_deref() == Some(name)
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::ObjectsOfType(&self.object.object_type)]
    }
    fn belongs_to(&self) -> Vec<Belonging<'_>> {
        self.object.project.map(Belonging::Project).into_iter().collect()
    }
}

/// The object that an entry of [`List::ObjectsOfType`] stands for: the id, which has no control characters, and behind a zero
/// byte the project, if the type lies in projects.
pub(crate) fn listed_object(object_type: &str, sort_id: &[u8]) -> Result<ObjectRef, ViewError> {
    let (id, project) = match sort_id.iter().position(|byte| *byte == 0) {
        None => (sort_id, None),
        Some(at) => {
            let (id, rest) = sort_id.split_at_checked(at).unwrap_or((sort_id, &[]));
            let mut rest = Take::new(Table::Lists, rest);
            rest.u8()?;
            (id, Some(rest.id()?))
        }
    };
    let id =
        std::str::from_utf8(id).map_err(|_| ViewError::bad_row(Table::Lists.name(), "an id not UTF-8"))?;
    Ok(ObjectRef { object_type: object_type.to_owned(), id: id.to_owned(), project })
}

impl Document for Grant {
    type Id = GrantId;
    const KIND: Kind = Kind::Grant;

    fn id_bytes(id: &GrantId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> GrantId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
    fn lists(&self) -> Vec<List<'_>> {
        let mut lists = vec![List::All(Self::KIND), List::GrantsTo(self.to)];
        if let Gives::Role(role) = self.gives {
            lists.push(List::GrantsOfRole(role));
        }
        lists.extend(named_projects(&self.on).into_iter().map(List::GrantsOnProject));
        if is_across(&self.on) {
            lists.push(List::GrantsAcross);
        }
        lists
    }
    fn belongs_to(&self) -> Vec<Belonging<'_>> {
        let mut owners = vec![Belonging::Grantee(self.to)];
        if let Scope::Object(object) = &self.on {
            owners.push(Belonging::Object(object, self.generation));
        }
        owners
    }
}

impl Document for Webhook {
    type Id = WebhookId;
    const KIND: Kind = Kind::Webhook;

    fn id_bytes(id: &WebhookId) -> Vec<u8> {
        id.bytes().to_vec()
    }
    fn id(&self) -> WebhookId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
    fn lists(&self) -> Vec<List<'_>> {
        vec![List::All(Self::KIND)]
    }
}

/// Whether a scope may take projects that it does not name.
fn is_across(scope: &Scope) -> bool {
    match scope {
        Scope::Organization => true,
        Scope::Object(object) => matches!(object.object_type.as_str(), "organization" | "org_project"),
        Scope::Projects(selector) => selector.include.iter().any(|atom| !matches!(atom, Atom::Id(_))),
    }
}

/// The projects that a scope names: the project that is its object, or those whose ids its selector includes.
pub(crate) fn named_projects(scope: &Scope) -> Vec<ProjectId> {
    match scope {
        Scope::Organization => Vec::new(),
        Scope::Object(object) if object.object_type == "project" => {
            object.id.parse().ok().into_iter().collect()
        }
        Scope::Object(_) => Vec::new(),
        Scope::Projects(selector) => {
            let id = |atom: &Atom| match atom {
                Atom::Id(id) => Some(*id),
                Atom::All | Atom::Name(_) | Atom::Label(_) => None,
            };
            let ids: BTreeSet<_> = selector.include.iter().filter_map(id).collect();
            ids.into_iter().collect()
        }
    }
}
