//! Row 8: more sockets that ask and never read than the server has room for.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::Result;
use grantbook_tests::hostile::sockets::{Deaf, request};

use super::{
    measure::Row,
    other::{Connections, Other},
    stage::Stage,
};

/// The server has 72 places.
const SOCKETS: usize = 75;
/// The document's length times this is more than the system takes in between.
const TIMES: usize = 40;
/// How often the attacker opens anew what was closed.
const EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(stage: &Stage, other: &Other) -> Result<()> {
    one(stage, other, ("another address", Ipv4Addr::new(127, 0, 0, 2)), true)?;
    // Connections are shared by address: on its own, each newcomer waits until one has rested for a second.
    one(stage, other, ("the other's address", Ipv4Addr::LOCALHOST), false)
}

fn one(stage: &Stage, other: &Other, (words, source): (&str, Ipv4Addr), is_promised: bool) -> Result<()> {
    let base = stage.server.base();
    let requests = vec![request("/openapi.json", None, TIMES); SOCKETS];
    let attack =
        format!("{SOCKETS} sockets of {words} ask and never read; the other connects anew each time");
    let row = Row {
        connections: Connections::New,
        is_promised,
        ..Row::new(8, &attack, "-".to_owned(), SOCKETS * 2 / 3)
    };
    row.measure(other, |attack| {
        let mut deaf = Deaf::with((source, base), requests)?;
        while !attack.is_over() {
            let answered = deaf.answered;
            deaf.tend();
            (answered..deaf.answered).for_each(|_| attack.answered(200, 0));
            thread::sleep(EVERY);
        }
        Ok(())
    })
}
