//! Merges against the status: a person's act, told for as long as the stage runs what it brought.

use jiff::Timestamp;

use tagwright::forge::Kind;
use tagwright::reconcile::pulls::Ungated;
use tagwright::reconcile::{Freshness, Observation};

use crate::forges::Fake;
use crate::forges::hub::Method;
use crate::scenario::{SHOP, Scenario};
use crate::scenario_pulls::{BRANCH, KINDS, does, scenario};

const HELD: (&str, &str) = (
    ".tagwright/decisions/shop/staging.yaml",
    "- hold: incident 4711\n",
);

const BEFORE: &str = "image: HOST/acme/shop:1.0.0\n";

const AFTER: &str = "image: HOST/acme/shop:1.1.0\n";

/// What is told of shop's stage.
fn told(observation: &Observation) -> Option<Ungated> {
    let mut stages = observation.plan.ungated.iter();
    let told = stages.find(|(key, _)| observation.snapshot.names(**key) == ("shop", "staging"));
    told.map(|(_, ungated)| ungated.clone())
}

/// What the service tells, and a process that begins with nothing at all.
fn told_by_both(scenario: &mut Scenario, case: &str) -> Option<Ungated> {
    let told_on = told(&scenario.pass().observation);
    let anew = scenario.another_service().pass(Freshness::Anew);
    let anew = told(&anew.expect("a pass").observation);
    assert_eq!(told_on, anew, "{case}");
    told_on
}

/// An open pull request of shop's change, whose status turned to pending since a person holds the stage.
fn held(kind: Kind) -> Option<(Scenario, Fake)> {
    let (mut scenario, fake) = scenario(kind, "")?;
    does(&mut scenario, "opened");
    scenario.writes(HELD.0, HELD.1);
    does(&mut scenario, "left: shop in staging: held");
    Some((scenario, fake))
}

fn at(scenario: &Scenario, time: &str) {
    let time: Timestamp = time.parse().expect("a time");
    let by = time.duration_since(scenario.clock.now());
    scenario.clock.advance(by);
}

#[test]
fn a_merge_while_it_is_held_is_told_until_a_person_goes_back() {
    // Each makes other commits; the forges tell them alike.
    let others = [Method::Squash, Method::Rebase].map(|method| (Kind::GitHub, method));
    let kinds = KINDS.map(|kind| (kind, Method::Merge));
    for (kind, method) in kinds.into_iter().chain(others) {
        let case = format!("{kind:?} {method:?}");
        let Some((mut scenario, fake)) = held(kind) else {
            return;
        };
        fake.hub().merge(1, "bob", method).expect("a merge");
        let ungated = told_by_both(&mut scenario, &case).expect("it is told");
        assert_eq!(ungated.number, 1, "{case}");
        assert_eq!(ungated.by.as_deref(), Some("bob"), "{case}");
        assert!(ungated.at.is_some() && !ungated.url.is_empty(), "{case}");
        assert!(ungated.missing.contains("incident 4711"), "{ungated:?}");
        scenario.restarts();
        assert_eq!(told(&scenario.pass().observation), Some(ungated), "{case}");
        scenario.writes("apps/shop.yaml", BEFORE);
        assert_eq!(told(&scenario.pass().observation), None, "{case}");
        // To go there once more by hand is another act.
        scenario.writes("apps/shop.yaml", AFTER);
        assert_eq!(told_by_both(&mut scenario, &case), None);
    }
}

#[test]
fn a_merge_while_it_is_green_is_none() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        fake.merge(1, "bob");
        assert_eq!(told_by_both(&mut scenario, "green"), None, "{kind:?}");
        assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
        // What comes to stand against the stage later was not against the merge.
        scenario.writes(HELD.0, HELD.1);
        assert_eq!(told_by_both(&mut scenario, "held"), None, "{kind:?}");
    }
}

#[test]
fn something_newer_ends_it() {
    let Some((mut scenario, fake)) = held(Kind::GitHub) else {
        return;
    };
    fake.merge(1, "bob");
    assert!(told_by_both(&mut scenario, "merged").is_some());
    scenario.writes(HELD.0, "- hold: incident 4711\n- release: true\n");
    scenario.push("acme/shop", &["1.2.0"]);
    assert!(told_by_both(&mut scenario, "opened").is_some());
    fake.merge(2, "ann");
    assert_eq!(told_by_both(&mut scenario, "newer"), None);
}

#[test]
fn passes_without_merges_ask_no_more_than_before() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = held(kind) else {
            return;
        };
        fake.merge(1, "bob");
        scenario.pass();
        scenario.pass();
        let mut asked = || {
            let before = fake.requests().len();
            let is_told = told(&scenario.pass().observation).is_some();
            assert!(is_told, "{kind:?}");
            fake.requests().split_off(before)
        };
        // What is open is looked for in every pass, and nothing else.
        assert_eq!(asked().len(), 1, "{kind:?}");
        assert_eq!(asked().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_forge_that_does_not_tell_now_is_asked_again() {
    let Some((mut scenario, fake)) = held(Kind::GitLab) else {
        return;
    };
    fake.merge(1, "bob");
    // The first request of a pass lists what is open.
    fake.before("GET /merge_requests", |hub| hub.is_hidden = true);
    scenario.pass();
    fake.hub().is_hidden = false;
    assert!(told(&scenario.pass().observation).is_some());
}

#[test]
fn a_freeze_a_window_and_an_approval_count_alike() {
    let stage = "paths: [apps/**]";
    let hours = "paths: [apps/**], windows: [{cron: '0 0 * * *', duration: 12h, timezone: UTC}]";
    let asks = "paths: [apps/**], approvals: {required: 1, from: ['@ops'], identity: author}";
    let people = "people: [{name: ada, emails: [ada@acme.example]}]\n\
                  groups: [{name: ops, members: [ada]}]\n";
    for (policy, missing) in [(hours, "window"), (asks, "approval")] {
        let Some((mut scenario, fake)) = scenario(Kind::Gitea, "") else {
            return;
        };
        scenario.serves_with(people);
        at(&scenario, "2026-03-05T13:00:00Z");
        scenario.writes(SHOP.0, &SHOP.1.replace(stage, policy));
        does(&mut scenario, "opened");
        fake.merge(1, "bob");
        let ungated = told(&scenario.pass().observation).expect(missing);
        assert!(ungated.missing.contains(missing), "{ungated:?}");
    }
    let Some((mut scenario, fake)) = scenario(Kind::Gitea, "") else {
        return;
    };
    does(&mut scenario, "opened");
    let freeze = "- {stages: [staging], until: 2027-01-01T00:00:00Z, reason: holidays}\n";
    scenario.writes(".tagwright/freezes.yaml", freeze);
    scenario.pass();
    fake.merge(1, "bob");
    let ungated = told_by_both(&mut scenario, "frozen").expect("it is told");
    assert!(ungated.missing.contains("holidays"), "{ungated:?}");
}

#[test]
fn what_others_say_of_the_head_is_no_status_of_ours() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    let head = fake.hub().tip(BRANCH).expect("the branch is there");
    fake.check(&head, "build", "failure");
    fake.merge(1, "bob");
    assert_eq!(told_by_both(&mut scenario, "build"), None);
}
