//! Freezes of stages by name: they stop the service's own changes in every app, between their times, until
//! they are released.

use jiff::SignedDuration;

use crate::scenario::{CART, CART_POD, Scenario, assert_problem, assert_stage};

const FREEZES: &str = ".tagwright/freezes.yaml";

/// An app with two stages.
const SHOP: (&str, &str) = (
    "policies/shop.yaml",
    "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - {name: staging, paths: [apps/shop.yaml]}\n  - {name: live, paths: [live/**]}\n",
);

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

const LIVE: (&str, &str) = ("live/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// Shop and cart at 1.0.0, with 1.1.0 to come.
fn scenario() -> Option<Scenario> {
    let cart = (CART.0, &*CART.1.replace("apps/**", "apps/cart.yaml"));
    let scenario = Scenario::new(&[SHOP, POD, LIVE, cart, CART_POD])?.at_any_depth();
    for image in ["acme/shop", "acme/cart"] {
        scenario.push(image, &["1.0.0", "1.1.0"]);
    }
    Some(scenario)
}

fn freezes(scenario: &Scenario, text: &str) -> String {
    scenario.person("Freeze", |work| work.write(FREEZES, text))
}

#[test]
fn a_freeze_stops_its_stages_in_every_app_until_it_is_released() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let freeze = "- {stages: [staging], reason: audit}\n";
    let id = freezes(&scenario, freeze);
    let pass = scenario.lands(1);
    assert_stage(&pass.observation, "shop/live", "change", &[]);
    let words = [
        "frozen by Ada Okafor",
        &id[..12],
        "audit",
        "tagwright release --all --stage staging",
    ];
    for pass in [scenario.rests(), scenario.pass_of_another()] {
        for stage in ["shop/staging", "cart/staging"] {
            assert_stage(&pass.observation, stage, "waiting", &words);
        }
    }
    freezes(
        &scenario,
        &format!("{freeze}- {{release: true, stages: [staging]}}\n"),
    );
    scenario.lands(2);
    scenario.rests();
}

#[test]
fn a_freeze_begins_and_ends_by_the_clock() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.lands(3);
    freezes(
        &scenario,
        "- {from: 2026-03-02T10:00:00Z, until: 2026-03-02T11:00:00Z, reason: show}\n",
    );
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(29));
    scenario.push("acme/cart", &["1.2.0"]);
    scenario.lands(1);
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(1));
    let pass = scenario.rests();
    let words = ["frozen until 2026-03-02T11:00:00Z by Ada", "show"];
    assert_stage(&pass.observation, "cart/staging", "waiting", &words);
    scenario.push("acme/cart", &["1.3.0"]);
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_hours(1));
    scenario.lands(3);
}

#[test]
fn a_hold_and_a_freeze_are_both_told_and_a_deploy_goes_first() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let digest = scenario.digest("acme/shop", "1.1.0");
    scenario.person("Stop", |work| {
        work.write(FREEZES, "- {reason: all}\n");
        let entry = "- hold: this one\n".to_owned();
        work.write(".tagwright/decisions/shop/live.yaml", entry);
    });
    let pass = scenario.rests();
    let words = ["held by Ada", "this one", "; and frozen by Ada", "all"];
    assert_stage(&pass.observation, "shop/live", "waiting", &words);
    let deploy = format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n- hold: this one\n");
    scenario.writes(".tagwright/decisions/shop/live.yaml", &deploy);
    let pass = scenario.lands(1);
    assert_stage(
        &pass.observation,
        "shop/live",
        "change",
        &["decided to deploy it"],
    );
    scenario.rests();
}

#[test]
fn freezes_that_cannot_be_understood_stop_everything() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    freezes(&scenario, "- {stages: [staging], untill: x}\n");
    let pass = scenario.rests();
    for stage in ["shop/staging", "shop/live", "cart/staging"] {
        assert_stage(
            &pass.observation,
            stage,
            "failed",
            &[FREEZES, "has mistakes"],
        );
    }
    let place = format!("{FREEZES}:1:23");
    assert_problem(
        &pass.observation,
        &place,
        &["`untill`", "did you mean `until`?"],
    );
    freezes(&scenario, "- {stages: [stagign]}\n");
    let pass = scenario.lands(3);
    let words = ["no app has a stage `stagign`", "did you mean `staging`?"];
    assert_problem(&pass.observation, FREEZES, &words);
    // Taking it out is one way to end a freeze, and no mistake.
    scenario.person("Remove", |work| work.write(FREEZES, ""));
    let pass = scenario.rests();
    assert_eq!(pass.observation.problems(), []);
}

#[test]
fn the_service_file_holds_without_a_commit() {
    let keys = "policies: [policies/]\nholds:\n  - {apps: [shop], reason: our own, until: '2026-03-02T10:00:00Z'}\n  - {stages: [stagign], reason: typo}";
    let cart = (CART.0, &*CART.1.replace("apps/**", "apps/cart.yaml"));
    let files = [SHOP, POD, LIVE, cart, CART_POD];
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    for image in ["acme/shop", "acme/cart"] {
        scenario.push(image, &["1.0.0", "1.1.0"]);
    }
    scenario.lands(1);
    let pass = scenario.rests();
    let words = [
        "held until 2026-03-02T10:00:00Z by tagwright.yaml:7:9: our own",
        "out of the file",
    ];
    for stage in ["shop/staging", "shop/live"] {
        assert_stage(&pass.observation, stage, "waiting", &words);
    }
    let words = [
        "no valid app file has a stage `stagign`",
        "did you mean `staging`?",
    ];
    assert_problem(&pass.observation, "tagwright.yaml:8:9", &words);
    scenario.clock.advance(SignedDuration::from_mins(30));
    scenario.lands(2);
}
