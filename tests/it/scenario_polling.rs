//! What is known of tags over time: old lists, lists that shrank, and restarts.

use jiff::SignedDuration;
use tagwright::demo::registry::{Fault, Faults, Part, Rule};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// Shop and cart, both up to date and listed.
fn scenario() -> Option<Scenario> {
    let mut scenario = Scenario::new(&[SHOP, SHOP_POD, CART, CART_POD])?;
    scenario.push("acme/shop", &["0.8.0", "0.9.0", "1.0.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    scenario.rests();
    Some(scenario)
}

/// How many lists were asked for so far.
fn lists(scenario: &Scenario) -> usize {
    let requests = scenario.registry.requests();
    let lists = requests.iter().filter(|r| r.path.contains("/tags/list"));
    lists.count()
}

#[test]
fn nothing_new_is_chosen_from_an_old_list_and_the_rest_goes_on() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let down = Rule::new("acme/shop", Fault::status(500)).on(Part::Tags);
    scenario.registry.set_faults(Faults::one(down));
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.push("acme/cart", &["1.1.0"]);
    // An older list holds something newer than what this site has, and it is what runs elsewhere.
    scenario.writes("apps/other.yaml", "image: HOST/acme/shop:0.9.0\n");
    let before = scenario.tree();
    let pass = scenario.lands(2);
    scenario.assert_changed(
        &before,
        &[
            ("apps/cart.yaml", "1.0.0", "1.1.0"),
            ("apps/other.yaml", "0.9.0", "1.0.0"),
        ],
    );
    assert_stage(&pass.observation, "shop/staging", "change", &[]);
    let pass = scenario.rests();
    let words = [
        "the tags are those of 2026-03-02T09:30:00Z",
        "nothing new is chosen",
        "failed with status 500",
    ];
    assert_stage(&pass.observation, "shop/staging", "failed", &words);
    // Nor by a policy that would find something better in it.
    scenario.writes("apps/shop.yaml", "image: HOST/acme/shop:0.8.0\n");
    scenario.writes("apps/other.yaml", "image: HOST/acme/shop:0.8.0\n");
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "failed", &words);
    scenario.registry.set_faults(Faults::default());
    scenario.clock.advance(SignedDuration::from_mins(10));
    scenario.lands(1);
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
}

#[test]
fn a_list_that_shrank_is_believed_after_an_hour() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    for tag in ["0.8.0", "1.0.0"] {
        scenario.registry.untag("acme/shop", tag);
    }
    for _ in 0..3 {
        let pass = scenario.rests();
        let words = ["nothing new is chosen", "shrank from 3 to 1 tags"];
        assert_stage(&pass.observation, "shop/staging", "failed", &words);
        scenario.clock.advance(SignedDuration::from_mins(20));
    }
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", &["gone"]);
}

#[test]
fn a_restart_lists_nothing_that_is_not_due() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let asked = lists(&scenario);
    scenario.restarts();
    scenario.pass_by_interval();
    assert_eq!(lists(&scenario), asked, "all of it is known");
    // Away for a day: what is known is too old to choose from, and is listed within the interval.
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.restarts();
    scenario.clock.advance(SignedDuration::from_hours(24));
    scenario.restarts();
    let pass = scenario.pass_by_interval();
    assert_eq!(lists(&scenario), asked, "no burst");
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["listed again"],
    );
    scenario.clock.advance(SignedDuration::from_mins(5));
    scenario.pass_by_interval();
    assert_eq!(lists(&scenario), asked + 2);
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
}

#[test]
fn without_its_cache_the_service_chooses_the_same() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.pass_of_another();
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
    scenario.rests();
}
