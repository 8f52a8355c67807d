//! Durations such as `90s`, `2h` and `7d`.
//!
//! Invariant: a duration has one unit, so it reads back as it was written, and its range is checked
//! where it is read, with the range in the message.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::read::{Scalar, shorten};
use super::report::Mistake;
use crate::policy::Span;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Shortest interval between two looks at one thing: less is a burden to the other side, and webhooks
/// are there for haste.
const SHORTEST: u64 = 1;

/// Longest interval: a service that looks less than once a week looks broken.
const LONGEST: u64 = 7 * DAY;

/// Longest wait of a tag: who wants to wait for longer than a year wants a person to decide.
const LONGEST_WAIT: u64 = 366 * DAY;

/// How often something is looked at: 1 second to 7 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl Interval {
    /// How often Git is fetched where nothing is said.
    pub const REPOSITORY: Self = Self(Duration::from_secs(MINUTE));

    /// How often a registry is asked where nothing is said: requests to registries are counted
    /// against quotas, so less often than Git.
    pub const REGISTRY: Self = Self(Duration::from_secs(5 * MINUTE));
}

impl Scalar for Interval {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        if (SHORTEST..=LONGEST).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("an interval is at least 1s and at most 7d"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

impl Scalar for Span {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        if (SHORTEST..=LONGEST_WAIT).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("a tag waits for at least 1s and at most 366d"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

/// How long changes are gathered for one push: 1 second to 1 hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub Duration);

impl Scalar for Window {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        if (SHORTEST..=HOUR).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("a window is at least 1s and at most 1h"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smh]$"})
    }
}

/// How long a gate may take to answer: 1 second to 1 minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateTimeout(pub Duration);

impl GateTimeout {
    /// Where nothing is said: a gate that asks a metrics store takes a few seconds.
    pub const USUAL: Self = Self(Duration::from_secs(10));
}

impl Scalar for GateTimeout {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        if (SHORTEST..=MINUTE).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("the timeout of a gate is at least 1s and at most 1m"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[sm]$"})
    }
}

/// For how long the answer of a gate counts: 1 second to 1 day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateInterval(pub Duration);

impl GateInterval {
    /// Where nothing is said: as often as Git is fetched.
    pub const USUAL: Self = Self(Duration::from_secs(MINUTE));
}

impl Scalar for GateInterval {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        if (SHORTEST..=DAY).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("the interval of a gate is at least 1s and at most 1d"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

/// How long changes may be made once a window opens: 1 minute to 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFor(pub Duration);

impl Scalar for OpenFor {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        // A pass takes a while; in less than a minute it might come too late.
        if (MINUTE..=LONGEST_WAIT).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("a window is open for at least 1m and at most 366d"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

/// How long an approval counts: 1 minute to 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasting(pub Duration);

impl Scalar for Lasting {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let seconds = parse(text)?;
        // In less than a minute no pass might have seen it.
        if (MINUTE..=LONGEST_WAIT).contains(&seconds) {
            return Ok(Self(Duration::from_secs(seconds)));
        }
        let message = format!("`{text}` is out of range");
        Err(Mistake::new(message).hint("an approval counts for at least 1m and at most 366d"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

/// A duration that is written as such, of any length; `None` if it isn't.
pub fn duration(text: &str) -> Option<Duration> {
    seconds(text).map(Duration::from_secs)
}

fn parse(text: &str) -> Result<u64, Mistake> {
    seconds(text).ok_or_else(|| {
        Mistake::new(format!("`{}` is not a duration", shorten(text)))
            .hint("write a whole number and a unit, such as 90s, 5m, 2h or 7d")
    })
}

/// The seconds of a whole number and one unit; too many to count are as many as can be counted.
fn seconds(text: &str) -> Option<u64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => MINUTE,
        b'h' => HOUR,
        b'd' => DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u64>().unwrap_or(u64::MAX);
    Some(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit_and_a_range() {
        for (text, seconds) in [
            ("1s", Some(1)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("2h", Some(7200)),
            ("7d", Some(604_800)),
            ("0001s", Some(1)),
            ("0s", None),
            ("8d", None),
            ("99999999999999999999d", None),
            ("", None),
            ("s", None),
            ("1", None),
            ("1.5h", None),
            ("-5m", None),
            ("+5m", None),
            ("1h30m", None),
            ("5 m", None),
            ("5M", None),
            ("5é", None),
        ] {
            let parsed = Interval::parse(text).ok();
            assert_eq!(
                parsed.map(|interval| interval.0.as_secs()),
                seconds,
                "{text}"
            );
        }
    }

    #[test]
    fn a_tag_waits_for_up_to_a_year() {
        let seconds = |text: &str| Span::parse(text).map(|span| span.0.as_secs());
        assert_eq!(seconds("30d"), Ok(30 * DAY));
        let error = seconds("367d").unwrap_err();
        assert!(error.hint.unwrap().contains("366d"));
    }

    #[test]
    fn the_message_tells_form_from_range() {
        let form = Interval::parse("soon").unwrap_err();
        assert_eq!(form.message, "`soon` is not a duration");
        let range = Interval::parse("0s").unwrap_err();
        assert_eq!(range.message, "`0s` is out of range");
        assert!(range.hint.unwrap().contains("at least 1s"));
    }
}
