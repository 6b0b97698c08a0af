//! Failures on this wire: a status that its clients know, and plain text.

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::http::problem::Failure;

/// One text for what does not exist, what the caller may not see, and what it may not do.
const FORBIDDEN: &str = "ForbiddenError: the key has no access to this, or there is no such thing";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    status: StatusCode,
    /// The code of the native API.
    code: String,
    text: String,
}

impl Denial {
    /// Something is missing in the request, or wrong.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "invalid".to_owned(), text: text.into() }
    }

    /// The caller may not do this, or there is no such thing.
    pub(crate) fn forbidden() -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "forbidden".to_owned(), text: FORBIDDEN.to_owned() }
    }

    /// It would drop what the words of this wire cannot say.
    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "conflict".to_owned(), text: text.into() }
    }

    /// What another process of the service answered.
    pub(crate) fn forwarded(status: StatusCode, problem: &Value) -> Self {
        let text = |member: &str| problem.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self::told(status, text("code"), text("detail"))
    }

    /// Whether a name is in use.
    pub(crate) fn is_name_taken(&self) -> bool {
        self.code == "name_taken"
    }

    /// Whether something was written since what the command was based on.
    pub(crate) fn is_moved(&self) -> bool {
        self.code == "moved"
    }

    /// Whether there is no such thing, or the caller may not.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    fn told(status: StatusCode, code: String, detail: String) -> Self {
        match status {
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Self { code, ..Self::forbidden() },
            StatusCode::UNAUTHORIZED => Self { status, code, text: format!("Invalid API key: {detail}") },
            // These clients know 400 for what is wrong with a request.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::CONFLICT => Self { status, code, text: detail },
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Self { status: StatusCode::BAD_REQUEST, code, text: detail }
            }
            status => Self { status, code, text: detail },
        }
    }
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        Self::told(failure.status(), failure.code().to_owned(), failure.detail().to_owned())
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(format!("{}\n", self.text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Repeating it changes nothing; one of these clients would, twice.
            StatusCode::CONFLICT => {
                let name = HeaderName::from_static("x-should-retry");
                headers.insert(name, HeaderValue::from_static("false"));
            }
            _ => {}
        }
        response
    }
}
