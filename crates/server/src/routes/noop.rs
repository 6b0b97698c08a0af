//! The present state of what a write found as it wanted it: nothing was appended, so the state is shown.

use grantbook_domain::{
    command::{Author, Command},
    state::OrgState,
    time::Timestamp,
};
use serde_json::Value;

use crate::routes::render;

/// The thing that the command is about; `asked` says by whom, and when.
pub(crate) fn present(state: &OrgState, command: &Command, asked: (Author, Timestamp)) -> Value {
    let shown = match command {
        Command::ExtendCatalog { .. } => Some(render::value(&render::catalog(state.catalog()))),
        Command::CreateUser { id, .. } | Command::UpdateUser { id, .. } | Command::DeactivateUser { id } => {
            state.user(*id).map(|user| render::value(&render::user(user)))
        }
        Command::CreateToken { id, .. } | Command::UpdateToken { id, .. } | Command::DeleteToken { id } => {
            state.token(*id).map(|token| render::value(&render::token(token)))
        }
        Command::IssueKey { id, .. }
        | Command::RotateKey { id, .. }
        | Command::StartSession { id, .. }
        | Command::RevokeKey { id }
        | Command::EndSession { id } => state.key(*id).map(|key| render::value(&render::key(key))),
        Command::CreateGroup { id, .. } | Command::UpdateGroup { id, .. } | Command::DeleteGroup { id } => {
            state.group(*id).map(|group| render::value(&render::group(group)))
        }
        Command::AddMember { group, member, .. } | Command::RemoveMember { group, member } => {
            let living = state.membership(*member, *group);
            let membership = living.or_else(|| state.removed_membership(*member, *group));
            membership.map(|membership| render::value(&render::member(membership)))
        }
        Command::CreateRole { id, .. } | Command::UpdateRole { id, .. } | Command::DeleteRole { id } => {
            state.role(*id).map(|role| render::value(&render::role(role)))
        }
        Command::CreateProject { id, .. }
        | Command::UpdateProject { id, .. }
        | Command::DeleteProject { id } => {
            state.project(*id).map(|project| render::value(&render::project(project)))
        }
        Command::RegisterObject { object, .. }
        | Command::UpdateObject { object, .. }
        | Command::RemoveObject { object } => {
            let (author, at) = asked;
            state.object_meant(author, at, object).map(|object| render::value(&render::object(&object)))
        }
        Command::CreateGrant { id, .. } | Command::RevokeGrant { id } => {
            state.grant(*id).map(|grant| render::value(&render::grant(grant)))
        }
        Command::CreateWebhook { id, .. }
        | Command::UpdateWebhook { id, .. }
        | Command::RotateWebhook { id, .. }
        | Command::DeleteWebhook { id } => {
            state.webhook(*id).map(|webhook| render::value(&render::webhook(webhook)))
        }
        Command::Batch(_)
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => None,
    };
    shown.unwrap_or_default()
}
