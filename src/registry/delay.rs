//! How long a registry wants to be left alone.
//!
//! Invariant: pure, and at most [`LONGEST`], whatever the registry says.
//!
//! Forms: `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), `X-Retry-After` as Unix time
//! (Docker Hub's API reference, "Rate limiting"), and a Go duration in the words of GitHub's registry
//! (`retry-after: 880.092µs`).

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest wait believed: the period of Docker Hub's pull limit, the longest one known.
pub(super) const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// From here on a number is a Unix time rather than a count of seconds (September 2001).
pub(super) const UNIX_TIME: f64 = 1e9;

/// The wait that a reply asks for, `now` being the time that dates are compared with.
pub(super) fn asked(headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Duration> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    header(RETRY_AFTER.as_str())
        .and_then(|value| wait(value, now))
        .or_else(|| header("x-retry-after").and_then(|value| wait(value, now)))
        .or_else(|| in_words(&String::from_utf8_lossy(body)))
        .map(|wait| wait.min(LONGEST))
}

fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Some(number) = value.parse::<f64>().ok().filter(|number| !number.is_nan()) {
        let seconds = if number >= UNIX_TIME {
            number - now.as_duration().as_secs_f64()
        } else {
            number
        };
        return Some(seconds_of(seconds));
    }
    date(value)
        .map(|date| seconds_of(date.duration_since(now).as_secs_f64()))
        .or_else(|| go_duration(value))
}

/// A date in one of the three forms that RFC 9110 section 5.6.7 makes recipients accept.
pub(super) fn date(value: &str) -> Option<Timestamp> {
    let preferred = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value);
    preferred.ok().or_else(|| {
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| DateTime::strptime(form, value).ok())
            .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map(|time| time.timestamp())
    })
}

/// The duration after `retry-after:` in an error's text.
fn in_words(text: &str) -> Option<Duration> {
    const LABEL: &str = "retry-after:";
    let lower = text.to_ascii_lowercase();
    let at = lower.find(LABEL)? + LABEL.len();
    let words = text[at..].trim_start();
    let end = words
        .find(|c: char| !(c.is_alphanumeric() || c == '.'))
        .unwrap_or(words.len());
    go_duration(&words[..end])
}

/// A duration as Go prints it: `880.092µs`, `1m30.5s`, `2h0m0s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "µs" | "μs" | "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    (!text.is_empty()).then(|| seconds_of(seconds))
}

/// Never negative, never more than is believed.
fn seconds_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1994-11-06T08:49:37Z, the moment of the RFC's examples.
    fn now() -> Timestamp {
        Timestamp::from_second(784_111_777).unwrap()
    }

    fn asked_by(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        asked(&headers, b"", now())
    }

    #[test]
    fn every_form_of_the_header_is_read() {
        for (value, wanted) in [
            ("7", Some(Duration::from_secs(7))),
            ("0", Some(Duration::ZERO)),
            ("-5", Some(Duration::ZERO)),
            ("1.5", Some(Duration::from_millis(1500))),
            (
                "Sun, 06 Nov 1994 08:50:37 GMT",
                Some(Duration::from_secs(60)),
            ),
            (
                "Sunday, 06-Nov-94 08:50:37 GMT",
                Some(Duration::from_secs(60)),
            ),
            ("Sun Nov  6 08:50:37 1994", Some(Duration::from_secs(60))),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Duration::ZERO)),
            ("1m30s", Some(Duration::from_secs(90))),
            ("999999999", Some(LONGEST)),
            ("1e300", Some(LONGEST)),
            ("inf", Some(LONGEST)),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(asked_by("retry-after", value), wanted, "{value}");
        }
    }

    #[test]
    fn unix_times_count_from_now() {
        let later = Timestamp::from_second(1_700_000_000).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-retry-after", "1700000030".parse().unwrap());
        assert_eq!(asked(&headers, b"", later), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_go_duration_in_the_words_is_read() {
        let said = |body: &str| asked(&HeaderMap::new(), body.as_bytes(), now());
        let message = "toomanyrequests: Retry-After: 880.092µs, allowed: 44000/minute";
        assert_eq!(said(message), Some(Duration::from_nanos(880_092)));
        assert_eq!(said("retry-after: 2h"), Some(Duration::from_secs(7200)));
        for other in [
            "",
            "retry-after: ",
            "retry-after: soon",
            "retry-after: 5",
            "retry-after: .s",
        ] {
            assert_eq!(said(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_wait_long(value in "[ -~]{0,40}", body in "retry-after: .{0,20}") {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            let wait = asked(&headers, body.as_bytes(), now());
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
        }
    }
}
