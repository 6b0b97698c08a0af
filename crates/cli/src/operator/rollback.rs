//! `grantbook journal accept-rollback`: going on from a journal that lost its end.

use std::path::PathBuf;

use crate::shared::{
    bar::Bar,
    exit::{Usage, Verdict},
    output::Output,
    store::StoreArgs,
};
use clap::Args;
use grantbook_server::admin::rollback::{AcceptOptions, Accepted, LostEvent, LostEvents, accept};
use serde_json::json;

const EXAMPLES: &str = "\
With --dry-run it lists what was lost, and does nothing.

Examples:
  grantbook journal accept-rollback --data /var/lib/grantbook --dry-run --reason 'disk lost'
  grantbook journal accept-rollback --data /var/lib/grantbook --reason 'disk lost on 29 November, ticket 4711'
  grantbook journal accept-rollback --nats nats://a:4222 --data /var/lib/grantbook-command --above 48211 --reason '...'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AcceptArgs {
    /// Highest sequence that any other process reports having seen.
    #[arg(long, value_name = "SEQUENCE")]
    above: Option<u64>,
    /// The view of a stopped node, to list what was lost [default: the one in the data directory]
    #[arg(long, value_name = "FILE")]
    view: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) async fn run(
    args: AcceptArgs,
    (reason, dry_run): (Option<String>, bool),
    bar: &mut Bar,
    out: Output,
) -> anyhow::Result<Verdict> {
    let AcceptArgs { above, view, store } = args;
    let Some(reason) = reason.filter(|reason| !reason.is_empty()) else {
        let why = "every audit log records why the lost records were given up: give --reason";
        return Err(Usage(why.to_owned()).into());
    };
    let options = AcceptOptions { journal: store.journal()?, data: store.data, reason, above, view, dry_run };
    let accepted = accept(&options, &mut |done, head| bar.show(done, head)).await?;
    bar.clear();
    tell(out, &accepted, dry_run)?;
    Ok(Verdict::Yes)
}

fn tell(out: Output, accepted: &Accepted, dry_run: bool) -> anyhow::Result<()> {
    let Accepted { kept, lost, reused_up_to, burned, organizations, events, view } = accepted;
    if out.is_json() {
        out.json(&json!({
            "kept": kept,
            "lost": lost,
            "reused_up_to": reused_up_to,
            "burned": burned,
            "organizations": organizations,
            "dry_run": dry_run,
            "events": events,
            "view": view,
        }))?;
        return Ok(());
    }
    out.line(&summary(accepted, dry_run))?;
    if let Some(last) = reused_up_to {
        out.line(&format!(
            "The journal was written to after it was put back: positions up to {last} name two records. Run this command in every data directory."
        ))?;
    }
    match events {
        Some(events) => list(out, events)?,
        None => out.line(
            "No view knows what was lost: name one of a stopped node with --view, or ask the receivers of events, changes and webhooks.",
        )?,
    }
    if let Some(view) = view {
        out.note(&format!(
            "the view that holds what was lost is now {}; the next start builds a new one",
            view.display()
        ));
    }
    Ok(())
}

fn summary(accepted: &Accepted, dry_run: bool) -> String {
    let Accepted { kept, lost, burned, organizations, .. } = accepted;
    let (are, start, is) = if dry_run {
        ("would be burned", "would start", "would be recorded")
    } else {
        ("are burned", "start", "recorded")
    };
    let range = if kept < lost {
        format!("sequences {} to {lost} {are} ({burned} now)", kept.saturating_add(1))
    } else {
        "no sequence ".to_owned() + if dry_run { "would be burned" } else { "is burned" }
    };
    let last = kept.max(lost);
    let organizations = match organizations {
        1 => "1 organization".to_owned(),
        count => format!("{count} organizations"),
    };
    format!("Kept up to sequence {kept}; {range}; new records {start} after {last}; {is} in {organizations}.")
}

fn list(out: Output, events: &LostEvents) -> anyhow::Result<()> {
    let LostEvents { records, count, ends, listed } = events;
    out.line(&format!("Lost, as far as the view knows: {records} records with {count} events, {ends} of which took access away or may have."))?;
    for event in listed {
        let LostEvent { ends_access, organization_name, at, by, event, about, .. } = event;
        let mark = if *ends_access { "took" } else { "" };
        out.line(&format!("{mark:<5} {at}  {organization_name}  {event}  {about}  by {by}"))?;
    }
    if usize::try_from(*count).is_ok_and(|count| count > listed.len()) {
        out.line(&format!("... and {} more", count - listed.len() as u64))?;
    }
    if *ends > 0 {
        out.line("Repeat what took access away before you let others use the service.")?;
    }
    Ok(())
}
