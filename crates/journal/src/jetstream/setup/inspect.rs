//! What `grantbook doctor` wants to know of servers, stream and permissions. Nothing is refused, nothing is changed.

use std::time::Duration;

use async_nats::{HeaderMap, Request};
use grantbook_domain::id::OrgId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Identity,
    jetstream::{
        Connection, DerivedFindings, JetStreamError, NatsOptions,
        connection::{ApiError, TIMEOUT},
        derived, stream,
    },
};

/// The findings.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Name of the server we are connected to.
    pub server: String,
    /// Its version.
    pub version: String,
    /// Whether a journal may be kept there.
    pub is_new_enough: bool,
    /// Level of its JetStream API; none if it does not answer.
    pub api_level: Option<u64>,
    /// Most bytes of a message.
    pub max_payload: usize,
    /// Name of the cluster, if it is of one.
    pub cluster: Option<String>,
    /// One question and its answer.
    pub round_trip: Duration,
    /// The stream, if it is there.
    pub stream: Option<StreamFindings>,
    /// The streams beside it.
    pub derived: Vec<DerivedFindings>,
    /// What we may do.
    pub permissions: Permissions,
}

/// What is found of the stream.
#[derive(Debug, Clone)]
pub struct StreamFindings {
    /// On how many servers it is kept.
    pub replicas: u64,
    /// Which of them leads.
    pub leader: Option<String>,
    /// Each setting that is not as it must be, in words.
    pub drifts: Vec<String>,
    /// Which journal it says it is.
    pub identity: Option<Identity>,
    /// Whether a copy into it has not been finished.
    pub is_copying: bool,
    /// Its last sequence.
    pub last_sequence: u64,
    /// How many messages it has.
    pub messages: u64,
    /// How many bytes.
    pub bytes: u64,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The leader's clock, RFC 3339, and when it was asked.
    pub server_time: Option<String>,
}

/// What we may do.
#[derive(Debug, Clone, Copy)]
pub struct Permissions {
    /// Publish frames: only the command service needs it.
    pub publish: Permission,
    /// Ask for the stream and its messages.
    pub read: Permission,
    /// Delete streams: nobody at run time needs it.
    pub delete: Permission,
    /// Purge streams: nobody ever needs it.
    pub purge: Permission,
}

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It is.
    Allowed,
    /// It is not: no answer came, or a complaint.
    Denied,
}

pub(in crate::jetstream) async fn inspect(options: &NatsOptions) -> Result<Inspection, JetStreamError> {
    let connection = Connection::unchecked(options).await?;
    let info = connection.server();
    let asked = Instant::now();
    let api_level = connection.api_level().await.ok();
    let round_trip = asked.elapsed();
    let found = connection.api::<stream::StreamInfo>("STREAM.INFO", &json!({})).await.ok();
    let findings = found.map(|found| StreamFindings {
        replicas: found.replicas(),
        leader: found.cluster.as_ref().and_then(|cluster| cluster.leader.clone()),
        drifts: found.drifts(&options.subjects()),
        identity: found.identity(),
        is_copying: found.is_copying(),
        last_sequence: found.state.last_seq,
        messages: found.state.messages,
        bytes: found.state.bytes,
        created: found.created.clone(),
        server_time: found.ts.clone(),
    });
    let identity = findings.as_ref().and_then(|found| found.identity);
    let (derived, permissions) = tokio::join!(derived::look(&connection, identity), probe(&connection));
    Ok(Inspection {
        is_new_enough: connection.is_fit(),
        server: info.server_name,
        version: info.version,
        api_level,
        max_payload: info.max_payload,
        cluster: info.cluster,
        round_trip,
        stream: findings,
        derived,
        permissions,
    })
}

/// Asks for what certainly is not there: an answer shows that asking is allowed, and nothing happens.
async fn probe(connection: &Connection) -> Permissions {
    // An inbox has a name that nobody else has.
    let absent = connection.client().new_inbox().replace(['.', '_'], "-");
    let (publish, read, delete, purge) = tokio::join!(
        may_publish(connection, &absent),
        answered(connection, format!("$JS.API.STREAM.INFO.{}", connection.stream())),
        answered(connection, format!("$JS.API.STREAM.DELETE.{absent}")),
        answered(connection, format!("$JS.API.STREAM.PURGE.{absent}")),
    );
    Permissions { publish, read, delete, purge }
}

/// A publish that is meant for another stream is refused, if it is let through at all.
async fn may_publish(connection: &Connection, absent: &str) -> Permission {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Stream", absent);
    let subject = connection.options().subject(OrgId::from_u128(0));
    let request = Request::new().headers(headers).payload("probe".into()).timeout(Some(TIMEOUT));
    match connection.request(subject, request).await {
        Ok(_) | Err(ApiError::NoResponders) => Permission::Allowed,
        Err(_) => Permission::Denied,
    }
}

async fn answered(connection: &Connection, subject: String) -> Permission {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Anything(#[expect(dead_code, reason = "only that it came matters")] Value);
    match connection.ask::<Anything>(subject, b"{}".to_vec()).await {
        Ok(_) | Err(ApiError::Refused { .. }) => Permission::Allowed,
        Err(_) => Permission::Denied,
    }
}
