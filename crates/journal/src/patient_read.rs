//! Reading from a journal that may be away for a while.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::ReadError;

/// Between two attempts.
const BACKOFF: Duration = Duration::from_millis(200);

/// Asks again while the journal does not answer, for at most `timeout`. Any other answer is given at once.
///
/// # Errors
///
/// What the last attempt said.
pub async fn read_patiently<T, F: Future<Output = Result<T, ReadError>>>(
    timeout: Duration,
    ask: impl Fn() -> F,
) -> Result<T, ReadError> {
    let deadline = Instant::now() + timeout;
    loop {
        match ask().await {
            Err(ReadError::Unavailable(_)) if Instant::now() < deadline => sleep(BACKOFF).await,
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn unavailable() -> ReadError {
        ReadError::Unavailable(std::sync::Arc::new(std::io::Error::other("away")))
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_asked_again_until_the_time_is_over() {
        let asked = Cell::new(0);
        let away = || {
            asked.set(asked.get() + 1);
            let answer = if asked.get() < 4 { Err(unavailable()) } else { Ok(7) };
            std::future::ready(answer)
        };
        assert!(matches!(read_patiently(Duration::from_secs(1), away).await, Ok(7)));
        assert_eq!(asked.get(), 4);
        let never = || std::future::ready(Err::<(), _>(unavailable()));
        let begun = Instant::now();
        assert!(matches!(
            read_patiently(Duration::from_secs(1), never).await,
            Err(ReadError::Unavailable(_))
        ));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }
}
