//! `grantbook import`: access as another product has it.

mod convert;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use grantbook_api::{client::Client, words::secret::Secret};

use self::{convert::convert, source::Source};
use crate::{
    declare,
    shared::{bar::Bar, session::Session},
};

/// Largest key file, in bytes.
const KEY_FILE_MAX: u64 = 4096;

const ABOUT: &str = "\
Reads users, service accounts, groups, roles, projects, project groups and ACLs by Braintrust's public API, and makes the same access here, as one
record. What is here already is left as it is: nothing is removed, and a role that is here and gives something else is named. A project group
becomes the label `project-group/NAME`; new projects that are to be in it need that label.

Not carried, and named: secrets of keys (issue new ones), ACLs on single experiments, datasets, prompts and other objects, and permissions on
types that Grantbook does not have.

Review with --plan first. The key must be able to read all of the organization there; the key of GRANTBOOK_KEY must be able to give it here.";

#[derive(Debug, Subcommand)]
pub(crate) enum ImportVerb {
    /// From Braintrust, or from what speaks its API.
    Braintrust(BraintrustArgs),
}

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct BraintrustArgs {
    /// Where its API is.
    #[arg(long, value_name = "URL", default_value = "https://api.braintrust.dev")]
    from: String,
    /// A file with an API key for it.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Show what would change here, and change nothing.
    #[arg(long)]
    plan: bool,
}

pub(crate) async fn run(session: &Session, verb: ImportVerb) -> anyhow::Result<()> {
    let ImportVerb::Braintrust(BraintrustArgs { from, key_file, plan }) = verb;
    let client = Client::new(&from, Some(key(&key_file)?)).with_context(|| format!("--from {from}"))?;
    let mut bar = Bar::new();
    let source = Source::read(&client, &mut bar).await;
    bar.clear();
    let source = source.with_context(|| format!("reading the organization at {from}"))?;
    let organization = session.client.whoami().await?.value.organization.id;
    let converted = convert(&source, &organization);
    session.out.note(&format!("read {source}"));
    for text in &converted.not_carried {
        session.out.note(&format!("not carried: {text}"));
    }
    if plan {
        return declare::plan_of(session, &converted.declared).await;
    }
    // The same request is recognized by what was read.
    let read = format!("{:?}", converted.declared);
    declare::apply_all(session, &converted.declared, (read.as_bytes(), None)).await
}

fn key(path: &Path) -> anyhow::Result<Secret> {
    let context = || format!("the key file {}", path.display());
    if fs::metadata(path).with_context(context)?.len() > KEY_FILE_MAX {
        bail!("{} is no key file: it is longer than {KEY_FILE_MAX} bytes", path.display());
    }
    let text = fs::read_to_string(path).with_context(context)?;
    let key = text.trim();
    if key.is_empty() {
        bail!("the key file {} is empty", path.display());
    }
    Ok(Secret::new(key))
}
