//! `grantbook key`, `grantbook token key`, `grantbook user key`

use clap::{Args, Subcommand};
use grantbook_api::{
    client::Answer,
    nouns::keys::{IssueKey, Key, RotateKey},
    people::{
        reference::PrincipalArg,
        when::{Expiry, Span, instant},
    },
    words::list::PageQuery,
};

use crate::shared::{output::or_dash, scope::NarrowArgs, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Issue a key; stdout is exactly the key, shown once.
    #[command(alias = "issue")]
    Create {
        /// `token:NAME` or `user:EMAIL`.
        principal: PrincipalArg,
        #[command(flatten)]
        args: IssueArgs,
    },
    /// List the keys of a principal, without their texts.
    List {
        /// `token:NAME` or `user:EMAIL`.
        principal: PrincipalArg,
    },
    /// Replace a key by a new one with the same narrowing and expiry; stdout is exactly the new key, shown once.
    Rotate {
        /// The old key's id.
        id: String,
        /// How long the old key still works: 1h, 30m, 0s.
        #[arg(long, default_value = "1h", value_name = "LENGTH")]
        grace: Span,
    },
    /// Revoke a key: it stops working at once.
    #[command(alias = "delete")]
    Revoke {
        /// The key's id.
        id: String,
    },
}

/// How a new key is to be.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// A label for people.
    #[arg(long)]
    name: Option<String>,
    /// When it ends by itself: 90d, 12h or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    #[command(flatten)]
    narrow: NarrowArgs,
}

pub(crate) async fn run(session: &Session, verb: KeyVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        KeyVerb::Create { principal, args } => issue(session, &principal, args).await?,
        KeyVerb::List { principal } => {
            let principal = session.principal(&principal).await?;
            let collection = format!("{}s", principal.kind);
            let path = ["v1", &collection, &principal.id, "keys"];
            let keys: Vec<Key> = client.every(&path, &PageQuery::default()).await?;
            out.list(&keys, &["PREVIEW", "NAME", "NARROWED", "EXPIRES", "REVOKED", "ID", "CREATED"], row)?;
        }
        KeyVerb::Rotate { id, grace } => {
            let grace_seconds = u64::try_from(grace.0)?;
            give(session, &client.rotate_key(&id, &RotateKey { grace_seconds }).await?)?;
        }
        KeyVerb::Revoke { id } => {
            let revoked = client.revoke_key(&id).await?;
            out.done(&revoked, &format!("key {id}"), "revoked")?;
            successors(session, &revoked.value).await;
        }
    }
    Ok(())
}

/// Names the keys that replaced a revoked one: they still work. Prints nothing if the caller may not list keys.
async fn successors(session: &Session, revoked: &Key) {
    let collection = format!("{}s", revoked.principal.kind);
    let path = ["v1", &collection, &revoked.principal.id, "keys"];
    let keys: Vec<Key> = session.client.every(&path, &PageQuery::default()).await.unwrap_or_default();
    for key in keys.iter().filter(|key| key.replaces.as_ref() == Some(&revoked.id)) {
        session
            .out
            .note(&format!("key {} replaced it and works on: `grantbook key revoke {}`", key.id, key.id));
    }
}

/// Issues a key and prints it.
pub(crate) async fn issue(
    session: &Session,
    principal: &PrincipalArg,
    args: IssueArgs,
) -> anyhow::Result<()> {
    let IssueArgs { name, expires, narrow } = args;
    let principal = session.principal(principal).await?;
    let narrow = narrow.narrowing(session).await?;
    let body = IssueKey { name, expires_at: instant(expires.as_ref())?, narrow };
    give(session, &session.client.issue_key(&principal, &body).await?)
}

/// Without `--json`, stdout is exactly the key.
fn give(session: &Session, answer: &Answer<Key>) -> anyhow::Result<()> {
    let Session { out, .. } = session;
    let key = &answer.value;
    if out.is_json() {
        out.json(key)?;
        return Ok(());
    }
    let Some(Some(secret)) = &key.secret else {
        anyhow::bail!(
            "key {} was issued by an earlier request with this id, and is not shown again: revoke it and issue another",
            key.id
        );
    };
    out.line(secret.expose())?;
    out.note(&format!("key {} of this {}; its text is shown once, keep it now", key.id, key.principal.kind));
    if let (Some(old), Some(until)) = (&key.replaces, &key.old_valid_until) {
        out.note(&format!("key {old} works until {until}"));
    }
    Ok(())
}

fn row(key: &Key) -> Vec<String> {
    vec![
        key.preview.clone(),
        or_dash(key.name.as_deref()),
        if key.narrow.is_some() { "yes" } else { "-" }.to_owned(),
        or_dash(key.expires_at.as_deref()),
        or_dash(key.revoked_at.as_deref()),
        key.id.clone(),
        key.created_at.clone(),
    ]
}
