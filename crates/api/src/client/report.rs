//! A report as it comes, however long it is.

use reqwest::{Method, Response};

use crate::{
    client::{Client, ClientError, header_text, lines::STREAM_TIMEOUT, successful},
    questions::report::ReportQuery,
    words::header,
};

/// The text of a report, bit by bit. Only one with an end is whole: see [`crate::questions::report::ReportFormat`].
#[derive(Debug)]
pub struct ReportStream {
    response: Response,
    /// How many principals are looked at; not all of them need have a row.
    pub principals: u64,
    /// The position at which it holds.
    pub position: Option<String>,
}

impl Client {
    /// Asks for a report in the format that the query names; JSON if it names none.
    pub async fn report(&self, query: &ReportQuery) -> Result<ReportStream, ClientError> {
        let request = self.request(Method::GET, self.url(&["v1", "report"], Some(query))?)?;
        let response = successful(self.execute(request.timeout(STREAM_TIMEOUT)).await?).await?;
        let principals = header_text(&response, header::PRINCIPALS).and_then(|text| text.parse().ok());
        let position = header_text(&response, header::POSITION);
        Ok(ReportStream { response, principals: principals.unwrap_or_default(), position })
    }
}

impl ReportStream {
    /// The next bytes; none after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(self.response.chunk().await?.map(|bytes| bytes.to_vec()))
    }
}
