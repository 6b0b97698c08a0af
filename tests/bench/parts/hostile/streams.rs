//! Row 7: reports that nobody reads, of several principals of one organization, while the other exports its audit log.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::Result;
use grantbook_tests::hostile::{
    scenes::mighty,
    sockets::{Deaf, request},
    tenant::Tenant,
};

use super::{
    measure::Row,
    other::{Kind, Other},
};

const PRINCIPALS: usize = 4;
const STREAMS: usize = 8;
/// How often the attacker opens anew what was closed.
const EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(tenant: &Tenant, other: &Other) -> Result<()> {
    let keys = mighty(tenant, "reader", PRINCIPALS)?;
    let report = |key: &String| request("/v1/report?format=ndjson", Some(key), 1);
    let requests: Vec<Vec<u8>> = keys.iter().flat_map(|key| vec![report(key); STREAMS]).collect();
    let attack = format!("{PRINCIPALS} x {STREAMS} reports that nobody reads; the other exports");
    let kinds = &[Kind::Export, Kind::Check, Kind::List, Kind::Write];
    let row = Row { kinds, ..Row::new(7, &attack, "-".to_owned(), 8) };
    row.measure(other, |attack| {
        let mut deaf = Deaf::with((Ipv4Addr::LOCALHOST, &tenant.reads), requests)?;
        while !attack.is_over() {
            let (answered, refused) = (deaf.answered, deaf.refused);
            deaf.tend();
            (answered..deaf.answered).for_each(|_| attack.answered(200, 0));
            (refused..deaf.refused).for_each(|_| attack.answered(429, 0));
            thread::sleep(EVERY);
        }
        Ok(())
    })
}
