//! What a developer reads beside each tag.

use super::*;

/// The verdicts as lines.
fn lines(selection: &Selection) -> Vec<String> {
    let line = |v: &TagVerdict| format!("{} {:?}: {}", v.tag, v.verdict, v.reason);
    selection.verdicts.iter().map(line).collect()
}

#[test]
fn every_tag_has_its_reason_best_first() {
    let mut policy = semver("^1");
    policy.ignore = Ignore::new(&["*-debug"]).unwrap();
    let list = "1.0.0 1.1.0 v1.1.0 1.2.0 latest 1.9.0-debug 1.0 1.3.0-rc.1 1.4.0-slim 2.0.0 \
                1.2.3-01 18446744073709551616.0.0 1.2.0";
    let expected = [
        "1.2.0 Selected: is the highest acceptable tag",
        "1.1.0 Acceptable: passes the policy, but another tag was chosen; `ignore` those above to take this",
        "v1.1.0 Acceptable: passes the policy, but is the same version as what runs now",
        "1.0.0 Acceptable: passes the policy, but is lower than what runs now; going back needs a \
         decision",
        "2.0.0 Rejected: is outside the range `^1`; change `semver`",
        "1.9.0-debug Rejected: is ignored by `*-debug`; change `ignore`",
        "1.4.0-slim Rejected: is of the variant `slim`, and one without is wanted; set `variant: \
         slim` or `variant: any` to take it",
        "1.3.0-rc.1 Rejected: is a pre-release (anything after `-` makes one); add `prereleases: \
         true` or write the range as `^1-0`",
        "latest Rejected: is not a version such as `1.2.3`; a `version` group in `match` can take one out",
        "18446744073709551616.0.0 Rejected: has a number above 18446744073709551615",
        "1.2.3-01 Rejected: has a leading zero in a number of its pre-release",
        "1.0 Rejected: has fewer than three version parts; `loose: true` takes it",
    ];
    assert_eq!(lines(&choose(&policy, list, "1.1.0")), expected);
}

#[test]
fn what_the_filters_leave_out_is_said() {
    for (change, name, expected) in [
        ("match", "1.0.0", "does not match `^v`; change `match`"),
        (
            "group",
            "1.0.0",
            "does not match `^(a|v(?<version>.*))$`; change `match`",
        ),
        (
            "group",
            "a",
            "matches `^(a|v(?<version>.*))$`, but its `version` group takes no part in it; change \
             `match`",
        ),
        (
            "group",
            "vx",
            "is not a version such as `1.2.3`; a `version` group in `match` can take one out",
        ),
        (
            "slim",
            "1.0.0",
            "has no variant, and `slim` is wanted; set `variant: any` to take it",
        ),
        (
            "slim",
            "1.0.0-alpine",
            "is of the variant `alpine`, and `slim` is wanted; set `variant: alpine` or `variant: \
             any` to take it",
        ),
        (
            "deny",
            "1.0.0-rc.1",
            "is a pre-release (anything after `-` makes one); remove `prereleases: false`",
        ),
        (
            "deny",
            "2.0.0-rc.1",
            "is outside the range `^1-0`; change `semver`",
        ),
        (
            "exact",
            "1.0.1-rc.1",
            "is a pre-release (anything after `-` makes one); add `prereleases: true`",
        ),
    ] {
        let mut policy = semver("^1-0");
        match change {
            "match" => policy.pattern = Some("^v".parse().unwrap()),
            "group" => policy.pattern = Some("^(a|v(?<version>.*))$".parse().unwrap()),
            "slim" => policy.variant = Variant::Named("slim".to_owned()),
            "deny" => policy.prereleases = Prereleases::Deny,
            _ => policy = semver(">1.0.0"),
        }
        let selection = choose(&policy, name, "");
        assert_eq!(
            selection.verdicts[0].reason.to_string(),
            expected,
            "{change} {name}"
        );
        assert_eq!(selection.verdicts[0].verdict, Verdict::Rejected);
    }
    let signature = choose(&semver("*"), &format!("sha256-{}", "a".repeat(64)), "");
    assert_eq!(signature.verdicts[0].reason, Reason::Signature);
    let mut loose = semver("*");
    loose.loose = Parts::Loose;
    assert_eq!(
        choose(&loose, "2", "1.26").verdicts[0].reason.to_string(),
        "has 1 version part where the current tag has 2"
    );
}

#[test]
fn manifests_show_in_the_verdicts() {
    let facts = facts(&[("1.3.0", "missing"), ("1.2.0", "broken")]);
    let list = "1.0.0 1.1.0 1.2.0 1.3.0 2.0.0";
    let selection = choose_with(&semver("^1"), list, "1.0.0", known(&facts));
    let expected = [
        "1.2.0 Acceptable: passes the policy, but its manifest can't be read at the moment",
        "1.1.0 Acceptable: passes the policy",
        "1.0.0 Acceptable: passes the policy",
        "2.0.0 Rejected: is outside the range `^1`; change `semver`",
        "1.3.0 Rejected: is listed, but the registry does not have its manifest; push it again",
    ];
    assert_eq!(lines(&selection), expected);
    let Outcome::Nothing(no_choice) = selection.outcome else {
        panic!("{:?}", selection.outcome);
    };
    assert_eq!(
        no_choice.to_string(),
        "`1.2.0` could be the choice, but can't be read: 503"
    );
}

#[test]
fn the_current_tag_is_the_selected_one_when_it_stays() {
    let selection = choose(&semver("^1"), "1.0.0 1.1.0", "1.1.0");
    assert_eq!(
        lines(&selection)[0],
        "1.1.0 Selected: runs now, and nothing acceptable is higher"
    );
}

#[test]
fn outcomes_say_the_way_out() {
    let above = choose(&semver("^1"), "1.0.0", "2.0.0");
    let Outcome::Nothing(above) = above.outcome else {
        panic!("{:?}", above.outcome);
    };
    assert_eq!(
        above.to_string(),
        "`2.0.0` runs and does not pass the policy, whose highest tag is `1.0.0`; nothing moves \
         back without a decision"
    );
    let latest = choose(&semver("^1"), "1.0.0", "latest");
    let Outcome::Unordered(latest) = latest.outcome else {
        panic!("{:?}", latest.outcome);
    };
    assert_eq!(
        latest.to_string(),
        "the current tag `latest` can't be ordered: it is not a version such as `1.2.3`; a `version` group in `match` can take one out; write a \
         version there, or set `unordered: replace`"
    );
}

#[test]
fn a_verdict_is_small() {
    // A selection holds one for each of hundreds of thousands of tags.
    assert!(size_of::<Reason>() <= 48, "{}", size_of::<Reason>());
    assert!(
        size_of::<TagVerdict>() <= 104,
        "{}",
        size_of::<TagVerdict>()
    );
}
