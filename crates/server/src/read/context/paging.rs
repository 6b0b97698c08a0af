//! Pages: of lists, and of answers that look at everything. All pages of one list hold at the position of the first, and each
//! is bounded, in items and in bytes.

use std::io::{self, Write};

use grantbook_api::words::list::{LIMIT_DEFAULT, LIMIT_MAX, ListQuery, Page, PageQuery};
use grantbook_domain::{access::rights::Ask, position::Position, time::Timestamp};
use grantbook_views::{Checker, Document, ListCursor, Listed, Listing, Snapshot, ViewError};
use serde::Serialize;

use crate::{
    http::{cursor::Cursor, problem::Failure},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
    },
};

/// Bytes of an instant in a cursor.
const WORD: usize = 8;

/// Most bytes of the items of a page, as JSON: it ends before the item that would make it longer, and `next` leads on. The first
/// item is given however long it is.
pub(crate) const PAGE_BYTES: usize = 1 << 20;
/// Most units of work of a page of an answer that compares access: it ends with the item that makes it cost more.
pub(crate) const PAGE_WORK: u64 = 4_000_000;
/// How many items of a list are looked up together: documents can be long.
const FETCH: usize = 64;
/// Most items that a page passes over because they do not match the search or the filter. Then it ends, and `next` leads on.
const PASSED_OVER: usize = 20_000;

/// What is left of a page.
#[derive(Debug)]
pub(crate) struct PageRoom {
    items: usize,
    bytes: usize,
    is_empty: bool,
}

impl PageRoom {
    /// A page of so many items.
    pub(crate) const fn of(items: usize) -> Self {
        Self::bounded(items, PAGE_BYTES)
    }

    /// The same, with another bound of bytes.
    const fn bounded(items: usize, bytes: usize) -> Self {
        Self { items, bytes, is_empty: true }
    }

    /// How many more items it may have.
    pub(crate) const fn items(&self) -> usize {
        self.items
    }

    /// Whether an item fits; then the page has it.
    pub(crate) fn takes(&mut self, item: &impl Serialize) -> Result<bool, Failure> {
        Ok(self.takes_bytes(json_bytes(item)?))
    }

    /// Begins an item that is given in parts, unless the page has all of its items.
    pub(crate) const fn begins(&mut self) -> bool {
        let fits = self.items > 0;
        self.items = self.items.saturating_sub(1);
        fits
    }

    /// Whether a part of an item fits; then the page has it.
    pub(crate) fn takes_part(&mut self, part: &impl Serialize) -> Result<bool, Failure> {
        let bytes = json_bytes(part)?;
        let fits = self.is_empty || bytes <= self.bytes;
        if fits {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_empty = false;
        }
        Ok(fits)
    }

    /// Whether what comes before the parts of an item fits; then the page has it. The first part after it fits in any case.
    pub(crate) fn takes_head(&mut self, head: &impl Serialize) -> Result<bool, Failure> {
        let bytes = json_bytes(head)?;
        let fits = self.is_empty || bytes <= self.bytes;
        if fits {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        Ok(fits)
    }

    fn takes_bytes(&mut self, bytes: usize) -> bool {
        let fits = self.items > 0 && (self.is_empty || bytes <= self.bytes);
        if fits {
            self.items -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_empty = false;
        }
        fits
    }
}

/// How long something is as JSON, without writing it down.
pub(crate) fn json_bytes(value: &impl Serialize) -> Result<usize, Failure> {
    struct Count(usize);

    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(|error| Failure::internal(&error))?;
    // With the comma before the next.
    Ok(count.0 + 1)
}

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
    /// A part of the name, in lower case.
    search: Option<String>,
    limit: usize,
    cursor: Option<String>,
}

impl PageRequest {
    /// A page of a list with names.
    pub(crate) fn named(list: &str, query: ListQuery) -> Result<Self, Failure> {
        let ListQuery { name, search, limit, cursor, as_of: _ } = query;
        let search = search.map(|part| part.to_lowercase());
        let list = format!("{list}\n{name:?}\n{search:?}");
        Ok(Self { list, name, search, limit: size(limit)?, cursor })
    }

    /// A page of a list without names; `list` says its filters too.
    pub(crate) fn plain(list: impl Into<String>, query: PageQuery) -> Result<Self, Failure> {
        let PageQuery { limit, cursor, as_of: _ } = query;
        Ok(Self { list: list.into(), name: None, search: None, limit: size(limit)?, cursor })
    }

    /// The page of a list that was permitted as a whole: what `show` makes of the items, but for those of which it
    /// makes nothing.
    pub(crate) fn page<T, D: Serialize>(
        &self,
        permit: Permit<'_>,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        show: impl FnMut(&T) -> Result<Option<D>, Failure>,
    ) -> Result<Page<D>, Failure> {
        self.filled(permit.reading(), fetch, |_| true, show)
    }

    /// The page of a list whose items are permitted one by one: full, though others lie between them.
    pub(crate) fn page_of_each<T: Document, D: Serialize>(
        &self,
        authorizer: &mut Authorizer<'_>,
        ask: Ask,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        mut show: impl FnMut(&mut Authorizer<'_>, &T) -> Result<D, Failure>,
    ) -> Result<Page<D>, Failure>
    where
        for<'a> Resource<'a>: From<&'a T>,
    {
        self.page_of_each_that(authorizer, ask, (fetch, |_: &T| true), &mut show)
    }

    /// The same, of the items that match a filter.
    pub(crate) fn page_of_each_that<T: Document, D: Serialize>(
        &self,
        authorizer: &mut Authorizer<'_>,
        ask: Ask,
        (fetch, is_meant): (
            impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
            impl Fn(&T) -> bool,
        ),
        mut show: impl FnMut(&mut Authorizer<'_>, &T) -> Result<D, Failure>,
    ) -> Result<Page<D>, Failure>
    where
        for<'a> Resource<'a>: From<&'a T>,
    {
        let is_searched = |item: &T| self.search.as_deref().is_none_or(|part| item.is_found_by(part));
        let is_wanted = |item: &T| is_searched(item) && is_meant(item);
        self.filled(authorizer.reading(), fetch, is_wanted, |item| {
            if authorizer.may(ask, &item.into())? { show(authorizer, item).map(Some) } else { Ok(None) }
        })
    }

    fn filled<T, D: Serialize>(
        &self,
        reading: &ReadContext,
        fetch: impl Fn(&Snapshot, &Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        is_wanted: impl Fn(&T) -> bool,
        mut show: impl FnMut(&T) -> Result<Option<D>, Failure>,
    ) -> Result<Page<D>, Failure> {
        let begun = reading.cursor(&self.list, self.cursor.as_deref())?;
        let at = begun.as_ref().map_or(reading.position, |cursor| cursor.at);
        let mut after = begun.map(|cursor| ListCursor::from_bytes(cursor.after));
        let mut items: Vec<D> = Vec::new();
        let mut room = PageRoom::of(self.limit);
        let mut last = None;
        let mut passed_over = 0;
        let lead_on = |place: ListCursor| {
            reading.cursor_text(&self.list, &Cursor { at, after: place.as_bytes().to_vec() })
        };
        loop {
            // One more than fit shows whether there is a next page.
            let limit = room.items().saturating_add(1).min(FETCH);
            let listing = Listing { at, after: after.as_ref(), name: self.name.as_deref(), limit };
            let page = fetch(reading.rows(), &listing)?;
            for Listed { thing, cursor } in page.items {
                if !is_wanted(&thing) {
                    passed_over += 1;
                    if passed_over >= PASSED_OVER {
                        return Ok(Page { items, next: Some(lead_on(cursor)) });
                    }
                    continue;
                }
                let Some(item) = show(&thing)? else { continue };
                if !room.takes(&item)? {
                    return Ok(Page { items, next: last.map(lead_on) });
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

    /// The instant of the first page: expiry is judged at it.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages of items of these lengths.
    fn pages(lengths: &[usize], items: usize, bytes: usize) -> Vec<Vec<usize>> {
        let mut pages = vec![Vec::new()];
        let mut room = PageRoom::bounded(items, bytes);
        for length in lengths {
            if !room.takes_bytes(*length) {
                pages.push(Vec::new());
                room = PageRoom::bounded(items, bytes);
                assert!(room.takes_bytes(*length), "the first item always fits");
            }
            pages.last_mut().unwrap().push(*length);
        }
        pages
    }

    #[test]
    fn a_page_ends_with_its_items_or_before_the_item_that_is_too_much() {
        assert_eq!(pages(&[1, 1, 1, 1, 1], 2, 100), [vec![1, 1], vec![1, 1], vec![1]]);
        assert_eq!(pages(&[40, 60, 1, 99, 2], 9, 100), [vec![40, 60], vec![1, 99], vec![2]]);
        assert_eq!(pages(&[500, 1, 500], 9, 100), [vec![500], vec![1], vec![500]]);
    }

    #[test]
    fn the_length_is_that_of_the_json_and_a_comma() {
        for value in [serde_json::json!({"a": ["\u{e9}\n", 1.5, null]}), serde_json::json!([])] {
            assert_eq!(json_bytes(&value).unwrap(), value.to_string().len() + 1);
        }
    }
}
