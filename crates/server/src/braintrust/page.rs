//! Pages of lists on this wire: newest first, from an id on.

use serde_json::{Value, json};

use crate::braintrust::{body::id_of, call::Call, denial::Denial};

/// Most items of a page, and those of one that asks for no number.
const LIMIT: usize = 1000;

/// The part of a list, newest first, that the query asks for. Pagers ask on until a page is empty.
pub(crate) fn page(call: &Call, items: Vec<Value>) -> Result<Value, Denial> {
    Ok(json!({"objects": part(call, items)?}))
}

/// The same without an envelope.
pub(crate) fn part(call: &Call, items: Vec<Value>) -> Result<Vec<Value>, Denial> {
    let ids = call.parameters("ids");
    let has = |item: &Value, id: &str| id_of(item) == id;
    let items: Vec<Value> =
        items.into_iter().filter(|item| ids.is_empty() || ids.iter().any(|id| has(item, id))).collect();
    let limit = match call.parameter("limit").map(str::parse::<usize>) {
        None => LIMIT,
        Some(Ok(limit)) => limit.min(LIMIT),
        Some(Err(_)) => return Err(Denial::invalid("limit must be a number")),
    };
    let place = |id: &str| items.iter().position(|item| has(item, id));
    let (from, to) = match (call.parameter("starting_after"), call.parameter("ending_before")) {
        (None, None) => (0, limit),
        (Some(_), Some(_)) => {
            return Err(Denial::invalid("give one of starting_after and ending_before"));
        }
        // An id that is no longer there ends the walk: a pager that got the first page again would never end.
        (Some(id), None) => place(id).map_or((items.len(), items.len()), |at| (at + 1, at + 1 + limit)),
        (None, Some(id)) => place(id).map_or((0, 0), |at| (at.saturating_sub(limit), at)),
    };
    Ok(items.into_iter().skip(from).take(to.saturating_sub(from)).collect())
}

/// Puts things of several native lists in the order of this wire: newest first, then by id.
pub(crate) fn newest_first(items: &mut [Value], created: &str) {
    let key = |item: &Value| {
        let text = |member: &str| item.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text(created), text("id"))
    };
    items.sort_by_cached_key(|item| std::cmp::Reverse(key(item)));
}
