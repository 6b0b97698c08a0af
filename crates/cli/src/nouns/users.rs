//! `grantbook user`

use clap::{Args, Subcommand};
use grantbook_api::{
    nouns::users::{CreateUser, UpdateUser, User},
    people::{names::Kind, reference::PrincipalArg},
    words::{list::ListQuery, patch::Change, reference::PrincipalType},
};

use crate::{
    nouns::keys::{self, IssueArgs},
    shared::{output::or_dash, session::Session},
};

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// Make a user; prints its id.
    Create {
        /// Unique among the active users.
        email: String,
        /// The person's name.
        #[arg(long)]
        name: Option<String>,
        /// The user's id in another system, such as a directory.
        #[arg(long)]
        external_id: Option<String>,
    },
    /// List the users that the key may see.
    List,
    /// Show a user.
    Show {
        /// E-mail or id.
        user: String,
    },
    /// Change a user.
    Update(UpdateArgs),
    /// Deactivate a user for ever, with its keys, memberships and grants.
    #[command(alias = "deactivate")]
    Delete {
        /// E-mail or id.
        user: String,
    },
    /// Issue a key to a user; stdout is exactly the key, shown once.
    Key {
        /// E-mail or id.
        user: String,
        #[command(flatten)]
        args: IssueArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// E-mail or id.
    user: String,
    /// New e-mail.
    #[arg(long)]
    email: Option<String>,
    /// New name.
    #[arg(long, conflicts_with = "no_name")]
    name: Option<String>,
    /// Take the name away.
    #[arg(long)]
    no_name: bool,
    /// New external id.
    #[arg(long, conflicts_with = "no_external_id")]
    external_id: Option<String>,
    /// Take the external id away.
    #[arg(long)]
    no_external_id: bool,
}

pub(crate) async fn run(session: &Session, verb: UserVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        UserVerb::Create { email, name, external_id } => {
            let answer = client.create_user(&CreateUser { email, name, external_id }).await?;
            out.made(&answer, &answer.value.id, &format!("user:{}", answer.value.email))?;
        }
        UserVerb::List => {
            let users: Vec<User> = client.every(&["v1", "users"], &ListQuery::default()).await?;
            out.list(&users, &["EMAIL", "NAME", "ID", "CREATED"], row)?;
        }
        UserVerb::Show { user } => {
            let id = session.id(Kind::User, &user).await?;
            out.thing(&client.user(&id).await?.value)?;
        }
        UserVerb::Update(args) => update(session, args).await?,
        UserVerb::Delete { user } => {
            let id = session.id(Kind::User, &user).await?;
            out.done(&client.deactivate_user(&id).await?, &format!("user:{user}"), "deactivated")?;
        }
        UserVerb::Key { user, args } => {
            let principal = PrincipalArg { kind: PrincipalType::User, name: user };
            keys::issue(session, &principal, args).await?;
        }
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let id = session.id(Kind::User, &args.user).await?;
    let body = UpdateUser {
        email: args.email,
        name: change(args.name, args.no_name),
        external_id: change(args.external_id, args.no_external_id),
    };
    let answer = session.client.update_user(&id, &body).await?;
    session.out.done(&answer, &format!("user:{}", answer.value.email), "updated")?;
    Ok(())
}

/// A new value, a clearing, or neither.
pub(crate) fn change<T>(value: Option<T>, clear: bool) -> Change<T> {
    if clear { Some(None) } else { value.map(Some) }
}

fn row(user: &User) -> Vec<String> {
    vec![user.email.clone(), or_dash(user.name.as_deref()), user.id.clone(), user.created_at.clone()]
}
