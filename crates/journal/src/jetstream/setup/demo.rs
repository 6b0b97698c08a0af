//! The stream of `grantbook demo`: the only kind of journal that is ever deleted.

use serde_json::{Value, json};

use crate::jetstream::{
    JetStreamError, JetStreamJournal, NatsOptions,
    connection::{ApiError, Connection, patiently},
    stream,
};

/// How the name of every demo's stream begins.
const NAME_START: &str = "GRANTBOOK_DEMO_";
/// How its subjects begin.
const PREFIX_START: &str = "grantbook-demo-";

impl NatsOptions {
    /// The same servers and credentials, with a stream and subjects that nobody else uses. `id` has letters, digits, `-`
    /// and `_` only.
    pub fn for_demo(self, id: &str) -> Self {
        Self { stream: format!("{NAME_START}{id}"), prefix: format!("{PREFIX_START}{id}"), ..self }
    }
}

impl JetStreamJournal {
    /// Deletes the stream of a demo. Does nothing if there is no such stream; refuses streams with any other name.
    pub async fn delete_demo(options: &NatsOptions) -> Result<(), JetStreamError> {
        if !options.stream.starts_with(NAME_START) {
            return Err(JetStreamError::NotOfDemo { stream: options.stream.clone() });
        }
        let connection = Connection::open(options).await?;
        let nothing = json!({});
        match patiently(|| connection.api::<Value>("STREAM.DELETE", &nothing)).await {
            Ok(_) | Err(ApiError::Refused { err_code: stream::NO_STREAM, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_stream_but_a_demos_is_deleted() {
        // Nobody listens there: a stream with another name is refused before anything is asked.
        let options = NatsOptions::new(vec!["nats://127.0.0.1:1".to_owned()]);
        let refused = JetStreamJournal::delete_demo(&options).await;
        assert!(matches!(refused, Err(JetStreamError::NotOfDemo { .. })), "{refused:?}");
        assert!(options.for_demo("x").validate().is_ok());
    }
}
