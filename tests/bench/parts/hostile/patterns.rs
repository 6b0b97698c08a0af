//! Row 2: as many name patterns as an organization may have, and projects with long names.

use std::time::Instant;

use anyhow::{Result, ensure};
use grantbook_tests::hostile::{
    callers::Ask,
    scenes::{long_name, patterns},
    tenant::{Tenant, post},
};
use serde_json::{Value, json};

use super::{
    measure::Row,
    other::Other,
    stage::{Stage, size},
};

/// Callers at once.
const CALLERS: usize = 8;
/// Patterns of one grant.
const OF_GRANT: usize = 1_000;
/// What docs/limits.md allows an organization.
const PATTERNS: usize = 5_000;
/// Seconds until a project that was created is seen.
const TARGET: f64 = 1.0;

pub(super) fn run(stage: &Stage, other: &Other) -> Result<()> {
    let tenant = stage.tenant("projects")?;
    let grants = size(PATTERNS / OF_GRANT, 2);
    let each = size(OF_GRANT, 20);
    let commands: Vec<Value> = (0..grants)
        .flat_map(|number| {
            let name = format!("patterns {number}");
            let on = json!({"projects": {"include": patterns(number, each)}});
            [
                post("/v1/tokens", json!({"name": name})),
                post(
                    "/v1/grants",
                    json!({"to": {"type": "token", "id": format!("${}.id", 2 * number)},
                "permissions": ["read"], "on": on}),
                ),
            ]
        })
        .collect();
    tenant.batch(&commands)?;
    let project = |number: u64| Ask::post("project", "/v1/projects", &json!({"name": long_name(number)}));
    let cost = seen(tenant, &project(u64::MAX))?;
    let attack = format!("projects with long names, beside {} patterns of six stars", grants * each);
    let row = Row::new(2, &attack, cost, 300);
    row.measure(other, |attack| attack.call((&tenant.writes, &tenant.key), CALLERS, &project))
}

/// How long it takes until a project can be seen.
fn seen(tenant: &Tenant, project: &Ask) -> Result<String> {
    let mut http = grantbook_tests::wire::Http::connect(&tenant.writes)?.as_bearer(&tenant.key);
    let started = Instant::now();
    let made = project.send(&mut http)?;
    let position = made.header("grantbook-position").unwrap_or_default().to_owned();
    ensure!(made.status == 201, "a project is created: {}", made.json());
    http.send_at(&position, "GET", "/v1/projects?limit=1", &Value::Null)?.expect(200)?;
    let took = started.elapsed().as_secs_f64();
    let verdict = if took <= TARGET { "met" } else { "missed" };
    Ok(format!("created and seen in {took:.3} s; target {TARGET} s: {verdict}"))
}
