//! What somebody gained and lost between two moments, as sets.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use grantbook_domain::{
    access::{
        diff::{self, Homes, named_objects},
        effective::AccessRow,
        lines::lines,
        pieces::{PIECE_BYTES, line_bytes, row_ids, split},
    },
    event::kind::EventKind,
    id::{GrantId, OrgId, ProjectId},
    position::Position,
    principal::Principal,
    scope::ObjectRef,
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        grantee_rows::Node,
        locate::place_of,
    },
    history::{
        audit::{Order, Span},
        facet::Facet,
    },
    store::{
        encode::Take,
        error::ViewError,
        row::GrantRow,
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

/// Beyond so many remembered ids the changes of classes are worked out anew.
const REMEMBERED_IDS: usize = 500_000;
/// Units of work of looking at one principal: its rows are read at both moments.
const LOOK_WORK: u64 = 400;
/// So many units of work cost about as much as reading a row.
const UNITS_A_ROW: u64 = 100;

/// What a principal gained and lost. Each row reads like one of [`EffectiveAccess`](crate::EffectiveAccess): "gained" for
/// what is held at the later moment and was not at the earlier one, exact for the projects of the later moment; "lost" the
/// other way round, exact for those of the earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessChange {
    /// What is held now and was not.
    pub gained: Vec<AccessRow>,
    /// What was held and is not.
    pub lost: Vec<AccessRow>,
}

impl AccessChange {
    /// About how many bytes of JSON say it, permissions that are held in the same places in one line.
    pub fn bytes(&self) -> usize {
        let lines = |rows| lines(rows).iter().map(|line| line_bytes(line)).sum::<usize>();
        lines(&self.gained) + lines(&self.lost)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// Two moments of an organization, for many questions about what changed between them.
#[derive(Debug)]
pub struct Comparison<'s> {
    pub(crate) before: Side<'s>,
    pub(crate) after: Side<'s>,
    /// Only what is held on this project, and in it.
    within: Option<ProjectId>,
    /// Whether projects, roles, objects and the catalog are the same at both.
    same_ground: bool,
    /// What was found, by what reached the principal at both.
    known: HashMap<[Class; 2], Rc<AccessChange>>,
    /// How many ids `known` holds.
    remembered: usize,
    tally: Tally,
}

/// What a comparison has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many principals were looked at.
    pub principals: u64,
    /// For how many classes of those whom the same grants reach the change was worked out.
    pub classes: u64,
    /// Units of work: one grant held against one project, or against one pair of permission and type; reading costs some, too.
    pub work: u64,
}

/// What reaches a principal at one moment: where the groups above it are kept, and its own grants in force. None if it is not
/// active.
type Class = Option<(*const Rc<Node>, Vec<GrantId>)>;

/// Who can have access.
impl Snapshot {
    /// Users, then service tokens, living or ended, each by id, beyond one of them.
    pub fn principals(
        &self,
        org: OrgId,
        after: Option<Principal>,
        limit: usize,
    ) -> Result<Vec<Principal>, ViewError> {
        let mut found = Vec::new();
        for kind in [Kind::User, Kind::Token] {
            let prefix = row_key::thing_kind(org, kind);
            let start = match (kind, after) {
                (Kind::User, Some(Principal::Token(_))) => continue,
                (Kind::User, Some(Principal::User(id))) => row_key::thing(org, kind, &id.bytes()),
                (Kind::Token, Some(Principal::Token(id))) => row_key::thing(org, kind, &id.bytes()),
                _ => prefix.clone(),
            };
            for row in self.range(Table::Things, &start, row_key::beyond(&prefix).as_deref())? {
                let row = row?;
                let mut key = Take::new(Table::Things, row.0.value());
                key.raw(prefix.len())?;
                let one =
                    if kind == Kind::User { Principal::User(key.id()?) } else { Principal::Token(key.id()?) };
                if Some(one) == after {
                    continue;
                }
                if found.len() == limit {
                    return Ok(found);
                }
                found.push(one);
            }
        }
        Ok(found)
    }
}

/// One of two moments.
#[derive(Debug)]
pub(crate) struct Side<'s> {
    pub(crate) checker: Checker<'s>,
    pub(crate) living: BTreeSet<ProjectId>,
}

impl<'s> Comparison<'s> {
    /// Between what one snapshot says at an instant, and another at another.
    pub fn between(
        org: OrgId,
        before: (&'s Snapshot, Timestamp),
        after: (&'s Snapshot, Timestamp),
        within: Option<ProjectId>,
    ) -> Result<Self, ViewError> {
        let side = |(snapshot, now): (&'s Snapshot, Timestamp)| Side::of(snapshot.checker(org, now)?, within);
        let (first, last) = (before.0.position(org)?, after.0.position(org)?);
        let span = Span { first: Position::from_u64(first.get().saturating_add(1)), last };
        let mut same_ground = first <= last;
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.changes_ground()) {
            let records = Facet::Event(kind).key(org);
            let between = |span| after.0.next_in(&records, Order::Ascending, span);
            same_ground = same_ground && (span.first > last || between(span)?.is_none());
        }
        Ok(Self::of_sides(side(before)?, side(after)?, (within, same_ground)))
    }

    /// Between two states whose ground is known to be the same, or not; nothing is cut.
    pub(crate) fn of_states(
        mut before: Checker<'s>,
        mut after: Checker<'s>,
        same_ground: bool,
    ) -> Result<Self, ViewError> {
        if same_ground {
            after.every_project = Some(before.every_project()?);
            after.projects.clone_from(&before.projects);
        }
        Ok(Self::of_sides(Side::of(before, None)?, Side::of(after, None)?, (None, same_ground)))
    }

    fn of_sides(before: Side<'s>, after: Side<'s>, (within, same_ground): (Option<ProjectId>, bool)) -> Self {
        let (known, tally) = (HashMap::new(), Tally::default());
        Self { before, after, within, same_ground, known, remembered: 0, tally }
    }

    /// What was done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// How many object types the catalog had at the earlier and at the later moment.
    pub fn types(&self) -> [usize; 2] {
        [&self.before, &self.after].map(|side| side.checker.catalog.all_types().count())
    }

    /// What somebody gains and loses who was reached by these grants, all in force, and is by those.
    pub(crate) fn of_grants(
        &mut self,
        before: &[GrantRow],
        after: &[GrantRow],
    ) -> Result<AccessChange, ViewError> {
        let before = self.before.checker.access_by(before)?;
        let after = self.after.checker.access_by(after)?;
        self.difference(&before, &after)
    }

    /// What the principal gained and lost: worked out once for all whom the same groups and grants reach.
    pub fn of(&mut self, principal: Principal) -> Result<Rc<AccessChange>, ViewError> {
        self.tally.principals += 1;
        self.tally.work += LOOK_WORK;
        let class = [self.before.class_of(principal)?, self.after.class_of(principal)?];
        let change = match self.known.get(&class) {
            Some(known) => Rc::clone(known),
            None => self.of_class(principal, class)?,
        };
        self.before.checker.forget(principal);
        self.after.checker.forget(principal);
        Ok(change)
    }

    fn of_class(&mut self, principal: Principal, class: [Class; 2]) -> Result<Rc<AccessChange>, ViewError> {
        self.tally.classes += 1;
        let change = if self.same_ground && self.is_untouched(principal)? {
            AccessChange::default()
        } else {
            let work = self.before.work_of(principal)? + self.after.work_of(principal)?;
            self.tally.work += work;
            self.after.checker.snapshot.spend(work / UNITS_A_ROW)?;
            let before = self.before.checker.access(principal)?.rows;
            let after = self.after.checker.access(principal)?.rows;
            let AccessChange { gained, lost } = self.difference(&before, &after)?;
            AccessChange {
                gained: split(gained, &self.after.living, PIECE_BYTES),
                lost: split(lost, &self.before.living, PIECE_BYTES),
            }
        };
        let change = Rc::new(change);
        if self.remembered > REMEMBERED_IDS {
            self.known.clear();
            self.remembered = 0;
        }
        self.remembered += change.gained.iter().chain(&change.lost).map(row_ids).sum::<usize>() + 1;
        self.known.insert(class, Rc::clone(&change));
        Ok(change)
    }

    fn difference(&mut self, before: &[AccessRow], after: &[AccessRow]) -> Result<AccessChange, ViewError> {
        if before == after && self.before.living == self.after.living {
            return Ok(AccessChange::default());
        }
        let named = named_objects(before.iter().chain(after));
        let (old_homes, new_homes) = (self.before.homes(&named)?, self.after.homes(&named)?);
        let old = diff::Side { rows: before, living: &self.before.living, homes: &old_homes };
        let new = diff::Side { rows: after, living: &self.after.living, homes: &new_homes };
        Ok(AccessChange {
            gained: diff::gained(&self.after.checker.catalog, &new, &old, self.within),
            lost: diff::gained(&self.before.checker.catalog, &old, &new, self.within),
        })
    }

    /// Whether the same memberships and grants reach the principal, on the same ground.
    fn is_untouched(&mut self, principal: Principal) -> Result<bool, ViewError> {
        let (then, now) = (self.before.checker.now, self.after.checker.now);
        let same_time = |grant: &GrantRow| (then < grant.until) == (now < grant.until);
        match (self.before.checker.reached(principal), self.after.checker.reached(principal)) {
            (Ok(old), Ok(new)) => Ok(old == new && old.iter().flat_map(|node| &node.grants).all(same_time)),
            (Err(Stop::Failed(error)), _) | (_, Err(Stop::Failed(error))) => Err(error),
            (Err(Stop::Because(_)), Err(Stop::Because(_))) => Ok(true),
            (Ok(_), Err(Stop::Because(_))) | (Err(Stop::Because(_)), Ok(_)) => Ok(false),
        }
    }
}

impl<'s> Side<'s> {
    fn of(mut checker: Checker<'s>, within: Option<ProjectId>) -> Result<Self, ViewError> {
        if let Some(project) = within {
            let only = checker.living_project(project)?;
            checker.every_project = Some(only.into_iter().collect());
        }
        let living = checker.every_project()?.iter().map(|project| project.id).collect();
        Ok(Self { checker, living })
    }

    fn class_of(&mut self, principal: Principal) -> Result<Class, ViewError> {
        let own = match self.checker.active(principal) {
            Ok(own) => own,
            Err(Stop::Because(_)) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let above = self.checker.above(&own)?;
        let in_force = own.grants.iter().filter(|grant| self.checker.now < grant.until);
        Ok(Some((above.as_ptr(), in_force.map(|grant| grant.id).collect())))
    }

    /// Units of work of surveying what reaches the principal.
    fn work_of(&mut self, principal: Principal) -> Result<u64, ViewError> {
        let grants: usize = match self.checker.reached(principal) {
            Ok(reached) => reached.iter().map(|node| node.grants.len()).sum(),
            Err(Stop::Because(_)) => 0,
            Err(Stop::Failed(error)) => return Err(error),
        };
        let catalog = &self.checker.catalog;
        let cells = catalog.all_permissions().count() * catalog.all_types().count();
        Ok((grants as u64).saturating_mul(self.living.len().saturating_add(cells) as u64))
    }

    /// Of these objects, those that are there.
    fn homes(&mut self, named: &BTreeSet<&ObjectRef>) -> Result<Homes, ViewError> {
        let mut homes = Homes::new();
        for object in named {
            if let Some(place) = place_of(&mut self.checker, object)? {
                homes.insert((*object).clone(), place.located.project);
            }
        }
        Ok(homes)
    }

    /// Whether objects of a type are or lie in projects.
    pub(crate) fn is_in_project(&self, type_name: &str) -> bool {
        let catalog = &self.checker.catalog;
        catalog.object_type(type_name).is_some_and(|object_type| diff::is_in_project(catalog, object_type))
    }
}
