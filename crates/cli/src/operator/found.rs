//! `grantbook init`, `grantbook org`, `grantbook owner`: operations on the journal itself.

use crate::shared::{
    exit::{Usage, Verdict},
    output::Output,
    store::StoreArgs,
};
use clap::{Args, Subcommand};
use grantbook_server::admin::init::{self, InitOptions, InitOutcome, RecoverOptions};
use serde_json::json;

/// An organization and who owns it.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The organization's name.
    #[arg(long, value_name = "NAME")]
    org: String,
    /// The owner's e-mail.
    #[arg(long, value_name = "EMAIL")]
    owner: String,
    /// How many servers keep a new journal in NATS [default: 3 in a cluster, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: Option<u8>,
    #[command(flatten)]
    store: StoreArgs,
}

/// A new journal with its first organization.
#[derive(Debug, Args)]
pub(crate) struct FoundArgs {
    #[command(flatten)]
    first: InitArgs,
    /// Over NATS, make the journal's stream only, and not those beside it for subscribers (`grantbook nats prepare`).
    #[arg(long)]
    journal_only: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrgVerb {
    /// Make another organization and print its owner's first key, once. Stop the server first, if the journal is a file.
    Create(InitArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OwnerVerb {
    /// Make a user an owner and print a new key for it, when every owner's key is lost. Stop the server first, if the
    /// journal is a file.
    ///
    /// Needs --reason; recorded as done by the operator.
    Recover(RecoverArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The organization's name or id.
    #[arg(long, value_name = "NAME")]
    org: String,
    /// The owner's e-mail; a user is made if nobody active has it.
    #[arg(long, value_name = "EMAIL")]
    owner: String,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn init(args: FoundArgs, out: Output) -> anyhow::Result<Verdict> {
    let FoundArgs { first, journal_only } = args;
    let outcome = wait(init::init(InitOptions { journal_only, ..first.options()? }))?;
    give(out, &outcome)
}

pub(crate) fn org(verb: OrgVerb, out: Output) -> anyhow::Result<Verdict> {
    let OrgVerb::Create(args) = verb;
    let outcome = wait(init::create_org(args.options()?))?;
    give(out, &outcome)
}

pub(crate) fn owner(verb: OwnerVerb, reason: Option<String>, out: Output) -> anyhow::Result<Verdict> {
    let OwnerVerb::Recover(RecoverArgs { org, owner, store }) = verb;
    let Some(reason) = reason.filter(|reason| !reason.is_empty()) else {
        return Err(Usage("a recovery is kept in the audit log with why: give --reason".to_owned()).into());
    };
    let options = RecoverOptions { journal: store.journal()?, data: store.data, org, email: owner, reason };
    let outcome = wait(init::recover_owner(options))?;
    give(out, &outcome)
}

impl InitArgs {
    fn options(self) -> Result<InitOptions, Usage> {
        let Self { org, owner: owner_email, replicas, store } = self;
        let (journal, data) = (store.journal()?, store.data);
        Ok(InitOptions { journal, data, replicas, org, owner_email, journal_only: false })
    }
}

fn wait<E>(work: impl Future<Output = Result<InitOutcome, E>>) -> anyhow::Result<InitOutcome>
where
    anyhow::Error: From<E>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}

/// Without `--json`, stdout is exactly the key.
fn give(out: Output, outcome: &InitOutcome) -> anyhow::Result<Verdict> {
    let InitOutcome { organization_id, organization_name, user_id, email, key, warning } = outcome;
    if let Some(warning) = warning {
        out.note(&format!("warning: {warning}"));
    }
    if out.is_json() {
        out.json(&json!({
            "organization": {"id": organization_id, "name": organization_name},
            "user": {"id": user_id, "email": email},
            "key": key,
        }))?;
    } else {
        out.line(key)?;
        out.note(&format!("key of {email}, owner of {organization_name}: shown once, keep it now"));
    }
    Ok(Verdict::Yes)
}
