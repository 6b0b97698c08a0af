//! Answers that come line by line, however long they are.

use std::time::Duration;

use reqwest::{
    Method, Response,
    header::{ACCEPT, HeaderMap, HeaderValue},
};

use crate::{
    client::{Client, ClientError, successful},
    questions::audit::{AuditQuery, End, NDJSON},
};

/// How long a whole stream may take: as long as bits of it keep coming.
pub(super) const STREAM_TIMEOUT: Duration = Duration::from_hours(24 * 365);

/// A stream of lines.
#[derive(Debug)]
pub struct Lines {
    response: Response,
    waiting: Vec<u8>,
    /// How much of what waits was given.
    given: usize,
}

impl Client {
    /// The whole audit log as it comes, one [`AuditItem`](crate::questions::audit::AuditItem) a line; the last line is an
    /// [`AuditEnd`](crate::questions::audit::AuditEnd). A stream without that was cut off.
    pub async fn audit_lines(&self, query: &AuditQuery) -> Result<Lines, ClientError> {
        let query = AuditQuery { end: Some(End::Line), ..query.clone() };
        let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(NDJSON))]);
        let request = self.request(Method::GET, self.url(&["v1", "audit"], Some(&query))?)?;
        let response = self.execute(request.headers(accept).timeout(STREAM_TIMEOUT)).await?;
        Ok(Lines { response: successful(response).await?, waiting: Vec::new(), given: 0 })
    }
}

impl Lines {
    /// The next whole line, without its end; none after the last. Half a line at the end is no line.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            let ahead = self.waiting.get(self.given..).unwrap_or_default();
            if let Some(end) = ahead.iter().position(|byte| *byte == b'\n') {
                let line = ahead.get(..end).unwrap_or_default().to_vec();
                self.given += end + 1;
                return Ok(Some(line));
            }
            self.waiting.drain(..self.given);
            self.given = 0;
            match self.response.chunk().await? {
                Some(bytes) => self.waiting.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}
