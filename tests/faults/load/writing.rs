//! Writers of mixed commands, some of which race for one name.

use std::{collections::VecDeque, sync::atomic::Ordering, thread, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Grounds, Load,
    wish::{Client, Wish},
};

/// Between two commands of one writer.
const PACE: Duration = Duration::from_millis(10);

/// What one writer has made.
#[derive(Debug, Default)]
struct Own {
    tokens: VecDeque<String>,
    members: VecDeque<String>,
    client: Client,
}

/// One command after another until the load is over.
pub(super) fn write(load: &Load, grounds: &Grounds, writer: usize) -> Result<()> {
    let mut own = Own::default();
    for number in 0_usize.. {
        if load.is_over() {
            break;
        }
        let name = format!("{writer}-{number}");
        match (number + writer) % 6 {
            0 => half(load, &mut own, &name)?,
            1 => race(load, &mut own)?,
            2 | 3 => token(load, &mut own, &name)?,
            4 => join(load, grounds, &mut own)?,
            _ => leave(load, grounds, &mut own, number)?,
        }
        thread::sleep(PACE);
    }
    Ok(())
}

/// A project and a token of the same name: half a command would be one without the other.
fn half(load: &Load, own: &mut Own, name: &str) -> Result<()> {
    let body = json!({"commands": [
        {"method": "POST", "path": "/v1/projects", "body": {"name": name}},
        {"method": "POST", "path": "/v1/tokens", "body": {"name": format!("half-{name}")}},
    ]});
    let wish = Wish::new("POST", "/v1/batch", body, &["ProjectCreated", "TokenCreated"]);
    load.want(&mut own.client, &wish).map(drop)
}

/// A name that all writers want at about the same time.
fn race(load: &Load, own: &mut Own) -> Result<()> {
    let name = format!("only-{}", load.counter.load(Ordering::Relaxed) / 8);
    let mut wish = Wish::new("POST", "/v1/tokens", json!({"name": name}), &["TokenCreated"]);
    wish.wants_name = Some(name);
    load.want(&mut own.client, &wish).map(drop)
}

fn token(load: &Load, own: &mut Own, name: &str) -> Result<()> {
    let wish = Wish::new("POST", "/v1/tokens", json!({"name": name}), &["TokenCreated"]);
    if let Some(made) = load.want(&mut own.client, &wish)? {
        own.tokens.extend(made["id"].as_str().map(str::to_owned));
    }
    Ok(())
}

fn join(load: &Load, grounds: &Grounds, own: &mut Own) -> Result<()> {
    let Some(token) = own.tokens.pop_front() else { return Ok(()) };
    let path = format!("/v1/groups/{}/members", grounds.group);
    let body = json!({"member": {"type": "token", "id": token}});
    let wish = Wish::new("POST", &path, body, &["MemberAdded"]);
    if load.want(&mut own.client, &wish)?.is_some() {
        own.members.push_back(token);
    }
    Ok(())
}

/// Somebody leaves the group, or a project is relabelled.
fn leave(load: &Load, grounds: &Grounds, own: &mut Own, number: usize) -> Result<()> {
    let leaver = own.members.pop_front().filter(|_| number.is_multiple_of(2));
    let wish = if let Some(token) = leaver {
        let path = format!("/v1/groups/{}/members/token/{token}", grounds.group);
        Wish::new("DELETE", &path, Value::Null, &["MemberRemoved"])
    } else {
        let path = format!("/v1/projects/{}", grounds.labelled);
        // Never the same twice: what changes nothing has no record.
        let label = load.counter.fetch_add(1, Ordering::Relaxed).to_string();
        Wish::new("PATCH", &path, json!({"labels": {"n": label}}), &["ProjectUpdated"])
    };
    load.want(&mut own.client, &wish).map(drop)
}
