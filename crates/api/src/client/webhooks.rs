//! The calls about webhooks. Those that steer deliveries go to the node that delivers, as reads do.

use reqwest::Method;

use crate::{
    client::{Answer, Client, ClientError},
    nouns::webhooks::{
        Attempt, CreateWebhook, DeadLetter, ReplayWebhook, RotateWebhook, UpdateWebhook, Webhook,
    },
    words::list::{AsOfQuery, Page, PageQuery},
};

type Call<T> = Result<Answer<T>, ClientError>;

impl Client {
    /// Makes a webhook; its signing secret is in this answer and in no other.
    pub async fn create_webhook(&self, body: &CreateWebhook) -> Call<Webhook> {
        self.send(Method::POST, &["v1", "webhooks"], body).await
    }

    /// One page of the webhooks.
    pub async fn webhooks(&self, query: &PageQuery) -> Call<Page<Webhook>> {
        self.get(&["v1", "webhooks"], query).await
    }

    /// One webhook; from a node that delivers, with how that goes.
    pub async fn webhook(&self, id: &str) -> Call<Webhook> {
        self.get(&["v1", "webhooks", id], &AsOfQuery::default()).await
    }

    /// Changes a webhook.
    pub async fn update_webhook(&self, id: &str, body: &UpdateWebhook) -> Call<Webhook> {
        self.send(Method::PATCH, &["v1", "webhooks", id], body).await
    }

    /// Gives a webhook a new signing secret, which is in this answer and in no other.
    pub async fn rotate_webhook(&self, id: &str, body: &RotateWebhook) -> Call<Webhook> {
        self.send(Method::POST, &["v1", "webhooks", id, "rotate"], body).await
    }

    /// Ends a webhook for ever.
    pub async fn delete_webhook(&self, id: &str) -> Call<Webhook> {
        self.delete(&["v1", "webhooks", id]).await
    }

    /// One page of the messages that were given up, oldest first.
    pub async fn dead_letters(&self, id: &str, query: &PageQuery) -> Call<Page<DeadLetter>> {
        self.get(&["v1", "webhooks", id, "dead-letters"], query).await
    }

    /// Tries a dead letter once more; it leaves the list if it is accepted.
    pub async fn retry_dead_letter(&self, id: &str, message: &str) -> Call<Attempt> {
        self.post_empty(&["v1", "webhooks", id, "dead-letters", message, "retry"]).await
    }

    /// Sends the messages after a position, again or for the first time.
    pub async fn replay_webhook(&self, id: &str, body: &ReplayWebhook) -> Call<Webhook> {
        self.send(Method::POST, &["v1", "webhooks", id, "replay"], body).await
    }

    /// Sends a test message, once.
    pub async fn test_webhook(&self, id: &str) -> Call<Attempt> {
        self.post_empty(&["v1", "webhooks", id, "test"]).await
    }

    async fn post_empty<T: serde::de::DeserializeOwned>(&self, path: &[&str]) -> Call<T> {
        self.read(self.request(Method::POST, self.target(path)?)?).await
    }
}
