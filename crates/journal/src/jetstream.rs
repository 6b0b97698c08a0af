//! The journal in a stream of NATS `JetStream`, for as many processes as like to read it and to append to it.
//!
//! One subject per organization, `<prefix>.v1.<organization>`, and one message per frame; a message without the header of
//! an append is a foreign one. Every append is guarded by
//! the last sequence of exactly that subject and by nothing else: of several ways to guard that are mixed, a cluster
//! lets stale ones through. What the server is asked is asked of the stream's leader, never of a replica that may be
//! behind. The JSON API of `JetStream` is spoken directly, because the numbers of its errors decide what is known about
//! an append.

mod append;
mod connection;
mod copy;
mod derived;
mod elsewhere;
mod error;
mod nodes;
mod objects;
mod options;
mod setup;
mod stream;
mod tail;

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use grantbook_domain::id::OrgId;

pub use connection::ApiError;
pub use copy::CopyInto;
pub use derived::{
    Derived, DerivedFindings, DerivedState, End, Interrupted, Message, Place, Prepared, Publisher,
};
pub use error::JetStreamError;
pub use nodes::NodesError;
pub use objects::{Bucket, BucketError};
pub use options::{Credentials, NatsOptions, Tls};
pub use setup::inspect::{Inspection, Permission, Permissions, StreamFindings};
pub use setup::roles::NatsRole;
pub use setup::servers::{Ports, ServerFile, ServerPlan};
pub use tail::JetStreamTail;

use self::{
    connection::{Connection, patiently},
    stream::{Marks, StreamInfo},
};
use crate::{
    AppendError, Cause, Gaps, Identity, Item, Journal, ReadError,
    outcome::{Guard, Reason},
};

/// A journal in NATS; connected until it is dropped, and again whenever the connection is lost.
#[derive(Debug)]
pub struct JetStreamJournal {
    inner: Arc<Inner>,
}

/// What the journal and its readers share.
#[derive(Debug)]
struct Inner {
    connection: Connection,
    identity: Identity,
    /// When the server made the stream: a stream made anew has another time.
    created: String,
    /// Why the stream is not the one that was opened, once that is known.
    replaced: OnceLock<String>,
    /// What readers did not find at once where it should have been.
    gaps: Mutex<Gaps>,
}

/// Why an answer about the head proves nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Doubted(String);

impl JetStreamJournal {
    /// Opens the journal; makes none. Refuses servers and streams that are not safe.
    pub async fn open(options: &NatsOptions) -> Result<Self, JetStreamError> {
        let connection = Connection::open(options).await?;
        let Some(info) = patiently(|| stream::info(&connection)).await? else {
            return Err(JetStreamError::Missing { stream: options.stream.clone() });
        };
        Self::of(connection, &info)
    }

    /// Makes the stream if there is none, on so many servers (none: three in a cluster, else one). A stream without
    /// frames, as an interrupted `create` leaves it, is taken as it is, with its identity.
    pub async fn create(
        options: &NatsOptions,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<Self, JetStreamError> {
        let connection = Connection::open(options).await?;
        let info = stream::provision(&connection, Marks { identity, copying: false }, replicas).await?;
        if info.state.last_seq > 0 {
            return Err(JetStreamError::NotEmpty { stream: options.stream.clone() });
        }
        Self::of(connection, &info)
    }

    /// Looks at servers, stream and permissions without refusing anything, for `grantbook doctor`.
    pub async fn inspect(options: &NatsOptions) -> Result<Inspection, JetStreamError> {
        setup::inspect::inspect(options).await
    }

    /// The stream into which a journal is copied, made or found unfinished.
    pub async fn copy_into(
        options: &NatsOptions,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<CopyInto, JetStreamError> {
        CopyInto::begin(options, identity, replicas).await
    }

    fn of(connection: Connection, info: &StreamInfo) -> Result<Self, JetStreamError> {
        let identity = stream::checked(&connection, info)?;
        let (created, replaced, gaps) = (info.created.clone(), OnceLock::new(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { connection, identity, created, replaced, gaps }) })
    }
}

impl Inner {
    /// The head, of the very stream that was opened, from a leader who surely leads.
    async fn head(&self) -> Result<u64, ReadError> {
        let name = self.connection.stream();
        let info = match stream::info(&self.connection).await {
            Ok(Some(info)) => info,
            Ok(None) => return Err(self.replace(format!("there is no stream {name} any more"))),
            Err(error) => return Err(ReadError::Unavailable(Arc::new(error))),
        };
        if info.created != self.created {
            let (was, is) = (&self.created, &info.created);
            return Err(self.replace(format!("the stream {name} was made anew at {is}, it was of {was}")));
        }
        match info.identity() {
            Some(identity) if identity == self.identity => match info.doubt() {
                None => Ok(info.state.last_seq),
                Some(doubt) => Err(ReadError::Unavailable(Arc::new(Doubted(doubt)))),
            },
            _ => {
                Err(self.replace(format!("the stream {name} no longer says that it is of this installation")))
            }
        }
    }

    fn replace(&self, why: String) -> ReadError {
        ReadError::Replaced(self.replaced.get_or_init(|| why).clone())
    }

    /// Asks the leader for one message; none if it has none such.
    async fn message(&self, which: &serde_json::Value) -> Result<Option<Item>, ReadError> {
        let asked = self.connection.api::<stream::Found>("STREAM.MSG.GET", which).await;
        match asked {
            Ok(found) => found.message.item(self.connection.options()).map(Some),
            Err(ApiError::Refused { err_code: stream::NO_MESSAGE, .. }) => Ok(None),
            Err(error) => Err(ReadError::Unavailable(Arc::new(error))),
        }
    }

    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        if sequence == 0 {
            return Ok(None);
        }
        self.message(&serde_json::json!({ "seq": sequence })).await
    }
}

impl Journal for JetStreamJournal {
    type Tail = JetStreamTail;

    fn identity(&self) -> Identity {
        self.inner.identity
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        append::append(&self.inner.connection, org, Guard::Organization(after), frame).await
    }

    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        append::append(&self.inner.connection, org, Guard::Stream(head), frame).await
    }

    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        append::put_foreign(&self.inner.connection, token, head, bytes).await
    }

    fn tail(&self, after: u64) -> JetStreamTail {
        JetStreamTail::new(Arc::clone(&self.inner), after)
    }

    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        self.inner.read_one(sequence).await
    }

    async fn head(&self) -> Result<u64, ReadError> {
        self.inner.head().await
    }

    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        let Some(first) = after.checked_add(1) else { return Ok(None) };
        let subject = self.inner.connection.options().subject(org);
        self.inner.message(&serde_json::json!({ "seq": first, "next_by_subj": subject })).await
    }

    fn halted(&self) -> Option<Cause> {
        let why = self.inner.replaced.get()?;
        Some(Arc::new(ReadError::Replaced(why.clone())))
    }

    async fn copies(&self, sequence: u64) -> Result<Vec<Item>, ReadError> {
        self.inner.meet_gap(sequence);
        self.inner.copies(sequence).await
    }

    fn gaps(&self) -> Gaps {
        self.inner.gaps()
    }
}
