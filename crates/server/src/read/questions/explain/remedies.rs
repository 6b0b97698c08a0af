//! What would mend a denial: commands that are as narrow as they can be, nearest first. Whether the caller may send them is
//! decided when they are sent.

use std::collections::BTreeSet;

use grantbook_api::{
    nouns::batch::{BatchCommand, BatchMethod},
    questions::{
        check::Reason,
        explain::{Explanation, NearMiss, ObstacleCode, Remedy},
    },
    words::reference::{NamedGrantee, NamedPrincipal},
};
use serde_json::{Value, json};

/// Most remedies of one answer.
const MOST: usize = 5;
/// Most deny grants that one remedy revokes.
const DENIES: usize = 20;

/// What would make the answer an allow; nothing for an allow, and where only another question helps.
pub(super) fn remedies(explanation: &Explanation) -> Vec<Remedy> {
    let Some(principal) = &explanation.principal else { return Vec::new() };
    match explanation.reason {
        Reason::NoGrant => for_want_of_a_grant(explanation, principal),
        Reason::DeniedByGrant => without_denies(explanation, principal).into_iter().collect(),
        Reason::KeyRevoked | Reason::KeyExpired | Reason::KeyNarrowed => vec![another_key(principal)],
        Reason::Granted
        | Reason::UnknownKey
        | Reason::KeyMismatch
        | Reason::UnknownPrincipal
        | Reason::InactivePrincipal
        | Reason::UnknownPermission
        | Reason::UnknownObjectType
        | Reason::UnknownObject
        | Reason::AmbiguousObject
        | Reason::ObjectProjectMismatch
        | Reason::Denied => Vec::new(),
    }
}

fn for_want_of_a_grant(explanation: &Explanation, principal: &NamedPrincipal) -> Vec<Remedy> {
    let near = explanation.missing.iter().flat_map(|missing| &missing.near);
    let mut found: Vec<Remedy> = near.filter_map(|miss| nearest(explanation, miss)).collect();
    let own =
        NamedGrantee { kind: principal.kind.into(), id: principal.id.clone(), name: principal.name.clone() };
    found.push(grant(explanation, &own));
    let mut seen = BTreeSet::new();
    found.retain(|remedy| seen.insert(remedy.detail.clone()));
    found.truncate(MOST);
    found
}

/// What makes a grant apply that comes close, if one thing alone keeps it from that.
fn nearest(explanation: &Explanation, miss: &NearMiss) -> Option<Remedy> {
    let [obstacle] = miss.obstacles.as_slice() else { return None };
    match obstacle.code {
        ObstacleCode::MembershipExpired => {
            let place: usize = obstacle.about.strip_prefix("/via/")?.parse().ok()?;
            let via = miss.via.get(place)?;
            let member = json!({"type": via.member.kind, "id": via.member.id});
            let body = json!({"member": member, "expires_at": "never"});
            let who = format!("{}:{}", via.member.kind, via.member.name.as_ref().unwrap_or(&via.member.id));
            Some(Remedy {
                detail: format!("keep {who} in group:{} without an end", via.group.name),
                commands: vec![post(format!("/v1/groups/{}/members", via.group.id), body)],
            })
        }
        ObstacleCode::GrantExpired
        | ObstacleCode::ObjectType
        | ObstacleCode::Excluded
        | ObstacleCode::NotCovered => Some(grant(explanation, &miss.grant.to)),
    }
}

/// A grant of this permission on this object, and no more.
fn grant(explanation: &Explanation, to: &NamedGrantee) -> Remedy {
    let object = &explanation.object;
    let name = object.name.as_ref().unwrap_or(&object.id);
    let who = format!("{}:{}", to.kind, to.name.as_ref().unwrap_or(&to.id));
    Remedy {
        detail: format!("grant {who} {} on {}:{name} alone", explanation.permission, object.object_type),
        commands: vec![post("/v1/grants", grant_body(explanation, to))],
    }
}

fn grant_body(explanation: &Explanation, to: &NamedGrantee) -> Value {
    let object = &explanation.object;
    let on = match object.object_type.as_str() {
        "organization" => json!({"organization": true}),
        _ => json!({"object": object_ref(explanation)}),
    };
    json!({"to": {"type": to.kind, "id": to.id}, "permissions": [explanation.permission], "on": on})
}

fn object_ref(explanation: &Explanation) -> Value {
    let object = &explanation.object;
    let mut reference = json!({"type": object.object_type, "id": object.id});
    let home = explanation.project.as_ref().filter(|_| object.object_type != "project");
    if let (Some(members), Some(project)) = (reference.as_object_mut(), home) {
        members.insert("project".to_owned(), json!(project.id));
    }
    reference
}

/// The end of all deny grants that apply, and a grant if nothing allows besides.
fn without_denies(explanation: &Explanation, principal: &NamedPrincipal) -> Option<Remedy> {
    let denies: BTreeSet<&str> = explanation.denied_by.iter().map(|path| path.grant.id.as_str()).collect();
    let is_whole = explanation.denied_by_total == explanation.denied_by.len() as u64;
    if !is_whole || denies.len() > DENIES {
        return None;
    }
    let revoke = |id: &&str| BatchCommand {
        method: BatchMethod::Delete,
        path: format!("/v1/grants/{id}"),
        body: Value::Null,
    };
    let mut commands: Vec<BatchCommand> = denies.iter().map(revoke).collect();
    let mut detail = match denies.len() {
        1 => "revoke the deny grant".to_owned(),
        count => format!("revoke the {count} deny grants"),
    };
    if explanation.paths.is_empty() {
        let own = NamedGrantee { kind: principal.kind.into(), id: principal.id.clone(), name: None };
        commands.push(post("/v1/grants", grant_body(explanation, &own)));
        detail.push_str(", and grant it, as nothing else does");
    }
    Some(Remedy { detail, commands })
}

fn another_key(principal: &NamedPrincipal) -> Remedy {
    let collection = format!("{}s", principal.kind);
    Remedy {
        detail: "issue another key, and use that one".to_owned(),
        commands: vec![post(format!("/v1/{collection}/{}/keys", principal.id), json!({}))],
    }
}

fn post(path: impl Into<String>, body: Value) -> BatchCommand {
    BatchCommand { method: BatchMethod::Post, path: path.into(), body }
}
