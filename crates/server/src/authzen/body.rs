//! Bodies of AuthZEN: objects where objects belong, not too deep; what is not known is ignored.

use std::sync::Arc;

use axum::{extract::Request, http::header::CONTENT_TYPE};
use serde_json::Value;

use crate::{
    http::{body, problem::Failure, query},
    read::context::ReadContext,
    state::{Web, at_least, authn},
};

/// How deep objects and lists may lie in each other.
const DEPTH_MAX: usize = 32;
/// Members that are objects wherever they are known.
const OBJECTS: [&str; 6] = ["subject", "action", "resource", "context", "options", "page"];

/// Recognizes the caller, reads the body, and begins to answer it.
pub(super) async fn begin(web: &Arc<Web>, request: Request) -> Result<(ReadContext, Value), Failure> {
    web.node()?;
    let (parts, body) = request.into_parts();
    let who = authn::authenticate(web, &parts.headers).await?;
    query::require_none(&parts.uri)?;
    if !parts.headers.contains_key(CONTENT_TYPE) {
        return Err(Failure::invalid("send JSON, and say so: Content-Type: application/json"));
    }
    let bytes = body::read(&parts.headers, body).await?;
    let value = body::value(&bytes)?;
    if !is_shallow(&value, DEPTH_MAX) {
        return Err(Failure::invalid(format!("the body may be {DEPTH_MAX} levels deep")));
    }
    require_objects(&value, "")?;
    let token = value.pointer("/page/token").and_then(Value::as_str);
    at_least::reach_cursor(web, who.org, token).await?;
    Ok((ReadContext::begin(web, who, &parts.headers).await?, value))
}

/// A value is an object, and so are those of its members that must be, where they are there.
pub(super) fn require_objects(value: &Value, pointer: &str) -> Result<(), Failure> {
    let Value::Object(members) = value else {
        return Err(Failure::invalid_at(pointer, "must be an object"));
    };
    let present = |name: &str, members: &serde_json::Map<String, Value>| {
        members.get(name).filter(|v| !v.is_null()).cloned()
    };
    for name in OBJECTS {
        let Some(member) = present(name, members) else { continue };
        let at = format!("{pointer}/{name}");
        let Value::Object(inner) = member else { return Err(Failure::invalid_at(at, "must be an object")) };
        if present("properties", &inner).is_some_and(|properties| !properties.is_object()) {
            return Err(Failure::invalid_at(format!("{at}/properties"), "must be an object"));
        }
    }
    Ok(())
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_shallow(item, below)),
        Value::Object(members) => members.values().all(|member| is_shallow(member, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_objects_and_unknown_members_may_be_anything() {
        let good = json!({"subject": {"properties": {}}, "context": {}, "page": null, "else": [1]});
        assert!(require_objects(&good, "").is_ok());
        for bad in [
            json!([]),
            json!("x"),
            json!({"subject": ["user", "alice"]}),
            json!({"resource": "record"}),
            json!({"context": 1}),
            json!({"action": {"name": "read", "properties": []}}),
            json!({"page": [1]}),
            json!({"options": true}),
        ] {
            assert!(require_objects(&bad, "").is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_has_a_bound() {
        let nested = |levels: usize| (1..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(is_shallow(&nested(DEPTH_MAX), DEPTH_MAX));
        assert!(!is_shallow(&nested(DEPTH_MAX + 1), DEPTH_MAX));
    }
}
