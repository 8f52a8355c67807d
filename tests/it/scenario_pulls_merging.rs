//! Pull requests that the forge was asked to merge: the wish is taken back while something stands against it,
//! and only the service's own.

use jiff::Timestamp;

use tagwright::demo::registry::{Fault, Faults, Rule};
use tagwright::forge::{Kind, body};

use crate::forges::Fake;
use crate::forges::hub;
use crate::scenario::{SHOP, Scenario};
use crate::scenario_pulls::{BRANCH, KINDS, did, does, open, scenario};

const HELD: (&str, &str) = (
    ".tagwright/decisions/shop/staging.yaml",
    "- hold: incident 4711\n",
);

const RELEASED: &str = "- hold: incident 4711\n- release: true\n";

/// Those that merge by themselves.
fn kinds() -> impl Iterator<Item = Kind> {
    KINDS
        .into_iter()
        .filter(|kind| *kind != Kind::BitbucketCloud)
}

/// Shop's change, on a forge that merges once a build has passed.
fn gated(kind: Kind) -> Option<(Scenario, Fake)> {
    let (scenario, fake) = scenario(kind, ", autoMerge: squash")?;
    fake.hub().required = vec!["build".to_owned()];
    Some((scenario, fake))
}

fn is_scheduled(fake: &Fake) -> bool {
    open(fake)[0].auto_merge.is_some()
}

#[test]
fn a_hold_takes_it_back_and_a_release_asks_again() {
    for kind in kinds() {
        let Some((mut scenario, fake)) = gated(kind) else {
            return;
        };
        does(&mut scenario, "opened");
        assert!(is_scheduled(&fake), "{kind:?}");
        does(&mut scenario, "kept");
        let text = open(&fake)[0].body.clone();
        fake.writes();
        does(&mut scenario, "kept");
        // Gitea does not tell what it was asked, so it is asked again.
        let asked = usize::from(kind == Kind::Gitea);
        assert_eq!(fake.writes().len(), asked, "{kind:?}");
        scenario.writes(HELD.0, HELD.1);
        // Whichever process it is that sees the hold.
        let pass = scenario.pass_of_another();
        assert_eq!(did(&pass).len(), 1);
        assert!(!is_scheduled(&fake), "{kind:?}");
        fake.writes();
        does(&mut scenario, "left: shop in staging: held");
        scenario.pass_of_another();
        assert_eq!(fake.writes(), Vec::<String>::new(), "{kind:?}");
        let head = fake.hub().tip(BRANCH).expect("the branch is there");
        fake.check(&head, "build", "success");
        assert_eq!(open(&fake).len(), 1, "it is not merged");
        fake.check(&head, "build", "pending");
        scenario.writes(HELD.0, RELEASED);
        does(&mut scenario, "kept");
        assert!(is_scheduled(&fake), "{kind:?}");
        assert_eq!(open(&fake)[0].body, text, "{kind:?}");
        fake.check(&head, "build", "success");
        scenario.pass();
        assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
    }
}

#[test]
fn a_window_that_closes_takes_it_back() {
    let Some((mut scenario, fake)) = gated(Kind::GitHub) else {
        return;
    };
    let hours = "paths: [apps/**], windows: [{cron: '0 0 * * *', duration: 12h, timezone: UTC}]";
    let policy = SHOP.1.replace("paths: [apps/**]", hours);
    scenario.writes(SHOP.0, &policy);
    let at = |scenario: &Scenario, time: &str| {
        let time: Timestamp = time.parse().expect("a time");
        let by = time.duration_since(scenario.clock.now());
        scenario.clock.advance(by);
    };
    at(&scenario, "2026-03-05T06:00:00Z");
    does(&mut scenario, "opened");
    assert!(is_scheduled(&fake));
    at(&scenario, "2026-03-05T13:00:00Z");
    does(&mut scenario, "kept");
    assert!(!is_scheduled(&fake));
    at(&scenario, "2026-03-06T01:00:00Z");
    does(&mut scenario, "kept");
    assert!(is_scheduled(&fake));
}

#[test]
fn what_is_not_asked_for_any_more_is_taken_back() {
    let Some((mut scenario, fake)) = gated(Kind::GitHub) else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.reconfigured(", autoMerge: squash", "");
    does(&mut scenario, "kept");
    assert!(!is_scheduled(&fake));
}

#[test]
fn what_a_person_asked_for_is_left_alone() {
    for kind in kinds() {
        let Some((mut scenario, fake)) = gated(kind) else {
            return;
        };
        scenario.reconfigured(", autoMerge: squash", "");
        does(&mut scenario, "opened");
        let head = fake.hub().tip(BRANCH).expect("the branch is there");
        fake.hub().pulls[0].auto_merge = Some((hub::Method::Squash, head));
        scenario.reconfigured("mode: pullRequest", "mode: pullRequest, autoMerge: squash");
        does(&mut scenario, "kept");
        scenario.writes(HELD.0, HELD.1);
        does(&mut scenario, "left: shop in staging: held");
        // Gitea does not tell that a person has asked before.
        assert_eq!(is_scheduled(&fake), kind != Kind::Gitea, "{kind:?}");
    }
}

#[test]
fn a_registry_that_is_down_takes_nothing_back() {
    let Some((mut scenario, fake)) = gated(Kind::GitHub) else {
        return;
    };
    does(&mut scenario, "opened");
    let down = Rule::new("acme/shop", Fault::status(503));
    scenario.registry.set_faults(Faults::one(down));
    does(&mut scenario, "left: shop in staging");
    assert!(is_scheduled(&fake));
}

#[test]
fn the_note_stays_readable() {
    let Some((mut scenario, fake)) = gated(Kind::BitbucketDataCenter) else {
        return;
    };
    does(&mut scenario, "opened");
    let note = body::hidden(&open(&fake)[0].body).expect("a note");
    assert!(note.ends_with(" merge=asked"), "{note}");
}
