//! The security log: refused commands, keys that ended and are still used, and reads of who could do what.
//!
//! Lines have the target [`TARGET`], so that they can be kept apart; they never hold a body, a header or a key.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{Method, Uri};
use grantbook_domain::{access::check::Reason, id::KeyId, principal::Principal};
use serde_json::Value;

use crate::{
    http::{
        metric_text::{counter, family},
        path::decode,
        problem::repeats_key,
    },
    state::authn::RequestIdentity,
};

/// Something for the log, `-` if it is not known; written out only if the line is.
pub(crate) struct Known<T>(pub(crate) Option<T>);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(known) => known.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// A principal as `user:ID` or `token:ID`.
pub(crate) struct Named(pub(crate) Principal);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Principal::User(id) => write!(f, "user:{id}"),
            Principal::Token(id) => write!(f, "token:{id}"),
        }
    }
}

/// The target of all lines of this log.
pub(crate) const TARGET: &str = "grantbook::security";
/// In so much time [`LINES_MAX`] lines are written of one kind and principal; the rest is counted.
const WINDOW: Duration = Duration::from_mins(1);
/// Most lines of one kind and principal in a [`WINDOW`].
const LINES_MAX: u64 = 20;
/// Of more principals than this at once nothing is remembered one by one: they share one place.
const KEPT_MAX: usize = 10_000;
/// Longest target of a request that is written out, in bytes.
const TARGET_MAX: usize = 512;

/// What is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A command that its author may not give, or whose target he may not see: 403 or 404.
    RefusedCommand,
    /// A key that no longer works, presented with its right secret.
    EndedKey,
    /// Audit, report, history, differences, timelines, the stream of records, or anything as of an earlier moment.
    HistoryRead,
}

impl Kind {
    const ALL: [Self; 3] = [Self::RefusedCommand, Self::EndedKey, Self::HistoryRead];

    const fn word(self) -> &'static str {
        match self {
            Self::RefusedCommand => "refused_command",
            Self::EndedKey => "ended_key",
            Self::HistoryRead => "history_read",
        }
    }
}

/// A request and its answer, as far as this log is concerned.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a Method,
    /// Whether the operation changes nothing.
    pub(crate) is_question: bool,
    /// The route's template.
    pub(crate) template: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) status: u16,
    pub(crate) code: Option<&'static str>,
    /// The pointer of the problem, which names the command of a batch.
    pub(crate) pointer: Option<&'a str>,
    /// What the body of a command is about.
    pub(crate) aim: Option<&'a Aim>,
    pub(crate) asker: RequestIdentity,
    pub(crate) peer: Option<SocketAddr>,
    /// The client, if it is not the peer.
    pub(crate) client: Option<IpAddr>,
}

/// Marks the answer of another process, which has written its own line: an extension of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoggedElsewhere;

impl Event<'_> {
    /// Why it is of interest, if it is.
    fn kind(&self) -> Option<Kind> {
        let RequestIdentity { principal, ended, looks_back, .. } = self.asker;
        if ended.is_some() {
            return Some(Kind::EndedKey);
        }
        principal?;
        let is_refused = matches!((self.status, self.code), (403, _) | (404, Some("not_found")));
        if !self.is_question {
            return is_refused.then_some(Kind::RefusedCommand);
        }
        let of_history = matches!(
            self.template,
            "/v1/audit" | "/v1/report" | "/v1/grants/history" | "/v1/diff" | "/v1/timeline" | "/v1/watch"
        );
        let is_answered = (200..300).contains(&self.status);
        ((looks_back || of_history) && (is_answered || is_refused)).then_some(Kind::HistoryRead)
    }

    /// Path and query as they came, if they are fit for a log and hold nothing like a key; else the route's template.
    fn target(&self) -> &str {
        let text = self.uri.path_and_query().map_or("", |whole| whole.as_str());
        let is_fit = text.len() <= TARGET_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && decode(text).is_some_and(|decoded| !repeats_key(&decoded));
        if is_fit { text } else { self.template }
    }
}

/// What a refused command was about: the references in its body, without anything else that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim(String);

impl Aim {
    /// Members of bodies that refer to what exists.
    const REFERENCES: [&str; 10] =
        ["method", "path", "to", "on", "role", "member", "project", "type", "id", "parent"];

    /// The target in the body, or in the command of a batch that the pointer leads to.
    pub(crate) fn of(body: &Value, pointer: Option<&str>) -> Self {
        let index = pointer
            .and_then(|text| text.strip_prefix("/commands/")?.split('/').next()?.parse::<usize>().ok());
        let command = index.and_then(|index| body.get("commands")?.get(index));
        let parts = [
            command,
            command.and_then(|command| command.get("body")),
            Some(body).filter(|_| command.is_none()),
        ];
        let mut kept = BTreeMap::new();
        for members in parts.into_iter().flatten().filter_map(Value::as_object) {
            kept.extend(members.iter().filter(|(name, _)| Self::REFERENCES.contains(&name.as_str())));
        }
        Self(Self::written(&kept).unwrap_or_else(|| "-".to_owned()))
    }

    /// As text that is fit for a log. What is longer, such as a selector of a thousand conditions, is not written to its end.
    fn written(kept: &BTreeMap<&String, &Value>) -> Option<String> {
        let mut text = [0; TARGET_MAX];
        let mut left = text.as_mut_slice();
        serde_json::to_writer(&mut left, kept).ok()?;
        let length = TARGET_MAX.saturating_sub(left.len());
        let text = str::from_utf8(text.get(..length)?).ok()?;
        (!repeats_key(text)).then(|| text.to_owned())
    }
}

/// Whose lines are counted together: principals, or keys where no principal was recognized.
type Whose = (Kind, Option<Principal>, Option<KeyId>);

#[derive(Debug)]
struct Window {
    begun: Instant,
    lines: u64,
    suppressed: u64,
}

/// What was seen, and of whom a line was written lately.
#[derive(Debug, Default)]
pub(crate) struct SecurityLog {
    counts: [AtomicU64; 3],
    suppressed: AtomicU64,
    windows: Mutex<HashMap<Whose, Window>>,
}

impl SecurityLog {
    /// Counts a request, and writes a line about it, if it is of interest.
    pub(crate) fn note(&self, event: &Event<'_>) {
        let Some(kind) = event.kind() else { return };
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let RequestIdentity { principal, key, .. } = event.asker;
        // A person with ten keys is one person.
        let whose = (kind, principal, key.filter(|_| principal.is_none()));
        let Some(suppressed) = self.admit(whose, Instant::now()) else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        write(kind, event, suppressed);
    }

    /// Whether a line may be written: how many were not since the one before.
    fn admit(&self, whose: Whose, now: Instant) -> Option<u64> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT_MAX {
            windows.retain(|_, window| now.duration_since(window.begun) < WINDOW);
        }
        let is_kept = windows.len() < KEPT_MAX || windows.contains_key(&whose);
        let place = if is_kept { whose } else { (whose.0, None, None) };
        let window = windows.entry(place).or_insert(Window { begun: now, lines: 0, suppressed: 0 });
        if now.duration_since(window.begun) >= WINDOW {
            (window.begun, window.lines) = (now, 0);
        }
        if window.lines >= LINES_MAX {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }

    /// The Prometheus text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        let kinds = Kind::ALL.map(Kind::word);
        family(
            &mut text,
            "grantbook_security_events_total",
            "Events of the security log by kind, those without a line included.",
            "kind",
            kinds.iter().zip(&self.counts),
        );
        let suppressed = self.suppressed.load(Ordering::Relaxed);
        counter(
            &mut text,
            "grantbook_security_lines_suppressed_total",
            "Events of the security log without a line, because there were too many of one kind and principal.",
            suppressed,
        );
        text
    }
}

fn write(kind: Kind, event: &Event<'_>, suppressed: u64) {
    let Event { request_id, method, status, code, pointer, aim, asker, peer, client, .. } = event;
    let RequestIdentity { org, principal, key, ended, .. } = asker;
    let (kind_word, method, target) = (kind.word(), method.as_str(), event.target());
    let (principal, key, peer) = (Known(principal.map(Named)), Known(*key), Known(*peer));
    let client = client.map(tracing::field::display);
    let (org, code) = (Known(*org), code.unwrap_or("-"));
    let pointer = pointer.filter(|pointer| !repeats_key(pointer)).unwrap_or("-");
    let aim = aim.map_or("-", |Aim(text)| text);
    match kind {
        Kind::RefusedCommand => tracing::warn!(
            target: TARGET, kind = kind_word, request.id = request_id, method, target, aim, pointer, status, code, %org,
            %principal, %key, %peer, client, suppressed, "a command was refused"
        ),
        Kind::EndedKey => tracing::warn!(
            target: TARGET, kind = kind_word, request.id = request_id, method, target, status, why = ended_word(*ended),
            %key, %peer, client, suppressed, "a key that no longer works was used with its right secret"
        ),
        Kind::HistoryRead => tracing::info!(
            target: TARGET, kind = kind_word, request.id = request_id, method, target, status, code, %org, %principal,
            %key, %peer, client, suppressed, "history was read"
        ),
    }
}

const fn ended_word(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::KeyRevoked) => "key_revoked",
        Some(Reason::KeyExpired) => "key_expired",
        Some(Reason::InactivePrincipal) => "inactive_principal",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::{TokenId, UserId};
    use serde_json::json;

    use super::*;

    const WHO: Principal = Principal::User(UserId::from_u128(1));

    /// The kind of a request by [`WHO`].
    fn kind(method: &Method, template: &str, status: u16, asker: RequestIdentity) -> Option<Kind> {
        let uri = Uri::from_static("/v1/x");
        let code = Some(if status == 404 { "not_found" } else { "forbidden" });
        Event {
            request_id: "r",
            method,
            is_question: method == Method::GET || template == "/v1/check",
            template,
            uri: &uri,
            status,
            code,
            pointer: None,
            aim: None,
            asker,
            peer: None,
            client: None,
        }
        .kind()
    }

    #[test]
    fn who_asked_is_named_with_kind_and_id_or_not_at_all() {
        let token = TokenId::from_u128(7);
        assert_eq!(Known(Some(Named(Principal::Token(token)))).to_string(), format!("token:{token}"));
        assert_eq!(Known(None::<SocketAddr>).to_string(), "-");
    }

    #[test]
    fn what_is_of_interest() {
        let known = RequestIdentity { principal: Some(WHO), ..RequestIdentity::default() };
        let back = RequestIdentity { looks_back: true, ..known };
        let ended = RequestIdentity { ended: Some(Reason::KeyRevoked), ..RequestIdentity::default() };
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        for (method, template, status, asker, expected) in [
            (&post, "/v1/grants", 403, known, Some(Kind::RefusedCommand)),
            (&delete, "/v1/grants/{id}", 404, known, Some(Kind::RefusedCommand)),
            (&delete, "/v1/grants/{id}", 200, known, None),
            (&post, "/v1/check", 403, known, None),
            (&post, "/v1/grants", 401, RequestIdentity::default(), None),
            (&get, "/v1/whoami", 401, ended, Some(Kind::EndedKey)),
            (&post, "/v1/grants", 401, ended, Some(Kind::EndedKey)),
            (&get, "/v1/audit", 200, known, Some(Kind::HistoryRead)),
            (&get, "/v1/audit", 403, known, Some(Kind::HistoryRead)),
            (&get, "/v1/audit", 400, known, None),
            (&get, "/v1/tokens", 200, known, None),
            (&get, "/v1/tokens", 200, back, Some(Kind::HistoryRead)),
            (&post, "/v1/check", 200, back, Some(Kind::HistoryRead)),
        ] {
            assert_eq!(kind(method, template, status, asker), expected, "{method} {template} {status}");
        }
    }

    #[test]
    fn a_target_that_is_not_fit_for_a_log_is_not_written() {
        let target = |uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            let asker = RequestIdentity::default();
            let method = &Method::GET;
            Event {
                request_id: "r",
                method,
                is_question: true,
                template: "/t",
                uri: &uri,
                status: 200,
                code: None,
                pointer: None,
                aim: None,
                asker,
                peer: None,
                client: None,
            }
            .target()
            .to_owned()
        };
        assert_eq!(target("/v1/audit?from=2026-01-01"), "/v1/audit?from=2026-01-01");
        let long = format!("/v1/{}", "x".repeat(600));
        for text in ["/v1/keys/gb_st_abc", "/v1/keys/gb%5Fpk_abc", "/v1/keys/%zz", long.as_str()] {
            assert_eq!(target(text), "/t", "{text}");
        }
    }

    #[test]
    fn the_aim_of_a_command_is_its_references_and_nothing_else() {
        let grant =
            json!({"to": {"type": "group", "id": "g"}, "role": "Owner", "reason": "private", "name": "n"});
        let aim = r#"{"role":"Owner","to":{"id":"g","type":"group"}}"#;
        assert_eq!(Aim::of(&grant, None).0, aim);
        let batch = json!({"commands": [{}, {"method": "POST", "path": "/v1/grants", "body": grant}]});
        let aim = r#"{"method":"POST","path":"/v1/grants","role":"Owner","to":{"id":"g","type":"group"}}"#;
        assert_eq!(Aim::of(&batch, Some("/commands/1/body/to")).0, aim);
        assert_eq!(Aim::of(&json!({"id": "gb_st_abc"}), None).0, "-");
        assert_eq!(Aim::of(&json!({"id": "x".repeat(600)}), None).0, "-");
        assert_eq!(Aim::of(&Value::Null, None).0, "{}");
    }

    #[test]
    fn lines_of_one_kind_and_principal_are_bounded_and_the_rest_is_counted() {
        let (log, now) = (SecurityLog::default(), Instant::now());
        let whose = (Kind::HistoryRead, Some(WHO), None);
        for _ in 0..LINES_MAX {
            assert_eq!(log.admit(whose, now), Some(0));
        }
        assert_eq!((log.admit(whose, now), log.admit(whose, now)), (None, None));
        assert_eq!(log.admit((Kind::RefusedCommand, Some(WHO), None), now), Some(0), "another kind");
        assert_eq!(log.admit(whose, now + WINDOW), Some(2), "the next line says how many there were");
        assert_eq!(log.admit(whose, now + WINDOW), Some(0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (log, now) = (SecurityLog::default(), Instant::now());
        for id in 0..KEPT_MAX as u128 + 50 {
            log.admit((Kind::HistoryRead, Some(Principal::User(UserId::from_u128(id))), None), now);
        }
        assert_eq!(log.windows.lock().unwrap().len(), KEPT_MAX + 1);
        assert!(
            log.admit((Kind::HistoryRead, Some(Principal::User(UserId::from_u128(u128::MAX))), None), now)
                .is_none()
        );
        log.admit((Kind::HistoryRead, Some(WHO), None), now + WINDOW);
        assert_eq!(log.windows.lock().unwrap().len(), 1);
    }
}
