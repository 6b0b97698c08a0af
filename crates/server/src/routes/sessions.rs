//! `/v1/sessions`: short-lived keys of people

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::PageQuery,
    sessions::{Session, SessionQuery, StartSession},
};
use grantbook_domain::{
    command::{Command, SessionCommand},
    id::KeyId,
    model,
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, problem::Failure, query},
    routes::{
        keys,
        parse::{NewSecret, ParseContext, ParsedWrite, id_in_path},
        render,
    },
};
use grantbook_command::secret::{KeyKind, Secret};

/// A session is a key of the user who starts it.
pub(crate) fn start(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let StartSession {} = shape(body)?;
    let id = context.ids.id();
    let secret = Secret::mint(KeyKind::User, id).map_err(|error| Failure::internal(&error))?;
    let command = Command::Session(SessionCommand::Start { id, hash: secret.hash() });
    Ok(ParsedWrite { secret: Some(NewSecret::Key(id, secret)), ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn end(id: &str) -> Result<ParsedWrite, Failure> {
    let id: KeyId = id_in_path(id, Kind::Session)?;
    Ok(ParsedWrite::new(Command::Session(SessionCommand::End { id }), id.to_string()))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let SessionQuery { user, limit, cursor } = query::read(&uri)?;
        let named = user.map(|id| keys::user(&id)).transpose()?;
        let principal = named.unwrap_or(reading.caller.principal);
        let list = format!("sessions\n{principal:?}");
        let wanted = PageRequest::plain(list, PageQuery { limit, cursor, as_of: None })?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = keys::require_seen(&mut authorizer, principal)?;
        let sees = keys::seen_keys(&mut authorizer, principal)?;
        let owner = permit.named_principal(principal)?;
        let show = |key: &model::Key| {
            let works = sees.has(key.id) && permit.rows_of_today().key_works(key.id, reading.now)?;
            let shown = render::session(key).filter(|_| works);
            Ok(shown.map(|session| Session { principal: owner.clone(), ..session }))
        };
        wanted.page(permit, |rows, listing| rows.keys_of(reading.org, principal, listing), show)
    });
    answer.await
}
