//! Whole selections: what is chosen, what is not, and why.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::image::Digest;

mod conditions;
mod laws;
mod orders;
mod reasons;
mod withheld;

/// The time at which tests select.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A policy over `range` with everything else by default.
fn semver(range: &str) -> Policy {
    Policy {
        order: Order::Semver(range.parse().unwrap()),
        ..Policy::default()
    }
}

fn tags(list: &str) -> Vec<Tag> {
    list.split_whitespace().map(tag).collect()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// Selects without asking for manifests; an empty `current` is none.
fn choose(policy: &Policy, list: &str, current: &str) -> Selection {
    choose_with(policy, list, current, Recorded::default())
}

fn choose_with(policy: &Policy, list: &str, current: &str, recorded: Recorded<'_>) -> Selection {
    let current = (!current.is_empty()).then(|| tag(current));
    let current = current.as_ref().map_or(Current::Nothing, Current::Tag);
    let tags = tags(list);
    let evidence = Evidence {
        recorded,
        ..Evidence::new(&tags, current, NOW)
    };
    select(policy, &evidence)
}

/// What is known of manifests, and nothing else.
fn known(facts: &BTreeMap<Tag, ManifestFact>) -> Recorded<'_> {
    Recorded {
        times: None,
        manifests: Manifests::Known(facts),
    }
}

/// The outcome in a word or two.
fn told(selection: &Selection) -> String {
    match &selection.outcome {
        Outcome::Selected(tag) => tag.to_string(),
        Outcome::UpToDate(tag) => format!("stay {tag}"),
        Outcome::Needs(needs) => format!("needs {}", needs.tags[0]),
        Outcome::Nothing(NoChoice::NoTags) => "no tags".to_owned(),
        Outcome::Nothing(NoChoice::NoneAcceptable) => "none".to_owned(),
        Outcome::Nothing(NoChoice::AbovePolicy { highest, .. }) => format!("above {highest}"),
        Outcome::Nothing(NoChoice::NotListed(tag)) => format!("not listed {tag}"),
        Outcome::Nothing(NoChoice::Waiting { tag, .. }) => format!("waiting {tag}"),
        Outcome::Nothing(NoChoice::Unreadable { tag, .. }) => format!("unreadable {tag}"),
        Outcome::Unordered(_) => "unordered".to_owned(),
    }
}

/// Rows of range, tags, current tag, and what is told.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn check(change: impl Fn(&mut Policy), rows: &[Row]) {
    for (range, list, current, expected) in rows {
        let mut policy = semver(range);
        change(&mut policy);
        let selection = choose(&policy, list, current);
        assert_eq!(
            told(&selection),
            *expected,
            "{range} of {list} from `{current}`"
        );
    }
}

#[test]
fn the_highest_in_range_is_chosen() {
    check(
        |_| {},
        &[
            ("^1", "1.0.0 1.2.0 2.0.0-rc.1", "", "1.2.0"),
            ("*", "1.9.0 1.10.0 1.8.0", "", "1.10.0"),
            ("*", "1.9.0 1.10.0 1.8.0", "1.9.0", "1.10.0"),
            ("^1", "1.0.0 2.0.0", "1.0.0", "stay 1.0.0"),
            ("^2", "1.0.0 2.0.0", "1.0.0", "2.0.0"),
            ("*", "latest main a1b2c3d 1.0", "", "none"),
            ("*", "latest 1.0.0 1.2.3.4 V9.0.0 9.0.0_1", "", "1.0.0"),
            ("*", "", "", "no tags"),
            ("*", "", "1.0.0", "no tags"),
            ("*", "2024.01.05 2024.1.4", "2024.01.04", "2024.01.05"),
            ("*", "18446744073709551616.0.0 1.0.0", "", "1.0.0"),
            (
                "^1-0",
                "1.0.0 1.1.0-rc.9 1.1.0-rc.10",
                "1.0.0",
                "1.1.0-rc.10",
            ),
            ("^1-0", "1.1.0 1.1.0-rc.10", "1.1.0-rc.10", "1.1.0"),
        ],
    );
}

#[test]
fn nothing_moves_back() {
    check(
        |_| {},
        &[
            ("^1", "1.0.0 1.9.0 2.0.0", "2.0.0", "above 1.9.0"),
            ("^1", "1.0.0 1.9.0", "2.0.0", "above 1.9.0"),
            ("^1", "2.0.0 0.1.0", "2.0.0", "none"),
            ("^1", "1.0.0 1.9.0", "1.9.1", "stay 1.9.1"),
            ("^1", "0.9.0", "1.9.1", "stay 1.9.1"),
            ("^1", "1.0.0", "1.1.0-rc.1", "above 1.0.0"),
            ("^1", "1.1.0", "1.1.0-rc.1", "1.1.0"),
        ],
    );
    let gone = choose(&semver("^1"), "1.0.0 1.9.0", "1.9.1");
    assert_eq!(gone.current_listed, CurrentListed::Gone);
    let listed = choose(&semver("^1"), "1.0.0 1.9.0", "1.9.0");
    assert_eq!(listed.current_listed, CurrentListed::Listed);
    let nothing = choose(&semver("^1"), "1.0.0 1.9.0", "");
    assert_eq!(nothing.current_listed, CurrentListed::NotApplicable);
}

#[test]
fn ties_keep_the_current_tag_or_take_the_bytewise_greatest() {
    check(
        |_| {},
        &[
            ("*", "1.2.3 v1.2.3", "", "v1.2.3"),
            ("*", "01.2.3 1.2.3 1.2.03", "", "1.2.3"),
            ("*", "1.2.3 v1.2.3", "1.2.3", "stay 1.2.3"),
            ("*", "1.2.3 v1.2.3", "v1.2.3", "stay v1.2.3"),
            ("*", "1.2.3 v1.2.3", "1.2.2", "v1.2.3"),
            ("*", "1.2.3", "v1.2.3", "stay v1.2.3"),
        ],
    );
}

#[test]
fn prereleases_can_be_allowed_or_denied() {
    let list = "1.0.0-rc.1 1.0.0 1.1.0-rc.1 2.0.0-rc.1";
    for (range, prereleases, expected) in [
        ("^1", Prereleases::FromRange, "1.0.0"),
        ("^1", Prereleases::Allow, "1.1.0-rc.1"),
        ("^1", Prereleases::Deny, "1.0.0"),
        ("^1-0", Prereleases::FromRange, "1.1.0-rc.1"),
        ("^1-0", Prereleases::Deny, "1.0.0"),
        (">=1 <2", Prereleases::Allow, "1.1.0-rc.1"),
        (">=1.0.0-0 <2.0.0", Prereleases::Allow, "2.0.0-rc.1"),
        ("*", Prereleases::Allow, "2.0.0-rc.1"),
        ("1.0.0", Prereleases::Allow, "1.0.0"),
        ("1.1.0-rc.1", Prereleases::Deny, "none"),
    ] {
        let mut policy = semver(range);
        policy.prereleases = prereleases;
        assert_eq!(
            told(&choose(&policy, list, "")),
            expected,
            "{range} {prereleases:?}"
        );
    }
}

#[test]
fn the_variant_is_kept() {
    let list = "1.0.0-alpine3.18 1.0.0 1.0.0-slim 1.1.0 1.1.0-alpine3.19 1.1.0-slim 1.2.0-slim \
                1.2.0-rc.1 1.3.0-rc.1-slim";
    let named = |name: &str| Variant::Named(name.to_owned());
    for (variant, current, expected) in [
        (Variant::Keep, "1.0.0-alpine3.18", "1.1.0-alpine3.19"),
        (Variant::Keep, "1.0.0", "1.2.0-rc.1"),
        (Variant::Keep, "1.0.0-slim", "1.3.0-rc.1-slim"),
        (Variant::Keep, "1.0.0-windows", "stay 1.0.0-windows"),
        (Variant::Keep, "", "1.3.0-rc.1-slim"),
        (Variant::Any, "1.0.0", "1.3.0-rc.1-slim"),
        (named("alpine3"), "", "1.1.0-alpine3.19"),
        (named("alpine3.20"), "", "1.1.0-alpine3.19"),
        (named(""), "", "1.2.0-rc.1"),
        (named("slim"), "1.0.0", "1.3.0-rc.1-slim"),
        (named("slim"), "2.0.0", "above 1.3.0-rc.1-slim"),
        (named("windows"), "1.0.0", "none"),
    ] {
        let mut policy = semver("*-0");
        policy.variant = variant.clone();
        assert_eq!(
            told(&choose(&policy, list, current)),
            expected,
            "{variant:?} {current}"
        );
    }
}

#[test]
fn a_version_group_replaces_the_variant() {
    let with = |pattern: &'static str| {
        move |policy: &mut Policy| policy.pattern = Some(pattern.parse().unwrap())
    };
    check(
        with("^(?<version>.+)-alpine$"),
        &[
            (
                "^1",
                "1.0.0-alpine 1.1.0 1.0.1-alpine 2.0.0-alpine",
                "1.0.0-alpine",
                "1.0.1-alpine",
            ),
            ("^1", "1.0.0-alpine 1.0.1", "1.0.0", "unordered"),
        ],
    );
    check(
        with("^(?<version>[0-9.]+)(-[a-z]+)?$"),
        &[
            ("*", "1.0.0-alpine 1.1.0-slim", "1.0.0-alpine", "1.1.0-slim"),
            ("*", "1.0.0-alpine 1.0.0-slim", "", "1.0.0-slim"),
            (
                "*",
                "1.0.0-alpine 1.0.0-slim",
                "1.0.0-alpine",
                "stay 1.0.0-alpine",
            ),
        ],
    );
    check(
        with("^main-(?<version>.+)$"),
        &[
            (
                "*",
                "main-1.0.0 main-1.2.0 dev-9.0.0 1.5.0",
                "main-1.0.0",
                "main-1.2.0",
            ),
            ("*", "main-1.0", "", "none"),
        ],
    );
    check(
        with("^v"),
        &[
            ("*", "v1.0.0 1.2.0", "v1.0.0", "stay v1.0.0"),
            ("*", "v1.0.0 1.2.0 v1.3.0", "1.2.0", "v1.3.0"),
            ("*", "v1.0.0 1.2.0", "1.2.0", "above v1.0.0"),
        ],
    );
}

#[test]
fn ignored_tags_and_signatures_are_no_candidates() {
    check(
        |policy| policy.ignore = Ignore::new(&["1.2.*", "*-debug"]).unwrap(),
        &[
            ("*", "1.1.0 1.2.0 1.2.9", "1.0.0", "1.1.0"),
            ("*", "1.1.0 1.2.0 1.3.0", "1.2.0", "1.3.0"),
            ("*", "1.1.0 1.2.0", "1.2.0", "above 1.1.0"),
            ("*-0", "1.1.0 9.0.0-debug", "", "1.1.0"),
        ],
    );
    let signature = format!("sha256-{}.sig", "0".repeat(64));
    let mut policy = semver("*");
    policy.pattern = Some("(?<version>[0-9]+)".parse().unwrap());
    policy.loose = Parts::Loose;
    assert_eq!(told(&choose(&policy, &format!("x7 {signature}"), "")), "x7");
    assert_eq!(told(&choose(&policy, &signature, "")), "none");
}

#[test]
fn loose_versions_keep_their_number_of_parts() {
    check(
        |policy| policy.loose = Parts::Loose,
        &[
            ("*", "1.26 1.27 1.27.3 2 20240102", "1.26", "1.27"),
            ("*", "1.26 1.27 1.27.3 2 20240102", "1.26.0", "1.27.3"),
            ("*", "1.26 1.27 1.27.3 2 3", "2", "3"),
            ("*", "1.26 1.27 1.27.3 2", "", "2"),
            (
                "^1-0",
                "1.26-alpine 1.27-alpine 1.27.3-alpine",
                "1.26-alpine",
                "1.27-alpine",
            ),
        ],
    );
    check(
        |_| {},
        &[
            ("*", "1.26 1.27 20240102", "", "none"),
            ("*", "1.26 1.27", "1.26", "unordered"),
            ("*-0", "1.2-rc.1", "", "1.2-rc.1"),
        ],
    );
}

#[test]
fn what_has_no_place_in_the_order_is_held_or_replaced() {
    let list = tags("1.0.0 1.2.0 latest");
    let latest = tag("latest");
    let digest = Digest::of(b"");
    for current in [
        Current::Tag(&latest),
        Current::Pinned(&latest, &digest),
        Current::Digest(&digest),
        Current::Unparsable("{{ .Values.tag }}"),
    ] {
        let mut policy = semver("*");
        let evidence = Evidence::new(&list, current, NOW);
        let held = select(&policy, &evidence);
        assert_eq!(told(&held), "unordered", "{current:?}");
        let acceptable = held
            .verdicts
            .iter()
            .filter(|v| v.verdict == Verdict::Acceptable);
        assert_eq!(acceptable.count(), 2);
        policy.unordered = Unordered::Replace;
        let replaced = select(&policy, &evidence);
        assert_eq!(told(&replaced), "1.2.0", "{current:?}");
    }
}

/// Facts as words: `found`, `once`, `missing`, `broken`.
fn facts(list: &[(&str, &str)]) -> BTreeMap<Tag, ManifestFact> {
    let fact = |word: &str| match word {
        "found" => ManifestFact::Found(Digest::of(b"").into()),
        "once" => ManifestFact::MissingOnce,
        "missing" => ManifestFact::Missing,
        _ => ManifestFact::Unreadable("503".to_owned()),
    };
    list.iter()
        .map(|(name, word)| (tag(name), fact(word)))
        .collect()
}

#[test]
fn manifests_are_asked_for_from_the_highest_down() {
    let list = "1.0.0 1.1.0 1.2.0 2.0.0-rc.1";
    for (current, facts_of, expected) in [
        ("", &[][..], "needs 1.2.0"),
        ("1.0.0", &[("1.1.0", "found")], "needs 1.2.0"),
        ("1.0.0", &[("1.2.0", "found")], "1.2.0"),
        (
            "1.0.0",
            &[("1.2.0", "once"), ("1.1.0", "found")],
            "unreadable 1.2.0",
        ),
        (
            "1.0.0",
            &[("1.2.0", "broken"), ("1.1.0", "found")],
            "unreadable 1.2.0",
        ),
        ("1.0.0", &[("1.2.0", "missing")], "needs 1.1.0"),
        (
            "1.0.0",
            &[("1.2.0", "missing"), ("1.1.0", "found")],
            "1.1.0",
        ),
        (
            "1.0.0",
            &[("1.2.0", "missing"), ("1.1.0", "broken")],
            "unreadable 1.1.0",
        ),
        (
            "1.0.0",
            &[("1.2.0", "missing"), ("1.1.0", "missing")],
            "stay 1.0.0",
        ),
        ("1.2.0", &[], "stay 1.2.0"),
        ("1.2.0", &[("1.2.0", "broken")], "stay 1.2.0"),
        ("1.9.0", &[], "stay 1.9.0"),
        ("2.0.0", &[], "stay 2.0.0"),
        (
            "",
            &[
                ("1.2.0", "missing"),
                ("1.1.0", "missing"),
                ("1.0.0", "missing"),
            ],
            "none",
        ),
    ] {
        let facts = facts(facts_of);
        let selection = choose_with(&semver("*"), list, current, known(&facts));
        assert_eq!(told(&selection), expected, "{current} {facts:?}");
    }
}

#[test]
fn more_candidates_are_asked_for_the_more_were_passed_over() {
    let list: String = (10..40).map(|minor| format!("1.{minor}.0 ")).collect();
    for (missing, asked) in [(0, 1), (1, 1), (2, 2), (4, 4), (8, 8), (20, 9), (29, 0)] {
        let gone: Vec<String> = (0..missing).map(|at| format!("1.{}.0", 39 - at)).collect();
        let gone: Vec<(&str, &str)> = gone.iter().map(|tag| (&**tag, "missing")).collect();
        let facts = facts(&gone);
        let selection = choose_with(&semver("*"), &list, "1.10.0", known(&facts));
        let needs = match &selection.outcome {
            Outcome::Needs(needs) => &needs.tags[..],
            _ => &[],
        };
        // What runs is no candidate.
        let highest = (0..asked).map(|at| tag(&format!("1.{}.0", 39 - missing - at)));
        assert_eq!(needs, highest.collect::<Vec<_>>(), "{missing} missing");
    }
}

#[test]
fn the_highest_of_several_sites_is_found() {
    let policy = semver("^1");
    for (list, expected) in [
        ("", Ok(None)),
        ("1.0.0", Ok(Some("1.0.0"))),
        ("1.9.0 1.10.0 1.2.0", Ok(Some("1.10.0"))),
        ("3.0.0 1.0.0", Ok(Some("3.0.0"))),
        ("1.0.0 v1.0.0", Ok(Some("v1.0.0"))),
        ("v1.0.0 1.0.0", Ok(Some("v1.0.0"))),
        ("1.0.0 latest 2.0.0 edge", Err("latest")),
    ] {
        let list = tags(list);
        let found = highest(&policy, list.iter(), Recorded::default());
        let found = found.map(|tag| tag.map(Tag::as_str)).map_err(Tag::as_str);
        assert_eq!(found, expected, "{list:?}");
    }
}

#[test]
fn two_tags_compare_in_the_policys_order() {
    let policy = semver("^1");
    for (a, b, expected) in [
        ("1.9.0", "1.10.0", Some(Ordering::Less)),
        ("2.0.0", "1.10.0", Some(Ordering::Greater)),
        ("v1.0.0", "1.0.0", Some(Ordering::Equal)),
        ("1.0.0-rc.1", "1.0.0", Some(Ordering::Less)),
        ("latest", "1.0.0", None),
        ("1.0.0", "latest", None),
        ("latest", "latest", None),
    ] {
        let order = compare(&policy, &tag(a), &tag(b), Recorded::default());
        assert_eq!(order, expected, "{a} {b}");
    }
}
