//! What the tags say: digests that move with their tag, tags that moved, are gone or have no order.

use jiff::SignedDuration;

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage};

#[test]
fn a_digest_beside_a_tag_moves_with_it() {
    let Some(mut scenario) = Scenario::new(&[SHOP]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let old = scenario.digest("acme/shop", "1.0.0");
    let new = scenario.digest("acme/shop", "1.1.0");
    scenario.writes(
        "apps/a.yaml",
        &format!("image: HOST/acme/shop:1.0.0@{old}\n"),
    );
    scenario.writes(
        "apps/kustomization.yaml",
        &format!("images:\n  - name: HOST/acme/shop\n    newTag: 1.0.0\n    digest: {old}\n"),
    );
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (
                "apps/a.yaml",
                &format!("1.0.0@{old}"),
                &format!("1.1.0@{new}"),
            ),
            ("apps/kustomization.yaml", "newTag: 1.0.0", "newTag: 1.1.0"),
            ("apps/kustomization.yaml", &old, &new),
        ],
    );
    scenario.rests();
}

#[test]
fn a_tag_that_moved_is_refused_and_reported() {
    let Some(mut scenario) = Scenario::new(&[SHOP, CART, CART_POD]) else {
        return;
    };
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    scenario.push("acme/shop", &["1.0.0"]);
    let recorded = scenario.digest("acme/shop", "1.0.0");
    scenario.writes(
        "apps/a.yaml",
        &format!("image: HOST/acme/shop:1.0.0@{recorded}\n"),
    );
    let now = scenario
        .push_content("acme/shop", "1.0.0", "something else")
        .to_string();
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/cart.yaml", "1.0.0", "1.1.0")]);
    let words = ["moved", recorded.as_str(), now.as_str()];
    assert_stage(&pass.observation, "shop/staging", "failed", &words);
    // Something newer is another matter.
    scenario.push("acme/shop", &["1.0.1"]);
    let before = scenario.tree();
    let new = scenario.digest("acme/shop", "1.0.1");
    scenario.lands(1);
    let (old, new) = (format!("1.0.0@{recorded}"), format!("1.0.1@{new}"));
    scenario.assert_changed(&before, &[("apps/a.yaml", &old, &new)]);
}

#[test]
fn a_tag_gone_from_the_registry_is_reported_and_nothing_older_taken() {
    let files = [SHOP, ("apps/shop.yaml", "image: HOST/acme/shop:1.1.0\n")];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["0.7.0", "0.8.0", "0.9.0", "1.0.0", "1.1.0"]);
    scenario.rests();
    scenario.registry.untag("acme/shop", "1.1.0");
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["1.1.0", "gone"],
    );
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.2.0\n"));
}

#[test]
fn a_tag_without_an_order_waits_unless_it_may_be_replaced() {
    let files = [SHOP, ("apps/shop.yaml", "image: HOST/acme/shop:latest\n")];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "latest"]);
    let pass = scenario.rests();
    let words = ["latest", "unordered", "`unordered: replace`"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    let policy = format!("{}unordered: replace\n", SHOP.1);
    scenario.writes(SHOP.0, &policy);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/shop.yaml", "latest", "1.0.0")]);
}

#[test]
fn nothing_moves_back() {
    let policy = format!("{}tags: {{semver: ^1}}\n", SHOP.1);
    let files = [
        (SHOP.0, policy.as_str()),
        ("apps/shop.yaml", "image: HOST/acme/shop:2.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.9.0", "2.0.0"]);
    let pass = scenario.rests();
    let words = ["2.0.0", "1.9.0", "nothing moves back"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
}

#[test]
fn a_recorded_digest_is_compared_once_for_each_listing() {
    let Some(mut scenario) = Scenario::new(&[SHOP]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    let digest = scenario.digest("acme/shop", "1.0.0");
    scenario.writes(
        "apps/a.yaml",
        &format!("image: HOST/acme/shop:1.0.0@{digest}\n"),
    );
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "upToDate", &[]);
    let asked = scenario.registry.requests().len();
    scenario.pass_by_interval();
    assert_eq!(scenario.registry.requests().len(), asked);
    // The registry's own interval is five minutes; twice that at most after the first look.
    scenario.clock.advance(SignedDuration::from_mins(10));
    scenario.push_content("acme/shop", "1.0.0", "something else");
    let pass = scenario.pass_by_interval();
    assert_stage(&pass.observation, "shop/staging", "failed", &["moved"]);
}
