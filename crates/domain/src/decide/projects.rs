//! Projects: made, renamed or relabelled, deleted. A relabelling moves a project in and out of live scopes.

use crate::{
    catalog::{ObjectType, Permission},
    command::{Author, ProjectCommand},
    decide::{Events, Judge, is_new, require_name, text},
    event::Event,
    model::{Effect, Project},
    refusal::{Kind, Refusal},
    scope::{LABELS_MAX, Labels, ObjectRef, Scope, Selector},
    state::{NameKind, project_view},
    text::{NAME_MAX_BYTES, check_line},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_project(&self, command: &ProjectCommand) -> Events {
        match command {
            ProjectCommand::Create { id, name, labels } => {
                let (name, labels) = (name.clone(), labels.clone());
                let project = Project { id: *id, name, labels, created_at: self.at, ended_at: None };
                self.require_project_fits(&project, None)?;
                Ok(vec![Event::ProjectCreated { project }])
            }
            ProjectCommand::Update { id, name, labels } => {
                let old = self.state.living_project(*id).ok_or(Refusal::NotFound(Kind::Project))?;
                let project = Project {
                    name: name.clone().unwrap_or_else(|| old.name.clone()),
                    labels: labels.clone().unwrap_or_else(|| old.labels.clone()),
                    ..old.clone()
                };
                if project == *old {
                    return Ok(Vec::new());
                }
                self.require_project_fits(&project, Some(old))?;
                self.require_move(old, &project)?;
                Ok(vec![Event::ProjectUpdated { project }])
            }
            ProjectCommand::Delete { id } => {
                let project = self.state.project(*id).ok_or(Refusal::NotFound(Kind::Project))?;
                if project.ended_at.is_some() {
                    return Ok(Vec::new());
                }
                let project = Project { ended_at: Some(self.at), ..project.clone() };
                Ok(vec![Event::ProjectDeleted { project }])
            }
        }
    }

    /// What a rename or relabelling confers. Every allow that newly covers the project must be conferrable on it. If a
    /// deny no longer covers the project, the author needs `delegate` on it. If any grant, or the
    /// narrowing of any active key, starts or stops covering it, the author needs `update_acls`.
    fn require_move(&self, old: &Project, new: &Project) -> Result<(), Refusal> {
        let place = Scope::Object(ObjectRef::of_project(old.id));
        let cover =
            |selector: &Selector| (selector.covers(project_view(old)), selector.covers(project_view(new)));
        let mut moved = false;
        for grant in self.state.grants_by_selector() {
            let Scope::Projects(selector) = &grant.on else { continue };
            let (before, after) = cover(selector);
            if before == after || !self.state.grant_counts(grant, self.at) {
                continue;
            }
            moved = true;
            let holding = self.state.holding(grant, Timestamp::FOREVER);
            match grant.effect {
                Effect::Allow if after => self.require_conferrable_at(&holding, &place)?,
                Effect::Deny if before => self.require_to_lift(&holding, &place)?,
                Effect::Allow | Effect::Deny => {}
            }
        }
        moved = moved
            || self.state.keys_by_selector().any(|key| {
                let on = key.narrow.as_ref().and_then(|narrow| narrow.on.as_ref());
                let active = self.state.key_counts(key, self.at);
                let Some(Scope::Projects(selector)) = on.filter(|_| active) else { return false };
                let (before, after) = cover(selector);
                before != after
            });
        if moved { self.require_update_acls(&place) } else { Ok(()) }
    }

    fn require_update_acls(&self, place: &Scope) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        let types = ObjectType::PROJECT.set();
        let held =
            self.on_ground(|ground| self.holdings.holds(ground, Permission::UPDATE_ACLS, types, place));
        if held {
            Ok(())
        } else {
            Err(Refusal::forbidden(
                "update_acls",
                "the project, because the new name or labels change which grants and narrowings cover it",
            ))
        }
    }

    fn require_project_fits(&self, project: &Project, old: Option<&Project>) -> Result<(), Refusal> {
        if is_new(&project.name, old.map(|old| &old.name)) {
            require_name(&project.name)?;
        }
        require_labels(&project.labels, old.map(|old| &old.labels), || "/labels".to_owned())?;
        match self.state.holder_of(NameKind::Project, &project.name) {
            Some(holder) if holder != project.id.uuid() => Err(Refusal::NameTaken(Kind::Project)),
            _ => Ok(()),
        }
    }
}

/// At most 64 labels; keys and values are one trimmed line each, values may be empty. The pointer is made only where something is
/// wrong.
pub(super) fn require_labels(
    labels: &Labels,
    old: Option<&Labels>,
    pointer: impl Fn() -> String,
) -> Result<(), Refusal> {
    if labels.len() > LABELS_MAX {
        return Err(Refusal::invalid(&pointer(), "at most 64 labels"));
    }
    let is_new = |(key, value): &(&String, &String)| old.and_then(|old| old.get(*key)) != Some(*value);
    for (key, value) in labels.iter().filter(is_new) {
        let checked = check_line(key, NAME_MAX_BYTES)
            .and_then(|()| if value.is_empty() { Ok(()) } else { check_line(value, NAME_MAX_BYTES) });
        if checked.is_err() {
            let escaped = key.replace('~', "~0").replace('/', "~1");
            text(&format!("{}/{escaped}", pointer()), checked)?;
        }
    }
    Ok(())
}
