//! What a node says of itself, and who disagrees with whom.

use std::collections::BTreeMap;

use grantbook_domain::id::InstallationId;
use grantbook_views::ViewDigest;
use serde::{Deserialize, Serialize};

use crate::{project::Mark, snapshots::NodeId};

/// What a node says of itself. Fields that a later version adds are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub node: NodeId,
    /// What its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is reached, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its version of Grantbook.
    pub version: String,
    /// The format of its view: digests of different formats differ.
    pub format: u32,
    /// Whose journal it follows.
    pub installation: InstallationId,
    /// The sequence of the last frame in its view.
    pub sequence: u64,
    /// The journal's last sequence, as far as it knows.
    pub head: u64,
    /// `starting`, `running`, `quarantined` or `stopped`.
    pub state: String,
    /// What its view held at this sequence and some earlier ones.
    pub marks: Vec<Mark>,
    /// When it said so, in milliseconds since 1970.
    pub at: i64,
}

/// Nodes that hold different views of the same frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The sequence at which they differ.
    pub sequence: u64,
    /// Each digest, with the nodes that have it; the one that most have comes first.
    pub sides: Vec<Side>,
}

/// Nodes that agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What they hold.
    pub digest: ViewDigest,
    /// Who.
    pub nodes: Vec<String>,
}

/// A name, an address or a version has at most so many characters, a node so many marks.
const LONGEST: usize = 200;
const MARKS_MAX: usize = 32;

impl Status {
    /// Reads what a node said, if it is understood. Whoever may write to the stream can say anything: no control characters
    /// get from there into logs and terminals, and nothing very long.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut status: Self = serde_json::from_slice(bytes).ok()?;
        let texts = [&mut status.version, &mut status.state];
        for text in texts.into_iter().chain(&mut status.name).chain(&mut status.url) {
            *text = text.chars().filter(|one| !one.is_control()).take(LONGEST).collect();
        }
        status.marks.truncate(MARKS_MAX);
        Some(status)
    }

    /// What it is called: its name if it has one, and its id.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.node),
            None => self.node.to_string(),
        }
    }
}

/// Where nodes of one journal and one format differ, by sequence, the first one first: what came later follows from it.
pub fn disagreements(statuses: &[Status]) -> Vec<Disagreement> {
    type Place = (InstallationId, u32, u64);
    let mut places: BTreeMap<Place, BTreeMap<[u8; 32], Vec<String>>> = BTreeMap::new();
    for status in statuses {
        for mark in &status.marks {
            let place = (status.installation, status.format, mark.sequence);
            let side = places.entry(place).or_default().entry(mark.digest.bytes()).or_default();
            if !side.contains(&status.title()) {
                side.push(status.title());
            }
        }
    }
    let differing = places.into_iter().filter(|(_, sides)| sides.len() > 1);
    let mut found: Vec<Disagreement> = differing
        .map(|((_, _, sequence), sides)| {
            let side = |(digest, nodes)| Side { digest: ViewDigest::from_bytes(digest), nodes };
            let mut sides: Vec<Side> = sides.into_iter().map(side).collect();
            sides.sort_by_key(|side| std::cmp::Reverse(side.nodes.len()));
            Disagreement { sequence, sides }
        })
        .collect();
    found.sort_by_key(|one| one.sequence);
    found
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at sequence {}:", self.sequence)?;
        for (index, Side { digest, nodes }) in self.sides.iter().enumerate() {
            let comma = if index == 0 { "" } else { ";" };
            let digest: String = digest.to_string().chars().take(16).collect();
            write!(f, "{comma} {} hold {digest}..", nodes.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::Id;

    use super::*;

    fn status(node: u128, format: u32, marks: &[(u64, u8)]) -> Status {
        let mark = |(sequence, byte): &(u64, u8)| Mark {
            sequence: *sequence,
            digest: ViewDigest::from_bytes([*byte; 32]),
        };
        Status {
            node: Id::from_u128(node),
            name: Some(format!("n{node}")),
            url: None,
            version: "0".to_owned(),
            format,
            installation: Id::from_u128(1),
            sequence: 9,
            head: 9,
            state: "running".to_owned(),
            marks: marks.iter().map(mark).collect(),
            at: 0,
        }
    }

    #[test]
    fn nothing_that_a_terminal_would_obey_is_taken_from_a_status() {
        let mut said = status(1, 3, &[(9, 1); 40]);
        said.name = Some("good\u{1b}[2J\n".to_owned() + &"x".repeat(300));
        said.state = "run\u{7}ning".to_owned();
        let heard = Status::parse(&serde_json::to_vec(&said).unwrap()).unwrap();
        assert!(heard.name.unwrap().starts_with("good[2Jxx"));
        assert_eq!((heard.state.as_str(), heard.marks.len()), ("running", MARKS_MAX));
        assert_eq!(Status::parse(b"{}"), None);
    }

    #[test]
    fn who_holds_something_else_at_the_same_place_is_named() {
        let agreeing = [status(1, 3, &[(9, 1), (4, 4)]), status(2, 3, &[(8, 2), (4, 4)])];
        assert_eq!(disagreements(&agreeing), []);
        // Another format has other rows.
        let [one, two] = agreeing;
        assert_eq!(disagreements(&[one.clone(), status(3, 2, &[(4, 5)])]), []);
        let found = disagreements(&[one, two, status(3, 3, &[(4, 5), (9, 7)])]);
        let sequences: Vec<u64> = found.iter().map(|one| one.sequence).collect();
        assert_eq!(sequences, [4, 9]);
        assert_eq!((found[0].sides[0].nodes.len(), found[0].sides[1].nodes.len()), (2, 1));
        assert!(found[0].to_string().contains("n3"), "{}", found[0]);
    }
}
