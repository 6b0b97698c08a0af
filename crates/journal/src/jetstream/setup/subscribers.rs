//! The account of subscribers: mirrors of the derived streams, and what the two accounts exchange to keep them filled.
//!
//! A subscriber that lives in the journal's account can make the servers answer onto the journal's subjects, whatever it may
//! publish. In an account of its own it cannot: no subject of the journal exists there.

use serde_json::{Value, json};

use crate::jetstream::{
    Derived, JetStreamError, JetStreamJournal, NatsOptions, Prepared,
    connection::{Connection, patiently},
    stream,
};

/// The journal's account in generated configurations.
pub(in crate::jetstream) const JOURNAL_ACCOUNT: &str = "GRANTBOOK";
/// The subscribers' account.
pub(in crate::jetstream) const ACCOUNT: &str = "SUBSCRIBERS";
/// Under which subjects the subscribers' account sees the making of the mirrors' consumers. No user may publish there: the
/// servers do it for the mirrors.
const API: &str = "$JS.journal.API";

/// On which subjects the journal's account delivers to mirrors.
fn deliver(options: &NatsOptions) -> String {
    format!("{}.mirrored", options.prefix)
}

/// The questions of a mirror's servers: to make a consumer of a derived stream, and nothing else of the JetStream API.
fn questions(options: &NatsOptions) -> Vec<String> {
    let of = |derived: Derived| {
        let stream = derived.stream(options);
        [format!("CONSUMER.CREATE.{stream}"), format!("CONSUMER.CREATE.{stream}.>")]
    };
    Derived::ALL.into_iter().flat_map(of).collect()
}

/// On which subjects a mirror's servers control the flow.
fn flows(options: &NatsOptions) -> Vec<String> {
    Derived::ALL.into_iter().map(|derived| format!("$JS.FC.{}.>", derived.stream(options))).collect()
}

/// What the journal's account exports to the subscribers', as lines of a server's configuration.
pub(in crate::jetstream) fn exports(options: &NatsOptions) -> Vec<String> {
    let api = questions(options).into_iter().map(|question| format!("$JS.API.{question}"));
    let service = |subject| format!("{{ service: \"{subject}\", accounts: [{ACCOUNT}] }}");
    let mut lines: Vec<String> = api.chain(flows(options)).map(service).collect();
    lines.push(format!("{{ stream: \"{}.>\", accounts: [{ACCOUNT}] }}", deliver(options)));
    lines
}

/// What the subscribers' account imports, likewise.
pub(in crate::jetstream) fn imports(options: &NatsOptions) -> Vec<String> {
    let from = |kind: &str, subject: &str| {
        format!("{kind}: {{ account: {JOURNAL_ACCOUNT}, subject: \"{subject}\" }}")
    };
    let mut lines = Vec::new();
    for question in questions(options) {
        let service = from("service", &format!("$JS.API.{question}"));
        lines.push(format!("{{ {service}, to: \"{API}.{question}\" }}"));
    }
    lines.extend(flows(options).iter().map(|subject| format!("{{ {} }}", from("service", subject))));
    lines.push(format!("{{ {} }}", from("stream", &format!("{}.>", deliver(options)))));
    lines
}

/// A mirror has the name, the sequences and the messages of its origin; only its headers `Nats-Expected-*` are stripped.
fn config(options: &NatsOptions, derived: Derived, replicas: u8) -> Value {
    let stream = derived.stream(options);
    json!({
        "name": stream,
        "description": "For subscribers: a mirror of the stream in the journal's account.",
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "deny_delete": true,
        "deny_purge": true,
        "mirror": {"name": stream, "external": {"api": API, "deliver": deliver(options)}},
    })
}

impl JetStreamJournal {
    /// Makes the mirrors of the derived streams in the subscribers' account, with a credential of that account; or finds
    /// that they are as they must be.
    ///
    /// # Errors
    ///
    /// [`JetStreamError`] if the servers refuse or do not answer, or a stream of that name is no such mirror.
    pub async fn prepare_subscribers(options: &NatsOptions) -> Result<Vec<Prepared>, JetStreamError> {
        let connection = Connection::open(options).await?;
        let replicas = if connection.server().cluster.is_some() { 3 } else { 1 };
        let mut prepared = Vec::new();
        for derived in Derived::ALL {
            let own = connection.about(derived.stream(options));
            let config = config(options, derived, replicas);
            let found = patiently(|| stream::info(&own)).await?;
            let is_new = found.is_none();
            let info = match found {
                Some(info) => info,
                None => stream::make(&own, replicas, &config).await?,
            };
            let (stream, drifts) = (derived.stream(options), info.differences(&config));
            if !drifts.is_empty() {
                return Err(JetStreamError::NotAMirror { stream, drifts });
            }
            let (replicas, messages) = (info.replicas(), info.state.messages);
            prepared.push(Prepared { stream, is_new, replicas, messages });
        }
        Ok(prepared)
    }
}
