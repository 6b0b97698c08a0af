//! Row 5: a batch that lets each role include a newer one.

use anyhow::Result;
use grantbook_tests::hostile::{
    callers::{Ask, in_turn},
    scenes::{inclusions, roles},
};

use super::{
    measure::{Row, alone},
    other::Other,
    stage::{Stage, size},
};

/// How deep roles may include each other (docs/limits.md).
const DEPTH: usize = 64;
/// Seconds that a batch may take.
const TARGET: f64 = 1.0;

pub(super) fn run(stage: &Stage, other: &Other) -> Result<()> {
    let tenant = stage.tenant("roles")?;
    let count = size(1_001, 100);
    let roles = roles(tenant, "role", count)?;
    let batch = |name, chain, included| Ask::post(name, "/v1/batch", &inclusions(&roles, chain, included));
    let asks =
        [batch("in chains", DEPTH, true), batch("none", DEPTH, false), batch("one chain", count, true)];
    let cost = alone(&tenant.writes, &tenant.key, &asks, TARGET)?;
    let attack = format!("batches of {} role updates", count - 1);
    let row = Row::new(5, &attack, cost, 6);
    row.measure(other, |attack| attack.call((&tenant.writes, &tenant.key), 1, &in_turn(&asks)))
}
