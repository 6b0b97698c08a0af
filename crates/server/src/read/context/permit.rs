//! The proof that a question was authorized. Without one there are no rows to answer from.

use grantbook_views::Snapshot;

use crate::read::context::ReadContext;

/// Says that the caller may have the answer under way. [`Authorizer`](crate::read::context::authz::Authorizer) issues it
/// after it has judged the question; nothing else can.
#[derive(Debug, Clone, Copy)]
#[must_use = "rows are read through the permit"]
pub(crate) struct Permit<'r> {
    reading: &'r ReadContext,
}

impl<'r> Permit<'r> {
    /// For the authorizer alone.
    pub(super) const fn new(reading: &'r ReadContext) -> Self {
        Self { reading }
    }

    /// What was authorized.
    pub(crate) const fn reading(self) -> &'r ReadContext {
        self.reading
    }

    /// The rows at the moment asked about.
    pub(crate) const fn rows(self) -> &'r Snapshot {
        self.reading.rows()
    }

    /// The rows as everything is.
    pub(crate) const fn rows_of_today(self) -> &'r Snapshot {
        self.reading.rows_of_today()
    }
}
