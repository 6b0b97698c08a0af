//! Members of a body, read as leniently as these clients need: `null` and absence are alike, and what is unknown is ignored.

use serde_json::Value;

use crate::braintrust::denial::Denial;

/// A text.
pub(crate) fn text<'a>(body: &'a Value, member: &str) -> Result<Option<&'a str>, Denial> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Denial::invalid(format!("{member} must be a string"))),
    }
}

/// A text that must be there.
pub(crate) fn required<'a>(body: &'a Value, member: &str) -> Result<&'a str, Denial> {
    text(body, member)?.ok_or_else(|| Denial::invalid(format!("{member} is missing")))
}

/// The items of a list; none if it is absent.
pub(crate) fn items<'a>(body: &'a Value, member: &str) -> Result<&'a [Value], Denial> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Denial::invalid(format!("{member} must be a list"))),
    }
}

/// The texts of a list; none if it is absent.
pub(crate) fn texts<'a>(body: &'a Value, member: &str) -> Result<Vec<&'a str>, Denial> {
    let text = |item: &'a Value| {
        item.as_str().ok_or_else(|| Denial::invalid(format!("{member} must be a list of strings")))
    };
    items(body, member)?.iter().map(text).collect()
}

/// Refuses texts that would name an earlier command in a native batch.
pub(crate) fn require_no_reference(body: &Value) -> Result<(), Denial> {
    match body {
        Value::String(text) if is_reference(text) => {
            Err(Denial::invalid(format!("{text} is no text that can be kept: it names a command of a batch")))
        }
        Value::Array(items) => items.iter().try_for_each(require_no_reference),
        Value::Object(members) => members.values().try_for_each(require_no_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Whether a native batch takes the text for the id that a command makes: `$N.id`.
fn is_reference(text: &str) -> bool {
    let number = text.strip_prefix('$').and_then(|rest| rest.strip_suffix(".id"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Gives a JSON object a member.
pub(crate) fn set(object: &mut Value, member: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(member.to_owned(), value.into());
    }
}

/// Its text at a member, as native answers have it; empty if there is none.
pub(crate) fn string_of<'a>(native: &'a Value, member: &str) -> &'a str {
    native.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The id of a native thing.
pub(crate) fn id_of(native: &Value) -> &str {
    string_of(native, "id")
}
