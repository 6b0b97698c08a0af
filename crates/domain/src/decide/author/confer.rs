//! Attenuation: judging what a command confers against what the author holds.

use std::fmt::Write as _;

use crate::{
    access::{
        authority::{Excess, Holding, Narrow},
        containment::ScopeContext,
    },
    catalog::Permission,
    command::Author,
    decide::Judge,
    principal::{Grantee, Principal},
    refusal::{NamedRight, Refusal},
    scope::{Atom, ObjectRef, Scope, Selector},
    time::Timestamp,
};

impl Judge<'_> {
    /// Refuses unless the author may give everything that the holding gives.
    pub(in crate::decide) fn require_conferrable(&self, given: &Holding) -> Result<(), Refusal> {
        self.require_conferrable_at(given, &given.scope)
    }

    /// The same, of the part of the holding that lies under `scope`.
    pub(in crate::decide) fn require_conferrable_at(
        &self,
        given: &Holding,
        scope: &Scope,
    ) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        self.on_ground(|ground| {
            self.refuse(ground, self.holdings.excess_under(ground, given, scope))?;
            self.require_sign_in_to_delegate(std::slice::from_ref(given))
        })
    }

    /// A right that may not be given is named, unless the author may not see whose it is.
    fn refuse(&self, ground: &ScopeContext<'_>, excess: Option<Excess>) -> Result<(), Refusal> {
        let Some(Excess { holding, permission, scope }) = excess else { return Ok(()) };
        let seen = self.sees_holding(ground, &holding);
        Err(if seen { self.not_held(permission, &scope) } else { Refusal::NotHeld(None) })
    }

    /// A session gives `delegate` away only shortly after its sign-in.
    pub(in crate::decide) fn require_sign_in_to_delegate(&self, given: &[Holding]) -> Result<(), Refusal> {
        let mut blocks = given.iter().flat_map(|given| &given.blocks);
        let delegates = blocks.any(|block| block.permissions.has(Permission::DELEGATE));
        if delegates && !self.signed_in_of_late() { Err(Refusal::SignInAgain) } else { Ok(()) }
    }

    /// Refuses unless the author holds `delegate` over the part of a deny that lies under `scope`.
    pub(in crate::decide) fn require_delegate(&self, deny: &Holding, scope: &Scope) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        let held = self.on_ground(|ground| {
            let reach = ground.reach(scope);
            deny.blocks.iter().all(|block| {
                self.holdings.holds(ground, Permission::DELEGATE, block.types.intersect(reach), scope)
            })
        });
        if held {
            return Ok(());
        }
        let seen = self.on_ground(|ground| self.sees_holding(ground, deny));
        Err(if seen { Refusal::NeedsDelegate } else { Refusal::NotHeld(None) })
    }

    /// Lifting a deny gives back what it took: it needs as much, and of `delegate` a sign-in a short while ago.
    pub(in crate::decide) fn require_to_lift(&self, deny: &Holding, scope: &Scope) -> Result<(), Refusal> {
        self.require_delegate(deny, scope)?;
        self.require_sign_in_to_delegate(std::slice::from_ref(deny))
    }

    /// Whether the author may see the grant behind a holding.
    fn sees_holding(&self, ground: &ScopeContext<'_>, holding: &Holding) -> bool {
        let grant = holding.grant.and_then(|id| self.state.grant(id));
        grant.is_none_or(|grant| self.holdings.sees_grant(ground, grant))
    }

    /// Everything a grantee has through itself and all groups above it, each until at most `until`.
    pub(in crate::decide) fn everything_of(
        &self,
        grantee: Grantee,
        until: Timestamp,
    ) -> crate::access::authority::Holdings {
        self.state.holdings_of(self.state.reached_from(grantee, until, self.at), self.at)
    }

    /// Refuses unless the author may give everything that the principal has, cut by a narrowing.
    pub(in crate::decide) fn require_everything(
        &self,
        principal: Principal,
        until: Timestamp,
        narrow: Option<&Narrow>,
    ) -> Result<(), Refusal> {
        if self.author == Author::Operator {
            return Ok(());
        }
        let given = self.everything_of(principal.into(), until).allows;
        self.on_ground(|ground| self.refuse(ground, self.holdings.excess(ground, &given, narrow)))?;
        self.require_sign_in_to_delegate(&given)
    }

    fn not_held(&self, permission: Permission, scope: &Scope) -> Refusal {
        let named = self.state.catalog().permission_name(permission);
        let permission = if named.is_empty() { "every future permission" } else { named };
        Refusal::NotHeld(Some(NamedRight { permission: permission.to_owned(), scope: in_words(scope) }))
    }
}

/// So many conditions of a list are written out; of the rest the number is given.
const WORDS_MAX: usize = 10;

/// A scope in words: `on project:ID`, `on projects all except label env=production`.
pub(crate) fn in_words(scope: &Scope) -> String {
    match scope {
        Scope::Organization => "on the organization".to_owned(),
        Scope::Object(ObjectRef { object_type, id, project: None }) => format!("on {object_type}:{id}"),
        Scope::Object(ObjectRef { object_type, id, project: Some(project) }) => {
            format!("on {object_type}:{id} of project:{project}")
        }
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
    let mut words: Vec<_> = atoms.iter().take(WORDS_MAX).map(one).collect();
    if let Some(more) = atoms.len().checked_sub(WORDS_MAX).filter(|more| *more > 0) {
        words.push(format!("{more} more"));
    }
    words.join(" or ")
}
