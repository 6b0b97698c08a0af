//! `as_of`: questions about an earlier position or time. What may be asked is judged by today's rights, and needs the
//! right to read the audit log besides.

use grantbook_domain::{access::rights::Ask, id::InstallationId, position::Position, time::Timestamp};
use grantbook_views::Moment;

use crate::{
    http::{
        instant::{self, NoInstant},
        problem::Failure,
    },
    read::context::{
        ReadContext,
        authz::{Authorizer, Resource},
    },
    state::authn,
    wire::position::{self, PositionError},
};

/// A moment that a caller names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// After the record at a position, at its time.
    Position(Position),
    /// At an instant.
    Time(Timestamp),
}

impl Named {
    /// From a parameter: a position of this journal, or a time.
    pub(crate) fn parse(installation: InstallationId, name: &str, text: &str) -> Result<Self, Failure> {
        match instant::parse(text) {
            Ok(at) => return Ok(Self::Time(at)),
            Err(NoInstant::Malformed) => {}
            Err(wrong) => return Err(Failure::invalid(format!("the parameter {name} {}", wrong.detail()))),
        }
        let wrong = |error| match error {
            PositionError::Malformed => "is neither a position nor a time such as 2026-01-31T00:00:00Z",
            PositionError::Foreign => {
                "is a position of another journal, or of this one before it was restored"
            }
        };
        let position = position::decode(installation, text);
        position
            .map(Self::Position)
            .map_err(|error| Failure::invalid(format!("the parameter {name} {}", wrong(error))))
    }
}

impl ReadContext {
    /// The same, about the moment that a caller names, if it names one.
    pub(crate) async fn asked_as_of(self, text: Option<String>) -> Result<Self, Failure> {
        let Some(text) = text else { return Ok(self) };
        authn::note_looks_back();
        let named = Named::parse(self.web.app.installation, "as_of", &text)?;
        let understood = self.understood(move |reading| async move {
            let _permit = Authorizer::new(&reading)?.require(Ask::AsOf, &Resource::Whole)?;
            let reading = reading.reaching(named).await?;
            let moment = reading.moment("as_of", named)?;
            Ok((reading, moment))
        });
        let (reading, moment) = understood.await?;
        Ok(reading.at_moment(moment, Some(text)))
    }

    /// The same, once everything is here that the journal holds, if the moment is beyond what is here.
    pub(crate) async fn reaching(self, named: Named) -> Result<Self, Failure> {
        match named {
            Named::Position(position) if position > self.position => {
                let node = self.web.node()?;
                node.confirm().await.map_err(|why| Failure::unconfirmed(&why))?;
                let newer = node.reader.snapshot()?;
                self.on_newer(newer)
            }
            Named::Position(_) | Named::Time(_) => Ok(self),
        }
    }

    /// The moment of the last record that is here.
    pub(crate) fn newest(&self) -> Result<Moment, Failure> {
        Ok(self.rows_of_today().moment_after(self.org, self.position)?)
    }

    /// The moment that a parameter names; the future is refused.
    pub(crate) fn moment(&self, parameter: &str, named: Named) -> Result<Moment, Failure> {
        let wrong = |detail: &str| Err(Failure::invalid(format!("the parameter {parameter} {detail}")));
        Ok(match named {
            Named::Position(position) if position > self.position => {
                return wrong("is a position beyond the last record");
            }
            Named::Time(at) if at > self.now => return wrong("is a time in the future"),
            Named::Position(position) => self.rows_of_today().moment_after(self.org, position)?,
            Named::Time(at) => self.rows_of_today().moment_at(self.org, at)?,
        })
    }
}
