//! Row 4: questions that look at many things, of a large organization.

use std::{thread, time::Duration};

use anyhow::{Context, Result, anyhow};
use grantbook_tests::hostile::{
    callers::{Ask, in_turn},
    scenes::Crowd,
    sockets::{self, drain},
    tenant::Tenant,
};
use serde_json::{Value, json};

use super::{
    measure::{Row, alone},
    other::Other,
};

/// Callers at once.
const CALLERS: usize = 4;
/// Seconds that a page may take.
const TARGET: f64 = 0.5;
/// How long the whole report is read at most.
const REPORT_LIMIT: Duration = Duration::from_secs(12);
const REPORT: &str = "/v1/report?format=ndjson";

pub(super) fn run((tenant, crowd): (&Tenant, &Crowd), other: &Other) -> Result<()> {
    let (token, project) = (crowd.tokens.first(), crowd.projects.first());
    let (token, project) = (token.context("a token")?, project.context("a project")?);
    let [above, below] = [0, 1].map(|index| crowd.groups.get(index).cloned().unwrap_or_default());
    let path = format!("/v1/groups/{above}/members/group/{below}");
    let plan = json!({"commands": [{"method": "DELETE", "path": path, "body": Value::Null}]});
    let asks = [
        Ask::get("who-can", format!("/v1/who-can?permission=read&object=project:{project}")),
        Ask::get("access", format!("/v1/access?principal=token:{token}")),
        Ask::get("diff", format!("/v1/diff?from={}", crowd.before)),
        Ask::get("timeline", format!("/v1/timeline?principal=token:{token}")),
        Ask::post("plan", "/v1/plan", &plan),
        // A stream, and no page.
        Ask::get("report of one", format!("{REPORT}&principal=token:{token}")),
    ];
    let (pages, _) = asks.split_at(asks.len() - 1);
    let mut cost = alone(&tenant.reads, &tenant.key, pages, TARGET)?;
    let whole = sockets::request(REPORT, Some(&tenant.key), 1);
    let report = drain(&tenant.reads, &whole, REPORT_LIMIT, &|| false)?;
    let end = if report.whole { "whole" } else { "cut off by the reader" };
    cost = format!(
        "{cost}; report {} in {:.1} s, {} MiB, {end}",
        report.status,
        report.took.as_secs_f64(),
        report.bytes >> 20
    );
    let (tokens, groups) = (crowd.tokens.len(), crowd.groups.len());
    let attack =
        format!("questions about {tokens} tokens in {groups} groups, {} projects", crowd.projects.len());
    let row = Row::new(4, &attack, cost, 20);
    row.measure(other, |attack| {
        thread::scope(|scope| {
            let reading = scope.spawn(|| -> Result<()> {
                while !attack.is_over() {
                    match drain(&tenant.reads, &whole, REPORT_LIMIT, &|| attack.is_over()) {
                        Ok(read) if read.status > 0 => attack.answered(read.status, read.bytes),
                        Ok(_) | Err(_) => attack.broke(),
                    }
                }
                Ok(())
            });
            attack.call((&tenant.reads, &tenant.key), CALLERS, &in_turn(&asks))?;
            reading.join().map_err(|_| anyhow!("a panic"))?
        })
    })
}
