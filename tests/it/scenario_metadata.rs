//! Policies that need more than tags: platforms, ages, rest, build times, and tags that are followed.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use jiff::{SignedDuration, Timestamp};
use tagwright::demo::registry::ImageSpec;
use tagwright::image::Digest;
use tagwright::reconcile::plan::MOST;

use crate::scenario::{SHOP, START, Scenario, assert_stage};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// How often the registry is looked at: a tag that is followed is asked for once after each look.
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// An app with these keys, whose one manifest is `pod`.
fn scenario(more: &str, pod: &str) -> Option<Scenario> {
    let app = format!("{}{more}\n", SHOP.1);
    Scenario::new(&[(SHOP.0, &app), (POD.0, pod)])
}

fn spec(built: &str, payload: &str) -> ImageSpec {
    ImageSpec::new(built.parse::<Timestamp>().unwrap(), payload)
}

/// An image for these platforms only.
fn push_for(scenario: &Scenario, tag: &str, platforms: &[&str], payload: &str) -> Digest {
    let platforms = platforms.iter().map(|name| (*name).to_owned()).collect();
    let spec = ImageSpec {
        platforms,
        ..spec(START, payload)
    };
    scenario.registry.push("acme/shop", tag, &spec)
}

fn requests(scenario: &Scenario) -> usize {
    scenario.registry.requests().len()
}

#[test]
fn a_tag_waits_for_its_platforms() {
    let policy = "tags: {semver: '*', platforms: [linux/amd64, linux/arm64]}";
    let Some(mut scenario) = scenario(policy, POD.1) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    push_for(&scenario, "1.2.0", &["linux/amd64"], "half");
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[(POD.0, "1.0.0", "1.1.0")]);
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "upToDate", &[]);

    // What was read of a digest is never read again; the tag alone is asked for.
    let before = requests(&scenario);
    scenario.rests();
    assert!(requests(&scenario) - before <= 2, "a list and a digest");

    push_for(&scenario, "1.2.0", &["linux/amd64", "linux/arm64"], "whole");
    scenario.lands(1);
    assert_eq!(
        scenario.read(POD.0),
        scenario.text("image: HOST/acme/shop:1.2.0\n")
    );
}

#[test]
fn a_tag_waits_for_its_age_from_when_it_was_first_seen() {
    let Some(mut scenario) = scenario("tags: {semver: '*', minimumAge: 1d}", POD.1) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let pass = scenario.rests();
    let verdicts = pass.observation.plan.stages[0].selection.as_ref().unwrap();
    let words = verdicts
        .verdicts
        .iter()
        .find(|one| one.tag.as_str() == "1.1.0")
        .unwrap();
    assert!(
        words.words().contains("2026-03-03T09:30:00Z"),
        "{}",
        words.words()
    );

    scenario.clock.advance(SignedDuration::from_hours(23));
    scenario.rests();
    // The time is kept over a restart.
    scenario.restarts();
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_hours(1));
    scenario.lands(1);

    // With the cache lost, ages begin anew: later, never sooner.
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_hours(25));
    let mut fresh = scenario.another_service();
    std::mem::swap(&mut scenario.service, &mut fresh);
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_hours(25));
    scenario.lands(1);
}

#[test]
fn an_age_that_is_not_known_can_hold_or_allow() {
    for (choice, lands) in [("hold", false), ("allow", true)] {
        let policy = format!("tags: {{semver: '*', minimumAge: 1d, onMissingTime: {choice}}}");
        let Some(mut scenario) = scenario(&policy, POD.1) else {
            return;
        };
        scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
        match lands {
            true => drop(scenario.lands(1)),
            false => {
                scenario.clock.advance(SignedDuration::from_hours(48));
                scenario.rests();
            }
        }
    }
}

#[test]
fn a_tag_that_is_pushed_again_settles_anew() {
    let Some(mut scenario) = scenario("tags: {semver: '*', settle: 10m}", POD.1) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    scenario.push_content("acme/shop", "1.1.0", "one architecture");
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(9));
    let whole = scenario.push_content("acme/shop", "1.1.0", "both");
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(9));
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(1));
    scenario.lands(1);
    assert!(scenario.changes()[0].contains(whole.as_str()));
}

#[test]
fn the_newest_by_build_time_is_taken() {
    let policy = "tags: {newest: created, match: '^[0-9a-f]{7}$'}";
    let pod = "image: HOST/acme/shop:aaaaaaa\n";
    let Some(mut scenario) = scenario(policy, pod) else {
        return;
    };
    let push = |tag: &str, built: &str| {
        scenario.registry.push("acme/shop", tag, &spec(built, tag));
    };
    push("aaaaaaa", "2026-02-01T00:00:00Z");
    push("ccccccc", "2026-02-03T00:00:00Z");
    push("bbbbbbb", "2026-02-02T00:00:00Z");
    push("1111111", "1970-01-01T00:00:00Z");
    scenario.lands(1);
    assert_eq!(
        scenario.read(POD.0),
        scenario.text("image: HOST/acme/shop:ccccccc\n")
    );
    scenario.rests();
    // All times are known: the list alone is asked for.
    let before = requests(&scenario);
    scenario.rests();
    assert_eq!(requests(&scenario) - before, 1);
    // An older build that is pushed later is no change.
    scenario
        .registry
        .push("acme/shop", "ddddddd", &spec("2026-02-02T12:00:00Z", "d"));
    scenario.rests();
    scenario.restarts();
    scenario.rests();
}

#[test]
fn so_many_build_times_are_read_in_a_pass_and_nothing_is_chosen_before_all_are_known() {
    let pod = "image: HOST/acme/shop:t0\n";
    let Some(mut scenario) = scenario("tags: {newest: created}", pod) else {
        return;
    };
    let more = 20;
    for number in 0..MOST + more {
        let tag = format!("t{number}");
        let built: Timestamp = START.parse().unwrap();
        let minutes = i64::try_from(number).unwrap();
        let built = built
            .checked_sub(SignedDuration::from_mins(minutes))
            .unwrap();
        let image = ImageSpec::new(built, format!("{number}"));
        scenario.registry.push("acme/shop", &tag, &image);
    }
    // What is newest is not among the first by name.
    scenario
        .registry
        .push("acme/shop", "zz", &spec("2026-03-02T10:00:00Z", "zz"));
    scenario
        .registry
        .push("acme/shop", "t0", &spec("2020-01-01T00:00:00Z", "t0"));
    let pass = scenario.rests();
    let words = format!("the times of {} of {} tags", more + 1, MOST + more + 1);
    assert_stage(&pass.observation, "shop/staging", "waiting", &[&words]);
    let before = requests(&scenario);
    scenario.lands(1);
    let made = requests(&scenario) - before;
    assert!(
        made < 4 * (more + 1) + 10,
        "{made} requests: what was read is kept"
    );
    assert_eq!(
        scenario.read(POD.0),
        scenario.text("image: HOST/acme/shop:zz\n")
    );
}

#[test]
fn many_candidates_that_have_to_wait_are_passed_over() {
    let policy = "tags: {semver: '*', platforms: [linux/arm64]}";
    let Some(mut scenario) = scenario(policy, POD.1) else {
        return;
    };
    push_for(&scenario, "1.1.0", &["linux/arm64"], "whole");
    for minor in 2..50 {
        push_for(&scenario, &format!("1.{minor}.0"), &["linux/amd64"], "half");
    }
    scenario.lands(1);
    assert_eq!(
        scenario.read(POD.0),
        scenario.text("image: HOST/acme/shop:1.1.0\n")
    );
}

#[test]
fn a_registry_without_push_times_cannot_order_by_them() {
    let Some(mut scenario) = scenario("tags: {newest: pushed}", POD.1) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", &["push time"]);
    assert_eq!(requests(&scenario), 1, "no manifest tells them");
}

#[test]
fn a_followed_tag_is_pinned_and_its_moves_are_commits() {
    let pod = "image: HOST/acme/shop:main\n";
    let Some(mut scenario) = scenario("tags: {digest: main}", pod) else {
        return;
    };
    let first = scenario.push_content("acme/shop", "main", "one");
    scenario.lands(1);
    let pinned = |digest: &Digest| scenario.text(&format!("image: HOST/acme/shop:main@{digest}\n"));
    assert_eq!(scenario.read(POD.0), pinned(&first));
    let short = &first.as_str()[7..19];
    let subject = scenario.repo.log("%s");
    assert!(
        subject.starts_with(&format!("shop: staging main -> main@{short}\n")),
        "{subject}"
    );
    scenario.rests();

    let second = scenario.push_content("acme/shop", "main", "two");
    scenario.clock.advance(INTERVAL);
    scenario.lands(1);
    assert_eq!(
        scenario.read(POD.0),
        scenario.text(&format!("image: HOST/acme/shop:main@{second}\n"))
    );
    // Between two listings it is not asked for again.
    scenario.rests();
    let before = requests(&scenario);
    scenario.pass_by_interval();
    assert_eq!(requests(&scenario), before);
}

#[test]
fn an_index_that_only_gained_a_platform_nobody_runs_is_no_move() {
    let pod = "image: HOST/acme/shop:main\n";
    let policy = "tags: {digest: main, platforms: [linux/amd64]}\nwrite: digest";
    let Some(mut scenario) = scenario(policy, pod) else {
        return;
    };
    let first = push_for(&scenario, "main", &["linux/amd64"], "one");
    scenario.lands(1);
    let pinned = scenario.text(&format!("image: HOST/acme/shop@{first}\n"));
    assert_eq!(scenario.read(POD.0), pinned);
    scenario.rests();
    let wider = push_for(&scenario, "main", &["linux/amd64", "linux/arm64"], "one");
    assert_ne!(first, wider);
    scenario.clock.advance(INTERVAL);
    scenario.rests();
    assert_eq!(scenario.read(POD.0), pinned);
    let moved = push_for(&scenario, "main", &["linux/amd64", "linux/arm64"], "two");
    scenario.clock.advance(INTERVAL);
    scenario.lands(1);
    assert_eq!(
        scenario.read(POD.0),
        scenario.text(&format!("image: HOST/acme/shop@{moved}\n"))
    );
}

#[test]
fn versions_are_pinned_where_that_is_asked_for() {
    let files = "image: HOST/acme/shop:1.0.0\n---\nimage:\n  repository: HOST/acme/shop\n  tag: 1.0.0\n  digest: \"\"\n";
    let Some(mut scenario) = scenario("write: tag@digest", files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    let pass = scenario.lands(1);
    let digest = scenario.digest("acme/shop", "1.0.0");
    assert_eq!(
        scenario.read(POD.0),
        scenario.text(&format!(
            "image: HOST/acme/shop:1.0.0@{digest}\n---\nimage:\n  repository: HOST/acme/shop\n  tag: 1.0.0\n  digest: \"{digest}\"\n"
        ))
    );
    assert!(pass.observation.preparation.refused.is_empty());
    scenario.rests();
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    let digest = scenario.digest("acme/shop", "1.1.0");
    assert_eq!(scenario.read(POD.0).matches(&digest).count(), 2);
    scenario.rests();
}
