//! The pace at which each host is asked: one for all that ask, whoever they are and whatever for.
//!
//! Invariant: every request takes its turn here before it is sent, and its end is noted here. So the
//! limits of a host hold over all config repos, images and credentials together. Hosts are of a bounded
//! number, however many a registry names.
//!
//! What a host may be asked is decided by [`Host`], purely; this holds the hosts and waits.

mod breaker;
mod host;
mod quota;
mod rate;

pub use breaker::BreakerState;
pub use host::{Class, Ended, Host, Kind, Rest, Turn};
pub use quota::Quota;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Limits;
use crate::clock::Clock;

/// Hosts kept apart; an installation asks a few dozen. What comes on top, as from a registry that
/// names a new token server each time, shares one pace.
const MAX_HOSTS: usize = 1024;

/// What the rest are called together; no host has such a name.
const OTHERS: &str = "(others)";

/// The time, on both of its scales.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// By the calendar: for what outlives the process, and what hosts name as a date.
    pub wall: Timestamp,
    /// Never set: for distances between requests.
    pub steady: Instant,
}

impl Now {
    /// The time by `clock`.
    pub fn of(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: tokio::time::Instant::now().into_std(),
        }
    }

    /// Later by so much.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let wall = self.wall.saturating_add(span).unwrap_or(Timestamp::MAX);
        Self {
            wall,
            steady: self.steady + span,
        }
    }
}

/// Hosts that asked to be left alone, and until when, as they are kept for the next process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses(BTreeMap<String, Timestamp>);

/// What metrics say of a host.
#[derive(Debug, Clone)]
pub struct HostReport {
    /// The host, as image names hold it.
    pub host: String,
    /// Requests by [`Kind`] and [`Class`], in the order of their `ALL`.
    pub requests: [[u64; Class::ALL.len()]; Kind::ALL.len()],
    /// How long requests waited for their turn, all together.
    pub waited: Duration,
    /// When it last answered a request with success.
    pub last_success: Option<Timestamp>,
    /// How many requests its limit leaves, if it says so.
    pub quota: Option<u64>,
    /// At how many requests a second it may be asked now.
    pub per_second: f64,
    /// Whether it is asked at all.
    pub breaker: BreakerState,
    /// Until when it asked to be left alone.
    pub paused: Option<Timestamp>,
}

/// All hosts.
#[derive(Debug)]
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    limits: Limits,
}

impl Hosts {
    /// None yet; of the limits those on failures, rest and patience count.
    pub fn new(limits: Limits) -> Self {
        Self {
            hosts: BTreeMap::new(),
            limits,
        }
    }

    /// The host called `name`.
    pub fn of(&mut self, name: &str) -> &mut Host {
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(name) {
            self.hosts.retain(|_, host| !host.is_idle());
        }
        let full = self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(name);
        let name = if full { OTHERS } else { name };
        // Looked up twice, so that a known name isn't copied.
        if !self.hosts.contains_key(name) {
            let host = Host::new(name, &self.limits);
            self.hosts.insert(name.to_owned(), host);
        }
        self.hosts.get_mut(name).expect("it was just put there")
    }

    /// The longest rest that is waited for within a request.
    pub fn patience(&self) -> Duration {
        self.limits.patience
    }
}

/// The pace of a client; clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Mutex<Hosts>>);

impl Pace {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Hosts::new(limits))))
    }

    /// Waits until a request may be sent to `host`; the time when it is.
    ///
    /// # Errors
    /// Why the host is not asked now.
    pub async fn turn(&self, host: &str, kind: Kind, clock: &Clock) -> Result<Instant, Rest> {
        loop {
            let now = Now::of(clock);
            let turn = {
                let mut hosts = self.lock();
                let patience = hosts.patience();
                hosts.of(host).book(kind, now, patience)
            };
            let (slot, word) = match turn {
                Turn::Not(rest) => return Err(rest),
                Turn::At { slot, word } => (slot, word),
            };
            if slot > now.steady {
                tokio::time::sleep_until(slot.into()).await;
                // Meanwhile another request may have been told to stop.
                if !self.lock().of(host).keeps(word) {
                    continue;
                }
            }
            return Ok(tokio::time::Instant::now().into_std());
        }
    }

    /// Notes how a request ended.
    pub fn ended(&self, host: &str, ended: Ended, clock: &Clock) {
        let now = Now::of(clock);
        self.lock().of(host).ended(ended, now);
    }

    pub fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What metrics say of each host.
    pub fn reports(&self, now: Timestamp) -> Vec<HostReport> {
        let mut hosts = self.lock();
        let all = hosts.hosts.iter_mut();
        all.map(|(name, host)| host.report(name, now)).collect()
    }

    /// What to keep for the next process.
    pub fn pauses(&self, now: Timestamp) -> Pauses {
        let mut hosts = self.lock();
        let paused = hosts
            .hosts
            .iter_mut()
            .filter_map(|(name, host)| Some((name.clone(), host.pause(now)?)));
        Pauses(paused.collect())
    }

    /// Takes up what an earlier process kept.
    pub fn take_up(&self, pauses: Pauses) {
        let mut hosts = self.lock();
        for (name, until) in pauses.0 {
            hosts.of(&name).set_pause(until);
        }
    }
}

#[cfg(test)]
mod tests;
