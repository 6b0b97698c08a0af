//! `/v1/projects`

use axum::{http::Uri, response::Response};
use grantbook_api::{nouns::projects::Project, words::state::State};
use grantbook_domain::{access::rights::Ask, id::ProjectId, model, refusal::Kind, time::Timestamp};

use crate::{
    http::{path::InPath, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{reference::id_in_path, render},
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let wanted = PageRequest::named("projects", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.projects(reading.org, listing);
        wanted
            .page_of_each(&mut authorizer, Ask::Project, fetch, |_, project| Ok(shown(project, reading.at())))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: ProjectId = id_in_path(&id, Kind::Project)?;
        let (found, _) =
            Authorizer::new(reading)?.find::<model::Project>(Ask::Project, &id, Kind::Project)?;
        Ok(shown(&found, reading.at()))
    });
    answer.await
}

/// A project as reads show it.
pub(crate) fn shown(project: &model::Project, at: Timestamp) -> Project {
    let state = Some(render::state(State::Deleted, project.ended_at, None, at));
    Project { state, ..render::project(project) }
}
