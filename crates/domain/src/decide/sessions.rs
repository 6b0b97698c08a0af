//! Sessions: short-lived keys that a user starts with a key of its own, for a browser to hold.

use crate::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    decide::{Events, Judge},
    event::Event,
    id::KeyId,
    model::{Key, KeyHash, Session},
    principal::Principal,
    refusal::Refusal,
    time::Timestamp,
};

/// Longest life of a session, in milliseconds: twelve hours.
pub(super) const SESSION_MAX_MILLIS: i64 = 12 * 60 * 60 * 1000;
/// Most sessions started with one key within the longest life of one, ended ones included: starting one needs no right.
const SESSIONS_MAX: usize = 200;
/// How long after a sign-in a session may issue keys, delegate and delete, in milliseconds: fifteen minutes.
pub(super) const SIGN_IN_MILLIS: i64 = 15 * 60 * 1000;

impl Judge<'_> {
    /// A session can do what the key can that starts it, and ends with it at the latest.
    pub(super) fn start_session(&self, id: KeyId, hash: KeyHash) -> Events {
        let Some(parent) = self.credential() else {
            return Err(Refusal::WrongCredential("a session is started with a key"));
        };
        if !matches!(parent.principal, Principal::User(_)) {
            return Err(Refusal::WrongCredential(
                "sessions are for people: a service token uses its key as it is",
            ));
        }
        if parent.session.is_some() {
            return Err(Refusal::WrongCredential("a session cannot start another session: use the key"));
        }
        let lately = self.at.plus_millis(-SESSION_MAX_MILLIS);
        let started = self.state.keys_of(parent.principal);
        let ours = |session: Session| session.parent == Some(parent.id);
        let started = started.filter(|key| key.session.is_some_and(ours) && key.created_at > lately);
        if started.count() >= SESSIONS_MAX {
            return Err(Refusal::TooManySessions { limit: SESSIONS_MAX });
        }
        let until = self.at.plus_millis(SESSION_MAX_MILLIS).min(Timestamp::end(parent.expires_at));
        let key = Key {
            id,
            principal: parent.principal,
            name: None,
            hash,
            expires_at: Some(until),
            narrow: parent.narrow.clone(),
            replaces: None,
            session: Some(Session { parent: Some(parent.id), signed_in_at: self.at }),
            created_at: self.at,
            ended_at: None,
        };
        self.require_room_for_narrowing(&key)?;
        Ok(vec![Event::KeyIssued { key }])
    }

    /// Limits the damage of an unattended browser: issuing keys, redirecting webhooks and deleting need a recent
    /// sign-in. (What delegates is judged where rights are conferred.) Revoking grants and keys, and removing members, is
    /// never held up.
    pub(super) fn require_recent_sign_in(&self, command: &Command) -> Result<(), Refusal> {
        let guarded = match command {
            Command::Key(KeyCommand::Issue { .. } | KeyCommand::Rotate { .. })
            | Command::Webhook(
                WebhookCommand::Create { .. } | WebhookCommand::Rotate { .. } | WebhookCommand::Delete { .. },
            )
            | Command::User(UserCommand::Deactivate { .. })
            | Command::Token(TokenCommand::Delete { .. })
            | Command::Group(GroupCommand::Delete { .. })
            | Command::Role(RoleCommand::Delete { .. })
            | Command::Project(ProjectCommand::Delete { .. })
            | Command::Object(ObjectCommand::Remove { .. }) => true,
            // Switching one off is free, redirecting one is not.
            Command::Webhook(WebhookCommand::Update { .. }) => !self.state.may_only_take(command),
            Command::Batch(_)
            | Command::ExtendCatalog { .. }
            | Command::User(UserCommand::Create { .. } | UserCommand::Update { .. })
            | Command::Token(TokenCommand::Create { .. } | TokenCommand::Update { .. })
            | Command::Session(SessionCommand::Start { .. } | SessionCommand::End { .. })
            | Command::Key(KeyCommand::Revoke { .. })
            | Command::Group(GroupCommand::Create { .. } | GroupCommand::Update { .. })
            | Command::Member(MemberCommand::Add { .. } | MemberCommand::Remove { .. })
            | Command::Role(RoleCommand::Create { .. } | RoleCommand::Update { .. })
            | Command::Project(ProjectCommand::Create { .. } | ProjectCommand::Update { .. })
            | Command::Object(
                ObjectCommand::Register { .. } | ObjectCommand::Create { .. } | ObjectCommand::Update { .. },
            )
            | Command::Grant(GrantCommand::Create { .. } | GrantCommand::Revoke { .. })
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => false,
        };
        if guarded && !self.signed_in_of_late() { Err(Refusal::SignInAgain) } else { Ok(()) }
    }

    /// Whether the credential is no session, or one whose holder signed in a short while ago.
    pub(super) fn signed_in_of_late(&self) -> bool {
        debug_assert!(self.author != Author::System || self.credential().is_none());
        let session = self.credential().and_then(|key| key.session);
        session.is_none_or(|session| self.at < session.signed_in_at.plus_millis(SIGN_IN_MILLIS))
    }
}
