//! The description of the API (`OpenAPI`) as a page.

use askama::Template;
use serde_json::{Map, Value};

/// A parameter of an operation, or a member of a schema.
struct Member {
    name: String,
    kind: Kind,
    /// Where a parameter stands: `path`, `query` or `header`.
    place: String,
    is_required: bool,
    text: String,
}

/// What a value is.
struct Kind {
    words: String,
    /// The schema that describes it.
    schema: Option<String>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    parameters: Vec<Member>,
    body: Option<Kind>,
    answers: Vec<Answer>,
}

struct Answer {
    status: String,
    text: String,
    kind: Option<Kind>,
}

struct Chapter {
    name: String,
    operations: Vec<Operation>,
}

struct Schema {
    name: String,
    text: String,
    words: String,
    members: Vec<Member>,
}

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    version: String,
    chapters: Vec<Chapter>,
    schemas: Vec<Schema>,
}

/// The page; nothing if the text is no such description.
pub(crate) fn page(document: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let mut chapters: Vec<Chapter> = Vec::new();
    for (path, item) in document.get("paths")?.as_object()? {
        for (method, operation) in item.as_object()? {
            let name = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other").to_owned();
            let operation = self::operation(path, method, operation);
            match chapters.iter_mut().find(|chapter| chapter.name == name) {
                Some(chapter) => chapter.operations.push(operation),
                None => chapters.push(Chapter { name, operations: vec![operation] }),
            }
        }
    }
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let schemas = schemas.iter().map(|(name, schema)| self::schema(name, schema)).collect();
    let version = text(document.get("info")?, "version");
    ApiPage { version, chapters, schemas }.render().ok()
}

fn operation(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let answers = operation.get("responses").and_then(Value::as_object);
    let answer = |(status, answer): (&String, &Value)| Answer {
        status: status.clone(),
        text: text(answer, "description"),
        kind: content(answer),
    };
    Operation {
        id: text(operation, "operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "summary"),
        parameters: parameters.into_iter().flatten().map(parameter).collect(),
        body: operation.get("requestBody").and_then(content),
        answers: answers.into_iter().flatten().map(answer).collect(),
    }
}

/// What a body is, in its first media type.
fn content(value: &Value) -> Option<Kind> {
    value.get("content")?.as_object()?.values().next()?.get("schema").map(kind)
}

fn parameter(parameter: &Value) -> Member {
    Member {
        name: text(parameter, "name"),
        kind: parameter.get("schema").map_or_else(|| words("any"), kind),
        place: text(parameter, "in"),
        is_required: parameter.get("required").and_then(Value::as_bool).unwrap_or_default(),
        text: text(parameter, "description"),
    }
}

fn schema(name: &str, schema: &Value) -> Schema {
    let empty = Map::new();
    let members = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let member = |(name, member): (&String, &Value)| Member {
        name: name.clone(),
        kind: kind(member),
        place: String::new(),
        is_required: required.contains(&name.as_str()),
        text: text(member, "description"),
    };
    let words = if members.is_empty() { kind(schema).words } else { String::new() };
    Schema {
        name: name.to_owned(),
        text: text(schema, "description"),
        words,
        members: members.iter().map(member).collect(),
    }
}

/// What a schema describes: another one by name, a list, a choice, or a plain type.
fn kind(schema: &Value) -> Kind {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next()) {
        return Kind { words: name.to_owned(), schema: Some(name.to_owned()) };
    }
    if let Some(items) = schema.get("items") {
        let Kind { words, schema } = kind(items);
        return Kind { words: format!("list of {words}"), schema };
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(|value| value.to_string().replace('"', "")).collect();
        return words(values.join(", "));
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema.get(choice).and_then(Value::as_array) {
            let kinds: Vec<Kind> = options.iter().map(kind).collect();
            let texts: Vec<&str> = kinds.iter().map(|kind| kind.words.as_str()).collect();
            let first = kinds.iter().find_map(|kind| kind.schema.clone());
            return Kind { words: texts.join(" or "), schema: first };
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => words(name.clone()),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            words(names.join(" or "))
        }
        _ => words("any"),
    }
}

fn words(text: impl Into<String>) -> Kind {
    Kind { words: text.into(), schema: None }
}

fn text(value: &Value, member: &str) -> String {
    value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_and_schemas_are_on_the_page_and_nothing_is_markup() {
        let document = json!({
            "info": {"version": "1"},
            "paths": {"/v1/x/{id}": {"get": {"operationId": "get_x", "tags": ["xs"], "summary": "One <b>x</b>.",
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "It.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/X"}}}}}}}},
            "components": {"schemas": {"X": {"properties": {"ys": {"type": "array", "items": {"$ref": "#/components/schemas/Y"}}}, "required": ["ys"]},
                "Y": {"enum": ["a", "b"]}}},
        });
        let page = page(document.to_string().as_bytes()).unwrap();
        for part in ["/v1/x/{id}", "One &#60;b&#62;x&#60;/b&#62;.", "href=\"#schema-X\"", "list of Y", "a, b"]
        {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(super::page(b"{}"), None);
    }
}
