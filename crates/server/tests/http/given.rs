//! A whole server but its sockets, on a directory of its own, and requests to it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use grantbook_journal::{follow::open::JournalAddress, stamp::clock::Clock};
use grantbook_server::{
    admin::init::{InitOptions, create_org, init},
    app::{App, config::ServeConfig},
    endpoints,
    state::AppState,
    subscribe::webhooks::{Schedule, WebhookKey, WebhookOptions},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// An organization with its owner, and the router over it.
pub(crate) struct Given {
    router: Router,
    pub(crate) app: App,
    pub(crate) owner_key: String,
    pub(crate) owner: String,
    pub(crate) org: String,
    names: AtomicU64,
    _data: TempDir,
}

/// An answer taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> String {
        self.text_of("id")
    }

    pub(crate) fn text_of(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.body)).to_owned()
    }

    /// The status and the code, for comparing with what was expected.
    pub(crate) fn told(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or(""))
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Given {
    pub(crate) async fn new() -> Self {
        Self::beside(None).await.0
    }

    /// The same, on a node that makes and delivers webhooks.
    pub(crate) async fn with_webhooks() -> Self {
        Self::delivering(None).await.0
    }

    /// The same, and the key of an owner of another organization.
    pub(crate) async fn with_webhooks_and_stranger() -> (Self, String) {
        let (given, key) = Self::delivering(Some("zenith")).await;
        (given, key.unwrap())
    }

    async fn delivering(other: Option<&str>) -> (Self, Option<String>) {
        let keys = TempDir::new().unwrap();
        let key_file = keys.path().join("webhooks.key");
        WebhookKey::create(&key_file).unwrap();
        let webhooks = Some(WebhookOptions { key_file, allow: Vec::new(), schedule: Schedule::default() });
        Self::configured(other, webhooks).await
    }

    /// An organization, and the key of an owner of another one in the same journal.
    pub(crate) async fn with_stranger() -> (Self, String) {
        let (given, key) = Self::beside(Some("zenith")).await;
        (given, key.unwrap())
    }

    async fn beside(other: Option<&str>) -> (Self, Option<String>) {
        Self::configured(other, None).await
    }

    async fn configured(other: Option<&str>, webhooks: Option<WebhookOptions>) -> (Self, Option<String>) {
        let data = TempDir::new().unwrap();
        let options = |org: &str, owner_email: &str| InitOptions {
            journal: JournalAddress::Embedded(data.path().to_owned()),
            data: data.path().to_owned(),
            replicas: None,
            journal_only: false,
            org: org.into(),
            owner_email: owner_email.into(),
        };
        let founded = init(options("acme", "ada@example.com")).await.unwrap();
        let stranger = match other {
            Some(org) => Some(create_org(options(org, "eve@example.com")).await.unwrap().key),
            None => None,
        };
        let journal = JournalAddress::Embedded(data.path().to_owned());
        let config =
            ServeConfig { journal, data: data.path().to_owned(), webhooks, ..ServeConfig::default() };
        let app = App::build(&config).await.unwrap();
        let given = Self {
            router: endpoints::router(app.state()),
            app,
            owner_key: founded.key,
            owner: founded.user_id,
            org: founded.organization_id,
            names: AtomicU64::new(0),
            _data: data,
        };
        (given, stranger)
    }

    /// For requests that are to be under way at once.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Any request.
    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // A watch has no end.
        let is_watch = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if is_watch { Body::empty() } else { body };
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body, text };
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    /// A request with a key, headers besides, and a body unless it is null.
    pub(crate) async fn send(
        &self,
        key: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", "application/json").body(Body::from(body.to_string()))
        };
        self.request(request.unwrap()).await
    }

    /// By the owner.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&self.owner_key, ("GET", path), &[], &Value::Null).await
    }

    /// By the owner, on a clock that is set ahead, which the command side does not see: no notice is there.
    pub(crate) async fn get_later(&self, path: &str, millis: i64) -> Value {
        let state = self.app.state();
        let (clock, hand) = Clock::settable(state.clock.now());
        hand.advance_ms(millis);
        let router = endpoints::router(AppState { clock, ..state });
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.owner_key));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    }

    /// By the owner.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(&self.owner_key, ("POST", path), &[], &body).await
    }

    /// By the owner.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(&self.owner_key, ("PATCH", path), &[], &body).await
    }

    /// By the owner.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(&self.owner_key, ("DELETE", path), &[], &Value::Null).await
    }

    /// A name that nothing has yet.
    pub(crate) fn name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The id of something made by the owner.
    pub(crate) async fn made(&self, path: &str, body: Value) -> String {
        self.post(path, body).await.expect(201).id()
    }

    pub(crate) async fn project(&self, env: &str) -> String {
        self.made("/v1/projects", json!({"name": self.name("project"), "labels": {"env": env}})).await
    }

    pub(crate) async fn group(&self) -> String {
        self.made("/v1/groups", json!({"name": self.name("group")})).await
    }

    /// A service token and the secret of a key of it.
    pub(crate) async fn token(&self) -> (String, String) {
        let id = self.made("/v1/tokens", json!({"name": self.name("token")})).await;
        let secret =
            self.post(&format!("/v1/tokens/{id}/keys"), json!({})).await.expect(201).text_of("secret");
        (id, secret)
    }

    pub(crate) async fn join(&self, group: &str, token: &str) {
        let body = json!({"member": {"type": "token", "id": token}});
        self.post(&format!("/v1/groups/{group}/members"), body).await.expect(201);
    }

    /// A service token with exactly one grant, and its key's secret.
    pub(crate) async fn token_with(&self, permissions: Value, on: Value) -> (String, String) {
        let (id, secret) = self.token().await;
        let body = json!({"to": {"type": "token", "id": id}, "permissions": permissions, "on": on});
        self.made("/v1/grants", body).await;
        (id, secret)
    }

    /// A check of a key by itself: allowed and reason.
    pub(crate) async fn check(&self, key: &str, permission: &str, project: &str) -> (bool, String) {
        let body = json!({"permission": permission, "object": {"type": "project", "id": project}});
        let answer = self.send(key, ("POST", "/v1/check"), &[], &body).await.expect(200);
        (answer.body["allowed"].as_bool().unwrap(), answer.text_of("reason"))
    }
}
