//! What would mend a denial, as it is typed.

use serde_json::Value;

use crate::{
    nouns::batch::{BatchCommand, BatchMethod},
    people::text::clean,
    questions::explain::Remedy,
};

/// The commands of a remedy on the command line, one a line. One that has no short form there is shown as its call.
pub fn command_lines(remedy: &Remedy) -> Vec<String> {
    remedy.commands.iter().map(|command| clean(&typed(command).unwrap_or_else(|| call(command)))).collect()
}

fn typed(command: &BatchCommand) -> Option<String> {
    let BatchCommand { method, path, body } = command;
    let segments: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match (method, segments.as_slice()) {
        (BatchMethod::Delete, ["grants", id]) => Some(format!("grantbook grant revoke {id}")),
        (BatchMethod::Post, ["grants"]) => grant(body),
        (BatchMethod::Post, ["groups", group, "members"]) => {
            let end = body.get("expires_at")?.as_str()?;
            Some(format!("grantbook group add {group} {} --expires {end}", reference(body.get("member")?)?))
        }
        (BatchMethod::Post, ["tokens", id, "keys"]) => Some(format!("grantbook token key {id}")),
        (BatchMethod::Post, ["users", id, "keys"]) => Some(format!("grantbook user key {id}")),
        _ => None,
    }
}

fn grant(body: &Value) -> Option<String> {
    let to = reference(body.get("to")?)?;
    let names: Vec<&str> = body.get("permissions")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let on = body.get("on")?;
    let place = match on.get("object") {
        None => "--organization".to_owned(),
        Some(object) => {
            let home = object.get("project").and_then(Value::as_str);
            let home = home.map(|id| format!(" --project {id}")).unwrap_or_default();
            format!("--object {}{home}", reference(object)?)
        }
    };
    Some(format!("grantbook grant create --to {to} --permissions {} {place}", names.join(",")))
}

/// `type:id`
fn reference(value: &Value) -> Option<String> {
    Some(format!("{}:{}", value.get("type")?.as_str()?, value.get("id")?.as_str()?))
}

fn call(command: &BatchCommand) -> String {
    let method = match command.method {
        BatchMethod::Post => "POST",
        BatchMethod::Patch => "PATCH",
        BatchMethod::Delete => "DELETE",
    };
    format!("{method} {} {}", command.path, command.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(method: BatchMethod, path: &str, body: Value) -> String {
        let commands = vec![BatchCommand { method, path: path.to_owned(), body }];
        command_lines(&Remedy { detail: String::new(), commands }).concat()
    }

    #[test]
    fn remedies_are_commands_that_can_be_typed() {
        let on = json!({"object": {"type": "dataset", "id": "d", "project": "p"}});
        let body = json!({"to": {"type": "group", "id": "g"}, "permissions": ["read"], "on": on});
        assert_eq!(
            line(BatchMethod::Post, "/v1/grants", body),
            "grantbook grant create --to group:g --permissions read --object dataset:d --project p"
        );
        assert_eq!(line(BatchMethod::Delete, "/v1/grants/x", Value::Null), "grantbook grant revoke x");
        let body = json!({"member": {"type": "token", "id": "t"}, "expires_at": "never"});
        assert_eq!(
            line(BatchMethod::Post, "/v1/groups/g/members", body),
            "grantbook group add g token:t --expires never"
        );
        assert_eq!(line(BatchMethod::Post, "/v1/users/u/keys", json!({})), "grantbook user key u");
        assert_eq!(line(BatchMethod::Patch, "/v1/x", json!({})), "PATCH /v1/x {}");
    }
}
