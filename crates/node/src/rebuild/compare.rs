//! What two views say of effective access as of one position: the listing that a snapshot carries, and that of the new view.
//! Both are in one order, so they are read side by side, a principal at a time; what groups have is held, of one organization.

use std::{collections::BTreeSet, iter::Peekable};

use grantbook_domain::id::{GroupId, OrgId};
use grantbook_views::{
    AccessParts, Groups, Holder, LISTING_FORM, LISTING_FORMS_READ, ListingError, Snapshot, ViewError,
    access_lines,
};
use serde::Serialize;
use tokio::{
    sync::mpsc,
    task::{JoinError, spawn_blocking},
};

use crate::{
    bootstrap::{Refused, opened},
    snapshots::{Manifest, Store},
};

/// So many principals are told of in full; all are counted.
const DIFFERENCES_MAX: usize = 1000;
/// Lines that go from one thread to the other together.
const LINES_PER_BATCH: usize = 1000;
const CHANNEL_CAPACITY: usize = 4;

/// How two views differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// How many principals have other access.
    pub total: u64,
    /// The first of them, by organization and id.
    pub principals: Vec<Difference>,
}

/// A principal with other access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The organization's id.
    pub organization: String,
    /// `user:<id>` or `token:<id>`.
    pub principal: String,
    /// What only the serving view says.
    pub before: Vec<String>,
    /// What only the new view says.
    pub after: Vec<String>,
}

/// Reads both listings side by side.
pub(super) async fn compare(
    store: &Store,
    (name, manifest): (&str, &Manifest),
    view: &Snapshot,
) -> Result<Differences, Refused> {
    let found = manifest.listing.form;
    if !LISTING_FORMS_READ.contains(&found) {
        return Err(Refused::Listing { found, expected: LISTING_FORM });
    }
    let (give_before, before) = mpsc::channel::<Vec<String>>(CHANNEL_CAPACITY);
    let (give_after, after) = mpsc::channel::<Vec<AccessParts>>(CHANNEL_CAPACITY);
    let (view, sequence) = (view.clone(), manifest.sequence);
    let listing = spawn_blocking(move || list(&view, sequence, &give_after));
    let comparing = spawn_blocking(move || {
        let parsed = received(before).map(|line| AccessParts::parse(&line));
        differences(Side::new(parsed), Side::new(received(after).map(Ok)))
    });
    let fetched = fetch(store, (name, manifest), &give_before).await;
    // Report a failed download before the comparison error that it causes.
    drop(give_before);
    let (listed, differences) = (listing.await?, comparing.await);
    fetched?;
    let (differences, lines) = differences.map_err(|error: JoinError| Refused::from(error))??;
    listed?;
    if lines != manifest.listing.lines {
        return Err(Refused::ListingEnds { found: lines, expected: manifest.listing.lines });
    }
    Ok(differences)
}

async fn fetch(
    store: &Store,
    (name, manifest): (&str, &Manifest),
    give: &mpsc::Sender<Vec<String>>,
) -> Result<(), Refused> {
    let mut rest = Vec::new();
    for piece in &manifest.listing.pieces {
        rest.extend(opened(piece, &store.get(name, &piece.name, piece.bytes).await?)?);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        let tail = rest.split_off(whole);
        let text = String::from_utf8(rest).map_err(|error| ListingError::Line(error.to_string()))?;
        if give.send(text.lines().map(str::to_owned).collect()).await.is_err() {
            // Whoever compares says why.
            return Ok(());
        }
        rest = tail;
    }
    if rest.is_empty() { Ok(()) } else { Err(ListingError::Line("it has no end".to_owned()).into()) }
}

fn list(view: &Snapshot, sequence: u64, give: &mpsc::Sender<Vec<AccessParts>>) -> Result<(), ViewError> {
    let mut held = Vec::with_capacity(LINES_PER_BATCH);
    view.access_listing(sequence, |parts| {
        held.push(parts.clone());
        if held.len() == LINES_PER_BATCH && give.blocking_send(std::mem::take(&mut held)).is_err() {
            return Err(ViewError::Interrupted);
        }
        Ok(())
    })?;
    // Whoever compares has come to its end if it does not take them.
    drop(give.blocking_send(held));
    Ok(())
}

fn received<T>(mut from: mpsc::Receiver<Vec<T>>) -> impl Iterator<Item = T> {
    std::iter::from_fn(move || from.blocking_recv()).flatten()
}

/// One of two listings, while it is read.
struct Side<I: Iterator<Item = Result<AccessParts, ListingError>>> {
    lines: Peekable<I>,
    taken: u64,
    last: Option<(OrgId, Holder)>,
    /// Of the organization that is being read.
    groups: Groups,
}

impl<I: Iterator<Item = Result<AccessParts, ListingError>>> Side<I> {
    fn new(lines: I) -> Self {
        Self { lines: lines.peekable(), taken: 0, last: None, groups: Groups::new() }
    }

    fn place(&mut self) -> Result<Option<(OrgId, Holder)>, ListingError> {
        match self.lines.peek() {
            None => Ok(None),
            Some(Ok(parts)) => Ok(Some(parts.place())),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    fn org(&mut self) -> Result<Option<OrgId>, ListingError> {
        Ok(self.place()?.map(|(org, _)| org))
    }

    /// The next line if it is of this place.
    fn take(&mut self, place: (OrgId, Holder)) -> Result<Option<AccessParts>, ListingError> {
        if self.place()? != Some(place) {
            return Ok(None);
        }
        if self.last >= Some(place) {
            return Err(ListingError::Order(place.1));
        }
        self.last = Some(place);
        self.taken = self.taken.saturating_add(1);
        self.lines.next().transpose()
    }

    /// Takes the lines of an organization's groups.
    fn enter(&mut self, org: OrgId) -> Result<(), ListingError> {
        self.groups.clear();
        while let Some((of, holder @ Holder::Group(id))) = self.place()?
            && of == org
        {
            if let Some(parts) = self.take((org, holder))? {
                self.groups.insert(id, parts);
            }
        }
        Ok(())
    }

    /// The place of the next line within the organization.
    fn within(&mut self, org: OrgId) -> Result<Option<Holder>, ListingError> {
        Ok(self.place()?.filter(|(of, _)| *of == org).map(|(_, holder)| holder))
    }
}

/// The differences, and how many lines the first listing had.
fn differences<A, B>(mut before: Side<A>, mut after: Side<B>) -> Result<(Differences, u64), ListingError>
where
    A: Iterator<Item = Result<AccessParts, ListingError>>,
    B: Iterator<Item = Result<AccessParts, ListingError>>,
{
    let mut found = Differences::default();
    loop {
        let org = match (before.org()?, after.org()?) {
            (Some(one), Some(other)) => one.min(other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Ok((found, before.taken)),
        };
        before.enter(org)?;
        after.enter(org)?;
        let changed = changed(&before.groups, &after.groups);
        loop {
            let holder = match (before.within(org)?, after.within(org)?) {
                (Some(one), Some(other)) => one.min(other),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => break,
            };
            let (old, new) = (before.take((org, holder))?, after.take((org, holder))?);
            let is_same =
                old == new && old.iter().all(|parts| parts.groups.iter().all(|id| !changed.contains(id)));
            if is_same {
                continue;
            }
            let words = |parts: &Option<AccessParts>, groups| match parts {
                Some(parts) => parts.expand(groups).map(|access| access_lines(&access)),
                None => Ok(Vec::new()),
            };
            found.add((org, holder), (words(&old, &before.groups)?, words(&new, &after.groups)?));
        }
    }
}

/// The groups that do not have the same.
fn changed(before: &Groups, after: &Groups) -> BTreeSet<GroupId> {
    let ids = before.keys().chain(after.keys()).copied();
    ids.filter(|id| before.get(id) != after.get(id)).collect()
}

impl Differences {
    /// Whoever has the same by other grants or groups has the same.
    fn add(&mut self, (org, holder): (OrgId, Holder), (old, new): (Vec<String>, Vec<String>)) {
        if old == new {
            return;
        }
        self.total = self.total.saturating_add(1);
        if self.principals.len() < DIFFERENCES_MAX {
            let only = |one: &[String], other: &[String]| {
                one.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>()
            };
            let (before, after) = (only(&old, &new), only(&new, &old));
            let (organization, principal) = (org.to_string(), holder.to_string());
            self.principals.push(Difference { organization, principal, before, after });
        }
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::{id::Id, scope::ObjectRef};
    use grantbook_views::CoverPart;

    use super::*;

    const ORG: OrgId = Id::from_u128(1);

    fn part(permission: &str, projects: &[u128]) -> CoverPart {
        CoverPart {
            permission: permission.to_owned(),
            types: vec!["project".to_owned()],
            organization: false,
            projects: projects.iter().map(|id| Id::from_u128(*id)).collect(),
            but: None,
            objects: Vec::new(),
        }
    }

    fn group(id: u128, allow: Vec<CoverPart>) -> AccessParts {
        AccessParts {
            org: ORG,
            holder: Holder::Group(Id::from_u128(id)),
            groups: vec![],
            allow,
            deny: vec![],
        }
    }

    fn user(id: u128, groups: &[u128], allow: Vec<CoverPart>) -> AccessParts {
        let groups = groups.iter().map(|id| Id::from_u128(*id)).collect();
        AccessParts { org: ORG, holder: Holder::User(Id::from_u128(id)), groups, allow, deny: vec![] }
    }

    fn compared(before: &[AccessParts], after: &[AccessParts]) -> Result<Differences, ListingError> {
        let side = |parts: &[AccessParts]| {
            let lines: Vec<_> = parts.iter().map(|parts| parts.line().unwrap()).collect();
            Side::new(lines.into_iter().map(|line| AccessParts::parse(&line)))
        };
        differences(side(before), side(after)).map(|(found, lines)| {
            assert_eq!(lines, u64::try_from(before.len()).unwrap());
            found
        })
    }

    #[test]
    fn whoever_has_other_access_is_told_of_with_what_only_one_side_says() {
        let mut token = user(0, &[], vec![part("read", &[1])]);
        token.holder = Holder::Token(Id::from_u128(1));
        let before = [
            user(1, &[], vec![part("read", &[1]), part("update", &[1])]),
            user(3, &[], vec![part("read", &[1])]),
            token.clone(),
        ];
        assert_eq!(compared(&before, &before).unwrap(), Differences::default());
        let after = [
            user(1, &[], vec![part("read", &[2]), part("update", &[1])]),
            user(2, &[], vec![part("read", &[1])]),
            token,
        ];
        let found = compared(&before, &after).unwrap();
        assert_eq!(found.total, 3);
        let told: Vec<_> = found.principals.iter().map(|one| (one.before.len(), one.after.len())).collect();
        assert_eq!(told, [(1, 1), (0, 1), (1, 0)]);
        assert!(
            found.principals[0].principal.starts_with("user:")
                && found.principals[0].before[0].starts_with("read on project projects only ")
        );
    }

    #[test]
    fn a_group_that_has_less_is_told_of_for_everybody_in_it_who_has_less_by_it() {
        let (wide, narrow) = (group(7, vec![part("read", &[1, 2])]), group(7, vec![part("read", &[1])]));
        let people = [
            user(1, &[7], vec![]),
            user(2, &[7], vec![part("read", &[2])]),
            user(3, &[], vec![part("read", &[2])]),
        ];
        let with = |group: &AccessParts| [std::slice::from_ref(group), &people].concat();
        let found = compared(&with(&wide), &with(&narrow)).unwrap();
        // The second has the same of its own.
        assert_eq!(found.total, 1);
        assert!(found.principals[0].principal.ends_with("000000000001"), "{found:?}");
        // Nobody has other access if only the way to it is another.
        let direct = [
            user(1, &[], vec![part("read", &[1, 2])]),
            user(2, &[], vec![part("read", &[1, 2])]),
            user(3, &[], vec![part("read", &[2])]),
        ];
        assert_eq!(compared(&with(&wide), &direct).unwrap(), Differences::default());
    }

    #[test]
    fn a_denied_object_is_a_difference_and_one_that_was_not_allowed_is_none() {
        let named = |project: u128| CoverPart {
            objects: vec![(ObjectRef::new("project", "a b"), Some(Id::from_u128(project)))],
            ..part("read", &[])
        };
        let before = [user(1, &[], vec![part("read", &[1])])];
        let denied = |project| [AccessParts { deny: vec![named(project)], ..before[0].clone() }];
        assert_eq!(compared(&before, &denied(1)).unwrap().total, 1);
        assert_eq!(compared(&before, &denied(2)).unwrap().total, 0);
    }

    #[test]
    fn lines_that_are_not_in_order_or_name_nobody_are_no_listing() {
        let people = [user(2, &[], vec![part("read", &[1])]), user(1, &[], vec![part("read", &[1])])];
        assert!(matches!(compared(&people, &[]), Err(ListingError::Order(_))));
        assert!(matches!(compared(&[], &people), Err(ListingError::Order(_))));
        let twice = [people[0].clone(), people[0].clone()];
        assert!(matches!(compared(&twice, &[]), Err(ListingError::Order(_))));
        let late = [people[0].clone(), group(7, vec![part("read", &[1])])];
        assert!(matches!(compared(&late, &late), Err(ListingError::Order(_))));
        let nobody = [user(1, &[9], vec![])];
        assert!(matches!(compared(&nobody, &[]), Err(ListingError::Group(..))));
        assert!(AccessParts::parse("{}").is_err());
    }
}
