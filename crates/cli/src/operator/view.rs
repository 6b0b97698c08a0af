//! `grantbook view`: the view of a node, looked at, made of a snapshot, or built beside the one that serves.

use crate::{
    operator::snapshots::SnapshotArgs,
    shared::{
        bar::Bar,
        exit::{Usage, Verdict},
        output::Output,
        store::StoreArgs,
    },
};
use clap::{Args, Subcommand};
use grantbook_server::node::{
    bootstrap::Stage,
    rebuild::{self, BuildOptions, Built, Compared, Difference, Progress, ViewOptions},
};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum ViewVerb {
    /// Look at the view of a stopped node: every page, every row, and the digest kept beside them. Exit 1 if it is damaged.
    Verify(VerifyArgs),
    /// Make the view of a new node of the newest snapshot that is to be trusted. Exit 1 if there is none.
    Bootstrap(BootstrapArgs),
    /// Build a view beside the one that serves, compare effective access with the newest snapshot's, and let the next start
    /// adopt it if nobody's differs. Exit 1 if it was not put in place.
    #[command(alias = "rebuild")]
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BootstrapArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    snapshots: SnapshotArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    snapshots: SnapshotArgs,
    /// Begin with the rows of the newest snapshot of this format, not with the journal's first frame.
    #[arg(long)]
    from_snapshot: bool,
    /// Put the view in place although somebody's access differs, or there is nothing to compare it with.
    #[arg(long)]
    accept_differences: bool,
}

pub(crate) fn run(verb: ViewVerb, out: Output) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match verb {
        ViewVerb::Verify(VerifyArgs { store }) => verify(&store, out),
        ViewVerb::Bootstrap(args) => runtime.block_on(bootstrap(args, out)),
        ViewVerb::Build(args) => runtime.block_on(build(args, out)),
    }
}

fn verify(store: &StoreArgs, out: Output) -> anyhow::Result<Verdict> {
    let mut bar = Bar::new();
    let verified = rebuild::verify(&store.data, |rows| {
        bar.show_loaded(rows, rows);
        true
    });
    bar.clear();
    let verified = verified?;
    if out.is_json() {
        out.json(&json!({"installation": verified.installation, "sequence": verified.sequence,
            "rows": verified.rows, "digest": verified.digest}))?;
    } else {
        let (rows, sequence) = (verified.rows, verified.sequence);
        out.line(&format!("intact: {rows} rows up to sequence {sequence}, digest {}", verified.digest))?;
    }
    Ok(Verdict::Yes)
}

async fn bootstrap(args: BootstrapArgs, out: Output) -> anyhow::Result<Verdict> {
    let options = options(args.store, args.snapshots)?;
    let mut bar = Bar::new();
    let manifest = rebuild::bootstrap_offline(&options, &mut |stage| show(&mut bar, out, &stage)).await?;
    bar.clear();
    let Some(manifest) = manifest else {
        out.note("no snapshot is of use; `grantbook serve` fills the view from the journal");
        return Ok(Verdict::Failed);
    };
    if out.is_json() {
        out.json(&json!({"sequence": manifest.sequence, "rows": manifest.rows, "digest": manifest.digest}))?;
    } else {
        out.line(&format!("{} rows up to sequence {}", manifest.rows, manifest.sequence))?;
    }
    Ok(Verdict::Yes)
}

async fn build(args: BuildArgs, out: Output) -> anyhow::Result<Verdict> {
    let BuildArgs { store, snapshots, from_snapshot, accept_differences } = args;
    let options = ViewOptions { journal: store.journal()?, data: store.data, snapshots: snapshots.config() };
    let how = BuildOptions { from_snapshot, accept_differences };
    let mut bar = Bar::new();
    let built = rebuild::build(&options, how, &mut |progress| match progress {
        Progress::Snapshot(stage) => show(&mut bar, out, &stage),
        Progress::Frames(done, head) => bar.show(done, head),
    })
    .await;
    bar.clear();
    let built = built?;
    let verdict = if built.ready { Verdict::Yes } else { Verdict::Failed };
    if out.is_json() {
        out.json(&built)?;
        return Ok(verdict);
    }
    tell(&built, out)?;
    Ok(verdict)
}

fn tell(built: &Built, out: Output) -> anyhow::Result<()> {
    out.line(&format!("built up to sequence {}", built.sequence))?;
    match &built.compared {
        None => out.line("not compared: there is no snapshot that is to be trusted and fits")?,
        Some(Compared { snapshot, sequence, format, differences }) => {
            let with = format!("snapshot {snapshot} (format {format}), as of sequence {sequence}");
            match differences.total {
                0 => out.line(&format!("access is the same as in {with}"))?,
                total => out.line(&format!("the access of {total} principals differs from {with}:"))?,
            }
            for Difference { organization, principal, before, after } in &differences.principals {
                out.line(&format!("{principal} of organization {organization}"))?;
                for (sign, lines) in [('-', before), ('+', after)] {
                    lines.iter().try_for_each(|line| out.line(&format!("  {sign} {line}")))?;
                }
            }
        }
    }
    out.note(if built.ready {
        "in place: the next start of `grantbook serve` with this data directory adopts it"
    } else {
        "not put in place; look at the differences, then give --accept-differences if they are right"
    });
    Ok(())
}

fn options(store: StoreArgs, snapshots: SnapshotArgs) -> anyhow::Result<ViewOptions> {
    let (journal, snapshots) = (store.journal()?, snapshots.config());
    if snapshots.place.is_none() || snapshots.trust.is_empty() {
        return Err(Usage("give --snapshots and --snapshot-trust".to_owned()).into());
    }
    Ok(ViewOptions { journal, data: store.data, snapshots })
}

fn show(bar: &mut Bar, out: Output, stage: &Stage<'_>) {
    match stage {
        Stage::Loading { rows, of, .. } => bar.show_loaded(*rows, *of),
        Stage::Refused { name, why } => {
            bar.clear();
            out.note(&format!("snapshot {name} is not used: {why}"));
        }
    }
}
