//! A receiver of webhooks, which says of some messages that it could not take them: they come again.

use std::{
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::Duration,
};

use super::Listener;
use crate::load::Load;
use anyhow::{Context, Result};
use grantbook_server::wire::position;
use grantbook_tests::hooks::{Answer, Receiver};

/// Every how many requests one is answered with an error.
const REFUSES: usize = 40;
/// How long one look for more takes.
const LOOK: Duration = Duration::from_millis(500);
/// Messages that wait to be written down.
const WAITING: usize = 4096;

/// A receiver that listens, and what it got so far.
#[derive(Debug)]
pub(super) struct Hook {
    got: std::sync::mpsc::Receiver<(String, String)>,
    receiver: Receiver,
}

impl Hook {
    pub(super) fn start() -> Result<Self> {
        let receiver = Receiver::start()?;
        let (send, got) = sync_channel(WAITING);
        let mut count = 0_usize;
        receiver.answer(move |one| {
            count += 1;
            // Nobody hears it any more once the run is over.
            let heard = send.send((one.id.clone(), one.name())).is_ok();
            let takes = heard && !count.is_multiple_of(REFUSES);
            Answer::Status(if takes { 204 } else { 503 }, "")
        });
        Ok(Self { got, receiver })
    }

    pub(super) fn url(&self) -> String {
        self.receiver.url("/hook")
    }

    /// Writes down what comes until nobody listens any more.
    pub(super) fn listen(self, listener: &Listener, load: &Load) -> Result<()> {
        while !load.has_ended() {
            match self.got.recv_timeout(LOOK) {
                Ok((id, name)) => {
                    let (position, index) = place(load, &id).with_context(|| format!("a message {id}"))?;
                    listener.got(load, (position, index), name);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(())
    }
}

/// `msg_<position>-<place>`.
fn place(load: &Load, id: &str) -> Option<(u64, u32)> {
    let (position, index) = id.strip_prefix("msg_")?.rsplit_once('-')?;
    Some((position::decode(load.installation, position).ok()?.get(), index.parse().ok()?))
}
