//! The present state of what a write found as it wanted it: nothing was appended, so the state is shown.

use grantbook_domain::{
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand, WebhookCommand,
    },
    state::OrgState,
    time::Timestamp,
};
use serde_json::Value;

use crate::wire::render;

/// The thing that the command is about; `asked` says by whom, and when.
pub(crate) fn present(state: &OrgState, command: &Command, asked: (Author, Timestamp)) -> Value {
    let shown = match command {
        Command::ExtendCatalog { .. } => Some(render::value(&render::catalog(state.catalog()))),
        Command::User(
            UserCommand::Create { id, .. } | UserCommand::Update { id, .. } | UserCommand::Deactivate { id },
        ) => state.user(*id).map(|user| render::value(&render::user(user))),
        Command::Token(
            TokenCommand::Create { id, .. } | TokenCommand::Update { id, .. } | TokenCommand::Delete { id },
        ) => state.token(*id).map(|token| render::value(&render::token(token))),
        Command::Key(
            KeyCommand::Issue { id, .. } | KeyCommand::Rotate { id, .. } | KeyCommand::Revoke { id },
        )
        | Command::Session(SessionCommand::Start { id, .. } | SessionCommand::End { id }) => {
            state.key(*id).map(|key| render::value(&render::key(key)))
        }
        Command::Group(
            GroupCommand::Create { id, .. } | GroupCommand::Update { id, .. } | GroupCommand::Delete { id },
        ) => state.group(*id).map(|group| render::value(&render::group(group))),
        Command::Member(
            MemberCommand::Add { group, member, .. } | MemberCommand::Remove { group, member },
        ) => {
            let living = state.membership(*member, *group);
            let membership = living.or_else(|| state.removed_membership(*member, *group));
            membership.map(|membership| render::value(&render::member(membership)))
        }
        Command::Role(
            RoleCommand::Create { id, .. } | RoleCommand::Update { id, .. } | RoleCommand::Delete { id },
        ) => state.role(*id).map(|role| render::value(&render::role(role))),
        Command::Project(
            ProjectCommand::Create { id, .. }
            | ProjectCommand::Update { id, .. }
            | ProjectCommand::Delete { id },
        ) => state.project(*id).map(|project| render::value(&render::project(project))),
        Command::Object(
            ObjectCommand::Register { object, .. }
            | ObjectCommand::Update { object, .. }
            | ObjectCommand::Remove { object },
        ) => {
            let (author, at) = asked;
            state.object_meant(author, at, object).map(|object| render::value(&render::object(&object)))
        }
        Command::Object(ObjectCommand::Create { object, name, .. }) => {
            let (author, at) = asked;
            let used = state.object_in_use(author, at, (object, name));
            used.map(|object| render::value(&render::object(&object)))
        }
        Command::Grant(GrantCommand::Create { id, .. } | GrantCommand::Revoke { id }) => {
            state.grant(*id).map(|grant| render::value(&render::grant(grant)))
        }
        Command::Webhook(
            WebhookCommand::Create { id, .. }
            | WebhookCommand::Update { id, .. }
            | WebhookCommand::Rotate { id, .. }
            | WebhookCommand::Delete { id },
        ) => state.webhook(*id).map(|webhook| render::value(&render::webhook(webhook))),
        Command::Batch(_)
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => None,
    };
    shown.unwrap_or_default()
}
