//! `grantbook doctor`: what is unsafe, and what to do about it.

mod derived;
mod foreign;
mod limits;
pub(crate) mod nodes;

use std::path::Path;

use crate::{
    operator::doctor::nodes::nodes,
    shared::{exit::Verdict, output::Output, store::StoreArgs},
};
use chrono::DateTime;
use clap::Args;
use grantbook_api::client::Client;
use grantbook_server::{
    admin::journal_tools::{self, Inspection, Permission, StreamFindings},
    app::config::NatsOptions,
    journal::{follow::open::JournalAddress, stamp::clock::Clock},
};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Monitoring addresses of the NATS servers, such as `http://HOST:8222`: only there the sync setting is seen.
    #[arg(long, env = "GRANTBOOK_NATS_MONITOR", value_name = "URL", value_delimiter = ',')]
    monitor: Vec<String>,
    /// Nodes of Grantbook whose lag is looked at.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    node: Vec<String>,
    /// Replay the journal, and compare what this organization holds with the limits: a name, an id, or `all`.
    #[arg(long = "org", value_name = "ORGANIZATION")]
    organization: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ok,
    Warn,
    Unknown,
    Unsafe,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: String,
    pub(crate) status: Status,
    pub(crate) found: String,
    /// What to do; empty if nothing is to be done.
    advice: &'static str,
}

pub(crate) fn run(args: &DoctorArgs, out: Output) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let findings = runtime.block_on(async {
        let address = args.store.journal()?;
        let organizations = match &args.organization {
            Some(which) => limits::organizations(&address, which).await,
            None => Vec::new(),
        };
        let head = head(&address, &args.store.data).await;
        let mut findings = match address {
            JournalAddress::Nats(options) => {
                let mut findings = nats(&options, &args.monitor).await;
                findings.extend(nodes(&options).await);
                findings
            }
            file @ JournalAddress::Embedded(_) => vec![embedded(&file).await],
        };
        findings.extend(head);
        findings.extend(organizations);
        for node in &args.node {
            findings.extend(lag(node).await);
        }
        anyhow::Ok(findings)
    })?;
    let is_safe = findings.iter().all(|finding| finding.status != Status::Unsafe);
    if out.is_json() {
        out.json(&findings)?;
    } else {
        for Finding { check, status, found, advice } in &findings {
            let status = format!("{status:?}").to_lowercase();
            out.line(&format!("{status:<8} {check:<14} {found}"))?;
            if !advice.is_empty() {
                out.line(&format!("{:<23} -> {advice}", ""))?;
            }
        }
    }
    Ok(if is_safe { Verdict::Yes } else { Verdict::Failed })
}

pub(crate) fn finding(
    check: &str,
    status: Status,
    found: impl Into<String>,
    advice: &'static str,
) -> Finding {
    let advice = if status == Status::Ok { "" } else { advice };
    Finding { check: check.to_owned(), status, found: found.into(), advice }
}

async fn embedded(file: &JournalAddress) -> Finding {
    match journal_tools::look(file).await {
        Ok((identity, head)) => {
            let found = format!("{file}: installation {}, {head} frames", identity.installation);
            finding("journal", Status::Ok, found, "")
        }
        Err(error) => {
            let in_use = error.to_string().contains("in use");
            let status = if in_use { Status::Unknown } else { Status::Unsafe };
            finding(
                "journal",
                status,
                error.to_string(),
                "stop the server to look at its journal; see `grantbook journal verify`",
            )
        }
    }
}

/// Whether the journal holds what was seen of it by processes with this data directory; nothing if none ever kept that.
async fn head(address: &JournalAddress, data: &Path) -> Option<Finding> {
    const ADVICE: &str = "put the newer journal back, or see \"A journal that is older than what was seen of it\" in docs/operating.md";
    let found = match journal_tools::compare_head(address, data).await {
        Ok((None, _)) => return None,
        Ok((_, Some(doubt))) => finding("head", Status::Unsafe, doubt.to_string(), ADVICE),
        Ok((Some(known), None)) => {
            let found = format!("{}: the journal holds sequence {known} as it was seen", data.display());
            finding("head", Status::Ok, found, "")
        }
        Err(error) => {
            finding("head", Status::Unknown, error.to_string(), "stop the server to compare its journal")
        }
    };
    Some(found)
}

async fn nats(options: &NatsOptions, monitors: &[String]) -> Vec<Finding> {
    let found = match journal_tools::inspect(options).await {
        Ok(found) => found,
        Err(error) => {
            return vec![finding(
                "connection",
                Status::Unsafe,
                error.to_string(),
                "check addresses, credentials and TLS",
            )];
        }
    };
    let mut findings = server(&found);
    findings.extend(sync(monitors).await);
    match &found.stream {
        Some(stream) => {
            findings.extend(stream_findings(&found, stream));
            findings.push(foreign::stream(options).await);
            findings.extend(found.derived.iter().map(|one| derived::stream(one, stream.last_sequence)));
        }
        None => findings.push(finding(
            "stream",
            Status::Unsafe,
            format!("{options} is not there, or may not be looked at"),
            "run `grantbook init --nats ...`, or allow the subject $JS.API.STREAM.INFO",
        )),
    }
    findings.extend(permissions(&found));
    findings
}

fn server(found: &Inspection) -> Vec<Finding> {
    let Inspection { server, version, is_new_enough, api_level, max_payload, round_trip, .. } = found;
    let judged = |is_good: bool| if is_good { Status::Ok } else { Status::Unsafe };
    vec![
        finding("connection", Status::Ok, format!("{server}, an answer takes {round_trip:.1?}"), ""),
        finding(
            "version",
            judged(*is_new_enough),
            version.clone(),
            "use nats-server 2.14.4 or newer on every server",
        ),
        finding(
            "api level",
            judged(api_level.is_some_and(|level| level >= 4)),
            api_level.map_or_else(|| "JetStream does not answer".to_owned(), |level| level.to_string()),
            "enable JetStream for this account, on servers of 2.14.4 or newer",
        ),
        finding(
            "max_payload",
            judged(*max_payload >= 800_000),
            format!("{max_payload} bytes"),
            "set max_payload: 1MB in the server's configuration",
        ),
    ]
}

async fn sync(monitors: &[String]) -> Vec<Finding> {
    const ADVICE: &str = "set jetstream { sync_interval: always } on every server: otherwise a power cut loses what was acknowledged";
    if monitors.is_empty() {
        let how = "not known: only the monitoring address tells";
        return vec![finding(
            "sync",
            Status::Unknown,
            how,
            "give --monitor http://HOST:8222 for each server",
        )];
    }
    let mut findings = Vec::new();
    for monitor in monitors {
        let told: Result<Value, String> = match Client::new(monitor, None) {
            Ok(client) => client.document(&["varz"]).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        findings.push(match told {
            Ok(told)
                if told.pointer("/jetstream/config/sync_always").is_some_and(|always| always == true) =>
            {
                finding("sync", Status::Ok, format!("{monitor}: always"), "")
            }
            Ok(told) => {
                let interval = told.pointer("/jetstream/config/sync_interval").and_then(Value::as_u64);
                let interval = interval.unwrap_or_default();
                let found = format!("{monitor}: every {} s", interval / 1_000_000_000);
                finding("sync", Status::Unsafe, found, ADVICE)
            }
            Err(error) => finding(
                "sync",
                Status::Unknown,
                format!("{monitor}: {error}"),
                "give the address of a server's `http` port",
            ),
        });
    }
    findings
}

fn stream_findings(found: &Inspection, stream: &StreamFindings) -> Vec<Finding> {
    let StreamFindings {
        replicas,
        leader,
        drifts,
        identity,
        is_copying,
        last_sequence,
        messages,
        created,
        ..
    } = stream;
    let leader = leader.as_deref().unwrap_or("itself");
    let (status, advice) = match (found.cluster.is_some(), replicas) {
        (true, 3 | 5) | (false, 1) => (Status::Ok, ""),
        (true, 1) => (
            Status::Unsafe,
            "one replica in a cluster: the loss of one server is the loss of the journal; use 3",
        ),
        _ => (Status::Warn, "use 3 or 5 replicas: an even number tolerates no more failures"),
    };
    let mut findings = vec![
        finding("replicas", status, format!("{replicas}, led by {leader}"), advice),
        if drifts.is_empty() {
            finding("configuration", Status::Ok, "as it must be", "")
        } else {
            finding(
                "configuration",
                Status::Unsafe,
                drifts.join("; "),
                "services refuse a stream with these settings: find out who changed them, and restore them",
            )
        },
        match identity {
            Some(identity) => finding(
                "identity",
                Status::Ok,
                format!("installation {}, stream made {created}", identity.installation),
                "",
            ),
            None => finding(
                "identity",
                Status::Unsafe,
                "the metadata does not say",
                "this is not a stream of Grantbook",
            ),
        },
        if last_sequence == messages {
            finding("messages", Status::Ok, format!("{messages}"), "")
        } else {
            let found = format!("{messages}, but the last sequence is {last_sequence}");
            finding("messages", Status::Unsafe, found, "messages are missing: run `grantbook journal verify`")
        },
        clock(stream),
    ];
    if *is_copying {
        findings.push(finding(
            "copy",
            Status::Warn,
            "a copy into it has not been finished",
            "run `grantbook journal copy` again",
        ));
    }
    findings
}

fn clock(stream: &StreamFindings) -> Finding {
    let told = stream.server_time.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let Some(told) = told else {
        return finding("clock", Status::Unknown, "the server does not tell its time", "");
    };
    let apart = Clock::system().now().millis().saturating_sub(told.timestamp_millis());
    let status = match apart.unsigned_abs() {
        0..=1000 => Status::Ok,
        1001..=10_000 => Status::Warn,
        _ => Status::Unsafe,
    };
    finding(
        "clock",
        status,
        format!("{apart} ms ahead of the stream's leader"),
        "expiries are judged by the clock of the node that answers: use NTP",
    )
}

fn permissions(found: &Inspection) -> Vec<Finding> {
    let permissions = &found.permissions;
    let needed = |what: &str, permission, advice| match permission {
        Permission::Allowed => finding(what, Status::Ok, "allowed", ""),
        Permission::Denied => finding(what, Status::Warn, "not allowed", advice),
    };
    let harmful = |what: &str, permission| match permission {
        Permission::Denied => finding(what, Status::Ok, "not allowed", ""),
        Permission::Allowed => finding(
            what,
            Status::Warn,
            "allowed",
            "no service needs it: deny $JS.API.STREAM.DELETE, PURGE, UPDATE to users at run time",
        ),
    };
    vec![
        needed("may read", permissions.read, "every service needs it"),
        needed("may publish", permissions.publish, "a command service needs it; a read node does not"),
        harmful("may delete", permissions.delete),
        harmful("may purge", permissions.purge),
    ]
}

async fn lag(node: &str) -> Vec<Finding> {
    let told = match Client::new(node, None) {
        Ok(client) => client.readiness().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match told {
        Ok(answer) => {
            let found = format!("{node}: ready, {} frames behind", answer.value.lag_frames);
            let mut findings = vec![finding("lag", Status::Ok, found, "")];
            findings.extend(foreign::node(node, &answer.value.foreign_messages));
            findings.extend(answer.value.relay.iter().map(|line| derived::line(node, line)));
            findings
        }
        Err(error) => {
            vec![finding(
                "lag",
                Status::Unsafe,
                format!("{node}: {error}"),
                "look at its /readyz and its log",
            )]
        }
    }
}
