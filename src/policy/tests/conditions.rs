//! Platforms, ages and rests of candidates.

use std::time::Duration;

use super::*;

const HOUR: i64 = 3600;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * HOUR).unwrap()
}

fn hours(hours: u64) -> Option<Span> {
    Some(Span(Duration::from_secs(hours * 3600)))
}

/// A manifest that was first seen at this hour.
fn seen(hour: i64) -> Found {
    Found {
        first_seen: Some(at(hour)),
        ..Found::from(Digest::of(b""))
    }
}

fn pushed(mut found: Found, pushed: Datum<i64>) -> Found {
    found.times.pushed = match pushed {
        Datum::Unasked => Datum::Unasked,
        Datum::Absent => Datum::Absent,
        Datum::Known(hour) => Datum::Known(Time {
            at: at(hour),
            source: TimeSource::Registry,
        }),
    };
    found
}

/// What is chosen of 1.1.0, found as `new`, and 1.0.5, which is old and has everything; 1.0.0 runs,
/// and it is the hundredth hour.
fn select_with(conditions: Conditions, new: Found) -> Selection {
    let linux = |architecture: &str| (Platform::new("linux", architecture, ""), Digest::of(b"p"));
    let old = Found {
        platforms: Datum::Known([linux("amd64"), linux("arm64")].into()),
        ..pushed(seen(0), Datum::Known(0))
    };
    let facts = [("1.1.0", new), ("1.0.5", old)]
        .map(|(name, found)| (tag(name), ManifestFact::Found(found)))
        .into();
    let policy = Policy {
        conditions,
        ..semver("*")
    };
    let (listed, current) = (tags("1.0.0 1.0.5 1.1.0"), tag("1.0.0"));
    let evidence = Evidence::new(&listed, Current::Tag(&current), at(100));
    select(&policy, &evidence.with_manifests(&facts))
}

fn why(selection: &Selection) -> String {
    let verdict = selection.verdicts.iter().find(|v| v.tag == tag("1.1.0"));
    verdict.unwrap().reason.to_string()
}

#[test]
fn all_platforms_must_be_there() {
    let with = |list: &[&str]| Conditions {
        platforms: list.iter().map(|text| text.parse().unwrap()).collect(),
        ..Conditions::default()
    };
    let new = |platforms: &[&str]| Found {
        platforms: Datum::Known(
            platforms
                .iter()
                .map(|text| (text.parse().unwrap(), Digest::of(b"p")))
                .collect(),
        ),
        ..seen(0)
    };
    let both = ["linux/amd64", "linux/arm64"];
    for (wanted, found, expected) in [
        (&[][..], new(&[]), "1.1.0"),
        (&both, new(&both), "1.1.0"),
        (&both, new(&["linux/amd64", "linux/arm64/v8"]), "1.1.0"),
        (&both[..1], new(&both), "1.1.0"),
        (&both, new(&both[..1]), "1.0.5"),
        (&both, new(&[]), "1.0.5"),
        (&both, seen(0), "needs 1.1.0"),
        (&["windows/amd64"], new(&both), "needs nothing"),
        (
            &both,
            Found {
                platforms: Datum::Absent,
                ..seen(0)
            },
            "1.0.5",
        ),
    ] {
        let selection = select_with(with(wanted), found);
        let told = match told(&selection) {
            // 1.0.5 lacks it too.
            told if told == "stay 1.0.0" => "needs nothing".to_owned(),
            told => told,
        };
        assert_eq!(told, expected, "{wanted:?}");
        if let Outcome::Needs(needs) = &selection.outcome {
            assert_eq!(needs.of_tags, [Want::Platforms]);
        }
    }
    assert_eq!(
        why(&select_with(with(&both), new(&both[..1]))),
        "is not there for linux/arm64; push it for that, or change `platforms`"
    );
}

#[test]
fn a_tag_must_be_old_enough() {
    use Datum::{Absent, Known, Unasked};
    use OnMissingTime::{Allow, FirstSeen, Hold};
    let by_git = |first_seen, taken| Found {
        taken,
        ..pushed(seen(first_seen), Absent)
    };
    let taken = |hour: i64| by_git(99, Taken::At(at(hour)));
    for (missing, found, expected, recheck) in [
        (FirstSeen, pushed(seen(0), Known(76)), "1.1.0", None),
        (FirstSeen, pushed(seen(0), Known(77)), "1.0.5", Some(101)),
        (FirstSeen, pushed(seen(0), Known(200)), "1.0.5", Some(224)),
        (FirstSeen, pushed(seen(0), Unasked), "needs 1.1.0", None),
        (FirstSeen, pushed(seen(76), Absent), "1.1.0", None),
        (FirstSeen, pushed(seen(77), Absent), "1.0.5", Some(101)),
        (
            FirstSeen,
            pushed(Found::from(Digest::of(b"")), Absent),
            "1.0.5",
            Some(124),
        ),
        (FirstSeen, taken(50), "1.1.0", None),
        (FirstSeen, taken(90), "1.0.5", Some(114)),
        // It was there when it was seen, before a stage took it.
        (FirstSeen, by_git(50, Taken::At(at(99))), "1.1.0", None),
        (FirstSeen, by_git(90, Taken::At(at(99))), "1.0.5", Some(114)),
        // The history is asked only where that could make it older.
        (FirstSeen, by_git(76, Taken::Unasked), "1.1.0", None),
        (FirstSeen, by_git(77, Taken::Unasked), "needs 1.1.0", None),
        (FirstSeen, by_git(77, Taken::Never), "1.0.5", Some(101)),
        (Hold, by_git(0, Taken::Unasked), "needs 1.1.0", None),
        (Hold, by_git(0, Taken::Never), "1.0.5", None),
        (Allow, by_git(99, Taken::Unasked), "needs 1.1.0", None),
        (Allow, by_git(99, Taken::Never), "1.1.0", None),
        (Allow, taken(90), "1.0.5", Some(114)),
        (Hold, pushed(seen(0), Absent), "1.0.5", None),
        (Hold, taken(50), "1.1.0", None),
        (Hold, pushed(seen(0), Known(0)), "1.1.0", None),
        (Allow, pushed(seen(99), Absent), "1.1.0", None),
        (Allow, pushed(seen(0), Known(99)), "1.0.5", Some(123)),
    ] {
        let conditions = Conditions {
            minimum_age: hours(24),
            on_missing_time: missing,
            ..Conditions::default()
        };
        let selection = select_with(conditions, found.clone());
        assert_eq!(told(&selection), expected, "{missing:?} {found:?}");
        assert_eq!(selection.recheck, recheck.map(at), "{missing:?} {found:?}");
    }
    let conditions = Conditions {
        minimum_age: hours(24),
        ..Conditions::default()
    };
    for (taken, words) in [
        (Taken::Never, "when it was first seen"),
        (
            Taken::NotConsulted,
            "when it was first seen; the branch's history is not read here",
        ),
        (Taken::At(at(77)), "when a stage took it"),
    ] {
        let selection = select_with(conditions.clone(), by_git(77, taken));
        let wanted = format!(
            "is too young: its age counts from 1970-01-04T05:00:00Z ({words}), and \
             `minimumAge` is over at 1970-01-05T05:00:00Z"
        );
        assert_eq!(why(&selection), wanted);
    }
}

#[test]
fn a_tag_must_have_rested_with_its_digest() {
    for (found, expected, recheck) in [
        (seen(98), "1.1.0", None),
        (seen(99), "1.0.5", Some(101)),
        (seen(100), "1.0.5", Some(102)),
        (Found::from(Digest::of(b"")), "1.0.5", Some(102)),
        (pushed(seen(99), Datum::Known(0)), "1.0.5", Some(101)),
    ] {
        let conditions = Conditions {
            settle: hours(2),
            ..Conditions::default()
        };
        let selection = select_with(conditions, found);
        assert_eq!(told(&selection), expected);
        assert_eq!(selection.recheck, recheck.map(at));
    }
}

#[test]
fn endless_waits_end_nowhere() {
    let conditions = Conditions {
        settle: Some(Span(Duration::MAX)),
        ..Conditions::default()
    };
    let selection = select_with(conditions, seen(0));
    assert_eq!(told(&selection), "stay 1.0.0");
    assert_eq!(selection.recheck, Some(Timestamp::MAX));
}

#[test]
fn without_a_registry_conditions_count_as_met() {
    let policy = Policy {
        conditions: Conditions {
            minimum_age: hours(24),
            settle: hours(24),
            platforms: vec!["linux/amd64".parse().unwrap()],
            ..Conditions::default()
        },
        ..semver("*")
    };
    assert_eq!(told(&choose(&policy, "1.0.0 1.1.0", "1.0.0")), "1.1.0");
}

#[test]
fn a_followed_tag_waits_where_it_is() {
    let policy = Policy {
        order: Order::Digest(tag("main")),
        conditions: Conditions {
            settle: hours(2),
            ..Conditions::default()
        },
        ..Policy::default()
    };
    let (listed, main, running) = (tags("main"), tag("main"), Digest::of(b"old"));
    let current = Current::Pinned(&main, &running);
    let absent = |hour| Found {
        platforms: Datum::Absent,
        ..seen(hour)
    };
    for (hour, expected) in [(99, "waiting main"), (98, "main")] {
        let facts = [(main.clone(), ManifestFact::Found(absent(hour)))].into();
        let evidence = Evidence {
            running: Datum::Absent,
            ..Evidence::new(&listed, current, at(100))
        };
        let selection = select(&policy, &evidence.with_manifests(&facts));
        assert_eq!(told(&selection), expected);
        if let Outcome::Nothing(waiting) = selection.outcome {
            assert_eq!(
                waiting.to_string(),
                "`main` has had its digest since 1970-01-05T03:00:00Z only, and `settle` is over at \
                 1970-01-05T05:00:00Z"
            );
        }
    }
}

#[test]
fn a_tag_that_the_list_shows_to_be_too_young_is_not_read() {
    let policy = Policy {
        conditions: Conditions {
            minimum_age: hours(10),
            ..Conditions::default()
        },
        ..semver("*")
    };
    let (listed, current) = (tags("1.0.0 1.1.0 1.2.0"), tag("1.0.0"));
    let pushed_at = |hour| Times {
        pushed: Datum::Known(Time {
            at: at(hour),
            source: TimeSource::Registry,
        }),
        created: Datum::Unasked,
    };
    for (hours, expected) in [
        ((95, 50), "needs 1.1.0"),
        ((95, 99), "stay 1.0.0"),
        ((90, 50), "needs 1.2.0"),
    ] {
        let times = [("1.2.0", hours.0), ("1.1.0", hours.1)];
        let times = times.map(|(name, hour)| (tag(name), pushed_at(hour)));
        let (times, nothing) = (times.into(), BTreeMap::new());
        let evidence = Evidence::new(&listed, Current::Tag(&current), at(100))
            .with_times(&times)
            .with_manifests(&nothing);
        let selection = select(&policy, &evidence);
        assert_eq!(told(&selection), expected, "{hours:?}");
        let first = (hours.0 > 90).then(|| at(105));
        assert_eq!(selection.recheck, first, "{hours:?}");
    }
}
