//! `grantbook limits`

use crate::shared::{exit::Verdict, session::Session};

/// What the organization may hold, and what it holds. "No" if it holds more than may be made.
pub(crate) async fn run(session: &Session) -> anyhow::Result<Verdict> {
    let answer = session.client.limits().await?.value;
    let is_beyond = answer.items.iter().any(|one| one.used.is_some_and(|used| used > one.value));
    if session.out.is_json() {
        session.out.json(&answer)?;
    } else {
        let used = |used: Option<u64>| used.map_or_else(|| "-".to_owned(), |used| used.to_string());
        let rows: Vec<_> = answer
            .items
            .into_iter()
            .map(|one| vec![one.name, used(one.used), one.value.to_string(), one.counts])
            .collect();
        session.out.table(&["LIMIT", "USED", "VALUE", "COUNTS"], &rows)?;
    }
    Ok(if is_beyond { Verdict::Failed } else { Verdict::Yes })
}
