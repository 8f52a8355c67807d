//! How fast a forge is asked, and when it is not asked at all.
//!
//! Invariant: after a forge has asked to be left alone, nothing is sent to it with the same credentials
//! until then, by whichever repository; and what changes something is spaced. No forge is believed
//! when it asks for more than [`LONGEST`].
//!
//! It doesn't retry: a caller learns until when it is of no use.
//!
//! Sources: "Best practices for using the REST API" and "Rate limits for the REST API", docs.github.com;
//! "Rate limits", docs.gitlab.com; "Rate and usage limits", learn.microsoft.com; RFC 9110 section 10.2.3.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The longest wait that is believed: GitHub's and Azure's limits are of an hour or less.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);

/// What GitHub asks for when it gives no time.
const DEFAULT_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// How often the wait without a given time doubles, as GitHub asks for: up to half an hour.
const MAX_DOUBLINGS: u32 = 5;

/// How fast what changes something may be asked.
#[derive(Debug, Clone, Copy)]
pub(in crate::forge) struct Rules {
    /// The time between requests that change something.
    pub(in crate::forge) gap: Duration,
    /// Most that may be made in an hour.
    pub(in crate::forge) created: Option<usize>,
}

impl Rules {
    /// GitHub advises a second. It takes 500 in an hour, shared with people who use the same account.
    pub(in crate::forge) const GITHUB: Self = Self {
        gap: Duration::from_secs(1),
        created: Some(450),
    };

    /// Those who name no such rule: no more than a handful a second.
    pub(in crate::forge) const OTHERS: Self = Self {
        gap: Duration::from_millis(200),
        created: None,
    };

    /// The same, without any time between requests.
    pub(in crate::forge) fn without_gap(self) -> Self {
        Self {
            gap: Duration::ZERO,
            ..self
        }
    }
}

/// The period in which what is made is counted.
const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Requests under way at once: GitHub advises one and refuses a hundred.
const IN_FLIGHT: usize = 4;

/// The paces of all forges that a process asks, shared by the repositories on them.
#[derive(Debug, Clone, Default)]
pub struct Paces {
    by_place: Arc<Mutex<HashMap<String, Arc<Pace>>>>,
}

impl Paces {
    /// The pace of one host with one credential. There are as many as the configuration names.
    pub(in crate::forge) fn of(&self, place: &str, rules: Rules) -> Arc<Pace> {
        let mut paces = lock(&self.by_place);
        let pace = paces.entry(place.to_owned());
        pace.or_insert_with(|| Arc::new(Pace::new(rules))).clone()
    }
}

/// What a request does to a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::forge) enum Effort {
    /// It only reads.
    Read,
    /// It changes something.
    Write,
    /// It makes something that people are told of.
    Create,
}

/// One forge's pace.
#[derive(Debug)]
pub(in crate::forge) struct Pace {
    rules: Rules,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When it may be asked again.
    until: Option<Timestamp>,
    /// Refusals in a row that gave no time.
    timeless: u32,
    /// When the newest request that changes something is sent.
    written: Option<Instant>,
    /// When something was made, oldest first, within the period.
    created: VecDeque<Timestamp>,
}

impl Pace {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            places: Semaphore::new(IN_FLIGHT),
            state: Mutex::default(),
        }
    }

    /// Waits for a turn; an error says when it is of use to come again.
    pub(super) async fn turn(
        &self,
        effort: Effort,
        now: impl Fn() -> Timestamp,
    ) -> Result<Option<SemaphorePermit<'_>>, Timestamp> {
        let slot = self.reserve(effort, now(), Instant::now())?;
        tokio::time::sleep_until(slot).await;
        // Never closed.
        let place = self.places.acquire().await.ok();
        // Another request may have been refused meanwhile.
        lock(&self.state).open(now())?;
        Ok(place)
    }

    /// When a request may be sent.
    fn reserve(&self, effort: Effort, now: Timestamp, at: Instant) -> Result<Instant, Timestamp> {
        let mut state = lock(&self.state);
        state.open(now)?;
        if effort == Effort::Read {
            return Ok(at);
        }
        if let (Effort::Create, Some(most)) = (effort, self.rules.created) {
            state.create(now, most)?;
        }
        let next = state.written.map(|last| last + self.rules.gap);
        let slot = next.map_or(at, |next| at.max(next));
        state.written = Some(slot);
        Ok(slot)
    }

    /// Learns that nothing remains of the quota, from an answer that does not say so in its status;
    /// until when nothing may be sent.
    pub(super) fn exhausted(&self, now: Timestamp) -> Timestamp {
        let mut state = lock(&self.state);
        let minute = now.saturating_add(DEFAULT_WAIT).unwrap_or(now);
        *state.until.get_or_insert(minute)
    }

    /// Learns from a reply; the time until which nothing may be sent, if the reply was a refusal for
    /// being asked too much.
    pub(super) fn learn(
        &self,
        status: u16,
        headers: &HeaderMap,
        words: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut state = lock(&self.state);
        let asked = asked(headers, now);
        let is_refused = is_limit(status, headers, words);
        let wait = match asked {
            Some(wait) => wait,
            None if is_refused => {
                let wait = DEFAULT_WAIT * (1 << state.timeless.min(MAX_DOUBLINGS));
                state.timeless += 1;
                wait
            }
            None => {
                if status < 400 {
                    state.timeless = 0;
                }
                return None;
            }
        };
        let until = now.saturating_add(wait.min(LONGEST)).unwrap_or(now);
        state.until = state.until.max(Some(until));
        is_refused.then_some(until)
    }
}

impl State {
    fn open(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match self.until {
            // A time further off than any that is believed was set before the clock went back.
            Some(until) if now < until && now.duration_until(until) <= LONGEST => Err(until),
            _ => {
                self.until = None;
                Ok(())
            }
        }
    }

    fn create(&mut self, now: Timestamp, most: usize) -> Result<(), Timestamp> {
        self.created
            .retain(|at| at.duration_until(now).abs() < PERIOD);
        match self.created.front() {
            Some(oldest) if self.created.len() >= most => {
                Err(oldest.saturating_add(PERIOD).unwrap_or(now))
            }
            _ => {
                self.created.push_back(now);
                Ok(())
            }
        }
    }
}

/// Whether a reply refuses for being asked too much. GitHub uses 403 besides 429, as it does for lacking
/// rights, so that headers or words must tell.
fn is_limit(status: u16, headers: &HeaderMap, words: &str) -> bool {
    match status {
        429 => true,
        503 => headers.contains_key(RETRY_AFTER),
        403 => {
            headers.contains_key(RETRY_AFTER)
                || number(headers, "x-ratelimit-remaining") == Some(0)
                || words.to_ascii_lowercase().contains("secondary rate limit")
        }
        _ => false,
    }
}

/// How long a reply asks to be left alone: by `Retry-After`, else since nothing remains of the quota
/// (GitHub's and Azure's names of headers, and GitLab's).
fn asked(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    // The forge's clock counts for its own times.
    let there = text(headers, DATE.as_str()).and_then(date).unwrap_or(now);
    let after = text(headers, RETRY_AFTER.as_str()).and_then(|value| match value.parse::<u32>() {
        Ok(seconds) => Some(SignedDuration::from_secs(i64::from(seconds))),
        Err(_) => date(value).map(|date| there.duration_until(date)),
    });
    let exhausted = |remaining: &str, reset: &str| {
        let at = match number(headers, remaining) {
            Some(0) => Timestamp::from_second(number(headers, reset)?).ok()?,
            _ => return None,
        };
        Some(there.duration_until(at))
    };
    after
        .or_else(|| exhausted("x-ratelimit-remaining", "x-ratelimit-reset"))
        .or_else(|| exhausted("ratelimit-remaining", "ratelimit-reset"))
        .filter(|wait| wait.is_positive())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    text(headers, name)?.parse().ok()
}

fn date(value: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(value).ok()
}

/// A poisoned lock still holds valid times: each write is a single assignment.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
