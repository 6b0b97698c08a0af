//! The one executable: `serve`, operator verbs, and every call of the API. Noun, then verb.
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 yes, 1 failure, 2 usage, 3 denied.
//
// Folders, lowest first: shared; questions; nouns; declare; migrate; demo; operator.

mod args;
mod declare;
mod demo;
mod manual;
mod migrate;
mod nouns;
mod operator;
mod questions;
mod shared;

use std::process::ExitCode;

use anyhow::Error;
use clap::Parser;
use grantbook_api::client::ClientError;
use mimalloc::MiMalloc;

use crate::{
    args::{Cli, Noun},
    nouns::{
        batch, catalog, grants, groups, keys, objects, projects, roles, tokens, users,
        webhooks::{self, WebhookVerb},
    },
    operator::{cursors, doctor, found, journal, nats, serve, snapshots, view},
    questions::{access, audit, changes, check, limits, report, reverse, watch, whoami, why},
    shared::{
        exit::{self, Usage, Verdict},
        globals::Globals,
        output::Output,
        session::Session,
    },
};

/// Faster than the system's where long requests are taken apart (docs/adr/0042-allocator.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let Cli { globals, noun } = Cli::parse();
    let out = Output::new(globals.json);
    exit::code(&out, run(globals, noun, out))
}

fn run(globals: Globals, noun: Noun, out: Output) -> anyhow::Result<Verdict> {
    if globals.dry_run && !noun.has_dry_run() {
        let why = "--dry-run is for writes over the API, and for `journal accept-rollback`";
        return Err(Usage(why.to_owned()).into());
    }
    match noun {
        Noun::Completions(args) => manual::completions(&args),
        Noun::Man(args) => manual::man(&args),
        Noun::Demo(args) => demo::run(*args, out),
        Noun::Serve(args) => serve::run(*args),
        Noun::Init(args) => found::init(args, out),
        Noun::Org { verb } => found::org(verb, out),
        Noun::Journal { verb } => journal::run(verb, (globals.reason, globals.dry_run), out),
        Noun::View { verb } => view::run(verb, out),
        Noun::Snapshot { verb } => snapshots::run(verb, out),
        Noun::Cursor { verb } => cursors::run(&verb, out),
        Noun::Nats { verb } => nats::run(verb, out),
        Noun::Doctor(args) => doctor::run(&args, out),
        Noun::Webhook { verb: WebhookVerb::Key { ref file } } => webhooks::make_key(file, out),
        Noun::Owner { verb } => found::owner(verb, globals.reason, out),
        Noun::Project { .. }
        | Noun::Object { .. }
        | Noun::Catalog { .. }
        | Noun::User { .. }
        | Noun::Token { .. }
        | Noun::Key { .. }
        | Noun::Group { .. }
        | Noun::Role { .. }
        | Noun::Grant { .. }
        | Noun::Webhook { .. }
        | Noun::Batch(_)
        | Noun::Plan(_)
        | Noun::Apply(_)
        | Noun::Import { .. }
        | Noun::Check(_)
        | Noun::Why(_)
        | Noun::Access(_)
        | Noun::WhoCan(_)
        | Noun::Accessible(_)
        | Noun::Permissions(_)
        | Noun::Timeline(_)
        | Noun::Diff(_)
        | Noun::Report(_)
        | Noun::Audit(_)
        | Noun::Watch(_)
        | Noun::Limits
        | Noun::Whoami => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let called = runtime.block_on(call(&Session::new(globals, out)?, noun));
            match called.as_ref().err().and_then(Error::downcast_ref) {
                Some(ClientError::DryRun(plan)) => declare::tried(out, plan).map(|()| Verdict::Yes),
                _ => called,
            }
        }
    }
}

/// The nouns that are calls of the API.
async fn call(session: &Session, noun: Noun) -> anyhow::Result<Verdict> {
    match noun {
        Noun::Project { verb } => projects::run(session, verb).await?,
        Noun::Object { verb } => objects::run(session, verb).await?,
        Noun::Catalog { verb } => catalog::run(session, verb).await?,
        Noun::User { verb } => users::run(session, verb).await?,
        Noun::Token { verb } => tokens::run(session, verb).await?,
        Noun::Key { verb } => keys::run(session, verb).await?,
        Noun::Group { verb } => groups::run(session, verb).await?,
        Noun::Role { verb } => roles::run(session, verb).await?,
        Noun::Grant { verb } => grants::run(session, verb).await?,
        Noun::Webhook { verb } => webhooks::run(session, verb).await?,
        Noun::Batch(args) => batch::run(session, args).await?,
        Noun::Plan(args) => declare::plan(session, args).await?,
        Noun::Apply(args) => declare::apply(session, args).await?,
        Noun::Import { verb } => migrate::run(session, verb).await?,
        Noun::Check(args) => return check::run(session, args).await,
        Noun::Why(args) => why::run(session, args).await?,
        Noun::Access(args) => access::run(session, args).await?,
        Noun::WhoCan(args) => reverse::who_can(session, args).await?,
        Noun::Accessible(args) => reverse::accessible(session, args).await?,
        Noun::Permissions(args) => reverse::permissions(session, args).await?,
        Noun::Timeline(args) => changes::timeline(session, args).await?,
        Noun::Diff(args) => changes::diff(session, args).await?,
        Noun::Report(args) => report::run(session, args).await?,
        Noun::Audit(args) => audit::run(session, args).await?,
        Noun::Watch(args) => watch::run(session, args).await?,
        Noun::Limits => return limits::run(session).await,
        Noun::Whoami => whoami::run(session).await?,
        // Taken by `run`, which needs no server.
        Noun::Completions(_)
        | Noun::Man(_)
        | Noun::Demo(_)
        | Noun::Serve(_)
        | Noun::Init(_)
        | Noun::Org { .. }
        | Noun::Owner { .. }
        | Noun::Journal { .. }
        | Noun::View { .. }
        | Noun::Snapshot { .. }
        | Noun::Cursor { .. }
        | Noun::Nats { .. }
        | Noun::Doctor(_) => {}
    }
    Ok(Verdict::Yes)
}
