//! A typed client for the native API (feature `client`).
//!
//! Fails closed: a check yields `allowed` only if the server said so in an answer that was understood whole;
//! everything else is a [`ClientError`]. A program that cannot get an answer must treat that as a denial.
//!
//! If the process has chosen no TLS provider for rustls, the first client makes `ring` the default.

mod calls;
mod error;
mod in_process;
mod lines;
mod report;
mod watch;
mod webhooks;
#[cfg(test)]
mod wire_test;

use std::{fmt, time::Duration};

use reqwest::{
    Method, RequestBuilder, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    error::ClientError,
    in_process::InProcess,
    lines::Lines,
    report::ReportStream,
    watch::{Watch, WatchMessage, Watched},
};
use crate::{
    questions::plan::Plan,
    words::{header, list::Page, posted, problem::Problem, secret::Secret},
};

/// The query parameter that turns a write into a plan; see [`crate::words::list::DryRunQuery`].
const DRY_RUN: &str = "dry_run";
/// How long to wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for a whole answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Talks to one server with one key. Cheap to clone; `Debug` hides the key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Where writes go, if not there.
    command_base: Option<Url>,
    key: Option<Secret>,
    options: Options,
    /// The server, if it is in this process.
    server: Option<InProcess>,
}

/// What accompanies every request of a client; see [`Client::with`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Of writes: the request id under which a repetition is recognised for ever. One write each.
    pub idempotency_key: Option<String>,
    /// Of writes and plans: refuse if the organization's head is at another position.
    pub if_position: Option<String>,
    /// Of writes: why.
    pub reason: Option<String>,
    /// Of writes: the server writes nothing and plans the write. The outcome is [`ClientError::DryRun`], with the plan.
    pub dry_run: bool,
    /// Of reads: wait until the node has reached this position; [`header::LATEST`]: the journal's head.
    pub at_least: Option<String>,
    /// Of reads: the answer as it was at this position or time. There are no writes then.
    pub as_of: Option<String>,
}

/// An answer with what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The body.
    pub value: T,
    /// The HTTP status: 201 for what was made, 200 for what was so already.
    pub status: u16,
    /// The position at which it holds; for a write, that of its record.
    pub position: Option<String>,
    /// Whether it repeats the answer to an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
}

impl Client {
    /// A client for the server at `base`, such as `http://127.0.0.1:7878`, with the text of a key.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`], or [`ClientError::Transport`] if TLS cannot be set up.
    pub fn new(base: &str, key: Option<Secret>) -> Result<Self, ClientError> {
        let base = parse_base(base)?;
        // Reqwest panics without one. An error here means that another provider is the default: just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // Of answers that come bit by bit, which have no other limit.
            .read_timeout(ANSWER_TIMEOUT)
            // A redirect would take the key to a server that nobody named.
            .redirect(Policy::none())
            .user_agent(concat!("grantbook/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // Without this the system's certificates are read, and their absence is an error, even for plain HTTP.
            http = http.tls_certs_only([]);
        }
        if base.host_str().is_some_and(is_loopback) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build()?,
            base,
            command_base: None,
            key,
            options: Options::default(),
            server: None,
        })
    }

    /// The same client, whose requests carry these options.
    #[must_use]
    pub fn with(&self, options: Options) -> Self {
        Self { options, ..self.clone() }
    }

    /// The same client, whose writes go to the command service at `base`.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`].
    pub fn writing_to(&self, base: &str) -> Result<Self, ClientError> {
        Ok(Self { command_base: Some(parse_base(base)?), ..self.clone() })
    }

    /// The options that its requests carry.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// One page of the list at `path`.
    pub async fn page<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<Answer<Page<T>>, ClientError> {
        self.read(self.request(Method::GET, self.url(path, Some(query))?)?).await
    }

    /// All pages of the list at `path`, following their cursors.
    pub async fn every<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<Vec<T>, ClientError> {
        let mut url = self.url(path, Some(query))?;
        let mut items = Vec::new();
        loop {
            let answer: Answer<Page<T>> = self.read(self.request(Method::GET, url.clone())?).await?;
            items.extend(answer.value.items);
            let Some(next) = answer.value.next else { return Ok(items) };
            url = self.url(path, Some(query))?;
            url.query_pairs_mut().append_pair("cursor", &next);
        }
    }

    /// One answer of any shape: for calls that have no method of their own, also of other servers.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        self.read(self.request(Method::GET, self.url(path, Some(query))?)?).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        self.send_to(method, self.target(path)?, body).await
    }

    async fn send_to<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        let request = self.request(method, url)?;
        let bytes = serde_json::to_vec(body).map_err(ClientError::Malformed)?;
        let json = HeaderValue::from_static("application/json");
        self.read_or_plan(request.header(CONTENT_TYPE, json).body(bytes)).await
    }

    async fn delete<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Answer<T>, ClientError> {
        self.read_or_plan(self.request(Method::DELETE, self.target(path)?)?).await
    }

    async fn delete_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        let url = self.target_with(path, query)?;
        self.read_or_plan(self.request(Method::DELETE, url)?).await
    }

    async fn patch_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
        body: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        self.send_to(Method::PATCH, self.target_with(path, query)?, body).await
    }

    fn target_with(&self, path: &[&str], query: &impl Serialize) -> Result<Url, ClientError> {
        let mut url = self.target(path)?;
        let pairs = query_pairs(query)?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    /// Where something with a body goes: questions that are posted to where reads go, all else to where writes go.
    fn target(&self, path: &[&str]) -> Result<Url, ClientError> {
        let is_read = posted::is_question(path) || posted::is_action(path);
        let Some(base) = self.command_base.as_ref().filter(|_| !is_read) else {
            return self.url(path, None::<&()>);
        };
        Self { base: base.clone(), ..self.clone() }.url(path, None::<&()>)
    }

    /// Segments are encoded one by one, so that no id can climb out of its place in the path.
    fn url(&self, path: &[&str], query: Option<&impl Serialize>) -> Result<Url, ClientError> {
        if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(ClientError::BadId);
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let pairs = query.map(query_pairs).transpose()?.unwrap_or_default();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    fn request(&self, method: Method, mut url: Url) -> Result<RequestBuilder, ClientError> {
        let reading = method == Method::GET || is_question(&url);
        if let Some(as_of) = &self.options.as_of {
            if !reading {
                return Err(ClientError::WriteAsOf);
            }
            if !url.query_pairs().any(|(name, _)| name == "as_of") {
                url.query_pairs_mut().append_pair("as_of", as_of);
            }
        }
        if self.options.dry_run && method != Method::GET && !asks(&url) {
            url.query_pairs_mut().append_pair(DRY_RUN, "true");
        }
        let mut request = self.http.request(method, url).header(ACCEPT, "application/json");
        if let Some(key) = &self.key {
            let mut value = header_value("authorization", &format!("Bearer {}", key.expose()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let Options { idempotency_key, if_position, reason, at_least, dry_run: _, as_of: _ } = &self.options;
        let extra = if reading {
            [(header::AT_LEAST, at_least), (header::REASON, &None), (header::IF_POSITION, &None)]
        } else {
            [
                (header::IDEMPOTENCY_KEY, idempotency_key),
                (header::REASON, reason),
                (header::IF_POSITION, if_position),
            ]
        };
        for (name, text) in extra {
            if let Some(text) = text {
                request = request.header(name, header_value(name, text)?);
            }
        }
        Ok(request)
    }

    /// The answer. If the write was only planned, this is [`ClientError::DryRun`], as there is no answer of the type asked for.
    async fn read_or_plan<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Answer<T>, ClientError> {
        let request = request.build()?;
        let is_tried = request.url().query_pairs().any(|(name, _)| name == DRY_RUN);
        let request = RequestBuilder::from_parts(self.http.clone(), request);
        if !is_tried {
            return self.read(request).await;
        }
        let plan: Answer<Plan> = self.read(request).await?;
        Err(ClientError::DryRun(Box::new(plan.value)))
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Answer<T>, ClientError> {
        let response = self.execute(request).await?;
        let status = response.status().as_u16();
        let position = header_text(&response, header::POSITION);
        let replayed = header_text(&response, header::IDEMPOTENCY_REPLAYED).as_deref() == Some("true");
        let response = successful(response).await?;
        let body = response.bytes().await?;
        let value = serde_json::from_slice(&body).map_err(ClientError::Malformed)?;
        Ok(Answer { value, status, position, replayed })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("key", &self.key)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The answer, unless it says that there is none.
async fn successful(response: Response) -> Result<Response, ClientError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    Err(match serde_json::from_slice::<Problem>(&response.bytes().await?) {
        Ok(problem) => ClientError::Problem(Box::new(problem)),
        Err(_) => ClientError::Unexpected { status },
    })
}

fn parse_base(text: &str) -> Result<Url, ClientError> {
    let url = Url::parse(text).map_err(|_| ClientError::BadUrl)?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && plain && url.username().is_empty() {
        Ok(url)
    } else {
        Err(ClientError::BadUrl)
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// Checks are POSTs that write nothing.
fn is_question(url: &Url) -> bool {
    posted::QUESTIONS.iter().any(|path| url.path().ends_with(path))
}

/// Whether what is posted there is a question. The actions of a node are none: they have no plan, and the server refuses a dry run of
/// them.
fn asks(url: &Url) -> bool {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let path = segments.iter().position(|segment| *segment == "v1").and_then(|start| segments.get(start..));
    let path = path.unwrap_or_default();
    path == ["v1", "plan"] || posted::is_question(path)
}

fn query_pairs(query: &impl Serialize) -> Result<Vec<(String, String)>, ClientError> {
    let Value::Object(members) = serde_json::to_value(query).map_err(ClientError::Malformed)? else {
        return Ok(Vec::new());
    };
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    };
    Ok(members.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
}

/// From bytes, because a reason may be any UTF-8 text of one line.
fn header_value(name: &'static str, text: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| ClientError::BadHeader { name })
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new("http://127.0.0.1:1/base/", Some(Secret::new("gb_st_secret"))).unwrap()
    }

    #[test]
    fn debug_hides_the_key() {
        assert!(!format!("{:?}", client()).contains("gb_st_secret"));
    }

    #[test]
    fn ids_cannot_leave_their_place_in_the_path() {
        let url = client().url(&["v1", "objects", "dataset", "a/../b?c#d"], None::<&()>).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/base/v1/objects/dataset/a%2F..%2Fb%3Fc%23d");
        for segment in ["", ".", ".."] {
            assert!(matches!(client().url(&["v1", segment], None::<&()>), Err(ClientError::BadId)));
        }
    }

    #[test]
    fn only_plain_http_urls_are_bases() {
        for base in
            ["127.0.0.1:7878", "ftp://host", "http://u:p@host", "http://host?x=1", "http://host#x", ""]
        {
            assert!(matches!(Client::new(base, None), Err(ClientError::BadUrl)), "{base}");
        }
    }

    #[test]
    fn absent_members_of_a_query_are_left_out() {
        let query =
            crate::words::list::ListQuery { name: Some("a b".into()), limit: Some(2), ..Default::default() };
        let url = client().url(&["v1", "groups"], Some(&query)).unwrap();
        let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
        pairs.sort();
        assert_eq!(pairs, [("limit".into(), "2".into()), ("name".into(), "a b".into())]);
    }

    #[test]
    fn questions_about_the_past_name_the_moment_once_and_writes_are_none() {
        let client = client().with(Options { as_of: Some("p+1".into()), ..Options::default() });
        let build = |method: Method, path: &[&str], query: Option<&crate::words::list::AsOfQuery>| {
            let request = client.request(method, client.url(path, query).unwrap())?;
            Ok(request.build().unwrap().url().query().map(str::to_owned))
        };
        let own = crate::words::list::AsOfQuery { as_of: Some("q".into()) };
        assert_eq!(build(Method::GET, &["v1", "groups"], None).unwrap().as_deref(), Some("as_of=p%2B1"));
        assert_eq!(build(Method::POST, &["v1", "check"], Some(&own)).unwrap().as_deref(), Some("as_of=q"));
        let write: Result<_, ClientError> = build(Method::POST, &["v1", "groups"], None);
        assert!(matches!(write, Err(ClientError::WriteAsOf)));
    }

    #[test]
    fn writes_carry_their_id_and_reason_and_questions_the_position() {
        let options = Options {
            idempotency_key: Some("r1".into()),
            if_position: Some("h".into()),
            reason: Some("caf\u{e9}".into()),
            at_least: Some("p".into()),
            dry_run: false,
            as_of: None,
        };
        let headers = |path: &[&str]| {
            let client = client().with(options.clone());
            let url = client.url(path, None::<&()>).unwrap();
            client.request(Method::POST, url).unwrap().build().unwrap().headers().clone()
        };
        let write = headers(&["v1", "groups"]);
        assert_eq!(write[header::IDEMPOTENCY_KEY], "r1");
        assert_eq!(write[header::REASON].as_bytes(), "caf\u{e9}".as_bytes());
        assert_eq!(write[header::IF_POSITION], "h");
        assert!(!write.contains_key(header::AT_LEAST));
        assert!(write[AUTHORIZATION].is_sensitive());
        let check = headers(&["v1", "check"]);
        assert_eq!(check[header::AT_LEAST], "p");
        assert!(!check.contains_key(header::IDEMPOTENCY_KEY));
    }

    #[test]
    fn only_writes_are_tried() {
        let client = client().with(Options { dry_run: true, ..Options::default() });
        let query = |method: Method, path: &[&str]| {
            let request = client.request(method, client.url(path, None::<&()>).unwrap()).unwrap();
            request.build().unwrap().url().query().map(str::to_owned)
        };
        for (method, path) in [
            (Method::POST, &["v1", "groups"][..]),
            (Method::PATCH, &["v1", "projects", "p"]),
            (Method::DELETE, &["v1", "keys", "k"]),
            (Method::POST, &["v1", "batch"]),
            // It has no plan, and must not be done.
            (Method::POST, &["v1", "webhooks", "w", "test"]),
        ] {
            assert_eq!(query(method, path).as_deref(), Some("dry_run=true"), "{path:?}");
        }
        for path in [&["v1", "check"][..], &["v1", "plan"]] {
            assert_eq!(query(Method::POST, path), None, "{path:?}");
        }
        assert_eq!(query(Method::GET, &["v1", "groups"]), None);
    }
}
