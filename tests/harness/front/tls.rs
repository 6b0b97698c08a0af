//! A proxy that speaks TLS before one server, as operators put one there: with a certificate of its own for `localhost`.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// Takes connections until dropped.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    server: Arc<Mutex<Option<SocketAddr>>>,
    _runtime: Runtime,
}

impl TlsFront {
    /// Before nothing yet: connections end.
    pub fn start() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let (port, server) = (listener.local_addr()?.port(), Arc::new(Mutex::new(None)));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        runtime.spawn(take(listener, acceptor, Arc::clone(&server)));
        Ok(Self { port, server, _runtime: runtime })
    }

    /// From now on before the server with this base URL.
    pub fn lead_to(&self, base: &str) -> Result<()> {
        let host = base.strip_prefix("http://").context("plain http only")?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(host.parse()?);
        Ok(())
    }

    /// Where browsers find it.
    pub fn base(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

async fn take(listener: TcpListener, acceptor: TlsAcceptor, server: Arc<Mutex<Option<SocketAddr>>>) {
    while let Ok((client, _)) = listener.accept().await {
        let (acceptor, to) = (acceptor.clone(), *server.lock().unwrap_or_else(PoisonError::into_inner));
        // Whoever cannot be served sees that the connection ends.
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to?).await.ok()?;
            let mut client = acceptor.accept(client).await.ok()?;
            copy_bidirectional(&mut client, &mut server).await.ok()
        });
    }
}
