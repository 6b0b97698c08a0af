//! Attenuation: judging what a command confers against what the author holds.

use std::fmt::Write as _;

use super::Judge;
use crate::{
    authority::{Holding, Narrow, Right},
    catalog::Permission,
    command::Author,
    principal::{Grantee, Principal},
    refusal::Refusal,
    scope::{Atom, Scope, Selector},
    time::Timestamp,
};

impl Judge<'_> {
    /// Refuses unless the author may give everything that the holding gives.
    pub(super) fn require_conferrable(&self, given: &Holding) -> Result<(), Refusal> {
        self.require_conferrable_at(given, &given.scope)
    }

    /// The same, of the part of the holding that lies under `scope`.
    pub(super) fn require_conferrable_at(&self, given: &Holding, scope: &Scope) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        self.state.on_ground(|ground| {
            let reach = ground.reach(scope);
            for block in &given.blocks {
                let types = block.types.intersect(reach);
                for permission in block.permissions.iter() {
                    let right = Right { permission, types, scope, until: given.until };
                    if !types.is_empty() && !self.holdings.may_confer(ground, right) {
                        return Err(self.not_held(permission, scope));
                    }
                }
            }
            Ok(())
        })
    }

    /// Refuses unless the author holds `delegate` over the part of a deny that lies under `scope`.
    pub(super) fn require_delegate(&self, deny: &Holding, scope: &Scope) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        let held = self.state.on_ground(|ground| {
            let reach = ground.reach(scope);
            deny.blocks.iter().all(|block| {
                self.holdings.holds(ground, Permission::DELEGATE, block.types.intersect(reach), scope)
            })
        });
        if held { Ok(()) } else { Err(Refusal::NeedsDelegate) }
    }

    /// Everything a grantee has through itself and all groups above it, each until at most `until`.
    pub(super) fn everything_of(&self, grantee: Grantee, until: Timestamp) -> crate::authority::Holdings {
        self.state.holdings_of(self.state.reached_from(grantee, until, self.at), self.at)
    }

    /// Refuses unless the author may give everything that the principal has, cut by a narrowing.
    ///
    /// A grant cut by a narrowing lies within both scopes, so it is enough that either can be given.
    pub(super) fn require_everything(
        &self,
        principal: Principal,
        until: Timestamp,
        narrow: Option<&Narrow>,
    ) -> Result<(), Refusal> {
        for mut given in self.everything_of(principal.into(), until).allows {
            let Some(narrow) = narrow else {
                self.require_conferrable(&given)?;
                continue;
            };
            for block in &mut given.blocks {
                block.permissions = block.permissions.intersect(narrow.permissions);
            }
            let refused = self.require_conferrable(&given).err();
            match (refused, &narrow.on) {
                (Some(refusal), None) => return Err(refusal),
                (Some(_), Some(limit)) if self.meets(limit, &given.scope) => {
                    self.require_conferrable_at(&given, limit)?;
                }
                (None, _) | (Some(_), Some(_)) => {}
            }
        }
        Ok(())
    }

    fn meets(&self, one: &Scope, other: &Scope) -> bool {
        self.state.on_ground(|ground| ground.overlap(one, other))
    }

    fn not_held(&self, permission: Permission, scope: &Scope) -> Refusal {
        let named = self.state.catalog().permission_name(permission);
        let permission = if named.is_empty() { "every future permission" } else { named };
        Refusal::NotHeld { permission: permission.to_owned(), scope: in_words(scope) }
    }
}

/// A scope in words: `on project:ID`, `on projects all except label env=production`.
pub fn in_words(scope: &Scope) -> String {
    match scope {
        Scope::Organization => "on the organization".to_owned(),
        Scope::Object(object) => format!("on {}:{}", object.object_type, object.id),
        Scope::Projects(Selector { include, exclude }) => {
            let mut words = format!("on projects {}", atoms_in_words(include));
            if !exclude.is_empty() {
                let _infallible = write!(words, " except {}", atoms_in_words(exclude));
            }
            words
        }
    }
}

fn atoms_in_words(atoms: &[Atom]) -> String {
    let one = |atom: &Atom| match atom {
        Atom::All => "all".to_owned(),
        Atom::Id(id) => format!("id {id}"),
        Atom::Name(pattern) => format!("name {pattern}"),
        Atom::Label(labels) => {
            let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("label {}", pairs.join(","))
        }
    };
    atoms.iter().map(one).collect::<Vec<_>>().join(" or ")
}
