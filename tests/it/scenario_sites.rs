//! Who may write a site: markers, comments that take a site out, claims that clash, limits of folders.

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_problem, assert_stage, stage, view};

/// Pushes shop 1.0.0 and 1.1.0.
fn release(scenario: &Scenario) {
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
}

#[test]
fn a_comment_takes_a_site_or_a_file_out() {
    let files = [
        SHOP,
        (
            "apps/a.yaml",
            "a: {image: HOST/acme/shop:1.0.0}  # tagwright: ignore\nb: {image: HOST/acme/shop:1.0.0}\n",
        ),
        (
            "apps/b.yaml",
            "# tagwright: ignore\nimage: HOST/acme/shop:1.0.0\n",
        ),
        ("apps/c.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (
                "apps/a.yaml",
                "b: {image: HOST/acme/shop:1.0.0",
                "b: {image: HOST/acme/shop:1.1.0",
            ),
            ("apps/c.yaml", "1.0.0", "1.1.0"),
        ],
    );
    scenario.rests();
}

#[test]
fn markers_decide_before_names() {
    let files = [
        SHOP,
        CART,
        // Named like shop's image, but a person has given it to cart.
        (
            "apps/cart.yaml",
            "image: HOST/acme/cart:1.0.0  # tagwright: cart\n",
        ),
        ("apps/value.yaml", "shopTag: 1.0.0  # tagwright: shop:tag\n"),
        (
            "apps/flux.yaml",
            "image: HOST/acme/shop:1.0.0 # {\"$imagepolicy\": \"flux-system:shop\"}\n",
        ),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    scenario.push("acme/cart", &["1.0.0", "1.2.0"]);
    let before = scenario.tree();
    scenario.lands(2);
    scenario.assert_changed(
        &before,
        &[
            ("apps/cart.yaml", "1.0.0", "1.2.0"),
            ("apps/value.yaml", "1.0.0", "1.1.0"),
            ("apps/flux.yaml", "1.0.0", "1.1.0"),
        ],
    );
}

#[test]
fn a_marker_that_nobody_answers_keeps_the_site_and_is_reported() {
    let cases = [
        (
            "# tagwright: shoop",
            "`shoop`, which doesn't exist",
            "did you mean `shop`?",
        ),
        (
            "# tagwright: shop/production",
            "`production`, which `shop` doesn't have",
            "policies/shop.yaml",
        ),
        (
            "# {\"$imagepolicy\": \"flux-system:other\"}",
            "no app answers to the marker `flux-system:other`",
            "`marker: flux-system:other`",
        ),
    ];
    for (marker, reason, hint) in cases {
        let marked = format!("image: HOST/acme/shop:1.0.0  {marker}\n");
        let files = [
            SHOP,
            ("apps/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
            ("apps/foreign.yaml", &marked),
        ];
        let Some(mut scenario) = Scenario::new(&files) else {
            return;
        };
        release(&scenario);
        let before = scenario.tree();
        let pass = scenario.lands(1);
        scenario.assert_changed(&before, &[("apps/a.yaml", "1.0.0", "1.1.0")]);
        assert_problem(&pass.observation, "apps/foreign.yaml:1:8", &[reason, hint]);
    }
}

#[test]
fn a_name_in_two_namespaces_is_ambiguous_until_the_app_says_which() {
    let files = [
        SHOP,
        (
            "apps/a.yaml",
            "image: HOST/acme/shop:1.0.0 # {\"$imagepolicy\": \"one:shop\"}\n",
        ),
        (
            "apps/b.yaml",
            "image: HOST/acme/shop:1.0.0 # {\"$imagepolicy\": \"two:shop\"}\n",
        ),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    let pass = scenario.rests();
    for file in ["apps/a.yaml:1", "apps/b.yaml:1"] {
        assert_problem(&pass.observation, file, &["ambiguous", "one, two"]);
    }
    scenario.writes(SHOP.0, &format!("{}marker: two:shop\n", SHOP.1));
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/b.yaml", "1.0.0", "1.1.0")]);
    assert_problem(&pass.observation, "apps/a.yaml:1", &["no app answers"]);
}

#[test]
fn of_two_apps_that_claim_one_site_none_writes_it() {
    let twin = SHOP.1.replace("app: shop", "app: twin");
    let files = [
        SHOP,
        CART,
        CART_POD,
        ("policies/twin.yaml", twin.as_str()),
        ("apps/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    scenario.push("acme/cart", &["1.1.0"]);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/cart.yaml", "1.0.0", "1.1.0")]);
    let both = [
        "shop/staging (policies/shop.yaml)",
        "twin/staging (policies/twin.yaml)",
        "nobody writes",
    ];
    assert_problem(&pass.observation, "apps/a.yaml:1:8", &both);
    // A marker settles it.
    scenario.writes(
        "apps/a.yaml",
        "image: HOST/acme/shop:1.0.0  # tagwright: twin\n",
    );
    scenario.lands(1);
    assert!(
        scenario
            .repo
            .log("%s")
            .starts_with("twin: staging 1.0.0 -> 1.1.0\n")
    );
}

#[test]
fn an_app_of_a_limited_folder_writes_within_its_limits_only() {
    let team = "version: 1\napp: team\nimage: HOST/acme/team\n\
        stages: [{name: staging, paths: [teams/a/**]}]\n";
    let files = [
        ("teams/a/policies/team.yaml", team),
        ("teams/a/apps/a.yaml", "image: HOST/acme/team:1.0.0\n"),
        (
            "teams/b/a.yaml",
            "image: HOST/acme/team:1.0.0  # tagwright: team\n",
        ),
    ];
    let keys =
        "policies:\n  - {path: teams/a/policies/, mayWrite: [teams/a/**], images: [HOST/acme/**]}";
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    scenario.push("acme/team", &["1.0.0", "1.1.0"]);
    scenario.push("other/team", &["1.0.0", "1.1.0"]);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("teams/a/apps/a.yaml", "1.0.0", "1.1.0")]);
    assert_problem(
        &pass.observation,
        "teams/b/a.yaml:1:8",
        &["no stage of it covers"],
    );

    // Whoever widens the app's own paths still stays within the service's limit.
    scenario.push("acme/team", &["1.2.0"]);
    let wide = team.replace("[teams/a/**]", "[teams/**]");
    scenario.writes("teams/a/policies/team.yaml", &wide);
    let pass = scenario.rests();
    assert_problem(
        &pass.observation,
        "teams/a/policies/team.yaml:2:6",
        &["teams/**", "beyond"],
    );
    let elsewhere = team.replace("HOST/acme/team", "HOST/other/team");
    scenario.writes("teams/a/policies/team.yaml", &elsewhere);
    let pass = scenario.rests();
    assert_problem(
        &pass.observation,
        "teams/a/policies/team.yaml:3:8",
        &["may not watch"],
    );
    assert!(
        !scenario
            .registry
            .requests()
            .iter()
            .any(|request| request.path.contains("other"))
    );
}

#[test]
fn what_is_no_manifest_is_never_scanned() {
    let site = "image: HOST/acme/shop:1.0.0\n";
    let everywhere = "version: 1\napp: shop\nimage: HOST/acme/shop\n";
    let files = [
        ("policies/shop.yaml", everywhere),
        (
            "policies/notes.json",
            "{\"image\": \"HOST/acme/shop:1.0.0\"}",
        ),
        (".github/workflows/ci.yaml", site),
        (".gitlab-ci.yml", site),
        (".tagwright/notes.yaml", site),
        ("docs/shop.md", site),
        ("deploy/a.yml", site),
        ("deploy/a.JSON", "{\"image\": \"HOST/acme/shop:1.0.0\"}"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            ("deploy/a.yml", "1.0.0", "1.1.0"),
            ("deploy/a.JSON", "1.0.0", "1.1.0"),
        ],
    );
    assert_eq!(stage(&pass.observation, "shop/default").sites, 2);
}

#[test]
fn markers_alone_are_written_where_detection_is_off() {
    let policy = format!("{}detect: false\n", SHOP.1);
    let files = [
        (SHOP.0, policy.as_str()),
        ("apps/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
        (
            "apps/b.yaml",
            "image: HOST/acme/shop:1.0.0  # tagwright: shop/staging\n",
        ),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/b.yaml", "1.0.0", "1.1.0")]);
}

#[test]
fn an_excluded_path_belongs_to_no_stage() {
    let policy = SHOP
        .1
        .replace("paths: [apps/**]", "paths: [apps/**], exclude: [apps/old/]");
    let files = [
        (SHOP.0, policy.as_str()),
        ("apps/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("apps/old/a.yaml", "image: HOST/acme/shop:0.9.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    release(&scenario);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/a.yaml", "1.0.0", "1.1.0")]);
    assert!(view(&pass.observation).problems.is_empty());
    assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
}

#[test]
fn other_names_of_an_image_stay_and_get_its_tags() {
    let app = format!("{}aliases: [mirror.example.com/hub/shop]\n", SHOP.1);
    let files = [
        (SHOP.0, app.as_str()),
        ("apps/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("apps/b.yaml", "image: mirror.example.com/hub/shop:1.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            ("apps/a.yaml", "1.0.0", "1.1.0"),
            ("apps/b.yaml", "1.0.0", "1.1.0"),
        ],
    );
    scenario.rests();
}
