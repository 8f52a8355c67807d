//! What a line of commits comes to, case by case.

use super::*;

fn held(tag: &str) -> Held {
    Held {
        tag: tag.parse().unwrap(),
        digest: None,
    }
}

fn by_number(a: &crate::image::Tag, b: &crate::image::Tag) -> Ordering {
    let number = |tag: &crate::image::Tag| tag.as_str().parse::<u32>().unwrap();
    number(a).cmp(&number(b))
}

const RANKED: Order<'static> = Order::Ranked(&by_number);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A commit at `second`, its id the same number, that leaves the stage with these tags.
fn commit(second: i64, tags: &str) -> Event {
    let after = match tags {
        "?" => References::Unordered,
        tags => References::Ordered(tags.split_whitespace().map(held).collect()),
    };
    Event {
        by: By {
            name: "Ada".to_owned(),
            at: at(second),
            commit: second.to_string(),
        },
        after,
        service: None,
        lifts: Vec::new(),
    }
}

fn ours(second: i64, tags: &str) -> Event {
    Event {
        service: Some(Taken::default()),
        ..commit(second, tags)
    }
}

fn fold(order: Order<'_>, events: &[Event]) -> Standing {
    let (first, rest) = events.split_first().unwrap();
    let mut standing = Standing::begin(order, first.clone(), Vec::new(), at(1000));
    for event in rest {
        standing.step(order, event.clone(), at(1000));
    }
    standing
}

/// What is rejected, and by which commit.
fn bound(order: Order<'_>, events: &[Event]) -> Option<(String, String)> {
    let bound = fold(order, events).rejected?;
    Some((bound.from.to_string(), bound.by.commit))
}

#[test]
fn a_move_back_is_a_bound_until_something_ends_it() {
    let lift = |lift| Event {
        lifts: vec![lift],
        ..commit(9, "1 1")
    };
    let some = |tag: &str, commit: &str| Some((tag.to_owned(), commit.to_owned()));
    let back = [commit(1, "1 1"), ours(2, "5 5"), commit(3, "1 1")];
    for (more, expected) in [
        (vec![], some("5", "3")),
        (vec![commit(4, "1 1 1")], some("5", "3")),
        (vec![commit(4, "2 2")], some("5", "3")),
        (vec![commit(4, "")], some("5", "3")),
        // The revert of the revert, of one site and of both.
        (vec![commit(4, "5 1")], some("5", "3")),
        (vec![commit(4, "5 5")], None),
        (vec![commit(4, "6 1")], None),
        (vec![ours(4, "6 6")], None),
        // From something higher, and from something lower.
        (vec![commit(4, "6 6"), commit(5, "4 4")], some("6", "5")),
        (vec![commit(4, "3 3"), commit(5, "2 3")], some("5", "3")),
        (vec![lift(Lift::Approved(held("5")))], None),
        (vec![lift(Lift::Approved(held("4")))], some("5", "3")),
        (vec![lift(Lift::Deployed)], None),
    ] {
        let events = [&back[..], &more].concat();
        assert_eq!(bound(RANKED, &events), expected, "{more:?}");
    }
}

#[test]
fn a_partial_move_back_counts() {
    let events = [ours(1, "5 5"), commit(2, "5 4")];
    assert_eq!(bound(RANKED, &events), Some(("5".into(), "2".into())));
}

#[test]
fn the_service_moves_back_only_by_decision_and_says_what_stays_rejected() {
    assert_eq!(bound(RANKED, &[ours(1, "5"), ours(2, "4")]), None);
    let rolled_back = Event {
        service: Some(Taken {
            from: Some(held("5")),
            rejected: Some(Bound {
                from: held("5"),
                by: commit(1, "").by,
            }),
        }),
        ..commit(2, "4")
    };
    let standing = fold(RANKED, &[rolled_back]);
    assert_eq!(standing.before, Some(held("5")));
    assert_eq!(standing.rejected.unwrap().from, held("5"));
}

#[test]
fn what_cant_be_ordered_between_two_commits_hides_no_move() {
    let events = [ours(1, "5"), commit(2, "?"), commit(3, "4")];
    assert_eq!(bound(RANKED, &events), Some(("5".into(), "3".into())));
    assert_eq!(bound(RANKED, &events[..2]), None);
}

#[test]
fn what_runs_and_since_when_goes_by_values() {
    let standing = fold(
        RANKED,
        &[
            commit(1, "1"),
            commit(20, "2"),
            // A clock that was slow, then one in the future.
            commit(10, "3 3"),
            commit(30, "3 2"),
            commit(5000, "4"),
        ],
    );
    assert_eq!(standing.runs, Some(held("4")));
    assert_eq!(standing.since, at(1000));
    assert_eq!(standing.before, Some(held("3")));
    let standing = fold(RANKED, &[commit(1, "1"), commit(20, "2"), commit(10, "3")]);
    assert_eq!(standing.since, at(20));
}

#[test]
fn without_places_back_is_to_what_ran_before() {
    let some = |tag: &str| Some(tag.to_owned());
    for (events, expected) in [
        (vec![commit(1, "z"), commit(2, "a")], None),
        (vec![ours(1, "z"), ours(2, "a"), commit(3, "z")], some("a")),
        (vec![ours(1, "z"), ours(2, "a"), commit(3, "b")], None),
        // One site lags, and follows.
        (
            vec![ours(1, "z z"), commit(2, "a z"), commit(3, "a a")],
            None,
        ),
        (
            vec![ours(1, "z z"), ours(2, "a a"), commit(3, "a z")],
            some("a"),
        ),
        // The service took it anew, so that it is the newest again.
        (
            vec![ours(1, "z"), ours(2, "a"), ours(3, "z"), commit(4, "a")],
            some("z"),
        ),
        // Back by two.
        (
            vec![
                ours(1, "z"),
                ours(2, "a"),
                ours(3, "m"),
                commit(4, "z"),
                commit(5, "a"),
            ],
            some("m"),
        ),
    ] {
        let found = bound(Order::ByTag, &events).map(|(tag, _)| tag);
        assert_eq!(found, expected, "{events:?}");
    }
}

#[test]
fn going_on_from_what_was_kept_gives_the_same() {
    let events = [
        ours(1, "5 5"),
        commit(2, "4 5"),
        commit(3, "?"),
        commit(4, "5 5"),
        commit(5, "3 5"),
    ];
    for order in [RANKED, Order::ByTag] {
        let mut kept = fold(order, &events[..2]);
        for event in &events[2..] {
            kept.step(order, event.clone(), at(1000));
        }
        assert_eq!(kept, fold(order, &events));
    }
}
