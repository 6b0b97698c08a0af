//! Every body of the API's description, broken at every place and depth: refused as invalid, with a pointer, in JSON's words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::given::{Answer, Given};

/// Words of the implementation, which nobody who sends JSON knows.
const FOREIGN_WORDS: [&str; 8] =
    ["struct", "expected", "invalid type", "invalid value", "sequence", "enum", "variant", "tuple"];

/// Where absence gives more access, so that `null` must not stand for it. The description may name no more `null`s than
/// are known to be harmless; these are asked for by name.
const MORE_IF_ABSENT: [(&str, &str); 17] = [
    ("IssueKey", "narrow"),
    ("IssueKey", "expires_at"),
    ("Narrowing", "permissions"),
    ("Narrowing", "on"),
    ("Selector", "exclude"),
    ("CreateGrant", "object_type"),
    ("CreateGrant", "expires_at"),
    ("CreateGrant", "permissions"),
    ("RolePermission", "object_type"),
    ("CreateToken", "expires_at"),
    ("UpdateToken", "expires_at"),
    ("AddMember", "expires_at"),
    ("CreateWebhook", "events"),
    ("CreateWebhook", "kinds"),
    ("CheckRequest", "principal"),
    ("CheckRequest", "key"),
    ("CheckObject", "project"),
];

/// One way in which a body is broken.
#[derive(Debug, Clone)]
struct Breach {
    what: &'static str,
    /// The schema and the member, for `null`.
    of: (String, String),
    /// Where the body is changed, and into what.
    at: String,
    value: Value,
    /// What the answer points at.
    pointer: String,
}

struct Document(Value);

impl Document {
    /// The schema that a reference leads to, and its name.
    fn resolve<'d>(&'d self, schema: &'d Value, name: &str) -> (&'d Value, String) {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let name = reference.rsplit('/').next().unwrap().to_owned();
                (self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap(), name)
            }
            None => (schema, name.to_owned()),
        }
    }

    /// Bodies that together show every alternative of the schema.
    fn examples(&self, schema: &Value) -> Vec<Value> {
        let (schema, _) = self.resolve(schema, "");
        if let Some(alternatives) = schema["oneOf"].as_array() {
            return alternatives
                .iter()
                .filter(|one| one["type"] != "null")
                .flat_map(|one| self.examples(one))
                .collect();
        }
        if let Some(words) = schema["enum"].as_array() {
            return vec![words[0].clone()];
        }
        match types(schema).first().map(String::as_str) {
            Some("object") => self.objects(schema),
            Some("array") => vec![Value::Array(self.examples(&schema["items"]))],
            Some("integer" | "number") => vec![json!(1)],
            Some("boolean") => vec![json!(true)],
            Some("string") => vec![json!("x")],
            _ => vec![json!("anything")],
        }
    }

    fn objects(&self, schema: &Value) -> Vec<Value> {
        if let Some(any) = schema["additionalProperties"].as_object() {
            return vec![json!({"env": self.examples(&Value::Object(any.clone()))[0]})];
        }
        let mut base = Map::new();
        let mut others = Vec::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let mut examples = self.examples(member).into_iter();
            base.insert(name.clone(), examples.next().unwrap());
            others.extend(examples.map(|example| (name.clone(), example)));
        }
        let mut all = vec![Value::Object(base.clone())];
        for (name, example) in others {
            let mut other = base.clone();
            other.insert(name, example);
            all.push(Value::Object(other));
        }
        all
    }

    /// Every way to break `value`, an example of the schema, at its place and inside.
    fn breaches(&self, (schema, name): (&Value, &str), value: &Value, at: &str, found: &mut Vec<Breach>) {
        let (mut schema, mut name) = self.resolve(schema, name);
        let mut is_tagged = false;
        while let Some(alternatives) = schema["oneOf"].as_array() {
            let chosen: Vec<_> = alternatives.iter().filter(|one| self.fits(one, value)).collect();
            assert_eq!(chosen.len(), 1, "{value} is one of {alternatives:?}");
            is_tagged = alternatives.iter().all(|one| one["properties"].is_object());
            (schema, name) = self.resolve(chosen[0], &name);
        }
        let types = types(schema);
        let breach = |what, value: Value, pointer: String| Breach {
            what,
            of: (name.clone(), String::new()),
            at: at.to_owned(),
            value,
            pointer,
        };
        if !types.is_empty() {
            let wrong = if types.iter().any(|one| one == "integer") { json!("x") } else { json!(7) };
            found.push(breach("wrong type", wrong, at.to_owned()));
        }
        let any = &schema["additionalProperties"];
        match value {
            Value::Object(members) => {
                let items = members.values().cloned().collect();
                found.push(breach("array", Value::Array(items), at.to_owned()));
                if any.is_object() {
                    for (key, one) in members {
                        self.breaches((any, &name), one, &format!("{at}/{key}"), found);
                    }
                    return;
                }
                let mut more = members.clone();
                more.insert("colour".to_owned(), json!("red"));
                // One member too many says of which alternatives there is one.
                let place = if is_tagged { at.to_owned() } else { format!("{at}/colour") };
                found.push(breach("unknown member", Value::Object(more), place));
                for (key, one) in members {
                    let member = &schema["properties"][key];
                    let place = format!("{at}/{key}");
                    if !self.allows_null(member) {
                        let (of, value, pointer) = ((name.clone(), key.clone()), Value::Null, place.clone());
                        found.push(Breach { what: "null", of, at: place.clone(), value, pointer });
                    }
                    self.breaches((member, &name), one, &place, found);
                }
            }
            Value::Array(items) => {
                for (index, one) in items.iter().enumerate() {
                    self.breaches((&schema["items"], &name), one, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    fn allows_null(&self, schema: &Value) -> bool {
        let (schema, _) = self.resolve(schema, "");
        let any_of = schema["oneOf"].as_array();
        let own = types(schema);
        (any_of.is_none() && own.is_empty() && schema["enum"].is_null())
            || own.iter().any(|one| one == "null")
            || any_of.is_some_and(|all| all.iter().any(|one| one["type"] == "null"))
    }

    /// Whether the value can be an example of this alternative.
    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let (schema, _) = self.resolve(schema, "");
        if let Some(alternatives) = schema["oneOf"].as_array() {
            return alternatives.iter().any(|one| self.fits(one, value));
        }
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::Null => "null",
        };
        let required = schema["required"].as_array().into_iter().flatten();
        types(schema).iter().any(|one| one == kind)
            && required.into_iter().all(|name| !value[name.as_str().unwrap()].is_null())
    }
}

/// The types that a schema names, but for `null` last.
fn types(schema: &Value) -> Vec<String> {
    match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn broken(body: &Value, breach: &Breach) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(&breach.at).unwrap() = breach.value.clone();
    body
}

fn assert_refused(what: &str, answer: &Answer, pointer: &str) {
    assert_eq!(answer.told(), (400, "invalid"), "{what}: {}", answer.text);
    assert_eq!(answer.body["pointer"], pointer, "{what}: {}", answer.text);
    assert_plain(what, answer.body["detail"].as_str().unwrap());
}

fn assert_plain(what: &str, detail: &str) {
    let words = FOREIGN_WORDS.iter().find(|word| detail.contains(**word));
    assert!(words.is_none(), "{what}: {detail}");
}

/// An operation of the description that takes a body: method, path with ids in it, schema.
fn operations(document: &Document, webhook: &str) -> Vec<(String, String, Value)> {
    let ghost = "01890000-0000-7000-8000-000000000000";
    let mut all = Vec::new();
    for (path, item) in document.0["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !operation["requestBody"].is_object() {
                continue;
            }
            let schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
            assert!(
                !schema.is_null(),
                "{method} {path} takes another kind of body: this test does not know it"
            );
            let id = if path.starts_with("/v1/webhooks") { webhook } else { ghost };
            let filled = path.replace("{id}", id).replace("{type}", "dataset");
            assert!(!filled.contains('{'), "{path}: no value for its parameters");
            all.push((method.to_uppercase(), filled, schema));
        }
    }
    all
}

/// An evaluation that is one of several answers for itself: a denial that says why.
fn assert_denied(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    let denied =
        answer.body["evaluations"].as_array().unwrap().iter().find(|one| one["context"]["error"].is_object());
    let error = &denied.unwrap_or_else(|| panic!("{what}: {}", answer.text))["context"]["error"];
    assert_eq!(error["status"], 400, "{what}: {}", answer.text);
    assert_plain(what, error["message"].as_str().unwrap());
}

#[tokio::test]
async fn every_body_is_refused_however_it_is_broken() {
    let given = Given::with_webhooks().await;
    let webhook = given.made("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await;
    let document = Document(serde_json::from_str(&grantbook_server::endpoints::openapi_json()).unwrap());
    let operations = operations(&document, &webhook);
    assert!(operations.len() >= 31, "{operations:?}");
    let head = given.get("/v1/whoami").await.body["position"].clone();
    let (mut sent, mut nulls) = (BTreeMap::<_, u32>::new(), BTreeSet::new());
    for (method, path, schema) in &operations {
        let is_foreign = path.starts_with("/access/");
        let takes_batch = path == "/v1/batch" || path == "/v1/plan";
        let mut here = 0;
        for body in document.examples(schema) {
            let mut breaches = Vec::new();
            document.breaches((schema, ""), &body, "", &mut breaches);
            // AuthZEN ignores unknown members and reads `null` as absence.
            breaches.retain(|breach| !is_foreign || matches!(breach.what, "array" | "wrong type"));
            for breach in breaches {
                let what = format!("{method} {path}: {} at {:?}", breach.what, breach.at);
                let mut body = broken(&body, &breach);
                if path.ends_with("/evaluations")
                    && !breach.at.is_empty()
                    && !breach.at.starts_with("/evaluations")
                {
                    // What every item says for itself is not read from the request.
                    body.as_object_mut().unwrap().remove("evaluations");
                }
                let answer = given.send(&given.owner_key, (method, path), &[], &body).await;
                if is_foreign && breach.at.starts_with("/evaluations/") {
                    assert_denied(&what, &answer);
                } else {
                    assert_refused(&what, &answer, &breach.pointer);
                }
                if breach.what == "null" {
                    nulls.insert(breach.of.clone());
                }
                *sent.entry(breach.what).or_default() += 1;
                here += 1;
                // What is refused alone is refused in a batch and in a plan.
                if !path.starts_with("/v1/")
                    || takes_batch
                    || ["check", "explain", "replay"].iter().any(|word| path.contains(word))
                {
                    continue;
                }
                let command = json!({"commands": [{"method": method, "path": path, "body": body}]});
                let pointer = format!("/commands/0/body{}", breach.pointer);
                for several in ["/v1/batch", "/v1/plan"] {
                    let answer = given.post(several, command.clone()).await;
                    assert_refused(&format!("{several}: {what}"), &answer, &pointer);
                    *sent.entry("in a batch or plan").or_default() += 1;
                }
            }
        }
        assert!(here > 0, "{method} {path} was not asked");
    }
    for (schema, member) in MORE_IF_ABSENT {
        assert!(nulls.contains(&(schema.to_owned(), member.to_owned())), "no null for {member} of {schema}");
    }
    assert_eq!(given.get("/v1/whoami").await.body["position"], head, "nothing was written");
    println!("{} operations, {} bodies: {sent:?}", operations.len(), sent.values().sum::<u32>());
}
