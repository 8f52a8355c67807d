//! What holds for every selection.

use proptest::prelude::*;

use super::*;

/// The tag that policies follow here.
const FOLLOWED: &str = "main";

fn some_tag() -> impl Strategy<Value = Tag> {
    let version = "v?0?[0-3](\\.[0-3]){1,2}(-(0|rc\\.[0-2]|alpine|slim|rc1-slim))?";
    let date = "v?202[3-4]\\.0?[1-3](\\.[0-9]{1,2})?(-(rc1|r9|r10|alpine|1|0abc123))?";
    let number = "0{0,2}(9{16,29}[0-9]|[0-9]{1,2})(\\.[0-9]{1,2})?";
    let other = "latest|main|sha256-[0-9a-f]{64}|[a-z0-9_][a-z0-9._-]{0,8}";
    prop_oneof![4 => version, 3 => date, 3 => number, 1 => other, 1 => FOLLOWED]
        .prop_filter_map("not a tag", |text| text.parse().ok())
}

fn some_order() -> impl Strategy<Value = Order> {
    let ranges = [
        "*",
        "*-0",
        "^1",
        "^1-0",
        "~1.2",
        ">=1.1.0-0 <3",
        "!=1.2.3",
        "^1 || ^3-0",
        "1 - 2",
    ];
    let mut orders: Vec<Order> = ranges
        .iter()
        .map(|range| Order::Semver(range.parse().unwrap()))
        .collect();
    for format in ["YYYY.MM.MICRO", "YYYY.MM[.MICRO]", "YYYY.0M"] {
        orders.push(Order::Calver(format.parse().unwrap()));
        orders.push(Order::Calver(format.parse().unwrap()));
    }
    for end in [End::Highest, End::Lowest] {
        orders.extend(vec![Order::Numerical(end); 3]);
        orders.extend(vec![Order::Alphabetical(end); 2]);
    }
    orders.extend(vec![Order::Newest(TimeOf::Pushed); 3]);
    orders.extend(vec![Order::Newest(TimeOf::Created); 3]);
    orders.extend(vec![Order::Digest(tag(FOLLOWED)); 3]);
    prop::sample::select(orders)
}

fn some_policy() -> impl Strategy<Value = Policy> {
    let pattern = prop::sample::select(vec![
        (None, None),
        (Some("^v"), None),
        (Some("^v?(?<version>.+)$"), None),
        (Some("^(?<version>[0-9.]+)"), None),
        (Some("^v?(?<a>[0-9]+)(?<b>.*)$"), Some("${a}$b")),
    ])
    .prop_map(|(text, key): (Option<&str>, Option<&str>)| {
        let pattern: Option<Pattern> = text.map(|text| text.parse().unwrap());
        match key {
            Some(key) => pattern.map(|pattern| pattern.with_key(key).unwrap()),
            None => pattern,
        }
    });
    let prereleases = prop::sample::select(vec![
        Prereleases::FromRange,
        Prereleases::Allow,
        Prereleases::Deny,
    ]);
    let variant = prop::sample::select(vec![
        Variant::Keep,
        Variant::Any,
        Variant::Named("slim".to_owned()),
    ]);
    let ignore = prop::sample::select(vec![vec![], vec!["1.*", "*-slim"]]);
    let loose = prop::sample::select(vec![Parts::Three, Parts::Loose]);
    let level = prop::sample::select(vec![None, Some(Level::Minor), Some(Level::Patch)]);
    let unordered = prop::sample::select(vec![Unordered::Hold, Unordered::Replace]);
    let filters = (pattern, ignore);
    (
        some_order(),
        filters,
        prereleases,
        variant,
        loose,
        level,
        unordered,
    )
        .prop_map(
            |(order, (pattern, ignore), prereleases, variant, loose, level, unordered)| Policy {
                order,
                pattern,
                ignore: Ignore::new(&ignore).unwrap(),
                prereleases,
                variant,
                loose,
                level,
                conditions: Conditions::default(),
                unordered,
            },
        )
}

fn some_tags() -> impl Strategy<Value = Vec<Tag>> {
    prop::collection::vec(some_tag(), 0..12)
}

fn run(policy: &Policy, tags: &[Tag], current: Option<&Tag>) -> Selection {
    let current = current.map_or(Current::Nothing, Current::Tag);
    let times = times(tags.iter().chain(current.tag()));
    select(
        policy,
        &Evidence::new(tags, current, NOW).with_times(&times),
    )
}

fn order(policy: &Policy, a: &Tag, b: &Tag) -> Option<Ordering> {
    let times = times([a, b].into_iter());
    let recorded = Recorded {
        times: Some(&times),
        ..Recorded::default()
    };
    compare(policy, a, b, recorded)
}

/// Times that differ between some tags, are the same for others, and are absent for a few.
fn times<'a>(tags: impl Iterator<Item = &'a Tag>) -> BTreeMap<Tag, Times> {
    let of = |tag: &Tag| {
        let seed: i64 = tag.as_str().bytes().map(i64::from).sum();
        let time = |second: i64| match second {
            0 => Datum::Absent,
            second => Datum::Known(Time {
                at: Timestamp::from_second(second).unwrap(),
                source: TimeSource::Given,
            }),
        };
        let (pushed, created) = (time(seed % 11), time(seed % 13));
        Times { pushed, created }
    };
    tags.map(|tag| (tag.clone(), of(tag))).collect()
}

proptest! {
    #[test]
    fn the_order_is_total(
        policy in some_policy(), a in some_tag(), b in some_tag(), c in some_tag(),
    ) {
        let placed = |tag: &Tag| order(&policy, tag, tag).is_some();
        let of = |x: &Tag, y: &Tag| order(&policy, x, y);
        prop_assert_eq!(of(&a, &b).is_some(), placed(&a) && placed(&b));
        prop_assert_eq!(of(&a, &b), of(&b, &a).map(Ordering::reverse));
        if placed(&a) {
            prop_assert_eq!(of(&a, &a), Some(Ordering::Equal));
        }
        if let (Some(ab), Some(bc)) = (of(&a, &b), of(&b, &c)) {
            if ab.is_le() && bc.is_le() {
                prop_assert!(of(&a, &c).is_some_and(Ordering::is_le));
            }
            if ab.is_eq() {
                prop_assert_eq!(of(&a, &c), Some(bc));
            }
        }
    }

    #[test]
    fn numbers_compare_as_numbers(a in 0..u128::MAX, b in 0..u128::MAX, zeros in 0..3usize) {
        let policy = Policy { order: Order::Numerical(End::Highest), ..Policy::default() };
        let padded = format!("{}{a}", "0".repeat(zeros));
        prop_assert_eq!(order(&policy, &tag(&padded), &tag(&b.to_string())), Some(a.cmp(&b)));
    }

    #[test]
    fn long_build_numbers_are_exact(a in "[1-9][0-9]{16,29}", b in "[1-9][0-9]{16,29}", step in 0..3u128) {
        let number = |text: &str| text.parse::<u128>().unwrap();
        let policy = Policy { order: Order::Numerical(End::Highest), ..Policy::default() };
        let near = (number(&a) + step).to_string();
        for other in [&b, &near] {
            let expected = number(&a).cmp(&number(other));
            prop_assert_eq!(order(&policy, &tag(&a), &tag(other)), Some(expected));
        }
    }

    #[test]
    fn the_choice_is_a_listed_tag_above_the_current_one(
        policy in some_policy(), tags in some_tags(), current in prop::option::of(some_tag()),
    ) {
        let selection = run(&policy, &tags, current.as_ref());
        if let Outcome::Selected(choice) = &selection.outcome {
            prop_assert!(tags.contains(choice));
            // A tag that is followed is as high as itself, whatever it points to.
            let expected = match policy.order {
                Order::Digest(_) => Ordering::Equal,
                _ => Ordering::Greater,
            };
            if let Some(order) = current.and_then(|current| order(&policy, choice, &current)) {
                prop_assert_eq!(order, expected);
            }
        }
    }

    #[test]
    fn every_tag_has_one_verdict_and_at_most_one_is_selected(
        policy in some_policy(), tags in some_tags(), current in prop::option::of(some_tag()),
    ) {
        let selection = run(&policy, &tags, current.as_ref());
        let mut judged: Vec<_> = selection.verdicts.iter().map(|v| v.tag.clone()).collect();
        let mut listed = tags.clone();
        judged.sort();
        listed.sort();
        listed.dedup();
        prop_assert_eq!(judged, listed);
        let selected = selection.verdicts.iter().filter(|v| v.verdict == Verdict::Selected);
        let stays_or_moves = match &selection.outcome {
            Outcome::Selected(_) => 1,
            Outcome::UpToDate(tag) if tags.contains(tag) => 1,
            _ => 0,
        };
        prop_assert_eq!(selected.count(), stays_or_moves);
        let ranks: Vec<_> = selection.verdicts.iter().map(|v| v.verdict == Verdict::Rejected).collect();
        prop_assert!(ranks.is_sorted());
    }

    #[test]
    fn the_order_of_the_listing_does_not_count(
        policy in some_policy(),
        (tags, shuffled) in some_tags().prop_flat_map(|tags| {
            (Just(tags.clone()), Just(tags).prop_shuffle())
        }),
        current in prop::option::of(some_tag()),
    ) {
        let current = current.as_ref();
        prop_assert_eq!(run(&policy, &tags, current), run(&policy, &shuffled, current));
    }

    #[test]
    fn a_tag_that_is_not_chosen_does_not_count(
        policy in some_policy(), tags in some_tags(), current in prop::option::of(some_tag()),
        more in some_tag(),
    ) {
        let without = run(&policy, &tags, current.as_ref());
        let mut all = tags;
        all.push(more.clone());
        let with = run(&policy, &all, current.as_ref());
        let chosen = |selection: &Selection| match &selection.outcome {
            Outcome::Selected(tag) | Outcome::UpToDate(tag) => Some(tag.clone()),
            _ => None,
        };
        // Whatever is added either wins or leaves the choice as it was. An empty listing is the
        // exception: it keeps even the current tag from being the choice.
        if chosen(&with) != Some(more) && all.len() > 1 {
            prop_assert_eq!(chosen(&with), chosen(&without));
        }
    }

    #[test]
    fn facts_only_narrow_the_choice(
        policy in some_policy(), tags in some_tags(), current in prop::option::of(some_tag()),
        words in prop::collection::vec(
            prop::sample::select(vec!["found", "once", "missing", "broken", "unasked"]), 12,
        ),
    ) {
        let named = tags.iter().map(Tag::as_str).zip(words).filter(|(_, word)| *word != "unasked");
        let known = facts(&named.collect::<Vec<_>>());
        let current = current.as_ref().map_or(Current::Nothing, Current::Tag);
        let times = times(tags.iter().chain(current.tag()));
        let evidence = Evidence::new(&tags, current, NOW).with_times(&times);
        let free = select(&policy, &evidence);
        let bound = select(&policy, &evidence.with_manifests(&known));
        match &bound.outcome {
            Outcome::Selected(tag) => {
                prop_assert!(matches!(known.get(tag), Some(ManifestFact::Found(_))));
                let Outcome::Selected(best) = &free.outcome else { panic!("{:?}", free.outcome) };
                prop_assert!(order(&policy, tag, best).is_some_and(Ordering::is_le));
            }
            Outcome::Needs(wanted) => {
                prop_assert!(wanted.tags.iter().all(|tag| tags.contains(tag) && !known.contains_key(tag)));
            }
            Outcome::Unordered(_) => prop_assert_eq!(&free.outcome, &bound.outcome),
            Outcome::UpToDate(_) | Outcome::Nothing(_) => {}
        }
    }

    #[test]
    fn the_highest_site_is_as_high_as_all(policy in some_policy(), tags in some_tags()) {
        let times = times(tags.iter());
        let recorded = Recorded { times: Some(&times), ..Recorded::default() };
        match highest(&policy, tags.iter(), recorded) {
            Ok(None) => prop_assert!(tags.is_empty()),
            Ok(Some(best)) => for tag in tags.iter().filter(|tag| *tag != best) {
                prop_assert!(order(&policy, tag, best).is_some_and(Ordering::is_le));
            },
            Err(tag) => prop_assert_eq!(order(&policy, tag, tag), None),
        }
    }
}
