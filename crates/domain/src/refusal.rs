//! The answers "no" to commands. They are answers, not errors: each has a stable code.

use crate::{limits::Limit, text::TextFault};

/// A kind of thing, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The organization.
    Organization,
    /// A user.
    User,
    /// A service token.
    Token,
    /// A key.
    Key,
    /// A session.
    Session,
    /// A group.
    Group,
    /// A membership.
    Member,
    /// A role.
    Role,
    /// A project.
    Project,
    /// A registered object.
    Object,
    /// A grant.
    Grant,
    /// A webhook.
    Webhook,
    /// An object type.
    ObjectType,
    /// A permission.
    Permission,
}

impl Kind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::User => "user",
            Self::Token => "token",
            Self::Key => "key",
            Self::Session => "session",
            Self::Group => "group",
            Self::Member => "member",
            Self::Role => "role",
            Self::Project => "project",
            Self::Object => "object",
            Self::Grant => "grant",
            Self::Webhook => "webhook",
            Self::ObjectType => "object type",
            Self::Permission => "permission",
        }
    }
}

/// A right in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRight {
    /// The permission's name.
    pub permission: String,
    /// Where.
    pub scope: String,
}

fn not_held(right: Option<&NamedRight>) -> String {
    match right {
        Some(NamedRight { permission, scope }) => format!(
            "you cannot give a right that you do not hold: {permission} {scope}, as far and as long as given here"
        ),
        None => {
            "you cannot give a right that you do not hold: this would give one, or give it further or longer"
                .to_owned()
        }
    }
}

/// A JSON pointer (RFC 6901) into the command's body; empty for the command as a whole.
pub type Pointer = String;

/// Why a command was not accepted. Nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's key or principal is not active at the record's time.
    #[error("the key or its principal is not active")]
    Inactive,
    /// The thing named in the path does not exist, or the caller may not see it.
    #[error("no such {}", .0.word())]
    NotFound(Kind),
    /// The caller lacks the permission that the command itself needs.
    #[error("this needs the permission {permission} on {on}")]
    Forbidden {
        /// The permission's name.
        permission: String,
        /// What on, in words.
        on: String,
    },
    /// The command would give a right that the caller does not hold: named unless the caller may not see whose it is.
    #[error("{}", not_held(.0.as_ref()))]
    NotHeld(Option<NamedRight>),
    /// A session asks for what needs a sign-in of late.
    #[error("this needs a sign-in within the last 15 minutes: sign in again")]
    SignInAgain,
    /// The credential is of a kind that cannot do this.
    #[error("{0}")]
    WrongCredential(&'static str),
    /// Only a holder of `delegate` over a deny's scope may do what changes that deny's effect.
    #[error("a deny grant is touched: this needs delegate over its whole scope")]
    NeedsDelegate,
    /// A thing named in the body does not exist.
    #[error("no such {}", kind.word())]
    NoSuch {
        /// What kind.
        kind: Kind,
        /// Where in the body.
        pointer: Pointer,
    },
    /// A text does not fit.
    #[error("{fault}")]
    Text {
        /// Where in the body.
        pointer: Pointer,
        /// Why.
        fault: TextFault,
    },
    /// A value does not fit.
    #[error("{detail}")]
    Invalid {
        /// Where in the body.
        pointer: Pointer,
        /// Why.
        detail: &'static str,
    },
    /// Somebody living has the name.
    #[error("the {} name is taken", .0.word())]
    NameTaken(Kind),
    /// An active user has the e-mail.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// Somebody living of the same kind has the external id.
    #[error("the external id is taken")]
    ExternalIdTaken,
    /// Groups or roles would contain themselves.
    #[error("this would make a cycle of {}s", .0.word())]
    Cycle(Kind),
    /// No active user would be left as a direct, unexpiring member of Owners.
    #[error("one active user must stay a direct, unexpiring member of Owners")]
    LastOwner,
    /// A grant or another role uses the role.
    #[error("the role is in use by a grant or another role")]
    InUse,
    /// Built-in groups, roles and grants stay as they are.
    #[error("the built-in {} cannot be changed in this way", .0.word())]
    BuiltIn(Kind),
    /// The key has been revoked or has expired.
    #[error("the key is no longer active")]
    KeyEnded,
    /// Several projects have such an object, and none was named.
    #[error("several projects have an object of type {object_type} with this id: name the project")]
    AmbiguousObject {
        /// The object's type.
        object_type: String,
        /// Where in the body or path.
        pointer: Pointer,
    },
    /// The catalog already has the type with another parent, and a type's parent is fixed.
    #[error("the object type exists with another parent, and a type's parent is fixed")]
    ParentFixed,
    /// A command of a batch was refused, so none was accepted.
    #[error("command {index} of the batch: {refusal}")]
    InBatch {
        /// Its place, from 0.
        index: usize,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// An organization has so many living ones at most.
    #[error("an organization has at most {limit} {}s", kind.word())]
    TooMany {
        /// What kind.
        kind: Kind,
        /// How many.
        limit: usize,
    },
    /// The state would grow beyond a limit, or the command costs more than one may. See [`crate::limits`].
    #[error("at most {most} {}: {}", limit.counts(), limit.advice())]
    Limit {
        /// Which.
        limit: Limit,
        /// Its figure.
        most: u64,
    },
    /// So many sessions were started with the key lately.
    #[error("a key can start at most {limit} sessions within 12 hours")]
    TooManySessions {
        /// How many.
        limit: usize,
    },
    /// No room for more permissions or types.
    #[error("the catalog has no room for more {}s", .0.word())]
    CatalogFull(Kind),
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inactive => "unauthenticated",
            Self::NotFound(_) | Self::NoSuch { .. } => "not_found",
            Self::Forbidden { .. } => "forbidden",
            Self::NotHeld(_) => "not_held",
            Self::SignInAgain => "sign_in_again",
            Self::WrongCredential(_) => "wrong_credential",
            Self::NeedsDelegate => "needs_delegate",
            Self::Text { .. } | Self::Invalid { .. } => "invalid",
            Self::NameTaken(_) => "name_taken",
            Self::EmailTaken => "email_taken",
            Self::ExternalIdTaken => "external_id_taken",
            Self::Cycle(_) => "cycle",
            Self::LastOwner => "last_owner",
            Self::InUse => "in_use",
            Self::BuiltIn(_) => "built_in",
            Self::KeyEnded => "key_ended",
            Self::AmbiguousObject { .. } => "ambiguous_object",
            Self::ParentFixed => "parent_fixed",
            Self::CatalogFull(_) => "catalog_full",
            Self::TooMany { .. } | Self::TooManySessions { .. } => "too_many",
            Self::Limit { limit, .. } => limit.code(),
            Self::InBatch { refusal, .. } => refusal.code(),
        }
    }

    /// Where in the body the fault lies, if it lies in one place.
    pub fn pointer(&self) -> Option<Pointer> {
        match self {
            Self::NoSuch { pointer, .. }
            | Self::Text { pointer, .. }
            | Self::Invalid { pointer, .. }
            | Self::AmbiguousObject { pointer, .. } => Some(pointer.clone()),
            Self::InBatch { index, refusal } => Some(match refusal.pointer() {
                Some(inner) => format!("/commands/{index}/body{inner}"),
                None => format!("/commands/{index}"),
            }),
            Self::Inactive
            | Self::NotFound(_)
            | Self::Forbidden { .. }
            | Self::NotHeld(_)
            | Self::SignInAgain
            | Self::WrongCredential(_)
            | Self::NeedsDelegate
            | Self::NameTaken(_)
            | Self::EmailTaken
            | Self::ExternalIdTaken
            | Self::Cycle(_)
            | Self::LastOwner
            | Self::InUse
            | Self::BuiltIn(_)
            | Self::KeyEnded
            | Self::ParentFixed
            | Self::TooMany { .. }
            | Self::Limit { .. }
            | Self::TooManySessions { .. }
            | Self::CatalogFull(_) => None,
        }
    }

    /// The limit that it is due to, if it is.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Limit { limit, .. } => Some(*limit),
            Self::InBatch { refusal, .. } => refusal.limit(),
            Self::Inactive
            | Self::NotFound(_)
            | Self::Forbidden { .. }
            | Self::NotHeld(_)
            | Self::SignInAgain
            | Self::WrongCredential(_)
            | Self::NeedsDelegate
            | Self::NoSuch { .. }
            | Self::Text { .. }
            | Self::Invalid { .. }
            | Self::NameTaken(_)
            | Self::EmailTaken
            | Self::ExternalIdTaken
            | Self::Cycle(_)
            | Self::LastOwner
            | Self::InUse
            | Self::BuiltIn(_)
            | Self::KeyEnded
            | Self::AmbiguousObject { .. }
            | Self::ParentFixed
            | Self::TooMany { .. }
            | Self::TooManySessions { .. }
            | Self::CatalogFull(_) => None,
        }
    }

    /// For a body value.
    pub fn invalid(pointer: &str, detail: &'static str) -> Self {
        Self::Invalid { pointer: pointer.to_owned(), detail }
    }

    /// For a thing named in the body.
    pub fn no_such(kind: Kind, pointer: &str) -> Self {
        Self::NoSuch { kind, pointer: pointer.to_owned() }
    }

    /// For the lack of a command's own permission.
    pub fn forbidden(permission: &str, on: impl Into<String>) -> Self {
        Self::Forbidden { permission: permission.to_owned(), on: on.into() }
    }
}
