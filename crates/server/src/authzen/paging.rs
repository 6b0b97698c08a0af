//! Pages of searches: the token carries limit and place under a digest, and is bound to the whole question.

use grantbook_api::authzen::{PageInfo, PageRequest};
use grantbook_views::{ListCursor, Page, Part};
use serde_json::Value;

use crate::{
    http::problem::Failure,
    read::context::{ReadContext, paging::PinnedPage},
};

/// Most results of one page.
const RESULTS_MAX: u32 = 1000;
/// Bytes of the limit.
const WORD: usize = 4;

/// Which page of a search.
#[derive(Debug)]
pub(super) struct SearchPage<'r> {
    /// Whose position and instant all pages share.
    pub(super) turn: PinnedPage<'r>,
    limit: u32,
    after: Option<ListCursor>,
    /// Whether a page was asked for.
    asked: bool,
}

impl<'r> SearchPage<'r> {
    /// The page that a body asks for. `search` names the route; all else that is known is what a token is bound to.
    pub(super) fn of(
        reading: &'r ReadContext,
        search: &str,
        body: &Value,
        page: Option<&PageRequest>,
    ) -> Result<Self, Failure> {
        let known = ["subject", "action", "resource", "context"].map(|name| body.get(name));
        let list = format!("authzen {search}\n{}", serde_json::to_string(&known).unwrap_or_default());
        // An empty token is none: it is what the last page has.
        let token = page.and_then(|page| page.token.as_deref()).filter(|token| !token.is_empty());
        let turn = PinnedPage::of(reading, &list, token).map_err(|failure| failure.at("/page/token"))?;
        let named = page.and_then(|page| page.limit).map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        let asked = page.is_some();
        let Some(place) = &turn.after else {
            let limit = named.unwrap_or(RESULTS_MAX);
            return Ok(Self { turn, limit, after: None, asked });
        };
        let (limit, place) = place
            .split_first_chunk::<WORD>()
            .ok_or_else(|| Failure::invalid_at("/page/token", "is not one of this search"))?;
        let limit = u32::from_be_bytes(*limit);
        if named.is_some_and(|named| named != limit) {
            return Err(Failure::invalid_at("/page/limit", "must be that of the first page, or absent"));
        }
        let after = (!place.is_empty()).then(|| ListCursor::from_bytes(place.to_vec()));
        Ok(Self { turn, limit, after, asked })
    }

    /// What to look for. Nobody can be told that there is more than nothing without a look at one.
    pub(super) fn part(&self) -> Part<'_> {
        let limit = usize::try_from(self.limit.clamp(1, RESULTS_MAX)).unwrap_or(1);
        Part { after: self.after.as_ref(), limit }
    }

    /// The results to give, and where they go on: always said if there is more, or if a page was asked for.
    pub(super) fn given<T>(&self, found: Page<T>) -> (Vec<T>, Option<PageInfo>) {
        let place = if self.limit == 0 {
            let here = self.after.as_ref().map(|place| place.as_bytes().to_vec()).unwrap_or_default();
            (!found.items.is_empty()).then_some(here)
        } else {
            found.next.map(|place| place.as_bytes().to_vec())
        };
        let keep = if self.limit == 0 { 0 } else { found.items.len() };
        let results = found.items.into_iter().take(keep).map(|listed| listed.thing).collect();
        let next_token = place.map(|place| {
            let mut after = self.limit.to_be_bytes().to_vec();
            after.extend(place);
            self.turn.cursor(&after)
        });
        let page = (self.asked || next_token.is_some())
            .then(|| PageInfo { next_token: next_token.unwrap_or_default() });
        (results, page)
    }
}
