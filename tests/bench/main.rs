//! `make bench`: the figures of docs/performance.md. Ratios are taken inside one run; absolute figures depend on the machine.
//!
//! `cargo bench --package grantbook-tests -- SECTION...` runs some of: `durable jetstream rebuild check http revocation`.

mod change;
mod check;
mod durable;
mod http;
mod image;
mod jetstream;
mod load;
mod rebuild;
mod report;
mod revocation;
mod workload;

use anyhow::Result;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let runs = |section: &str| wanted.is_empty() || wanted.iter().any(|one| one == section);
    report::machine();
    if runs("durable") {
        durable::run()?;
    }
    if runs("jetstream") {
        jetstream::run()?;
    }
    if runs("rebuild") {
        rebuild::run()?;
    }
    if runs("check") {
        check::run()?;
        image::run()?;
    }
    if runs("http") {
        http::run()?;
    }
    if runs("revocation") {
        revocation::run()?;
    }
    Ok(())
}
