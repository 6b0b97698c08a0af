//! `grantbook check`

use clap::Args;
use grantbook_api::{
    people::reference::{AskedArg, ObjectArg},
    questions::check::CheckRequest,
    words::{list::AsOfQuery, secret::Secret},
};

use crate::shared::{exit::Verdict, session::Session};

const EXAMPLES: &str = "\
Examples:
  grantbook check token:ci-bot update project:staging
  grantbook why   user:ada@example.com delete dataset:d1 --project staging
  grantbook check me read org_audit_logs";

/// A question about access.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Who: `token:NAME`, `user:EMAIL`, `key:ID` (with the key's narrowing) or `me`.
    principal: AskedArg,
    /// Which permission of the catalog.
    permission: String,
    /// On what: `project:NAME`, `group:NAME`, `role:NAME`, `type:id`, or a type that exists once, such as `organization`.
    object: ObjectArg,
    /// The project, by name or id, that the object lies in. Always name it: two projects may use the same id.
    #[arg(long)]
    project: Option<String>,
}

impl CheckArgs {
    /// As a request says it.
    pub(crate) async fn request(&self, session: &Session) -> anyhow::Result<(CheckRequest, AsOfQuery)> {
        let (principal, key) = match &self.principal {
            AskedArg::Me => (None, None),
            AskedArg::Principal(principal) => (Some(session.principal(principal).await?), None),
            AskedArg::Key(id) => (None, Some(Secret::new(id.clone()))),
        };
        let object = session.asked_object(&self.object, self.project.as_deref()).await?;
        let request = CheckRequest { principal, key, permission: self.permission.clone(), object };
        Ok((request, AsOfQuery { as_of: session.client.options().as_of.clone() }))
    }
}

pub(crate) async fn run(session: &Session, args: CheckArgs) -> anyhow::Result<Verdict> {
    let (request, query) = args.request(session).await?;
    let answer = session.client.check(&request, &query).await?.value;
    if session.out.is_json() {
        session.out.json(&answer)?;
    } else {
        let word = if answer.allowed { "allowed" } else { "denied" };
        session.out.line(&format!("{word}: {}", answer.reason))?;
    }
    Ok(if answer.allowed { Verdict::Yes } else { Verdict::Denied })
}
