//! The description of the API is a committed file. `make golden` writes it anew; then read the difference.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

#[test]
fn golden_description_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/openapi.json");
    let generated = grantbook_server::endpoints::openapi_json();
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "accept") {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "tests/golden/openapi.json differs: run `make golden` and read it");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_tells_its_problems() {
    let document: Value = serde_json::from_str(&grantbook_server::endpoints::openapi_json()).unwrap();
    let mut references = BTreeSet::new();
    gather(&document, &mut references);
    assert!(references.len() > 30, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} names two operations");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
        }
    }
    assert_eq!(ids.len(), 90, "{ids:?}");
}

fn gather(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| gather(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, references)),
        _ => {}
    }
}
