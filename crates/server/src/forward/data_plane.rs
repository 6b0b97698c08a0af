//! The data plane that keeps rows of logs: another server, which trusts this one to have authorized them.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, StatusCode},
};
use reqwest::{
    Client,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

use crate::forward::send::{BaseUrl, Causes, ForwardError, client};

/// Most bytes of an answer that are read. Clients look at no more than the status.
const ANSWER_MAX: usize = 64 << 10;
/// Largest key file, in bytes.
const KEY_FILE_MAX: u64 = 4096;
/// Most characters of what the data plane says that are repeated to the client.
const SAID_MAX: usize = 300;

/// Where rows go on to, and the file with the key for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPlaneOptions {
    /// Its base URL; rows are posted to `/logs3` below it.
    pub url: BaseUrl,
    /// A private file with one line: the bearer key.
    pub key_file: PathBuf,
}

/// Why there is no data plane.
#[derive(Debug, thiserror::Error)]
pub enum DataPlaneError {
    /// The key file cannot be read.
    #[error("the data plane's key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("the data plane's key file {} can be read by others than its owner: chmod 600", .0.display())]
    Exposed(PathBuf),
    /// It does not hold one line of visible ASCII.
    #[error("the data plane's key file {} must hold one line, the key", .0.display())]
    Malformed(PathBuf),
    /// Nothing can be sent.
    #[error(transparent)]
    Client(#[from] ForwardError),
}

/// A data plane; cheap to clone.
#[derive(Debug, Clone)]
pub struct DataPlane {
    http: Client,
    url: String,
    bearer: HeaderValue,
}

/// Why rows were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The data plane refused them: its status, and what it said.
    Refused(StatusCode, String),
    /// It cannot be reached, has a fault, or does not know this server's key.
    Unavailable,
}

impl DataPlane {
    /// Reads the key. Blocks.
    pub fn open(options: &DataPlaneOptions) -> Result<Self, DataPlaneError> {
        let bearer = bearer(&options.key_file)?;
        Ok(Self { http: client(&options.url)?, url: format!("{}/logs3", options.url), bearer })
    }

    /// Sends a batch of rows once, as the client sent it. What the data plane answers; nothing if the answer is long or breaks off, as
    /// the rows are taken all the same.
    pub(crate) async fn take(&self, rows: Bytes) -> Result<Bytes, NotTaken> {
        let sent = self
            .http
            .post(&self.url)
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(rows)
            .send();
        let answer = sent.await.map_err(|error| {
            tracing::warn!(error = %Causes(&error), "the data plane did not take rows of logs");
            NotTaken::Unavailable
        })?;
        let (parts, body) = axum::http::Response::<reqwest::Body>::from(answer).into_parts();
        let said = to_bytes(Body::new(body), ANSWER_MAX).await;
        match parts.status {
            status if status.is_success() => Ok(said.unwrap_or_default()),
            // Its key is this server's business, not the client's.
            status if status.is_client_error() && !matches!(status.as_u16(), 401 | 403) => {
                let said =
                    String::from_utf8_lossy(&said.unwrap_or_default()).chars().take(SAID_MAX).collect();
                Err(NotTaken::Refused(status, said))
            }
            status => {
                tracing::warn!(%status, "the data plane did not take rows of logs");
                Err(NotTaken::Unavailable)
            }
        }
    }
}

fn bearer(path: &Path) -> Result<HeaderValue, DataPlaneError> {
    let failed = |source| DataPlaneError::File { path: path.to_owned(), source };
    let malformed = || DataPlaneError::Malformed(path.to_owned());
    let about = fs::metadata(path).map_err(failed)?;
    if about.mode() & 0o077 != 0 {
        return Err(DataPlaneError::Exposed(path.to_owned()));
    }
    if !about.is_file() || about.len() > KEY_FILE_MAX {
        return Err(malformed());
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed());
    }
    let mut bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| malformed())?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_one_line_of_a_private_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(matches!(bearer(&path), Err(DataPlaneError::File { .. })));
        fs::write(&path, "sk-1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(bearer(&path), Err(DataPlaneError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let found = bearer(&path).unwrap();
        assert_eq!(found.to_str().unwrap(), "Bearer sk-1");
        assert!(!format!("{found:?}").contains("sk-1"), "it is not logged");
        for wrong in ["", "\n", "one\ntwo", "a b"] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(bearer(&path), Err(DataPlaneError::Malformed(_))), "{wrong:?}");
        }
    }
}
