//! A client of a server in the same process: the same calls, without a socket.

use std::{convert::Infallible, fmt};

use reqwest::{Body, RequestBuilder, Response};
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    client::{Client, ClientError, Options},
    words::secret::Secret,
};

/// A server in the same process. It bounds its answers itself: no time-out of the client's applies.
#[derive(Clone)]
pub struct InProcess(BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>);

impl InProcess {
    /// What answers requests.
    pub fn new(service: BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>) -> Self {
        Self(service)
    }

    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let mut request = http::Request::<Body>::try_from(request.build()?)?;
        // Origin form (RFC 9112, section 3.2.1), as over a connection.
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = path.into();
        }
        let Ok(response) = self.0.clone().oneshot(request).await;
        Ok(response.into())
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess(..)")
    }
}

impl Client {
    /// A client like this one, but for a server in the same process and with another key. Clients made of one another share
    /// what is costly to set up.
    #[must_use]
    pub fn in_process(&self, server: InProcess, key: Secret) -> Self {
        Self {
            http: self.http.clone(),
            base: self.base.clone(),
            command_base: None,
            key: Some(key),
            options: Options::default(),
            server: Some(server),
        }
    }

    /// Makes clients of servers in this process, by [`Client::in_process`]; itself it reaches nobody.
    ///
    /// # Errors
    /// [`ClientError::Transport`] if TLS cannot be set up.
    pub fn of_nobody() -> Result<Self, ClientError> {
        Self::new(NOWHERE, None)
    }

    /// Sends a request to whichever server this is a client of.
    pub(super) async fn execute(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        match &self.server {
            Some(server) => server.answer(request).await,
            None => Ok(request.send().await?),
        }
    }
}

/// The discard port of this machine (RFC 863): nothing is sent there.
const NOWHERE: &str = "http://127.0.0.1:9/";
