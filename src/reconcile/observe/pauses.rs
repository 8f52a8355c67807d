//! Hosts that asked to be left alone, and until when.
//!
//! Invariant: a host that says when to come back is not asked before then, for any image, by this
//! process or the next one. No pause is longer than [`LONGEST`], whatever a host says and however the
//! clock is set.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest pause that a host can ask for: the longest window of the quotas that registries state.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// The pauses; clones are one, so that what one config repo is told counts for all.
#[derive(Debug, Clone, Default)]
pub struct Pauses(Arc<Mutex<Paused>>);

/// The pauses as they are kept for the next process: host, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused(BTreeMap<String, Timestamp>);

impl Pauses {
    /// The pauses that an earlier process kept.
    pub fn new(paused: Paused) -> Self {
        Self(Arc::new(Mutex::new(paused)))
    }

    /// What to keep for the next process.
    pub fn paused(&self) -> Paused {
        self.lock().clone()
    }

    /// Why `host` is not to be asked at `now`, if so.
    pub(super) fn reason(&self, host: &str, now: Timestamp) -> Option<String> {
        let mut paused = self.lock();
        let until = *paused.0.get(host)?;
        // One that is too far away was noted before the clock was set back.
        if until <= now || until.duration_since(now) > LONGEST {
            paused.0.remove(host);
            return None;
        }
        Some(format!("{host} asked to be left alone until {until}"))
    }

    /// Notes that `host` wants to be left alone for `wait` from `now`.
    pub(super) fn note(&self, host: &str, wait: Duration, now: Timestamp) {
        let wait = SignedDuration::try_from(wait).map_or(LONGEST, |wait| wait.min(LONGEST));
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let mut paused = self.lock();
        let noted = paused.0.entry(host.to_owned()).or_insert(until);
        *noted = until.max(*noted);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Paused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_its_time_and_is_never_endless() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let pauses = Pauses::default();
        assert_eq!(pauses.reason("a", at(0)), None);
        pauses.note("a", Duration::from_secs(60), at(0));
        pauses.note("a", Duration::from_secs(30), at(1));
        assert_eq!(
            pauses.reason("a", at(59)),
            Some("a asked to be left alone until 1970-01-01T00:01:00Z".to_owned())
        );
        assert_eq!(pauses.reason("b", at(59)), None);
        assert_eq!(pauses.reason("a", at(60)), None);
        pauses.note("a", Duration::MAX, at(0));
        assert!(pauses.reason("a", at(6 * 3600 - 1)).is_some());
        let kept = Pauses::new(pauses.paused());
        assert!(kept.reason("a", at(0)).is_some());
        assert_eq!(kept.reason("a", at(-7 * 3600)), None);
    }
}
