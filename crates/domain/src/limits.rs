//! Limits: what an organization may hold, and what one command may cost, so that no single record is expensive to follow.
//!
//! A limit bounds *state*, on the command that makes it grow: a pure function of state and command, the same for a plan and
//! for a write. `apply` knows no limit, so command services with different limits agree on the journal. No limit refuses a
//! command that only takes access away. docs/limits.md gives the reason for each figure.

mod work;

pub use self::work::WorkCounter;
use crate::{
    refusal::Refusal,
    scope::{SELECTOR_MAX, Scope},
};

/// The limits of one command service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name patterns (names with a star) in the selectors of an organization's living grants and keys.
    pub patterns: usize,
    /// Conditions in the selectors of an organization's living grants and keys.
    pub conditions: usize,
    /// Groups that an account or a group is directly in.
    pub memberships: usize,
    /// Memberships of groups in groups.
    pub nestings: usize,
    /// Memberships of groups in groups on one path.
    pub group_depth: usize,
    /// Inclusions of roles in roles.
    pub inclusions: usize,
    /// Inclusions of roles in roles on one path.
    pub role_depth: usize,
    /// Work units that deciding one command takes: above all comparisons of two conditions.
    pub command_work: u64,
    /// Work units that following one record takes on a read node.
    pub record_work: u64,
}

impl Limits {
    /// The figures of docs/limits.md.
    pub const DEFAULT: Self = Self {
        patterns: 5_000,
        conditions: 100_000,
        memberships: 500,
        nestings: 5_000,
        group_depth: 64,
        inclusions: 5_000,
        role_depth: 64,
        command_work: 10_000_000,
        record_work: 2_000_000,
    };

    /// The figure of a limit.
    pub fn of(&self, limit: Limit) -> u64 {
        let wide = |figure: usize| u64::try_from(figure).unwrap_or(u64::MAX);
        match limit {
            Limit::SelectorConditions => wide(SELECTOR_MAX),
            Limit::PatternStars => wide(PATTERN_STARS_MAX),
            Limit::Patterns => wide(self.patterns),
            Limit::Conditions => wide(self.conditions),
            Limit::Memberships => wide(self.memberships),
            Limit::Nestings => wide(self.nestings),
            Limit::GroupDepth => wide(self.group_depth),
            Limit::Inclusions => wide(self.inclusions),
            Limit::RoleDepth => wide(self.role_depth),
            Limit::CommandWork => self.command_work,
            Limit::RecordWork => self.record_work,
        }
    }

    /// The same with another figure for one limit; none for a limit that is fixed.
    #[must_use]
    pub fn with(mut self, limit: Limit, figure: u64) -> Option<Self> {
        let narrow = usize::try_from(figure).unwrap_or(usize::MAX);
        match limit {
            Limit::SelectorConditions | Limit::PatternStars => return None,
            Limit::Patterns => self.patterns = narrow,
            Limit::Conditions => self.conditions = narrow,
            Limit::Memberships => self.memberships = narrow,
            Limit::Nestings => self.nestings = narrow,
            Limit::GroupDepth => self.group_depth = narrow,
            Limit::Inclusions => self.inclusions = narrow,
            Limit::RoleDepth => self.role_depth = narrow,
            Limit::CommandWork => self.command_work = figure,
            Limit::RecordWork => self.record_work = figure,
        }
        Some(self)
    }

    /// Refuses what would make more than the limit allows.
    pub(crate) fn require(&self, limit: Limit, would_be: usize) -> Result<(), Refusal> {
        let most = self.of(limit);
        if u64::try_from(would_be).unwrap_or(u64::MAX) <= most {
            return Ok(());
        }
        Err(self.too_costly(limit))
    }

    /// The refusal of what costs more than it may.
    pub(crate) fn too_costly(&self, limit: Limit) -> Refusal {
        Refusal::Limit { limit, most: self.of(limit) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Most stars of one name pattern: matching a name costs one search a star.
pub const PATTERN_STARS_MAX: usize = 8;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Conditions in the include, or the exclude, list of one selector.
    SelectorConditions,
    /// Stars of one name pattern.
    PatternStars,
    /// See [`Limits::patterns`].
    Patterns,
    /// See [`Limits::conditions`].
    Conditions,
    /// See [`Limits::memberships`].
    Memberships,
    /// See [`Limits::nestings`].
    Nestings,
    /// See [`Limits::group_depth`].
    GroupDepth,
    /// See [`Limits::inclusions`].
    Inclusions,
    /// See [`Limits::role_depth`].
    RoleDepth,
    /// See [`Limits::command_work`].
    CommandWork,
    /// See [`Limits::record_work`].
    RecordWork,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::SelectorConditions,
        Self::PatternStars,
        Self::Patterns,
        Self::Conditions,
        Self::Memberships,
        Self::Nestings,
        Self::GroupDepth,
        Self::Inclusions,
        Self::RoleDepth,
        Self::CommandWork,
        Self::RecordWork,
    ];

    /// The limit of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// The stable name, as `GET /v1/limits` gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelectorConditions => "selector_conditions",
            Self::PatternStars => "pattern_stars",
            Self::Patterns => "patterns",
            Self::Conditions => "conditions",
            Self::Memberships => "memberships",
            Self::Nestings => "nestings",
            Self::GroupDepth => "group_depth",
            Self::Inclusions => "inclusions",
            Self::RoleDepth => "role_depth",
            Self::CommandWork => "command_work",
            Self::RecordWork => "record_work",
        }
    }

    /// What is counted.
    pub const fn counts(self) -> &'static str {
        match self {
            Self::SelectorConditions => "conditions in the include or the exclude list of one selector",
            Self::PatternStars => "stars in one name pattern",
            Self::Patterns => "name patterns in the selectors of all grants and keys of the organization",
            Self::Conditions => "conditions in the selectors of all grants and keys of the organization",
            Self::Memberships => "groups that one account or group is directly in",
            Self::Nestings => "memberships of groups in groups, in the organization",
            Self::GroupDepth => "memberships on one path from a group to a group above it",
            Self::Inclusions => "inclusions of roles in roles, in the organization",
            Self::RoleDepth => "inclusions on one path from a role to a role below it",
            Self::CommandWork => "work units to decide one command",
            Self::RecordWork => "work units to follow one record on a read node",
        }
    }

    /// What to do instead.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SelectorConditions => "split the grant into several, or select projects by a label",
            Self::PatternStars => "use a shorter pattern, or select projects by a label",
            Self::Patterns => "select projects by labels or ids, or revoke grants that are not needed",
            Self::Conditions => "select projects by labels, or revoke grants that are not needed",
            Self::Memberships => "put the account into fewer groups, and these groups into others",
            Self::Nestings => "put accounts into groups directly, or remove groups from groups",
            Self::GroupDepth => "put the group into a group further up",
            Self::Inclusions => {
                "list the permissions in the role itself, or end inclusions that are not needed"
            }
            Self::RoleDepth => "include a role further down, or list its permissions",
            Self::CommandWork => "split the batch, or give selectors with fewer conditions",
            Self::RecordWork => "split the batch, or give selectors with fewer name patterns",
        }
    }

    /// The code of a refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SelectorConditions | Self::PatternStars => "invalid",
            Self::GroupDepth | Self::RoleDepth => "too_deep",
            Self::Patterns
            | Self::Conditions
            | Self::Memberships
            | Self::Nestings
            | Self::Inclusions
            | Self::CommandWork
            | Self::RecordWork => "too_costly",
        }
    }
}

/// What the selectors of an organization's living grants and keys hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SelectorUse {
    /// How many are names with a star.
    pub patterns: usize,
    /// How many there are in all.
    pub conditions: usize,
}

impl SelectorUse {
    /// What one scope holds.
    pub fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Organization | Scope::Object(_) => Self::default(),
            Scope::Projects(selector) => Self {
                patterns: selector.include.patterns().saturating_add(selector.exclude.patterns()),
                conditions: selector.include.len().saturating_add(selector.exclude.len()),
            },
        }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            patterns: self.patterns.saturating_add(other.patterns),
            conditions: self.conditions.saturating_add(other.conditions),
        }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            patterns: self.patterns.saturating_sub(other.patterns),
            conditions: self.conditions.saturating_sub(other.conditions),
        }
    }
}
