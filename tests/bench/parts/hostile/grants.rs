//! Row 1: grants on selectors of as many conditions as there may be, by a caller that holds the same.

use anyhow::{Result, ensure};
use grantbook_tests::hostile::{
    callers::{Ask, in_turn},
    scenes::{Holder, labels, patterns},
    tenant::{Tenant, id},
};
use serde_json::{Value, json};

use super::{
    measure::{Row, alone},
    other::Other,
    stage::{Stage, size},
};

/// Callers at once.
const CALLERS: usize = 4;
/// Seconds that one request may take.
const TARGET: f64 = 1.0;
const PAST: &str = "2020-01-01T00:00:00.000Z";
const FUTURE: &str = "2999-01-01T00:00:00.000Z";

pub(super) fn run(stage: &Stage, other: &Other) -> Result<()> {
    let conditions = size(1_000, 20);
    for (name, include, exclude) in [
        ("labels", labels(conditions), labels(conditions)),
        ("patterns", patterns(1, conditions), patterns(2, conditions)),
    ] {
        let tenant = stage.tenant(name)?;
        let holder = Holder::make(tenant, "holder", include, exclude)?;
        let attack = format!("grants of {conditions} + {conditions} {name}, held alike");
        one(tenant, &holder, &attack, other)?;
    }
    Ok(())
}

fn one(tenant: &Tenant, holder: &Holder, attack: &str, other: &Other) -> Result<()> {
    let post = |name, body: &Value| Ask::post(name, "/v1/grants", body);
    let asks = [
        post("expired", &holder.grant(false, Some(PAST))),
        post("exceeding", &holder.grant(true, None)),
        Ask::get("show", format!("/v1/grants/{}", holder.grant)),
    ];
    accepted(tenant, holder)?;
    let mut cost = alone(&tenant.writes, &holder.key, &asks, TARGET)?;
    cost = format!("{}; {cost}", accepted(tenant, holder)?);
    let row = Row::new(1, attack, cost, 50);
    row.measure(other, |attack| attack.call((&tenant.writes, &holder.key), CALLERS, &in_turn(&asks)))
}

/// A grant that is accepted, and revoked again; what it took.
fn accepted(tenant: &Tenant, holder: &Holder) -> Result<String> {
    let ask = Ask::post("accepted", "/v1/grants", &holder.grant(false, Some(FUTURE)));
    let mut http = grantbook_tests::wire::Http::connect(&tenant.writes)?.as_bearer(&holder.key);
    let started = std::time::Instant::now();
    let reply = ask.send(&mut http)?;
    let took = started.elapsed().as_secs_f64();
    ensure!(reply.status == 201, "a grant of what is held is accepted: {} {}", reply.status, reply.json());
    let grant = id(&reply.json())?;
    tenant.command("DELETE", &format!("/v1/grants/{grant}"), &json!(null))?.expect(200)?;
    Ok(format!("accepted 201 in {took:.3} s"))
}
