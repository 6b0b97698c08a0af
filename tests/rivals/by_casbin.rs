//! The workload in casbin: its RBAC with nested roles for groups, a line a grant and project, permissions as a second tree.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use grantbook_domain::{
    event::Event,
    id::ProjectId,
    model::{Effect, Gives, Grant, Project},
    principal::Grantee,
    record::Record,
    scope::{ProjectView, Scope},
};

use crate::{
    Asked,
    workload::{self, role},
};

const MODEL: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.obj == p.obj && g2(r.act, p.act) && g(r.sub, p.sub)
";

/// The engine with all that it knows.
pub(crate) struct Engine {
    enforcer: Enforcer,
}

#[derive(Debug, Default)]
struct Lines {
    policies: Vec<Vec<String>>,
    memberships: Vec<Vec<String>>,
    projects: BTreeMap<ProjectId, Project>,
}

impl Engine {
    pub(crate) fn of(records: impl Iterator<Item = Record>) -> Result<Self> {
        let mut lines = Lines::default();
        for event in records.flat_map(|record| record.events) {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the organization compared has nothing else")]
            match event {
                Event::ProjectCreated { project } => drop(lines.projects.insert(project.id, project)),
                Event::MemberAdded { membership } => lines
                    .memberships
                    .push(vec![text(membership.member), text(Grantee::Group(membership.group))]),
                Event::GrantCreated { grant } => lines.give(&grant)?,
                _ => {}
            }
        }
        let gives: [(&str, &[&str]); 3] = [
            ("viewer", &["read"]),
            ("engineer", &["create", "read", "update", "delete"]),
            ("manager", &["read", "update"]),
        ];
        let acts = gives.iter().flat_map(|(given, acts)| {
            acts.iter().map(move |act| vec![(*act).to_owned(), (*given).to_owned()])
        });
        let acts = acts.collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let enforcer = runtime.block_on(async {
            let model = DefaultModel::from_str(MODEL).await?;
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
            enforcer.add_named_grouping_policies("g2", acts).await?;
            enforcer.add_grouping_policies(lines.memberships).await?;
            enforcer.add_policies(lines.policies).await?;
            anyhow::Ok(enforcer)
        })?;
        Ok(Self { enforcer })
    }

    pub(crate) fn allows(&self, asked: &Asked) -> Result<bool> {
        let principal = text(workload::principal(asked.principal).into());
        let project = workload::project_id(asked.project).to_string();
        Ok(self.enforcer.enforce((principal.as_str(), project.as_str(), asked.permission))?)
    }
}

impl Lines {
    /// A line for each project that the grant covers: casbin knows no selectors.
    fn give(&mut self, grant: &Grant) -> Result<()> {
        let Gives::Role(given) = grant.gives else { bail!("the workload gives roles") };
        let act = match given {
            given if given == role(0) => "viewer",
            given if given == role(1) => "engineer",
            _ => "manager",
        };
        let effect = match grant.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let covered: Vec<String> = match &grant.on {
            // The built-in groups have no members that are asked about.
            Scope::Organization => Vec::new(),
            Scope::Object(object) => vec![object.id.clone()],
            Scope::Projects(selector) => {
                let view = |one: &&Project| {
                    selector.covers(ProjectView { id: one.id, name: &one.name, labels: &one.labels })
                };
                self.projects.values().filter(view).map(|one| one.id.to_string()).collect()
            }
        };
        let line = |project| vec![text(grant.to), project, act.to_owned(), effect.to_owned()];
        self.policies.extend(covered.into_iter().map(line));
        Ok(())
    }
}

fn text(grantee: Grantee) -> String {
    match grantee {
        Grantee::User(id) => format!("user:{id}"),
        Grantee::Token(id) => format!("token:{id}"),
        Grantee::Group(id) => format!("group:{id}"),
    }
}
