//! A cluster that is still forming, as after all servers were started at once.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use grantbook_tests::{
    nats::{Nats, NatsOptions},
    server::Server,
};

/// Servers that were just started do not all take part yet: `init` waits for them.
#[test]
fn a_journal_is_made_once_all_servers_take_part() -> Result<()> {
    let mut nats = Nats::start_with(&NatsOptions { servers: 3, ..NatsOptions::default() })?;
    nats.stop(2)?;
    let states = [nats.monitor(0, "/jsz")?, nats.monitor(1, "/jsz")?];
    ensure!(states.iter().any(|state| state.contains("\"offline\": true")), "{states:?}");
    let urls = nats.url();
    let made = thread::spawn(move || Server::init_over(&urls));
    nats.start(2)?;
    made.join().map_err(|_panic| anyhow!("it panicked"))??;
    Ok(())
}
