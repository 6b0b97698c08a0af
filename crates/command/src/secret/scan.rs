//! Secrets in texts that would be stored: the bare secret part of a key, which has no form of its own, found by its hash.

use std::{collections::HashMap, fmt::Write as _};

use grantbook_domain::{model::KeyHash, state::OrgState, time::Timestamp};
use serde_json::Value;

use crate::secret::{SECRET, hash, is_digit};

/// Longest text that is looked through, in bytes: longer ones are stored nowhere.
const TEXT_MAX: usize = 2048;
/// Most places at which secrets are looked for: a batch of 1,000 commands, each with ids of 64 characters, needs 22,000.
const PLACES_MAX: usize = 100_000;

/// Why texts are not stored, each with the JSON pointer to the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretInText {
    /// One holds the secret of a live key.
    Secret(String),
    /// There is more to look through than a request needs.
    TooMuch(String),
}

/// Places that may hold a secret: its hash, and the pointer to the text.
#[derive(Default)]
struct Places(HashMap<[u8; 32], String>);

/// Where a text is in a body. Its pointer is written only where it is needed: a body may have thousands of texts.
struct Place<'a> {
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
}

/// A step down.
enum Step<'a> {
    None,
    Item(usize),
    Member(&'a str),
}

impl Place<'_> {
    const TOP: Self = Self { above: None, step: Step::None };

    const fn below<'a>(&'a self, step: Step<'a>) -> Place<'a> {
        Place { above: Some(self), step }
    }

    /// RFC 6901, section 3.
    fn pointer(&self) -> String {
        let mut pointer = self.above.map(Self::pointer).unwrap_or_default();
        match self.step {
            Step::None => {}
            Step::Item(index) => {
                let _infallible = write!(pointer, "/{index}");
            }
            Step::Member(name) => {
                let _infallible = write!(pointer, "/{}", name.replace('~', "~0").replace('/', "~1"));
            }
        }
        pointer
    }
}

/// Looks through all texts of a body for the secrets of the organization's keys that are active at this time.
pub fn in_body(body: &Value, state: &OrgState, now: Timestamp) -> Result<(), SecretInText> {
    let mut places = Places::default();
    places.of_value(body, &Place::TOP)?;
    places.require_none(state, now)
}

/// The same of one text.
pub fn in_text(text: &str, state: &OrgState, now: Timestamp) -> Result<(), SecretInText> {
    let mut places = Places::default();
    places.of_text(text, &Place::TOP)?;
    places.require_none(state, now)
}

impl Places {
    fn of_value(&mut self, value: &Value, at: &Place<'_>) -> Result<(), SecretInText> {
        match value {
            Value::String(text) => self.of_text(text, at),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| self.of_value(item, &at.below(Step::Item(index)))),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| {
                // A pointer must not repeat the secret.
                self.of_text(name, at)?;
                let step = if name.len() < SECRET { Step::Member(name) } else { Step::None };
                self.of_value(member, &at.below(step))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn of_text(&mut self, text: &str, at: &Place<'_>) -> Result<(), SecretInText> {
        if text.len() > TEXT_MAX {
            return Ok(());
        }
        let words = text.as_bytes().split(|byte| !is_digit(*byte));
        for place in words.flat_map(|word| word.windows(SECRET)) {
            let KeyHash(hash) = hash(place);
            self.0.insert(hash, at.pointer());
            if self.0.len() > PLACES_MAX {
                return Err(SecretInText::TooMuch(at.pointer()));
            }
        }
        Ok(())
    }

    /// The hash of 256 secret bits tells nothing of them, so it is looked up as it is.
    fn require_none(&self, state: &OrgState, now: Timestamp) -> Result<(), SecretInText> {
        if self.0.is_empty() {
            return Ok(());
        }
        for key in state.keys() {
            if let Some(at) = self.0.get(&key.hash.0)
                && state.active_key(key.id, now).is_ok()
            {
                return Err(SecretInText::Secret(at.clone()));
            }
        }
        Ok(())
    }
}
