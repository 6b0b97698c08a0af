//! Service tokens that get access and lose it again, in each way in which it can end.

use std::{
    sync::{PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Load, SUBJECTS,
    wish::{Client, Wish},
};

/// Between two who come.
const PACE: Duration = Duration::from_millis(200);
/// How long one after another has access: some lose it in the midst of a fault that began while they had it.
const LIVES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// What is there before the load begins.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    /// A group that may update the project.
    pub(crate) group: String,
    pub(crate) project: String,
    /// A project whose labels change.
    pub(crate) labelled: String,
}

/// Somebody who is asked about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) key: String,
    pub(super) project: String,
}

impl Grounds {
    /// Makes it.
    pub(crate) fn make(load: &Load) -> Result<Self> {
        let mut client = Client::default();
        let mut make = |path: &str, body: Value, makes: &'static str| -> Result<String> {
            let made = load.want(&mut client, &Wish::new("POST", path, body, &[makes]))?;
            Ok(made.context("it is accepted")?["id"].as_str().context("an id")?.to_owned())
        };
        let project = make("/v1/projects", json!({"name": "asked about"}), "ProjectCreated")?;
        let labelled = make("/v1/projects", json!({"name": "relabelled"}), "ProjectCreated")?;
        let group = make("/v1/groups", json!({"name": "updaters"}), "GroupCreated")?;
        let on = json!({"object": {"type": "project", "id": project}});
        let grant = json!({"to": {"type": "group", "id": group}, "permissions": ["update"], "on": on});
        make("/v1/grants", grant, "GrantCreated")?;
        Ok(Self { group, project, labelled })
    }
}

/// One subject after another until the load is over.
pub(super) fn come_and_go(load: &Load, grounds: &Grounds) -> Result<()> {
    let mut client = Client::faithful();
    let mut living: Vec<(Instant, Wish)> = Vec::new();
    for life in LIVES.into_iter().cycle() {
        if load.is_over() {
            break;
        }
        if let Some((subject, mut end)) = come(load, grounds, &mut client)? {
            end.revokes = Some(subject.name);
            living.push((Instant::now() + life, end));
        }
        thread::sleep(PACE);
        let now = Instant::now();
        for (_, end) in living.extract_if(.., |(due, _)| *due <= now) {
            load.want(&mut client, &end)?;
        }
    }
    Ok(())
}

/// A token with a key and access; what will end it.
fn come(load: &Load, grounds: &Grounds, client: &mut Client) -> Result<Option<(Subject, Wish)>> {
    let number = load.counter.fetch_add(1, Ordering::Relaxed);
    let name = format!("subject-{number}");
    let (project, group) = (&grounds.project, &grounds.group);
    let by_group = number.is_multiple_of(2);
    let (path, body, gives) = if by_group {
        let body = json!({"member": {"type": "token", "id": "$0.id"}});
        (format!("/v1/groups/{group}/members"), body, "MemberAdded")
    } else {
        let on = json!({"object": {"type": "project", "id": project}});
        let body = json!({"to": {"type": "token", "id": "$0.id"}, "permissions": ["update"], "on": on});
        ("/v1/grants".to_owned(), body, "GrantCreated")
    };
    let commands = json!({"commands": [
        {"method": "POST", "path": "/v1/tokens", "body": {"name": name}},
        {"method": "POST", "path": "/v1/tokens/$0.id/keys", "body": {}},
        {"method": "POST", "path": path, "body": body},
    ]});
    let wish = Wish::new("POST", "/v1/batch", commands, &["TokenCreated", "KeyIssued", gives]);
    let Some(made) = load.want(client, &wish)? else { return Ok(None) };
    let id = |index: usize| -> Result<String> {
        let id = made["results"][index]["body"]["id"].as_str();
        Ok(id.with_context(|| format!("an id in {made}"))?.to_owned())
    };
    let (token, key) = (id(0)?, id(1)?);
    let (path, ends) = match number / 2 % 3 {
        0 => (format!("/v1/keys/{key}"), "KeyRevoked"),
        1 => (format!("/v1/tokens/{token}"), "TokenDeleted"),
        _ if by_group => (format!("/v1/groups/{group}/members/token/{token}"), "MemberRemoved"),
        _ => (format!("/v1/grants/{}", id(2)?), "GrantRevoked"),
    };
    let subject = Subject { name, token, key, project: project.clone() };
    let mut subjects = load.subjects.lock().unwrap_or_else(PoisonError::into_inner);
    subjects.push(subject.clone());
    let old = subjects.len().saturating_sub(SUBJECTS);
    subjects.drain(..old);
    Ok(Some((subject, Wish::new("DELETE", &path, Value::Null, &[ends]))))
}
