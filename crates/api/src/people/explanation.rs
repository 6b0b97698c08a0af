//! An explanation for people, line by line.

use crate::{
    nouns::grants::{Effect, Grant},
    people::{events::event_words, remedy::command_lines},
    questions::explain::{Explanation, NearMiss, Path, PathRole, RecordRef, Via},
    words::{
        list::LIMIT_MAX,
        reference::{Actor, ActorType, Named, NamedGrantee, NamedObject},
    },
};

/// The explanation, line by line.
pub fn story(explanation: &Explanation) -> Vec<String> {
    let mut lines = vec![headline(explanation)];
    if let Some(as_of) = &explanation.as_of {
        lines.push(format!("  as of {as_of}"));
    }
    if let Some(missing) = &explanation.missing {
        lines.push(format!("  {}", missing.detail));
        lines.extend(
            missing.records.iter().map(|record| format!("  {} {}", event_words(&record.event), by(record))),
        );
    }
    ways(&mut lines, "Denied by:", &explanation.denied_by);
    let denies = explanation.denied_by.len();
    if explanation.denied_by_total > denies as u64 {
        let total = counted(explanation.denied_by_total);
        lines.push(format!("     {denies} of {total} such ways are listed; --limit N lists more, and the graph of --json has them all."));
    }
    let title = if explanation.allowed { "Because:" } else { "What would allow it otherwise:" };
    ways(&mut lines, title, &explanation.paths);
    let near = explanation.missing.as_ref().map_or(&[][..], |missing| &missing.near);
    if !near.is_empty() {
        lines.push(String::new());
        lines.push("Grants that come close:".to_owned());
        for (number, miss) in near.iter().enumerate() {
            lines.extend(item(number, near_lines(miss)));
        }
    }
    let remedies = explanation.missing.as_ref().map_or(&[][..], |missing| &missing.remedies);
    if !remedies.is_empty() {
        lines.push(String::new());
        lines.push("What would mend it, for those who may:".to_owned());
        for (number, remedy) in remedies.iter().enumerate() {
            let told = [remedy.detail.clone()].into_iter();
            let typed = command_lines(remedy).into_iter().map(|line| format!("  {line}"));
            lines.extend(item(number, told.chain(typed).collect()));
        }
    }
    lines
}

/// What says that ways were left out, if some were.
pub fn more(explanation: &Explanation) -> Option<String> {
    explanation.next.as_ref()?;
    let listed = explanation.paths.len();
    let total = counted(explanation.paths_total);
    Some(format!(
        "{listed} of {total} ways are listed; --limit N lists up to {LIMIT_MAX} at once, --all lists all."
    ))
}

/// A number of ways; the largest stands for all that are not counted.
fn counted(total: u64) -> String {
    if total >= (1 << 53) - 1 { format!("at least {total}") } else { total.to_string() }
}

/// The answer in one line.
pub fn headline(explanation: &Explanation) -> String {
    let who = match (&explanation.principal, &explanation.key) {
        (Some(principal), _) => {
            format!("{}:{}", principal.kind, principal.name.as_ref().unwrap_or(&principal.id))
        }
        (None, Some(key)) => format!("key {}", key.id),
        (None, None) => "the principal".to_owned(),
    };
    let place = match &explanation.project {
        Some(project) if explanation.object.object_type != "project" => {
            format!(" in project:{}", named(project))
        }
        _ => String::new(),
    };
    let (verdict, may) = if explanation.allowed { ("ALLOWED", "may") } else { ("DENIED", "may not") };
    let object = object_words(&explanation.object);
    format!("{verdict}: {who} {may} {} {object}{place} ({})", explanation.permission, explanation.reason)
}

fn ways(lines: &mut Vec<String>, title: &str, paths: &[Path]) {
    if paths.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(title.to_owned());
    for (number, path) in paths.iter().enumerate() {
        lines.extend(item(number, path_lines(path)));
    }
}

/// A numbered item: the number before the first line, the others indented as far.
pub fn item(number: usize, lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().enumerate().map(move |(place, line)| {
        if place == 0 { format!("{:>3}. {line}", number + 1) } else { format!("     {line}") }
    })
}

/// A way on which something is granted.
pub fn path_lines(path: &Path) -> Vec<String> {
    let mut lines = via_lines(&path.via, &path.records);
    lines.extend(grant_lines(&path.grant, path.role.as_ref(), &path.matched.scope, &path.records));
    lines.push(format!("it covers {}: {}", object_words(&path.matched.covers), path.matched.why));
    lines.extend(other_records(&path.records));
    lines
}

/// A grant that comes close, and what keeps it from applying.
pub fn near_lines(miss: &NearMiss) -> Vec<String> {
    let mut lines = via_lines(&miss.via, &miss.records);
    lines.extend(grant_lines(&miss.grant, miss.role.as_ref(), &miss.scope, &miss.records));
    if miss.obstacles.is_empty() {
        lines.push(format!("but {}", miss.why));
    }
    for (place, obstacle) in miss.obstacles.iter().enumerate() {
        lines.push(format!("{} {}", if place == 0 { "but" } else { "and" }, obstacle.detail));
    }
    lines.extend(other_records(&miss.records));
    lines
}

fn via_lines(via: &[Via], records: &[RecordRef]) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, step) in via.iter().enumerate() {
        let until = until(step.expires_at.as_deref());
        lines.push(format!("{} is in group:{}{until}", grantee_words(&step.member), named(&step.group)));
        lines.extend(record_line("added", records, &format!("/via/{place}")));
    }
    lines
}

fn grant_lines(grant: &Grant, role: Option<&PathRole>, scope: &str, records: &[RecordRef]) -> Vec<String> {
    let verb = match grant.effect {
        Effect::Allow => "is granted",
        Effect::Deny => "is denied",
    };
    let gives = match (role, &grant.permissions) {
        (Some(role), _) => role_words(role),
        (None, Some(permissions)) => permissions.join(", "),
        (None, None) => grant.role.clone().unwrap_or_default(),
    };
    let only = grant.object_type.as_ref().map(|name| format!(", for objects of type {name} only"));
    let to = grantee_words(&grant.to);
    let until = until(grant.expires_at.as_deref());
    let mut lines = vec![format!("{to} {verb} {gives} on {scope}{}{until}", only.unwrap_or_default())];
    lines.extend(record_line(&format!("grant {} given", grant.id), records, "/grant"));
    if let Some(reason) = &grant.reason {
        let said = records.iter().any(|record| record.reason.as_ref() == Some(reason));
        lines.extend((!said).then(|| format!("  grant's reason: {reason}")));
    }
    lines
}

/// A role, and what it includes that matters.
pub fn role_words(role: &PathRole) -> String {
    let name = if role.name.is_empty() { &role.id } else { &role.name };
    let through: Vec<&str> = role.via_roles.iter().map(named).collect();
    if through.is_empty() {
        name.clone()
    } else {
        format!("{name} (which includes {})", through.join(", which includes "))
    }
}

fn record_line(what: &str, records: &[RecordRef], about: &str) -> Option<String> {
    let record = records.iter().find(|record| record.about == about)?;
    Some(format!("  {what} {}", by(record)))
}

/// Records that neither the grant nor a membership accounts for, such as a change of the role.
fn other_records(records: &[RecordRef]) -> impl Iterator<Item = String> {
    let others =
        records.iter().filter(|record| record.about != "/grant" && !record.about.starts_with("/via/"));
    others.map(|record| format!("  {} {}", event_words(&record.event), by(record)))
}

/// Who, when, with what, why.
pub fn by(record: &RecordRef) -> String {
    let key = record.credential.as_ref().map(|key| format!(" with key {key}"));
    let reason = record.reason.as_ref().map(|reason| format!(": \"{reason}\""));
    format!(
        "by {} at {}{} (position {}){}",
        actor_words(&record.actor),
        record.at,
        key.unwrap_or_default(),
        record.position,
        reason.unwrap_or_default()
    )
}

/// An actor as people write it.
pub fn actor_words(actor: &Actor) -> String {
    match actor.kind {
        ActorType::System => "Grantbook itself".to_owned(),
        ActorType::Operator => "the operator".to_owned(),
        ActorType::User | ActorType::Token => {
            let name = actor.name.as_ref().or(actor.id.as_ref());
            format!("{}:{}", actor.kind, name.map_or("?", String::as_str))
        }
    }
}

/// A grantee as people write it.
pub fn grantee_words(grantee: &NamedGrantee) -> String {
    format!("{}:{}", grantee.kind, grantee.name.as_ref().unwrap_or(&grantee.id))
}

/// The name, or the id of what has ended or may not be seen.
pub fn named(thing: &Named) -> &str {
    if thing.name.is_empty() { &thing.id } else { &thing.name }
}

/// An object as people write it.
pub fn object_words(object: &NamedObject) -> String {
    format!("{}:{}", object.object_type, object.name.as_ref().unwrap_or(&object.id))
}

fn until(expires_at: Option<&str>) -> String {
    expires_at.map(|time| format!(" until {time}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(about: &str, event: &str, reason: Option<&str>) -> Value {
        json!({"position": "p7", "event": event, "about": about, "credential": "k1", "reason": reason,
            "at": "2026-01-02T03:04:05.006Z", "actor": {"type": "user", "id": "u", "name": "ada@example.com"}})
    }

    fn path() -> Value {
        json!({
            "grant": {"id": "g1", "to": {"type": "group", "id": "gr", "name": "not-production"}, "role": "r",
                "on": {"projects": {"include": "all"}}, "effect": "allow", "object_type": null, "expires_at": null,
                "reason": "ci", "created_at": "2026-01-02T03:04:05.006Z"},
            "role": {"id": "r", "name": "Engineer"},
            "via": [{"member": {"type": "token", "id": "t", "name": "ci-bot"},
                "group": {"id": "gr", "name": "not-production"}, "expires_at": null}],
            "matched": {"scope": "all projects", "covers": {"type": "project", "id": "p", "name": "staging"},
                "why": "every project is included"},
            "records": [record("/grant", "GrantCreated", Some("ci")), record("/via/0", "MemberAdded", None)],
        })
    }

    fn told(allowed: bool, reason: &str, more: &Value) -> String {
        story(&explained(allowed, reason, more)).join("\n")
    }

    #[test]
    fn an_allow_names_the_chain_and_who_made_each_link() {
        let expected = "\
ALLOWED: token:ci-bot may update project:staging (granted)

Because:
  1. token:ci-bot is in group:not-production
       added by user:ada@example.com at 2026-01-02T03:04:05.006Z with key k1 (position p7)
     group:not-production is granted Engineer on all projects
       grant g1 given by user:ada@example.com at 2026-01-02T03:04:05.006Z with key k1 (position p7): \"ci\"
     it covers project:staging: every project is included";
        assert_eq!(told(true, "granted", &json!({"paths": [path()]})), expected);
    }

    #[test]
    fn a_denial_says_what_is_missing_and_which_grant_comes_close() {
        let mut near = path();
        near["lacks"] = json!("scope");
        near["scope"] = json!("all projects except those labelled env=production");
        near["why"] = json!("production is excluded");
        let missing = json!({"missing": {"detail": "no grant covers it", "near": [near]}});
        let text = told(false, "no_grant", &missing);
        assert!(
            text.starts_with("DENIED: token:ci-bot may not update project:staging (no_grant)\n"),
            "{text}"
        );
        assert!(
            text.contains("  no grant covers it\n") && text.contains("Grants that come close:\n"),
            "{text}"
        );
        assert!(text.contains("on all projects except those labelled env=production\n"), "{text}");
        assert!(text.contains("     but production is excluded"), "{text}");
    }

    #[test]
    fn what_else_matters_is_told_last() {
        let mut path = path();
        path["records"].as_array_mut().unwrap().push(record("/role", "RoleUpdated", None));
        let text = told(true, "granted", &json!({"paths": [path]}));
        let last = "       role updated by user:ada@example.com at 2026-01-02T03:04:05.006Z with key k1 (position p7)";
        assert!(text.ends_with(last), "{text}");
    }

    fn explained(allowed: bool, reason: &str, more: &Value) -> Explanation {
        let mut body = json!({"allowed": allowed, "reason": reason, "position": "p9", "permission": "update",
            "principal": {"type": "token", "id": "t", "name": "ci-bot"},
            "object": {"type": "project", "id": "p", "name": "staging"}, "paths": [], "paths_total": 0, "next": null,
            "graph": {"nodes": [], "edges": []}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn ways_that_are_left_out_are_counted() {
        let page = |next: Value, total: u64| json!({"paths": [path()], "next": next, "paths_total": total});
        assert_eq!(more(&explained(true, "granted", &page(Value::Null, 1))), None);
        let line = more(&explained(true, "granted", &page(json!("c"), 400))).unwrap();
        assert!(line.starts_with("1 of 400 ways are listed; --limit N"), "{line}");
        let line = more(&explained(true, "granted", &page(json!("c"), (1 << 53) - 1))).unwrap();
        assert!(line.starts_with("1 of at least 9007199254740991 ways"), "{line}");
        let mut deny = path();
        deny["grant"]["effect"] = json!("deny");
        let text = told(false, "denied_by_grant", &json!({"denied_by": [deny], "denied_by_total": 3}));
        assert!(text.ends_with("     1 of 3 such ways are listed; --limit N lists more, and the graph of --json has them all."), "{text}");
    }

    #[test]
    fn what_may_not_be_named_goes_by_its_id() {
        let mut path = path();
        path["role"]["name"] = json!("");
        let text = told(true, "granted", &json!({"paths": [path]}));
        assert!(text.contains("is granted r on all projects\n"), "{text}");
    }

    #[test]
    fn a_deny_is_told_before_what_it_overrules() {
        let mut deny = path();
        deny["grant"]["effect"] = json!("deny");
        let text = told(false, "denied_by_grant", &json!({"paths": [path()], "denied_by": [deny]}));
        let (deny, allow) = (text.find("Denied by:").unwrap(), text.find("What would allow").unwrap());
        assert!(deny < allow && text.contains("is denied Engineer"), "{text}");
    }
}
