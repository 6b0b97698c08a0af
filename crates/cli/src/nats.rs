//! `grantbook nats`: the NATS servers' side, for operators.

use clap::Subcommand;

use crate::{exit::Verdict, nats_config, nats_config::ConfigArgs, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum NatsVerb {
    /// Write configurations of servers that keep a journal safely, with credentials for each kind of process.
    Config(ConfigArgs),
}

pub(crate) fn run(verb: NatsVerb, out: Output) -> anyhow::Result<Verdict> {
    let NatsVerb::Config(args) = verb;
    nats_config::run(args, out)
}
