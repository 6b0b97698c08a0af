//! `/v1/groups/{id}/members`

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::{Page, PageQuery},
    members::{AddMember, Member},
};
use grantbook_domain::{
    command::{Command, Expiry, MemberCommand},
    id::GroupId,
    model,
    refusal::Kind,
    rights::Ask,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, body::shape, path::InPath, problem::Failure, query, read::Reading, write::Write},
    routes::{
        lists::Wanted,
        names::named_grantee,
        plan::{Plan, end, grantee, grantee_in_body, id_in_path},
        render,
        sight::{Sight, Thing},
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(list, post)).routes(routes!(delete_one))
}

pub(super) fn add(group: &str, body: Value) -> Result<Plan, Failure> {
    let group = id_in_path(group, Kind::Group)?;
    let AddMember { member: reference, expires_at } = shape(body)?;
    let member = grantee_in_body(&reference, "/member")?;
    let end = expires_at.map(|text| end(&text, "/expires_at")).transpose()?;
    let expires_at = end.map_or(Expiry::Kept, Expiry::from);
    Ok(Plan::new(Command::Member(MemberCommand::Add { group, member, expires_at }), reference.id))
}

pub(super) fn remove(group: &str, kind: &str, id: &str) -> Result<Plan, Failure> {
    let group = id_in_path(group, Kind::Group)?;
    let member = grantee(kind, id).ok_or_else(|| Failure::not_found(Kind::Member))?;
    Ok(Plan::new(Command::Member(MemberCommand::Remove { group, member }), id.to_string()))
}

/// The direct members of a group.
#[utoipa::path(get, path = "/v1/groups/{id}/members", tag = "members", operation_id = "list_members",
    params(("id" = String, Path, description = "The group's id."), PageQuery),
    responses((status = 200, body = Page<Member>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let query: PageQuery = query::read(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let wanted = Wanted::plain(format!("members\n{id}"), query)?;
        let mut sight = Sight::new(reading)?;
        sight.find::<model::Group>(Ask::Group, &Thing::Group(id), &id, Kind::Group)?;
        let show = |membership: &model::Membership| {
            let member = named_grantee(membership.member, sight.name_of(membership.member)?);
            Ok(Some(Member { member, ..render::member(membership) }))
        };
        wanted.page(reading, |listing| reading.snapshot.members_of(reading.org, id, listing), show)
    });
    answer.await
}

/// Adds a member; for one already in, another expiry replaces the present one.
#[utoipa::path(post, path = "/v1/groups/{id}/members", tag = "members", operation_id = "add_member",
    params(("id" = String, Path, description = "The group's id.")), request_body = AddMember,
    responses((status = 201, body = Member, description = "Added."), (status = 200, body = Member, description = "In already, until then.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// Removes a member.
#[utoipa::path(delete, path = "/v1/groups/{id}/members/{type}/{mid}", tag = "members", operation_id = "remove_member",
    params(("id" = String, Path, description = "The group's id."),
        ("type" = String, Path, description = "`user`, `token` or `group`."),
        ("mid" = String, Path, description = "The member's id.")),
    responses((status = 200, body = Member, description = "As it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
