//! App files: read at the commit of the manifests, and one that is wrong stops its own app only.

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_problem, assert_stage, view};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

#[test]
fn policies_and_manifests_are_of_one_commit() {
    let Some(mut scenario) = Scenario::new(&[SHOP, SHOP_POD]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.5.0", "2.0.0", "2.1.0"]);
    // One commit moves the app to other tags and the manifest to another path.
    let policy = scenario.text(&SHOP.1.replace("apps/**", "live/**"));
    let policy = format!("{policy}tags: {{semver: ~2.0.0}}\n");
    let manifest = scenario.text("image: HOST/acme/shop:1.0.0\n");
    scenario.person("Move shop", |work| {
        work.write(SHOP.0, &policy);
        work.write("live/shop.yaml", &manifest);
    });
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("live/shop.yaml", "1.0.0", "2.0.0")]);
    // And back again: nothing remembers the other policy.
    scenario.writes(SHOP.0, SHOP.1);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.0", "2.1.0")]);
}

#[test]
fn an_invalid_app_file_stops_its_own_app_only() {
    let cases = [
        (
            "version: 1\napp: shop\nimgae: HOST/acme/shop\n",
            "policies/shop.yaml:3:1",
            "did you mean `image`?",
        ),
        (
            "version: 1\napp: shop\nimage: HOST/acme/shop\ntags: {semver: '>>1'}\n",
            "policies/shop.yaml:4:16",
            "`>>` is not an operator",
        ),
        (
            "version: 1\napp: shop\nimage: [\n",
            "policies/shop.yaml:",
            "",
        ),
        (
            "version: 1\napp: shop\nimage: HOST/acme/shop\nimages: [a, b]\n",
            "policies/shop.yaml:4:1",
            "not supported yet",
        ),
        (
            "version: 2\napp: shop\nimage: HOST/acme/shop\n",
            "policies/shop.yaml:1:10",
            "",
        ),
    ];
    for (text, place, words) in cases {
        let Some(mut scenario) = Scenario::new(&[(SHOP.0, text), SHOP_POD, CART, CART_POD]) else {
            return;
        };
        scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
        scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
        let before = scenario.tree();
        let pass = scenario.lands(1);
        scenario.assert_changed(&before, &[("apps/cart.yaml", "1.0.0", "1.1.0")]);
        assert_problem(&pass.observation, place, &["error", words]);
        scenario.writes(SHOP.0, SHOP.1);
        let before = scenario.tree();
        scenario.lands(1);
        scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.0", "1.1.0")]);
    }
}

#[test]
fn other_orders_reach_the_manifests() {
    let branch = "main-abc1234-1700000000";
    for (more, runs, pushed, choice) in [
        (
            "tags: {calver: YYYY.MM.MICRO}",
            "2026.9.0",
            &["2026.9.0", "2026.9.1", "2026.10.0", "2026.10.1-rc.1"][..],
            "2026.10.0",
        ),
        (
            "tags: {numerical: highest}",
            "20260401120000123",
            &["20260401120000123", "20260401120000124", "latest"],
            "20260401120000124",
        ),
        (
            "tags: {alphabetical: lowest, match: '^v'}",
            "v5",
            &["v5", "v4", "u"],
            "v4",
        ),
        (
            "tags: {semver: '*', level: patch}",
            "1.2.3",
            &["1.2.3", "1.2.4", "1.3.0"],
            "1.2.4",
        ),
        (
            "extends: branch-build",
            branch,
            &[branch, "main-0def567-1700000001", "main-latest"],
            "main-0def567-1700000001",
        ),
    ] {
        let app = format!("{}{more}\n", SHOP.1);
        let pod = format!("image: HOST/acme/shop:{runs}\n");
        let Some(mut scenario) = Scenario::new(&[(SHOP.0, &app), (SHOP_POD.0, &pod)]) else {
            return;
        };
        scenario.push("acme/shop", pushed);
        let before = scenario.tree();
        scenario.lands(1);
        scenario.assert_changed(&before, &[(SHOP_POD.0, runs, choice)]);
    }
}

#[test]
fn two_apps_of_one_name_are_both_told_and_neither_runs() {
    let other = ("policies/again.yaml", SHOP.1);
    let Some(mut scenario) = Scenario::new(&[SHOP, other, SHOP_POD, CART, CART_POD]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/cart.yaml", "1.0.0", "1.1.0")]);
    assert_problem(
        &pass.observation,
        "policies/again.yaml:2:6",
        &["policies/shop.yaml"],
    );
    assert_problem(
        &pass.observation,
        "policies/shop.yaml:2:6",
        &["policies/again.yaml"],
    );
}

#[test]
fn a_folder_that_is_listed_first_keeps_an_apps_name() {
    let files = [SHOP, ("team/policies/shop.yaml", SHOP.1), SHOP_POD];
    let keys = "policies: [policies/, team/policies/]";
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let pass = scenario.lands(1);
    assert!(
        scenario
            .repo
            .log("%b")
            .contains("policies/shop.yaml accepts")
    );
    assert_problem(
        &pass.observation,
        "team/policies/shop.yaml:2:6",
        &["taken by policies/shop.yaml"],
    );
}

#[test]
fn defaults_lie_under_the_apps_below_them() {
    let app = |name: &str| format!("version: 1\napp: {name}\nimage: HOST/acme/{name}\n");
    let (shop, cart) = (app("shop"), app("cart"));
    let files = [
        (
            "policies/defaults.yaml",
            "version: 1\ntags: {semver: ^1}\nstages: [{name: staging, paths: ['apps/{app}.yaml']}]\n",
        ),
        (
            "policies/b/defaults.yaml",
            "version: 1\ntags: {semver: ^2}\n",
        ),
        ("policies/shop.yaml", shop.as_str()),
        ("policies/b/cart.yaml", cart.as_str()),
        SHOP_POD,
        CART_POD,
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    let tags = ["1.0.0", "1.1.0", "2.0.0", "3.0.0"];
    scenario.push("acme/shop", &tags);
    scenario.push("acme/cart", &tags);
    let before = scenario.tree();
    scenario.lands(2);
    scenario.assert_changed(
        &before,
        &[
            ("apps/shop.yaml", "1.0.0", "1.1.0"),
            ("apps/cart.yaml", "1.0.0", "2.0.0"),
        ],
    );
    // Wrong defaults stop what rests on them, and nothing else.
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.push("acme/cart", &["2.2.0"]);
    scenario.writes(
        "policies/b/defaults.yaml",
        "version: 1\ntags: {semver: '^^2'}\n",
    );
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/shop.yaml", "1.1.0", "1.2.0")]);
    assert_problem(
        &pass.observation,
        "policies/b/defaults.yaml:2:16",
        &["`^^` is not an operator"],
    );
}

#[test]
fn a_policies_folder_that_is_gone_leaves_everything_alone() {
    let Some(mut scenario) = Scenario::new(&[SHOP, SHOP_POD]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    scenario.rests();
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.person("Remove the app", |work| {
        std::fs::remove_file(work.path().join(SHOP.0)).unwrap();
    });
    let pass = scenario.rests();
    assert!(view(&pass.observation).stages.is_empty());
    scenario.writes(SHOP.0, SHOP.1);
    let pass = scenario.lands(1);
    assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
}
