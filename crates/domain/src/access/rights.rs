//! The rights table: what every command and every question needs. `decide` and the read routes ask this table, and a
//! command or question without a row does not compile.

use std::fmt;

use crate::{
    catalog::{Catalog, Permission},
    command::{
        Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand, ProjectCommand,
        RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
};

/// What a permission is needed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The set of all projects.
    AllProjects,
    /// The project named.
    Project,
    /// The users and service tokens.
    Members,
    /// Type group, anywhere in the organization.
    NewGroup,
    /// The group named.
    Group,
    /// Type role, anywhere in the organization.
    NewRole,
    /// The role named.
    Role,
    /// The object's type, in its project.
    Object,
    /// The grant's whole scope.
    Scope,
    /// The whole organization.
    Organization,
    /// The audit log.
    AuditLog,
}

/// What is needed besides being somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A permission on something.
    Permission(Permission, On),
    /// A permission on something, unless it is about oneself.
    UnlessOwn(Permission, On),
    /// What each command in it needs.
    Each,
    /// Being Grantbook itself.
    System,
    /// Being the operator of the installation.
    Operator,
}

/// The questions of the read side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Who am I?
    WhoAmI,
    /// A check; about oneself, now, it is free.
    Check,
    /// Why.
    Explain,
    /// The effective access of a principal.
    Access,
    /// Whose access commands would change, and how. What each command needs is needed besides.
    Plan,
    /// What the organization may hold, and what it holds.
    Limits,
    /// Who may do something on an object.
    WhoCan,
    /// On which objects of a type a principal may do something.
    Accessible,
    /// What a principal may do on an object; about oneself it is free, as so many checks are.
    Permissions,
    /// Read a project.
    Project,
    /// Read users and tokens.
    Members,
    /// List keys.
    Keys,
    /// Read a group and its members.
    Group,
    /// Read a role.
    Role,
    /// Read a grant.
    Grant,
    /// Read a registered object.
    Object,
    /// Read the catalog.
    Catalog,
    /// Read the audit log.
    Audit,
    /// What was ever granted, by whom, and what of it still holds.
    GrantHistory,
    /// Any of these about an earlier moment, besides what it needs itself.
    AsOf,
    /// Who gained and lost what between two moments.
    Diff,
    /// Who had what, given by whom: everybody.
    Report,
    /// How the access of a principal changed.
    Timeline,
    /// How access to a project changed.
    ProjectTimeline,
    /// Read webhooks, look at their deliveries and steer them, besides reading the audit log.
    Webhooks,
    /// Records and changes as they come; changes of access besides what the question about them needs.
    Watch,
}

impl Ask {
    /// All questions.
    pub const ALL: [Self; 26] = [
        Self::WhoAmI,
        Self::Check,
        Self::Explain,
        Self::Access,
        Self::Plan,
        Self::Limits,
        Self::WhoCan,
        Self::Accessible,
        Self::Permissions,
        Self::Project,
        Self::Members,
        Self::Keys,
        Self::Group,
        Self::Role,
        Self::Grant,
        Self::Object,
        Self::Catalog,
        Self::Audit,
        Self::GrantHistory,
        Self::AsOf,
        Self::Diff,
        Self::Report,
        Self::Timeline,
        Self::ProjectTimeline,
        Self::Webhooks,
        Self::Watch,
    ];

    /// What the question needs.
    pub const fn needs(self) -> Needs {
        match self {
            Self::WhoAmI => Needs::Nothing,
            Self::Catalog => Needs::Permission(Permission::READ, On::AllProjects),
            Self::Check | Self::Permissions => Needs::UnlessOwn(Permission::READ_ACLS, On::Object),
            Self::Explain | Self::WhoCan => Needs::Permission(Permission::READ_ACLS, On::Object),
            Self::Access | Self::Plan | Self::Limits | Self::Accessible | Self::Report | Self::Timeline => {
                Needs::Permission(Permission::READ_ACLS, On::Organization)
            }
            Self::ProjectTimeline => Needs::Permission(Permission::READ_ACLS, On::Project),
            Self::Project => Needs::Permission(Permission::READ, On::Project),
            Self::Members => Needs::UnlessOwn(Permission::READ, On::Members),
            Self::Keys => Needs::UnlessOwn(Permission::UPDATE, On::Members),
            Self::Group => Needs::Permission(Permission::READ, On::Group),
            Self::Role => Needs::Permission(Permission::READ, On::Role),
            Self::Grant => Needs::Permission(Permission::READ_ACLS, On::Scope),
            Self::Object => Needs::Permission(Permission::READ, On::Object),
            Self::Webhooks => Needs::Permission(Permission::DELEGATE, On::Organization),
            Self::Audit | Self::GrantHistory | Self::AsOf | Self::Diff | Self::Watch => {
                Needs::Permission(Permission::READ, On::AuditLog)
            }
        }
    }
}

/// What the command itself needs; what it confers is judged besides.
pub const fn needs(command: &Command) -> Needs {
    use Needs::{Each, Operator, System, UnlessOwn};
    match command {
        Command::Batch(_) => Each,
        Command::ExtendCatalog { .. }
        | Command::Webhook(
            WebhookCommand::Create { .. }
            | WebhookCommand::Update { .. }
            | WebhookCommand::Rotate { .. }
            | WebhookCommand::Delete { .. },
        ) => Needs::Permission(Permission::DELEGATE, On::Organization),
        Command::User(UserCommand::Create { .. }) | Command::Token(TokenCommand::Create { .. }) => {
            Needs::Permission(Permission::CREATE, On::Members)
        }
        Command::User(UserCommand::Update { .. })
        | Command::Token(TokenCommand::Update { .. })
        | Command::Key(KeyCommand::Issue { .. } | KeyCommand::Rotate { .. }) => {
            Needs::Permission(Permission::UPDATE, On::Members)
        }
        Command::User(UserCommand::Deactivate { .. }) | Command::Token(TokenCommand::Delete { .. }) => {
            Needs::Permission(Permission::DELETE, On::Members)
        }
        Command::Session(SessionCommand::Start { .. }) => Needs::Nothing,
        Command::Key(KeyCommand::Revoke { .. }) | Command::Session(SessionCommand::End { .. }) => {
            UnlessOwn(Permission::UPDATE, On::Members)
        }
        Command::Group(GroupCommand::Create { .. }) => Needs::Permission(Permission::CREATE, On::NewGroup),
        Command::Group(GroupCommand::Update { .. })
        | Command::Member(MemberCommand::Add { .. } | MemberCommand::Remove { .. }) => {
            Needs::Permission(Permission::UPDATE, On::Group)
        }
        Command::Group(GroupCommand::Delete { .. }) => Needs::Permission(Permission::DELETE, On::Group),
        Command::Role(RoleCommand::Create { .. }) => Needs::Permission(Permission::CREATE, On::NewRole),
        Command::Role(RoleCommand::Update { .. }) => Needs::Permission(Permission::UPDATE, On::Role),
        Command::Role(RoleCommand::Delete { .. }) => Needs::Permission(Permission::DELETE, On::Role),
        Command::Project(ProjectCommand::Create { .. }) => {
            Needs::Permission(Permission::CREATE, On::AllProjects)
        }
        Command::Project(ProjectCommand::Update { .. }) => Needs::Permission(Permission::UPDATE, On::Project),
        Command::Project(ProjectCommand::Delete { .. }) => Needs::Permission(Permission::DELETE, On::Project),
        Command::Object(ObjectCommand::Register { .. } | ObjectCommand::Create { .. }) => {
            Needs::Permission(Permission::CREATE, On::Object)
        }
        Command::Object(ObjectCommand::Update { .. }) => Needs::Permission(Permission::UPDATE, On::Object),
        Command::Object(ObjectCommand::Remove { .. }) => Needs::Permission(Permission::DELETE, On::Object),
        Command::Grant(GrantCommand::Create { .. }) => Needs::Permission(Permission::CREATE_ACLS, On::Scope),
        Command::Grant(GrantCommand::Revoke { .. }) => Needs::Permission(Permission::DELETE_ACLS, On::Scope),
        Command::NoteExpiries { .. } => System,
        Command::RecoverOwner { .. } | Command::AcceptRollback { .. } => Operator,
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllProjects => "org_project",
            Self::Project => "the project",
            Self::Members => "org_member",
            Self::NewGroup => "type group",
            Self::Group => "the group",
            Self::NewRole => "type role",
            Self::Role => "the role",
            Self::Object => "the object",
            Self::Scope => "the grant's whole scope",
            Self::Organization => "the organization",
            Self::AuditLog => "org_audit_logs",
        })
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let catalog = Catalog::default();
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Permission(permission, on) => write!(f, "{} on {on}", catalog.permission_name(*permission)),
            Self::UnlessOwn(permission, on) => {
                write!(f, "{} on {on}; free for one's own", catalog.permission_name(*permission))
            }
            Self::Each => f.write_str("what each command in it needs"),
            Self::System => f.write_str("being Grantbook itself"),
            Self::Operator => f.write_str("being the operator"),
        }
    }
}
