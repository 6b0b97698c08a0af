//! Connections: how many, how long they may be silent or take nothing, and how they end.

use std::{fs, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tower::ServiceExt;

use crate::{
    app::listen::{
        rejection,
        room::Room,
        wire::{Exchange, Wire},
    },
    http::{
        head::{HEAD_MAX, OverConnection},
        problem::Failure,
    },
};

/// Most connections at once. For more, one that rests is closed; if none does, they are refused.
const CONNECTIONS_MAX: usize = 4096;
/// Descriptors that are left to the journal, the view and whatever else a process opens.
const DESCRIPTORS_SPARED: usize = 128;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a peer may take nothing of an answer.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long a connection rests before it is closed in favour of another from the same address.
const REST_TIME: Duration = Duration::from_secs(1);
/// Connections that are told at once that there is no room. More are closed without a word.
const REFUSING_MAX: usize = 32;
/// Most of a request that is held while its head is not there, and of an answer that the peer does not take, in bytes.
const BUFFER_MAX: usize = 2 * HEAD_MAX;
/// How long nothing is accepted after the system refused a connection.
const BACK_OFF: Duration = Duration::from_millis(200);

/// What strangers may hold on to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once.
    pub(super) connections: usize,
    /// Time until a request's head is there, from the connection's begin or the answer before.
    pub(super) head_time: Duration,
    /// Time for which a peer takes nothing of an answer.
    pub(super) write_time: Duration,
    /// Time that a connection rests before it makes room for others.
    pub(super) rest_time: Duration,
}

impl Limits {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        let descriptors = fs::read_to_string("/proc/self/limits").ok().and_then(|text| descriptors(&text));
        let room = descriptors.map_or(CONNECTIONS_MAX, |all| all.saturating_sub(DESCRIPTORS_SPARED).max(16));
        Self {
            connections: room.min(CONNECTIONS_MAX),
            head_time: HEAD_TIME,
            write_time: WRITE_TIME,
            rest_time: REST_TIME,
        }
    }
}

/// Serves until the flag goes up, then finishes the requests under way. Dropped, it closes all connections.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let room = Room::of(limits.connections, limits.rest_time);
    let refusing = Arc::new(Semaphore::new(REFUSING_MAX));
    let mut open = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = raised(stop.clone()) => break,
            accepted = accept(&listener) => accepted,
        };
        while open.try_join_next().is_some() {}
        // Answers are written whole: waiting for more of them only delays them.
        stream.set_nodelay(true).unwrap_or_default();
        let exchange = Exchange::default();
        let Some(held) = room.enter(peer.ip().to_canonical(), &exchange) else {
            if let Ok(place) = Arc::clone(&refusing).try_acquire_owned() {
                let router = router.clone();
                open.spawn(async move {
                    let _held_until_told = place;
                    rejection::answer(stream, peer, router, Failure::overloaded()).await;
                });
            }
            continue;
        };
        let wire = Wire::new(stream, exchange.clone(), limits.write_time);
        let connection =
            connection((wire, exchange), peer, router.clone(), limits.head_time, raised(stop.clone()));
        open.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = held.given_up() => {}
            }
        });
    }
    // Nobody waits for an answer to what nobody takes.
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Until the flag is up, or nobody is left to raise it.
pub(super) async fn raised(mut flag: watch::Receiver<bool>) {
    flag.wait_for(|up| *up).await.map(drop).unwrap_or_default();
}

/// The next connection. Errors of a single connection are ignored. After an error of the listener, such as too many
/// open files, it waits and tries again.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted at present");
                sleep(BACK_OFF).await;
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection to its end; once `stopping`, to the end of the request under way.
async fn connection(
    (wire, exchange): (Wire, Exchange),
    peer: SocketAddr,
    router: Router,
    head_time: Duration,
    stopping: impl Future<Output = ()>,
) {
    let (answers, told) = (router.clone(), exchange.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(OverConnection);
        let (answering, answer) = (told.begin(), answers.clone().oneshot(request));
        async move { answer.await.map(|response| answering.with(response)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_time);
    http.max_header_size(HEAD_MAX).max_buf_size(BUFFER_MAX);
    let mut connection = http.serve_connection(TokioIo::new(wire), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopping => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let Err(error) = ended else { return };
    tracing::debug!(%peer, %error, "a connection broke off");
    if error.is_parse() && exchange.is_unanswered() {
        let stream = connection.into_parts().io.into_inner().into_stream();
        rejection::answer(stream, peer, router, rejection::failure(&error, &exchange)).await;
    }
}

/// How many files this process may have open: the soft limit in the words of `/proc/self/limits`.
fn descriptors(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::{middleware::from_fn, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
        time::timeout,
    };

    use super::*;
    use crate::http::head::refuse;

    /// A server whose only route tells from where it is asked, and the flag that ends it.
    async fn given(limits: Limits) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
        let (stop, stopping) = watch::channel(false);
        let large = || async { vec![b'x'; LARGE] };
        let never = || std::future::pending::<()>();
        let router = Router::new()
            .route("/peer", get(told))
            .route("/large", get(large))
            .route("/never", get(never))
            .layer(from_fn(refuse));
        (address, stop, tokio::spawn(serve(listener, router, limits, stopping)))
    }

    async fn to_its_end(mut stream: TcpStream) -> String {
        let mut text = String::new();
        // A reset ends a connection as well as a close.
        let read = timeout(Duration::from_mins(1), stream.read_to_string(&mut text)).await.unwrap();
        read.map(drop).unwrap_or_default();
        text
    }

    const LONG: Duration = Duration::from_mins(10);
    const LIMITS: Limits = Limits { connections: 9, head_time: LONG, write_time: LONG, rest_time: LONG };
    /// More than sockets hold in between.
    const LARGE: usize = 64 << 20;

    #[tokio::test]
    async fn a_connection_without_a_request_is_closed_and_makes_room() {
        let limits = Limits { connections: 1, rest_time: Duration::ZERO, ..LIMITS };
        let (address, _stop, _serving) = given(limits).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let idle = TcpStream::connect(address).await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        let from = next.local_addr().unwrap();
        next.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        assert!(!to_its_end(slow).await.contains("200 OK"));
        assert!(!to_its_end(idle).await.contains("200 OK"));
        let answer = to_its_end(next).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&from.to_string()), "{answer}");
    }

    /// A connection from a loopback address that sends a request.
    async fn asked(from: [u8; 4], address: SocketAddr, path: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The first bytes of an answer; none if the connection was closed.
    async fn first_of(stream: &mut TcpStream) -> String {
        let mut first = [0; 12];
        let read = timeout(Duration::from_mins(1), stream.read_exact(&mut first)).await.unwrap();
        read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&first).into_owned())
    }

    /// Row 8 of the hostile workload.
    #[tokio::test]
    async fn sockets_that_send_and_never_read_make_room_for_others() {
        let limits = Limits { connections: 8, ..LIMITS };
        let (address, _stop, _serving) = given(limits).await;
        let mut silent = Vec::new();
        for _ in 0..9 {
            silent.push(asked([127, 0, 0, 1], address, "/large").await);
        }
        for number in 2..6 {
            let mut other = asked([127, 0, 0, number], address, "/peer").await;
            assert_eq!(first_of(&mut other).await, "HTTP/1.1 200", "{number}");
        }
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_of_an_answer_is_cut_off() {
        let limits = Limits { connections: 1, write_time: Duration::from_millis(50), ..LIMITS };
        let (address, _stop, _serving) = given(limits).await;
        let mut silent = asked([127, 0, 0, 1], address, "/large").await;
        assert_eq!(first_of(&mut silent).await, "HTTP/1.1 200");
        // Its place is free as soon as it is cut off; until then others are refused.
        let served = async {
            loop {
                let mut next = asked([127, 0, 0, 1], address, "/peer").await;
                match first_of(&mut next).await.as_str() {
                    "HTTP/1.1 200" => break,
                    told => assert_eq!(told, "HTTP/1.1 503"),
                }
            }
        };
        timeout(Duration::from_mins(1), served).await.unwrap();
        let mut rest = Vec::new();
        let read = timeout(Duration::from_mins(1), silent.read_to_end(&mut rest)).await.unwrap();
        assert!(read.is_err() || rest.len() < LARGE, "the answer broke off");
    }

    #[tokio::test]
    async fn when_all_are_busy_a_newcomer_is_told_so_at_once() {
        let (address, _stop, _serving) = given(Limits { connections: 2, ..LIMITS }).await;
        let busy =
            [asked([127, 0, 0, 1], address, "/never").await, asked([127, 0, 0, 1], address, "/never").await];
        let newcomer = asked([127, 0, 0, 2], address, "/peer").await;
        let answer = timeout(Duration::from_mins(1), to_its_end(newcomer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"code\":\"overloaded\""), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("retry-after: 1"), "{answer}");
        drop(busy);
    }

    #[tokio::test]
    async fn the_address_with_most_connections_gives_way() {
        let (address, _stop, _serving) = given(Limits { connections: 4, ..LIMITS }).await;
        let mut alone = TcpStream::connect(address).await.unwrap();
        alone.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(first_of(&mut alone).await, "HTTP/1.1 200");
        let mut many = Vec::new();
        for _ in 0..3 {
            many.push(asked([127, 0, 0, 9], address, "/large").await);
        }
        for stream in &mut many {
            assert_eq!(first_of(stream).await, "HTTP/1.1 200");
        }
        let mut newcomer = asked([127, 0, 0, 2], address, "/peer").await;
        assert_eq!(first_of(&mut newcomer).await, "HTTP/1.1 200");
        alone.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut rest = vec![0; 4096];
        while !String::from_utf8_lossy(&rest).contains("HTTP/1.1 200") {
            assert!(alone.read(&mut rest).await.unwrap() > 0, "who had one connection keeps it");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_stopped_closes_idle_connections_and_takes_no_more() {
        let (address, stop, serving) = given(LIMITS).await;
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        kept.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stop.send_replace(true);
        serving.await.unwrap();
        to_its_end(kept).await;
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn what_is_no_request_is_answered_with_a_problem_behind_the_answers_before_it() {
        let (address, _stop, _serving) = given(LIMITS).await;
        let long = format!("GET /peer?{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
        let large = format!("GET /peer HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        let coded = "POST /peer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n";
        for (text, status) in [("hello\r\n\r\n", 400), (coded, 501), (&long, 414), (&large, 431)] {
            for before in ["", "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(before.as_bytes()).await.unwrap();
                if !before.is_empty() {
                    let mut first = [0; 12];
                    stream.read_exact(&mut first).await.unwrap();
                    assert_eq!(&first, b"HTTP/1.1 200");
                }
                stream.write_all(text.as_bytes()).await.unwrap();
                let answer = to_its_end(stream).await;
                let (_, last) =
                    answer.rsplit_once("HTTP/1.1 4").or(answer.rsplit_once("HTTP/1.1 5")).unwrap();
                let told = last.contains(&format!("\"status\":{status},"));
                assert!(told && last.contains("application/problem+json"), "{status}: {answer}");
            }
        }
    }

    #[test]
    fn the_limit_of_descriptors_is_read() {
        let text = "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 \
                    524288               files     \n";
        assert_eq!(descriptors(text), Some(1024));
        assert_eq!(descriptors("Max open files unlimited unlimited files"), None);
    }
}
