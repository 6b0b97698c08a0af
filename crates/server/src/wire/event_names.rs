//! Names of events in filters: a list separated by commas, and what was probably meant where a name is unknown.

use grantbook_api::questions::feed::ChangeType;
use grantbook_domain::event::kind::EventKind;

use crate::http::problem::Failure;

/// Most names that are offered in the place of an unknown one.
const OFFERED: usize = 5;

/// The parameter `event` of a filter of records.
pub(crate) fn of_records<C: FromIterator<EventKind>>(text: &str) -> Result<C, Failure> {
    let read = |name: &str| EventKind::named(name).ok_or_else(|| unknown(name, &record_names()));
    text.split(',').map(|name| read(name.trim())).collect()
}

/// The parameter `event` of a filter of messages: records, and changes of access.
pub(crate) fn of_messages<C: FromIterator<String>>(text: &str) -> Result<C, Failure> {
    let names = message_names();
    text.split(',').map(|name| known(name.trim(), &names).map(|()| name.trim().to_owned())).collect()
}

/// The names of messages in the body of a webhook.
pub(crate) fn require_messages(names: Option<&Vec<String>>) -> Result<(), Failure> {
    let all = message_names();
    let mut numbered = names.into_iter().flatten().enumerate();
    numbered.try_for_each(|(index, name)| match known(name, &all) {
        Ok(()) => Ok(()),
        Err(failure) => Err(failure.at(format!("/events/{index}"))),
    })
}

fn message_names() -> Vec<&'static str> {
    let changes = [ChangeType::AccessGained.name(), ChangeType::AccessLost.name()];
    record_names().into_iter().chain(changes).collect()
}

fn record_names() -> Vec<&'static str> {
    EventKind::ALL.into_iter().map(EventKind::name).collect()
}

fn known(name: &str, names: &[&str]) -> Result<(), Failure> {
    if names.contains(&name) { Ok(()) } else { Err(unknown(name, names)) }
}

fn unknown(name: &str, names: &[&str]) -> Failure {
    let mut nearest = names.to_vec();
    nearest.sort_by_cached_key(|known| distance(name, known));
    let nearest: Vec<String> = nearest.into_iter().take(OFFERED).map(str::to_owned).collect();
    let meant = nearest.first().map(String::as_str).unwrap_or_default();
    let detail = format!(
        "there is no event named `{name}`: did you mean `{meant}`? Several names are separated by commas"
    );
    Failure::invalid(detail).with_known(nearest)
}

/// How many letters must be put in, left out or changed to come from one name to the other, whatever their case.
fn distance(from: &str, to: &str) -> usize {
    // Longer ones are no event's name, and not worth the time.
    let from: Vec<u8> = from.bytes().take(64).map(|byte| byte.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (index, letter) in to.bytes().enumerate() {
        let letter = letter.to_ascii_lowercase();
        let mut left = index + 1;
        let mut next = vec![left];
        for (other, pair) in from.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(*other != letter)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (from, to, letters) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("KeyRevoked", "keyrevoked", 0),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), letters, "{from} {to}");
        }
    }

    #[test]
    fn lists_are_read_and_unknown_names_answered_with_the_nearest() {
        let read: Vec<EventKind> = of_records("KeyRevoked, GrantCreated").unwrap();
        assert_eq!(read, [EventKind::KeyRevoked, EventKind::GrantCreated]);
        for text in ["KeyRevokd", "", "KeyRevoked,", "KeyRevoked,,GrantCreated", "AccessLost", "keyrevoked"] {
            assert!(of_records::<Vec<_>>(text).is_err(), "{text}");
        }
        assert!(of_messages::<Vec<_>>("AccessLost,KeyRevoked").is_ok());
        let failure = of_records::<Vec<_>>("KeyRevokd").unwrap_err();
        assert!(failure.detail().contains("did you mean `KeyRevoked`"), "{}", failure.detail());
    }
}
