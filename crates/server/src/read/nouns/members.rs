//! `/v1/groups/{id}/members`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::members::{Member, MemberOf},
    words::{
        list::{Page, PageQuery},
        reference::Named,
        state::State,
    },
};
use grantbook_domain::{
    access::rights::Ask,
    id::GroupId,
    model,
    principal::{Grantee, Principal},
    refusal::Kind,
};

use crate::{
    http::{path::InPath, problem::Failure, query},
    read::{
        context::{
            ReadContext,
            authz::{Authorizer, Resource},
            paging::{PageRequest, PageRoom, PinnedPage, size},
        },
        nouns::keys,
    },
    wire::{
        names::named_grantee,
        reference::{id_in_path, token_in_path, user_in_path},
        render,
    },
};

pub(crate) async fn list(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        let query: PageQuery = query::read(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let wanted = PageRequest::plain(format!("members\n{id}"), query)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (_, permit) = authorizer.find::<model::Group>(Ask::Group, &id, Kind::Group)?;
        let show = |membership: &model::Membership| {
            let member = named_grantee(membership.member, authorizer.name_of(membership.member)?);
            let (ended, expires) = (membership.ended_at, membership.expires_at);
            let state = Some(render::state(State::Revoked, ended, expires, reading.at()));
            Ok(Some(Member { member, state, ..render::member(membership) }))
        };
        wanted.page(permit, |rows, listing| rows.members_of(reading.org, id, listing), show)
    });
    answer.await
}

pub(crate) async fn groups_of_token(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    groups_of(reading, uri, token_in_path(&id).map(Grantee::from)).await
}

pub(crate) async fn groups_of_user(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    groups_of(reading, uri, user_in_path(&id).map(Grantee::from)).await
}

pub(crate) async fn groups_of_group(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    groups_of(reading, uri, id_in_path(&id, Kind::Group).map(Grantee::Group)).await
}

/// The groups that somebody is directly in, as far as the caller may read them: whoever is in a group may read neither it nor who
/// else is.
async fn groups_of(reading: ReadContext, uri: Uri, member: Result<Grantee, Failure>) -> Response {
    let answer = reading.respond_list(move |reading| {
        let PageQuery { limit, cursor, as_of: _ } = query::read(&uri)?;
        let (limit, member) = (size(limit)?, member?);
        let mut authorizer = Authorizer::new(reading)?;
        let permit = match member {
            Grantee::User(id) => keys::require_seen(&mut authorizer, Principal::User(id))?,
            Grantee::Token(id) => keys::require_seen(&mut authorizer, Principal::Token(id))?,
            Grantee::Group(id) => authorizer.find::<model::Group>(Ask::Group, &id, Kind::Group)?.1,
        };
        let pinned = PinnedPage::of(reading, &format!("groups of\n{member:?}"), cursor.as_deref())?;
        let after = pinned.after.clone().unwrap_or_default();
        let (mut items, mut room, mut last) = (Vec::new(), PageRoom::of(limit), None);
        for membership in pinned.checker(permit)?.memberships_of(member)? {
            let (id, place) = (membership.group, membership.group.bytes());
            if place.as_slice() <= after.as_slice() || !authorizer.may(Ask::Group, &Resource::Group(id))? {
                continue;
            }
            let name = authorizer.name_of(Grantee::Group(id))?.unwrap_or_default();
            let Member { expires_at, created_at, .. } = render::member(&membership);
            let item = MemberOf { group: Named { id: id.to_string(), name }, expires_at, created_at };
            if !room.takes(&item)? {
                return Ok(Page { items, next: last.map(|place: [u8; 16]| pinned.cursor(&place)) });
            }
            items.push(item);
            last = Some(place);
        }
        Ok(Page { items, next: None })
    });
    answer.await
}
