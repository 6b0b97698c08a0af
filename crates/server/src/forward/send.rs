//! Sends a request to the command service, once, and hands its answer back.

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Uri,
        header::{
            ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, PROXY_AUTHENTICATE, TE, TRAILER,
            TRANSFER_ENCODING, UPGRADE,
        },
    },
    response::Response,
};
use grantbook_api::words::header;
use grantbook_domain::{id::OrgId, position::Position};
use reqwest::{Client, Url, redirect::Policy, retry};

use crate::{
    forward::{
        acknowledged::Acknowledged,
        places::{ForwardPlace, HoldingBody, Places},
    },
    http::{client_address::X_FORWARDED_FOR, metric_text::family, path},
};

/// How long to wait for a connection to the command service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for a whole answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection rests before this side closes it: shorter than the other side's ten seconds, so that a request seldom
/// meets a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most requests that are passed on at once.
pub(crate) const FORWARDED_MAX: usize = 1024;
/// How many more that end something: taking access away has places of its own.
pub(crate) const TAKING_MAX: usize = 128;

/// The headers of a request that are passed on. All others are between the client and this node.
const PASSED_ON: [HeaderName; 6] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    ACCEPT,
    HeaderName::from_static(header::IDEMPOTENCY_KEY),
    HeaderName::from_static(header::REASON),
    HeaderName::from_static(header::IF_POSITION),
];

/// The headers of an answer that are between the command service and this node (RFC 9110, section 7.6.1), and the one that
/// every node writes itself.
const KEPT_BACK: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static(header::REQUEST_ID),
];

/// The base URL of another server, such as `http://command:7878`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// A text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST[:PORT] or https://HOST[:PORT], without user, query and fragment")]
pub struct BadBaseUrl;

impl FromStr for BaseUrl {
    type Err = BadBaseUrl;

    fn from_str(text: &str) -> Result<Self, BadBaseUrl> {
        let url = Url::parse(text).map_err(|_| BadBaseUrl)?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
        let is_base = matches!(url.scheme(), "http" | "https") && is_plain && url.username().is_empty();
        if is_base { Ok(Self(url)) } else { Err(BadBaseUrl) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ForwardError(#[from] reqwest::Error);

/// A request to pass on.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// As the client sent them.
    pub(crate) headers: &'a HeaderMap,
    /// The id under which both processes log the request.
    pub(crate) request_id: &'a str,
    /// Whom it is from.
    pub(crate) client: Option<IpAddr>,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Nothing was sent, because there is no connection.
    NotSent,
    /// The request was sent, or part of it: nobody knows what became of it.
    Unknown,
    /// The path would be another one in a URL: it has a segment `.` or `..`.
    Unsendable,
}

/// How passing on went, for the metrics.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Answered,
    NotSent,
    Unknown,
    Overloaded,
}

/// Passes requests on to one command service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Forwarder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    http: Client,
    base: BaseUrl,
    /// What this node is called: the value of [`header::FORWARDED`].
    node: HeaderValue,
    places: Places,
    acknowledged: Acknowledged,
    outcomes: [AtomicU64; 4],
}

impl Forwarder {
    /// To this command service, from a node of this name.
    pub(crate) fn new(base: &BaseUrl, node: &str) -> Result<Self, ForwardError> {
        let node = HeaderValue::from_str(node).unwrap_or_else(|_| HeaderValue::from_static("node"));
        let shared = Shared {
            http: client(base)?,
            base: base.clone(),
            node,
            places: Places::default(),
            acknowledged: Acknowledged::default(),
            outcomes: Default::default(),
        };
        Ok(Self(Arc::new(shared)))
    }

    /// A place among the requests that are passed on, if there is one.
    pub(crate) fn enter(&self, method: &Method) -> Option<ForwardPlace> {
        let limit = if method == Method::DELETE { FORWARDED_MAX + TAKING_MAX } else { FORWARDED_MAX };
        let place = self.0.places.enter(limit);
        if place.is_none() {
            self.count(Outcome::Overloaded);
        }
        place
    }

    /// Sends the request once. The answer holds the place until it is written out.
    pub(crate) async fn send(
        &self,
        request: Outgoing<'_>,
        place: ForwardPlace,
    ) -> Result<Response, Undelivered> {
        let url = self.target(request.uri).ok_or(Undelivered::Unsendable)?;
        let mut sent = self.0.http.request(request.method.clone(), url).headers(self.headers(&request));
        if !request.body.is_empty() {
            sent = sent.body(request.body);
        }
        let answer = sent.send().await.map_err(|error| {
            tracing::warn!(request.id = request.request_id, error = %Causes(&error), "a request was not answered by the command service");
            let (outcome, undelivered) = if error.is_connect() {
                (Outcome::NotSent, Undelivered::NotSent)
            } else {
                (Outcome::Unknown, Undelivered::Unknown)
            };
            self.count(outcome);
            undelivered
        })?;
        self.count(Outcome::Answered);
        let (mut parts, body) = axum::http::Response::<reqwest::Body>::from(answer).into_parts();
        end_to_end(&mut parts.headers);
        parts.extensions.clear();
        Ok(Response::from_parts(parts, Body::new(HoldingBody::new(Body::new(body), place))))
    }

    fn count(&self, outcome: Outcome) {
        if let Some(count) = self.0.outcomes.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same path and query below the base, unless URLs take its segments for steps up.
    fn target(&self, uri: &Uri) -> Option<Url> {
        let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
        let url = Url::parse(&format!("{}{whole}", self.0.base)).ok()?;
        let base = self.0.base.0.path().trim_end_matches('/');
        let below = path::segments(url.path().strip_prefix(base)?);
        (below.is_some() && below == path::segments(uri.path())).then_some(url)
    }

    fn headers(&self, request: &Outgoing<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in PASSED_ON {
            for value in request.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        headers.insert(header::FORWARDED, self.0.node.clone());
        if let Ok(id) = HeaderValue::from_str(request.request_id) {
            headers.insert(header::REQUEST_ID, id);
        }
        if let Some(Ok(client)) = request.client.map(|client| HeaderValue::from_str(&client.to_string())) {
            headers.insert(X_FORWARDED_FOR, client);
        }
        headers
    }

    /// Keeps the position of an answer; see [`Forwarder::acknowledged`].
    pub(crate) fn note(&self, org: Option<OrgId>, position: Position, reached: u64) {
        self.0.acknowledged.note(org, position, reached);
    }

    /// What a read of the organization waits for, if the view has come as far as the sequence `reached`.
    pub(crate) fn acknowledged(&self, org: OrgId, reached: u64) -> Position {
        self.0.acknowledged.of(org, reached)
    }

    /// The Prometheus text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        let outcomes = ["answered", "not_sent", "unknown", "overloaded"];
        family(
            &mut text,
            "grantbook_forwarded_total",
            "Requests passed on to the command service, by outcome.",
            "outcome",
            outcomes.iter().zip(&self.0.outcomes),
        );
        text
    }
}

/// A client that sends each request once.
pub(super) fn client(base: &BaseUrl) -> Result<Client, ForwardError> {
    // Reqwest panics without one. An error here means that another provider is the default: just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut http = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only()
        // A redirect would take the key to a server that nobody named.
        .redirect(Policy::none())
        // Who sent the request to this node repeats it.
        .retry(retry::never())
        .no_proxy()
        .user_agent(concat!("grantbook/", env!("CARGO_PKG_VERSION")));
    if base.0.scheme() == "http" {
        // Without this the system's certificates are read, and their absence is an error, even for plain HTTP.
        http = http.tls_certs_only([]);
    }
    Ok(http.build()?)
}

/// Takes away what is between the command service and this node.
fn end_to_end(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let named =
        named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let named: Vec<HeaderName> = named.chain(KEPT_BACK).collect();
    for name in named {
        headers.remove(name);
    }
}

/// An error with what caused it, in one line. Reqwest's own text names the URL, which holds no secret.
pub(super) struct Causes<'a>(pub(super) &'a reqwest::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarder(base: &str) -> Forwarder {
        Forwarder::new(&base.parse().unwrap(), "eu-1").unwrap()
    }

    #[test]
    fn only_a_plain_base_is_a_command_url() {
        for (text, shown) in
            [("http://command:7878", "http://command:7878"), ("https://h/below/", "https://h/below")]
        {
            assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), shown);
        }
        for text in ["", "command:7878", "ftp://h", "http://u@h", "http://u:p@h", "http://h?x", "http://h#x"]
        {
            assert_eq!(text.parse::<BaseUrl>(), Err(BadBaseUrl), "{text}");
        }
    }

    #[test]
    fn a_request_keeps_its_path_or_is_not_passed_on() {
        let target = |base: &str, uri: &str| {
            forwarder(base).target(&uri.parse().unwrap()).map(|url| url.as_str().to_owned())
        };
        for (base, uri, expected) in [
            ("http://c:1", "/v1/tokens", Some("http://c:1/v1/tokens")),
            ("http://c:1/", "/v1/objects/t/a%2Fb?project=p", Some("http://c:1/v1/objects/t/a%2Fb?project=p")),
            ("http://c:1/below/", "/v1/tokens?x=%00", Some("http://c:1/below/v1/tokens?x=%00")),
            ("http://c:1", "/v1/objects/t/%2E%2E", None),
            ("http://c:1", "/v1/tokens/../batch", None),
            ("http://c:1", "/v1/tokens/./keys", None),
            ("http://c:1/below", "/../v1/tokens", None),
        ] {
            assert_eq!(target(base, uri).as_deref(), expected, "{base} {uri}");
        }
    }

    #[test]
    fn what_concerns_the_command_service_is_passed_on_and_nothing_else() {
        let mut given = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("idempotency-key", "i"),
            ("idempotency-key", "j"),
            ("grantbook-reason", "why"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("cookie", "c"),
            ("x-request-id", "of the client"),
            ("grantbook-at-least", "p"),
            ("connection", "authorization"),
        ] {
            given.append(name, value.parse().unwrap());
        }
        let client = Some("203.0.113.7".parse().unwrap());
        let (method, uri) = (&Method::POST, &Uri::from_static("/v1/tokens"));
        let request = Outgoing { method, uri, headers: &given, request_id: "r", client, body: Bytes::new() };
        let sent = forwarder("http://c").headers(&request);
        let mut lines: Vec<_> =
            sent.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "authorization: Bearer k",
                "grantbook-forwarded: eu-1",
                "grantbook-reason: why",
                "idempotency-key: i",
                "idempotency-key: j",
                "x-forwarded-for: 203.0.113.7",
                "x-request-id: r",
            ]
        );
    }

    #[test]
    fn an_answer_loses_what_is_between_two_processes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-request-id", "theirs"),
            ("grantbook-position", "p"),
            ("content-type", "application/json"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        end_to_end(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "grantbook-position"]);
    }
}
