//! The tables of a view file. Keys and values are bytes; `docs/formats` describes them field by field.

use redb::TableDefinition;

/// The number of the layout that this version writes and reads. Another number means: replace the file and fill it again.
pub const FORMAT_VERSION: u32 = 4;

/// What the file says of itself; the only table that keeps its name and shape in every format.
pub(crate) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("view_meta");
/// In [`META`]: [`FORMAT_VERSION`], u32.
pub(crate) const META_FORMAT: &str = "format";
/// In [`META`]: the id of the installation whose journal this is a view of.
pub(crate) const META_INSTALLATION: &str = "installation";
/// In [`META`]: the sequence of the last frame applied, u64.
pub(crate) const META_SEQUENCE: &str = "sequence";
/// In [`META`]: what the caller put beside the last batch.
pub(crate) const META_CHECKPOINT: &str = "checkpoint";
/// In [`META`]: the sum of all rows, 32 bytes; see [`crate::ViewDigest`].
pub(crate) const META_DIGEST: &str = "digest";

/// A table of rows derived from records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Orgs,
    History,
    Times,
    Audit,
    Things,
    ThingsPast,
    Homes,
    Access,
    AccessPast,
    Keys,
    Lists,
    Deadlines,
}

impl Table {
    pub(crate) const ALL: [Self; 12] = [
        Self::Orgs,
        Self::History,
        Self::Times,
        Self::Audit,
        Self::Things,
        Self::ThingsPast,
        Self::Homes,
        Self::Access,
        Self::AccessPast,
        Self::Keys,
        Self::Lists,
        Self::Deadlines,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Orgs => "orgs",
            Self::History => "history",
            Self::Times => "times",
            Self::Audit => "audit",
            Self::Things => "things",
            Self::ThingsPast => "things_past",
            Self::Homes => "homes",
            Self::Access => "access",
            Self::AccessPast => "access_past",
            Self::Keys => "keys",
            Self::Lists => "lists",
            Self::Deadlines => "deadlines",
        }
    }

    pub(crate) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
}
