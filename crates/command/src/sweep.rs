//! Notices of expiry: once a second, what has passed is recorded.

use std::time::Duration;

use grantbook_domain::{
    command::{Author, Command},
    id::OrgId,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{CommandHandle, Submission, SubmitError, TextFaults};
use grantbook_journal::stamp::clock::Clock;

/// How often expiries are looked for.
const PERIOD: Duration = Duration::from_secs(1);
/// Most notices in one record.
const NOTICES: usize = 100;

/// Submits notices for every organization until the service closes.
pub(super) async fn sweep(handle: CommandHandle, clock: Clock, mut closing: watch::Receiver<bool>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        for org in handle.organizations() {
            if let Err(error) = note(&handle, &clock, org).await {
                tracing::warn!(%org, %error, "expiries could not be noted; they are tried again");
            }
        }
    }
}

async fn note(handle: &CommandHandle, clock: &Clock, org: OrgId) -> Result<(), SubmitError> {
    let mut limit = NOTICES;
    while handle.has_unnoted_expiries(org, clock.now()) {
        let outcome = handle
            .submit(Submission {
                org,
                author: Author::System,
                command: Command::NoteExpiries { limit },
                idempotency: None,
                if_position: None,
                source_ip: None,
                reason: None,
                faults: TextFaults::default(),
            })
            .await;
        match outcome {
            Ok(outcome) if outcome.record.is_some() => {}
            Ok(_) | Err(SubmitError::Stopping) => return Ok(()),
            // A notice carries the whole thing: fewer fit.
            Err(SubmitError::RecordTooLarge { .. }) if limit > 1 => limit /= 2,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
