//! `POST /v1/batch`: several writes, all or none, as one record

use std::collections::HashMap;

use axum::http::Method;
use grantbook_api::nouns::batch::{Batch, BatchAnswer, BatchCommand, BatchMethod, BatchResult, COMMANDS_MAX};
use grantbook_domain::{command::Command, event::Event, record::Record};
use serde_json::Value;

use crate::{
    http::{body::shape, path, problem::Failure},
    wire::render,
    write::{
        answer,
        parse::{self, Call, ParseAny, ParseContext, ParsedWrite, Secrets},
        request,
    },
};

/// The one command that a batch is, and the secrets made for its keys.
pub(crate) fn plan_all(
    body: &Value,
    context: &ParseContext<'_>,
    parse: ParseAny,
) -> Result<(Command, Secrets), Failure> {
    let Batch { commands } = shape(body)?;
    if commands.is_empty() || commands.len() > COMMANDS_MAX {
        return Err(Failure::invalid_at("/commands", format!("must have 1 to {COMMANDS_MAX} commands")));
    }
    let mut ids = Vec::with_capacity(commands.len());
    let mut planned = Vec::with_capacity(commands.len());
    let mut secrets = Secrets::default();
    let mut issued = HashMap::new();
    for (index, command) in commands.into_iter().enumerate() {
        let context = ParseContext { issued: &issued, ..*context };
        let ParsedWrite { command, id, secret, reason: _ } =
            plan_one(command, (index, &ids), &context, parse)?;
        if let Some((id, principal)) = parse::keys::issued_by(&command, &context) {
            issued.insert(id, principal);
        }
        planned.push(command);
        ids.push(id);
        if let Some(made) = secret {
            secrets.add(made);
        }
    }
    Ok((Command::Batch(planned), secrets))
}

/// The answer, from the record alone. What a command found as it wanted it has no events and thus no body: a repeated
/// request must get the same answer, whatever has changed since.
pub(crate) fn answer(count: usize, record: Option<&Record>, secrets: &Secrets, position: &str) -> Value {
    let mut results = Vec::with_capacity(count);
    let mut events: &[Event] = record.map_or(&[], |record| &record.events);
    for index in 0..count {
        let step = record.and_then(|record| record.steps.get(index)).copied().unwrap_or(0);
        let taken = usize::try_from(step).unwrap_or(usize::MAX).min(events.len());
        let (own, rest) = events.split_at_checked(taken).unwrap_or_default();
        events = rest;
        let (status, body) = answer::of_events(own, secrets);
        results.push(BatchResult { status: status.as_u16(), body, unchanged: own.is_empty() });
    }
    render::value(&BatchAnswer { results, position: position.to_owned() })
}

fn plan_one(
    command: BatchCommand,
    (index, ids): (usize, &[String]),
    context: &ParseContext<'_>,
    parse: ParseAny,
) -> Result<ParsedWrite, Failure> {
    let BatchCommand { method, path, mut body } = command;
    let at = format!("/commands/{index}");
    resolve_all(&mut body, ids).map_err(|failure| failure.at(format!("{at}/body")))?;
    let unknown = || Failure::invalid_at(format!("{at}/path"), "there is no such write");
    let (path, query) =
        path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
    let mut segments = path::segments(path).ok_or_else(unknown)?;
    for segment in &mut segments {
        *segment = resolve(segment, ids).map_err(|failure| failure.at(format!("{at}/path")))?;
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let project =
        request::project_of(&segments, query).map_err(|failure| failure.at(format!("{at}/path")))?;
    let project = project
        .map(|id| resolve(&id, ids))
        .transpose()
        .map_err(|failure| failure.at(format!("{at}/path")))?;
    let method = match method {
        BatchMethod::Post => Method::POST,
        BatchMethod::Patch => Method::PATCH,
        BatchMethod::Delete => Method::DELETE,
    };
    let call = Call { variables: &[], project: project.as_deref(), body: &body, context };
    parse(&method, &segments, call)
        .map_err(|failure| if failure.is_no_route() { unknown() } else { failure.in_batch(index) })
}

/// Puts ids in the place of references: of the texts of the body that are one, whole.
fn resolve_all(body: &mut Value, ids: &[String]) -> Result<(), Failure> {
    match body {
        Value::String(text) => *text = resolve(text, ids)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve_all(item, ids))?,
        Value::Object(members) => members.values_mut().try_for_each(|member| resolve_all(member, ids))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// The id of command N for the text `$N.id`, which must be an earlier one; any other text as it is.
fn resolve(text: &str, ids: &[String]) -> Result<String, Failure> {
    let number = text.strip_prefix('$').and_then(|rest| rest.strip_suffix(".id"));
    let Some(number) = number.filter(|number| is_number(number)) else { return Ok(text.to_owned()) };
    let id = number.parse::<usize>().ok().and_then(|number| ids.get(number));
    id.cloned().ok_or_else(|| Failure::invalid(format!("{text} names no earlier command")))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_whole_texts_and_nothing_else_is_replaced() {
        let ids = ["aa".to_owned(), "bb".to_owned()];
        for (text, expected) in [
            ("$0.id", "aa"),
            ("costs $1.ideal", "costs $1.ideal"),
            ("$0.id ", "$0.id "),
            ("$0.id$1.id", "$0.id$1.id"),
            ("$", "$"),
            ("$0", "$0"),
            ("$x.id", "$x.id"),
            ("5$ and $.id", "5$ and $.id"),
        ] {
            assert_eq!(resolve(text, &ids).unwrap(), expected);
        }
        for text in ["$2.id", "$99999999999999999999999.id"] {
            assert_eq!(resolve(text, &ids).unwrap_err().code(), "invalid");
        }
        let mut body = json!({"to": {"id": "$1.id"}, "list": ["$0.id", 1, null], "$0.id": true});
        resolve_all(&mut body, &ids).unwrap();
        assert_eq!(body, json!({"to": {"id": "bb"}, "list": ["aa", 1, null], "$0.id": true}));
    }
}
