//! How a relay is, for readiness and metrics.

use std::{fmt::Write as _, sync::Arc};

use tokio::sync::watch;

/// What a line is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineState {
    /// It has not published anything yet, and will as soon as there is something.
    Ready,
    /// It publishes.
    Active,
    /// Another relay publishes; it takes over if that one stops.
    Standby,
    /// It publishes nothing at present: the view may not be believed, or the brokers do not answer.
    Waiting(String),
    /// It was ended.
    Stopped,
    /// It met something that must not be, and publishes nothing any more.
    Broken(String),
}

/// How the line of one stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineStatus {
    /// The stream's name.
    pub stream: String,
    /// The word for it in metrics.
    pub word: &'static str,
    /// What it is doing.
    pub state: LineState,
    /// Everything up to this frame of the journal is known to be in the stream.
    pub sequence: u64,
    /// Messages that it published since it started.
    pub published: u64,
    /// How often it found that another relay had published.
    pub fenced: u64,
}

/// Tells how a relay is; cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    lines: Arc<[watch::Receiver<LineStatus>]>,
}

impl LineState {
    /// In one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Waiting(_) => "waiting",
            Self::Stopped => "stopped",
            Self::Broken(_) => "broken",
        }
    }

    /// Why, if that is to be told.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Waiting(why) | Self::Broken(why) => Some(why),
            Self::Ready | Self::Active | Self::Standby | Self::Stopped => None,
        }
    }
}

impl RelayHandle {
    pub(super) fn new(lines: Vec<watch::Receiver<LineStatus>>) -> Self {
        Self { lines: lines.into() }
    }

    /// Each line as it is now.
    pub fn lines(&self) -> Vec<LineStatus> {
        self.lines.iter().map(|line| line.borrow().clone()).collect()
    }

    /// Prometheus' text, beside a journal that is known to end at `head`.
    pub(crate) fn metrics(&self, head: u64) -> String {
        let lines = self.lines();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&LineStatus) -> u64| {
            let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for line in &lines {
                let _infallible = writeln!(text, "{name}{{stream=\"{}\"}} {}", line.word, value(line));
            }
        };
        family(
            "grantbook_relay_position",
            "gauge",
            "Sequence of the journal up to which everything is in the stream.",
            &|line| line.sequence,
        );
        family(
            "grantbook_relay_lag_frames",
            "gauge",
            "Frames of the journal that are not known to be in the stream.",
            &|line| head.saturating_sub(line.sequence),
        );
        family("grantbook_relay_active", "gauge", "Whether this relay publishes.", &|line| {
            u64::from(line.state == LineState::Active)
        });
        family("grantbook_relay_broken", "gauge", "Whether it has stopped for good.", &|line| {
            u64::from(matches!(line.state, LineState::Broken(_)))
        });
        family(
            "grantbook_relay_published_total",
            "counter",
            "Messages that this relay published.",
            &|line| line.published,
        );
        family(
            "grantbook_relay_fenced_total",
            "counter",
            "How often it found that another relay had published.",
            &|line| line.fenced,
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_told() {
        let line = |word: &'static str, state: LineState| {
            let stream = word.to_uppercase();
            watch::channel(LineStatus { stream, word, state, sequence: 7, published: 3, fenced: 1 }).1
        };
        let broken = LineState::Broken("gone".to_owned());
        let handle = RelayHandle::new(vec![line("events", LineState::Active), line("changes", broken)]);
        let text = handle.metrics(9);
        for expected in [
            "grantbook_relay_position{stream=\"events\"} 7\n",
            "grantbook_relay_lag_frames{stream=\"changes\"} 2\n",
            "grantbook_relay_active{stream=\"events\"} 1\n",
            "grantbook_relay_active{stream=\"changes\"} 0\n",
            "grantbook_relay_broken{stream=\"changes\"} 1\n",
            "grantbook_relay_fenced_total{stream=\"events\"} 1\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}
