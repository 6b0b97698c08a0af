//! `/v1/sessions`: short-lived keys of people

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::sessions::{Session, SessionQuery},
    words::list::PageQuery,
};
use grantbook_domain::model;

use crate::{
    http::query,
    read::{
        context::{ReadContext, authz::Authorizer, paging::PageRequest},
        nouns::keys,
    },
    wire::{reference::user_in_path, render},
};

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let SessionQuery { user, limit, cursor } = query::read(&uri)?;
        let named = user.map(|id| user_in_path(&id)).transpose()?;
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
