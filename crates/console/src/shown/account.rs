//! What people and service tokens have in common: keys, groups, sessions, and how their access changed.

use grantbook_api::{
    client::{Client, ClientError},
    nouns::{
        keys::{Key, KeyOfConcern},
        sessions::{Session, SessionQuery},
    },
    people::{events::event_words, explanation::actor_words, names::NameBook, scope, text::clean},
    questions::timeline::{Cause, StepRecord, TimelineQuery, TimelineStep},
    words::{
        list::{LIMIT_MAX, PageQuery},
        reference::{GranteeRef, PrincipalRef},
        state::State,
    },
};

use crate::{
    shown::{
        change::{self, ShownLine},
        time::{has_passed, minute, minute_or_dash, share_left},
    },
    visit::{Stop, new_request},
};

/// Steps that a page shows.
const STEPS: u32 = 50;

/// A key.
#[derive(Debug)]
pub(crate) struct ShownKey {
    pub(crate) id: String,
    pub(crate) preview: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) created: String,
    pub(crate) ends: String,
    pub(crate) narrow: String,
    pub(crate) is_over: bool,
    /// How much of its grace is left, in per cent, if another key took its place.
    pub(crate) grace: Option<u32>,
    /// The id of the request that rotates it, once however often it is sent.
    pub(crate) request: String,
}

/// A group that somebody is in.
#[derive(Debug)]
pub(crate) struct ShownMembership {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) until: String,
}

/// A session.
#[derive(Debug)]
pub(crate) struct ShownSession {
    pub(crate) id: String,
    pub(crate) preview: String,
    pub(crate) since: String,
    pub(crate) ends: String,
    pub(crate) is_own: bool,
}

/// A change of access, and what made it.
#[derive(Debug)]
pub(crate) struct ShownStep {
    pub(crate) at: String,
    pub(crate) cause: String,
    pub(crate) gained: Vec<ShownLine>,
    pub(crate) lost: Vec<ShownLine>,
}

/// What somebody may not see is left out of a page: 403 is an empty answer there.
pub(crate) fn seen<T: Default>(answer: Result<T, ClientError>) -> Result<T, Stop> {
    match answer {
        Err(error) if error.status() == Some(403) => Ok(T::default()),
        other => Ok(other?),
    }
}

/// The answer, or nothing if the caller may not have it (403).
pub(crate) fn if_seen<T>(answer: Result<T, ClientError>) -> Result<Option<T>, Stop> {
    match answer {
        Err(error) if error.status() == Some(403) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// The keys that were not revoked, as far as the caller may list them.
pub(crate) async fn keys(client: &Client, principal: &PrincipalRef) -> Result<Vec<ShownKey>, Stop> {
    let query = PageQuery { limit: Some(LIMIT_MAX), ..PageQuery::default() };
    let found = client.keys(principal, &query).await.map(|answer| answer.value.items);
    let names = NameBook::new(client);
    let mut shown = Vec::new();
    let found = seen(found)?;
    for key in &found {
        let successor = found.iter().find(|one| one.replaces.as_ref() == Some(&key.id));
        let grace = successor
            .filter(|_| key.state == Some(State::Active))
            .and_then(|successor| share_left(&successor.created_at, key.expires_at.as_deref()?));
        shown.push(ShownKey { grace, ..key_row(key, &names).await? });
    }
    Ok(shown)
}

/// The word for how something is.
pub(crate) fn state(state: Option<State>) -> &'static str {
    state.map_or("-", State::word)
}

async fn key_row(key: &Key, names: &NameBook<'_>) -> Result<ShownKey, Stop> {
    let is_over = key.state != Some(State::Active);
    let mut narrow = Vec::new();
    if let Some(narrowing) = &key.narrow {
        narrow.extend(narrowing.permissions.as_ref().map(|permissions| permissions.join(", ")));
        if let Some(on) = &narrowing.on {
            narrow.push(format!("on {}", scope::words(on, names).await));
        }
    }
    Ok(ShownKey {
        id: key.id.clone(),
        preview: clean(&key.preview),
        name: clean(key.name.as_deref().unwrap_or("-")),
        state: state(key.state),
        created: minute(&key.created_at),
        ends: minute_or_dash(key.expires_at.as_deref()),
        narrow: if narrow.is_empty() { "-".to_owned() } else { clean(&narrow.join(" ")) },
        is_over,
        grace: None,
        request: new_request()?,
    })
}

/// How many keys work, without their expiry: for lists.
pub(crate) async fn working_keys(client: &Client, principal: &PrincipalRef) -> Result<String, Stop> {
    let query = PageQuery { limit: Some(LIMIT_MAX), ..PageQuery::default() };
    match client.keys(principal, &query).await {
        Ok(answer) => {
            let working = answer.value.items.iter().filter(|key| key.state == Some(State::Active));
            Ok(working.count().to_string())
        }
        Err(error) if error.status() == Some(403) => Ok("-".to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// The groups that somebody is directly in, as far as the caller may read them.
pub(crate) async fn memberships(client: &Client, member: &GranteeRef) -> Result<Vec<ShownMembership>, Stop> {
    let query = PageQuery { limit: Some(LIMIT_MAX), ..PageQuery::default() };
    let found = client.groups_of(member, &query).await?.value.items;
    let until = |time: &str| {
        if has_passed(time) {
            format!(" until {}, which has passed", minute(time))
        } else {
            format!(" until {}", minute(time))
        }
    };
    let shown = found.into_iter().map(|one| ShownMembership {
        id: one.group.id,
        name: clean(&one.group.name),
        until: one.expires_at.as_deref().map(until).unwrap_or_default(),
    });
    Ok(shown.collect())
}

/// Their names, for lists.
pub(crate) async fn group_names(client: &Client, member: &GranteeRef) -> Result<String, Stop> {
    let names: Vec<String> = memberships(client, member).await?.into_iter().map(|group| group.name).collect();
    Ok(if names.is_empty() { "-".to_owned() } else { names.join(", ") })
}

/// The sessions of a user; the caller's if none is named.
pub(crate) async fn sessions(
    client: &Client,
    user: Option<&str>,
    own: &str,
) -> Result<Vec<ShownSession>, Stop> {
    let query = SessionQuery { user: user.map(str::to_owned), limit: Some(LIMIT_MAX), cursor: None };
    let found = client.sessions(&query).await.map(|answer| answer.value.items);
    let shown = |session: Session| ShownSession {
        is_own: session.id == own,
        id: session.id,
        preview: clean(&session.preview),
        since: minute(&session.signed_in_at),
        ends: minute(&session.expires_at),
    };
    Ok(seen(found)?.into_iter().map(shown).collect())
}

/// How the access of a principal changed; nothing if the caller may not ask.
pub(crate) async fn timeline(client: &Client, principal: &str) -> Result<Option<Vec<ShownStep>>, Stop> {
    let query = TimelineQuery {
        principal: Some(principal.to_owned()),
        limit: Some(STEPS),
        ..TimelineQuery::default()
    };
    let found = client.timeline(&query).await.map(|answer| answer.value.items);
    Ok(if_seen(found)?.map(|found| found.iter().map(step).collect()))
}

fn step(step: &TimelineStep) -> ShownStep {
    let records: Vec<String> = step.records.iter().map(record).collect();
    let cause = match step.cause {
        Cause::Record => records.join("; "),
        Cause::Expiry => format!("a time had passed that was set by: {}", records.join("; ")),
    };
    ShownStep {
        at: minute(&step.at),
        cause: clean(&cause),
        gained: step.changes.iter().flat_map(|one| change::lines(&one.gained)).collect(),
        lost: step.changes.iter().flat_map(|one| change::lines(&one.lost)).collect(),
    }
}

fn record(record: &StepRecord) -> String {
    let events: Vec<String> = record.events.iter().map(|event| event_words(event)).collect();
    let reason = record.reason.as_ref().map(|reason| format!(": \"{reason}\"")).unwrap_or_default();
    format!("{} by {}{reason}", events.join(", "), actor_words(&record.actor))
}

/// Keys that can do more than those who issued them could give, in sentences.
pub(crate) fn concerns(keys: &[KeyOfConcern]) -> Vec<String> {
    let sentence = |one: &KeyOfConcern| {
        let issuer = actor_words(&one.issued_by);
        clean(&format!("Key {} can do more than {issuer}, who issued it, could give today.", one.key))
    };
    keys.iter().map(sentence).collect()
}
