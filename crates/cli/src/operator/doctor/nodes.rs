//! What `grantbook doctor` says of the nodes of a journal in NATS, as they say themselves.

use crate::operator::doctor::{Finding, Status, finding};
use grantbook_server::{
    app::config::NatsOptions,
    journal::stamp::clock::Clock,
    node::peers::{Status as Node, disagreements, statuses},
};

/// A node that has said nothing for longer is silent, in ms: it speaks every 10 s.
const SILENT_AFTER: i64 = 60_000;
/// A node that is further behind lags, in frames.
const LAGS_BEHIND: u64 = 1000;

/// A finding per node, and one per disagreement.
pub(crate) async fn nodes(options: &NatsOptions) -> Vec<Finding> {
    match statuses(options).await {
        Ok(nodes) => judge(&nodes, Clock::system().now().millis()),
        Err(error) => vec![finding(
            "nodes",
            Status::Unknown,
            error.to_string(),
            "nodes compare themselves through a stream that `grantbook nats prepare` makes",
        )],
    }
}

fn judge(nodes: &[Node], now: i64) -> Vec<Finding> {
    let head = nodes.iter().map(|node| node.head).max().unwrap_or_default();
    let mut findings: Vec<Finding> = nodes.iter().map(|node| one(node, head, now)).collect();
    let differing = disagreements(nodes);
    // What came later follows from the first.
    findings.extend(differing.first().map(|first| {
        finding(
            "nodes disagree",
            Status::Unsafe,
            first.to_string(),
            "stop each in turn and run `grantbook view verify`; rebuild the view of who is wrong: `grantbook view build`",
        )
    }));
    if differing.is_empty() && nodes.len() > 1 {
        findings.push(finding("nodes agree", Status::Ok, format!("{} nodes", nodes.len()), ""));
    }
    findings
}

fn one(node: &Node, head: u64, now: i64) -> Finding {
    let silent = now.saturating_sub(node.at);
    let lag = head.saturating_sub(node.sequence);
    let Node { state, sequence, version, .. } = node;
    let found = format!(
        "{}: {state} at sequence {sequence}, {lag} frames behind, heard {} s ago, version {version}",
        node.title(),
        silent / 1000
    );
    let (status, advice) = match state.as_str() {
        _ if silent > SILENT_AFTER => {
            (Status::Warn, "it is down, or cut off from NATS; a node that is gone is forgotten after a day")
        }
        "quarantined" => (Status::Unsafe, "look at its /readyz and its log"),
        _ if lag > LAGS_BEHIND => (Status::Warn, "it lags: look at its load and its disk"),
        _ => (Status::Ok, ""),
    };
    finding("node", status, found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, json: &serde_json::Value) -> Node {
        let mut status = serde_json::json!({"node": "019b76da-a800-7000-8000-000000000000", "name": name, "version": "0",
            "format": 3, "installation": "019b76da-a800-7000-8000-000000000000", "sequence": 9, "head": 9,
            "state": "running", "marks": [], "at": 100_000});
        status.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn nodes_that_are_silent_lag_or_disagree_are_named() {
        let mark = |byte: &str| serde_json::json!([{"sequence": 4, "digest": byte.repeat(32)}]);
        let nodes = [
            node("good", &serde_json::json!({"marks": mark("0a")})),
            node("wrong", &serde_json::json!({"marks": mark("0b")})),
            node("silent", &serde_json::json!({"at": 1})),
            node("slow", &serde_json::json!({"head": 5000})),
            node("ill", &serde_json::json!({"state": "quarantined"})),
        ];
        let findings = judge(&nodes, 101_000);
        let of = |name: &str| findings.iter().find(|one| one.found.contains(name)).unwrap();
        assert_eq!(of("silent").status, Status::Warn);
        assert_eq!(of("ill").status, Status::Unsafe);
        let disagree = findings.iter().find(|one| one.check == "nodes disagree").unwrap();
        assert_eq!(disagree.status, Status::Unsafe);
        assert!(disagree.found.contains("good") && disagree.found.contains("wrong"), "{}", disagree.found);
        let fine = judge(&nodes[..1], 101_000);
        assert!(fine.iter().all(|one| one.status == Status::Ok));
    }
}
