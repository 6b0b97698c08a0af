//! `grantbook demo`: tells the four-step story with real commands against a server of its own, and cleans up.

mod installation;
mod shell;
mod story;

use std::{io, net::SocketAddr};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    installation::Installation,
    shell::{Narrator, Shell},
};
use crate::shared::{
    exit::{Usage, Verdict},
    output::Output,
    store::NatsLogin,
};

const EXAMPLES: &str = "\
Examples:
  grantbook demo
  grantbook demo --keep                        # keep the data and the owner's key, and look around
  grantbook demo --nats nats://127.0.0.1:4222  # the same story with the journal in NATS JetStream";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Keep the data and the owner's key, and print how to go on.
    #[arg(long)]
    keep: bool,
    /// Address of the demo's server; port 0 picks a free port.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Keep the journal in a new stream on these NATS servers, separated by commas. The stream is deleted at the end.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    nats: Vec<String>,
    #[command(flatten)]
    login: NatsLogin,
}

pub(crate) fn run(args: DemoArgs, out: Output) -> anyhow::Result<Verdict> {
    if out.is_json() {
        return Err(Usage("the demo is a story for people: leave out --json".to_owned()).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(args, out))?;
    Ok(Verdict::Yes)
}

async fn play(args: DemoArgs, out: Output) -> anyhow::Result<()> {
    // From here on a signal ends the story, never the clean-up.
    let interrupted = interrupted()?;
    let (narrator, is_kept) = (Narrator::new(out), args.keep);
    let mut installation = Installation::new()?;
    let told = tokio::select! {
        told = tell(&mut installation, args, narrator) => told,
        () = interrupted => Err(anyhow::anyhow!("interrupted; the demo cleans up and ends")),
    };
    if told.is_ok() && is_kept {
        return narrator.say(&installation.keep().await?.describe());
    }
    match (told, installation.remove().await) {
        (Err(error), Err(left)) => Err(error.context(format!("{left:#}"))),
        (told, removed) => told.and(removed),
    }
}

async fn tell(installation: &mut Installation, args: DemoArgs, narrator: Narrator) -> anyhow::Result<()> {
    let DemoArgs { keep, listen, nats, login } = args;
    narrator.print("Starting a Grantbook server with an empty journal ...")?;
    let served = if nats.is_empty() {
        installation.start_embedded(listen).await?
    } else {
        installation.start_over_nats(listen, login.options(nats)?).await?
    };
    let end = if keep { "is kept" } else { "is removed at the end" };
    narrator.say(&format!(
        "Grantbook runs at {}, with the organization acme, which ada@example.com owns.\n\
         Its journal is {}; everything {end}.",
        served.url, served.journal
    ))?;
    if let Some(command_url) = &served.command_url {
        narrator
            .print(&format!(
                "That is a read node. A command service at {command_url} takes the writes. Each command also gets\n\
                 `--at-least latest`, so that it sees what the one before it wrote."
            ))?;
    }
    story::tell(&Shell::new(narrator, served)?).await
}

/// Completes at the first SIGINT, SIGTERM or SIGHUP.
fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
