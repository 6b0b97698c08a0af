//! Where a text can stand in the requests that the API's description knows.

use std::collections::BTreeSet;

use serde_json::Value;

/// The description, read as places.
pub(super) struct Document {
    whole: Value,
    pub(super) operations: Vec<Operation>,
}

/// One operation: `GET /v1/projects/{id}`.
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) takes_as_of: bool,
    /// Its parameters: `path id`, `query name`.
    pub(super) parameters: BTreeSet<String>,
    /// The texts of its body: where, and which member of which schema.
    pub(super) texts: BTreeSet<(String, (String, String))>,
}

impl Document {
    pub(super) fn read() -> Self {
        let whole: Value = serde_json::from_str(&grantbook_server::endpoints::openapi_json()).unwrap();
        let mut document = Self { whole, operations: Vec::new() };
        let mut operations = Vec::new();
        for (path, item) in document.whole["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push(document.operation(&format!("{} {path}", method.to_uppercase()), operation));
            }
        }
        document.operations = operations;
        document
    }

    fn operation(&self, name: &str, operation: &Value) -> Operation {
        let of = |one: &Value| format!("{} {}", one["in"].as_str().unwrap(), one["name"].as_str().unwrap());
        let parameters: BTreeSet<_> =
            operation["parameters"].as_array().into_iter().flatten().map(of).collect();
        let mut texts = BTreeSet::new();
        let body = &operation["requestBody"];
        if body.is_object() {
            let schema = &body["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{name} takes another kind of body: this test does not know it");
            self.texts(schema, &(String::new(), String::new()), "body ", &mut texts);
        }
        let takes_as_of = parameters.contains("query as_of");
        let parameters = parameters.into_iter().filter(|one| !one.starts_with("header ")).collect();
        Operation { name: name.to_owned(), takes_as_of, parameters, texts }
    }

    /// Every text that the schema has room for. What is free of form (`{}`) is not looked into: a command in a batch, which is
    /// walked as the command that it is, and AuthZEN's properties.
    fn texts(
        &self,
        schema: &Value,
        of: &(String, String),
        at: &str,
        found: &mut BTreeSet<(String, (String, String))>,
    ) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            let inner = self.whole.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            // A text that has a name of its own is still that member's.
            let of =
                if inner["properties"].is_object() { (name.to_owned(), String::new()) } else { of.clone() };
            return self.texts(inner, &of, at, found);
        }
        for alternative in schema["oneOf"].as_array().into_iter().flatten() {
            self.texts(alternative, of, at, found);
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let of = (of.0.clone(), name.clone());
            self.texts(member, &of, &format!("{at}/{name}"), found);
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            if inner.is_object() {
                self.texts(inner, of, &format!("{at}/*"), found);
            }
        }
        let kinds = &schema["type"];
        let is_text =
            kinds == "string" || kinds.as_array().is_some_and(|all| all.iter().any(|one| one == "string"));
        if is_text && schema["enum"].is_null() {
            found.insert((at.to_owned(), of.clone()));
        }
    }

    /// The operation that a request is for: one that has all segments in words beats one with parameters.
    pub(super) fn operation_of(&self, method: &str, path: &str) -> &Operation {
        let fits = |operation: &&Operation| {
            let (of, template) = operation.name.split_once(' ').unwrap();
            let (one, other): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            of == method
                && one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.starts_with('{') || *one == other)
        };
        let found = self.operations.iter().filter(fits).min_by_key(|one| one.name.matches('{').count());
        found.unwrap_or_else(|| panic!("no operation is {method} {path}"))
    }
}

/// Where `text` stands in a request: `path id`, `query project`, `body /on/projects/include/*/id`.
pub(super) fn places_of(operation: &Operation, line: &str, body: &Value, text: &str) -> Vec<String> {
    let target = line.split_once(' ').unwrap().1;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut found = Vec::new();
    let names = operation.name.split_once(' ').unwrap().1.split('/');
    for (name, segment) in names.zip(path.split('/')) {
        if segment == text {
            found.push(format!("path {}", name.trim_matches(['{', '}'])));
        }
    }
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if value == text || value.split_once(':').is_some_and(|(_, id)| id == text) {
            found.push(format!("query {name}"));
        }
    }
    in_body(body, text, "body ", &mut found);
    found
}

fn in_body(value: &Value, text: &str, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(own) if own == text => found.push(at.to_owned()),
        // A path of a batch's command.
        Value::String(own) if own.contains(text) => found.push(at.to_owned()),
        Value::Array(items) => {
            for item in items {
                in_body(item, text, &format!("{at}/*"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                // The key of a label.
                let name = if name == "env" { "*" } else { name };
                in_body(member, text, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}
