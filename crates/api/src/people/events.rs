//! Events in words. What is not understood is shown by its type: this only informs.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    nouns::{
        grants::{Effect, Grant},
        members::Member,
    },
    people::{
        names::{Kind, NameBook},
        scope::{self, gives},
    },
    words::reference::NamedPrincipal,
};

/// One event in words, such as `added token:ci-bot to group:not-production`.
pub async fn words(event: &Value, names: &NameBook<'_>) -> String {
    let kind = text(event, "type").unwrap_or("?");
    described(kind, event, names).await.unwrap_or_else(|| kind.to_owned())
}

/// `RoleCreated` as `role created`.
pub fn event_words(event: &str) -> String {
    let mut words = String::new();
    for c in event.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

async fn described(kind: &str, event: &Value, names: &NameBook<'_>) -> Option<String> {
    let (noun, verb) = split(kind)?;
    match noun {
        "Organization" => Some(format!("{verb} organization {}", text(event.get("organization")?, "name")?)),
        "Catalog" => Some(format!("extended the catalog by {}", added(event.get("catalog")?))),
        "User" => named(Kind::User, event.get("user")?, "email", verb, names),
        "Token" => named(Kind::Token, event.get("token")?, "name", verb, names),
        "Group" => named(Kind::Group, event.get("group")?, "name", verb, names),
        "Role" => named(Kind::Role, event.get("role")?, "name", verb, names),
        "Project" => named(Kind::Project, event.get("project")?, "name", verb, names),
        "Object" => {
            let object = event.get("object")?;
            Some(format!("{verb} {}:{}", text(object, "type")?, text(object, "id")?))
        }
        "Webhook" => Some(format!("{verb} webhook {}", text(event.get("webhook")?, "id")?)),
        "Key" => key(verb, event, names).await,
        "Member" => member(verb, event, names).await,
        "Grant" => grant(verb, event, names).await,
        _ => None,
    }
}

/// `TokenCreated` as noun and verb.
fn split(kind: &str) -> Option<(&str, &'static str)> {
    let verbs = [
        ("Created", "created"),
        ("Updated", "updated"),
        ("Deleted", "deleted"),
        ("Deactivated", "deactivated"),
        ("Expired", "noted the expiry of"),
        ("Issued", "issued"),
        ("Rotated", "rotated"),
        ("Revoked", "revoked"),
        ("Added", "added"),
        ("Removed", "removed"),
        ("Registered", "registered"),
        ("Extended", "extended"),
    ];
    verbs.iter().find_map(|(suffix, verb)| Some((kind.strip_suffix(suffix)?, *verb)))
}

fn named(kind: Kind, thing: &Value, member: &str, verb: &str, names: &NameBook<'_>) -> Option<String> {
    let (id, name) = (text(thing, "id")?, text(thing, member)?);
    names.learn(kind, id, name);
    Some(format!("{verb} {kind}:{name}"))
}

fn added(catalog: &Value) -> String {
    let list = |name: &str| catalog.get(name).and_then(Value::as_array).into_iter().flatten();
    let permissions = list("permissions").filter_map(Value::as_str).map(|name| format!("permission {name}"));
    let types =
        list("object_types").filter_map(|added| text(added, "name")).map(|name| format!("type {name}"));
    permissions.chain(types).collect::<Vec<_>>().join(", ")
}

async fn key(verb: &str, event: &Value, names: &NameBook<'_>) -> Option<String> {
    let key = event.get("key")?;
    let principal: NamedPrincipal = read(key.get("principal")?)?;
    let whose = names.full(principal.kind.into(), &principal.id).await;
    let id = text(key, "id")?;
    match event.get("old").and_then(|old| text(old, "id")) {
        Some(old) => Some(format!("rotated key {old} of {whose}, now {id}")),
        None => Some(format!("{verb} key {id} of {whose}")),
    }
}

async fn member(verb: &str, event: &Value, names: &NameBook<'_>) -> Option<String> {
    let Member { group, member, expires_at, .. } = read(event.get("membership")?)?;
    let (who, group) = (names.grantee(&member).await, names.full(Kind::Group, &group).await);
    let until = expires_at.map(|time| format!(" until {time}")).unwrap_or_default();
    Some(match verb {
        "added" => format!("added {who} to {group}{until}"),
        "removed" => format!("removed {who} from {group}"),
        _ => format!("{verb} the membership of {who} in {group}"),
    })
}

async fn grant(verb: &str, event: &Value, names: &NameBook<'_>) -> Option<String> {
    let grant: Grant = read(event.get("grant")?)?;
    let (to, on) = (names.grantee(&grant.to).await, scope::words(&grant.on, names).await);
    let what = format!("{} on {on}", gives(&grant, names).await);
    let only = grant.object_type.map(|name| format!(" (type {name} only)")).unwrap_or_default();
    Some(match (verb, grant.effect) {
        ("created", Effect::Allow) => format!("granted {what}{only} to {to}"),
        ("created", Effect::Deny) => format!("denied {what}{only} to {to}"),
        (_, Effect::Allow) => format!("{verb} the grant of {what}{only} to {to}"),
        (_, Effect::Deny) => format!("{verb} the deny of {what}{only} to {to}"),
    })
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{client::Client, words::secret::Secret};

    /// Nobody answers there: every name must come from what was learnt.
    fn client() -> Client {
        Client::new("http://127.0.0.1:1", Some(Secret::new("k"))).unwrap()
    }

    #[tokio::test]
    async fn events_are_told_with_the_names_that_earlier_ones_gave() {
        let client = client();
        let names = NameBook::new(&client);
        let at = "2026-01-02T03:04:05.006Z";
        let scope = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
        for (event, expected) in [
            (
                json!({"type": "TokenCreated", "token": {"id": "t", "name": "ci-bot", "created_at": at}}),
                "created token:ci-bot",
            ),
            (
                json!({"type": "GroupCreated", "group": {"id": "g", "name": "builders"}}),
                "created group:builders",
            ),
            (
                json!({"type": "MemberAdded", "membership": {"group": "g", "member": {"type": "token", "id": "t"},
                    "expires_at": null, "created_at": at}}),
                "added token:ci-bot to group:builders",
            ),
            (
                json!({"type": "GrantCreated", "grant": {"id": "x", "to": {"type": "group", "id": "g"},
                    "permissions": ["read"], "on": scope, "effect": "deny", "object_type": "dataset",
                    "expires_at": null, "reason": null, "created_at": at}}),
                "denied read on all projects except labelled env=production (type dataset only) to group:builders",
            ),
            (
                json!({"type": "KeyRevoked", "key": {"id": "k", "principal": {"type": "token", "id": "t"}}}),
                "revoked key k of token:ci-bot",
            ),
            (
                json!({"type": "CatalogExtended", "catalog": {"permissions": ["deploy"], "object_types": []}}),
                "extended the catalog by permission deploy",
            ),
            (json!({"type": "TeapotCreated"}), "TeapotCreated"),
        ] {
            assert_eq!(words(&event, &names).await, expected);
        }
    }

    #[test]
    fn event_names_part_into_noun_and_verb() {
        assert_eq!(split("TokenCreated"), Some(("Token", "created")));
        assert_eq!(split("MemberExpired"), Some(("Member", "noted the expiry of")));
        assert_eq!(split("SomethingElse"), None);
    }
}
