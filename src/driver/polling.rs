//! The poller's task: it runs until shutdown, and what it learns is kept now and then.
//!
//! Invariant: a process that is killed loses what was learnt in the last [`EVERY`] at most, and the next
//! one looks at those images a little early; it never believes what wasn't seen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::open::{keep_polled, told};
use crate::registry::poller::Poller;
use crate::state::State;

/// How often it is kept: the times of 10,000 images are about 3 MB, and images are looked at every few
/// minutes.
const EVERY: Duration = Duration::from_secs(60);

/// Runs the poller until `shutdown` turns true.
pub(super) async fn run(poller: Poller, state: Arc<State>, shutdown: watch::Receiver<bool>) {
    let polling = poller.run(shutdown);
    tokio::pin!(polling);
    loop {
        tokio::select! {
            () = &mut polling => break,
            () = tokio::time::sleep(EVERY) => keep(&poller, &state).await,
        }
    }
    keep(&poller, &state).await;
}

async fn keep(poller: &Poller, state: &Arc<State>) {
    let (poller, state) = (poller.clone(), Arc::clone(state));
    // It only fails by a panic, which ends the process elsewhere.
    let _ = tokio::task::spawn_blocking(move || told(keep_polled(&state, &poller))).await;
}
