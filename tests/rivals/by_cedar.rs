//! The workload in cedar-policy: entities carry the data, few policies speak of it. A project knows who may view, engineer
//! and manage it; groups lie in each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use grantbook_domain::{
    event::Event,
    model::{Effect, Gives, Grant},
    principal::Grantee,
    record::Record,
    scope::{Atom, Scope},
};

use crate::{
    Asked,
    workload::{self, role},
};

const POLICIES: &str = r#"
permit(principal, action == Action::"read", resource) when { principal in resource.viewers };
permit(principal, action in [Action::"create", Action::"read", Action::"update", Action::"delete"], resource)
    when { principal in resource.engineers };
permit(principal, action in [Action::"read", Action::"update"], resource) when { principal in resource.managers };
forbid(principal, action in [Action::"create", Action::"read", Action::"update", Action::"delete"], resource)
    when { principal in resource.denied };
"#;

/// The engine with all that it knows.
pub(crate) struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
}

/// Who has what on one project, and its labels.
#[derive(Debug, Default)]
struct Project {
    held: BTreeMap<&'static str, BTreeSet<String>>,
    labels: Vec<(String, String)>,
}

impl Engine {
    pub(crate) fn of(records: impl Iterator<Item = Record>) -> Result<Self> {
        let mut projects: BTreeMap<String, Project> = BTreeMap::new();
        let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut policies = POLICIES.to_owned();
        for event in records.flat_map(|record| record.events) {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the organization compared has nothing else")]
            match event {
                Event::ProjectCreated { project } => {
                    let labels = project.labels.into_iter().collect();
                    projects.entry(project.id.to_string()).or_default().labels = labels;
                }
                Event::MemberAdded { membership } => {
                    let group = uid_text(Grantee::Group(membership.group));
                    parents.entry(uid_text(membership.member)).or_default().insert(group);
                }
                Event::GrantCreated { grant } => give(&grant, &mut projects, &mut policies)?,
                _ => {}
            }
        }
        let mut entities = Vec::new();
        for (id, project) in &projects {
            entities.push(project.entity(id)?);
        }
        let groups: BTreeSet<_> = parents.values().flatten().cloned().collect();
        for member in groups.iter().chain(parents.keys()).collect::<BTreeSet<_>>() {
            let above = parents.get(member).into_iter().flatten().map(|text| uid(text));
            entities.push(Entity::new_no_attrs(uid(member)?, above.collect::<Result<HashSet<_>>>()?));
        }
        let entities = Entities::from_entities(entities, None)?;
        Ok(Self { authorizer: Authorizer::new(), policies: PolicySet::from_str(&policies)?, entities })
    }

    pub(crate) fn prepare(asked: &Asked) -> Result<Request> {
        let principal = uid(&uid_text(workload::principal(asked.principal).into()))?;
        let action = uid(&format!("Action::\"{}\"", asked.permission))?;
        let resource = uid(&format!("Project::\"{}\"", workload::project_id(asked.project)))?;
        Ok(Request::new(principal, action, resource, Context::empty(), None)?)
    }

    pub(crate) fn allows(&self, request: &Request) -> bool {
        let answer = self.authorizer.is_authorized(request, &self.policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}

impl Project {
    fn entity(&self, id: &str) -> Result<Entity> {
        let mut attributes = HashMap::new();
        for list in ["viewers", "engineers", "managers", "denied"] {
            let members = self.held.get(list).into_iter().flatten().map(|text| uid(text));
            let members = members.collect::<Result<Vec<_>>>()?;
            let members = members.into_iter().map(RestrictedExpression::new_entity_uid);
            attributes.insert(list.to_owned(), RestrictedExpression::new_set(members));
        }
        for (key, value) in &self.labels {
            attributes.insert(key.clone(), RestrictedExpression::new_string(value.clone()));
        }
        Ok(Entity::new(uid(&format!("Project::\"{id}\""))?, attributes, HashSet::new())?)
    }
}

/// A grant on one project stands with the project; one that excludes labels becomes a policy.
fn give(grant: &Grant, projects: &mut BTreeMap<String, Project>, policies: &mut String) -> Result<()> {
    let Gives::Role(given) = grant.gives else { bail!("the workload gives roles") };
    let list = match grant.effect {
        Effect::Deny => "denied",
        Effect::Allow if given == role(0) => "viewers",
        Effect::Allow if given == role(1) => "engineers",
        Effect::Allow => "managers",
    };
    match &grant.on {
        // The built-in groups have no members that are asked about.
        Scope::Organization => {}
        Scope::Object(object) => {
            let held = &mut projects.entry(object.id.clone()).or_default().held;
            held.entry(list).or_default().insert(uid_text(grant.to));
        }
        Scope::Projects(selector) => {
            let [Atom::Label(labels)] = &*selector.exclude else { bail!("one label is excluded") };
            let (key, value) = labels.iter().next().context("one label")?;
            let group = uid_text(grant.to);
            writeln!(
                policies,
                "permit(principal in {group}, action in [Action::\"read\", Action::\"update\"], resource) \
                 unless {{ resource.{key} == \"{value}\" }};"
            )?;
        }
    }
    Ok(())
}

fn uid(text: &str) -> Result<EntityUid> {
    Ok(EntityUid::from_str(text)?)
}

fn uid_text(grantee: Grantee) -> String {
    match grantee {
        Grantee::User(id) => format!("User::\"{id}\""),
        Grantee::Token(id) => format!("Token::\"{id}\""),
        Grantee::Group(id) => format!("Group::\"{id}\""),
    }
}
