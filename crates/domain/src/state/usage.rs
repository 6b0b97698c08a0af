//! What an organization uses of each limit.

use std::collections::BTreeMap;

use crate::{
    limits::Limit,
    model::Grant,
    principal::Grantee,
    scope::{Atom, Scope, Selector},
    state::OrgState,
};

impl OrgState {
    /// How much of the limit is used: of those on one thing, by the thing that has most. None for limits on what one command
    /// costs. An organization that is older than a limit may use more.
    pub fn use_of(&self, limit: Limit) -> Option<u64> {
        let used = match limit {
            Limit::SelectorConditions => {
                self.most_of_selectors(|selector| selector.include.len().max(selector.exclude.len()))
            }
            Limit::PatternStars => self.most_of_selectors(|selector| {
                selector.include.iter().chain(&selector.exclude).map(stars).max().unwrap_or_default()
            }),
            Limit::Patterns => self.selector_use.patterns,
            Limit::Conditions => self.selector_use.conditions,
            Limit::Memberships => self.most_memberships(),
            Limit::Nestings => self.nestings.len(),
            Limit::GroupDepth => self.group_depth(),
            Limit::Inclusions => self.included_by.len(),
            Limit::RoleDepth => self.role_depth(),
            Limit::CommandWork | Limit::RecordWork => return None,
        };
        Some(u64::try_from(used).unwrap_or(u64::MAX))
    }

    fn most_of_selectors(&self, figure: impl Fn(&Selector) -> usize) -> usize {
        let of_grants = self.grants_by_selector().map(|grant: &Grant| &grant.on);
        let narrow = self.keys_by_selector().filter_map(|key| key.narrow.as_ref());
        let scopes = of_grants.chain(narrow.filter_map(|narrow| narrow.on.as_ref()));
        let selectors = scopes.filter_map(|scope| match scope {
            Scope::Projects(selector) => Some(figure(selector)),
            Scope::Organization | Scope::Object(_) => None,
        });
        selectors.max().unwrap_or_default()
    }

    fn most_memberships(&self) -> usize {
        let mut of_each = BTreeMap::<Grantee, usize>::new();
        for (member, group) in self.memberships.keys() {
            if self.grantee_lives(*member) && self.living_group(*group).is_some() {
                *of_each.entry(*member).or_default() += 1;
            }
        }
        of_each.into_values().max().unwrap_or_default()
    }
}

fn stars(atom: &Atom) -> usize {
    match atom {
        Atom::Name(name) => name.bytes().filter(|byte| *byte == b'*').count(),
        Atom::All | Atom::Id(_) | Atom::Label(_) => 0,
    }
}
