//! Being sure that nothing newer is there: many ask, few questions reach the journal.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Journal, ReadError};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout},
};

/// How long the journal and those who follow it may take.
const TIMEOUT: Duration = Duration::from_secs(2);

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Asks where the journal's head is, and waits until what is known here has come so far.
pub struct ReadBarrier {
    /// The journal's head, asked for now.
    head: Box<dyn Fn() -> Pending<Result<u64, ReadError>> + Send + Sync>,
    /// Returns once what is known here has reached a sequence.
    reached: Box<dyn Fn(u64) -> Pending<()> + Send + Sync>,
    /// When the head was asked for that was reached last.
    asked: Mutex<Option<Instant>>,
}

/// Why it is not certain that nothing newer is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// The journal's leader gave no answer that proves anything.
    #[error("it cannot be confirmed that this node is up to date: {0}")]
    Unanswered(String),
    /// The journal's head was not reached in time.
    #[error("it cannot be confirmed that this node is up to date: the journal was not reached in time")]
    NotReached,
}

impl ReadBarrier {
    /// Of a journal and of what follows it, which tells how far it has come.
    pub fn following<J: Journal, T: Send + Sync + 'static>(
        journal: &Arc<J>,
        known: &watch::Receiver<T>,
        sequence_of: fn(&T) -> u64,
    ) -> Self {
        let (journal, known) = (Arc::clone(journal), known.clone());
        let head = move || {
            let journal = Arc::clone(&journal);
            async move { journal.head().await }
        };
        let reached = move |sequence| {
            let mut known = known.clone();
            async move {
                if known.wait_for(|known| sequence_of(known) >= sequence).await.is_err() {
                    // What follows has ended: what it would have reached is never known.
                    std::future::pending::<()>().await;
                }
            }
        };
        Self::new(head, reached)
    }

    fn new<H, R>(
        head: impl Fn() -> H + Send + Sync + 'static,
        reached: impl Fn(u64) -> R + Send + Sync + 'static,
    ) -> Self
    where
        H: Future<Output = Result<u64, ReadError>> + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let head = Box::new(move || Box::pin(head()) as Pending<_>);
        let reached = Box::new(move |sequence| Box::pin(reached(sequence)) as Pending<_>);
        Self { head, reached, asked: Mutex::new(None) }
    }

    /// Returns once everything is known here that the journal held when this was called. Those who call meanwhile
    /// share the next question.
    pub async fn confirm(&self) -> Result<(), Unconfirmed> {
        let called = Instant::now();
        let sure = async {
            let mut asked = self.asked.lock().await;
            if asked.is_some_and(|asked| asked >= called) {
                return Ok(());
            }
            let now = Instant::now();
            let head = (self.head)().await.map_err(|error| {
                let cause =
                    std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
                Unconfirmed::Unanswered(format!("{error}{cause}"))
            })?;
            (self.reached)(head).await;
            *asked = Some(now);
            Ok(())
        };
        timeout(TIMEOUT, sure).await.unwrap_or(Err(Unconfirmed::NotReached))
    }
}

impl fmt::Debug for ReadBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBarrier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_share_few_questions_and_none_is_answered_by_an_older_one() {
        let questions = Arc::new(AtomicU64::new(0));
        let (tell, known) = watch::channel(0_u64);
        let counted = Arc::clone(&questions);
        let confirmer = Arc::new(ReadBarrier::new(
            move || {
                let head = counted.fetch_add(1, Ordering::SeqCst) + 1;
                async move { Ok(head) }
            },
            move |sequence| {
                let mut known = known.clone();
                async move { drop(known.wait_for(|known| *known >= sequence).await) }
            },
        ));
        let mut asking = JoinSet::new();
        let ask = |asking: &mut JoinSet<_>| {
            let confirmer = Arc::clone(&confirmer);
            asking.spawn(async move { confirmer.confirm().await });
        };
        ask(&mut asking);
        while questions.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        for _ in 0..100 {
            ask(&mut asking);
        }
        yield_now().await;
        tell.send_replace(1);
        assert_eq!(asking.join_next().await.unwrap().unwrap(), Ok(()));
        assert!(asking.try_join_next().is_none(), "the first question was older than the others");
        tell.send_replace(2);
        while let Some(answered) = asking.join_next().await {
            assert_eq!(answered.unwrap(), Ok(()));
        }
        assert_eq!(questions.load(Ordering::SeqCst), 2, "and these shared one");
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_sure_is_told_so() {
        let confirmer = ReadBarrier::new(|| async { Ok(1) }, |_| std::future::pending());
        assert!(confirmer.confirm().await.is_err());
    }
}
