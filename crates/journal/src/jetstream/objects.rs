//! A bucket of the object store beside the journal's stream, for snapshots of views. Whole objects in, whole objects out.

use std::{error::Error as _, fmt, io::Cursor, time::Duration};

use async_nats::jetstream::{
    self,
    context::{CreateObjectStoreError, CreateStreamError, CreateStreamErrorKind},
    object_store,
    object_store::ObjectStore,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::{io::AsyncReadExt as _, time::timeout};

use crate::jetstream::{
    JetStreamJournal, NatsOptions,
    connection::{ApiError, patiently},
};

/// How long one object may take, or one question.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Why the stream of a bucket was not made, in the form in which refusals of other streams are read.
fn refusal(error: &CreateObjectStoreError) -> ApiError {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<CreateStreamError>());
    match cause.map(CreateStreamError::kind) {
        Some(CreateStreamErrorKind::JetStream(told)) => {
            ApiError::Refused { err_code: told.error_code().0, description: told.to_string() }
        }
        Some(CreateStreamErrorKind::TimedOut) => ApiError::TimedOut(String::new()),
        _ => ApiError::Other(error.to_string()),
    }
}

/// A bucket that is there.
#[derive(Clone)]
pub struct Bucket {
    store: ObjectStore,
    name: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a bucket does not give or take an object.
#[derive(Debug, thiserror::Error)]
#[error("the object store {bucket} {fault}")]
pub struct BucketError {
    /// Its name.
    pub bucket: String,
    /// What is wrong, in words.
    pub fault: String,
}

impl NatsOptions {
    /// The bucket of snapshots.
    pub fn snapshots_bucket(&self) -> String {
        format!("{}_SNAPSHOTS", self.stream)
    }
}

impl JetStreamJournal {
    /// The bucket of snapshots; makes none.
    pub async fn snapshots(&self) -> Result<Bucket, BucketError> {
        let name = self.inner.connection.options().snapshots_bucket();
        let context = jetstream::new(self.inner.connection.client().clone());
        let store = within(&name, context.get_object_store(&name)).await.map_err(|mut error| {
            error.fault = format!(
                "cannot be used ({}); an operator makes it with `grantbook nats prepare`",
                error.fault
            );
            error
        })?;
        Ok(Bucket { store, name })
    }

    /// Makes the bucket of snapshots on as many servers as keep the journal, or finds that it is there.
    pub(super) async fn prepare_snapshots(&self) -> Result<(), BucketError> {
        let connection = &self.inner.connection;
        let name = connection.options().snapshots_bucket();
        let failed = |fault: String| BucketError { bucket: name.clone(), fault };
        let info = patiently(|| super::stream::info(connection)).await;
        let info = info.map_err(|error| failed(error.to_string()))?;
        let replicas = info.map_or(1, |info| info.replicas());
        let context = jetstream::new(connection.client().clone());
        if context.get_object_store(&name).await.is_ok() {
            return Ok(());
        }
        let config = object_store::Config {
            bucket: name.clone(),
            description: Some("Snapshots of Grantbook's views, signed.".to_owned()),
            num_replicas: usize::try_from(replicas).unwrap_or(1),
            ..object_store::Config::default()
        };
        let create = || async {
            let made = context.create_object_store(config.clone()).await;
            made.map(drop).map_err(|error| refusal(&error))
        };
        patiently(create).await.map_err(|error| failed(format!("fails: {error}")))
    }
}

impl Bucket {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all objects.
    pub async fn list(&self) -> Result<Vec<String>, BucketError> {
        let list = within(&self.name, self.store.list()).await?;
        let names = list.map(|info| info.map(|info| info.name)).boxed().try_collect();
        within(&self.name, names).await
    }

    /// Keeps an object.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), BucketError> {
        let mut reader = Cursor::new(bytes);
        within(&self.name, self.store.put(name, &mut reader)).await.map(drop)
    }

    /// Gives an object, whole; of one that is longer, `most` bytes and one more. The stored length is not trusted:
    /// anyone who can write to the bucket can set it.
    pub async fn get(&self, name: &str, most: u64) -> Result<Bytes, BucketError> {
        let object = within(&self.name, self.store.get(name)).await?;
        let mut bytes = Vec::new();
        within(&self.name, object.take(most.saturating_add(1)).read_to_end(&mut bytes)).await?;
        Ok(bytes.into())
    }

    /// Removes an object.
    pub async fn remove(&self, name: &str) -> Result<(), BucketError> {
        within(&self.name, self.store.delete(name)).await
    }
}

/// The answer, if it comes in time.
async fn within<T, E: std::fmt::Display>(
    bucket: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, BucketError> {
    let fault = match timeout(TIMEOUT, asked).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => format!("fails: {error}"),
        Err(_) => format!("has not answered within {TIMEOUT:?}"),
    };
    Err(BucketError { bucket: bucket.to_owned(), fault })
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::context::CreateKeyValueErrorKind;

    use super::*;

    #[test]
    fn a_server_that_does_not_take_part_yet_is_told_from_other_causes() {
        let told =
            r#"{"code":400,"err_code":10005,"description":"no suitable peers for placement, peer offline"}"#;
        let told: jetstream::Error = serde_json::from_str(told).unwrap();
        let stream = CreateStreamError::new(CreateStreamErrorKind::JetStream(told));
        let bucket = CreateObjectStoreError::with_source(CreateKeyValueErrorKind::BucketCreate, stream);
        let ApiError::Refused { err_code, description } = refusal(&bucket) else { panic!("{bucket}") };
        assert_eq!(err_code, 10005);
        assert!(description.contains("peer offline"), "{description}");
        let other = CreateObjectStoreError::new(CreateKeyValueErrorKind::InvalidStoreName);
        assert!(matches!(refusal(&other), ApiError::Other(_)));
    }
}
