//! Names that a forge doesn't take as reviewers, so that they are not asked for again and again.
//!
//! Invariant: no more names are kept than the configuration has. They are forgotten with the process, so
//! that somebody who joins is asked after a restart at the latest.
//!
//! It refuses to fail: the pull request counts, and the log says who is missing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::words;

/// The names that were refused.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<BTreeSet<String>>);

impl Strangers {
    /// Whether this name was refused.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().contains(name)
    }

    /// Takes note that this name was refused, and why.
    pub(super) fn add(&self, name: &str, why: &str) {
        let is_new = self.lock().insert(name.to_owned());
        if is_new {
            let name = words::clean(name);
            tracing::warn!("{name} can't be asked for a review: {why}");
        }
    }

    /// A poisoned lock still holds whole names.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
