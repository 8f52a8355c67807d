//! When an image is looked at next.
//!
//! Invariant: absent faults an image is due no sooner than its interval after the last look, and no
//! later than [`Pattern::bound`]. Images never become due together: a hash of their name places them.
//!
//! Pure: the time is given.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// An image is due once a twelfth of the time since it last changed has passed again, within bounds: a
/// change is then seen at most a twelfth later than could be.
const SHARE: u32 = 12;

/// How many intervals an image at rest is left alone for at most. With the default of five minutes this
/// is hardly more than a quarter of the requests, and twenty minutes at most until a tag is seen where no
/// webhook tells of it.
const SLOWEST: u32 = 4;

/// The part of the bound, in percent, after which an image is due at the latest; the rest is for the queue.
const DUE: u32 = 90;

/// The part of a period, in percent, by which it is stretched at most, so that images that were looked
/// at together drift apart.
const JITTER: u32 = 10;

/// Longest wait after refusals that a person has to do something about. It costs a registry one request
/// an hour, and whoever mends it waits no longer.
const LONGEST_REFUSED: Duration = Duration::from_secs(3600);

/// First wait after a failure of the host; a lost connection or a restart is over by then.
const FIRST_RETRY: Duration = Duration::from_secs(15);

/// An image's place among the others: its interval and a hash of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern {
    pub interval: Duration,
    pub seed: u64,
}

/// Whose fault a look's failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The host's: it may be over soon.
    Host,
    /// This repository's, or the credentials': a person has to do something.
    Repository,
}

impl Pattern {
    /// The place of `name`.
    pub fn new(name: &impl Hash, interval: Duration) -> Self {
        let mut hasher = Fnv::default();
        name.hash(&mut hasher);
        Self {
            interval: interval.max(Duration::from_millis(1)),
            seed: hasher.finish(),
        }
    }

    /// The longest time between two looks.
    pub fn bound(self) -> Duration {
        self.interval.saturating_mul(SLOWEST)
    }

    /// After the first look: images that were listed together, as at the start, are spread over an
    /// interval.
    pub fn after_first(self, now: Timestamp) -> Timestamp {
        later(now, self.interval + self.part(0))
    }

    /// After look number `look`, the image having last changed at `changed`.
    pub fn after(self, look: u64, changed: Timestamp, now: Timestamp) -> Timestamp {
        let rest = now.duration_since(changed);
        let rest = if rest.is_negative() {
            Duration::ZERO
        } else {
            rest.unsigned_abs()
        };
        let slowest = self.bound() * DUE / (100 + JITTER);
        let period = (rest / SHARE).clamp(self.interval, slowest.max(self.interval));
        later(now, stretched(period, self.draw(look)))
    }

    /// After a failure, the `failures`th in a row.
    pub fn after_failure(self, blame: Blame, failures: u32, now: Timestamp) -> Timestamp {
        let doubled = |first: Duration| {
            let factor = 1u32.checked_shl(failures.saturating_sub(1).min(20));
            first.saturating_mul(factor.unwrap_or(u32::MAX))
        };
        let wait = match blame {
            Blame::Host => doubled(FIRST_RETRY).min(self.bound()),
            Blame::Repository => doubled(self.interval).min(LONGEST_REFUSED.max(self.interval)),
        };
        later(now, stretched(wait, self.draw(u64::from(failures))))
    }

    /// When to look at an image that became due while nothing ran: somewhere in an interval, so that a
    /// start makes no burst.
    pub fn after_downtime(self, now: Timestamp) -> Timestamp {
        later(now, self.part(0))
    }

    /// `due` if it is one that may have been set at `now`; else, the clock having been set back, the
    /// time after downtime.
    pub fn within_reach(self, due: Timestamp, now: Timestamp) -> Timestamp {
        let farthest = LONGEST_REFUSED.max(self.bound()) * 2;
        if due > later(now, farthest) {
            self.after_downtime(now)
        } else {
            due
        }
    }

    /// A part of the interval.
    fn part(self, look: u64) -> Duration {
        self.interval.mul_f64(self.draw(look))
    }

    /// A number in 0..1 that looks random and is always the same.
    fn draw(self, look: u64) -> f64 {
        let mut hasher = Fnv::default();
        (self.seed, look).hash(&mut hasher);
        // The upper half mixes best; a float holds 32 bits exactly.
        f64::from((mixed(hasher.finish()) >> 32) as u32) / f64::from(u32::MAX)
    }
}

fn stretched(period: Duration, draw: f64) -> Duration {
    period.mul_f64(1.0 + f64::from(JITTER) / 100.0 * draw)
}

pub(super) fn later(now: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// FNV-1a, 64 bits: the same in every process and version, which the standard library's is not.
#[derive(Debug)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Spreads the differences of short inputs over all bits (the finaliser of MurmurHash3).
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
    }

    fn pattern(name: &str) -> Pattern {
        Pattern::new(&name, Duration::from_secs(5 * MINUTE))
    }

    fn minutes(due: Timestamp, from: u64) -> i64 {
        due.duration_since(at(from)).as_mins()
    }

    #[test]
    fn what_changed_lately_is_looked_at_more_often() {
        for (rest, least, most) in [
            (0, 5, 5),
            (59, 5, 5),
            (120, 10, 11),
            (240, 16, 18),
            (100_000, 16, 18),
        ] {
            let now = rest * MINUTE;
            for look in 0..50 {
                let due = minutes(pattern("a").after(look, at(0), at(now)), now);
                assert!(due >= least && due <= most, "{rest} {look}: {due}");
            }
        }
    }

    #[test]
    fn failures_wait_longer_each_time_and_not_for_ever() {
        let waits = |blame| -> Vec<i64> {
            let after = |failures| pattern("a").after_failure(blame, failures, at(0));
            let seconds = |failures| after(failures).as_second() / 10 * 10;
            [1, 2, 3, 4, 5, 6, 7, 40].map(seconds).to_vec()
        };
        for (wait, least) in waits(Blame::Host)
            .into_iter()
            .zip([10, 30, 60, 120, 240, 480, 960, 1200])
        {
            assert!(
                wait >= least && wait <= least * 12 / 10 + 10,
                "{wait} {least}"
            );
        }
        for (wait, least) in waits(Blame::Repository)
            .into_iter()
            .zip([300, 600, 1200, 2400, 3600, 3600, 3600, 3600])
        {
            assert!(wait >= least && wait <= least * 12 / 10, "{wait} {least}");
        }
    }

    #[test]
    fn images_are_spread_over_the_interval() {
        let mut tenths = [0; 10];
        for number in 0..10_000 {
            let due = pattern(&format!("r.example/app{number}")).after_downtime(at(0));
            tenths[usize::try_from(due.as_second() / 30).unwrap().min(9)] += 1;
        }
        assert!(
            tenths.iter().all(|count| (900..1100).contains(count)),
            "{tenths:?}"
        );
        let known = pattern("r.example/app1").seed;
        assert_eq!(known, 6_039_284_888_360_259_225, "kept between versions");
    }

    #[test]
    fn a_time_that_nobody_set_is_not_waited_for() {
        let pattern = pattern("a");
        assert_eq!(pattern.within_reach(at(3600), at(0)), at(3600));
        let soon = pattern.within_reach(at(100_000), at(0));
        assert!(minutes(soon, 0) <= 5);
    }

    proptest! {
        #[test]
        fn a_look_is_never_early_and_never_late(
            name in "[a-z]{1,9}", interval in 1u64..100_000, look: u64,
            changed in 0u64..10_000_000, now in 0u64..10_000_000,
        ) {
            let pattern = Pattern::new(&name, Duration::from_secs(interval));
            for due in [pattern.after(look, at(changed), at(now)), pattern.after_first(at(now))] {
                let wait = due.duration_since(at(now)).unsigned_abs();
                prop_assert!(wait >= pattern.interval && wait <= pattern.bound());
            }
        }
    }
}
