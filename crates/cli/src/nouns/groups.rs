//! `grantbook group`

use clap::{Args, Subcommand};
use grantbook_api::{
    nouns::{
        groups::{CreateGroup, Group, UpdateGroup},
        members::{AddMember, Member},
    },
    people::{
        names::{Kind, NameBook},
        reference::GranteeArg,
        when::{Expiry, instant},
    },
    words::list::{ListQuery, PageQuery},
};

use crate::{
    nouns::users::change,
    shared::{output::or_dash, session::Session},
};

#[derive(Debug, Subcommand)]
pub(crate) enum GroupVerb {
    /// Make a permission group; prints its id.
    Create {
        /// Unique among the living groups.
        name: String,
        /// What for.
        #[arg(long)]
        description: Option<String>,
    },
    /// List the groups that the key may see.
    List,
    /// Show a group.
    Show {
        /// Name or id.
        group: String,
    },
    /// Change a group's name or description.
    Update(UpdateArgs),
    /// Delete a group for ever, with its memberships and the grants to it.
    Delete {
        /// Name or id.
        group: String,
    },
    /// Add a member, or replace its end.
    Add {
        /// Name or id.
        group: String,
        /// `token:NAME`, `user:EMAIL` or `group:NAME`.
        member: GranteeArg,
        /// When the membership ends by itself: 90d, 12h, RFC 3339 or `never`. Without it, a member already in keeps the end it has.
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
    },
    /// Remove a member.
    Remove {
        /// Name or id.
        group: String,
        /// `token:NAME`, `user:EMAIL` or `group:NAME`.
        member: GranteeArg,
    },
    /// List the members.
    Members {
        /// Name or id.
        group: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name or id.
    group: String,
    /// New name.
    #[arg(long)]
    name: Option<String>,
    /// New description.
    #[arg(long, conflicts_with = "no_description")]
    description: Option<String>,
    /// Take the description away.
    #[arg(long)]
    no_description: bool,
}

pub(crate) async fn run(session: &Session, verb: GroupVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        GroupVerb::Create { name, description } => {
            let answer = client.create_group(&CreateGroup { name, description }).await?;
            out.made(&answer, &answer.value.id, &format!("group:{}", answer.value.name))?;
        }
        GroupVerb::List => {
            let groups: Vec<Group> = client.every(&["v1", "groups"], &ListQuery::default()).await?;
            out.list(&groups, &["NAME", "DESCRIPTION", "ID", "CREATED"], row)?;
        }
        GroupVerb::Show { group } => {
            let id = session.id(Kind::Group, &group).await?;
            out.thing(&client.group(&id).await?.value)?;
        }
        GroupVerb::Update(args) => update(session, args).await?,
        GroupVerb::Delete { group } => {
            let id = session.id(Kind::Group, &group).await?;
            out.done(&client.delete_group(&id).await?, &format!("group:{group}"), "deleted")?;
        }
        GroupVerb::Add { group, member, expires } => add(session, &group, &member, expires.as_ref()).await?,
        GroupVerb::Remove { group, member } => {
            let id = session.id(Kind::Group, &group).await?;
            let answer = client.remove_member(&id, &session.grantee(&member).await?).await?;
            out.done(&answer, &member.to_string(), &format!("removed from group:{group}"))?;
        }
        GroupVerb::Members { group } => members(session, &group).await?,
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let UpdateArgs { group, name, description, no_description } = args;
    let id = session.id(Kind::Group, &group).await?;
    let body = UpdateGroup { name, description: change(description, no_description) };
    let answer = session.client.update_group(&id, &body).await?;
    session.out.done(&answer, &format!("group:{}", answer.value.name), "updated")?;
    Ok(())
}

async fn add(
    session: &Session,
    group: &str,
    member: &GranteeArg,
    expires: Option<&Expiry>,
) -> anyhow::Result<()> {
    let id = session.id(Kind::Group, group).await?;
    let body = AddMember { member: session.grantee(member).await?, expires_at: instant(expires)? };
    let answer = session.client.add_member(&id, &body).await?;
    let how = if answer.status == 200 { "already in" } else { "added to" };
    session.out.done(&answer, &member.to_string(), &format!("{how} group:{group}"))?;
    Ok(())
}

async fn members(session: &Session, group: &str) -> anyhow::Result<()> {
    let id = session.id(Kind::Group, group).await?;
    let members: Vec<Member> =
        session.client.every(&["v1", "groups", &id, "members"], &PageQuery::default()).await?;
    if session.out.is_json() {
        session.out.items(&members)?;
        return Ok(());
    }
    let names = NameBook::new(&session.client);
    let mut rows = Vec::new();
    for member in &members {
        rows.push(vec![
            names.grantee(&member.member).await,
            or_dash(member.expires_at.as_deref()),
            member.created_at.clone(),
        ]);
    }
    session.out.table(&["MEMBER", "EXPIRES", "SINCE"], &rows)?;
    Ok(())
}

fn row(group: &Group) -> Vec<String> {
    vec![
        group.name.clone(),
        or_dash(group.description.as_deref()),
        group.id.clone(),
        group.created_at.clone(),
    ]
}
