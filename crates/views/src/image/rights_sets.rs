//! What grants of one effect give where, as sets: put together from grants, then flattened for the answer.

use grantbook_domain::{
    catalog::{ObjectType, Permission, PermissionSet, TypeSet},
    state::Block,
};

use crate::image::project_bitset::{Bits, bit_of, word_of};

/// Every type that can lie in a project, those of the future included.
const CONTENT: TypeSet = TypeSet::ALL.minus(TypeSet::ADMINISTRATIVE);
const PERMISSIONS: usize = 64;

/// A union of grants, being made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    /// Permissions on everything in these projects; no permission stands in two of them.
    projects: Vec<(PermissionSet, Bits)>,
    /// Permissions on some types in these projects.
    typed: Vec<(Block, Bits)>,
    /// Permissions on everything that lies in no project.
    organization: Vec<Block>,
}

impl Parts {
    /// Adds what a block gives in these projects.
    pub(crate) fn add(&mut self, block: Block, projects: &Bits) {
        if CONTENT.minus(block.types).is_empty() {
            self.add_on_all_types(block.permissions, projects);
        } else if !block.types.intersect(CONTENT).is_empty() {
            match self.typed.iter_mut().find(|(known, _)| *known == block) {
                Some((_, known)) => known.add(projects),
                None => self.typed.push((block, projects.clone())),
            }
        }
    }

    /// Adds what a block gives on everything that lies in no project.
    pub(crate) fn add_outside(&mut self, block: Block) {
        match self.organization.iter_mut().find(|known| known.types == block.types) {
            Some(known) => known.permissions = known.permissions.union(block.permissions),
            None => self.organization.push(block),
        }
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (permissions, projects) in &other.projects {
            self.add_on_all_types(*permissions, projects);
        }
        other.typed.iter().for_each(|(block, projects)| self.add(*block, projects));
        other.organization.iter().for_each(|block| self.add_outside(*block));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.projects.is_empty() && self.typed.is_empty() && self.organization.is_empty()
    }

    fn add_on_all_types(&mut self, permissions: PermissionSet, projects: &Bits) {
        let mut rest = permissions;
        let mut apart = Vec::new();
        for (known, covered) in &mut self.projects {
            let common = known.intersect(rest);
            if common.is_empty() {
                continue;
            }
            rest = without(rest, common);
            if covered.contains(projects) {
                continue;
            }
            if common == *known {
                covered.add(projects);
            } else {
                *known = without(*known, common);
                let mut both = covered.clone();
                both.add(projects);
                apart.push((common, both));
            }
        }
        self.projects.append(&mut apart);
        if !rest.is_empty() {
            self.projects.push((rest, projects.clone()));
        }
    }
}

const fn without(set: PermissionSet, other: PermissionSet) -> PermissionSet {
    PermissionSet(set.0 & !other.0)
}

/// A union of grants, made: one look answers for a permission on a project.
#[derive(Debug, Clone)]
pub(crate) struct RightsSet {
    /// By permission the number of its set, from 1; 0 for none.
    by_permission: [u8; PERMISSIONS],
    /// The sets, each of `width` words.
    words: Box<[u64]>,
    width: usize,
    /// Whether what lies beyond the words is in, a bit a set.
    tails: u64,
    typed: Box<[(Block, Bits)]>,
    organization: Box<[Block]>,
}

impl RightsSet {
    pub(crate) fn of(parts: Parts) -> Self {
        let width = parts.projects.iter().map(|(_, bits)| bits.len()).max().unwrap_or(0);
        let mut words = Vec::with_capacity(width.saturating_mul(parts.projects.len()));
        let mut by_permission = [0; PERMISSIONS];
        let mut tails = 0;
        for (number, (permissions, bits)) in (0_u8..).zip(&parts.projects) {
            words.extend((0..width).map(|at| bits.word(at)));
            tails |= u64::from(bits.tail()) << number;
            for (bit, place) in by_permission.iter_mut().enumerate() {
                if permissions.0 >> bit & 1 == 1 {
                    *place = number + 1;
                }
            }
        }
        Self {
            by_permission,
            words: words.into(),
            width,
            tails,
            typed: parts.typed.into(),
            organization: parts.organization.into(),
        }
    }

    /// Whether it has the permission on objects of the type that lie in the project with this number, or in none.
    pub(crate) fn has(&self, permission: Permission, object_type: ObjectType, project: Option<u32>) -> bool {
        let fits = |block: &Block| block.permissions.has(permission) && block.types.has(object_type);
        match project {
            Some(project) => {
                self.has_project(permission, project)
                    || self.typed.iter().any(|(block, projects)| fits(block) && projects.has(project))
            }
            None => self.organization.iter().any(fits),
        }
    }

    fn has_project(&self, permission: Permission, project: u32) -> bool {
        let set = self.by_permission.get(usize::from(permission.bit())).copied().unwrap_or(0);
        let Some(set) = set.checked_sub(1) else { return false };
        let at = word_of(project);
        if at >= self.width {
            return self.tails >> set & 1 == 1;
        }
        let word = self.words.get(usize::from(set) * self.width + at);
        word.is_some_and(|word| word & bit_of(project) != 0)
    }

    /// By permission, then type: the projects of these that are in, whether those of the future are, and what it gives
    /// outside of projects.
    pub(crate) fn content(&self, projects: &[(u32, String)], said: &mut Vec<String>) {
        for bit in 0..PERMISSIONS {
            let set = self.by_permission.get(bit).and_then(|set| set.checked_sub(1));
            let Some(set) = set else { continue };
            let permission = PermissionSet(1 << bit).iter().next();
            let is_in = |number| permission.is_some_and(|one| self.has_project(one, number));
            let names: Vec<_> =
                projects.iter().filter(|(number, _)| is_in(*number)).map(|(_, name)| name).collect();
            said.push(format!("permission {bit} in {names:?}, later {}", self.tails >> set & 1));
        }
        let mut lines: Vec<_> = self
            .typed
            .iter()
            .map(|(block, bits)| {
                let names: Vec<_> =
                    projects.iter().filter(|(number, _)| bits.has(*number)).map(|(_, name)| name).collect();
                format!("{block:?} in {names:?}, later {}", bits.tail())
            })
            .chain(self.organization.iter().map(|block| format!("{block:?} outside")))
            .collect();
        lines.sort();
        said.append(&mut lines);
    }
}
