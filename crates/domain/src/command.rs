//! Intentions, in the imperative. Ids, hashes and times are chosen by the caller, so that deciding is pure.

use crate::{
    catalog::TypeDefinition,
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    model::{Effect, Gives, KeyHash, Narrowing, RolePermission},
    principal::{Caller, Grantee, Principal},
    scope::{Labels, ObjectRef, Scope},
    time::Timestamp,
    webhook::MessageKind,
};

/// Who asks for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A principal with the authority of its key.
    Caller(Caller),
    /// Grantbook itself, for notices of expiry.
    System,
    /// Whoever runs the installation; every right.
    Operator,
}

/// A command with everything that a decision may depend on besides the state.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub author: Author,
    /// The record's time, not before the organization's last record.
    pub at: Timestamp,
    /// What is asked.
    pub command: Command,
}

/// A change of an optional field: outer `None` leaves it, inner `None` clears it.
pub type Change<T> = Option<Option<T>>;

/// When something is to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// As it is; never, if it is new. Saying nothing gives no more than there was.
    Kept,
    /// Never.
    Never,
    /// Then.
    At(Timestamp),
}

impl Expiry {
    /// The end, given the one there is.
    pub fn after(self, old: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Kept => old,
            Self::Never => None,
            Self::At(at) => Some(at),
        }
    }
}

impl From<Option<Timestamp>> for Expiry {
    fn from(expires_at: Option<Timestamp>) -> Self {
        expires_at.map_or(Self::Never, Self::At)
    }
}

/// One intention.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Several in order, all or none, as one record.
    Batch(Vec<Command>),
    /// Adds names to the catalog.
    ExtendCatalog {
        /// New types with their parents.
        object_types: Vec<TypeDefinition>,
        /// New permissions.
        permissions: Vec<String>,
    },
    /// On users.
    User(UserCommand),
    /// On service tokens.
    Token(TokenCommand),
    /// On keys.
    Key(KeyCommand),
    /// On sessions.
    Session(SessionCommand),
    /// On groups.
    Group(GroupCommand),
    /// On members of groups.
    Member(MemberCommand),
    /// On roles.
    Role(RoleCommand),
    /// On projects.
    Project(ProjectCommand),
    /// On registered objects.
    Object(ObjectCommand),
    /// On grants.
    Grant(GrantCommand),
    /// On webhooks.
    Webhook(WebhookCommand),
    /// Records the expiries that have passed and are not yet in the journal; only for [`Author::System`].
    NoteExpiries {
        /// At most so many in one record.
        limit: usize,
    },
    /// Records that the operator went on from an older journal; only for [`Author::Operator`].
    AcceptRollback {
        /// The last sequence of the journal that is gone on from.
        kept: u64,
        /// The last sequence that the lost journal is known to have had.
        lost: u64,
    },
    /// Makes an active user a direct, unexpiring member of Owners and issues it a key; only for [`Author::Operator`].
    RecoverOwner {
        /// The user's e-mail; made if nobody active has it.
        email: String,
        /// The id it gets if it has to be made.
        new_user: UserId,
        /// The new key's id.
        key: KeyId,
        /// The new secret's SHA-256.
        hash: KeyHash,
    },
}

/// Commands on users.
#[derive(Debug, Clone, PartialEq)]
pub enum UserCommand {
    /// Makes a user.
    Create {
        /// Its id.
        id: UserId,
        /// Its e-mail.
        email: String,
        /// The person's name.
        name: Option<String>,
        /// The id in another system, such as a directory.
        external_id: Option<String>,
    },
    /// Changes a user.
    Update {
        /// Which.
        id: UserId,
        /// New e-mail.
        email: Option<String>,
        /// New name.
        name: Change<String>,
        /// New external id.
        external_id: Change<String>,
    },
    /// Ends a user for ever.
    Deactivate {
        /// Which.
        id: UserId,
    },
}

/// Commands on service tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenCommand {
    /// Makes a service token.
    Create {
        /// Its id.
        id: TokenId,
        /// Its name.
        name: String,
        /// What for.
        description: Option<String>,
        /// The id in another system, such as a directory.
        external_id: Option<String>,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
    },
    /// Changes a service token.
    Update {
        /// Which.
        id: TokenId,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
        /// New external id.
        external_id: Change<String>,
        /// New end.
        expires_at: Change<Timestamp>,
    },
    /// Ends a service token for ever.
    Delete {
        /// Which.
        id: TokenId,
    },
}

/// Commands on keys.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyCommand {
    /// Issues a key.
    Issue {
        /// Its id.
        id: KeyId,
        /// Whose.
        principal: Principal,
        /// A label for people.
        name: Option<String>,
        /// SHA-256 of the secret.
        hash: KeyHash,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
        /// What it is narrowed to.
        narrow: Option<Narrowing>,
    },
    /// Replaces a key by a new one with the same narrowing and expiry.
    Rotate {
        /// The old key.
        id: KeyId,
        /// The new key's id.
        new_id: KeyId,
        /// The new secret's SHA-256.
        hash: KeyHash,
        /// How long the old key still works, in seconds.
        grace_seconds: u64,
    },
    /// Revokes a key.
    Revoke {
        /// Which.
        id: KeyId,
    },
}

/// Commands on sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionCommand {
    /// Starts a session with the user's key that is used: a short-lived key with the same narrowing.
    Start {
        /// The session's id, that of a key.
        id: KeyId,
        /// SHA-256 of its secret.
        hash: KeyHash,
    },
    /// Ends a session; a key that is none is not there.
    End {
        /// Which.
        id: KeyId,
    },
}

/// Commands on groups.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupCommand {
    /// Makes a group.
    Create {
        /// Its id.
        id: GroupId,
        /// Its name.
        name: String,
        /// What for.
        description: Option<String>,
    },
    /// Changes a group's name or description.
    Update {
        /// Which.
        id: GroupId,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
    },
    /// Ends a group for ever.
    Delete {
        /// Which.
        id: GroupId,
    },
}

/// Commands on members of groups.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberCommand {
    /// Adds a member, or replaces its expiry.
    Add {
        /// To which group.
        group: GroupId,
        /// Whom.
        member: Grantee,
        /// When the membership ends by itself.
        expires_at: Expiry,
    },
    /// Removes a member.
    Remove {
        /// From which group.
        group: GroupId,
        /// Whom.
        member: Grantee,
    },
}

/// Commands on roles.
#[derive(Debug, Clone, PartialEq)]
pub enum RoleCommand {
    /// Makes a role.
    Create {
        /// Its id.
        id: RoleId,
        /// Its name.
        name: String,
        /// What it gives.
        permissions: Vec<RolePermission>,
        /// What it includes.
        includes: Vec<RoleId>,
    },
    /// Changes a role; the lists replace the old ones.
    Update {
        /// Which.
        id: RoleId,
        /// New name.
        name: Option<String>,
        /// New permissions.
        permissions: Option<Vec<RolePermission>>,
        /// New includes.
        includes: Option<Vec<RoleId>>,
    },
    /// Ends a role that nothing uses.
    Delete {
        /// Which.
        id: RoleId,
    },
}

/// Commands on projects.
#[derive(Debug, Clone, PartialEq)]
pub enum ProjectCommand {
    /// Makes a project.
    Create {
        /// Its id.
        id: ProjectId,
        /// Its name.
        name: String,
        /// Its labels.
        labels: Labels,
    },
    /// Renames or relabels a project.
    Update {
        /// Which.
        id: ProjectId,
        /// New name.
        name: Option<String>,
        /// New labels, replacing all.
        labels: Option<Labels>,
    },
    /// Ends a project with what lies below it.
    Delete {
        /// Which.
        id: ProjectId,
    },
}

/// What a new object gets where its name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfTaken {
    /// The name with a number.
    Number,
    /// Nothing: the object that has the name is used.
    Use,
}

/// Commands on registered objects.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectCommand {
    /// Makes an object of the caller's own known.
    Register {
        /// Type and id, and its project iff its type lies below project.
        object: ObjectRef,
        /// A label for people.
        name: Option<String>,
    },
    /// Makes a new object known, with an id that Grantbook chose.
    Create {
        /// Type and the id chosen for it, and its project iff its type lies below project.
        object: ObjectRef,
        /// Its name.
        name: String,
        /// What if a living object of the same type and project has the name.
        if_taken: IfTaken,
    },
    /// Changes a registered object's name.
    Update {
        /// Type, id, and the project unless only one has such an object.
        object: ObjectRef,
        /// New name.
        name: Change<String>,
    },
    /// Removes a registered object.
    Remove {
        /// Type, id, and the project unless only one has such an object.
        object: ObjectRef,
    },
}

/// Commands on grants.
#[derive(Debug, Clone, PartialEq)]
pub enum GrantCommand {
    /// Gives a grant.
    Create {
        /// Its id.
        id: GrantId,
        /// To whom.
        to: Grantee,
        /// What.
        gives: Gives,
        /// Where.
        on: Scope,
        /// Allow or deny.
        effect: Effect,
        /// Only on this type.
        object_type: Option<String>,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// Revokes a grant.
    Revoke {
        /// Which.
        id: GrantId,
    },
}

/// Commands on webhooks.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookCommand {
    /// Makes a webhook.
    Create {
        /// Its id.
        id: WebhookId,
        /// Where messages are sent.
        url: String,
        /// Only messages of these names; all if empty.
        events: Vec<String>,
        /// Messages of these kinds; at least one.
        kinds: Vec<MessageKind>,
        /// What for.
        description: Option<String>,
        /// Whether messages are sent.
        enabled: bool,
        /// Names the key that its signing secret is derived from.
        key: String,
    },
    /// Changes a webhook; the lists replace the old ones.
    Update {
        /// Which.
        id: WebhookId,
        /// New URL.
        url: Option<String>,
        /// New names.
        events: Option<Vec<String>>,
        /// New kinds.
        kinds: Option<Vec<MessageKind>>,
        /// New description.
        description: Change<String>,
        /// Whether messages are sent.
        enabled: Option<bool>,
    },
    /// Gives a webhook a new signing secret.
    Rotate {
        /// Which.
        id: WebhookId,
        /// Names the key that the new secret is derived from.
        key: String,
        /// How long the former secret signs too, in seconds.
        grace_seconds: u64,
    },
    /// Ends a webhook for ever.
    Delete {
        /// Which.
        id: WebhookId,
    },
}
