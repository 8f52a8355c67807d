//! One host: when the next request to it may be sent, and what became of the ones before.
//!
//! Invariant: no request is sent while the host asked for a pause, its limit is spent or its breaker is
//! open, however many want to; those that may be sent come no faster than the rate.
//!
//! Pure: the time is given. Labels and counters are of a fixed number.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;

use super::breaker::{Breaker, Opened};
use super::quota::{Allowance, Quota};
use super::rate::{Bounds, Rate};
use super::{HostReport, Now};
use crate::registry::Limits;
use crate::registry::delay::LONGEST;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The tags of an image.
    List,
    /// A manifest or its digest.
    Manifest,
    /// A blob, such as an image's configuration.
    Blob,
    /// Signing in, at the registry, its token server or a cloud.
    Token,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::List, Self::Manifest, Self::Blob, Self::Token];

    /// By the paths of the distribution specification, section "Endpoints", and those of the listings
    /// that registries have besides; all other requests serve to sign in.
    pub(crate) fn of(url: &Url) -> Self {
        const LISTS: [&str; 5] = ["/tags/list", "/tags", "/tag/", "/_tags", "/artifacts"];
        let path = url.path();
        if LISTS.iter().any(|end| path.ends_with(end)) {
            Self::List
        } else if path.contains("/manifests/") {
            Self::Manifest
        } else if path.contains("/blobs/") {
            Self::Blob
        } else {
            Self::Token
        }
    }

    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Token => "token",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 2xx.
    Success,
    /// 3xx that was not followed.
    Redirect,
    /// 4xx other than 429.
    Client,
    /// 429, or 503 with a time to wait.
    Limited,
    /// 5xx.
    Server,
    /// Without an answer.
    Failed,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Redirect,
        Self::Client,
        Self::Limited,
        Self::Server,
        Self::Failed,
    ];

    /// By the status (RFC 9110 section 15).
    pub(crate) fn of(status: u16) -> Self {
        match status {
            429 => Self::Limited,
            500.. => Self::Server,
            400.. => Self::Client,
            300.. => Self::Redirect,
            _ => Self::Success,
        }
    }

    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::Client => "4xx",
            Self::Limited => "429",
            Self::Server => "5xx",
            Self::Failed => "none",
        }
    }
}

/// Why a host is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It said when to come back.
    Asked(Timestamp),
    /// What it allows is spent until then.
    Spent(Timestamp),
    /// It failed several times in a row; it is tried again then.
    Failing(Timestamp),
}

impl Rest {
    /// When it may be over.
    pub fn until(self) -> Timestamp {
        match self {
            Self::Asked(until) | Self::Spent(until) | Self::Failing(until) => until,
        }
    }

    /// Why `host` isn't asked, in words. Where it fails they are without the time: it is another one
    /// after each try, and what is told would look new each time.
    pub fn words(self, host: &str) -> String {
        match self {
            Self::Asked(until) => format!("{host} asked to be left alone until {until}"),
            Self::Spent(until) => format!("{host} allows no more requests until {until}"),
            Self::Failing(_) => {
                format!("{host} failed several times in a row and is left alone for a moment")
            }
        }
    }

    /// Whether it is worth waiting for: it is known to be over within `patience`.
    pub fn is_brief(self, now: Timestamp, patience: Duration) -> bool {
        match self {
            Self::Asked(_) | Self::Spent(_) => self.from(now) <= patience,
            Self::Failing(_) => false,
        }
    }

    /// How long that is from `now`.
    pub fn from(self, now: Timestamp) -> Duration {
        let span = self.until().duration_since(now);
        if span.is_negative() {
            return Duration::ZERO;
        }
        span.unsigned_abs()
    }
}

/// When a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Then; if the host has said something new by then, ask again.
    At {
        /// When.
        slot: Instant,
        /// What [`Host::keeps`] is asked with.
        word: u64,
    },
    /// Not now.
    Not(Rest),
}

/// How a request ended, with what the host said about its limits.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// What it was for.
    pub kind: Kind,
    /// With what.
    pub class: Class,
    /// When it was sent.
    pub sent: Instant,
    /// For how long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What is left of its limit.
    pub quota: Option<Quota>,
}

/// One host.
#[derive(Debug, Clone)]
pub struct Host {
    rate: Rate,
    breaker: Breaker,
    paused: Option<Timestamp>,
    /// Of all requests.
    quota: Option<Quota>,
    /// Of manifests that are fetched, which some count apart from all else.
    pulls: Option<Quota>,
    /// How often it has said something that those who wait must know.
    word: u64,
    counts: [[u64; Class::ALL.len()]; Kind::ALL.len()],
    waited: Duration,
    last_success: Option<Timestamp>,
}

impl Host {
    /// One that was never asked.
    pub(super) fn new(name: &str, limits: &Limits) -> Self {
        Self {
            rate: Rate::new(Bounds::of(name)),
            breaker: Breaker::new(limits.failures, limits.rest),
            paused: None,
            quota: None,
            pulls: None,
            word: 0,
            counts: Default::default(),
            waited: Duration::ZERO,
            last_success: None,
        }
    }

    /// Why it is not asked now, if so.
    pub fn rest(&mut self, kind: Kind, now: Timestamp) -> Option<Rest> {
        if let Some(until) = self.breaker.closed_off(now) {
            return Some(Rest::Failing(until));
        }
        let asked = self.pause(now).map(Rest::Asked);
        let spent = match self.allowance(kind, now) {
            Some(Allowance::Until(until)) => Some(Rest::Spent(until)),
            _ => None,
        };
        asked
            .into_iter()
            .chain(spent)
            .max_by_key(|rest| rest.until())
    }

    /// How many listings it may be asked for at once, `most` at most: as many as begin in a second, and
    /// one while it is tried again.
    pub fn width(&self, most: usize) -> usize {
        if !self.breaker.is_closed() {
            return 1;
        }
        // A rate is positive and finite, and `most` is small.
        (self.rate.per_second() as usize).clamp(1, most.max(1))
    }

    /// Books the next request. A rest of at most `patience` is waited for.
    pub fn book(&mut self, kind: Kind, now: Now, patience: Duration) -> Turn {
        let rest = self.rest(kind, now.wall);
        let not_before = match rest {
            None => None,
            Some(rest) if rest.is_brief(now.wall, patience) => {
                Some(now.steady + rest.from(now.wall))
            }
            Some(rest) => return Turn::Not(rest),
        };
        let most = match self.allowance(kind, now.wall) {
            Some(Allowance::Spread(rate)) => Some(rate),
            _ => None,
        };
        let slot = self.rate.book(now.steady, not_before, most);
        self.breaker.sent(now.wall);
        for quota in [self.quota.as_mut(), self.pulls.as_mut()] {
            quota.into_iter().for_each(Quota::spend);
        }
        self.waited += slot.saturating_duration_since(now.steady);
        Turn::At {
            slot,
            word: self.word,
        }
    }

    /// Whether nothing new was said since a turn was given out.
    pub fn keeps(&self, word: u64) -> bool {
        self.word == word
    }

    /// A request ended.
    pub fn ended(&mut self, ended: Ended, now: Now) {
        let Ended { kind, class, .. } = ended;
        let count = &mut self.counts[kind as usize][class as usize];
        *count = count.saturating_add(1);
        if class == Class::Success && kind != Kind::Token {
            self.last_success = Some(now.wall);
        }
        self.note_quota(kind, ended.quota);
        match class {
            Class::Server | Class::Failed => {
                if self.breaker.failed(now.wall) == Opened::Now {
                    self.rate.lost(now.steady);
                    self.word += 1;
                }
                return;
            }
            Class::Limited => {
                self.rate.limited(ended.sent, now.steady);
                self.word += 1;
            }
            Class::Success | Class::Redirect | Class::Client => self.rate.answered(now.steady),
        }
        self.breaker.answered();
        if let Some(wait) = ended.retry_after {
            self.pause_for(wait, now.wall);
        }
    }

    /// Notes that it wants to be left alone for `wait`.
    fn pause_for(&mut self, wait: Duration, now: Timestamp) {
        let wait = SignedDuration::try_from(wait.min(LONGEST)).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.paused = Some(self.paused.map_or(until, |paused| paused.max(until)));
    }

    /// Until when it asked to be left alone.
    pub(super) fn pause(&mut self, now: Timestamp) -> Option<Timestamp> {
        let until = self.paused?;
        // One that is too far away was noted before the clock was set back.
        let far = SignedDuration::try_from(LONGEST).unwrap_or(SignedDuration::MAX);
        if until <= now || until.duration_since(now) > far {
            self.paused = None;
        }
        self.paused
    }

    /// The same from an earlier process.
    pub(super) fn set_pause(&mut self, until: Timestamp) {
        self.paused = Some(until);
    }

    /// What is said with a listing is about all requests; what is said with manifests may be about
    /// pulls only, and then doesn't hold for `HEAD` or listings (Docker Hub, "Usage and limits").
    fn note_quota(&mut self, kind: Kind, quota: Option<Quota>) {
        match (kind, quota) {
            (_, None) | (Kind::Token | Kind::Blob, _) => {}
            (Kind::List, quota) => self.quota = quota,
            (Kind::Manifest, quota) if self.quota.is_some() => self.quota = quota,
            (Kind::Manifest, quota) => self.pulls = quota,
        }
    }

    fn allowance(&self, kind: Kind, now: Timestamp) -> Option<Allowance> {
        if kind == Kind::Token {
            return None;
        }
        self.quota.and_then(|quota| quota.allowance(now))
    }

    /// What metrics say of it.
    pub(super) fn report(&mut self, name: &str, now: Timestamp) -> HostReport {
        HostReport {
            host: name.to_owned(),
            requests: self.counts,
            waited: self.waited,
            last_success: self.last_success,
            quota: self.quota.or(self.pulls).map(|quota| quota.remaining),
            per_second: self.rate.per_second(),
            breaker: self.breaker.state(now),
            paused: self.pause(now),
        }
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self) -> bool {
        self.paused.is_none() && self.breaker.is_closed() && self.quota.is_none()
    }
}
