//! What people keep from being chosen.

use super::*;

fn withheld(tag_text: &str, reach: Reach) -> Withheld {
    Withheld {
        tag: tag(tag_text),
        digest: None,
        reach,
        words: "is not wanted".into(),
    }
}

fn choose_without(policy: &Policy, list: &str, current: &str, held: &[Withheld]) -> Selection {
    let (tags, current) = (tags(list), tag(current));
    let evidence = Evidence::new(&tags, Current::Tag(&current), NOW);
    select(policy, &evidence.with_withheld(held))
}

#[test]
fn nothing_up_to_a_bound_is_chosen_and_the_next_newer_is() {
    let policy = Policy::default();
    let narrow = Policy {
        order: Order::Semver("~1.1".parse().unwrap()),
        ..Policy::default()
    };
    let numbers = Policy {
        order: Order::Numerical(End::Lowest),
        ..Policy::default()
    };
    use Reach::{Alone, UpTo};
    for (policy, list, current, bound, reach, expected) in [
        (
            &policy,
            "1.0.0 1.1.0 1.2.0",
            "1.0.0",
            "1.2.0",
            UpTo,
            "stay 1.0.0",
        ),
        (
            &policy,
            "1.0.0 1.1.0 1.2.0 1.3.0",
            "1.0.0",
            "1.2.0",
            UpTo,
            "1.3.0",
        ),
        // It need not be listed any more.
        (&policy, "1.0.0 1.1.0", "1.0.0", "1.2.0", UpTo, "stay 1.0.0"),
        // What runs keeps its verdict.
        (&policy, "1.0.0 1.2.0", "1.2.0", "1.2.0", UpTo, "stay 1.2.0"),
        (
            &policy,
            "1.0.0 1.1.0 1.2.0",
            "1.0.0",
            "1.2.0",
            Alone,
            "1.1.0",
        ),
        // The policy says itself that it doesn't want it.
        (
            &narrow,
            "1.1.0 1.1.1 1.2.0",
            "1.1.0",
            "1.2.0",
            UpTo,
            "1.1.1",
        ),
        // The lowest is the best here.
        (&numbers, "5 4 3", "5", "4", UpTo, "3"),
        (&numbers, "5 4 3", "5", "3", UpTo, "stay 5"),
    ] {
        let selection = choose_without(policy, list, current, &[withheld(bound, reach)]);
        assert_eq!(told(&selection), expected, "{list} {current} {bound}");
    }
}

#[test]
fn the_verdict_tells_it() {
    let held = [withheld("1.1.0", Reach::UpTo)];
    let selection = choose_without(&Policy::default(), "0.9.0 1.0.0 1.1.0", "1.0.0", &held);
    let words: Vec<_> = selection
        .verdicts
        .iter()
        .map(|verdict| format!("{} {}", verdict.tag, verdict.words()))
        .collect();
    assert_eq!(
        words,
        [
            "1.0.0 runs now, and nothing acceptable is higher",
            "0.9.0 passes the policy, but is lower than what runs now; going back needs a decision",
            "1.1.0 is not wanted",
        ]
    );
}

#[test]
fn what_a_tag_points_to_may_be_withheld() {
    let old = Digest::of(b"old");
    let held = |digest: &[u8]| Withheld {
        digest: Some(Digest::of(digest)),
        ..withheld("1.1.0", Reach::Alone)
    };
    let facts = [(tag("1.1.0"), ManifestFact::Found(old.into()))].into();
    for (digest, expected) in [(&b"old"[..], "stay 1.0.0"), (b"new", "1.1.0")] {
        let (tags, current, held) = (tags("1.0.0 1.1.0"), tag("1.0.0"), [held(digest)]);
        let evidence = Evidence::new(&tags, Current::Tag(&current), NOW);
        let evidence = evidence.with_withheld(&held).with_manifests(&facts);
        assert_eq!(told(&select(&Policy::default(), &evidence)), expected);
    }
}
