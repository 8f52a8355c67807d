//! What references come to, told by the hour: tables, and a slow telling of the definition beside them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::image::{Digest, Tag};

const HOUR: u64 = 3600;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3600).unwrap()
}

fn held(text: &str) -> Held {
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (tag, Some(Digest::of(digest.as_bytes()))),
        None => (text, None),
    };
    Held {
        tag: tag.parse().unwrap(),
        digest,
    }
}

fn number(tag: &Tag) -> u32 {
    tag.as_str().parse().unwrap()
}

fn ranked(work: impl FnOnce(Order<'_>)) {
    work(Order::Ranked(&|a: &Tag, b: &Tag| number(a).cmp(&number(b))));
}

/// `HOUR:REFERENCE`, the oldest first; `-` for references that disagree, `<` before one that is a move back,
/// `?` before one of which nobody knows.
fn tenures(text: &str) -> Tenures {
    let each = text.split_whitespace().map(|word| {
        let (hour, what) = word.split_once(':').unwrap();
        let (turn, what): (fn(Held) -> Turn, &str) = match what.split_at(1) {
            ("<", rest) => (Turn::BackTo, rest),
            ("?", rest) => (|_| Turn::Unknown, rest),
            _ => (|_| Turn::On, what),
        };
        let (runs, turn) = match what {
            "-" => (None, Turn::On),
            _ => (Some(held(what)), turn(held(what))),
        };
        Tenure {
            runs,
            by: By {
                name: "Ada".into(),
                at: at(hour.parse().unwrap()),
                commit: String::new(),
            },
            turn,
            act: None,
        }
    });
    let mut all: Vec<Tenure> = each.collect();
    all.reverse();
    Tenures(all)
}

fn told(order: Order<'_>, text: &str, soak: u64, now: i64) -> String {
    let served = tenures(text).served(order, Duration::from_secs(soak * HOUR), at(now));
    let each = served.iter().map(|served| {
        let outcome = match &served.outcome {
            Outcome::Soaked => "soaked".to_owned(),
            Outcome::Soaking { until } => format!("until {}", until.as_second() / 3600),
            Outcome::Left(by) => format!("left {}", by.at.as_second() / 3600),
            Outcome::Short(ran) => format!("{}h", ran.as_hours()),
        };
        format!("{} {outcome}", served.held.tag)
    });
    each.collect::<Vec<_>>().join(", ")
}

#[test]
fn what_each_reference_came_to() {
    for (text, soak, now, expected) in [
        ("", 24, 100, ""),
        ("0:1", 24, 23, "1 until 24"),
        ("0:1", 24, 24, "1 soaked"),
        ("0:1", 0, 0, "1 soaked"),
        ("0:1 30:2", 24, 40, "2 until 54, 1 soaked"),
        ("0:1 10:2", 24, 40, "2 soaked, 1 10h"),
        ("0:1 10:2", 24, 12, "2 until 34, 1 10h"),
        // Left for something lower, it is not promoted, however long it ran.
        ("0:1 30:2 60:<1", 24, 61, "1 soaked, 2 left 60"),
        (
            "0:1 30:2 60:<1 61:3",
            24,
            90,
            "3 soaked, 1 soaked, 2 left 60",
        ),
        // What is below the one gone back to was left for something newer only.
        (
            "0:1 30:2 60:3 90:<2",
            24,
            91,
            "2 soaked, 3 left 90, 1 soaked",
        ),
        (
            "0:1 30:2 60:3 90:<1",
            24,
            91,
            "1 soaked, 3 left 90, 2 left 90",
        ),
        // Taken again after that, it begins anew.
        ("0:2 30:<1 31:2", 24, 40, "2 until 55, 1 1h"),
        ("0:2 30:<1 31:2", 24, 55, "2 soaked, 1 1h"),
        // Sites that disagree are a break, even where the same comes again.
        ("0:1 10:- 12:1", 24, 30, "1 until 36"),
        ("0:1 10:- 12:1", 18, 30, "1 soaked"),
        ("0:1 30:-", 24, 40, "1 soaked"),
        ("0:1 10:-", 24, 40, "1 10h"),
        // Somebody who writes the same again is no break.
        ("0:1 10:1 20:1", 24, 30, "1 soaked"),
        ("0:1 10:1@a", 24, 30, "1 soaked"),
        // Another digest is another image.
        ("0:1@a 10:1@b", 24, 30, "1 until 34, 1 10h"),
        ("0:1 30:?2", 24, 31, "2 until 54, 1 left 30"),
    ] {
        ranked(|order| assert_eq!(told(order, text, soak, now), expected, "{text}"));
    }
}

#[test]
fn a_digest_that_is_written_later_is_the_one_that_ran() {
    ranked(|order| {
        let served = tenures("0:1@a 10:1").served(order, Duration::ZERO, at(20));
        assert_eq!(served[0].held, held("1@a"));
    });
}

#[test]
fn without_places_only_what_the_service_replaced_counts() {
    for order in [Order::ByTag, Order::ByDigest] {
        assert_eq!(told(order, "0:1@a 30:2@b", 24, 60), "2 soaked, 1 soaked");
        assert_eq!(told(order, "0:1@a 30:?2@b", 24, 60), "2 soaked, 1 left 30");
    }
}

#[test]
fn a_walk_may_end_at_what_others_run_unless_it_was_left() {
    for (text, runs, expected) in [
        ("0:1", 1, true),
        ("0:2", 1, false),
        ("0:1 10:2", 1, true),
        ("0:- 10:2", 1, false),
        ("0:1 10:2 20:<0", 1, true),
        // Nothing older than what was left is known to be lower.
        ("0:1 10:<0 20:2", 1, true),
        ("0:1 10:?2", 1, false),
    ] {
        ranked(|order| {
            let below = |held: &Held| number(&held.tag) <= runs;
            assert_eq!(tenures(text).reach(order, below), expected, "{text}");
        });
    }
}

/// What ran at each hour, told hour by hour from the definition.
fn slowly(all: &[(i64, u32)], soak: i64, now: i64) -> Vec<u32> {
    let runs = |hour: i64| {
        all.iter()
            .rev()
            .find(|(at, _)| *at <= hour)
            .map(|(_, tag)| *tag)
    };
    let mut found: Vec<u32> = Vec::new();
    for begin in 0..=now {
        let Some(tag) = runs(begin) else { continue };
        let without_break = (begin..begin + soak).all(|hour| runs(hour) == Some(tag));
        let long = begin + soak <= now && without_break;
        // From then on nothing lower ever ran.
        let kept = (begin..=now).all(|hour| runs(hour).is_some_and(|later| later >= tag));
        if long && kept {
            found.push(tag);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

proptest! {
    #[test]
    fn it_soaked_if_it_ran_long_enough_and_was_never_left(
        steps in prop::collection::vec((1i64..5, 1u32..6), 1..12),
        soak in 0i64..6,
        rest in 0i64..8,
    ) {
        let mut now = 0;
        let mut all: Vec<(i64, u32)> = Vec::new();
        for (after, tag) in steps {
            now += after;
            all.push((now, tag));
        }
        let words = all.iter().enumerate().map(|(place, (hour, tag))| {
            let back = place > 0 && all[place - 1].1 > *tag;
            format!("{hour}:{}{tag}", if back { "<" } else { "" })
        });
        let words: Vec<String> = words.collect();
        let now = now + rest;
        ranked(|order| {
            let soak_time = Duration::from_secs(soak.unsigned_abs() * HOUR);
            let served = tenures(&words.join(" ")).served(order, soak_time, at(now));
            let soaked = served.iter().filter(|served| served.outcome == Outcome::Soaked);
            let mut soaked: Vec<u32> = soaked.map(|served| number(&served.held.tag)).collect();
            soaked.sort_unstable();
            assert_eq!(soaked, slowly(&all, soak, now), "{words:?}");
        });
    }
}
