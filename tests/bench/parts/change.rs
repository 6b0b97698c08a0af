//! Changes to the organization of the workload.

use grantbook_domain::{
    event::Event,
    model::Effect,
    principal::Grantee,
    scope::{ObjectRef, Scope},
};

use crate::workload::{grant_to, group_id, labelled, project_id, release_manager, role};

/// A grant on one project to the group with this number.
pub(crate) fn grant_to_group(number: u128, group: u128, project: u128) -> Event {
    let id = project_id(project % 1_000).to_string();
    let on = Scope::Object(ObjectRef::new("project", id));
    grant_to(number, Grantee::Group(group_id(group)), role(number), on, Effect::Allow)
}

/// The project with this number moved to production or to staging.
pub(crate) fn relabelled(number: u128, turn: u128) -> Event {
    let env = if turn.is_multiple_of(2) { "production" } else { "staging" };
    Event::ProjectUpdated { project: labelled(number, env) }
}

/// The custom role with a permission more or less.
pub(crate) fn custom_role_changed(turn: u128) -> Event {
    let permissions: &[&str] =
        if turn.is_multiple_of(2) { &["read", "update", "delete"] } else { &["read", "update"] };
    Event::RoleUpdated { role: release_manager(permissions) }
}
