//! What two views say of effective access as of one position: the listing that a snapshot carries, and that of the new view.
//! Both are in one order, so they are read side by side, a principal at a time.

use std::{collections::BTreeSet, iter::Peekable};

use grantbook_views::{Snapshot, ViewError};
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
const TOLD: usize = 1000;
/// Lines that go from one thread to the other together.
const TOGETHER: usize = 1000;
const AHEAD: usize = 4;

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

/// The lines about one principal. Users come before tokens.
type Group = ((String, bool, String), BTreeSet<String>);

/// Reads both listings side by side.
pub(super) async fn compare(
    store: &Store,
    (name, manifest): (&str, &Manifest),
    view: &Snapshot,
) -> Result<Differences, Refused> {
    let (give_before, before) = mpsc::channel::<Vec<String>>(AHEAD);
    let (give_after, after) = mpsc::channel::<Vec<String>>(AHEAD);
    let (view, sequence) = (view.clone(), manifest.sequence);
    let listing = spawn_blocking(move || list(&view, sequence, &give_after));
    let comparing = spawn_blocking(move || differences(groups(before), groups(after)));
    let fetching = async {
        let mut rest = String::new();
        for piece in &manifest.listing.pieces {
            let bytes = opened(piece, &store.get(name, &piece.name).await?)?;
            rest.push_str(&String::from_utf8_lossy(&bytes));
            let whole = rest.rfind('\n').map_or(0, |end| end.saturating_add(1));
            let tail = rest.split_off(whole);
            if give_before.send(rest.lines().map(str::to_owned).collect()).await.is_err() {
                break;
            }
            rest = tail;
        }
        Ok::<_, Refused>(())
    };
    let fetched = fetching.await;
    drop(give_before);
    let (listed, differences) = (listing.await?, comparing.await);
    fetched?;
    listed?;
    differences.map_err(|error: JoinError| error.into())
}

fn list(view: &Snapshot, sequence: u64, give: &mpsc::Sender<Vec<String>>) -> Result<(), ViewError> {
    let mut lines = Vec::with_capacity(TOGETHER);
    view.access_listing(sequence, |line| {
        lines.push(line.to_owned());
        if lines.len() == TOGETHER && give.blocking_send(std::mem::take(&mut lines)).is_err() {
            return Err(ViewError::Interrupted);
        }
        Ok(())
    })?;
    // Whoever compares has come to its end if it does not take them.
    drop(give.blocking_send(lines));
    Ok(())
}

fn groups(mut lines: mpsc::Receiver<Vec<String>>) -> impl Iterator<Item = Group> {
    let mut lines = std::iter::from_fn(move || lines.blocking_recv()).flatten().peekable();
    std::iter::from_fn(move || group(&mut lines))
}

fn group(lines: &mut Peekable<impl Iterator<Item = String>>) -> Option<Group> {
    let first = lines.next()?;
    let key = key(&first);
    let mut group = BTreeSet::from([what(&first)]);
    while let Some(line) = lines.next_if(|line| self::key(line) == key) {
        group.insert(what(&line));
    }
    Some((key, group))
}

fn key(line: &str) -> (String, bool, String) {
    let mut words = line.splitn(3, ' ');
    let (org, principal) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (org.to_owned(), principal.starts_with("token:"), principal.to_owned())
}

fn what(line: &str) -> String {
    line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned()
}

fn differences(before: impl Iterator<Item = Group>, after: impl Iterator<Item = Group>) -> Differences {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let mut found = Differences::default();
    loop {
        let least = match (before.peek(), after.peek()) {
            (Some((one, _)), Some((other, _))) => one.min(other).clone(),
            (Some((one, _)), None) | (None, Some((one, _))) => one.clone(),
            (None, None) => return found,
        };
        let old = before.next_if(|(key, _)| *key == least).map(|(_, lines)| lines).unwrap_or_default();
        let new = after.next_if(|(key, _)| *key == least).map(|(_, lines)| lines).unwrap_or_default();
        if old == new {
            continue;
        }
        found.total = found.total.saturating_add(1);
        if found.principals.len() < TOLD {
            let (organization, _, principal) = least;
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
                one.difference(other).cloned().collect::<Vec<_>>()
            };
            let (before, after) = (only(&old, &new), only(&new, &old));
            found.principals.push(Difference { organization, principal, before, after });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Vec<Group> {
        let mut lines = lines.iter().map(|line| (*line).to_owned()).peekable();
        std::iter::from_fn(|| group(&mut lines)).collect()
    }

    #[test]
    fn whoever_has_other_access_is_told_of_with_what_only_one_side_says() {
        let before = of(&["o user:1 read a", "o user:1 update a", "o user:3 read", "o token:1 read"]);
        assert_eq!(before.len(), 3);
        let same = differences(before.clone().into_iter(), before.clone().into_iter());
        assert_eq!(same, Differences::default());
        let after = of(&["o user:1 read b", "o user:1 update a", "o user:2 read", "o token:1 read"]);
        let found = differences(before.into_iter(), after.into_iter());
        assert_eq!(found.total, 3);
        let names: Vec<_> = found.principals.iter().map(|one| one.principal.as_str()).collect();
        assert_eq!(names, ["user:1", "user:2", "user:3"]);
        assert_eq!(
            (&found.principals[0].before[0], &found.principals[0].after[0]),
            (&"read a".into(), &"read b".into())
        );
    }
}
