//! Times of tags.

use super::*;

fn newest(_: &str) -> Policy {
    of(Order::Newest(TimeOf::Pushed))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Words such as `a=5`: the tag and the second of its push; `a=` has none, `a` was not asked for.
fn timed(list: &str) -> (Vec<Tag>, BTreeMap<Tag, Times>) {
    let mut times = BTreeMap::new();
    let mut listed = Vec::new();
    for word in list.split_whitespace() {
        let (name, pushed) = match word.split_once('=') {
            None => (word, Datum::Unasked),
            Some((name, "")) => (name, Datum::Absent),
            Some((name, second)) => {
                let source = TimeSource::Registry;
                let at = at(second.parse().unwrap());
                (name, Datum::Known(Time { at, source }))
            }
        };
        // A word that begins with `!` has a time and is not listed.
        let gone = name.strip_prefix('!');
        let name = tag(gone.unwrap_or(name));
        if gone.is_none() {
            listed.push(name.clone());
        }
        let created = Datum::Unasked;
        times.insert(name, Times { pushed, created });
    }
    (listed, times)
}

fn select_newest(policy: &Policy, list: &str, current: &str, facts: &[(&str, &str)]) -> Selection {
    let (listed, times) = timed(list);
    let facts = super::super::facts(facts);
    let current = (!current.is_empty()).then(|| tag(current));
    let current = current.as_ref().map_or(Current::Nothing, Current::Tag);
    let evidence = Evidence::new(&listed, current, NOW).with_times(&times);
    // A tag whose time nobody asked for is asked for where there is a registry to ask.
    match facts.is_empty() {
        true => select(policy, &evidence),
        false => select(policy, &evidence.with_manifests(&facts)),
    }
}

/// Rows whose tags carry times.
fn check_times(rows: &[(&str, &str, &str)]) {
    for (list, current, expected) in rows {
        let selection = select_newest(&newest(""), list, current, &[]);
        assert_eq!(told(&selection), *expected, "{list} from `{current}`");
    }
}

#[test]
fn times_of_tags() {
    let rows = [
        ("", "", "no tags"),
        ("a=1", "", "a"),
        ("a=1", "a", "stay a"),
        ("a=1 b=2", "", "b"),
        ("a=2 b=1", "", "a"),
        ("a=1 b=2", "a", "b"),
        ("a=1 b=2", "b", "stay b"),
        ("a=1 b=2 c=3", "b", "c"),
        ("a=3 b=2 c=1", "b", "a"),
        ("a=3 b=2 c=1", "a", "stay a"),
        ("a=9 b=10", "a", "b"),
        ("a=-1 b=0", "", "b"),
        ("a=-2 b=-1", "a", "b"),
        ("a=1 b=1", "", "b"),
        ("a=1 b=1", "a", "stay a"),
        ("a=1 b=1", "b", "stay b"),
        ("a=2 b=2 c=1", "c", "b"),
        ("a=1 b=", "", "a"),
        ("a= b=", "", "none"),
        ("a= b=1 c=2", "b", "c"),
        ("a=1 b=2", "c", "unordered"),
        ("a=1 b= c=2", "b", "unordered"),
        ("a=1 !b=2", "b", "stay b"),
        ("a=3 !b=2", "b", "a"),
        ("a=1 b=2 !c=9", "a", "b"),
        ("latest=5 main=4", "main", "latest"),
        ("1.0.0=5 2.0.0=4", "", "1.0.0"),
        ("1.0.0=5 2.0.0=4", "2.0.0", "1.0.0"),
        ("10=1 9=2", "", "9"),
        (
            "main-abc1234=1 main-0000000=2",
            "main-abc1234",
            "main-0000000",
        ),
        ("a=253402207200 b=253402207199", "", "a"),
        ("a=1700000000 b=1700000001", "a", "b"),
        ("a=1700000001 b=1700000000", "a", "stay a"),
        ("a=1 a=1 b=2", "a", "b"),
        ("Z=1 a=1", "", "a"),
        ("1.9=7 1.10=7", "", "1.9"),
        ("1.9=7 1.10=7", "1.10", "stay 1.10"),
        ("x=1 y=2 z=3 w=4", "y", "w"),
        ("x=4 y=3 z=2 w=1", "w", "x"),
        ("x=4 y=4 z=4 w=4", "w", "stay w"),
        ("x=4 y=4 z=4 w=3", "w", "z"),
    ];
    assert!(rows.len() >= ROWS);
    check_times(&rows);
}

#[test]
fn times_are_asked_for_of_all_that_could_win() {
    let mut policy = newest("");
    policy.ignore = Ignore::new(&["x*"]).unwrap();
    policy.pattern = Some("^[a-z]".parse().unwrap());
    let known = [("z", "missing")];
    for (list, current, tags, of_tags) in [
        ("a b=2 c x1 7", "", "a c", &[Want::Pushed][..]),
        ("b=2 a x1 7", "a", "a", &[Want::Pushed]),
        ("b=2", "d", "d", &[Want::Pushed]),
        // All times are known; now the winner's manifest is.
        ("b=2 c=3 z", "b", "c", &[]),
    ] {
        let selection = select_newest(&policy, list, current, &known);
        let Outcome::Needs(needs) = &selection.outcome else {
            panic!("{list}: {:?}", selection.outcome);
        };
        assert_eq!(needs.tags, super::super::tags(tags), "{list}");
        assert_eq!(needs.of_tags, of_tags, "{list}");
    }
}

#[test]
fn a_time_that_cannot_be_read_chooses_nothing() {
    for (facts, expected) in [
        (&[("c", "broken")][..], "unreadable c"),
        (&[("c", "once")], "unreadable c"),
        (&[("c", "missing"), ("b", "found")], "b"),
    ] {
        let selection = select_newest(&newest(""), "a=1 b=2 c", "a", facts);
        assert_eq!(told(&selection), expected, "{facts:?}");
    }
}

#[test]
fn a_current_tag_that_is_gone_has_no_time() {
    let selection = select_newest(&newest(""), "a=1", "b", &[("b", "missing")]);
    assert_eq!(selection.current_listed, CurrentListed::Gone);
    let Outcome::Unordered(unordered) = selection.outcome else {
        panic!("{:?}", selection.outcome);
    };
    assert_eq!(
        unordered.to_string(),
        "the current tag `b` can't be ordered: it has no push time on record; `newest: created` goes \
         by the image's own time; write a tag whose time is known there, or set `unordered: replace`"
    );
}

#[test]
fn the_time_is_told_with_its_source() {
    let selection = select_newest(&newest(""), "a=1 b=2 c=", "a", &[]);
    let words: Vec<String> = selection
        .verdicts
        .iter()
        .map(|verdict| format!("{} {}", verdict.tag, verdict.words()))
        .collect();
    let expected = [
        "b is the newest acceptable tag (1970-01-01T00:00:02Z, by the registry)",
        "a passes the policy, but another tag was chosen; `ignore` those above to take this (1970-01-01T00:00:01Z, by the registry)",
        "c has no push time on record; `newest: created` goes by the image's own time",
    ];
    assert_eq!(words, expected);
}

#[test]
fn one_tag_needs_no_time_to_be_as_high_as_itself() {
    let policy = newest("");
    let (a, b) = (tag("a"), tag("b"));
    let nothing = Recorded::default();
    assert!(is_orderable(&policy, &a));
    assert_eq!(compare(&policy, &a, &a, nothing), None);
    assert_eq!(compare(&policy, &a, &b, nothing), None);
    assert_eq!(
        highest(&policy, [&a, &a].into_iter(), nothing),
        Ok(Some(&a))
    );
    assert_eq!(highest(&policy, [&a, &b].into_iter(), nothing), Err(&b));
    let (_, times) = timed("a=2 b=1");
    let recorded = Recorded {
        times: Some(&times),
        ..nothing
    };
    assert_eq!(
        highest(&policy, [&a, &b].into_iter(), recorded),
        Ok(Some(&a))
    );
    assert_eq!(compare(&policy, &a, &b, recorded), Some(Ordering::Greater));
}
