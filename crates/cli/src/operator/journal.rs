//! `grantbook journal`: the whole of it, for operators.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter},
    path::PathBuf,
};

use crate::{
    operator::rollback::{self, AcceptArgs},
    shared::{
        bar::Bar,
        exit::{Usage, Verdict},
        output::Output,
        store::{NatsArgs, StoreArgs},
    },
};
use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use grantbook_files::{self as files, Draft};
use grantbook_server::{admin::journal_tools, journal::follow::open::JournalAddress};
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub(crate) enum JournalVerb {
    /// Read it whole: no frame missing or changed, every chain and every stored guard intact. Exit 1 if not.
    Verify(VerifyArgs),
    /// Copy it, file to NATS or back: positions stay, and both are compared at the end. Stop the command services first.
    Copy(CopyArgs),
    /// Write it as newline-delimited JSON.
    Export(ExportArgs),
    /// Make a new journal of what export wrote. A text that is not whole makes none.
    Import(ImportArgs),
    /// Continue from a journal that lost its end. Lists what was lost, retires the lost positions, and records the decision
    /// in every organization. Stop all command services first.
    ///
    /// Needs --reason; recorded as done by the operator.
    AcceptRollback(AcceptArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// A directory, or servers of NATS as nats://HOST:PORT[,..]
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// The same; must hold no journal, or an unfinished copy of this one.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How many servers keep the new journal in NATS [default: 3 in a cluster, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: Option<u8>,
    #[command(flatten)]
    access: NatsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Into this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// From this file [default: standard input]
    #[arg(long, short, value_name = "FILE")]
    input: Option<PathBuf>,
    /// How many servers keep the new journal in NATS [default: 3 in a cluster, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: Option<u8>,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(
    verb: JournalVerb,
    (reason, dry_run): (Option<String>, bool),
    out: Output,
) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut bar = Bar::new();
        if let JournalVerb::AcceptRollback(args) = verb {
            return rollback::run(args, (reason, dry_run), &mut bar, out).await;
        }
        let mut progress = |done, head| bar.show(done, head);
        match verb {
            JournalVerb::Verify(VerifyArgs { store }) => {
                let report = journal_tools::verify(&store.journal()?, &mut progress).await?;
                bar.clear();
                tell(out, "intact", &journal_tools::report_json(&report))
            }
            JournalVerb::Copy(CopyArgs { from, to, replicas, access }) => {
                let (from, to) = (address(&from, &access)?, address(&to, &access)?);
                if let JournalAddress::Embedded(data) = &to {
                    journal_tools::expect_head_writable(data).await?;
                }
                let report = journal_tools::copy(&from, &to, replicas, &mut progress).await?;
                bar.clear();
                if let JournalAddress::Embedded(data) = &to
                    && let Some(warning) = journal_tools::keep_head(&to, data, &report).await
                {
                    out.note(&format!("warning: {warning}"));
                }
                tell(out, "copied and compared", &journal_tools::report_json(&report))
            }
            JournalVerb::Export(ExportArgs { output, store }) => {
                let journal = store.journal()?;
                let report = match &output {
                    Some(path) => {
                        ensure!(
                            !files::is_taken(path),
                            Usage(format!("{} is there already", path.display()))
                        );
                        let mut draft = Draft::begin(path).with_context(|| path.display().to_string())?;
                        let report = journal_tools::export(&journal, &mut draft, &mut progress).await?;
                        draft.finish().with_context(|| path.display().to_string())?;
                        report
                    }
                    None => {
                        journal_tools::export(&journal, &mut BufWriter::new(io::stdout()), &mut progress)
                            .await?
                    }
                };
                bar.clear();
                if output.is_some() {
                    return tell(out, "exported", &journal_tools::report_json(&report));
                }
                Ok(Verdict::Yes)
            }
            // Taken above.
            JournalVerb::AcceptRollback(_) => Ok(Verdict::Yes),
            JournalVerb::Import(ImportArgs { input, replicas, store }) => {
                let journal = store.journal()?;
                journal_tools::expect_head_writable(&store.data).await?;
                let report = if let Some(path) = input {
                    let file = BufReader::new(File::open(path)?);
                    journal_tools::import(&journal, replicas, file, &mut progress).await?
                } else {
                    let input = BufReader::new(io::stdin());
                    journal_tools::import(&journal, replicas, input, &mut progress).await?
                };
                bar.clear();
                if let Some(warning) = journal_tools::keep_head(&journal, &store.data, &report).await {
                    out.note(&format!("warning: {warning}"));
                }
                tell(out, "imported", &journal_tools::report_json(&report))
            }
        }
    })
}

/// Lists the messages that nobody appended: they are in no chain, and are no violation.
fn tell_foreign(out: Output, foreign: &Value) -> anyhow::Result<()> {
    let listed = foreign["listed"].as_array().map(Vec::as_slice).unwrap_or_default();
    for one in listed {
        let token = one["token"].as_str().unwrap_or_default();
        let (sequence, last, bytes) = (&one["sequence"], &one["last"], &one["bytes"]);
        out.line(&if sequence == last {
            format!("sequence {sequence}: a foreign message of {bytes} bytes on the subject of {token:?}")
        } else {
            format!("sequences {sequence} to {last}: foreign messages, {bytes} bytes in all, on the subject of {token:?}")
        })?;
    }
    let count = foreign["count"].as_u64().unwrap_or_default();
    if count > 1 {
        let last = &foreign["last_sequence"];
        out.line(&format!("{count} foreign messages in all, the last one at sequence {last}"))?;
    }
    Ok(())
}

/// A directory, or servers of NATS.
fn address(text: &str, access: &NatsArgs) -> Result<JournalAddress, Usage> {
    if !text.contains("://") {
        return Ok(JournalAddress::Embedded(PathBuf::from(text)));
    }
    let servers = text.split(',').map(str::to_owned).collect();
    Ok(JournalAddress::Nats(Box::new(access.options(servers)?)))
}

fn tell(out: Output, done: &str, report: &Value) -> anyhow::Result<Verdict> {
    let violations = report["violations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let verdict = if violations.is_empty() { Verdict::Yes } else { Verdict::Failed };
    if out.is_json() {
        out.json(report)?;
        return Ok(verdict);
    }
    let guards = match report["guards"].as_u64() {
        Some(0) | None => "the store keeps no guards".to_owned(),
        Some(guards) => format!("{guards} guards held"),
    };
    if violations.is_empty() {
        out.line(&format!("{done}: {} frames, {} records; {guards}", report["frames"], report["records"]))?;
        for one in report["organizations"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            let line = format!(
                "{}  {} frames  {} records  {}",
                text("organization"),
                one["ordinal"],
                one["records"],
                text("hash")
            );
            out.line(&line)?;
        }
    }
    tell_foreign(out, &report["foreign"])?;
    for sequence in report["mended"].as_array().map(Vec::as_slice).unwrap_or_default() {
        out.line(&format!(
            "sequence {sequence}: missing or damaged on one replica, another one gave it: restore that replica"
        ))?;
    }
    for one in violations {
        out.line(&format!("sequence {}: {}", one["sequence"], one["why"].as_str().unwrap_or_default()))?;
    }
    Ok(verdict)
}
