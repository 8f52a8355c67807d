//! The pace, without waiting for it: times are values.

use super::*;

/// 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = reqwest::header::HeaderName::from_static(name);
        (name, value.parse().unwrap())
    });
    pairs.collect()
}

/// A status, headers and words, and how many seconds they ask for.
type Refusal<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, Option<i64>);

#[test]
fn refusals_say_until_when() {
    let reset = &(NOW + 90).to_string();
    let slow = "You have exceeded a secondary rate limit.";
    let table: &[Refusal<'_>] = &[
        (429, &[("retry-after", "7")], "", Some(7)),
        (
            429,
            &[
                ("retry-after", "Fri, 02 Jan 2026 03:05:05 GMT"),
                ("date", "Fri, 02 Jan 2026 03:04:35 GMT"),
            ],
            "",
            Some(30),
        ),
        (429, &[], "", Some(60)),
        (429, &[("retry-after", "soon")], "", Some(60)),
        (429, &[("retry-after", "4000000000")], "", Some(7200)),
        (
            429,
            &[("ratelimit-remaining", "0"), ("ratelimit-reset", reset)],
            "",
            Some(90),
        ),
        (
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
            "API rate limit exceeded",
            Some(90),
        ),
        (403, &[("retry-after", "9")], "", Some(9)),
        (403, &[], slow, Some(60)),
        (403, &[], "Resource not accessible by integration", None),
        (503, &[("retry-after", "5")], "", Some(5)),
        (503, &[], "", None),
        (500, &[], "", None),
        (
            200,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
            "",
            None,
        ),
    ];
    for (status, pairs, words, wanted) in table {
        let pace = Pace::new(Rules::GITHUB);
        let until = pace.learn(*status, &headers(pairs), words, at(NOW));
        assert_eq!(
            until,
            wanted.map(|wait| at(NOW + wait)),
            "{status} {pairs:?}"
        );
    }
}

#[test]
fn nothing_is_sent_until_then() {
    let pace = Pace::new(Rules::GITHUB);
    let start = Instant::now();
    pace.learn(429, &headers(&[("retry-after", "10")]), "", at(NOW));
    // A shorter wish does not shorten the longer one.
    pace.learn(429, &headers(&[("retry-after", "1")]), "", at(NOW));
    assert_eq!(
        pace.reserve(Effort::Read, at(NOW + 9), start),
        Err(at(NOW + 10))
    );
    assert!(pace.reserve(Effort::Read, at(NOW + 10), start).is_ok());
}

#[test]
fn the_last_of_a_quota_closes_the_gate_before_a_refusal() {
    let pace = Pace::new(Rules::GITHUB);
    let reset = (NOW + 30).to_string();
    let spent = headers(&[
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", &reset),
    ]);
    assert_eq!(pace.learn(200, &spent, "", at(NOW)), None);
    let refused = pace.reserve(Effort::Read, at(NOW), Instant::now());
    assert_eq!(refused, Err(at(NOW + 30)));
}

#[test]
fn a_gate_does_not_outlive_a_clock_that_goes_back() {
    let pace = Pace::new(Rules::GITHUB);
    pace.learn(429, &headers(&[("retry-after", "10")]), "", at(NOW));
    assert!(
        pace.reserve(Effort::Read, at(NOW - 86_400), Instant::now())
            .is_ok()
    );
}

#[test]
fn waits_without_a_time_double_up_to_a_bound() {
    let pace = Pace::new(Rules::GITHUB);
    let wait = |status| {
        let until = pace.learn(status, &HeaderMap::new(), "", at(NOW));
        until.map(|until| until.as_second() - NOW)
    };
    let waits: Vec<_> = (0..8).filter_map(|_| wait(429)).collect();
    assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 1920, 1920]);
    assert_eq!(wait(200), None);
    assert_eq!(wait(429), Some(60));
}

#[test]
fn what_changes_something_is_spaced() {
    let pace = Pace::new(Rules::GITHUB);
    let start = Instant::now();
    let after = |effort, millis| {
        let slot = pace.reserve(effort, at(NOW), start + Duration::from_millis(millis));
        (slot.unwrap() - start).as_millis()
    };
    assert_eq!(after(Effort::Create, 0), 0);
    assert_eq!(after(Effort::Write, 0), 1000);
    assert_eq!(after(Effort::Create, 100), 2000);
    assert_eq!(after(Effort::Read, 100), 100);
    assert_eq!(after(Effort::Write, 9000), 9000);
}

#[test]
fn no_more_is_made_in_an_hour_than_is_allowed() {
    let pace = Pace::new(Rules {
        created: Some(3),
        ..Rules::OTHERS
    });
    let start = Instant::now();
    for n in 0..3 {
        pace.reserve(Effort::Create, at(NOW + n), start).unwrap();
    }
    let late = at(NOW + 1000);
    let refused = pace.reserve(Effort::Create, late, start);
    assert_eq!(refused, Err(at(NOW + 3600)));
    assert!(pace.reserve(Effort::Write, late, start).is_ok());
    assert!(pace.reserve(Effort::Create, at(NOW + 3600), start).is_ok());
}

#[test]
fn one_host_with_one_credential_has_one_pace() {
    let paces = Paces::default();
    let [one, same, other] = ["a", "a", "b"].map(|place| paces.clone().of(place, Rules::OTHERS));
    assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
}
