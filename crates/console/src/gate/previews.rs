//! One preview a session at a time: the newest. Ticking boxes fast does not pile up work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

/// What is under way.
#[derive(Debug, Default)]
struct UnderWay {
    /// The number of the last preview that began, of any session. No two have the same.
    last: u64,
    /// By session. Dropping the sender ends the preview.
    sessions: HashMap<String, (u64, oneshot::Sender<()>)>,
}

/// The previews that are being made.
#[derive(Debug, Default)]
pub(crate) struct Previews(Arc<Mutex<UnderWay>>);

/// The turn of a preview, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    session: String,
    number: u64,
    all: Arc<Mutex<UnderWay>>,
    superseded: oneshot::Receiver<()>,
}

impl Previews {
    /// Begins a preview, and ends the one that the session has under way.
    pub(crate) fn begin(&self, session: &str) -> Turn {
        let (ends, superseded) = oneshot::channel();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.last = all.last.wrapping_add(1);
        let number = all.last;
        all.sessions.insert(session.to_owned(), (number, ends));
        Turn { session: session.to_owned(), number, all: Arc::clone(&self.0), superseded }
    }
}

impl Turn {
    /// What is made, unless a newer preview of the session begins first.
    pub(crate) async fn make<T>(mut self, making: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            made = making => Some(made),
            _ = &mut self.superseded => None,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.sessions.get(&self.session).is_some_and(|(number, _)| *number == self.number) {
            all.sessions.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn the_newest_preview_of_a_session_ends_the_one_before() {
        let previews = Previews::default();
        let (old, other) = (previews.begin("s"), previews.begin("t"));
        let old = tokio::spawn(old.make(pending::<()>()));
        let new = previews.begin("s");
        assert_eq!(old.await.unwrap(), None);
        let third = previews.begin("s");
        assert_eq!(new.make(pending::<()>()).await, None);
        assert_eq!((third.make(ready(1)).await, other.make(ready(2)).await), (Some(1), Some(2)));
        assert!(previews.0.lock().unwrap().sessions.is_empty(), "nothing is kept of what is done");
    }

    #[tokio::test]
    async fn a_preview_that_was_superseded_ends_no_later_one() {
        let previews = Previews::default();
        let first = previews.begin("s");
        drop(previews.begin("s"));
        let third = previews.begin("s");
        drop(first);
        assert!(previews.0.lock().unwrap().sessions.contains_key("s"), "it is still under way");
        assert_eq!(third.make(ready(3)).await, Some(3));
    }
}
