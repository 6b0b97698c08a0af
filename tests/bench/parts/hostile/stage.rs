//! A server with several organizations.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use grantbook_tests::{hostile::tenant::Tenant, server::Server};

/// The server, and the organizations by name.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) server: Server,
    tenants: BTreeMap<&'static str, Tenant>,
}

impl Stage {
    /// A new installation with these organizations, and a server on it that is `prepared`.
    pub(super) fn set(names: &[&'static str], prepared: impl FnOnce(&mut Server)) -> Result<Self> {
        let mut server = Server::init()?;
        let data = server.data().to_str().context("a plain path")?.to_owned();
        let create = |name: &&'static str| Ok((*name, Tenant::create(name, ["--data", &data])?));
        let created = names.iter().map(create).collect::<Result<Vec<_>>>()?;
        prepared(&mut server);
        server.spawn()?;
        let base = server.base();
        let tenants = created.into_iter().map(|(name, tenant)| (name, tenant.at(base, base))).collect();
        Ok(Self { server, tenants })
    }

    /// The organization of this name.
    pub(super) fn tenant(&self, name: &str) -> Result<&Tenant> {
        self.tenants.get(name).with_context(|| format!("an organization {name}"))
    }
}

/// A figure; in a debug build, which only shows that the benchmark runs, a small one.
pub(super) fn size(figure: usize, small: usize) -> usize {
    if cfg!(debug_assertions) { small } else { figure }
}
