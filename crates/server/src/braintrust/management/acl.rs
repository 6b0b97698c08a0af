//! ACLs: what a native grant is in the words of this wire, and the other way round.
//!
//! An ACL says who gets one permission or one role on one object and what lies below it. A native grant can say more: a deny, an
//! end, several permissions, projects by name, by label or all but some. Such a grant is shown as far as these words go, and never
//! as giving more than it does.

use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, required, set, string_of, text},
    denial::Denial,
    management::project_groups,
};

const PERMISSIONS: [&str; 8] =
    ["create", "read", "update", "delete", "create_acls", "read_acls", "update_acls", "delete_acls"];
/// The types that Braintrust's clients know. Some are not in Grantbook's catalog: it refuses them by name.
const TYPES: [&str; 17] = [
    "organization",
    "project",
    "experiment",
    "dataset",
    "prompt",
    "prompt_session",
    "group",
    "role",
    "org_member",
    "project_log",
    "org_project",
    "org_audit_logs",
    "project_group",
    "project_group_projects",
    "ai_secret",
    "org_ai_secret",
    "org_account",
];
/// The members of an ACL that say what it gives.
const WORDS: [&str; 7] =
    ["object_type", "object_id", "user_id", "group_id", "permission", "role_id", "restrict_object_type"];

pub(crate) fn is_known_permission(name: &str) -> bool {
    PERMISSIONS.contains(&name)
}

pub(crate) fn is_known_type(name: &str) -> bool {
    TYPES.contains(&name)
}

/// An ACL that a body asks for, as the body of a native grant. `user` is what kind of account it names.
pub(crate) fn grant(item: &Value, organization: &str, user: Option<&str>) -> Result<Value, Denial> {
    let one_of = |first: &str, second: &str| match (text(item, first)?, text(item, second)?) {
        (Some(id), None) => Ok((true, id)),
        (None, Some(id)) => Ok((false, id)),
        (None, None) | (Some(_), Some(_)) => {
            Err(Denial::invalid(format!("give exactly one of {first} and {second}")))
        }
    };
    let (is_user, to) = one_of("user_id", "group_id")?;
    let (is_permission, gives) = one_of("permission", "role_id")?;
    let restrict = text(item, "restrict_object_type")?;
    if !is_permission && restrict.is_some() {
        return Err(Denial::invalid("restrict_object_type goes with permission, not with role_id"));
    }
    let kind = if is_user { user.unwrap_or("user") } else { "group" };
    let (on, restrict) =
        place((required(item, "object_type")?, required(item, "object_id")?), restrict, organization)?;
    let mut grant = json!({"to": {"type": kind, "id": to}, "on": on});
    if is_permission {
        set(&mut grant, "permissions", json!([gives]));
    } else {
        set(&mut grant, "role", gives);
    }
    if let Some(restrict) = restrict {
        set(&mut grant, "object_type", restrict);
    }
    Ok(grant)
}

/// The native scope of an object, and the type that the grant is restricted to.
fn place<'a>(
    (object_type, id): (&str, &str),
    restrict: Option<&'a str>,
    organization: &str,
) -> Result<(Value, Option<&'a str>), Denial> {
    let on = match object_type {
        "organization" if id == organization => json!({"organization": true}),
        // Its projects; with the restriction to its own type, the project group itself.
        "project_group" | "project_group_projects" if restrict != Some("project_group") => {
            json!({"projects": {"include": [{"label": project_groups::label(id)}]}})
        }
        // There is one in each project, with the project's id.
        "project_log" if restrict.is_none_or(|one| one == "project_log") => {
            return Ok((json!({"object": {"type": "project", "id": id}}), Some("project_log")));
        }
        "organization" => return Err(Denial::forbidden()),
        other => json!({"object": {"type": other, "id": id}}),
    };
    Ok((on, restrict))
}

/// The ACLs that a native grant is, as far as these words go. The id of an ACL is the grant's if the ACL says the whole grant, but
/// for when it ends; else it has a number behind it.
pub(crate) fn rows(grant: &Value, organization: &str) -> Vec<Value> {
    let restrict = grant.get("object_type").and_then(Value::as_str);
    let is_allow = grant.get("effect").is_none_or(|effect| effect == "allow");
    if !is_allow || restrict.is_some_and(|one| !is_known_type(one)) {
        return Vec::new();
    }
    let (places, mut is_whole) = places(grant.get("on").unwrap_or(&Value::Null), organization);
    let mut gives: Vec<(&str, &str)> = Vec::new();
    match grant.get("permissions").and_then(Value::as_array) {
        Some(all) => {
            gives.extend(
                all.iter()
                    .filter_map(Value::as_str)
                    .filter(|one| is_known_permission(one))
                    .map(|one| ("permission", one)),
            );
            is_whole &= gives.len() == all.len();
        }
        // A role that is restricted to a type is more than these words say.
        None if restrict.is_none() => gives.push(("role_id", string_of(grant, "role"))),
        None => {}
    }
    let is_whole = is_whole && places.len() == 1 && gives.len() == 1;
    let to = grant.get("to").unwrap_or(&Value::Null);
    let grantee = if string_of(to, "type") == "group" { "group_id" } else { "user_id" };
    let each = places.iter().flat_map(|place| gives.iter().map(move |gives| (place, gives)));
    let mut rows = Vec::new();
    for (number, ((object_type, id), (what, given))) in each.enumerate() {
        let own = if is_whole { id_of(grant).to_owned() } else { format!("{}.{number}", id_of(grant)) };
        let mut row = json!({
            "id": own, "object_type": object_type, "object_id": id, "user_id": null, "group_id": null,
            "permission": null, "role_id": null, "restrict_object_type": restrict,
            "_object_org_id": organization, "created": grant.get("created_at"),
        });
        set(&mut row, grantee, id_of(to));
        set(&mut row, what, *given);
        rows.push(row);
    }
    rows
}

/// The objects that a native scope names, and whether they are all that it covers. A scope that leaves some projects out, or finds
/// them by name or label, names none.
fn places(on: &Value, organization: &str) -> (Vec<(String, String)>, bool) {
    let object = |object_type: &str, id: &str| (object_type.to_owned(), id.to_owned());
    if on.get("organization").is_some() {
        return (vec![object("organization", organization)], true);
    }
    if let Some(named) = on.get("object") {
        let (object_type, id) = (string_of(named, "type"), id_of(named));
        let known = is_known_type(object_type).then(|| object(object_type, id));
        return (Vec::from_iter(known), true);
    }
    let selector = on.get("projects").unwrap_or(&Value::Null);
    if selector.get("exclude").is_some() {
        return (Vec::new(), false);
    }
    match selector.get("include") {
        // Not quite: `org_project` is also the right to make projects.
        Some(Value::String(_)) => (vec![object("org_project", organization)], false),
        Some(Value::Array(atoms)) => {
            let place = |atom: &Value| match atom.get("id").and_then(Value::as_str) {
                Some(id) => Some(object("project", id)),
                None => project_groups::of_label(atom.get("label")?).map(|id| object("project_group", &id)),
            };
            let named: Vec<_> = atoms.iter().filter_map(place).collect();
            let all = named.len() == atoms.len();
            (named, all)
        }
        _ => (Vec::new(), false),
    }
}

/// Whether two ACLs say the same.
pub(crate) fn says_the_same(one: &Value, other: &Value) -> bool {
    WORDS.iter().all(|word| one.get(*word) == other.get(*word))
}

/// Whether an ACL is all that its grant says, but for when it ends.
pub(crate) fn is_whole(row: &Value) -> bool {
    !id_of(row).contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "o";

    fn said(grant: Value) -> Vec<(String, String, String)> {
        let mut grant = grant;
        grant["id"] = "g".into();
        grant["to"] = json!({"type": "group", "id": "gr"});
        let row = |row: &Value| {
            let gives = [string_of(row, "permission"), string_of(row, "role_id")].concat();
            (
                id_of(row).to_owned(),
                format!("{}:{}", string_of(row, "object_type"), string_of(row, "object_id")),
                gives,
            )
        };
        rows(&grant, ORG).iter().map(row).collect()
    }

    #[test]
    fn what_is_asked_for_is_shown_with_the_same_words() {
        let project_group = json!({"object_type": "project_group", "object_id": "pg"});
        for (object, restrict) in [
            (json!({"object_type": "organization", "object_id": ORG}), None),
            (json!({"object_type": "org_project", "object_id": ORG}), None),
            (json!({"object_type": "project", "object_id": "p"}), Some("project_log")),
            (json!({"object_type": "dataset", "object_id": "d"}), None),
            (project_group.clone(), Some("dataset")),
            (project_group.clone(), None),
        ] {
            let mut item = json!({"group_id": "gr", "user_id": null, "permission": "read", "role_id": null});
            item["restrict_object_type"] = restrict.into();
            item.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
            let mut native = grant(&item, ORG, None).unwrap();
            native["id"] = "g".into();
            let [row] = rows(&native, ORG).try_into().unwrap();
            assert!(says_the_same(&row, &item), "{row} {item}");
            assert!(is_whole(&row));
        }
        let log =
            json!({"object_type": "project_log", "object_id": "p", "group_id": "gr", "permission": "read"});
        let native = grant(&log, ORG, None).unwrap();
        assert_eq!(native["object_type"], "project_log");
        assert_eq!(native["on"], json!({"object": {"type": "project", "id": "p"}}));
    }

    #[test]
    fn a_grant_is_shown_as_far_as_the_words_go_and_never_as_more() {
        let all_but = json!({"projects": {"include": "all", "exclude": [{"label": {"env": "production"}}]}});
        let by_name = json!({"projects": {"include": [{"name": "web-*"}]}});
        let all = json!({"organization": true});
        for grant in [
            json!({"role": "r", "on": all_but}),
            json!({"permissions": ["read"], "on": by_name}),
            json!({"role": "r", "on": all, "effect": "deny"}),
            json!({"role": "r", "on": all, "object_type": "dataset"}),
            json!({"permissions": ["read"], "on": all, "object_type": "invoice"}),
            json!({"permissions": ["delegate"], "on": all}),
            json!({"permissions": ["read"], "on": {"object": {"type": "invoice", "id": "1"}}}),
        ] {
            assert_eq!(said(grant.clone()), [], "{grant}");
        }
        let row = |id: &str, on: &str, gives: &str| (id.to_owned(), on.to_owned(), gives.to_owned());
        assert_eq!(
            said(json!({"permissions": ["read", "delegate"], "on": all})),
            [row("g.0", "organization:o", "read")]
        );
        let two = json!({"projects": {"include": [{"id": "a"}, {"id": "b"}]}});
        assert_eq!(
            said(json!({"role": "r", "on": two})),
            [row("g.0", "project:a", "r"), row("g.1", "project:b", "r")]
        );
        let one_of_two = json!({"projects": {"include": [{"id": "a"}, {"name": "b*"}]}});
        assert_eq!(said(json!({"role": "r", "on": one_of_two})), [row("g.0", "project:a", "r")]);
        assert_eq!(
            said(json!({"role": "r", "on": {"projects": {"include": "all"}}})),
            [row("g.0", "org_project:o", "r")]
        );
    }

    #[test]
    fn what_is_not_one_acl_is_refused() {
        for item in [
            json!({"object_type": "project", "object_id": "p", "group_id": "g"}),
            json!({"object_type": "project", "object_id": "p", "group_id": "g", "user_id": "u", "permission": "read"}),
            json!({"object_type": "project", "object_id": "p", "group_id": "g", "role_id": "r", "permission": "read"}),
            json!({"object_type": "project", "group_id": "g", "permission": "read"}),
            json!({"object_type": "project", "object_id": "p", "group_id": "g", "role_id": "r", "restrict_object_type": "dataset"}),
            json!({"object_type": "organization", "object_id": "another", "group_id": "g", "permission": "read"}),
        ] {
            assert!(grant(&item, ORG, None).is_err(), "{item}");
        }
    }
}
