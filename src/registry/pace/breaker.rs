//! Whether a host that failed is asked at all.
//!
//! Invariant: after several failures in a row no request is sent for a while, then one, and the rest
//! only once that one was answered. A while is doubled each time, up to [`LONGEST`].
//!
//! A failure is a request without an answer, or one that says that the server failed. Any other answer
//! shows that the host is there. Pure: the time is given.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Longest time between two requests to a host that fails: nobody who has mended it waits for longer.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// When the one request's answer is given up on: requests end by themselves before that.
const LOST: SignedDuration = SignedDuration::from_secs(180);

/// The breaker of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    /// So many failures in a row open it.
    most: u32,
    /// How long it is open at first.
    first: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, wait: Duration },
    Trying { since: Timestamp, wait: Duration },
}

/// Where a breaker stands, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// Requests go through.
    #[default]
    Closed,
    /// None does.
    Open,
    /// One does.
    HalfOpen,
}

impl Breaker {
    pub fn new(most: u32, first: Duration) -> Self {
        Self {
            most: most.max(1),
            first,
            state: State::Closed { failures: 0 },
        }
    }

    /// Until when no request may be sent, if so.
    pub fn closed_off(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, wait } => {
                // One that is too far away was set before the clock was set back.
                let far = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
                (until > now && until.duration_since(now) <= far).then_some(until)
            }
            State::Trying { since, .. } => {
                let lost = since.saturating_add(LOST).unwrap_or(Timestamp::MAX);
                (lost > now && since <= now).then_some(lost)
            }
        }
    }

    /// Whether all may be asked, rather than one.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// A request is sent.
    pub fn sent(&mut self, now: Timestamp) {
        if let State::Open { wait, .. } | State::Trying { wait, .. } = self.state {
            self.state = State::Trying { since: now, wait };
        }
    }

    /// The host answered.
    pub fn answered(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A request failed; says whether that opened it.
    pub fn failed(&mut self, now: Timestamp) -> Opened {
        let wait = match self.state {
            State::Closed { failures } if failures + 1 < self.most => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                return Opened::No;
            }
            // Sent before it opened.
            State::Open { .. } => return Opened::No,
            State::Closed { .. } => self.first,
            State::Trying { wait, .. } => (wait * 2).min(LONGEST.max(self.first)),
        };
        let span = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        self.state = State::Open { until, wait };
        Opened::Now
    }

    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } if until > now => BreakerState::Open,
            State::Open { .. } | State::Trying { .. } => BreakerState::HalfOpen,
        }
    }
}

/// Whether a failure opened the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Now,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_with_one_request() {
        let mut breaker = Breaker::new(3, Duration::from_secs(10));
        for _ in 0..5 {
            assert_eq!(breaker.failed(at(0)), Opened::No);
            assert_eq!(breaker.failed(at(0)), Opened::No);
            breaker.answered();
        }
        for opened in [Opened::No, Opened::No, Opened::Now, Opened::No] {
            assert_eq!(breaker.failed(at(0)), opened);
        }
        assert_eq!(breaker.closed_off(at(9)), Some(at(10)));
        assert_eq!(breaker.state(at(9)), BreakerState::Open);
        assert_eq!(breaker.closed_off(at(10)), None);
        breaker.sent(at(10));
        assert_eq!(breaker.state(at(11)), BreakerState::HalfOpen);
        assert_eq!(breaker.closed_off(at(11)), Some(at(190)), "one at a time");
        breaker.answered();
        assert_eq!(breaker.closed_off(at(11)), None);
        assert!(breaker.is_closed());
    }

    #[test]
    fn the_wait_doubles_up_to_a_bound() {
        let mut breaker = Breaker::new(1, Duration::from_secs(10));
        let mut now = 0;
        let waits = [10, 20, 40, 80, 160, 300, 300];
        for wait in waits {
            assert_eq!(breaker.failed(at(now)), Opened::Now);
            assert_eq!(breaker.closed_off(at(now)), Some(at(now + wait)));
            now += wait;
            breaker.sent(at(now));
        }
    }

    #[test]
    fn nothing_keeps_it_open_for_ever() {
        let mut breaker = Breaker::new(1, Duration::from_secs(10));
        breaker.failed(at(1000));
        assert_eq!(breaker.closed_off(at(0)), None, "the clock was set back");
        breaker.sent(at(1010));
        assert_eq!(breaker.closed_off(at(1200)), None, "no answer came");
        assert_eq!(breaker.closed_off(at(1009)), None, "the clock was set back");
    }
}
