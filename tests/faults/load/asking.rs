//! Two at each node who ask all the time, also when it does not answer: one takes whatever the node has, one demands
//! answers that are fresh enough, for which he may have to wait.

use std::{
    sync::{PoisonError, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{Load, Subject, wish::Client};
use crate::history::{Check, Entry, Said};
use grantbook_domain::position::Position;
use grantbook_server::wire::position;
use grantbook_tests::wire::Reply;
use serde_json::json;

/// Between two questions.
const PACE: Duration = Duration::from_millis(15);
/// Every how many demands are for the latest there is; the others are for the position that was acknowledged last.
const LATEST: usize = 3;

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Nothing,
    AtLeast(u64),
    Latest,
}

/// One question after another, about those who came last and all others in turn, until the load is over.
pub(super) fn ask(load: &Load, node: &str, demands: bool) {
    let mut client = Client::default();
    for number in 0_usize.. {
        if load.is_over() {
            break;
        }
        let subject = {
            let subjects = load.subjects.lock().unwrap_or_else(PoisonError::into_inner);
            let recent = subjects.len().saturating_sub(1 + number / 2 % 3);
            let index = if number.is_multiple_of(2) { recent } else { number / 2 % subjects.len().max(1) };
            subjects.get(index).cloned()
        };
        if let Some(subject) = subject {
            let demand = match number {
                _ if !demands => Demand::Nothing,
                _ if number.is_multiple_of(LATEST) => Demand::Latest,
                _ => Demand::AtLeast(load.acknowledged.load(Ordering::SeqCst)),
            };
            let check = one(load, &mut client, (node, demand), subject);
            load.history.add(Entry::Check(check));
        }
        thread::sleep(PACE);
    }
}

fn one(load: &Load, client: &mut Client, (node, demand): (&str, Demand), subject: Subject) -> Check {
    let Subject { name, token, key, project } = subject;
    let sent = load.history.now();
    let body = json!({"key": key, "permission": "update", "object": {"type": "project", "id": project}});
    let demanded = match demand {
        Demand::Nothing => None,
        Demand::AtLeast(least) => Some(position::encode(load.installation, Position::from_u64(least))),
        Demand::Latest => Some("latest".to_owned()),
    };
    let headers: Vec<(&str, &str)> =
        demanded.iter().map(|text| ("grantbook-at-least", text.as_str())).collect();
    let reply = client.send(load, node, |http| http.send_with("POST", "/v1/check", &headers, &body));
    let answered = load.history.now();
    let said = match reply {
        Err(error) => Said::Unavailable { code: format!("{error:#}") },
        Ok(reply) => said(load, &reply),
    };
    let (node, subject) = (node.to_owned(), name);
    let at_least = if let Demand::AtLeast(least) = demand { least } else { 0 };
    let latest = demand == Demand::Latest;
    Check { node, subject, token, key, project, at_least, latest, sent, answered, said }
}

fn said(load: &Load, reply: &Reply) -> Said {
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    if reply.status != 200 {
        return Said::Unavailable { code: format!("{} {}", reply.status, text("code")) };
    }
    let position = load.position(reply);
    match answer["allowed"].as_bool() {
        Some(true) => Said::Allowed { position },
        _ => Said::Denied { position, reason: text("reason") },
    }
}
