//! `/v1/webhooks`: where messages are sent; how that goes is in `deliveries`

use axum::{http::Uri, response::Response};
use grantbook_domain::{access::rights::Ask, id::WebhookId, refusal::Kind, webhook};

use crate::{
    http::{path::InPath, problem::Failure, query},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::PageRequest,
        },
        nouns::deliveries,
    },
    wire::reference::id_in_path,
};

/// Webhooks send what happens in the organization, so seeing them also needs the right to read the audit log.
pub(crate) fn require<'r>(authorizer: &mut Authorizer<'r>) -> Result<Permit<'r>, Failure> {
    let _permit = authorizer.require(Ask::Webhooks, &Resource::Whole)?;
    authorizer.require(Ask::Audit, &Resource::Whole)
}

/// A living webhook, for who may look at webhooks.
pub(crate) fn find<'r>(
    reading: &'r ReadContext,
    id: &str,
) -> Result<(webhook::Webhook, Permit<'r>), Failure> {
    let mut authorizer = Authorizer::new(reading)?;
    let _permit = require(&mut authorizer)?;
    let id: WebhookId = id_in_path(id, Kind::Webhook)?;
    authorizer.find(Ask::Webhooks, &id, Kind::Webhook)
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let wanted = PageRequest::plain("webhooks", query::read(&uri)?)?;
        let permit = require(&mut Authorizer::new(reading)?)?;
        let show = |webhook: &webhook::Webhook| deliveries::shown(permit, webhook).map(Some);
        wanted.page(permit, |rows, listing| rows.webhooks(reading.org, listing), show)
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let (found, permit) = find(reading, &id)?;
        deliveries::shown(permit, &found)
    });
    answer.await
}
