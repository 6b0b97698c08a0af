//! `/v1/groups/{id}/members`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::PageQuery,
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

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        names::named_grantee,
        parse::{ParsedWrite, end, grantee, grantee_in_body, id_in_path},
        render,
    },
};

pub(crate) fn add(group: &str, body: Value) -> Result<ParsedWrite, Failure> {
    let group = id_in_path(group, Kind::Group)?;
    let AddMember { member: reference, expires_at } = shape(body)?;
    let member = grantee_in_body(&reference, "/member")?;
    let end = expires_at.map(|text| end(&text, "/expires_at")).transpose()?;
    let expires_at = end.map_or(Expiry::Kept, Expiry::from);
    Ok(ParsedWrite::new(Command::Member(MemberCommand::Add { group, member, expires_at }), reference.id))
}

pub(crate) fn remove(group: &str, kind: &str, id: &str) -> Result<ParsedWrite, Failure> {
    let group = id_in_path(group, Kind::Group)?;
    let member = grantee(kind, id).ok_or_else(|| Failure::not_found(Kind::Member))?;
    Ok(ParsedWrite::new(Command::Member(MemberCommand::Remove { group, member }), id.to_string()))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let query: PageQuery = query::read(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let wanted = PageRequest::plain(format!("members\n{id}"), query)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (_, permit) = authorizer.find::<model::Group>(Ask::Group, &id, Kind::Group)?;
        let show = |membership: &model::Membership| {
            let member = named_grantee(membership.member, authorizer.name_of(membership.member)?);
            Ok(Some(Member { member, ..render::member(membership) }))
        };
        wanted.page(permit, |rows, listing| rows.members_of(reading.org, id, listing), show)
    });
    answer.await
}
