//! The head of a request, judged before anybody is asked who they are: framing, host, codings, sizes.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode, Version,
        header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
        uri::Authority,
    },
    middleware::Next,
    response::Response,
};
use grantbook_api::words::header;

use crate::http::problem::Failure;
use grantbook_journal::stamp::ids::IdSource;

/// Longest head (request line and headers), in bytes.
pub(crate) const HEAD_MAX: usize = 32 * 1024;
/// Longest request target, in bytes. RFC 9112, section 3, recommends at least 8000.
pub(crate) const TARGET_MAX: usize = 16 * 1024;

/// A request that was refused before it had a head: an extension of the request that stands for it.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Failure);

/// Marks a request that came over a connection. In one that was made in this process, no `Host` is missed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverConnection;

/// What is wrong with the head, if anything is.
pub(crate) fn judge(request: &mut Request) -> Result<(), Failure> {
    if let Some(Refused(failure)) = request.extensions_mut().remove() {
        return Err(failure);
    }
    let (target, authority) = (request.uri().path_and_query(), request.uri().authority());
    let length =
        target.map_or(0, |text| text.as_str().len()) + authority.map_or(0, |text| text.as_str().len());
    if length > TARGET_MAX {
        return Err(Failure::target_too_long());
    }
    transfer_coding(request.headers())?;
    if request.extensions().get::<OverConnection>().is_some() {
        host(request.version(), request.headers())?;
    }
    content_coding(request.headers())?;
    charset(request.headers())
}

/// The answer to a refused request, with what HTTP wants besides: which content codings are taken, and that the
/// connection ends where the end of the body cannot be known.
pub(crate) fn answer(failure: Failure, request_id: &str) -> Response {
    let (status, code) = (failure.status(), failure.code());
    let mut response = failure.into_answer(request_id);
    let headers = response.headers_mut();
    if code == "unsupported_encoding" {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if status == StatusCode::NOT_IMPLEMENTED {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The same judgement for a router that has nothing else yet.
pub(crate) async fn refuse(mut request: Request, next: Next) -> Response {
    let id = IdSource::system().request_id();
    let mut response = match judge(&mut request) {
        Ok(()) => next.run(request).await,
        Err(failure) => answer(failure, &id),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(header::REQUEST_ID, id);
    }
    response
}

/// RFC 9112, section 6.1: a coding that is not understood is 501; chunked is applied once.
fn transfer_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let mut chunked = 0;
    for coding in listed(headers, TRANSFER_ENCODING) {
        match coding {
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => chunked += 1,
            _ => return Err(Failure::unknown_transfer_coding()),
        }
    }
    if chunked > 1 { Err(Failure::invalid("Transfer-Encoding: chunked may be applied once")) } else { Ok(()) }
}

/// RFC 9112, section 3.2: one Host, without which HTTP/1.1 is not spoken, with a valid value. It may be empty.
fn host(version: Version, headers: &HeaderMap) -> Result<(), Failure> {
    let mut values = headers.get_all(HOST).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) if version < Version::HTTP_11 => return Ok(()),
        (None, _) => return Err(Failure::invalid("HTTP/1.1 needs a Host header")),
        (Some(_), Some(_)) => return Err(Failure::invalid("send one Host header: there are two")),
    };
    let is_host = |text: &str| text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok());
    match value.to_str() {
        Ok(text) if is_host(text.trim()) => Ok(()),
        _ => Err(Failure::invalid("the Host header must be HOST or HOST:PORT")),
    }
}

/// RFC 9110, section 8.4: content is taken as it is.
fn content_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let is_plain =
        |coding: Option<&str>| coding.is_some_and(|coding| coding.eq_ignore_ascii_case("identity"));
    if listed(headers, CONTENT_ENCODING).all(is_plain) {
        return Ok(());
    }
    Err(Failure::unsupported_encoding(
        "no content coding is supported: send the body without Content-Encoding",
    ))
}

/// RFC 8259, section 8.1: JSON is UTF-8; a type that says another charset is not believed.
fn charset(headers: &HeaderMap) -> Result<(), Failure> {
    let types = headers.get_all(CONTENT_TYPE).iter().filter_map(|value| value.to_str().ok());
    let mut parameters = types.flat_map(|value| value.split(';').skip(1));
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    if parameters.all(is_utf8) {
        return Ok(());
    }
    Err(Failure::unsupported_encoding("the body must be UTF-8: no other charset is supported"))
}

/// The members of a header that is a list (RFC 9110, section 5.6.1); none for one that is no text.
fn listed(headers: &HeaderMap, name: axum::http::HeaderName) -> impl Iterator<Item = Option<&str>> {
    headers.get_all(name).into_iter().flat_map(|value| {
        let text = value.to_str().ok();
        let members = text.unwrap_or("?").split(',').map(str::trim).filter(|member| !member.is_empty());
        members.map(Some).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    /// The status of a request over a connection with these headers, beside a Host unless there is one.
    fn judged(version: Version, headers: &[(&'static str, &'static str)]) -> (u16, &'static str) {
        let mut request = Request::post("/v1/tokens").version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.extension(OverConnection).body(Body::empty()).unwrap();
        match judge(&mut request) {
            Ok(()) => (200, ""),
            Err(failure) => (failure.status().as_u16(), failure.code()),
        }
    }

    #[test]
    fn a_request_names_one_host() {
        for (headers, status) in [
            (&[("host", "a.example:7878")][..], 200),
            (&[("host", "")][..], 200),
            (&[("host", "[::1]:80")][..], 200),
            (&[][..], 400),
            (&[("host", "a"), ("host", "a")][..], 400),
            (&[("host", "user@a")][..], 400),
            (&[("host", "a/b")][..], 400),
            (&[("host", "a b")][..], 400),
        ] {
            assert_eq!(judged(Version::HTTP_11, headers).0, status, "{headers:?}");
        }
        assert_eq!(judged(Version::HTTP_10, &[]).0, 200);
        assert_eq!(judged(Version::HTTP_10, &[("host", "a"), ("host", "b")]).0, 400);
    }

    #[test]
    fn codings_that_are_not_understood_are_refused() {
        let (te, ce, ct) = ("transfer-encoding", "content-encoding", "content-type");
        for (header, expected) in [
            ((te, "chunked"), (200, "")),
            ((te, "Chunked"), (200, "")),
            ((te, "gzip, chunked"), (501, "not_implemented")),
            ((te, "identity"), (501, "not_implemented")),
            ((te, "chunked;q=1"), (501, "not_implemented")),
            ((te, "chunked, chunked"), (400, "invalid")),
            ((ce, "identity"), (200, "")),
            ((ce, "gzip"), (415, "unsupported_encoding")),
            ((ce, "identity, br"), (415, "unsupported_encoding")),
            ((ce, "\u{ff}"), (415, "unsupported_encoding")),
            ((ct, "application/json; charset=UTF-8"), (200, "")),
            ((ct, "application/json;charset=\"utf-8\""), (200, "")),
            ((ct, "application/json; charset=utf-16"), (415, "unsupported_encoding")),
            ((ct, "application/json; a=b; Charset = latin1"), (415, "unsupported_encoding")),
        ] {
            assert_eq!(judged(Version::HTTP_11, &[("host", "a"), header]), expected, "{header:?}");
        }
    }

    #[test]
    fn a_refused_coding_names_those_that_are_taken() {
        let response = answer(Failure::unsupported_encoding("no"), "id");
        assert_eq!(response.headers()[ACCEPT_ENCODING], "identity");
        assert_eq!(answer(Failure::unknown_transfer_coding(), "id").headers()[CONNECTION], "close");
    }
}
