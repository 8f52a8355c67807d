//! What a host says is left of its limit, and how to live on it.
//!
//! Invariant: a tenth of a limit is left to others who share it, and the rest lasts until the limit
//! begins anew. Headers that can't be understood count as none.
//!
//! Forms: `RateLimit-Limit`, `-Remaining` and `-Reset` (drafts of the IETF's HTTPAPI group up to 7;
//! Docker Hub adds the window, `100;w=21600`), the same with `X-` before (Docker Hub's API, GitHub),
//! and `RateLimit: "name";r=50;t=30` with `RateLimit-Policy` (later drafts). A reset is a number of
//! seconds, or a Unix time.
//!
//! Pure: the time is given.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;

use crate::registry::delay::{LONGEST, UNIX_TIME};

/// The part of a limit that is left to others: nodes that pull behind the same address, and people.
const RESERVE: u64 = 10;

/// How much of a window is waited for where a host doesn't say when its limit begins anew: then one
/// request asks how things are.
const LOOKS_A_WINDOW: u32 = 20;

/// The window taken where a host names none: the commonest one.
const USUAL_WINDOW: Duration = Duration::from_secs(60);

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many requests are left.
    pub remaining: u64,
    /// The whole limit.
    limit: Option<u64>,
    /// When it was said.
    at: Timestamp,
    /// When the limit begins anew.
    reset: Option<Timestamp>,
    window: Duration,
}

/// What a quota allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Allowance {
    /// So many requests a second.
    Spread(f64),
    /// None before then.
    Until(Timestamp),
}

impl Quota {
    /// The tightest quota that a reply states.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(items) = text("ratelimit") {
            let policy = text("ratelimit-policy").unwrap_or_default();
            return items
                .split(',')
                .filter_map(|item| Self::structured(item, policy, now))
                .min_by_key(|quota| quota.remaining);
        }
        ["", "x-"].iter().find_map(|start| {
            let field = |end: &str| text(&format!("{start}ratelimit-{end}"));
            let remaining = first_number(field("remaining")?)?;
            let window = ["remaining", "limit"]
                .iter()
                .find_map(|end| parameter(field(end)?, "w"));
            let reset = field("reset").and_then(|reset| reset.trim().parse::<f64>().ok());
            Some(Self {
                remaining,
                limit: field("limit").and_then(first_number),
                at: now,
                reset: reset.and_then(|reset| time_of(reset, now)),
                window: window.map_or(USUAL_WINDOW, Duration::from_secs),
            })
        })
    }

    /// `"name";r=50;t=30`, with the limit and window of the same name in the policy.
    fn structured(item: &str, policy: &str, now: Timestamp) -> Option<Self> {
        let name = item.split(';').next()?.trim();
        let of_policy = |key| {
            let policy = policy
                .split(',')
                .find(|policy| policy.split(';').next().map(str::trim) == Some(name))?;
            parameter(policy, key)
        };
        let reset = parameter(item, "t").map(|seconds| seconds as f64);
        Some(Self {
            remaining: parameter(item, "r")?,
            limit: of_policy("q"),
            at: now,
            reset: reset.and_then(|reset| time_of(reset, now)),
            window: of_policy("w").map_or(USUAL_WINDOW, Duration::from_secs),
        })
    }

    /// What it allows at `now`.
    pub(super) fn allowance(&self, now: Timestamp) -> Option<Allowance> {
        let window = SignedDuration::try_from(self.window.min(LONGEST)).ok()?;
        let end = self.reset.or_else(|| self.at.checked_add(window).ok())?;
        // Over, or said before the clock was set back.
        if end <= now || self.at > now {
            return None;
        }
        let usable = self.remaining.saturating_sub(self.reserve());
        if usable > 0 {
            let left = end.duration_since(now).as_secs_f64();
            return Some(Allowance::Spread(usable as f64 / left));
        }
        let look = match self.reset {
            Some(reset) => reset,
            None => self.at.checked_add(window / LOOKS_A_WINDOW as i32).ok()?,
        };
        (look > now).then_some(Allowance::Until(look))
    }

    /// One request more is under way.
    pub(super) fn spend(&mut self) {
        self.remaining = self.remaining.saturating_sub(1);
    }

    fn reserve(&self) -> u64 {
        self.limit.map_or(1, |limit| limit.div_ceil(RESERVE))
    }
}

/// The number before the first parameter of the first item.
fn first_number(text: &str) -> Option<u64> {
    text.split([';', ',']).next()?.trim().parse().ok()
}

/// The number of a parameter.
fn parameter(item: &str, name: &str) -> Option<u64> {
    item.split([';', ',']).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.trim().parse().ok())?
    })
}

/// When a limit begins anew; at most as far away as any wait is believed.
fn time_of(reset: f64, now: Timestamp) -> Option<Timestamp> {
    let seconds = if reset >= UNIX_TIME {
        reset - now.as_duration().as_secs_f64()
    } else {
        reset
    };
    let seconds = seconds.clamp(0.0, LONGEST.as_secs_f64());
    let wait = SignedDuration::try_from_secs_f64(seconds).ok()?;
    now.checked_add(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW + seconds).unwrap()
    }

    fn said(fields: &[(&'static str, &str)]) -> Option<Quota> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        Quota::of(&headers, at(0))
    }

    #[test]
    fn every_form_is_understood() {
        let spread = |per_second| Some(Allowance::Spread(per_second));
        let until = |seconds| Some(Allowance::Until(at(seconds)));
        type Case<'a> = (
            &'a [(&'static str, &'a str)],
            Option<u64>,
            Option<Allowance>,
        );
        let cases: [Case<'_>; 11] = [
            (
                &[
                    ("ratelimit-limit", "100"),
                    ("ratelimit-remaining", "60"),
                    ("ratelimit-reset", "50"),
                ],
                Some(60),
                spread(1.0),
            ),
            (
                &[
                    ("ratelimit-limit", "100;w=21600"),
                    ("ratelimit-remaining", "10;w=21600"),
                ],
                Some(10),
                until(1080),
            ),
            (
                &[
                    ("x-ratelimit-limit", "180"),
                    ("x-ratelimit-remaining", "18"),
                    ("x-ratelimit-reset", "1700000030"),
                ],
                Some(18),
                until(30),
            ),
            (
                &[
                    ("ratelimit", "\"day\";r=900;t=3600, \"burst\";r=30;t=20"),
                    (
                        "ratelimit-policy",
                        "\"burst\";q=100;w=60,\"day\";q=1000;w=86400",
                    ),
                ],
                Some(30),
                spread(1.0),
            ),
            (&[("ratelimit", "default;r=0;t=7")], Some(0), until(7)),
            (&[("ratelimit-remaining", "31")], Some(31), spread(0.5)),
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "soon")],
                Some(0),
                until(3),
            ),
            (&[("ratelimit-remaining", "many")], None, None),
            (&[("ratelimit-remaining", "-1")], None, None),
            (&[("ratelimit-limit", "100")], None, None),
            (&[], None, None),
        ];
        for (fields, remaining, allowance) in cases {
            let quota = said(fields);
            assert_eq!(quota.map(|quota| quota.remaining), remaining, "{fields:?}");
            let allowed = quota.and_then(|quota| quota.allowance(at(0)));
            assert_eq!(allowed, allowance, "{fields:?}");
        }
    }

    #[test]
    fn a_quota_is_over_when_the_limit_begins_anew() {
        let quota = said(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "50")]).unwrap();
        assert_eq!(quota.allowance(at(49)), Some(Allowance::Until(at(50))));
        assert_eq!(quota.allowance(at(50)), None);
        assert_eq!(quota.allowance(at(-1)), None, "the clock was set back");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_wait_long(
            remaining in "[ -~]{0,24}", limit in "[ -~]{0,24}", reset in "[0-9.e-]{0,12}",
            later in 0i64..100_000,
        ) {
            let quota = said(&[
                ("ratelimit-remaining", &remaining),
                ("ratelimit-limit", &limit),
                ("ratelimit-reset", &reset),
            ]);
            match quota.and_then(|quota| quota.allowance(at(later))) {
                Some(Allowance::Until(until)) => {
                    prop_assert!(until.duration_since(at(0)).unsigned_abs() <= LONGEST);
                }
                Some(Allowance::Spread(rate)) => prop_assert!(rate > 0.0),
                None => {}
            }
        }
    }
}
