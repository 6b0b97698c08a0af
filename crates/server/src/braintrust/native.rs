//! Calls of the native API in this process, with the caller's key.

use std::{
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::Response,
};
use grantbook_api::words::header;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    braintrust::{body::set, denial::Denial},
    http::problem::Failure,
    schedule::workers,
    write::forwarded,
};

/// Longest answer that is read, in bytes: more than any page or batch has.
const ANSWER_MAX: usize = 16 << 20;
/// Longest answer that is read on the thread of the request, in bytes.
const SHORT: usize = 16 << 10;
/// Items of a page of a list that is read whole, and most items of such a list.
const PAGE: usize = 1000;
const ITEMS_MAX: usize = 20_000;

/// How often a change is worked out anew because others wrote in between.
const REVISIONS: usize = 8;

/// Why a longer list is refused.
const TOO_LONG: &str = "the list has more than 20,000 items: ask by name, or use the native API, which pages";

/// The native API without its outermost layer: the request that it serves was counted and logged already. It is an extension of
/// requests, as what every route has cannot hold the router of those routes.
#[derive(Debug, Clone)]
pub(crate) struct NativeRouter(pub(crate) Router);

/// The native API for one request of a foreign wire.
#[derive(Debug)]
pub(crate) struct Native {
    router: Router,
    key: HeaderValue,
    /// Who asks, from where.
    extensions: Extensions,
    seen: Mutex<Seen>,
}

/// Positions of answers.
#[derive(Debug, Default)]
struct Seen {
    /// The first since the start, or since a revision began.
    first: Option<HeaderValue>,
    last: Option<HeaderValue>,
}

impl Native {
    /// For a request with these extensions and headers. Of the extensions, those that say where it comes from are kept.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, Denial> {
        let NativeRouter(router) = extensions.get().cloned().ok_or_else(Failure::no_route)?;
        let mut keys = headers.get_all(AUTHORIZATION).iter();
        let key = match (keys.next(), keys.next()) {
            (Some(key), None) => key.clone(),
            (None, _) => return Err(Failure::no_credential().into()),
            (Some(_), Some(_)) => return Err(Failure::bad_credential().into()),
        };
        Ok(Self { router, key, extensions: forwarded::origin(extensions), seen: Mutex::default() })
    }

    /// The answer to a question. It holds everything that was acknowledged before the first question was asked, by whichever node:
    /// these clients read what they wrote at once, and know no positions.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Denial> {
        self.call(Method::GET, path, &Value::Null).await
    }

    /// The thing of this name in a native list, if the caller may see one.
    pub(crate) async fn named(&self, list: &str, name: &str) -> Result<Option<Value>, Denial> {
        let separator = if list.contains('?') { '&' } else { '?' };
        Ok(self.list(&format!("{list}{separator}name={}", encoded(name))).await?.pop())
    }

    /// The answer to a question that is posted.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Result<Value, Denial> {
        self.call(Method::POST, path, body).await
    }

    /// All items of a list, oldest first; refused if there are more than [`ITEMS_MAX`]. `path` may have a query.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Denial> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}{separator}limit={PAGE}{cursor}")).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(_) if items.len() >= ITEMS_MAX => return Err(Denial::invalid(TOO_LONG)),
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Carries out a command: what is there then, whether or not it was there before.
    pub(crate) async fn command(&self, method: Method, path: &str, body: &Value) -> Result<Value, Denial> {
        self.call(method, path, body).await
    }

    /// Carries out several commands as one: all or none. What each says, `null` if it changed nothing.
    pub(crate) async fn batch(&self, commands: Vec<Value>) -> Result<Vec<Value>, Denial> {
        self.batch_at(commands, None).await
    }

    /// Begins a change that depends on what is there. What is read from now on is what it is based on.
    pub(crate) fn revision(&self) -> Revision<'_> {
        *self.seen() = Seen::default();
        Revision { native: self, attempts: 0 }
    }

    async fn batch_at(
        &self,
        commands: Vec<Value>,
        if_position: Option<HeaderValue>,
    ) -> Result<Vec<Value>, Denial> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({"commands": commands});
        let mut answer = self.send((Method::POST, "/v1/batch"), &body, if_position).await?;
        let results = match answer.get_mut("results").map(Value::take) {
            Some(Value::Array(results)) => results,
            _ => Vec::new(),
        };
        Ok(results
            .into_iter()
            .map(|mut one| one.get_mut("body").map(Value::take).unwrap_or_default())
            .collect())
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, Denial> {
        self.send((method, path), body, None).await
    }

    async fn send(
        &self,
        (method, path): (Method, &str),
        body: &Value,
        if_position: Option<HeaderValue>,
    ) -> Result<Value, Denial> {
        let content = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = Request::new(content);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Failure::invalid("a name or an id is too long"))?;
        *request.extensions_mut() = self.extensions.clone();
        let at_least = self.seen().last.clone().unwrap_or(HeaderValue::from_static(header::LATEST));
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.key.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static(header::AT_LEAST), at_least);
        if let Some(position) = if_position {
            headers.insert(HeaderName::from_static(header::IF_POSITION), position);
        }
        let Ok(mut response) = self.router.clone().oneshot(request).await;
        if let Some(position) = response.headers_mut().remove(header::POSITION) {
            let mut seen = self.seen();
            seen.first.get_or_insert_with(|| position.clone());
            seen.last = Some(position);
        }
        if let Some(failure) = response.extensions_mut().remove::<Failure>() {
            return Err(failure.into());
        }
        let status = response.status();
        let bytes = to_bytes(response.into_body(), ANSWER_MAX).await;
        let bytes = bytes.map_err(|error| Failure::internal(&error))?;
        let body = read(bytes).await?;
        if status.is_success() { Ok(body) } else { Err(Denial::forwarded(status, &body)) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer, with the position of the last native one.
    pub(crate) fn at_position(&self, mut response: Response) -> Response {
        if let Some(position) = self.seen().last.take() {
            response.headers_mut().insert(header::POSITION, position);
        }
        response
    }
}

/// A change that depends on what is there: read, worked out and carried out in a loop, until nobody wrote in between. So what others
/// change at the same time is not lost.
#[derive(Debug)]
pub(crate) struct Revision<'a> {
    native: &'a Native,
    attempts: usize,
}

impl Revision<'_> {
    /// Carries out commands if the organization has not changed since the first thing that was read; else nothing, and it is time to
    /// read anew.
    pub(crate) async fn carried_out(&mut self, commands: Vec<Value>) -> Result<Option<Vec<Value>>, Denial> {
        let position = self.native.seen().first.clone();
        match self.native.batch_at(commands, position).await {
            Err(denial) if denial.is_moved() && self.attempts < REVISIONS => {
                self.attempts += 1;
                *self.native.seen() = Seen::default();
                Ok(None)
            }
            Err(denial) if denial.is_moved() => {
                let text = "others change the organization all the time: come again";
                Err(Failure::unavailable("contended", text).into())
            }
            outcome => outcome.map(Some),
        }
    }
}

/// A command of a native batch.
pub(crate) fn write(method: &str, path: impl Into<String>, body: Value) -> Value {
    let mut command = json!({"method": method, "path": path.into()});
    set(&mut command, "body", body);
    command
}

/// The JSON of an answer; a long one is read on a thread that may take its time.
async fn read(bytes: Bytes) -> Result<Value, Failure> {
    let read = if bytes.len() <= SHORT {
        serde_json::from_slice(&bytes)
    } else {
        let reading = workers::spawn(move || serde_json::from_slice(&bytes));
        reading.await.map_err(|error| Failure::internal(&error))?
    };
    read.map_err(|error| Failure::internal(&error))
}

/// A text as a segment of a path, or a value in a query (RFC 3986, section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_unreserved_is_encoded() {
        assert_eq!(encoded("a-b._~9"), "a-b._~9");
        assert_eq!(encoded("a b/c?\u{e9}&"), "a%20b%2Fc%3F%C3%A9%26");
    }
}
