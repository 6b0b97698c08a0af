//! What an attacker has made in its organization, to ask costly things about it.

use anyhow::{Context, Result};
use grantbook_tests::hostile::{
    scenes::{Crowd, Holder, Nested, labels, mighty, patterns, roles},
    tenant::Tenant,
};

/// How deep groups may be nested, and roles may include each other (docs/limits.md).
pub(super) const DEPTH: usize = 64;

/// An organization that is costly to ask about.
#[derive(Debug)]
pub(super) struct Arsenal {
    pub(super) tenant: Tenant,
    pub(super) holders: Vec<Holder>,
    pub(super) nested: Vec<Nested>,
    pub(super) crowd: Crowd,
    pub(super) roles: Vec<String>,
    /// Keys of principals that may ask everything.
    pub(super) keys: Vec<String>,
}

impl Arsenal {
    pub(super) fn make(tenant: Tenant) -> Result<Self> {
        let holder = |name, include, exclude| Holder::make(&tenant, name, include, exclude);
        let (many, some) = (size(1_000), size(500));
        let holders = vec![
            holder("labels", labels(many), labels(many)).context("labels")?,
            holder("patterns", patterns(1, some), patterns(2, some)).context("patterns")?,
        ];
        let nested = vec![
            Nested::chain(&tenant, "chain", size(DEPTH) + 1).context("a chain")?,
            Nested::nest(&tenant, "nest", size(40)).context("a nest")?,
        ];
        let crowd = Crowd::make(&tenant, [size(400), size(DEPTH), size(200)]).context("a crowd")?;
        let roles = roles(&tenant, "role", size(1_000)).context("roles")?;
        let keys = mighty(&tenant, "mighty", 4).context("keys")?;
        Ok(Self { tenant, holders, nested, crowd, roles, keys })
    }
}

/// A figure; a tenth of it in a debug build, which takes ten times as long.
pub(super) fn size(figure: usize) -> usize {
    if cfg!(debug_assertions) { figure.div_ceil(10) } else { figure }
}
