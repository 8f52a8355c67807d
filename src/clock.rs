//! The one place that reads the wall clock.
//!
//! Invariant: everything that decides takes the time as a value; only the edge holds a [`Clock`].
//! Tests hold one that they move by hand.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Hand(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn by_hand(start: Timestamp) -> Self {
        Self(Source::Hand(Arc::new(Mutex::new(start))))
    }

    /// The time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Hand(time) => *lock(time),
        }
    }

    /// Moves a hand-driven clock; the system's clock is left alone.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Hand(time) = &self.0 {
            let mut time = lock(time);
            *time = time.saturating_add(by).unwrap_or(*time);
        }
    }
}

/// A poisoned lock still holds a valid time: the write is a single assignment.
fn lock(time: &Mutex<Timestamp>) -> std::sync::MutexGuard<'_, Timestamp> {
    time.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_driven_clock_moves_only_by_hand() {
        let clock = Clock::by_hand(Timestamp::UNIX_EPOCH);
        let seen = clock.clone();
        clock.advance(SignedDuration::from_hours(1));
        assert_eq!(seen.now().as_second(), 3600);
    }
}
