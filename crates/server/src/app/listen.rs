//! Sockets and signals: the process from its first connection to its last.

mod connections;
mod rejection;
mod room;
mod wire;

use std::{fs, io, net::SocketAddr, path::Path, time::Duration};

use axum::{Router, http::StatusCode, middleware::from_fn, routing::get};
use grantbook_files as files;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

use self::connections::{Limits, raised};
use crate::{
    Boxed,
    app::{App, config::ServeConfig, error::StartError},
    endpoints,
    http::{self, problem::Failure},
};
use grantbook_journal::stamp::ids::IdSource;

/// How long requests under way may take once the process is to end. Then their connections are closed, and what works for them
/// stops at its next row.
const GRACE: Duration = Duration::from_secs(2);
/// How long the parts of the process may take to end after that. All that was acknowledged is durable before.
const END: Duration = Duration::from_millis(2_500);

/// Runs the server until SIGTERM or SIGINT. Nothing acknowledged is lost, also if it ends otherwise.
pub fn serve(config: ServeConfig) -> Boxed<'static, Result<(), StartError>> {
    Box::pin(async move {
        config.validate()?;
        serve_until(config, stop_signal().map_err(StartError::Serve)?, Box::new(|_| {})).await
    })
}

/// Runs the server until `stop` is true. Once requests are taken, `ready` gets the address they are taken at.
///
/// The socket is open from the first moment: while the journal is replayed, everything but `/healthz` is answered
/// with 503 `starting`.
pub fn serve_until(
    config: ServeConfig,
    stop: watch::Receiver<bool>,
    ready: Ready,
) -> Boxed<'static, Result<(), StartError>> {
    Box::pin(run(config, stop, ready))
}

/// Gets the address at which requests are taken.
pub type Ready = Box<dyn FnOnce(SocketAddr) + Send>;

async fn run(config: ServeConfig, mut stop: watch::Receiver<bool>, ready: Ready) -> Result<(), StartError> {
    config.validate()?;
    let failed = |source| StartError::Listen { listen: config.listen, source };
    let [early, listener] = bind(config.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (built, starting) = watch::channel(false);
    let limits = Limits::of_process();
    tokio::spawn(connections::serve(early, starting_router(), limits, starting));
    let app = tokio::select! {
        app = App::build(&config) => app?,
        // Nothing was taken, so nothing is lost.
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    // Requests of the time before are finished, and their connections closed; none is accepted there any more.
    built.send_replace(true);
    if let Some(path) = &config.ready_file {
        write_ready_file(path, address)?;
    }
    tracing::info!(
        url = base_url(address),
        console = console_url(&config, &app, address),
        "requests are taken"
    );
    ready(address);
    take_requests(listener, endpoints::router_until(app.state(), Some(stop.clone())), limits, stop).await;
    tracing::info!("requests are taken no more");
    if let Some(path) = &config.ready_file {
        // Whoever waits for the next start must not take this one's file for it.
        fs::remove_file(path).unwrap_or_default();
    }
    if let Ok(ended) = timeout(END, app.shutdown()).await {
        ended?;
    } else {
        tracing::warn!(
            "parts of the process were still at work; it ends all the same, and nothing acknowledged is lost"
        );
    }
    tracing::info!("ended");
    Ok(())
}

/// One socket, twice: for the time before the application is there, and after.
fn bind(listen: SocketAddr) -> io::Result<[TcpListener; 2]> {
    let socket = std::net::TcpListener::bind(listen)?;
    socket.set_nonblocking(true)?;
    Ok([TcpListener::from_std(socket.try_clone()?)?, TcpListener::from_std(socket)?])
}

fn starting_router() -> Router {
    let starting = || async {
        let id = IdSource::system().request_id();
        Failure::unavailable("starting", "the journal is being replayed").into_answer(&id)
    };
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .fallback(starting)
        .layer(from_fn(http::head::refuse))
}

/// Serves until the signal comes, then finishes what is under way, within bounds.
async fn take_requests(listener: TcpListener, router: Router, limits: Limits, stop: watch::Receiver<bool>) {
    let overdue = raised(stop.clone());
    tokio::select! {
        () = connections::serve(listener, router, limits, stop) => {}
        () = async { overdue.await; sleep(GRACE).await } => {
            tracing::warn!("requests were still under way; their connections are closed");
        }
    }
}

/// Goes up at the first SIGTERM or SIGINT; from now on neither ends the process by itself.
fn stop_signal() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.send_replace(true);
    });
    Ok(stop)
}

/// Whole or not at all: nobody who watches for the file reads half an address.
fn write_ready_file(path: &Path, address: SocketAddr) -> Result<(), StartError> {
    let written = files::replace(path, format!("{}\n", base_url(address)).as_bytes());
    written.map_err(|source| StartError::ReadyFile { path: path.to_owned(), source })
}

/// Where people find the console, if it is served at an address at which they can sign in.
fn console_url(config: &ServeConfig, app: &App, address: SocketAddr) -> Option<String> {
    let public = config.public_url.as_ref().map(ToString::to_string);
    let base = public.or_else(|| address.ip().is_loopback().then(|| base_url(address)));
    base.filter(|_| endpoints::reaches_both_sides(&app.state())).map(|base| format!("{base}/console"))
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    async fn status(path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        starting_router().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn before_the_application_is_there_the_process_only_says_that_it_lives() {
        assert_eq!(status("/healthz").await, StatusCode::OK);
        for path in ["/readyz", "/v1/whoami", "/v1/tokens"] {
            assert_eq!(status(path).await, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn the_ready_file_holds_the_base_url() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ready");
        let [_early, listener] = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        write_ready_file(&path, address).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("http://127.0.0.1:{}\n", address.port()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
