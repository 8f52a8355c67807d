//! Windows on real dates of several time zones, and against a clock that is read minute by minute.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

fn window(cron: &str, hours: u64, zone: &str) -> Window {
    Window {
        schedule: cron.parse().unwrap(),
        length: Duration::from_secs(hours * 3600),
        zone: zone.parse().unwrap(),
    }
}

/// What is said of `windows` at `now`, such as `open until …` or `closed until …`.
fn told(windows: &[Window], now: &str) -> String {
    match state(windows, now.parse().unwrap()) {
        State::Open { until } => format!("open until {until}"),
        State::Closed { opens: Some(opens) } => format!("closed until {}", opens.timestamp()),
        State::Closed { opens: None } => "closed".to_owned(),
    }
}

#[test]
fn windows_open_and_close_by_the_clock_of_their_zone() {
    for (cron, hours, zone, now, expected) in [
        // Working hours, in winter and in summer.
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-11-30T08:59:59Z",
            "closed until 2026-11-30T09:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-11-30T08:59:59.999Z",
            "closed until 2026-11-30T09:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-11-30T09:00:00Z",
            "open until 2026-11-30T17:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-11-30T16:59:59.999Z",
            "open until 2026-11-30T17:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-11-30T17:00:00Z",
            "closed until 2026-12-01T09:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Europe/London",
            "2026-07-03T16:00:00Z",
            "closed until 2026-07-06T08:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            8,
            "Asia/Kolkata",
            "2026-07-03T04:00:00Z",
            "open until 2026-07-03T11:30:00Z",
        ),
        // Sunday is 0, 7 and SUN.
        (
            "0 9 * * 0",
            1,
            "UTC",
            "2026-11-28T09:00:00Z",
            "closed until 2026-11-29T09:00:00Z",
        ),
        (
            "0 9 * * 7",
            1,
            "UTC",
            "2026-11-28T09:00:00Z",
            "closed until 2026-11-29T09:00:00Z",
        ),
        (
            "0 9 * * SUN",
            1,
            "UTC",
            "2026-11-28T09:00:00Z",
            "closed until 2026-11-29T09:00:00Z",
        ),
        // A day of the month or of the week.
        (
            "0 9 13 * FRI",
            1,
            "UTC",
            "2026-11-12T09:00:00Z",
            "closed until 2026-11-13T09:00:00Z",
        ),
        (
            "0 9 13 * FRI",
            1,
            "UTC",
            "2026-11-13T10:00:00Z",
            "closed until 2026-11-20T09:00:00Z",
        ),
        // The first Monday, and the last day of a month.
        (
            "0 9 * * MON#1",
            1,
            "UTC",
            "2026-11-30T09:00:00Z",
            "closed until 2026-12-07T09:00:00Z",
        ),
        (
            "0 9 L * *",
            1,
            "UTC",
            "2028-02-10T09:00:00Z",
            "closed until 2028-02-29T09:00:00Z",
        ),
        // Over midnight, and over the end of a year.
        (
            "0 22 * * FRI",
            8,
            "America/New_York",
            "2026-12-05T10:59:00Z",
            "open until 2026-12-05T11:00:00Z",
        ),
        (
            "0 23 31 12 *",
            4,
            "Pacific/Auckland",
            "2026-12-31T12:00:00Z",
            "open until 2026-12-31T14:00:00Z",
        ),
        // A leap day comes every four years.
        (
            "0 9 29 2 *",
            24,
            "UTC",
            "2026-03-01T00:00:00Z",
            "closed until 2028-02-29T09:00:00Z",
        ),
        (
            "0 9 29 2 *",
            24,
            "UTC",
            "2028-03-01T08:00:00Z",
            "open until 2028-03-01T09:00:00Z",
        ),
        // Clocks go forward within the window: it closes an hour later by the wall.
        (
            "0 22 * * SAT",
            8,
            "Europe/Berlin",
            "2026-03-29T03:59:00Z",
            "open until 2026-03-29T05:00:00Z",
        ),
        (
            "0 22 * * SAT",
            8,
            "Europe/Berlin",
            "2026-03-22T03:59:00Z",
            "open until 2026-03-22T05:00:00Z",
        ),
        // And back: an hour earlier.
        (
            "0 22 * * SAT",
            8,
            "Europe/Berlin",
            "2026-10-25T03:59:00Z",
            "open until 2026-10-25T04:00:00Z",
        ),
        // A time that is left out opens the window after the gap.
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-03-29T00:59:59Z",
            "closed until 2026-03-29T01:00:00Z",
        ),
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-03-29T01:30:00Z",
            "open until 2026-03-29T02:00:00Z",
        ),
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-03-29T02:00:00Z",
            "closed until 2026-04-05T00:30:00Z",
        ),
        (
            "0 0 * * *",
            1,
            "America/Santiago",
            "2026-09-06T03:30:00Z",
            "closed until 2026-09-06T04:00:00Z",
        ),
        // Half an hour, where clocks change by that.
        (
            "15 2 * * *",
            1,
            "Australia/Lord_Howe",
            "2026-10-03T15:29:00Z",
            "closed until 2026-10-03T15:30:00Z",
        ),
        // A time that comes twice opens it the first time only.
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-10-25T00:29:00Z",
            "closed until 2026-10-25T00:30:00Z",
        ),
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            "open until 2026-10-25T01:30:00Z",
        ),
        (
            "30 2 * * SUN",
            1,
            "Europe/Berlin",
            "2026-10-25T01:30:00Z",
            "closed until 2026-11-01T01:30:00Z",
        ),
        (
            "30 1 * * *",
            1,
            "America/New_York",
            "2026-11-01T06:30:00Z",
            "closed until 2026-11-02T06:30:00Z",
        ),
        // Longer than its period: open without a break.
        (
            "0 9 * * MON-FRI",
            24,
            "UTC",
            "2026-11-23T10:00:00Z",
            "open until 2026-11-28T09:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            30,
            "UTC",
            "2026-11-23T10:00:00Z",
            "open until 2026-11-28T15:00:00Z",
        ),
        (
            "0 9 * * MON-FRI",
            24,
            "UTC",
            "2026-11-28T09:00:00Z",
            "closed until 2026-11-30T09:00:00Z",
        ),
        (
            "0 * * * *",
            1,
            "UTC",
            "2026-11-23T10:20:00Z",
            "open until 2026-12-01T19:00:00Z",
        ),
    ] {
        let windows = [window(cron, hours, zone)];
        assert_eq!(
            told(&windows, now),
            expected,
            "{cron} for {hours} h in {zone} at {now}"
        );
    }
}

#[test]
fn any_open_window_will_do() {
    let both = [
        window("0 9 * * *", 4, "UTC"),
        window("0 12 * * *", 4, "UTC"),
        window("0 3 * * *", 1, "Asia/Tokyo"),
    ];
    for (now, expected) in [
        ("2026-11-23T08:00:00Z", "closed until 2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00Z", "open until 2026-11-23T16:00:00Z"),
        ("2026-11-23T13:00:00Z", "open until 2026-11-23T16:00:00Z"),
        ("2026-11-23T16:00:00Z", "closed until 2026-11-23T18:00:00Z"),
        ("2026-11-23T18:30:00Z", "open until 2026-11-23T19:00:00Z"),
    ] {
        assert_eq!(told(&both, now), expected, "{now}");
    }
    let swapped: Vec<Window> = both.iter().rev().cloned().collect();
    assert_eq!(
        told(&swapped, "2026-11-23T09:00:00Z"),
        "open until 2026-11-23T16:00:00Z"
    );
    let state = state(&[], Timestamp::UNIX_EPOCH);
    assert_eq!(state.changes_at(), Some(Timestamp::MAX));
}

#[test]
fn times_that_nobody_lives_in_are_no_trouble() {
    let windows = [window("0 9 29 2 *", 1, "Europe/London")];
    for now in [Timestamp::MIN, Timestamp::MAX] {
        assert!(
            matches!(state(&windows, now), State::Closed { .. }),
            "{now}"
        );
    }
}

#[test]
fn what_is_no_schedule_or_zone_is_told() {
    for (text, expected) in [
        ("", "a schedule has five fields, and `` has 0"),
        ("@daily", "a schedule has five fields, and `@daily` has 1"),
        (
            "0 0 9 * * MON",
            "a schedule has five fields, and `0 0 9 * * MON` has 6",
        ),
        ("0 9 30 2 *", "`0 9 30 2 *` never comes"),
        ("0 9 31 4,6,9,11 *", "`0 9 31 4,6,9,11 *` never comes"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    for text in [
        "0 24 * * *",
        "60 9 * * *",
        "0 9 * * MONDAY",
        "5/15 * * * *",
        "0 9 é * *",
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert!(matches!(error, Error::Schedule { .. }), "{text}: {error}");
        assert!(error.hint().contains("0 9 * * MON-FRI"));
    }
    for (text, hint) in [
        ("Europe/Londn", "did you mean `Europe/London`?"),
        (
            "+02:00",
            "write a name of the IANA database, such as `Europe/London` or `UTC`",
        ),
    ] {
        let error = text.parse::<Zone>().unwrap_err();
        assert_eq!(
            (error.to_string(), error.hint()),
            (format!("`{text}` is no time zone"), hint.to_owned())
        );
    }
}

/// A schedule as sets of numbers, from which both its text and the times are made.
#[derive(Debug, Clone)]
struct Sets {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    weekdays: Vec<i8>,
}

impl Sets {
    fn text(&self) -> String {
        let list = |numbers: &[i8]| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            numbers.join(",")
        };
        let (minutes, hours) = (list(&self.minutes), list(&self.hours));
        format!("{minutes} {hours} * * {}", list(&self.weekdays))
    }

    fn has(&self, time: DateTime) -> bool {
        self.minutes.contains(&time.minute())
            && self.hours.contains(&time.hour())
            && self
                .weekdays
                .contains(&time.weekday().to_sunday_zero_offset())
    }

    /// Whether the window opens at the whole minute `now`, by the rules of the module.
    fn opens(&self, now: &Zoned) -> bool {
        let fixed = self.minutes.len() == 1 && self.hours.len() == 1;
        let before = now - 1.minute();
        let jump = now.datetime() - before.datetime();
        let jump = jump.total((jiff::Unit::Minute, now)).unwrap() as i64;
        // The minutes that the clock left out just now.
        let left_out = (1..jump).any(|by| self.has(before.datetime() + by.minutes()));
        let second = now
            .time_zone()
            .to_ambiguous_zoned(now.datetime())
            .earlier()
            .is_ok_and(|first| first.timestamp() < now.timestamp());
        match fixed {
            true => left_out || self.has(now.datetime()) && !second,
            false => self.has(now.datetime()),
        }
    }
}

fn sets() -> impl Strategy<Value = Sets> {
    let few = |range: std::ops::Range<i8>, most| {
        prop::collection::btree_set(range, 1..=most)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
    };
    let hours = prop_oneof![few(0..4, 1), few(0..24, 1), few(0..24, 4)];
    let minutes = prop_oneof![few(0..60, 1), few(0..60, 3)];
    (minutes, hours, few(0..7, 5)).prop_map(|(minutes, hours, weekdays)| Sets {
        minutes,
        hours,
        weekdays,
    })
}

/// The first days of weeks: those in which clocks change, and others.
fn weeks() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("Europe/London", "2026-03-26"),
        ("Europe/London", "2026-10-22"),
        ("America/New_York", "2027-03-12"),
        ("America/New_York", "2027-10-30"),
        ("Australia/Lord_Howe", "2026-10-01"),
        ("Australia/Lord_Howe", "2027-04-01"),
        ("America/Santiago", "2026-09-03"),
        ("America/Santiago", "2027-04-01"),
        ("Antarctica/Troll", "2027-03-26"),
        ("Asia/Kolkata", "2026-12-29"),
        ("UTC", "2028-02-26"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Over a week, the state is what a clock read minute by minute gives, and it changes exactly when it
    /// was told to.
    #[test]
    fn the_state_is_that_of_a_clock(sets in sets(), minutes in 1_u64..3000, (zone, day) in weeks()) {
        let window = Window {
            schedule: sets.text().parse().unwrap(),
            length: Duration::from_secs(minutes * 60),
            zone: zone.parse().unwrap(),
        };
        let first: Zoned = format!("{day}T00:00[{zone}]").parse().unwrap();
        let mut open_until = Timestamp::MIN;
        // What was open before the week is known once the longest window has passed.
        let lead = i64::try_from(minutes).unwrap();
        let mut now = &first - lead.minutes();
        let mut told: Option<(bool, Timestamp)> = None;
        while now < &first + 7.days() {
            let at = now.timestamp();
            if sets.opens(&now) {
                open_until = open_until.max(at + Duration::from_secs(minutes * 60));
            }
            if now >= first {
                let open = at < open_until;
                if let Some((was, until)) = told
                    && at < until
                {
                    prop_assert_eq!(open, was, "{} {} at {}", sets.text(), zone, at);
                } else {
                    let state = state(std::slice::from_ref(&window), at);
                    let is_open = matches!(state, State::Open { .. });
                    prop_assert_eq!(is_open, open, "{} {} at {}", sets.text(), zone, at);
                    if let Some((was, until)) = told {
                        prop_assert_eq!(at, until);
                        prop_assert_ne!(was, open, "{} {} at {}", sets.text(), zone, at);
                    }
                    told = Some((open, state.changes_at().unwrap()));
                }
            }
            now = &now + 1.minute();
        }
    }

    /// Whatever is written, it is understood or refused.
    #[test]
    fn no_text_is_trouble(text in "[0-9*,/LW#A-Za-z+ ?@-]{0,24}", zone in "\\PC{0,20}") {
        if let Ok(schedule) = text.parse::<Schedule>() {
            let window = Window {
                schedule,
                length: Duration::from_secs(60),
                zone: "Europe/London".parse().unwrap(),
            };
            let now = "2026-11-23T09:00:00Z".parse().unwrap();
            prop_assert!(state(&[window], now).changes_at().is_some());
        }
        let _ = zone.parse::<Zone>().map_err(|error| error.to_string());
    }
}
