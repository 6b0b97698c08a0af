//! Pages of lists: filtered by what the caller may see, and yet full.

use grantbook_api::list::{LIMIT_DEFAULT, LIMIT_MAX, ListQuery, Page, PageQuery};
use grantbook_views::{ListCursor, Listed, Listing, ViewError};

use crate::http::{cursor::Cursor, problem::Failure, read::ReadContext};

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
        let binding = format!("{list}\n{name:?}");
        Ok(Self { list: binding, name, limit: size(limit)?, cursor })
    }

    /// A page of a list without names; `list` says its filters too.
    pub(crate) fn plain(list: impl Into<String>, query: PageQuery) -> Result<Self, Failure> {
        let PageQuery { limit, cursor, as_of: _ } = query;
        Ok(Self { list: list.into(), name: None, limit: size(limit)?, cursor })
    }

    /// The page: what `show` makes of the items, but for those of which it makes nothing.
    pub(crate) fn page<T, D>(
        &self,
        reading: &ReadContext,
        fetch: impl Fn(&Listing<'_>) -> Result<grantbook_views::Page<T>, ViewError>,
        mut show: impl FnMut(&T) -> Result<Option<D>, Failure>,
    ) -> Result<Page<D>, Failure> {
        let (binding, cursors) = (reading.binding(&self.list), &reading.web.cursors);
        let begun = self.cursor.as_deref().map(|text| cursors.decode(text, &binding, reading.now));
        let begun = begun.transpose()?;
        let at = begun.as_ref().map_or(reading.position, |cursor| cursor.at);
        if at > reading.position {
            return Err(Failure::behind(reading.position_text.clone()));
        }
        let mut after = begun.map(|cursor| ListCursor::from_bytes(cursor.after));
        let mut items: Vec<D> = Vec::new();
        let mut last = None;
        loop {
            let limit = (self.limit + 1).saturating_sub(items.len()).max(1);
            let listing = Listing { at, after: after.as_ref(), name: self.name.as_deref(), limit };
            let page = fetch(&listing)?;
            for Listed { thing, cursor } in page.items {
                let Some(item) = show(&thing)? else { continue };
                if items.len() == self.limit {
                    let next = last.map(|place: ListCursor| {
                        let cursor = Cursor { at, after: place.as_bytes().to_vec() };
                        cursors.encode(&cursor, &binding, reading.now)
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

/// The size of a page: never clamped.
pub(crate) fn size(limit: Option<u32>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(usize::try_from(limit).unwrap_or(1)),
        _ => Err(Failure::invalid("the parameter limit must be 1 to 1000")),
    }
}
