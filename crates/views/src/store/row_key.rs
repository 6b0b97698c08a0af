//! Keys of rows. Each begins with the organization (but those of `keys`), and no key of one thing is a prefix of
//! another's, as texts of free length stand behind their length.

use grantbook_domain::{
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, RoleId},
    position::Position,
    principal::{Grantee, Principal},
    time::Timestamp,
};

use crate::store::encode::Put;

/// What a row of `things` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The organization itself.
    Organization = 1,
    /// What was added to its catalog.
    Catalog = 2,
    /// A user.
    User = 3,
    /// A service token.
    Token = 4,
    /// A key.
    Key = 5,
    /// A group.
    Group = 6,
    /// A role.
    Role = 7,
    /// A project.
    Project = 8,
    /// A registered object.
    Object = 9,
    /// A grant.
    Grant = 10,
    /// A webhook.
    Webhook = 11,
}

/// One list of things, in the order of their creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List<'a> {
    /// Everything of a kind.
    All(Kind),
    /// Everything of a kind that has this name.
    Named(Kind, &'a str),
    /// Registered objects of a type.
    ObjectsOfType(&'a str),
    /// Keys of a principal.
    KeysOf(Principal),
    /// Memberships in a group.
    MembersOf(GroupId),
    /// Grants to a grantee.
    GrantsTo(Grantee),
    /// Grants that name a role.
    GrantsOfRole(RoleId),
    /// Grants that name a project.
    GrantsOnProject(ProjectId),
    /// Grants that are not bound to single projects or objects: on the organization, on all projects, or on a selector that
    /// includes some by name or label.
    GrantsAcross,
    /// Accounts of a kind that once took this external id; an entry never ends, so that a reader looks who has it.
    External(Kind, &'a str),
}

pub(crate) fn org(org: OrgId) -> Vec<u8> {
    org.bytes().to_vec()
}

pub(crate) fn at_position(org: OrgId, position: Position) -> Vec<u8> {
    Put::of(org).position(position).done()
}

pub(crate) fn time(org: OrgId, at: Timestamp, position: Position) -> Vec<u8> {
    Put::of(org).time(at).position(position).done()
}

/// Of objects of this type and id: the first project.
pub(crate) fn first_home(org: OrgId, object_type: &str, id: &str) -> Vec<u8> {
    Put::of(org).text(object_type).text(id).u8(1).done()
}

/// The beginning of the keys that end with each project.
pub(crate) fn homes(org: OrgId, object_type: &str, id: &str) -> Vec<u8> {
    Put::of(org).text(object_type).text(id).u8(2).done()
}

/// One project of them.
pub(crate) fn home(org: OrgId, object_type: &str, id: &str, project: ProjectId) -> Vec<u8> {
    Put::of(org).text(object_type).text(id).u8(2).id(project).done()
}

/// `id` is 16 bytes, or for objects the type and the id as texts, and the project if the type lies in projects.
pub(crate) fn thing(org: OrgId, kind: Kind, id: &[u8]) -> Vec<u8> {
    Put::of(org).u8(kind as u8).raw(id).done()
}

pub(crate) fn thing_kind(org: OrgId, kind: Kind) -> Vec<u8> {
    Put::of(org).u8(kind as u8).done()
}

/// A row's key with the position that tells versions or entries apart.
pub(crate) fn versioned(key: &[u8], from: Position) -> Vec<u8> {
    Put::new(key.len().saturating_add(8)).raw(key).position(from).done()
}

/// What a row of `access` says of a grantee.
pub(crate) mod tag {
    /// Whether it lives, and until when.
    pub(crate) const HEAD: u8 = 1;
    /// A group that it is directly in.
    pub(crate) const MEMBERSHIP: u8 = 2;
    /// A grant to it.
    pub(crate) const GRANT: u8 = 3;
}

/// Bytes of [`node`].
const NODE: usize = 33;

/// The beginning of all rows of `access` about a grantee.
pub(crate) fn node(org: OrgId, grantee: Grantee) -> Vec<u8> {
    Put::of(org).grantee(grantee).done()
}

pub(crate) fn head(org: OrgId, grantee: Grantee) -> Vec<u8> {
    Put::of(org).grantee(grantee).u8(tag::HEAD).done()
}

pub(crate) fn membership(org: OrgId, member: Grantee, group: GroupId) -> Vec<u8> {
    Put::of(org).grantee(member).u8(tag::MEMBERSHIP).id(group).done()
}

pub(crate) fn grant(org: OrgId, grantee: Grantee, id: GrantId) -> Vec<u8> {
    Put::of(org).grantee(grantee).u8(tag::GRANT).id(id).done()
}

/// The place in the past of a row of `access`: whom it is about, the record that ended it, then the rest of its key. So a
/// look at a grantee's past goes over what ended since, and not over what had ended by then.
pub(crate) fn access_past(key: &[u8], to: Position) -> Vec<u8> {
    let (node, rest) = key.split_at_checked(NODE).unwrap_or((key, &[]));
    Put::new(key.len().saturating_add(8)).raw(node).position(to).raw(rest).done()
}

pub(crate) fn key(id: KeyId) -> Vec<u8> {
    id.bytes().to_vec()
}

/// The beginning of all times of an organization that are not before an instant.
pub(crate) fn deadlines(org: OrgId, at: Timestamp) -> Vec<u8> {
    Put::of(org).time(at).done()
}

/// A time that a row of `access` of the grantee has, and the record that set it.
pub(crate) fn deadline(org: OrgId, at: Timestamp, grantee: Grantee, set_by: Position) -> Vec<u8> {
    Put::of(org).time(at).grantee(grantee).position(set_by).done()
}

/// The beginning of all entries of a list.
pub(crate) fn list(org: OrgId, list: List<'_>) -> Vec<u8> {
    let put = Put::of(org);
    match list {
        List::All(kind) => put.u8(1).u8(kind as u8),
        List::Named(kind, name) => put.u8(2).u8(kind as u8).text(name),
        List::ObjectsOfType(object_type) => put.u8(3).text(object_type),
        List::KeysOf(principal) => put.u8(4).principal(principal),
        List::MembersOf(group) => put.u8(5).id(group),
        List::GrantsTo(grantee) => put.u8(6).grantee(grantee),
        List::GrantsOfRole(role) => put.u8(7).id(role),
        List::GrantsOnProject(project) => put.u8(8).id(project),
        List::GrantsAcross => put.u8(10),
        List::External(kind, external_id) => put.u8(9).u8(kind as u8).text(external_id),
    }
    .done()
}

/// The place of an entry in its list. `id` is raw, so that bytes sort as ids do; `from` ends it.
pub(crate) fn list_place(created_at: Timestamp, id: &[u8], from: Position) -> Vec<u8> {
    Put::new(id.len().saturating_add(16)).time(created_at).raw(id).position(from).done()
}

/// A member's id in a list: the id first, as that is what sorts.
pub(crate) fn member_id(member: Grantee) -> Vec<u8> {
    match member {
        Grantee::User(id) => Put::new(17).id(id).u8(1),
        Grantee::Token(id) => Put::new(17).id(id).u8(2),
        Grantee::Group(id) => Put::new(17).id(id).u8(3),
    }
    .done()
}

/// The first key beyond all that begin with `prefix`; none if there is no such.
pub(crate) fn beyond(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_times_sort_as_the_times_do() {
        let org = OrgId::from_u128(1);
        let at = [i64::MIN, -5, 0, 5, i64::MAX].map(Timestamp::from_millis);
        let keys = at.map(|at| time(org, at, Position::START));
        assert!(keys.is_sorted());
    }

    #[test]
    fn what_lies_beyond_a_prefix_is_the_least_key_without_it() {
        assert_eq!(beyond(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(beyond(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(beyond(&[255, 255]), None);
        assert_eq!(beyond(&[]), None);
    }

    #[test]
    fn the_past_of_a_grantee_begins_as_its_present_does() {
        let (org, group) = (OrgId::from_u128(1), GroupId::from_u128(2));
        for grantee in [Grantee::Group(group), Grantee::Token(grantbook_domain::id::Id::from_u128(3))] {
            assert_eq!(node(org, grantee).len(), NODE);
            let past = access_past(&membership(org, grantee, group), Position::of(7, 1));
            let expected = Put::of(org).grantee(grantee).position(Position::of(7, 1)).u8(tag::MEMBERSHIP);
            assert_eq!(past, expected.id(group).done());
        }
    }

    #[test]
    fn no_list_begins_like_another() {
        let org = OrgId::from_u128(1);
        let lists = [
            List::All(Kind::Project),
            List::Named(Kind::Project, ""),
            List::Named(Kind::Project, "a"),
            List::Named(Kind::Project, "ab"),
            List::ObjectsOfType("a"),
            List::ObjectsOfType("ab"),
            List::External(Kind::User, "a"),
            List::External(Kind::User, "ab"),
            List::External(Kind::Token, "a"),
        ];
        let keys = lists.map(|one| list(org, one));
        for one in &keys {
            assert_eq!(keys.iter().filter(|other| other.starts_with(one)).count(), 1);
        }
    }
}
