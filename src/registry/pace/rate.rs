//! How many requests a second one host gets.
//!
//! Invariant: in any `t` seconds there are at most `(t + 1) * rate` requests, `rate` being the highest
//! in that time. The rate rises by a constant with each answer and is halved when the host says that
//! it is too much (additive increase, multiplicative decrease), so that it settles below what the host
//! likes; it never leaves the bounds that it began with.
//!
//! Pure: the time is given. It does not sleep; it says when the next request may be sent.

use std::time::{Duration, Instant};

use crate::http;
use crate::image::DOCKER_HUB;

/// The lowest rate, in requests a second: a host that limits even this asks for a pause instead.
const LEAST: f64 = 0.1;

/// What an answer adds to the rate: fifty answers make one request a second more. A rate that is used
/// then doubles every 35 seconds from the lowest one on, and a thousand images that are overdue don't
/// bring it far above 20 before they are all seen.
const RISE: f64 = 0.02;

/// The highest rate for a host that is back after an outage: its caches are cold, and everybody else
/// comes back too.
const AFTER_OUTAGE: f64 = 5.0;

/// How long a host may have been left idle for the requests to be made up for at once. It is a second,
/// which is also the unit of the rate, so a burst is a second's requests.
const CREDIT: Duration = Duration::from_secs(1);

/// The rates that a host is asked at, in requests a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    /// At first.
    pub start: f64,
    /// At most.
    pub ceiling: f64,
}

impl Bounds {
    /// The bounds for a host, as image names hold it: below what it publishes, where it does.
    pub fn of(host: &str) -> Self {
        let both = |rate| Self {
            start: rate,
            ceiling: rate,
        };
        if http::is_loopback(without_port(host)) {
            // Nobody else is on the way, and the number of requests in flight bounds it too.
            return both(10_000.0);
        }
        match host {
            // Abuse limit of "thousands of requests per minute" and address, which NAT shares.
            DOCKER_HUB | "auth.docker.io" | "hub.docker.com" => both(10.0),
            // "A few to tens" of requests a second and address.
            "quay.io" => both(5.0),
            // One pull a second and address for those who don't sign in.
            "public.ecr.aws" => Self {
                start: 1.0,
                ceiling: 10.0,
            },
            // 1,000 reads a minute in the smallest edition of Azure's registry.
            _ if is_azure(host) => both(15.0),
            // Google publishes 60,000 a minute; GitHub's own messages name 44,000.
            "ghcr.io" | "gcr.io" => LARGE,
            _ if host.ends_with(".gcr.io") || host.ends_with("-docker.pkg.dev") => LARGE,
            // What other tools take for any registry is 10 to 50.
            _ => Self {
                start: 20.0,
                ceiling: 100.0,
            },
        }
    }
}

/// For the largest registries.
const LARGE: Bounds = Bounds {
    start: 50.0,
    ceiling: 200.0,
};

fn is_azure(host: &str) -> bool {
    [".azurecr.io", ".azurecr.cn", ".azurecr.us", ".azurecr.de"]
        .iter()
        .any(|end| host.ends_with(end))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The rate of one host.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    now: f64,
    ceiling: f64,
    /// When the next request may be sent if none is owed.
    next: Option<Instant>,
    /// When it was last halved.
    halved: Option<Instant>,
    recent: Recent,
}

impl Rate {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            now: bounds.start.max(LEAST),
            ceiling: bounds.ceiling.max(LEAST),
            next: None,
            halved: None,
            recent: Recent::default(),
        }
    }

    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        self.now
    }

    /// Books the next request: when it may be sent, at `now` at the earliest, and not before
    /// `not_before`. `most` is a rate that mustn't be exceeded either.
    pub fn book(
        &mut self,
        now: Instant,
        not_before: Option<Instant>,
        most: Option<f64>,
    ) -> Instant {
        let rate = most.map_or(self.now, |most| most.clamp(LEAST / 100.0, self.now));
        let gap = Duration::from_secs_f64(1.0 / rate);
        let credit = CREDIT.saturating_sub(gap);
        let earliest = now.checked_sub(credit).unwrap_or(now);
        let free = self.next.map_or(earliest, |next| next.max(earliest));
        let slot = match not_before {
            Some(bound) if bound > now => free.max(bound),
            _ => free,
        };
        self.next = Some(slot + gap);
        let sent = slot.max(now);
        self.recent.count(sent);
        sent
    }

    /// An answer came that wasn't a refusal.
    pub fn answered(&mut self, now: Instant) {
        // A rate that isn't used says nothing about what the host would bear.
        if self.recent.in_a_second(now) * 2.0 >= self.now {
            self.now = (self.now + RISE).min(self.ceiling);
        }
    }

    /// The host said that the request sent at `sent` was too much. One halving answers all that were
    /// sent before it. What is halved is what was really sent.
    pub fn limited(&mut self, sent: Instant, now: Instant) {
        if self.halved.is_some_and(|halved| sent <= halved) {
            return;
        }
        self.halved = Some(now);
        let real = self.recent.in_a_second(now).max(1.0);
        self.now = (self.now.min(real) / 2.0).max(LEAST);
        self.without_credit(now);
    }

    /// The host doesn't answer any more.
    pub fn lost(&mut self, now: Instant) {
        self.now = self.now.min(AFTER_OUTAGE);
        self.without_credit(now);
    }

    /// Takes away what could be made up for.
    fn without_credit(&mut self, now: Instant) {
        let gap = Duration::from_secs_f64(1.0 / self.now);
        let next = now + gap;
        self.next = Some(self.next.map_or(next, |booked| booked.max(next)));
    }
}

/// Counts the requests of this second and the one before.
#[derive(Debug, Clone, Default)]
struct Recent {
    since: Option<Instant>,
    count: u32,
    before: u32,
}

impl Recent {
    fn count(&mut self, at: Instant) {
        self.turn(at);
        self.count = self.count.saturating_add(1);
    }

    fn in_a_second(&mut self, now: Instant) -> f64 {
        self.turn(now);
        f64::from(self.count.max(self.before))
    }

    fn turn(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed < Duration::from_secs(1) {
            return;
        }
        let is_next = passed < Duration::from_secs(2);
        self.before = if is_next { self.count } else { 0 };
        self.count = 0;
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(start: f64, ceiling: f64) -> Rate {
        Rate::new(Bounds { start, ceiling })
    }

    #[test]
    fn hosts_that_publish_a_limit_are_asked_below_it() {
        for (host, start, ceiling) in [
            ("docker.io", 10.0, 10.0),
            ("acme.azurecr.io", 15.0, 15.0),
            ("quay.io", 5.0, 5.0),
            ("public.ecr.aws", 1.0, 10.0),
            ("ghcr.io", 50.0, 200.0),
            ("eu.gcr.io", 50.0, 200.0),
            ("europe-west1-docker.pkg.dev", 50.0, 200.0),
            ("registry.example.com:5000", 20.0, 100.0),
            ("azurecr.io.example.com", 20.0, 100.0),
            ("127.0.0.1:5000", 10_000.0, 10_000.0),
            ("localhost", 10_000.0, 10_000.0),
            ("[::1]:5000", 10_000.0, 10_000.0),
        ] {
            assert_eq!(Bounds::of(host), Bounds { start, ceiling }, "{host}");
        }
    }

    #[test]
    fn a_second_may_be_made_up_for_and_no_more() {
        let start = Instant::now();
        let mut rate = rate(4.0, 4.0);
        let mut at = |now: Instant| rate.book(now, None, None).duration_since(start).as_millis();
        let booked: Vec<_> = (0..6).map(|_| at(start)).collect();
        assert_eq!(booked, [0, 0, 0, 0, 250, 500]);
        let later = start + Duration::from_secs(100);
        let booked: Vec<_> = (0..6).map(|_| at(later)).collect();
        assert_eq!(
            booked,
            [100_000, 100_000, 100_000, 100_000, 100_250, 100_500]
        );
    }

    #[test]
    fn after_a_pause_requests_come_one_by_one() {
        let start = Instant::now();
        let mut rate = rate(4.0, 4.0);
        let bound = Some(start + Duration::from_secs(10));
        let mut at = || {
            rate.book(start, bound, None)
                .duration_since(start)
                .as_millis()
        };
        let booked: Vec<_> = (0..3).map(|_| at()).collect();
        assert_eq!(booked, [10_000, 10_250, 10_500]);
    }

    #[test]
    fn what_was_really_sent_is_halved_once() {
        let start = Instant::now();
        let mut rate = rate(10_000.0, 10_000.0);
        for _ in 0..8 {
            rate.book(start, None, None);
        }
        let later = start + Duration::from_millis(5);
        rate.limited(start, later);
        assert_eq!(rate.per_second(), 4.0);
        rate.limited(start, later);
        assert_eq!(rate.per_second(), 4.0, "sent before the halving");
        for _ in 0..50 {
            rate.limited(rate.halved.unwrap() + Duration::from_millis(1), later);
            rate.halved = Some(start);
        }
        assert_eq!(rate.per_second(), LEAST);
    }

    #[test]
    fn a_rate_rises_only_where_it_is_used() {
        let mut now = Instant::now();
        let mut used = rate(2.0, 4.0);
        for _ in 0..200 {
            now = used.book(now, None, None);
            used.answered(now);
        }
        assert_eq!(used.per_second(), 4.0);
        let mut idle = rate(20.0, 100.0);
        for _ in 0..100 {
            now += Duration::from_secs(5);
            idle.book(now, None, None);
            idle.answered(now);
        }
        assert_eq!(idle.per_second(), 20.0);
    }

    proptest! {
        #[test]
        fn no_time_holds_more_than_the_rate(
            steps in proptest::collection::vec((0u64..2_000, 0u8..8), 1..200),
            start in 0.2f64..50.0,
        ) {
            let begin = Instant::now();
            let mut rate = rate(start, start);
            let mut now = begin;
            let mut sent: Vec<Instant> = Vec::new();
            for (milliseconds, what) in steps {
                now += Duration::from_millis(milliseconds);
                match what {
                    0 => rate.limited(now, now),
                    1 => rate.answered(now),
                    2 => sent.push(rate.book(now, Some(now + Duration::from_millis(300)), None)),
                    3 => sent.push(rate.book(now, None, Some(start / 3.0))),
                    _ => sent.push(rate.book(now, None, None)),
                }
            }
            prop_assert!(rate.per_second() <= start && rate.per_second() >= LEAST.min(start));
            for (first, from) in sent.iter().enumerate() {
                for (count, to) in sent[first..].iter().enumerate() {
                    let seconds = to.saturating_duration_since(*from).as_secs_f64();
                    prop_assert!(count as f64 <= (seconds + 1.0) * start + 1e-6);
                }
            }
        }
    }
}
