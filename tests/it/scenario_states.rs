//! What is to be known of stages and sites besides what happens to them, told as states.

use tagwright::reconcile::Observation;
use tagwright::reconcile::states::{self, Why};

use crate::scenario::{SHOP, Scenario};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// The states of shop's stage, as people read them.
fn told(observation: &Observation) -> Vec<String> {
    let mut stages = observation.plan.stages.iter();
    let stage = stages
        .find(|stage| observation.snapshot.names(stage.key) == ("shop", "staging"))
        .expect("a stage");
    let states = observation.states(stage);
    states.iter().map(ToString::to_string).collect()
}

#[test]
fn what_runs_above_its_tags_is_told_with_the_command() {
    let Some(mut scenario) = Scenario::new(&[SHOP, POD]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.rests_at("1.1.0");
    assert_eq!(told(&scenario.observe()), [""; 0]);
    let narrowed = SHOP.1.replace("stages:", "tags: {semver: <1.1.0}\nstages:");
    assert_ne!(narrowed, SHOP.1);
    scenario.writes(SHOP.0, &narrowed);
    assert_eq!(
        told(&scenario.rests().observation),
        [
            "above policy: 1.1.0 runs, which its `tags` don't accept; `tagwright deploy shop staging \
             1.0.0` moves it to the best that they do"
        ]
    );
    // As soon as it runs something that passes, it is over.
    scenario.writes(POD.0, POD.1);
    assert_eq!(told(&scenario.rests().observation), [""; 0]);
}

#[test]
fn what_disagrees_has_moved_or_is_claimed_twice_is_told() {
    let Some(mut scenario) = Scenario::new(&[SHOP, POD]) else {
        return;
    };
    let digest = scenario.push_content("acme/shop", "1.0.0", "one");
    let recorded = format!("image: HOST/acme/shop:1.0.0@{digest}\n");
    scenario.writes(POD.0, &recorded);
    scenario.push_content("acme/shop", "1.0.0", "other");
    let states = told(&scenario.rests().observation);
    assert!(
        states.len() == 1 && states[0].starts_with("moved: 1.0.0 is recorded with sha256:"),
        "{states:?}"
    );
    scenario.writes(POD.0, POD.1);
    scenario.writes("apps/more.yaml", "image: HOST/acme/shop:0.9.0\n");
    scenario.writes(
        ".tagwright/decisions/shop/staging.yaml",
        "- hold: not now\n",
    );
    assert_eq!(
        told(&scenario.rests().observation),
        ["split: other sites have 0.9.0"]
    );
    let twin = SHOP.1.replace("app: shop", "app: twin");
    scenario.writes("policies/twin.yaml", &twin);
    assert_eq!(
        told(&scenario.rests().observation),
        ["contested: others claim sites of it too, so nobody writes those; the warnings name them"]
    );
}

#[test]
fn a_site_that_another_stage_reads_is_told() {
    let staging = "version: 1\napp: shop\nimage: HOST/acme/shop\n\
                   stages:\n  - {name: staging, paths: [base/**]}\n  - {name: live, paths: [live/**]}\n";
    let files = [
        ("policies/shop.yaml", staging),
        ("base/pod.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("base/kustomization.yaml", "resources: [pod.yaml]\n"),
        (
            "live/kustomization.yaml",
            "resources: [../base]\nimages: []\n",
        ),
        ("live/own.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    assert_eq!(
        told(&scenario.rests().observation),
        [
            "shared: base/pod.yaml:1:8 is read by live of shop too, through live/kustomization.yaml; it is \
             written only when both are to get the same"
        ]
    );
}

#[test]
fn sites_that_nobody_manages_are_told_by_image() {
    let others = "a: {image: ghcr.io/x/one:1}\nb: {image: ghcr.io/x/one:2}\nc: {image: HOST/acme/shop:1.0.0}\n";
    let Some(mut scenario) = Scenario::new(&[SHOP, POD, ("else/where.yaml", others)]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    let pass = scenario.rests();
    let found = states::unowned(&pass.observation.snapshot);
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.why, it.sites, it.file, it.position.line))
        .collect();
    assert_eq!(
        found,
        [
            (Why::Unwatched, 2, "else/where.yaml", 1),
            (Why::Unreached, 1, "else/where.yaml", 3)
        ]
    );
}
