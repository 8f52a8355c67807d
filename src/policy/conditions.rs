//! Conditions on a tag that could win: its platforms, its age, and how long it has rested.
//!
//! Invariant: a condition looks at the candidate alone, and is met or not met at a time that it can
//! name, so that waiting ends by itself. What it has to know and does not, it asks for.
//!
//! Which tag is a candidate is not decided here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::evidence::{Datum, Found, Taken, Time, TimeSource, Times, Want};
use super::platform::Platform;
use super::{Reason, Span};

/// What a candidate must meet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Platforms that must all be there.
    pub platforms: Vec<Platform>,
    /// How old it must be.
    pub minimum_age: Option<Span>,
    /// What counts as its time where the registry has no record of it.
    pub on_missing_time: OnMissingTime,
    /// How long the tag must have had its digest.
    pub settle: Option<Span>,
}

/// What counts as the time of a tag where the registry has no record of it and no stage took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissingTime {
    /// Nothing: it is never old enough.
    Hold,
    /// It is old enough.
    Allow,
    /// When we first saw it with its digest.
    #[default]
    FirstSeen,
}

/// Whether a candidate meets the conditions.
pub(super) enum Met {
    Yes,
    /// It does not, and will from then on, if that is known.
    No(Reason, Option<Timestamp>),
    /// It depends on these.
    Open(Vec<Want>),
}

impl Conditions {
    /// What must be known of a candidate.
    pub(super) fn wants(&self) -> Vec<Want> {
        let platforms = (!self.platforms.is_empty()).then_some(Want::Platforms);
        let pushed = self.minimum_age.map(|_| Want::Pushed);
        platforms.into_iter().chain(pushed).collect()
    }

    /// Whether a candidate with these facts meets them at the time `now`.
    pub(super) fn met(&self, found: &Found, times: &Times, now: Timestamp) -> Met {
        let mut open = Vec::new();
        let steps = [
            self.platforms_of(found),
            self.age(found, times, now),
            self.rest(found, now),
        ];
        for step in steps {
            match step {
                Met::Yes => {}
                Met::No(..) => return step,
                Met::Open(wants) => open.extend(wants),
            }
        }
        match open.is_empty() {
            true => Met::Yes,
            false => Met::Open(open),
        }
    }

    /// Whether a tag is too young by a time that is known without its manifest.
    pub(super) fn too_young(&self, times: &Times, now: Timestamp) -> Option<(Reason, Timestamp)> {
        let (Some(span), Datum::Known(since)) = (self.minimum_age, times.pushed) else {
            return None;
        };
        match wait(since.at, span.0, now, |until| Reason::TooYoung {
            since,
            until,
        }) {
            Met::No(reason, Some(until)) => Some((reason, until)),
            _ => None,
        }
    }

    fn platforms_of(&self, found: &Found) -> Met {
        let lacks = |platform: Option<&Platform>| {
            platform.map_or(Met::Yes, |platform| {
                Met::No(Reason::NoPlatform(Box::new(platform.clone())), None)
            })
        };
        match &found.platforms {
            _ if self.platforms.is_empty() => Met::Yes,
            Datum::Unasked => Met::Open(vec![Want::Platforms]),
            Datum::Absent => lacks(self.platforms.first()),
            Datum::Known(there) => {
                let mut wanted = self.platforms.iter();
                lacks(wanted.find(|platform| !platform.is_among(there)))
            }
        }
    }

    fn age(&self, found: &Found, times: &Times, now: Timestamp) -> Met {
        let Some(span) = self.minimum_age else {
            return Met::Yes;
        };
        let of = |at, source| Some(Time { at, source });
        let time = match times.pushed {
            Datum::Unasked => return Met::Open(vec![Want::Pushed]),
            Datum::Known(time) => Some(time),
            Datum::Absent => {
                let seen = found.first_seen.unwrap_or(now);
                let by_sight = self.on_missing_time == OnMissingTime::FirstSeen;
                match (found.taken, self.on_missing_time) {
                    // It was there when it was seen, whoever took it later.
                    (Taken::At(at), _) if by_sight && seen < at => of(seen, TimeSource::FirstSeen),
                    (Taken::At(at), _) => of(at, TimeSource::Git),
                    // The history can only make it older.
                    (Taken::Unasked, _) if by_sight && has_passed(seen, span.0, now) => None,
                    (Taken::Unasked, _) => return Met::Open(vec![Want::Taken]),
                    (_, OnMissingTime::Hold) => return Met::No(Reason::NoAge, None),
                    (_, OnMissingTime::Allow) => None,
                    (Taken::NotConsulted, OnMissingTime::FirstSeen) => {
                        of(seen, TimeSource::FirstSeenAlone)
                    }
                    (Taken::Never, OnMissingTime::FirstSeen) => of(seen, TimeSource::FirstSeen),
                }
            }
        };
        time.map_or(Met::Yes, |time| {
            wait(time.at, span.0, now, |until| Reason::TooYoung {
                since: time,
                until,
            })
        })
    }

    fn rest(&self, found: &Found, now: Timestamp) -> Met {
        let Some(span) = self.settle else {
            return Met::Yes;
        };
        let since = found.first_seen.unwrap_or(now);
        wait(since, span.0, now, |until| Reason::Unsettled {
            since,
            until,
        })
    }
}

/// Whether `span` has passed since `since`. A time beyond what can be counted is never reached.
fn wait(
    since: Timestamp,
    span: Duration,
    now: Timestamp,
    reason: impl FnOnce(Timestamp) -> Reason,
) -> Met {
    let until = end(since, span);
    match has_passed(since, span, now) {
        true => Met::Yes,
        false => Met::No(reason(until), Some(until)),
    }
}

fn has_passed(since: Timestamp, span: Duration, now: Timestamp) -> bool {
    end(since, span) <= now
}

fn end(since: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    since.saturating_add(span).unwrap_or(Timestamp::MAX)
}
