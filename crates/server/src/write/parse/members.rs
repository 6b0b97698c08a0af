//! `/v1/groups/{id}/members`

use grantbook_api::nouns::members::AddMember;
use grantbook_domain::{
    command::{Command, Expiry, MemberCommand},
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::{grantee, id_in_path},
    write::parse::{ParsedWrite, end, grantee_in_body},
};

pub(crate) fn add(group: &str, body: &Value) -> Result<ParsedWrite, Failure> {
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
