//! What nodes say of themselves to each other: a small stream beside the journal's, a subject a node. It is no part of the
//! journal: whoever may write there can say anything, and nothing but an alarm rests on it.

use std::collections::BTreeMap;

use async_nats::{HeaderMap, Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jetstream::{
    DerivedFindings, DerivedState, Inner, JetStreamJournal, NatsOptions,
    connection::{ApiError, Connection, TIMEOUT, parse, patiently},
    stream,
};

/// Statuses kept of each node.
const KEPT: u64 = 32;
/// How long they are kept, in ns: a day.
const AGE: u64 = 86_400_000_000_000;
/// There is no such stream.
const NO_STREAM: u64 = 10059;
/// The leader has no such message.
const NO_MESSAGE: u64 = 10037;

/// Why nodes cannot tell each other how they are.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// The stream was not made.
    #[error("there is no stream {stream}: an operator makes it with `grantbook nats prepare`")]
    Missing {
        /// Its name.
        stream: String,
    },
    /// Its settings were changed.
    #[error("the stream {stream} has drifted from what nodes need: {}; delete it, and run `grantbook nats prepare`: it holds nothing but the last statuses", .drifts.join("; "))]
    Drifted {
        /// Its name.
        stream: String,
        /// What is not as it must be.
        drifts: Vec<String>,
    },
    /// The servers refuse, or do not answer.
    #[error("{0}")]
    Api(#[from] ApiError),
}

#[derive(Deserialize)]
struct Info {
    state: State,
}

#[derive(Deserialize)]
struct State {
    /// Messages by subject.
    #[serde(default)]
    subjects: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Found {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    data: String,
}

impl NatsOptions {
    /// The stream of nodes' statuses.
    pub fn nodes_stream(&self) -> String {
        format!("{}_NODES", self.stream)
    }

    /// The subject of a node's statuses.
    pub fn node_subject(&self, node: &str) -> String {
        format!("{}.nodes.{node}", self.prefix)
    }
}

impl JetStreamJournal {
    /// Says how a node is. Its id has no dot and no blank.
    pub async fn tell_status(&self, node: &str, status: Bytes) -> Result<(), NodesError> {
        let connection = &self.inner.connection;
        let stream = connection.options().nodes_stream();
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Stream", stream.as_str());
        let request = Request::new().headers(headers).payload(status).timeout(Some(TIMEOUT));
        match connection.request(connection.options().node_subject(node), request).await {
            Ok(answer) => parse::<Value>(&answer.payload).map(drop).map_err(|error| missing(error, stream)),
            Err(ApiError::NoResponders) => Err(NodesError::Missing { stream }),
            Err(error) => Err(error.into()),
        }
    }

    /// The last status of every node, by subject.
    pub async fn statuses(&self) -> Result<Vec<Bytes>, NodesError> {
        self.inner.statuses().await
    }

    /// Makes the stream of nodes' statuses on as many servers as keep the journal, or finds that it is there as it must be.
    pub(super) async fn prepare_nodes(&self) -> Result<(), NodesError> {
        let connection = &self.inner.connection;
        let stream = connection.options().nodes_stream();
        let own = connection.about(stream.clone());
        if let Some(info) = patiently(|| stream::info(&own)).await? {
            let drifts = info.differences(&config(connection.options(), &stream, info.replicas()));
            return if drifts.is_empty() { Ok(()) } else { Err(NodesError::Drifted { stream, drifts }) };
        }
        let asked = patiently(|| stream::info(connection)).await?;
        let replicas = asked.map_or(1, |info| info.replicas());
        let config = config(connection.options(), &stream, replicas);
        let body = config.to_string().into_bytes();
        patiently(|| connection.ask::<Value>(format!("$JS.API.STREAM.CREATE.{stream}"), body.clone()))
            .await?;
        Ok(())
    }
}

/// What is found of the stream of nodes' statuses.
pub(super) async fn look(journal: &Connection) -> DerivedFindings {
    let stream = journal.options().nodes_stream();
    let state = match stream::info(&journal.about(stream.clone())).await {
        Ok(None) => DerivedState::Absent,
        Err(error) => DerivedState::Unknown(error.to_string()),
        Ok(Some(info)) => {
            let drifts = info.differences(&config(journal.options(), &stream, info.replicas()));
            if drifts.is_empty() {
                DerivedState::Good { messages: info.state.messages, place: None }
            } else {
                DerivedState::Drifted(drifts)
            }
        }
    };
    DerivedFindings { stream, state }
}

impl Inner {
    async fn statuses(&self) -> Result<Vec<Bytes>, NodesError> {
        let stream = self.connection.options().nodes_stream();
        let filter = json!({ "subjects_filter": self.connection.options().node_subject("*") });
        let info: Info = ask(&self.connection, "STREAM.INFO", &stream, &filter).await?;
        let mut statuses = Vec::new();
        for subject in info.state.subjects.keys() {
            let which = json!({ "last_by_subj": subject });
            match ask::<Found>(&self.connection, "STREAM.MSG.GET", &stream, &which).await {
                Ok(found) => statuses.extend(STANDARD.decode(found.message.data).ok().map(Bytes::from)),
                // It grew too old meanwhile.
                Err(NodesError::Api(ApiError::Refused { err_code: NO_MESSAGE, .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(statuses)
    }
}

async fn ask<T: for<'de> Deserialize<'de>>(
    connection: &Connection,
    verb: &str,
    stream: &str,
    question: &Value,
) -> Result<T, NodesError> {
    let asked = connection.ask(format!("$JS.API.{verb}.{stream}"), question.to_string().into_bytes()).await;
    asked.map_err(|error| missing(error, stream.to_owned()))
}

fn missing(error: ApiError, stream: String) -> NodesError {
    let is_missing = matches!(error, ApiError::Refused { err_code: NO_STREAM, .. });
    if is_missing { NodesError::Missing { stream } } else { error.into() }
}

fn config(options: &NatsOptions, stream: &str, replicas: u64) -> Value {
    json!({
        "name": stream,
        "description": "How the nodes of Grantbook are, as they say themselves.",
        "subjects": [options.node_subject("*")],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "num_replicas": replicas,
        "max_msgs_per_subject": KEPT,
        "max_age": AGE,
        "max_msg_size": 65_536,
        "allow_direct": true,
    })
}
