//! `grantbook token`

use clap::{Args, Subcommand};
use grantbook_api::{
    nouns::tokens::{CreateToken, Token, UpdateToken},
    people::{
        names::Kind,
        reference::PrincipalArg,
        when::{Expiry, instant},
    },
    words::{list::ListQuery, reference::PrincipalType},
};

use crate::{
    nouns::{
        keys::{self, IssueArgs},
        users::change,
    },
    shared::{output::or_dash, session::Session},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Create a service token and print its id. It has no access until you grant some.
    Create {
        /// Unique among the living tokens.
        name: String,
        /// What for.
        #[arg(long)]
        description: Option<String>,
        /// When it ends by itself: 90d, 12h or RFC 3339.
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// The token's id in another system, such as a directory.
        #[arg(long)]
        external_id: Option<String>,
    },
    /// List the service tokens that the key may see.
    List {
        /// Only the one with exactly this name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show a service token.
    Show {
        /// Name or id.
        token: String,
    },
    /// Change a service token.
    Update(UpdateArgs),
    /// Delete a service token for ever, with its keys, memberships and grants.
    Delete {
        /// Name or id.
        token: String,
    },
    /// Issue a key for a service token. Only the key is written to stdout, and it is never shown again.
    Key {
        /// Name or id.
        token: String,
        #[command(flatten)]
        args: IssueArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name or id.
    token: String,
    /// New name.
    #[arg(long)]
    name: Option<String>,
    /// New description.
    #[arg(long, conflicts_with = "no_description")]
    description: Option<String>,
    /// Take the description away.
    #[arg(long)]
    no_description: bool,
    /// New end: 90d, 12h, RFC 3339 or `never`.
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    /// New external id.
    #[arg(long, conflicts_with = "no_external_id")]
    external_id: Option<String>,
    /// Take the external id away.
    #[arg(long)]
    no_external_id: bool,
}

pub(crate) async fn run(session: &Session, verb: TokenVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        TokenVerb::Create { name, description, expires, external_id } => {
            let expires_at = instant(expires.as_ref())?;
            let answer =
                client.create_token(&CreateToken { name, description, expires_at, external_id }).await?;
            out.made(&answer, &answer.value.id, &format!("token:{}", answer.value.name))?;
        }
        TokenVerb::List { name } => {
            let query = ListQuery { name, ..ListQuery::default() };
            let tokens: Vec<Token> = client.every(&["v1", "tokens"], &query).await?;
            out.list(&tokens, &["NAME", "DESCRIPTION", "EXPIRES", "ID", "CREATED"], row)?;
        }
        TokenVerb::Show { token } => {
            let id = session.id(Kind::Token, &token).await?;
            out.thing(&client.token(&id).await?.value)?;
        }
        TokenVerb::Update(args) => update(session, args).await?,
        TokenVerb::Delete { token } => {
            let id = session.id(Kind::Token, &token).await?;
            out.done(&client.delete_token(&id).await?, &format!("token:{token}"), "deleted")?;
        }
        TokenVerb::Key { token, args } => {
            let principal = PrincipalArg { kind: PrincipalType::Token, name: token };
            keys::issue(session, &principal, args).await?;
        }
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let id = session.id(Kind::Token, &args.token).await?;
    let expires_at = instant(args.expires.as_ref())?;
    let body = UpdateToken {
        name: args.name,
        description: change(args.description, args.no_description),
        expires_at,
        external_id: change(args.external_id, args.no_external_id),
    };
    let answer = session.client.update_token(&id, &body).await?;
    session.out.done(&answer, &format!("token:{}", answer.value.name), "updated")?;
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    vec![
        token.name.clone(),
        or_dash(token.description.as_deref()),
        or_dash(token.expires_at.as_deref()),
        token.id.clone(),
        token.created_at.clone(),
    ]
}
