//! Pages: of lists, and of answers that look at everything. All pages of one list hold at the position of the first.

use grantbook_api::words::list::{LIMIT_DEFAULT, LIMIT_MAX, ListQuery, Page, PageQuery};
use grantbook_domain::{access::rights::Ask, position::Position, time::Timestamp};
use grantbook_views::{Checker, ListCursor, Listed, Listing, Snapshot, ViewError};

use crate::{
    http::{cursor::Cursor, problem::Failure},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
    },
};

/// Bytes of an instant in a cursor.
const WORD: usize = 8;

/// The size of a page: never clamped.
pub(crate) fn size(limit: Option<u32>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(usize::try_from(limit).unwrap_or(1)),
        _ => Err(Failure::invalid("the parameter limit must be 1 to 1000")),
    }
}

/// Which page of which list.
#[derive(Debug)]
pub(crate) struct PageRequest {
    /// Names the list: its route and its filters.
    list: String,
    name: Option<String>,
    limit: usize,
    cursor: Option<String>,
}

impl PageRequest {
    /// A page of a list with names.
    pub(crate) fn named(list: &str, query: ListQuery) -> Result<Self, Failure> {
        let ListQuery { name, limit, cursor, as_of: _ } = query;
        let list = format!("{list}\n{name:?}");
        Ok(Self { list, name, limit: size(limit)?, cursor })
    }

    /// A page of a list without names; `list` says its filters too.
    pub(crate) fn plain(list: impl Into<String>, query: PageQuery) -> Result<Self, Failure> {
        let PageQuery { limit, cursor, as_of: _ } = query;
        Ok(Self { list: list.into(), name: None, limit: size(limit)?, cursor })
    }

    /// The page of a list that was permitted as a whole: what `show` makes of the items, but for those of which it
    /// makes nothing.
    pub(crate) fn page<T, D>(
        &self,
        permit: Permit<'_>,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        show: impl FnMut(&T) -> Result<Option<D>, Failure>,
    ) -> Result<Page<D>, Failure> {
        self.filled(permit.reading(), fetch, show)
    }

    /// The page of a list whose items are permitted one by one: full, though others lie between them.
    pub(crate) fn page_of_each<T, D>(
        &self,
        authorizer: &mut Authorizer<'_>,
        ask: Ask,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        mut show: impl FnMut(&mut Authorizer<'_>, &T) -> Result<D, Failure>,
    ) -> Result<Page<D>, Failure>
    where
        for<'a> Resource<'a>: From<&'a T>,
    {
        self.filled(authorizer.reading(), fetch, |item| {
            if authorizer.may(ask, &item.into())? { show(authorizer, item).map(Some) } else { Ok(None) }
        })
    }

    fn filled<T, D>(
        &self,
        reading: &ReadContext,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        mut show: impl FnMut(&T) -> Result<Option<D>, Failure>,
    ) -> Result<Page<D>, Failure> {
        let begun = reading.cursor(&self.list, self.cursor.as_deref())?;
        let at = begun.as_ref().map_or(reading.position, |cursor| cursor.at);
        let mut after = begun.map(|cursor| ListCursor::from_bytes(cursor.after));
        let mut items: Vec<D> = Vec::new();
        let mut last = None;
        loop {
            let limit = (self.limit + 1).saturating_sub(items.len()).max(1);
            let listing = Listing { at, after: after.as_ref(), name: self.name.as_deref(), limit };
            let page = fetch(reading.rows(), &listing)?;
            for Listed { thing, cursor } in page.items {
                let Some(item) = show(&thing)? else { continue };
                if items.len() == self.limit {
                    let next = last.map(|place: ListCursor| {
                        let cursor = Cursor { at, after: place.as_bytes().to_vec() };
                        reading.cursor_text(&self.list, &cursor)
                    });
                    return Ok(Page { items, next });
                }
                items.push(item);
                last = Some(cursor);
            }
            after = page.next;
            if after.is_none() {
                return Ok(Page { items, next: None });
            }
        }
    }
}

/// A page of an answer, pinned to the position and the instant of the first page: the cursor carries both.
#[derive(Debug)]
pub(crate) struct PinnedPage<'r> {
    reading: &'r ReadContext,
    /// Where the answer was begun.
    at: Position,
    /// The instant asked about when it was begun.
    now: Timestamp,
    /// Everything as it was then.
    snapshot: Snapshot,
    /// What the page before left: its last place, in the words of the question; none for the first page.
    pub(crate) after: Option<Vec<u8>>,
    /// Names the question.
    list: String,
}

impl<'r> PinnedPage<'r> {
    /// The first page, or the one that a cursor of the same answer leads to. `list` names the question.
    pub(crate) fn of(reading: &'r ReadContext, list: &str, cursor: Option<&str>) -> Result<Self, Failure> {
        let list = list.to_owned();
        let Some(Cursor { at, after }) = reading.cursor(&list, cursor)? else {
            let snapshot = reading.rows().clone();
            return Ok(Self {
                reading,
                at: reading.position,
                now: reading.at(),
                snapshot,
                after: None,
                list,
            });
        };
        let (instant, place) = after
            .split_first_chunk::<WORD>()
            .ok_or_else(|| Failure::invalid("the parameter cursor is not one of this list"))?;
        let now = Timestamp::from_millis(i64::from_be_bytes(*instant));
        // What is there already is read faster than what was.
        let snapshot = if at == reading.position { reading.rows().clone() } else { reading.rows().as_of(at) };
        Ok(Self { reading, at, now, snapshot, after: Some(place.to_vec()), list })
    }

    /// The read that the page is of.
    pub(super) const fn reading(&self) -> &'r ReadContext {
        self.reading
    }

    /// The rows where all pages hold.
    pub(super) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The same, for a question that was permitted.
    pub(crate) const fn rows(&self, _: Permit<'r>) -> &Snapshot {
        &self.snapshot
    }

    /// Who answers, at the position and the instant of the first page.
    pub(crate) fn checker(&self, _: Permit<'r>) -> Result<Checker<'_>, Failure> {
        Ok(self.snapshot.checker(self.reading.org, self.now)?)
    }

    /// The position at which all pages hold, as clients see it.
    pub(crate) fn position(&self) -> String {
        self.reading.web.position_text(self.at)
    }

    /// The cursor of the page that goes on beyond a place.
    pub(crate) fn cursor(&self, place: &[u8]) -> String {
        let mut after = self.now.millis().to_be_bytes().to_vec();
        after.extend_from_slice(place);
        self.reading.cursor_text(&self.list, &Cursor { at: self.at, after })
    }
}
