//! `make bench`: the figures of docs/performance.md. Ratios are taken inside one run; absolute figures depend on the machine.
//!
//! `cargo bench --package grantbook-tests -- SECTION...` runs some of: `durable jetstream rebuild bootstrap check questions
//! console embed crowd hostile http served watch relay latest revocation`; and `large` and `bootstrap-large`, which run only if they are asked for.
//! A debug build runs each on a small
//! organization, to see that it runs at all.

mod console;
mod http;
mod large;
mod latest;
mod load;
mod parts;
mod plot;
mod relay;
mod report;
mod revocation;
mod served;
mod watch;
mod workload;

use anyhow::Result;

use crate::parts::{bootstrap, check, crowd, durable, embed, hostile, image, jetstream, questions, rebuild};

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
    if runs("bootstrap") {
        bootstrap::run(false)?;
    }
    if wanted.iter().any(|one| one == "bootstrap-large") {
        bootstrap::run(true)?;
    }
    if runs("check") {
        check::run()?;
        image::run()?;
    }
    if runs("questions") {
        questions::run()?;
    }
    if runs("embed") {
        embed::run()?;
    }
    if wanted.iter().any(|one| one == "large") {
        large::run()?;
    }
    if runs("crowd") {
        crowd::run()?;
    }
    if runs("hostile") {
        hostile::run()?;
    }
    if runs("served") {
        served::run()?;
    }
    if runs("watch") {
        watch::run()?;
    }
    if runs("relay") {
        relay::run()?;
    }
    if runs("http") {
        http::run()?;
    }
    if runs("console") {
        console::run()?;
    }
    if runs("latest") {
        latest::run()?;
    }
    if runs("revocation") {
        revocation::run()?;
    }
    Ok(())
}
