//! A form that came in.

use axum::{
    extract::{Form, FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
};

use crate::visit::{SENT_BEFORE, Stop};

/// The fields of a form or of a query, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field that was filled in, without the space around it.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.all(name).next()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The same, or nothing.
    pub(crate) fn or_empty(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// All fields of a name, such as boxes that were ticked.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The lines of a field that hold something.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = self.all(name).next().unwrap_or_default();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The fields for the page that shows a refusal. If the form was sent before, its request id is dropped, so that the page gets a new one.
    pub(crate) fn after(&self, wrong: Option<&str>) -> Self {
        if wrong == Some(SENT_BEFORE) { self.with("request", "") } else { self.clone() }
    }

    /// The same fields with another value of one.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut fields = vec![(name.to_owned(), value.to_owned())];
        fields.extend(self.0.iter().filter(|(known, _)| known != name).cloned());
        Self(fields)
    }

    pub(crate) fn is_ticked(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|ticked| ticked == value)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Stop;

    async fn from_request(request: Request, state: &S) -> Result<Self, Stop> {
        let read = Form::<Vec<(String, String)>>::from_request(request, state).await;
        let Form(fields) = read.map_err(|error| {
            Stop::failed(error.status(), "invalid", "the form cannot be read; it may be too long")
        })?;
        Ok(Self(fields))
    }
}

/// The fields of the query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(pub(crate) Fields);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Stop> {
        let read = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let malformed = |_| Stop::failed(StatusCode::BAD_REQUEST, "invalid", "the query cannot be read");
        let Query(fields) = read.map_err(malformed)?;
        Ok(Self(Fields(fields)))
    }
}
