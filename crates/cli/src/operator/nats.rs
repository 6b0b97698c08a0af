//! `grantbook nats`: the NATS servers' side, for operators.

use crate::{
    operator::nats_config::{self, ConfigArgs},
    shared::{
        exit::{Usage, Verdict},
        output::Output,
        store::StoreArgs,
    },
};
use clap::{Args, Subcommand};
use grantbook_server::{
    admin::journal_tools::{self, Prepared},
    journal::follow::open::JournalAddress,
};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum NatsVerb {
    /// Make the streams beside a journal, or check that they are as they must be. Changes nothing that is there, and may
    /// be run again at any time.
    Prepare(PrepareArgs),
    /// Make the mirrors of events and changes in the subscribers' account, with its key `subscriber-admin.nk`, or check
    /// that they are as they must be. Run it after `prepare`; it may be run again at any time.
    PrepareSubscribers(PrepareArgs),
    /// Write configurations of servers that keep a journal safely, with credentials for each kind of process.
    Config(ConfigArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(verb: NatsVerb, out: Output) -> anyhow::Result<Verdict> {
    let (PrepareArgs { store }, of_subscribers) = match verb {
        NatsVerb::Prepare(args) => (args, false),
        NatsVerb::PrepareSubscribers(args) => (args, true),
        NatsVerb::Config(args) => return nats_config::run(args, out),
    };
    let JournalAddress::Nats(options) = store.journal()? else {
        return Err(Usage("only a journal in NATS has streams beside it: give --nats".to_owned()).into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let prepared = runtime.block_on(async {
        if of_subscribers {
            journal_tools::prepare_subscribers(&options).await
        } else {
            journal_tools::prepare(&options).await
        }
    })?;
    if out.is_json() {
        out.json(&prepared.iter().map(json_of).collect::<Vec<_>>())?;
    } else {
        for Prepared { stream, is_new, replicas, messages } in &prepared {
            let state = if *is_new { "made" } else { "as it must be" };
            let copies = if *replicas == 1 { "replica" } else { "replicas" };
            out.line(&format!("{stream:<24} {state:<14} {replicas} {copies}, {messages} messages"))?;
        }
    }
    Ok(Verdict::Yes)
}

fn json_of(prepared: &Prepared) -> Value {
    let Prepared { stream, is_new, replicas, messages } = prepared;
    json!({"stream": stream, "is_new": is_new, "replicas": replicas, "messages": messages})
}
