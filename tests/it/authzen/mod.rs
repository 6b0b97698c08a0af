//! AuthZEN 1.0 through the real binary: the certification scenario (Core levels), the conformance checks, and the bug
//! classes seen in other engines. Each endpoint has a table of cases; their number is printed at the end.

mod action_search;
mod classes;
mod discovery;
mod evaluation;
mod evaluations;
mod paging;
mod resource_search;
mod rights;
mod scenario;
mod subject_search;
mod transport;

use std::io::Write;

use anyhow::Result;

use self::scenario::{Case, Scenario};

pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(crate) const EVALUATIONS: &str = "/access/v1/evaluations";
pub(crate) const SUBJECTS: &str = "/access/v1/search/subject";
pub(crate) const RESOURCES: &str = "/access/v1/search/resource";
pub(crate) const ACTIONS: &str = "/access/v1/search/action";

#[test]
fn every_case_of_the_certification_scenario_and_the_conformance_checks() -> Result<()> {
    let scenario = Scenario::set()?;
    let tables: [(&str, Vec<Case>); 6] = [
        ("evaluation", evaluation::cases()),
        ("evaluations", evaluations::cases()),
        ("subject search", subject_search::cases()),
        ("resource search", resource_search::cases()),
        ("action search", action_search::cases()),
        ("transport", transport::cases()),
    ];
    let mut total = 0;
    for (table, cases) in &tables {
        for case in cases {
            scenario.run(case)?;
        }
        total += cases.len();
        writeln!(std::io::stderr().lock(), "AuthZEN {table}: {} cases", cases.len())?;
    }
    writeln!(std::io::stderr().lock(), "AuthZEN: {total} cases, each asked three times")?;
    assert!(total > 150, "{total}");
    Ok(())
}
