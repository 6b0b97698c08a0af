//! From a failure to the answer that tells it: the only place that knows HTTP's codes for what can go wrong.

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use grantbook_api::{
    strict,
    words::{header, problem as wire},
};
use grantbook_domain::{
    access::{check::Reason, rights::Needs},
    refusal::{Kind, Refusal},
};
use grantbook_views::ViewError;

use crate::http::head::{HEAD_MAX, TARGET_MAX};
use grantbook_command::SubmitError;
use grantbook_journal::follow::read_barrier::Unconfirmed;

/// Longest detail; longer ones, which repeat the caller's own input, are cut.
const DETAIL_MAX: usize = 400;
/// What is said of a path that no route has.
const NO_ROUTE: &str = "no such path";

// What is said, and the challenge, by why there is no caller. RFC 6750, section 3: no error code where no credential
// was presented.
const ABSENT: (&str, &str) = ("present a key: Authorization: Bearer KEY", "Bearer");
const UNKNOWN: (&str, &str) = ("the key is not known", "Bearer error=\"invalid_token\"");
const REVOKED: (&str, &str) =
    ("the key was revoked", "Bearer error=\"invalid_token\", error_description=\"the key was revoked\"");
const EXPIRED: (&str, &str) =
    ("the key has expired", "Bearer error=\"invalid_token\", error_description=\"the key has expired\"");
const INACTIVE: (&str, &str) = (
    "the key's principal is not active",
    "Bearer error=\"invalid_token\", error_description=\"the principal is not active\"",
);

/// Why a request is not answered, and with which words and status that is said.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Box<Particulars>);

#[derive(Debug, Clone)]
struct Particulars {
    status: StatusCode,
    code: &'static str,
    detail: String,
    pointer: Option<String>,
    /// The position that was reached, for `behind`.
    reached: Option<String>,
    /// `WWW-Authenticate`.
    challenge: Option<&'static str>,
    /// Known names near the one that is not, nearest first.
    known: Vec<String>,
    /// `Retry-After` of 429 and 503, in seconds.
    retry_after: u64,
}

/// Failures of requests as such.
impl Failure {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = safe(detail.into());
        let (pointer, reached, challenge, known) = (None, None, None, Vec::new());
        let retry_after = 1;
        Self(Box::new(Particulars { status, code, detail, pointer, reached, challenge, known, retry_after }))
    }

    /// The body, a header or a parameter is not as it must be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// The same, at a place in the body.
    pub(crate) fn invalid_at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut failure = Self::invalid(detail);
        failure.0.pointer = Some(pointer.into());
        failure
    }

    /// No credential was presented.
    pub(crate) fn no_credential() -> Self {
        Self::unauthenticated(ABSENT)
    }

    /// The credential is nobody's: says nothing of why.
    pub(crate) fn bad_credential() -> Self {
        Self::unauthenticated(UNKNOWN)
    }

    fn unauthenticated((detail, challenge): (&'static str, &'static str)) -> Self {
        let mut failure = Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
        failure.0.challenge = Some(challenge);
        failure
    }

    /// The key is refused. Only a caller that proved the secret gets a reason other than [`Reason::UnknownKey`].
    pub(crate) fn key_refused(reason: Reason) -> Self {
        Self::unauthenticated(match reason {
            Reason::KeyRevoked => REVOKED,
            Reason::KeyExpired => EXPIRED,
            Reason::InactivePrincipal => INACTIVE,
            Reason::Granted
            | Reason::UnknownKey
            | Reason::KeyMismatch
            | Reason::UnknownPrincipal
            | Reason::UnknownPermission
            | Reason::UnknownObjectType
            | Reason::UnknownObject
            | Reason::AmbiguousObject
            | Reason::ObjectProjectMismatch
            | Reason::KeyNarrowed
            | Reason::DeniedByGrant
            | Reason::NoGrant => UNKNOWN,
        })
    }

    /// There is no such thing, or the caller may not see it.
    pub(crate) fn not_found(kind: Kind) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {}", kind.word()))
    }

    /// Several projects have what was asked about, and none was named.
    pub(crate) fn ambiguous_object() -> Self {
        let detail = "several projects have an object of this type and id: name the project";
        Self::new(StatusCode::BAD_REQUEST, "ambiguous_object", detail)
    }

    /// There is no such route.
    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", NO_ROUTE)
    }

    /// There is no description to be found here.
    pub(crate) fn undescribed(detail: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The route does not know the method.
    pub(crate) fn no_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path does not have this method")
    }

    /// The question needs a permission that the caller does not have.
    pub(crate) fn forbidden(needs: Needs) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", format!("this needs {needs}"))
    }

    /// The body is not JSON by its own account.
    pub(crate) fn not_json() -> Self {
        let detail = "the body must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// The head is too long (RFC 6585, section 5).
    pub(crate) fn head_too_large() -> Self {
        let detail = format!("request line and headers may have at most {HEAD_MAX} bytes");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", detail)
    }

    /// The request target is too long (RFC 9110, section 15.5.15).
    pub(crate) fn target_too_long() -> Self {
        let detail = format!("the URL may have at most {TARGET_MAX} bytes: send fewer or shorter parameters");
        Self::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail)
    }

    /// The body comes in a transfer coding that is not understood (RFC 9112, section 6.1).
    pub(crate) fn unknown_transfer_coding() -> Self {
        let detail =
            "of transfer codings only chunked is understood: send the body as it is, with Content-Length";
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", detail)
    }

    /// The content is coded, or in another charset (RFC 9110, sections 8.4 and 15.5.16).
    pub(crate) fn unsupported_encoding(detail: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
    }

    /// The body is larger than `limit` bytes.
    pub(crate) fn body_too_large(limit: usize) -> Self {
        let detail = format!("the body may have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// The body did not arrive in time.
    pub(crate) fn body_too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")
    }

    /// The node has not reached the position asked for.
    pub(crate) fn behind(reached: String) -> Self {
        let detail = "this node has not reached the position asked for";
        let mut failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "behind", detail);
        failure.0.reached = Some(reached);
        failure
    }

    /// The plan has more changes than are listed.
    pub(crate) fn plan_too_large(why: &str) -> Self {
        let detail = format!(
            "{why}: plan fewer commands at once, or split a role, group or selector that changes the access of many"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "plan_too_large", detail)
    }

    /// The node cannot answer at present.
    pub(crate) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    /// The request is for another part of the service.
    pub(crate) fn wrong_role(detail: &'static str) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "wrong_role", detail)
    }

    /// The request was passed on to a node that would pass it on again (RFC 5842, section 7.2).
    pub(crate) fn forwarding_loop() -> Self {
        let detail = "the --command-url of a read node leads to another read node that has one: it must lead to a command service";
        Self::new(StatusCode::LOOP_DETECTED, "forwarding_loop", detail)
    }

    /// There is no command service at the other end, or none that answers a question.
    pub(crate) fn command_unreachable() -> Self {
        let detail = "this node cannot reach the command service; nothing was written";
        Self::unavailable("command_unreachable", detail)
    }

    /// The process was not told of the installation's webhook key.
    pub(crate) fn webhooks_not_configured() -> Self {
        let detail =
            "this process was not started with --webhooks KEYFILE, which webhooks' secrets are derived from";
        Self::unavailable("webhooks_not_configured", detail)
    }

    /// This node has another webhook key than the one that the secret is derived from.
    pub(crate) fn webhook_key_differs() -> Self {
        let detail = "the webhook's secret is derived from another key than this node has: rotate it";
        Self::new(StatusCode::CONFLICT, "webhook_key_differs", detail)
    }

    /// There is no such dead letter.
    pub(crate) fn no_dead_letter() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "no such dead letter")
    }

    /// Nobody knows whether something newer is there.
    pub(crate) fn unconfirmed(why: &Unconfirmed) -> Self {
        Self::unavailable("journal_unavailable", why.to_string())
    }

    /// More requests at once than are served.
    pub(crate) fn overloaded() -> Self {
        Self::unavailable("overloaded", "too many requests at once")
    }

    /// More at once than the caller's share.
    pub(crate) fn busy() -> Self {
        let detail =
            "too much at once of this principal or organization: wait for what is under way, then try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail)
    }

    /// More streams at once than one principal may have.
    pub(crate) fn too_many_streams() -> Self {
        let detail = "too many streams at once: read those under way to their end";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
    }

    /// The question would take more work than one question may.
    pub(crate) fn too_costly(why: &ViewError) -> Self {
        let detail = format!(
            "{why}: ask for less at once, such as one principal, one project, a shorter time or a smaller page"
        );
        Self::new(StatusCode::BAD_REQUEST, "too_costly", detail)
    }

    /// The question was ended before it was answered: the process stops, or its caller has gone and reads no answer.
    pub(crate) fn interrupted() -> Self {
        Self::unavailable(
            "stopping",
            "the question was ended before it was answered: this process is stopping",
        )
    }

    /// Something is wrong here; the log says what, the answer does not.
    pub(crate) fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something is wrong with this node; its log says what",
        )
    }
}

/// Parts.
impl Failure {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The value at fault, as a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// What is wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Whether it is [`Failure::no_route`].
    pub(crate) fn is_no_route(&self) -> bool {
        self.0.code == "not_found" && self.0.detail == NO_ROUTE
    }

    /// The same failure of the command at `index` of a batch: pointers lead into that command.
    pub(crate) fn in_batch(mut self, index: usize) -> Self {
        self.0.pointer = Some(match self.0.pointer.take() {
            Some(inner) => format!("/commands/{index}/body{inner}"),
            None => format!("/commands/{index}/path"),
        });
        self
    }

    /// The same failure of a query parameter: those have no pointers.
    pub(crate) fn of_query(mut self) -> Self {
        self.0.pointer = None;
        self.0.detail = format!("query parameters: {}", self.0.detail);
        self
    }

    /// The same failure at a place in the body.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// The same failure, with the known names that may have been meant, nearest first.
    pub(crate) fn with_known(mut self, known: Vec<String>) -> Self {
        self.0.known = known;
        self
    }

    /// The problem, where it is not an answer of its own.
    pub(crate) fn problem(&self) -> wire::Problem {
        let Particulars { status, code, detail, .. } = &*self.0;
        wire::Problem::new(status.as_u16(), code, &code.replace('_', " "), detail.clone())
    }

    /// The answer. `request_id` is the request's.
    pub(crate) fn into_answer(self, request_id: &str) -> Response {
        let Particulars { status, code, detail, pointer, reached, challenge, known, retry_after } = *self.0;
        let mut problem = wire::Problem::new(status.as_u16(), code, &code.replace('_', " "), detail);
        problem.pointer = pointer.filter(|pointer| !repeats_key(pointer));
        problem.position.clone_from(&reached);
        problem.known = known;
        problem.request_id = Some(request_id.to_owned());
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::MEDIA_TYPE));
        if let Some(challenge) = challenge.or_else(|| default_challenge(status)) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if let Some(reached) = reached.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::POSITION, reached);
        }
        response
    }
}

impl IntoResponse for Failure {
    /// An empty answer that carries the failure; the outermost layer, which knows the request id, writes it out.
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(refusal_status(&refusal), refusal.code(), refusal.to_string());
        failure.0.pointer = refusal.pointer();
        failure
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::Moved => Self::new(
                StatusCode::CONFLICT,
                "moved",
                "the organization's head is not at Grantbook-If-Position any more; nothing was written",
            ),
            SubmitError::IdempotencyMismatch => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "this Idempotency-Key was used with another method, path or body",
            ),
            SubmitError::BadText(detail) => Self::invalid(detail),
            SubmitError::RecordTooLarge { bytes, limit } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "record_too_large",
                format!("the record would have {bytes} bytes; at most {limit} are possible"),
            ),
            SubmitError::Contended => {
                Self::unavailable("contended", "other writers won every round; nothing was written")
            }
            SubmitError::OutcomeUnknown => Self::unavailable(
                "outcome_unknown",
                "the outcome is unknown: send the same request again with the same Idempotency-Key to learn it",
            ),
            SubmitError::JournalUnavailable(_) => {
                Self::unavailable("journal_unavailable", "the journal takes no writes at present")
            }
            SubmitError::JournalDoubted(doubt) => Self::unavailable("journal_doubted", doubt.to_string()),
            SubmitError::UnknownOrganization => Self::bad_credential(),
            SubmitError::Busy { wait } => {
                let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", error.to_string());
                failure.0.retry_after = wait.as_secs().saturating_add(1);
                failure
            }
            SubmitError::Overloaded => Self::overloaded(),
            SubmitError::Stopping => Self::unavailable("stopping", "this process is stopping"),
        }
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::TooCostly { .. } => Self::too_costly(&error),
            ViewError::Interrupted => Self::interrupted(),
            ViewError::Storage(_)
            | ViewError::Open { .. }
            | ViewError::NotAView(_)
            | ViewError::Replace { .. }
            | ViewError::BadRow { .. }
            | ViewError::OutOfOrder { .. }
            | ViewError::Gap { .. }
            | ViewError::NotUnderstood { .. }
            | ViewError::Diverged { .. }
            | ViewError::Format { .. }
            | ViewError::Repaired(_)
            | ViewError::Json(_) => Self::internal(&error),
        }
    }
}

impl From<strict::Fault> for Failure {
    fn from(strict::Fault { pointer, detail }: strict::Fault) -> Self {
        let mut failure = Self::invalid(detail);
        failure.0.pointer = pointer;
        failure
    }
}

fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Inactive => StatusCode::UNAUTHORIZED,
        Refusal::NotFound(_) | Refusal::NoSuch { .. } => StatusCode::NOT_FOUND,
        Refusal::Forbidden { .. }
        | Refusal::NotHeld(_)
        | Refusal::NeedsDelegate
        | Refusal::SignInAgain
        | Refusal::WrongCredential(_) => StatusCode::FORBIDDEN,
        Refusal::Text { .. }
        | Refusal::Invalid { .. }
        | Refusal::AmbiguousObject { .. }
        | Refusal::Limit { .. } => StatusCode::BAD_REQUEST,
        Refusal::NameTaken(_)
        | Refusal::EmailTaken
        | Refusal::ExternalIdTaken
        | Refusal::Cycle(_)
        | Refusal::LastOwner
        | Refusal::InUse
        | Refusal::BuiltIn(_)
        | Refusal::KeyEnded
        | Refusal::ParentFixed
        | Refusal::CatalogFull(_)
        | Refusal::TooMany { .. }
        | Refusal::TooManySessions { .. } => StatusCode::CONFLICT,
        Refusal::InBatch { refusal, .. } => refusal_status(refusal),
    }
}

fn default_challenge(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED => Some(UNKNOWN.1),
        StatusCode::FORBIDDEN => Some("Bearer error=\"insufficient_scope\""),
        _ => None,
    }
}

/// A detail may repeat what the caller sent: never a key, never control characters, never at length.
fn safe(mut detail: String) -> String {
    if repeats_key(&detail) {
        return "a value is not as it must be".to_owned();
    }
    if detail.chars().any(char::is_control) {
        detail = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    if detail.len() > DETAIL_MAX {
        detail.truncate(detail.floor_char_boundary(DETAIL_MAX));
        detail.push_str("...");
    }
    detail
}

/// Whether the text holds what looks like a key.
pub(crate) fn repeats_key(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("gb_st_") || text.contains("gb_pk_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_never_repeats_a_key_nor_control_characters_nor_everything() {
        assert!(!safe("invalid type: string \"gb_st_abc\"".to_owned()).contains("gb_st_"));
        assert_eq!(safe("a\nb\u{1b}c".to_owned()), "a b c");
        assert!(safe("x".repeat(5000)).len() < 500);
    }

    #[test]
    fn only_who_proved_a_secret_learns_why() {
        assert_eq!(Failure::key_refused(Reason::KeyRevoked).0.detail, "the key was revoked");
        let unknown = Failure::bad_credential().0;
        for reason in [Reason::UnknownKey, Reason::KeyMismatch, Reason::UnknownPrincipal] {
            let told = Failure::key_refused(reason).0;
            assert_eq!((&told.detail, told.challenge), (&unknown.detail, unknown.challenge));
        }
    }

    #[test]
    fn a_refusal_in_a_batch_keeps_its_status_and_points_into_its_command() {
        let inner = Refusal::invalid("/name", "bad");
        let failure = Failure::from(Refusal::InBatch { index: 3, refusal: Box::new(inner) });
        assert_eq!((failure.status(), failure.code()), (StatusCode::BAD_REQUEST, "invalid"));
        assert_eq!(failure.0.pointer.as_deref(), Some("/commands/3/body/name"));
    }
}
