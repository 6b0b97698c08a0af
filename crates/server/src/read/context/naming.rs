//! Names in answers. Each is shown to those who may read what it names; others get the id alone.

use grantbook_api::{
    nouns::keys::KeyOfConcern,
    words::reference::{self, Named, NamedGrantee, NamedObject, NamedPrincipal},
};
use grantbook_domain::{
    access::rights::Ask,
    id::{GroupId, ProjectId, RoleId},
    model,
    principal::{Actor, Grantee, Principal},
    scope::ObjectRef,
};

use crate::{
    http::problem::Failure,
    read::context::{
        authz::{Authorizer, Resource},
        lookup,
    },
    wire::names,
};

/// Most names of projects that are remembered: long answers name the same ones again and again.
const REMEMBERED: usize = 20_000;

impl Authorizer<'_> {
    /// An object asked about, without its project unless the caller named that or may see the object there.
    pub(crate) fn object_asked(
        &mut self,
        found: ObjectRef,
        named: Option<&str>,
    ) -> Result<NamedObject, Failure> {
        let told =
            named.is_some() || found.project.is_none() || self.may(Ask::Object, &Resource::Object(&found))?;
        self.object(&if told { found } else { found.within(None) })
    }

    /// Someone's name, if the caller may read it.
    pub(crate) fn name_of(&mut self, grantee: Grantee) -> Result<Option<String>, Failure> {
        let seen = match grantee {
            Grantee::Group(id) => self.may(Ask::Group, &Resource::Group(id))?,
            Grantee::User(id) => self.may(Ask::Members, &Resource::Person(Principal::User(id)))?,
            Grantee::Token(id) => self.may(Ask::Members, &Resource::Person(Principal::Token(id)))?,
        };
        if seen { lookup::of_grantee(self.reading().rows(), self.reading().org, grantee) } else { Ok(None) }
    }

    /// A grantee, with its name if the caller may read it.
    pub(crate) fn grantee(&mut self, who: Grantee) -> Result<NamedGrantee, Failure> {
        Ok(names::named_grantee(who, self.name_of(who)?))
    }

    /// A principal, likewise.
    pub(crate) fn principal(&mut self, who: Principal) -> Result<NamedPrincipal, Failure> {
        Ok(names::named_principal(who, self.name_of(who.into())?))
    }

    /// The working keys of a principal, now, whose issuer could not give today what they can do.
    pub(crate) fn keys_of_concern(&mut self, who: Principal) -> Result<Vec<KeyOfConcern>, Failure> {
        let (today, org, now) = (self.reading().rows_of_today(), &self.reading().org, &self.reading().now);
        let found = today.checker(*org, *now)?.keys_of_concern(who)?;
        let shown = found
            .into_iter()
            .map(|one| Ok(KeyOfConcern { key: one.key.to_string(), issued_by: self.actor(one.issued_by)? }));
        shown.collect()
    }

    /// The author of a record, likewise.
    pub(crate) fn actor(&mut self, actor: Actor) -> Result<reference::Actor, Failure> {
        let name = actor.principal().map(|who| self.name_of(who.into())).transpose()?;
        Ok(names::named_actor(actor, name.flatten()))
    }

    /// A group, likewise; else its name is empty.
    pub(crate) fn group(&mut self, id: GroupId) -> Result<Named, Failure> {
        let name = self.name_of(Grantee::Group(id))?;
        Ok(Named { id: id.to_string(), name: name.unwrap_or_default() })
    }

    /// A role, likewise.
    pub(crate) fn role(&mut self, id: RoleId) -> Result<Named, Failure> {
        Ok(Named { id: id.to_string(), name: self.role_name(id)?.unwrap_or_default() })
    }

    /// A project, likewise.
    pub(crate) fn project(&mut self, id: ProjectId) -> Result<Named, Failure> {
        Ok(Named { id: id.to_string(), name: self.project_name(id)?.unwrap_or_default() })
    }

    /// An object, with its name if objects of its type have names and the caller may read it.
    pub(crate) fn object(&mut self, object: &ObjectRef) -> Result<NamedObject, Failure> {
        let name = match object.object_type.as_str() {
            // Every caller may read the organization's name.
            "organization" => {
                let organization = self.reading().rows().organization(self.reading().org)?;
                organization.filter(|one| one.id.to_string() == object.id).map(|one| one.name)
            }
            "project" => object.id.parse().ok().map(|id| self.project_name(id)).transpose()?.flatten(),
            "group" => {
                let id = object.id.parse().ok();
                id.map(|id| self.name_of(Grantee::Group(id))).transpose()?.flatten()
            }
            "role" => object.id.parse().ok().map(|id| self.role_name(id)).transpose()?.flatten(),
            _ => self.object_name(object)?,
        };
        let ObjectRef { object_type, id, project } = object.clone();
        Ok(NamedObject { object_type, id, project: project.map(|id| id.to_string()), name })
    }

    fn object_name(&mut self, object: &ObjectRef) -> Result<Option<String>, Failure> {
        let (snapshot, org) = (self.reading().rows(), &self.reading().org);
        let known: Option<model::RegisteredObject> = snapshot.get(*org, object)?;
        let Some(name) = known.and_then(|known| known.name) else { return Ok(None) };
        Ok(self.may(Ask::Object, &Resource::Object(object))?.then_some(name))
    }

    fn project_name(&mut self, id: ProjectId) -> Result<Option<String>, Failure> {
        if let Some(known) = self.project_names.get(&id) {
            return Ok(known.clone());
        }
        let seen = self.may(Ask::Project, &Resource::Project(id))?;
        let (rows, org) = (self.reading().rows(), self.reading().org);
        let name = if seen { lookup::of_project(rows, org, id)? } else { None };
        if self.project_names.len() >= REMEMBERED {
            self.project_names.clear();
        }
        self.project_names.insert(id, name.clone());
        Ok(name)
    }

    fn role_name(&mut self, id: RoleId) -> Result<Option<String>, Failure> {
        let seen = self.may(Ask::Role, &Resource::Role(id))?;
        if seen { lookup::of_role(self.reading().rows(), self.reading().org, id) } else { Ok(None) }
    }
}
