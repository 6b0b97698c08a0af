//! What a plan comes to, whatever ids and times its new things would get: two plans with the same outcome do the same.

use std::collections::HashMap;

use grantbook_api::questions::plan::Plan;
use serde_json::{Map, Value};

/// Members that say when or where, not what.
const PASSING: [&str; 2] = ["created_at", "position"];

/// Events, gained and lost of a plan, in a form that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome(Value);

impl Outcome {
    pub(super) fn of(plan: &Plan) -> Self {
        let made = made(&plan.events);
        let whole = serde_json::json!({
            "events": plan.events, "gained": plan.gained, "lost": plan.lost,
        });
        Self(settled(whole, &made))
    }
}

/// The ids that the events give to new things, by what stands for them.
fn made(events: &[Value]) -> HashMap<String, String> {
    let created = events.iter().filter(|event| {
        event.get("type").and_then(Value::as_str).is_some_and(|name| name.ends_with("Created"))
    });
    let things = created.filter_map(Value::as_object).flat_map(Map::values);
    let ids = things.filter_map(|thing| thing.get("id").and_then(Value::as_str));
    ids.enumerate().map(|(index, id)| (id.to_owned(), format!("new {index}"))).collect()
}

fn settled(value: Value, made: &HashMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(made.get(&text).cloned().unwrap_or(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| settled(item, made)).collect()),
        Value::Object(members) => {
            let kept = members
                .into_iter()
                .filter(|(name, _)| !PASSING.contains(&name.as_str()) && !name.ends_with("ed_at"));
            Value::Object(kept.map(|(name, member)| (name, settled(member, made))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(id: &str, at: &str, position: &str, member: &str) -> Plan {
        Plan {
            position: position.to_owned(),
            records: 1,
            events: vec![
                json!({"type": "GroupCreated", "group": {"id": id, "name": "g", "created_at": at}}),
                json!({"type": "MemberAdded", "membership": {"group": id, "member": {"type": "user", "id": member}}}),
            ],
            gained: Vec::new(),
            lost: Vec::new(),
            keys_of_concern: Vec::new(),
            warnings: Vec::new(),
            unaffected: position.len() as u64,
            others_not_shown: 0,
        }
    }

    #[test]
    fn ids_of_new_things_times_and_positions_make_no_difference() {
        let one = Outcome::of(&plan("a", "1", "p", "u"));
        assert_eq!(one, Outcome::of(&plan("b", "2", "longer", "u")));
        assert_ne!(one, Outcome::of(&plan("a", "1", "p", "v")), "another member does");
    }
}
