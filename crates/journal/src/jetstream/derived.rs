//! The streams beside the journal's, made from it for subscribers: how they are made, what of them must never change,
//! and how they are found. Who publishes into them is fenced ([`Publisher`]).

mod place;
mod publisher;

use serde_json::Value;

pub use place::Place;
pub use publisher::{End, Interrupted, Message, Publisher};

use crate::{
    Identity,
    jetstream::{
        Connection, JetStreamError, JetStreamJournal, NatsOptions,
        connection::{ApiError, patiently},
        nodes,
        stream::{self, StreamInfo},
    },
};

/// In the metadata: which of the streams beside a journal it is.
const DERIVED_MARK: &str = "grantbook.derived";

/// A stream that is made from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Derived {
    /// Every event of every record.
    Events,
    /// Every change of effective access that a record caused.
    Changes,
}

/// A stream beside the journal's, as `prepare` leaves it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its name.
    pub stream: String,
    /// Whether it has just been made.
    pub is_new: bool,
    /// On how many servers it is kept.
    pub replicas: u64,
    /// How many messages it has.
    pub messages: u64,
}

/// What is found of a stream beside the journal's.
#[derive(Debug, Clone)]
pub struct DerivedFindings {
    /// Its name.
    pub stream: String,
    /// How it is.
    pub state: DerivedState,
}

/// How a stream beside the journal's is.
#[derive(Debug, Clone)]
pub enum DerivedState {
    /// It is not there.
    Absent,
    /// It may not be looked at, or nobody answered.
    Unknown(String),
    /// It is of another journal, or of none.
    Foreign,
    /// Settings are not as they must be, in words.
    Drifted(Vec<String>),
    /// It is as it must be.
    Good {
        /// How many messages it has.
        messages: u64,
        /// Up to where in the journal it holds everything; none: it is empty.
        place: Option<Place>,
    },
}

impl Derived {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 2] = [Self::Events, Self::Changes];

    /// The stream's name.
    pub fn stream(self, options: &NatsOptions) -> String {
        let suffix = match self {
            Self::Events => "EVENTS",
            Self::Changes => "CHANGES",
        };
        format!("{}_{suffix}", options.stream)
    }

    /// The word for it in subjects, metrics and metadata.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Changes => "changes",
        }
    }

    /// The subject of an organization's messages of this name.
    pub fn subject(self, options: &NatsOptions, org: &str, name: &str) -> String {
        format!("{}.{}.{org}.{name}", options.prefix, self.word())
    }

    /// The subject of messages that say only how far the publisher has come: `<prefix>.<word>.progress`.
    pub fn progress_subject(self, options: &NatsOptions) -> String {
        format!("{}.{}.progress", options.prefix, self.word())
    }

    /// The subjects of all messages.
    pub fn subjects(self, options: &NatsOptions) -> String {
        format!("{}.{}.>", options.prefix, self.word())
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Events => {
                "The events of Grantbook's journal, each once and in order; published by its relay only."
            }
            Self::Changes => {
                "What the records of Grantbook's journal changed of access, each once and in order; published by its relay only."
            }
        }
    }

    fn config(self, options: &NatsOptions, identity: Identity, replicas: u8) -> Value {
        let mut metadata = stream::identity_marks(identity);
        metadata.insert(DERIVED_MARK, self.word().to_owned());
        let subjects = self.subjects(options);
        stream::keeping(&self.stream(options), self.description(), &subjects, (replicas, metadata))
    }

    /// Whether the stream may be used beside this journal.
    fn check(
        self,
        options: &NatsOptions,
        info: &StreamInfo,
        identity: Identity,
    ) -> Result<(), JetStreamError> {
        let stream = self.stream(options);
        if info.mark(DERIVED_MARK) != Some(self.word()) {
            let fault = "its metadata does not say what it is".to_owned();
            return Err(JetStreamError::Foreign { stream, fault });
        }
        if info.identity() != Some(identity) {
            return Err(JetStreamError::OfOtherJournal { stream });
        }
        let drifts = info.drifts(&self.subjects(options));
        if drifts.is_empty() { Ok(()) } else { Err(JetStreamError::Drifted { stream, drifts }) }
    }

    /// The stream, made if there is none.
    async fn prepare(
        self,
        journal: &Connection,
        identity: Identity,
        replicas: u8,
    ) -> Result<Prepared, JetStreamError> {
        let options = journal.options();
        let connection = journal.about(self.stream(options));
        let found = patiently(|| stream::info(&connection)).await?;
        let is_new = found.is_none();
        let info = match found {
            Some(info) => info,
            None => stream::make(&connection, replicas, &self.config(options, identity, replicas)).await?,
        };
        self.check(options, &info, identity)?;
        let messages = info.state.messages;
        Ok(Prepared { stream: self.stream(options), is_new, replicas: info.replicas(), messages })
    }

    async fn look(self, journal: &Connection, identity: Option<Identity>) -> DerivedFindings {
        let options = journal.options();
        let connection = journal.about(self.stream(options));
        let state = match stream::info(&connection).await {
            Ok(None) => DerivedState::Absent,
            Err(error) => DerivedState::Unknown(error.to_string()),
            Ok(Some(info)) => match identity.map(|identity| self.check(options, &info, identity)) {
                None | Some(Err(JetStreamError::Foreign { .. } | JetStreamError::OfOtherJournal { .. })) => {
                    DerivedState::Foreign
                }
                Some(Err(JetStreamError::Drifted { drifts, .. })) => DerivedState::Drifted(drifts),
                Some(Err(error)) => DerivedState::Unknown(error.to_string()),
                Some(Ok(())) if info.state.messages < info.state.last_seq => {
                    let missing = info.state.last_seq - info.state.messages;
                    DerivedState::Drifted(vec![format!("{missing} of its messages is missing")])
                }
                Some(Ok(())) => match publisher::last_place(&connection, info.state.last_seq).await {
                    Ok(place) => DerivedState::Good { messages: info.state.messages, place },
                    Err(error) => DerivedState::Unknown(error.to_string()),
                },
            },
        };
        DerivedFindings { stream: self.stream(options), state }
    }
}

impl JetStreamJournal {
    /// Makes the streams beside the journal's on as many servers, or finds that they are as they must be.
    pub async fn prepare(&self) -> Result<Vec<Prepared>, JetStreamError> {
        let (connection, identity) = (&self.inner.connection, self.inner.identity);
        let missing = || JetStreamError::Missing { stream: connection.stream().to_owned() };
        let info = patiently(|| stream::info(connection)).await?.ok_or_else(missing)?;
        let replicas = u8::try_from(info.replicas()).unwrap_or(1);
        let mut prepared = Vec::new();
        for derived in Derived::ALL {
            prepared.push(derived.prepare(connection, identity, replicas).await?);
        }
        for (stream, of_nodes) in [
            (connection.options().nodes_stream(), true),
            (format!("OBJ_{}", connection.options().snapshots_bucket()), false),
        ] {
            let about = connection.about(stream.clone());
            let is_new = patiently(|| stream::info(&about)).await?.is_none();
            if of_nodes {
                self.prepare_nodes().await.map_err(|error| JetStreamError::Beside(error.to_string()))?;
            } else {
                self.prepare_snapshots().await.map_err(|error| JetStreamError::Beside(error.to_string()))?;
            }
            let missing = || JetStreamError::Missing { stream: stream.clone() };
            let info = patiently(|| stream::info(&about)).await?.ok_or_else(missing)?;
            let (replicas, messages) = (info.replicas(), info.state.messages);
            prepared.push(Prepared { stream, is_new, replicas, messages });
        }
        Ok(prepared)
    }

    /// Who publishes into a stream beside the journal's; refuses one that is not there, not its, or has drifted.
    pub async fn publisher(&self, derived: Derived) -> Result<Publisher, JetStreamError> {
        let (connection, identity) = (&self.inner.connection, self.inner.identity);
        let options = connection.options();
        let own = connection.about(derived.stream(options));
        let Some(info) = patiently(|| stream::info(&own)).await? else {
            return Err(JetStreamError::NotPrepared { stream: derived.stream(options) });
        };
        derived.check(options, &info, identity)?;
        Ok(Publisher::new(derived, own, identity, info.created))
    }
}

/// What is found of the streams beside the journal of this identity.
pub(super) async fn look(journal: &Connection, identity: Option<Identity>) -> Vec<DerivedFindings> {
    let derived = futures_util::future::join_all(Derived::ALL.map(|derived| derived.look(journal, identity)));
    let (mut found, nodes) = futures_util::future::join(derived, nodes::look(journal)).await;
    found.push(nodes);
    found
}
