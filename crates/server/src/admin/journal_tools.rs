//! What an operator does with a whole journal: verify, copy, export, import; and what `grantbook doctor` looks at.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use grantbook_domain::id::OrgId;
use grantbook_files as files;
use grantbook_journal::{
    Identity, Journal, ReadError,
    chain::OrgEnd,
    follow::{
        doubt::{Doubts, JournalDoubt},
        known_head::{self, HeadFile, SeenEnd},
        open::{JournalAddress, OpenError, OpenJournal, make_directory},
    },
    jetstream::{JetStreamJournal, NatsOptions, ServerFile},
    stamp::ids::IdSource,
    transfer::{self, Target, TransferError},
    verify::{self, Report},
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

pub use grantbook_journal::{
    jetstream::{
        DerivedFindings, DerivedState, Inspection, Permission, Ports, Prepared, ServerPlan, StreamFindings,
    },
    verify::ForeignFound,
};

use crate::Boxed;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The journal does not open.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// It was not copied.
    #[error("{0}")]
    Transfer(#[from] TransferError),
}

/// Gets the last sequence that is done, and the last one there is.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Reads a whole journal: chains, and guards where they are kept.
pub fn verify<'a>(
    address: &'a JournalAddress,
    progress: Progress<'a>,
) -> Boxed<'a, Result<Report, OperateError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(address).await?;
        let report = match &opened {
            OpenJournal::Embedded(journal) => verify::verify(journal.as_ref(), progress).await?,
            OpenJournal::JetStream(journal) => verify::verify(journal.as_ref(), progress).await?,
        };
        opened.close().await?;
        Ok(report)
    })
}

/// That a data directory can keep how far a journal has come; makes the directory. Asked before a journal is carried there.
///
/// # Errors
///
/// The directory cannot be made, or its file not be written.
pub async fn expect_head_writable(data: &Path) -> Result<(), OperateError> {
    let data = data.to_owned();
    let asked = spawn_blocking(move || {
        make_directory(&data)?;
        Ok::<_, OpenError>(HeadFile::in_directory(&data).expect_writable()?)
    });
    Ok(asked.await.map_err(OpenError::from)??)
}

/// Keeps in a data directory how far a journal that was just carried there has come, as far as nothing later of it was known
/// there; what the operator should know about that. The journal exists by then, so a failure is only a warning.
pub async fn keep_head(address: &JournalAddress, data: &Path, report: &Report) -> Option<String> {
    let kept = try_keep_head(address, data, report).await;
    kept.unwrap_or_else(|error| Some(known_head::not_kept(&error)))
}

async fn try_keep_head(
    address: &JournalAddress,
    data: &Path,
    report: &Report,
) -> Result<Option<String>, OpenError> {
    let opened = OpenJournal::open(address).await?;
    let end = report.organizations.iter().map(|(_, end)| end).max_by_key(|end| end.sequence);
    let end = end.map(|end| SeenEnd { sequence: end.sequence, hash: end.hash });
    let kept = match &opened {
        OpenJournal::Embedded(journal) => keep_end(journal.as_ref(), data, end).await,
        OpenJournal::JetStream(journal) => keep_end(journal.as_ref(), data, end).await,
    };
    opened.close().await?;
    kept
}

async fn keep_end<J: Journal>(
    journal: &J,
    data: &Path,
    end: Option<SeenEnd>,
) -> Result<Option<String>, OpenError> {
    let doubts = Doubts::default();
    let (file, _) = known_head::recall(journal, data, &doubts).await?;
    if let Some(doubt) = doubts.get() {
        return Ok(Some(format!("this data directory has seen something else: {doubt}")));
    }
    if let Some(end) = end {
        known_head::keep(journal, file, end).await?;
    }
    Ok(None)
}

/// What the journal says against what a data directory knows of it, in words; and the last sequence that is known there.
///
/// # Errors
///
/// The journal does not open or answer, or the file is not understood.
pub async fn compare_head(
    address: &JournalAddress,
    data: &Path,
) -> Result<(Option<u64>, Option<JournalDoubt>), OperateError> {
    let data = data.to_owned();
    let known = spawn_blocking(move || HeadFile::in_directory(&data).read()).await;
    let Some(known) = known.map_err(OpenError::from)?.map_err(OpenError::from)? else {
        return Ok((None, None));
    };
    let opened = OpenJournal::open(address).await?;
    let doubt = match &opened {
        OpenJournal::Embedded(journal) => known_head::doubt_of(journal.as_ref(), &known).await,
        OpenJournal::JetStream(journal) => known_head::doubt_of(journal.as_ref(), &known).await,
    };
    opened.close().await?;
    Ok((Some(known.end.sequence), doubt?))
}

/// Copies a journal, every frame at its sequence, and proves that both are the same.
pub fn copy<'a>(
    from: &'a JournalAddress,
    to: &'a JournalAddress,
    replicas: Option<u8>,
    progress: Progress<'a>,
) -> Boxed<'a, Result<Report, OperateError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(from).await?;
        let target = target(to, opened.identity(), replicas).await?;
        let report = match &opened {
            OpenJournal::Embedded(journal) => transfer::copy(journal.as_ref(), target, progress).await?,
            OpenJournal::JetStream(journal) => transfer::copy(journal.as_ref(), target, progress).await?,
        };
        opened.close().await?;
        Ok(report)
    })
}

/// Writes a journal as newline-delimited JSON.
pub async fn export(
    from: &JournalAddress,
    out: &mut (impl Write + Send),
    progress: Progress<'_>,
) -> Result<Report, OperateError> {
    let opened = OpenJournal::open(from).await?;
    let report = match &opened {
        OpenJournal::Embedded(journal) => transfer::export(journal.as_ref(), out, progress).await?,
        OpenJournal::JetStream(journal) => transfer::export(journal.as_ref(), out, progress).await?,
    };
    opened.close().await?;
    Ok(report)
}

/// Makes a journal of what [`export`] wrote.
pub async fn import(
    to: &JournalAddress,
    replicas: Option<u8>,
    input: impl BufRead,
    progress: Progress<'_>,
) -> Result<Report, OperateError> {
    Ok(transfer::import(input, |identity| target(to, identity, replicas), progress).await?)
}

async fn target(
    to: &JournalAddress,
    identity: Identity,
    replicas: Option<u8>,
) -> Result<Target, TransferError> {
    match to {
        JournalAddress::Embedded(data) => {
            make_directory(data).map_err(std::io::Error::other)?;
            Target::embedded(data, identity).await
        }
        JournalAddress::Nats(options) => Target::jetstream(options, identity, replicas).await,
    }
}

/// What a report says, for programs.
pub fn report_json(report: &Report) -> Value {
    let Report { head, frames, records, guards, organizations, foreign, foreign_listed, violations, mended } =
        report;
    let organization = |(org, end): &(OrgId, OrgEnd)| {
        json!({"organization": org, "sequence": end.sequence, "ordinal": end.ordinal,
            "records": end.record_ordinal, "hash": end.hash})
    };
    let violations: Vec<Value> =
        violations.iter().map(|one| json!({"sequence": one.sequence, "why": one.why})).collect();
    let listed = foreign_listed.iter().map(
        |one| json!({"sequence": one.sequence, "last": one.last, "token": one.token, "bytes": one.bytes}),
    );
    let listed: Vec<Value> = listed.collect();
    json!({
        "head": head,
        "frames": frames,
        "records": records,
        "guards": guards,
        "foreign": {"count": foreign.count, "last_sequence": foreign.last, "listed": listed},
        "organizations": organizations.iter().map(organization).collect::<Vec<_>>(),
        "violations": violations,
        "mended": mended,
    })
}

/// Writes configurations of servers into a directory, which is made, or is empty; each file readable by its owner only.
pub fn write_servers(plan: &ServerPlan, dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let files = plan.files()?;
    let keys = dir.join("keys");
    files::make_directory(&keys).map_err(|source| OpenError::Write { path: keys, source })?;
    let mut written = Vec::new();
    for ServerFile { path, text } in files {
        let path = dir.join(path);
        let failed = |source| OpenError::Write { path: path.clone(), source };
        files::write_new(&path, text.as_bytes()).map_err(failed)?;
        written.push(path);
    }
    Ok(written)
}

/// What is found of a journal in NATS.
pub async fn inspect(options: &NatsOptions) -> Result<Inspection, OpenError> {
    Ok(JetStreamJournal::inspect(options).await?)
}

/// Makes the streams beside a journal in NATS, or finds that they are as they must be.
pub async fn prepare(options: &NatsOptions) -> Result<Vec<Prepared>, OpenError> {
    Ok(JetStreamJournal::open(options).await?.prepare().await?)
}

/// Makes the mirrors for subscribers in their account, or finds that they are as they must be. The credential is one of
/// that account.
pub async fn prepare_subscribers(options: &NatsOptions) -> Result<Vec<Prepared>, OpenError> {
    Ok(JetStreamJournal::prepare_subscribers(options).await?)
}

/// A new stream on these servers, with a name and subjects of its own, for `grantbook demo`.
pub fn demo_options(options: NatsOptions) -> NatsOptions {
    options.for_demo(&IdSource::system().request_id())
}

/// Deletes the stream of a demo with all that is in it; a stream that is not there is fine.
pub async fn delete_demo(options: &NatsOptions) -> Result<(), OpenError> {
    Ok(JetStreamJournal::delete_demo(options).await?)
}

/// How long `grantbook doctor` looks for foreign messages.
const LOOK_FOR_FOREIGN: Duration = Duration::from_secs(20);

/// Counts the foreign messages of a journal in NATS, as far as it can be read within 20 s. Also of a stream that holds
/// nothing else, which no service opens.
pub async fn foreign(options: &NatsOptions) -> Result<ForeignFound, OperateError> {
    let journal = JetStreamJournal::open(options).await.map_err(OpenError::from)?;
    Ok(verify::foreign(&journal, LOOK_FOR_FOREIGN).await?)
}

/// Whether the embedded journal opens, and its head.
pub async fn look(address: &JournalAddress) -> Result<(Identity, u64), OperateError> {
    let opened = OpenJournal::open(address).await?;
    let (identity, head) = match &opened {
        OpenJournal::Embedded(journal) => (journal.identity(), Arc::clone(journal).head().await?),
        OpenJournal::JetStream(journal) => (journal.identity(), Arc::clone(journal).head().await?),
    };
    opened.close().await?;
    Ok((identity, head))
}
