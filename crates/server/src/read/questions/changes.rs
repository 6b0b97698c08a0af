//! What `diff` and `timeline` share: two moments, a page between them, and changes in words.

use grantbook_api::questions::diff::{self, PrincipalChange};
use grantbook_domain::{
    access::lines::lines, id::Id, position::Position, principal::Principal, time::Timestamp,
};
use grantbook_views::{AccessChange, Moment};

use crate::{
    http::{cursor::Cursor, problem::Failure},
    read::{
        context::{Named, ReadContext, authz::Authorizer, paging::PageRoom},
        questions::access,
    },
};

/// Bytes of a number in a cursor.
const WORD: usize = 8;

/// What a question about changes says of its moments and its page.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Names the list: its route and its filters.
    pub(crate) list: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// Two moments, and where between them a page begins.
#[derive(Debug)]
pub(crate) struct MomentRange {
    /// The moment asked about, or from which the page goes on.
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// The place of the last item given, in the words of the list; empty on the first page.
    pub(crate) after: Vec<u8>,
    list: String,
}

impl MomentRange {
    /// The moments of a question, from the beginning up to now unless it says otherwise; the reading turns to the later.
    pub(crate) async fn of(mut reading: ReadContext, asked: Asked) -> Result<(ReadContext, Self), Failure> {
        let Asked { list, from, to, cursor } = asked;
        let list = format!("{list}\n{from:?}\n{to:?}");
        let installation = reading.web.app.installation;
        let named =
            |name, text: Option<String>| text.map(|text| Named::parse(installation, name, &text)).transpose();
        let (from, to) = (named("from", from)?, named("to", to)?);
        for named in [from, to].into_iter().flatten() {
            reading = reading.reaching(named).await?;
        }
        let begun = reading.cursor(&list, cursor.as_deref())?;
        let between = if let Some(cursor) = begun {
            Self::unpacked(&cursor, list)?
        } else {
            let beginning = Moment { position: Position::START, at: Timestamp::from_millis(i64::MIN) };
            let newest = reading.newest()?;
            let now = Moment { at: newest.at.max(reading.now), ..newest };
            let from = from.map_or(Ok(beginning), |named| reading.moment("from", named))?;
            let to = to.map_or(Ok(now), |named| reading.moment("to", named))?;
            Self { from, to, after: Vec::new(), list }
        };
        if (between.from.position, between.from.at) > (between.to.position, between.to.at) {
            return Err(Failure::invalid("the parameter from is a moment after that of to"));
        }
        let to = between.to;
        Ok((reading.at_moment(to, None), between))
    }

    /// The cursor of a page that goes on from a moment, after an item.
    pub(crate) fn next(&self, reading: &ReadContext, from: Moment, after: &[u8]) -> String {
        let mut words = from.position.get().to_be_bytes().to_vec();
        words.extend(from.at.millis().to_be_bytes());
        words.extend(self.to.at.millis().to_be_bytes());
        words.extend(after);
        let cursor = Cursor { at: self.to.position, after: words };
        reading.cursor_text(&self.list, &cursor)
    }

    fn unpacked(cursor: &Cursor, list: String) -> Result<Self, Failure> {
        let mut rest = cursor.after.as_slice();
        let mut word = || {
            let (word, left) = rest.split_first_chunk::<WORD>()?;
            rest = left;
            Some(*word)
        };
        let (Some(position), Some(from_at), Some(to_at)) = (word(), word(), word()) else {
            return Err(Failure::invalid("the parameter cursor is not one of this list"));
        };
        let time = |word| Timestamp::from_millis(i64::from_be_bytes(word));
        let from = Moment { position: Position::from_u64(u64::from_be_bytes(position)), at: time(from_at) };
        let to = Moment { position: cursor.at, at: time(to_at) };
        Ok(Self { from, to, after: rest.to_vec(), list })
    }
}

/// A moment as clients see it.
pub(crate) fn moment(reading: &ReadContext, moment: Moment) -> diff::Moment {
    let begun = moment.position != Position::START;
    diff::Moment {
        position: reading.web.position_text(moment.position),
        at: begun.then(|| moment.at.to_string()),
    }
}

/// Where a page of changes ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ChangePlace {
    /// Beyond this principal.
    pub(crate) beyond: Option<Principal>,
    /// How many lines of the next one were given.
    pub(crate) lines: u32,
}

impl ChangePlace {
    /// As cursors have it: 0, or 1 user or 2 token and the id; then the lines.
    pub(crate) fn packed(self) -> Vec<u8> {
        let mut bytes = match self.beyond {
            None => vec![0],
            Some(Principal::User(id)) => [&[1][..], &id.bytes()[..]].concat(),
            Some(Principal::Token(id)) => [&[2][..], &id.bytes()[..]].concat(),
        };
        bytes.extend(self.lines.to_be_bytes());
        bytes
    }

    pub(crate) fn unpacked(bytes: &[u8]) -> Result<Self, Failure> {
        let wrong = || Failure::invalid("the parameter cursor is not one of this list");
        let Some((kind, rest)) = bytes.split_first() else { return Ok(Self::default()) };
        let (id, lines) = rest.split_last_chunk().ok_or_else(wrong)?;
        let beyond = match (kind, id.try_into()) {
            (0, _) => None,
            (1, Ok(id)) => Some(Principal::User(Id::from_bytes(id))),
            (2, Ok(id)) => Some(Principal::Token(Id::from_bytes(id))),
            _ => return Err(wrong()),
        };
        Ok(Self { beyond, lines: u32::from_be_bytes(*lines) })
    }
}

/// What somebody gained and lost, one line a kind of right, beyond the first `given` lines; and how many were given then, if
/// the page has no room for the others.
pub(crate) fn change(
    authorizer: &mut Authorizer<'_>,
    room: &mut PageRoom,
    (principal, change): (Principal, &AccessChange),
    [before, after]: [usize; 2],
    given: u32,
) -> Result<(Option<PrincipalChange>, Option<u32>), Failure> {
    let (gained, lost) = (lines(&change.gained), lines(&change.lost));
    let all =
        gained.iter().map(|line| (true, line, after)).chain(lost.iter().map(|line| (false, line, before)));
    let mut item =
        PrincipalChange { principal: authorizer.principal(principal)?, gained: Vec::new(), lost: Vec::new() };
    let (mut cut, mut is_begun) = (None, false);
    for ((is_gained, line, types), number) in all.zip(0..).filter(|(_, number)| *number >= given) {
        let line = access::line(authorizer, line, types)?;
        let fits = if is_begun { room.takes_part(&line)? } else { room.takes_part(&(&item, &line))? };
        if !fits {
            cut = Some(number);
            break;
        }
        is_begun = true;
        if is_gained { &mut item.gained } else { &mut item.lost }.push(line);
    }
    Ok((is_begun.then_some(item), cut))
}
