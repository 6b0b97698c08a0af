//! The answer to what is no request: a problem, in place of the HTTP library's empty one.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{
        HeaderValue, Request, Response,
        header::{CONNECTION, CONTENT_LENGTH, DATE},
    },
};
use chrono::DateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tower::ServiceExt as _;

use crate::{
    app::listen::wire::Exchange,
    http::{head::Refused, problem::Failure},
};
use grantbook_journal::stamp::clock::Clock;

/// How long the answer may take, and what is still being sent is read.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest answer, in bytes.
const ANSWER_MAX: usize = 16 * 1024;
/// How the library calls a transfer coding that it does not know; it gives no other sign.
const TRANSFER_CODING: &str = "invalid transfer-encoding parsed";

/// What is wrong with a head that the library cannot parse.
pub(super) fn failure(error: &hyper::Error, exchange: &Exchange) -> Failure {
    let text = error.to_string();
    if error.is_parse_too_large() {
        let is_target = exchange.has_long_line() || text.contains("URI");
        return if is_target { Failure::target_too_long() } else { Failure::head_too_large() };
    }
    if text.contains(TRANSFER_CODING) {
        return Failure::unknown_transfer_coding();
    }
    Failure::invalid(format!("this is not HTTP/1.1 as in RFC 9112: {text}"))
}

/// Answers, then closes so that the peer gets the answer although it may still be sending (RFC 9112, section 9.6).
pub(super) async fn answer(mut stream: TcpStream, peer: SocketAddr, router: Router, failure: Failure) {
    // A request that stands for what was no request: the answer is numbered, logged and counted like all others.
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Refused(failure));
    request.extensions_mut().insert(ConnectInfo(peer));
    let Ok(response) = router.oneshot(request).await;
    let text = written(response).await;
    let farewell = async {
        stream.write_all(&text).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // A peer that does not wait for the answer is none of our concern.
    drop(timeout(FAREWELL, farewell).await);
}

/// The response as HTTP/1.1.
async fn written(response: Response<Body>) -> Vec<u8> {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_MAX).await.unwrap_or_default();
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    // RFC 9110, section 6.6.1.
    let now = DateTime::from_timestamp_millis(Clock::system().now().millis()).unwrap_or_default();
    if let Ok(date) = HeaderValue::from_str(&now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        parts.headers.insert(DATE, date);
    }
    let mut text = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(piece);
        }
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&body);
    text
}
