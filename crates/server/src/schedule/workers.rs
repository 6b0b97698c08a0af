//! The threads of work that may take long: questions, plans, pieces of streams, long bodies. They have a lower priority than the
//! threads that take requests, authenticate, answer checks and lists, and append commands, so that those wait for no question.

use std::{sync::LazyLock, time::Duration};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{JoinHandle, spawn_blocking},
};

/// How much lower: a tenth of the share of a core that the other threads have, and all of it while those rest (setpriority(2)).
const NICENESS: i32 = 10;
/// A thread that had nothing to do for so long ends. Each keeps some MiB of what it freed until then, and a new one costs next to nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// One for the process: threads are shared by priority, not by listener. None where the system makes no more threads.
static WORKERS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("grantbook-work").thread_keep_alive(KEEP_ALIVE);
    builder.enable_all().on_thread_start(step_back);
    let built = builder.build();
    built.inspect_err(|error| tracing::warn!(%error, "questions share the threads of requests")).ok()
});

/// Runs something that may take long, or wait, on such a thread. Its [`tokio::runtime::Handle::current`] has timers.
pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match &*WORKERS {
        Some(workers) => workers.spawn_blocking(run),
        None => spawn_blocking(run),
    }
}

/// The runtime of such threads, for parts of the process that know no scheduler.
pub(crate) fn handle() -> Option<Handle> {
    WORKERS.as_ref().map(|workers| workers.handle().clone())
}

/// On Linux this is of the calling thread alone. Where it is refused the thread works as the others do.
fn step_back() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn workers_have_a_lower_priority_than_those_who_take_requests() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let here = niceness();
        let there = spawn(niceness).await.unwrap();
        assert_eq!(there, (here + NICENESS).min(19));
        assert_eq!(niceness(), here);
    }
}
