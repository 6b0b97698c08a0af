//! The stream: how it is made, what of it must never change, and what its leader says of it.

use std::{collections::BTreeMap, time::Duration};

use async_nats::HeaderMap;
use bytes::Bytes;
use grantbook_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Foreign, Identity, Item, ReadError, Stored,
    frame::FRAME_MAX_BYTES,
    jetstream::{
        JetStreamError, NatsOptions,
        append::STREAM_HEADER,
        connection::{ApiError, Connection, patiently},
    },
};

/// The format of the stream as a whole, in its metadata.
const FORMAT: &str = "1";
const FORMAT_MARK: &str = "grantbook.format";
const INSTALLATION_MARK: &str = "grantbook.installation";
const CREATED_MARK: &str = "grantbook.created_at";
const COPYING_MARK: &str = "grantbook.copying";

/// The leader has no such message.
pub(super) const NO_MESSAGE: u64 = 10037;
/// There is no such stream.
pub(super) const NO_STREAM: u64 = 10059;
/// There is one of this name, made otherwise.
const NAME_IN_USE: u64 = 10058;

/// The guard of an append: the last sequence of its own subject.
pub(super) const GUARD_HEADER: &str = "Nats-Expected-Last-Subject-Sequence";
/// Makes the guard look at other subjects; no frame ever has it.
const GUARD_SUBJECT_HEADER: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// A replica whose stream is compressed and that loses an election with messages nobody else has may compress the block
/// into which it goes on writing, and can read none of it afterwards (docs/adr/0023-no-compression.md).
const NOT_COMPRESSED: &str = "none";

/// What we write into the stream's metadata.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) identity: Identity,
    pub(super) copying: bool,
}

/// What the leader says of the stream.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StreamInfo {
    pub(super) config: Value,
    pub(super) state: State,
    /// When it was made.
    pub(super) created: String,
    /// The leader's clock.
    #[serde(default)]
    pub(super) ts: Option<String>,
    #[serde(default)]
    pub(super) cluster: Option<ClusterInfo>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct State {
    #[serde(default)]
    pub(super) messages: u64,
    #[serde(default)]
    pub(super) bytes: u64,
    #[serde(default)]
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ClusterInfo {
    #[serde(default)]
    pub(super) leader: Option<String>,
    /// The servers that follow the leader.
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Debug, Clone, Deserialize)]
struct Replica {
    /// How long ago the leader heard of it, in nanoseconds.
    #[serde(default)]
    active: u64,
}

/// A leader whom a majority followed so lately leads still: those who follow wait for 4 s at least, since they heard of
/// it last, before they elect another one (`minElectionTimeout`, nats-server, `server/raft.go`), and it speaks to them
/// once a second. The rest is left for answers that take their time.
pub(super) const LEASE: Duration = Duration::from_millis(2500);

/// A message that the leader gave.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) message: FoundMessage,
}

#[derive(Debug, Deserialize)]
pub(super) struct FoundMessage {
    subject: String,
    seq: u64,
    #[serde(default)]
    data: String,
    #[serde(default)]
    hdrs: Option<String>,
}

impl FoundMessage {
    /// A header's value, as it is stored.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let bytes = STANDARD.decode(self.hdrs.as_ref()?).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let found = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// As a reader sees it.
    pub(super) fn item(self, options: &NatsOptions) -> Result<Item, ReadError> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let sequence = self.seq;
        let damaged = ReadError::Damaged { sequence };
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| damaged.clone());
        let headers = self.hdrs.as_deref().map(decoded).transpose()?.unwrap_or_default();
        let headers = String::from_utf8_lossy(&headers);
        let judged = Judged {
            is_appended: is_appended(&options.stream, &Lines(&headers)),
            guard: guard_in_text(&headers),
        };
        judged.item(options, (sequence, &self.subject), decoded(&self.data)?.into())
    }
}

/// What a message's headers say of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    /// Whether it was appended to this very stream.
    is_appended: bool,
    guard: Option<u64>,
}

impl Judged {
    /// Of headers as a consumer delivers them: those that are stored.
    pub(super) fn delivered(stream: &str, headers: Option<&HeaderMap>) -> Self {
        let is_appended = headers.is_some_and(|headers| is_appended(stream, headers));
        Self { is_appended, guard: headers.and_then(guard_of) }
    }

    /// Of headers that a direct get answers: those that are stored, and behind them what the answer says of the message.
    pub(super) fn answered(stream: &str, headers: &HeaderMap) -> Self {
        let is_appended =
            is_meant_for(stream, headers) && !ANSWERED.iter().any(|name| headers.count(name) > 1);
        Self { is_appended, guard: guard_of(headers) }
    }

    /// The item at a sequence and on a subject.
    pub(super) fn item(
        self,
        options: &NatsOptions,
        (sequence, subject): (u64, &str),
        bytes: Bytes,
    ) -> Result<Item, ReadError> {
        let token = options.token_of(subject).ok_or(ReadError::Damaged { sequence })?;
        if !self.is_appended {
            return Ok(Item::Foreign(Foreign { sequence, token: token.to_owned(), bytes }));
        }
        // The message is marked as an append, but its subject is no organization: a sender with write permission made
        // an error.
        let org = token.parse().map_err(|_| ReadError::Damaged { sequence })?;
        Ok(Item::Frame(Stored { sequence, org, bytes, guard: self.guard }))
    }
}

/// Headers of an answer to a direct get, which no append has.
const ANSWERED: [&str; 4] = ["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"];

/// Headers, however they are kept.
trait Headers {
    fn count(&self, name: &str) -> usize;
    fn first(&self, name: &str) -> Option<&str>;
}

impl Headers for HeaderMap {
    fn count(&self, name: &str) -> usize {
        self.get_all(name).count()
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.get(name).map(async_nats::HeaderValue::as_str)
    }
}

/// Headers as they are stored: `NATS/1.0`, then a line each.
struct Lines<'t>(&'t str);

impl Lines<'_> {
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        // As servers and the client compare names: byte by byte.
        lines.filter(move |(own, _)| *own == name).map(|(_, value)| value.trim())
    }
}

impl Headers for Lines<'_> {
    fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }
}

/// Whether a message names this very stream in the header that every append has. Servers take no message with it into any
/// other stream, so what was published elsewhere and is delivered here lacks it.
fn is_meant_for(stream: &str, headers: &impl Headers) -> bool {
    headers.first(STREAM_HEADER) == Some(stream)
}

/// Whether a message with these stored headers was appended to this very stream. A client chooses the reply subject
/// of its requests, and NATS does not check publish permissions for replies. So it can direct a reply, or a message
/// of another stream, into the journal. A direct get of a frame answers with the frame's own headers, and with some
/// of its own, by which a replayed answer is known.
fn is_appended(stream: &str, headers: &impl Headers) -> bool {
    is_meant_for(stream, headers) && ANSWERED.iter().all(|name| headers.count(name) == 0)
}

/// The guard that stands in a message's headers: of its own subject, and no other's.
pub(super) fn guard_of(headers: &HeaderMap) -> Option<u64> {
    if headers.get(GUARD_SUBJECT_HEADER).is_some() {
        return None;
    }
    headers.get(GUARD_HEADER)?.as_str().parse().ok()
}

/// The same of headers as they are stored: `NATS/1.0`, then a line each.
fn guard_in_text(headers: &str) -> Option<u64> {
    let mut guard = None;
    for line in headers.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case(GUARD_SUBJECT_HEADER) {
            return None;
        }
        if name.eq_ignore_ascii_case(GUARD_HEADER) {
            guard = value.trim().parse().ok();
        }
    }
    guard
}

impl StreamInfo {
    pub(super) fn mark(&self, name: &str) -> Option<&str> {
        self.config.get("metadata")?.get(name)?.as_str()
    }

    /// Which journal the stream says it is.
    pub(super) fn identity(&self) -> Option<Identity> {
        let installation = self.mark(INSTALLATION_MARK)?.parse().ok()?;
        let created_at = Timestamp::from_millis(self.mark(CREATED_MARK)?.parse().ok()?);
        Some(Identity { installation, created_at })
    }

    pub(super) fn is_copying(&self) -> bool {
        self.mark(COPYING_MARK).is_some()
    }

    pub(super) fn replicas(&self) -> u64 {
        self.config.get("num_replicas").and_then(Value::as_u64).unwrap_or(1)
    }

    /// Why what is said of the state may be old; none if a leader says it who leads still. A server that lost its
    /// majority goes on to answer: as the leader for some 10 to 20 s, and then, without one, for ever.
    pub(super) fn doubt(&self) -> Option<String> {
        let is_led = |cluster: &&ClusterInfo| cluster.leader.as_ref().is_some_and(|name| !name.is_empty());
        let Some(cluster) = self.cluster.as_ref() else {
            // A server alone.
            return (self.replicas() > 1).then(|| "the server does not say who leads the stream".to_owned());
        };
        let Some(cluster) = Some(cluster).filter(is_led) else {
            return Some("the stream has no leader".to_owned());
        };
        let mut silences: Vec<u64> = cluster.replicas.iter().map(|replica| replica.active).collect();
        silences.sort_unstable();
        let copies = usize::try_from(self.replicas()).unwrap_or(usize::MAX);
        // The leader itself and so many others are a majority.
        let last = (copies / 2).checked_sub(1)?;
        let silence = silences.get(last).map(|nanoseconds| Duration::from_nanos(*nanoseconds));
        match silence {
            Some(silence) if silence <= LEASE => None,
            Some(silence) => Some(format!(
                "the stream's leader has not heard of a majority for {} ms",
                silence.as_millis()
            )),
            None => Some("the stream's leader knows of no majority".to_owned()),
        }
    }

    /// Each setting that is not as it must be for a stream of these subjects, in words.
    pub(super) fn drifts(&self, subjects: &str) -> Vec<String> {
        let mut drifts = Vec::new();
        for (name, must, absent) in settings(subjects) {
            let is = self.config.get(name).filter(|value| !value.is_null()).unwrap_or(&absent);
            if *is != must {
                drifts.push(format!("{name} is {is}, must be {must}"));
            }
        }
        let takes = self.config.get("max_msg_size").and_then(Value::as_i64).unwrap_or(-1);
        if takes != -1 && takes < i64::try_from(FRAME_MAX_BYTES).unwrap_or(i64::MAX) {
            drifts.push(format!("max_msg_size is {takes}, must be -1"));
        }
        if self.state.first_seq > 1 {
            drifts.push(format!("its first message is {}, the ones before are gone", self.state.first_seq));
        }
        drifts
    }
}

impl StreamInfo {
    /// Each setting that is not as in this configuration, in words. Where and on how many servers it lies is its operator's.
    pub(super) fn differences(&self, must: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let free = ["name", "description", "num_replicas"];
        for (name, must) in
            must.as_object().into_iter().flatten().filter(|(name, _)| !free.contains(&name.as_str()))
        {
            let is = self.config.get(name).unwrap_or(&Value::Null);
            if is != must {
                found.push(format!("{name} is {is}, must be {must}"));
            }
        }
        let foreign = ["mirror", "sources", "republish", "subject_transform"];
        for name in foreign.into_iter().filter(|name| must.get(name).is_none()) {
            if let Some(is) = self.config.get(name).filter(|is| !is.is_null()) {
                found.push(format!("{name} is {is}, must be absent"));
            }
        }
        found
    }
}

/// What must be so for nothing to be lost or exchanged: each setting, its value, and what it is where the server does
/// not say it.
fn settings(subjects: &str) -> Vec<(&'static str, Value, Value)> {
    let none = || Value::Null;
    let off = || (Value::Bool(false), Value::Bool(false));
    let mut settings = vec![
        ("subjects", json!([subjects]), none()),
        ("retention", json!("limits"), json!("limits")),
        ("storage", json!("file"), none()),
        ("compression", json!(NOT_COMPRESSED), json!(NOT_COMPRESSED)),
        ("discard", json!("new"), json!("old")),
        ("max_age", json!(0), json!(0)),
        ("max_msgs", json!(-1), json!(-1)),
        ("max_bytes", json!(-1), json!(-1)),
        ("max_msgs_per_subject", json!(-1), json!(-1)),
        ("deny_delete", json!(true), json!(false)),
        ("deny_purge", json!(true), json!(false)),
        ("allow_direct", json!(true), json!(false)),
        ("subject_delete_marker_ttl", json!(0), json!(0)),
        ("persist_mode", json!("default"), json!("default")),
    ];
    for name in [
        "allow_rollup_hdrs",
        "allow_msg_ttl",
        "allow_msg_schedules",
        "allow_msg_counter",
        "allow_atomic",
        "allow_batched",
        "discard_new_per_subject",
        "mirror_direct",
        "no_ack",
        "sealed",
    ] {
        let (must, absent) = off();
        settings.push((name, must, absent));
    }
    for name in ["mirror", "sources", "republish", "subject_transform"] {
        settings.push((name, none(), none()));
    }
    settings
}

/// What the leader says of the stream; none if there is none.
pub(super) async fn info(connection: &Connection) -> Result<Option<StreamInfo>, ApiError> {
    if !connection.is_fit() {
        return Err(ApiError::Other("the server that we are connected to now is too old".to_owned()));
    }
    let subject = format!("$JS.API.STREAM.INFO.{}", connection.stream());
    // A server whose copy has no leader answers as if it were one, but names none.
    let leads = |info: &StreamInfo| info.doubt().is_none();
    match connection.ask_leader(subject, b"{}".to_vec(), leads).await {
        Ok(info) => Ok(Some(info)),
        Err(ApiError::Refused { err_code: NO_STREAM, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which journal it is, if it is a whole one and safe.
pub(super) fn checked(connection: &Connection, info: &StreamInfo) -> Result<Identity, JetStreamError> {
    let stream = connection.stream().to_owned();
    if info.is_copying() {
        return Err(JetStreamError::Copying { stream });
    }
    recognized(connection, info)
}

/// Which journal it is, if it is safe, finished or not.
pub(super) fn recognized(connection: &Connection, info: &StreamInfo) -> Result<Identity, JetStreamError> {
    let stream = connection.stream().to_owned();
    let foreign = |fault: &str| JetStreamError::Foreign { stream: stream.clone(), fault: fault.to_owned() };
    match info.mark(FORMAT_MARK) {
        Some(FORMAT) => {}
        Some(_) => return Err(foreign("its format is of another version")),
        None => return Err(foreign("its metadata does not say which journal it is")),
    }
    let identity = info.identity().ok_or_else(|| foreign("its metadata does not say which journal it is"))?;
    let drifts = info.drifts(&connection.options().subjects());
    if drifts.is_empty() { Ok(identity) } else { Err(JetStreamError::Drifted { stream, drifts }) }
}

/// Makes the journal's stream, or finds that it is there.
pub(super) async fn provision(
    connection: &Connection,
    marks: Marks,
    replicas: Option<u8>,
) -> Result<StreamInfo, JetStreamError> {
    if let Some(info) = patiently(|| info(connection)).await? {
        return Ok(info);
    }
    let wanted = replicas.unwrap_or(if connection.server().cluster.is_some() { 3 } else { 1 });
    make(connection, wanted, &config(connection.options(), marks, wanted)).await
}

/// Makes the connection's stream. Of those who make it at once, one succeeds; the others find its.
pub(super) async fn make(
    connection: &Connection,
    replicas: u8,
    config: &Value,
) -> Result<StreamInfo, JetStreamError> {
    let stream = || connection.stream().to_owned();
    match patiently(|| connection.api::<StreamInfo>("STREAM.CREATE", config)).await {
        Ok(info) => Ok(info),
        Err(ApiError::Refused { err_code: NAME_IN_USE, .. }) => {
            patiently(|| info(connection)).await?.ok_or_else(|| JetStreamError::Missing { stream: stream() })
        }
        Err(ApiError::Refused { description: fault, .. }) => {
            Err(JetStreamError::Replicas { stream: stream(), replicas, fault })
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the marks anew: the only change that is ever made to a stream.
pub(super) async fn mark(
    connection: &Connection,
    marks: Marks,
    replicas: u64,
) -> Result<StreamInfo, ApiError> {
    let replicas = u8::try_from(replicas).unwrap_or(1);
    connection.api("STREAM.UPDATE", &config(connection.options(), marks, replicas)).await
}

fn config(options: &NatsOptions, Marks { identity, copying }: Marks, replicas: u8) -> Value {
    let mut metadata = identity_marks(identity);
    if copying {
        metadata.insert(COPYING_MARK, "true".to_owned());
    }
    let description = "The journal of Grantbook: never change, purge or delete it.";
    keeping(&options.stream, description, &options.subjects(), (replicas, metadata))
}

/// What the metadata says of the journal that a stream is, or is made from.
pub(super) fn identity_marks(identity: Identity) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (FORMAT_MARK, FORMAT.to_owned()),
        (INSTALLATION_MARK, identity.installation.to_string()),
        (CREATED_MARK, identity.created_at.millis().to_string()),
    ])
}

/// The configuration of a stream that keeps everything, on so many servers, with this metadata.
pub(super) fn keeping(
    stream: &str,
    description: &str,
    subjects: &str,
    (replicas, metadata): (u8, BTreeMap<&'static str, String>),
) -> Value {
    json!({
        "name": stream,
        "description": description,
        "subjects": [subjects],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "num_replicas": replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "max_consumers": -1,
        "duplicate_window": 120_000_000_000_u64,
        "deny_delete": true,
        "deny_purge": true,
        "allow_direct": true,
        "compression": NOT_COMPRESSED,
        "metadata": metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says of a stream with so many copies, its leader, and how long ago it heard of the others, in ms.
    fn told(copies: u64, leader: Option<&str>, silences: &[u64]) -> StreamInfo {
        let replicas: Vec<Value> =
            silences.iter().map(|silence| json!({"name": "n", "active": silence * 1_000_000})).collect();
        let info = json!({
            "config": {"num_replicas": copies}, "state": {"last_seq": 7}, "created": "",
            "cluster": {"leader": leader, "replicas": replicas},
        });
        serde_json::from_value(info).unwrap()
    }

    #[test]
    fn a_head_is_believed_of_a_leader_only_that_a_majority_followed_lately() {
        for (copies, silences) in
            [(1, &[][..]), (3, &[900, 900][..]), (3, &[60_000, 2500][..]), (5, &[1, 9999, 2, 9999][..])]
        {
            assert_eq!(told(copies, Some("n0"), silences).doubt(), None, "{copies} {silences:?}");
        }
        for (copies, silences) in [(3, &[2501, 2600][..]), (3, &[][..]), (5, &[1, 9999, 9999, 9999][..])] {
            assert!(told(copies, Some("n0"), silences).doubt().is_some(), "{copies} {silences:?}");
        }
        // What a server says that was a leader once: it goes on to tell where its own copy ends.
        assert!(told(3, None, &[0, 0, 0]).doubt().is_some());
        assert!(told(1, Some(""), &[]).doubt().is_some());
        let alone = |copies: u64| -> StreamInfo {
            let info = json!({"config": {"num_replicas": copies}, "state": {"last_seq": 7}, "created": ""});
            serde_json::from_value(info).unwrap()
        };
        assert!(alone(1).doubt().is_none() && alone(3).doubt().is_some());
    }

    #[test]
    fn a_guard_counts_only_if_it_looks_at_the_subject_of_its_own_frame() {
        let exact = "NATS/1.0\r\nNats-Expected-Stream: S\r\nNats-Expected-Last-Subject-Sequence: 17\r\n\r\n";
        assert_eq!(guard_in_text(exact), Some(17));
        let wider = exact
            .replace("\r\n\r\n", "\r\nNats-Expected-Last-Subject-Sequence-Subject: grantbook.v1.*\r\n\r\n");
        assert_eq!(guard_in_text(&wider), None);
        assert_eq!(guard_in_text("NATS/1.0\r\n\r\n"), None);
        let mut headers = HeaderMap::new();
        headers.insert(GUARD_HEADER, "17");
        assert_eq!(guard_of(&headers), Some(17));
        headers.insert(GUARD_SUBJECT_HEADER, "grantbook.v1.*");
        assert_eq!(guard_of(&headers), None);
    }
}
