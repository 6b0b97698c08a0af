//! Rows 3 and 6: why somebody may do something whom nested groups reach on many paths.

use anyhow::Result;
use grantbook_tests::hostile::{
    callers::Ask,
    scenes::{Nested, mighty},
    tenant::Tenant,
};

use super::{
    measure::{Row, alone},
    other::{Kind, Other},
    stage::{Stage, size},
};

/// How deep groups may be nested (docs/limits.md).
const DEPTH: usize = 64;
/// Groups of which each is in all later ones.
const DENSE: usize = 40;
/// Callers at once.
const CALLERS: usize = 8;
/// Callers at once, all with one key.
const PARALLEL: usize = 70;
/// Seconds that a page may take.
const TARGET: f64 = 0.5;

/// Row 3, as deep as the limits allow.
pub(super) fn run(stage: &Stage, other: &Other) -> Result<()> {
    let tenant = stage.tenant("questions")?;
    let chain = Nested::chain(tenant, "chain", size(DEPTH + 1, 10))?;
    let attack = format!("explain a chain of {} groups", chain.groups.len());
    one((tenant, &attack), &chain, other)?;
    let nest = Nested::nest(tenant, "nest", size(DENSE, 10))?;
    let attack = format!("explain a nest of {} groups, each in all later ones", nest.groups.len());
    one((tenant, &attack), &nest, other)
}

/// Row 3, as deep as it was possible once.
pub(super) fn run_formerly(stage: &Stage, other: &Other, groups: usize) -> Result<()> {
    let tenant = stage.tenant("deep")?;
    let chain = Nested::chain(tenant, "chain", groups)?;
    let attack = format!("explain a chain of {groups} groups, `group_depth={groups}`");
    one((tenant, &attack), &chain, other)
}

fn one((tenant, attack): (&Tenant, &str), nested: &Nested, other: &Other) -> Result<()> {
    let ask = Ask::post("explain", "/v1/explain", &nested.question());
    let cost = alone(&tenant.reads, &tenant.key, std::slice::from_ref(&ask), TARGET)?;
    let row = Row::new(3, attack, cost, 50);
    row.measure(other, |attack| attack.call((&tenant.reads, &tenant.key), CALLERS, &|_| ask.clone()))
}

/// Row 6: many at once with one key, while the other organization lists.
pub(super) fn run_in_parallel(stage: &Stage, other: &Other) -> Result<()> {
    let tenant = stage.tenant("questions")?;
    let nest = Nested::nest(tenant, "parallel", size(DENSE, 10))?;
    let key = mighty(tenant, "explainer", 1)?.pop().unwrap_or_default();
    let ask = Ask::post("explain", "/v1/explain", &nest.question());
    let cost = alone(&tenant.reads, &key, std::slice::from_ref(&ask), TARGET)?;
    let attack = format!("{PARALLEL} explains at once by one token; the other lists");
    let row = Row { kinds: &[Kind::List], ..Row::new(6, &attack, cost, PARALLEL) };
    row.measure(other, |attack| attack.call((&tenant.reads, &key), PARALLEL, &|_| ask.clone()))
}
