//! Query parameters: known names only, each at most once, and never a key among them.

use axum::http::Uri;
use grantbook_api::words::list::AsOfQuery;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::{body::shape, path::decode, problem::Failure};

/// The query as a `T`; what [`parameters`] refuses, unknown names, and values of the wrong form are refused.
pub(crate) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Failure> {
    let mut members = Map::new();
    for (name, text) in parameters(uri)? {
        let value = match (name.as_str(), text.parse::<u32>()) {
            ("limit", Ok(number)) => Value::Number(number.into()),
            ("dry_run", _) => {
                let value = text
                    .parse()
                    .map_err(|_| Failure::invalid("the parameter dry_run must be true or false"))?;
                Value::Bool(value)
            }
            ("limit", Err(_)) => return Err(Failure::invalid("the parameter limit must be 1 to 1000")),
            _ => Value::String(text),
        };
        if members.insert(name.clone(), value).is_some() {
            return Err(Failure::invalid(format!("the parameter {} must not be repeated", shown(&name))));
        }
    }
    shape(&Value::Object(members)).map_err(Failure::of_query)
}

/// Refuses every parameter.
pub(crate) fn require_none(uri: &Uri) -> Result<(), Failure> {
    match parameters(uri)?.first() {
        None => Ok(()),
        Some((name, _)) => Err(Failure::invalid(format!("unknown query parameter {}", shown(name)))),
    }
}

/// The `as_of` of a question, if there is one.
pub(crate) fn as_of(uri: &Uri) -> Result<Option<String>, Failure> {
    let mut found = parameters(uri)?.into_iter().filter(|(name, _)| name == "as_of");
    let first = found.next().map(|(_, text)| text);
    if found.next().is_some() {
        return Err(Failure::invalid("the parameter as_of must not be repeated"));
    }
    Ok(first)
}

/// The `cursor` of a question, if there is one; that it is not repeated is judged where it is read.
pub(crate) fn cursor(uri: &Uri) -> Result<Option<String>, Failure> {
    Ok(parameters(uri)?.into_iter().find(|(name, _)| name == "cursor").map(|(_, text)| text))
}

/// Refuses every parameter but `as_of`, which [`ReadContext`](crate::read::context::ReadContext) has heeded.
pub(crate) fn require_no_other(uri: &Uri) -> Result<(), Failure> {
    read::<AsOfQuery>(uri).map(drop)
}

/// The pairs of the query, decoded; refuses anything that looks like a key.
pub(crate) fn parameters(uri: &Uri) -> Result<Vec<(String, String)>, Failure> {
    let Some(query) = uri.query() else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let read = |text: &str| decode(&text.replace('+', " "));
        let (Some(name), Some(value)) = (read(name), read(value)) else {
            return Err(Failure::invalid("the query is not percent-encoded UTF-8"));
        };
        if looks_like_key(&name) || looks_like_key(&value) || name == "access_token" {
            return Err(Failure::invalid(
                "a key never belongs in a URL: revoke it, it may be in logs by now",
            ));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn looks_like_key(text: &str) -> bool {
    text.contains("gb_st_") || text.contains("gb_pk_")
}

/// A parameter's name, fit to be repeated.
fn shown(name: &str) -> &str {
    let plain = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { name } else { "(unprintable)" }
}

#[cfg(test)]
mod tests {
    use grantbook_api::words::list::ListQuery;

    use super::*;

    fn list(query: &str) -> Result<ListQuery, Failure> {
        read(&format!("/v1/x?{query}").parse().unwrap())
    }

    #[test]
    fn what_is_known_is_read() {
        let read = list("name=a%20b+c%26&limit=1000&cursor=x").unwrap();
        assert_eq!(read.name.as_deref(), Some("a b c&"));
        assert_eq!((read.limit, read.cursor.as_deref()), (Some(1000), Some("x")));
        assert!(list("").unwrap().name.is_none());
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for query in ["nome=x", "limit=", "limit=-1", "limit=1e3", "name=a&name=b", "name=%ff", "name=%4"] {
            let failure = list(query).unwrap_err();
            assert_eq!((failure.status().as_u16(), failure.code()), (400, "invalid"), "{query}");
        }
        assert!(format!("{:?}", list("nome=x").unwrap_err()).contains("nome"));
    }

    #[test]
    fn a_moment_is_asked_about_once() {
        let read = |query: &str| as_of(&format!("/v1/x?{query}").parse().unwrap());
        assert_eq!(read("limit=1&as_of=a%3Ab").unwrap().as_deref(), Some("a:b"));
        assert_eq!(read("limit=1").unwrap(), None);
        assert_eq!(read("as_of=1&as_of=1").unwrap_err().code(), "invalid");
        assert!(require_no_other(&"/v1/x?as_of=1".parse().unwrap()).is_ok());
        assert!(require_no_other(&"/v1/x?as_of=1&limit=1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_key_in_a_query_is_refused_and_not_repeated() {
        for query in ["key=gb_st_abc", "gb_pk_abc=1", "access_token=x"] {
            let text = format!("{:?}", require_none(&format!("/?{query}").parse().unwrap()).unwrap_err());
            assert!(text.contains("URL") && !text.contains("abc"), "{text}");
        }
    }
}
