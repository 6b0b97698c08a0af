//! `grantbook grant`

use clap::{ArgGroup, Args, Subcommand};
use grantbook_api::{
    nouns::grants::{CreateGrant, Effect, Grant, GrantQuery},
    people::{
        names::{Kind, NameBook},
        reference::GranteeArg,
        scope::{effect_word, gives, words},
        when::{Expiry, instant},
    },
    words::list::PageQuery,
};

use crate::{
    nouns::projects,
    questions::grant_history::{self, HistoryArgs},
    shared::{output::or_dash, scope::ScopeArgs, session::Session},
};

const EXAMPLES: &str = "\
Examples:
  Everything but production, also in projects of the future:
    grantbook grant create --to group:not-production --role Engineer \\
        --projects all --except label:env=production
  Only chosen projects:
    grantbook grant create --to token:ci-bot --permissions read,update \\
        --projects id:staging --projects 'name:dev-*'
  Nobody in the group may delete data sets there, whatever else allows it:
    grantbook grant create --deny --to group:interns --permissions delete \\
        --object-type dataset --projects all
  For a day, on one object:
    grantbook grant create --to user:ada@example.com --role Viewer \\
        --object dataset:d1 --expires 1d --reason audit";

#[derive(Debug, Subcommand)]
pub(crate) enum GrantVerb {
    /// Give (or, with --deny, take) permissions; prints the grant's id.
    #[command(after_help = EXAMPLES)]
    Create(Box<CreateArgs>),
    /// List the grants that the key may see.
    List {
        /// Only those to this grantee: `token:NAME`, `user:EMAIL` or `group:NAME`.
        #[arg(long)]
        to: Option<GranteeArg>,
        /// Only those of this role, by name or id.
        #[arg(long)]
        role: Option<String>,
        /// Only those that cover this project, by name or id.
        #[arg(long)]
        project: Option<String>,
    },
    /// Show all that was ever granted, by whom, when, why, and what of it still holds.
    History(HistoryArgs),
    /// Show a grant.
    Show {
        /// The grant's id.
        id: String,
    },
    /// List the projects that a grant covers, now or --as-of a day.
    Projects {
        /// The grant's id.
        id: String,
    },
    /// Revoke a grant.
    #[command(alias = "delete")]
    Revoke {
        /// The grant's id.
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("gives").required(true).args(["role", "permissions"]))]
pub(crate) struct CreateArgs {
    /// To whom: `token:NAME`, `user:EMAIL` or `group:NAME`.
    #[arg(long, value_name = "GRANTEE")]
    to: GranteeArg,
    /// What: all that a role gives, by name or id.
    #[arg(long)]
    role: Option<String>,
    /// What: permissions, separated by commas.
    #[arg(long, value_delimiter = ',')]
    permissions: Vec<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Take instead of give; a deny overrules every allow, except on administrative types.
    #[arg(long)]
    deny: bool,
    /// Only on objects of exactly this type.
    #[arg(long, value_name = "TYPE")]
    object_type: Option<String>,
    /// When it ends by itself: 90d, 12h or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
}

pub(crate) async fn run(session: &Session, verb: GrantVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        GrantVerb::Create(args) => create(session, *args).await?,
        GrantVerb::List { to, role, project } => {
            let query = query(session, to, role, project).await?;
            let grants: Vec<Grant> = client.every(&["v1", "grants"], &query).await?;
            list(session, &grants).await?;
        }
        GrantVerb::History(args) => grant_history::run(session, args).await?,
        GrantVerb::Show { id } => out.thing(&client.grant(&id).await?.value)?,
        GrantVerb::Projects { id } => {
            let path = ["v1", "grants", &id, "projects"];
            projects::list(session, &client.every(&path, &PageQuery::default()).await?)?;
        }
        GrantVerb::Revoke { id } => {
            out.done(&client.revoke_grant(&id).await?, &format!("grant {id}"), "revoked")?;
        }
    }
    Ok(())
}

async fn create(session: &Session, args: CreateArgs) -> anyhow::Result<()> {
    let role = match &args.role {
        Some(role) => Some(session.id(Kind::Role, role).await?),
        None => None,
    };
    let body = CreateGrant {
        to: session.grantee(&args.to).await?,
        role,
        permissions: Some(args.permissions).filter(|list| !list.is_empty()),
        on: args.scope.scope(session).await?,
        effect: if args.deny { Effect::Deny } else { Effect::Allow },
        object_type: args.object_type,
        expires_at: instant(args.expires.as_ref())?,
        reason: session.reason.clone(),
    };
    let answer = session.client.create_grant(&body).await?;
    let what = if args.deny { "denying grant" } else { "grant" };
    session.out.made(&answer, &answer.value.id, &format!("{what} to {}", args.to))?;
    Ok(())
}

async fn query(
    session: &Session,
    to: Option<GranteeArg>,
    role: Option<String>,
    project: Option<String>,
) -> anyhow::Result<GrantQuery> {
    let mut query = GrantQuery::default();
    if let Some(to) = to {
        let to = session.grantee(&to).await?;
        query.to = Some(format!("{}:{}", to.kind, to.id));
    }
    if let Some(role) = role {
        query.role = Some(session.id(Kind::Role, &role).await?);
    }
    if let Some(project) = project {
        query.project = Some(session.id(Kind::Project, &project).await?);
    }
    Ok(query)
}

async fn list(session: &Session, grants: &[Grant]) -> anyhow::Result<()> {
    if session.out.is_json() {
        session.out.items(grants)?;
        return Ok(());
    }
    let names = NameBook::new(&session.client);
    let mut rows = Vec::new();
    for grant in grants {
        rows.push(vec![
            names.grantee(&grant.to).await,
            effect_word(grant.effect).to_owned(),
            gives(grant, &names).await,
            words(&grant.on, &names).await,
            or_dash(grant.object_type.as_deref()),
            or_dash(grant.expires_at.as_deref()),
            or_dash(grant.reason.as_deref()),
            grant.id.clone(),
        ]);
    }
    session.out.table(&["TO", "EFFECT", "GIVES", "ON", "TYPE", "EXPIRES", "REASON", "ID"], &rows)?;
    Ok(())
}
