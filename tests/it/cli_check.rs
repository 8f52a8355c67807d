//! `check`: everything that is wrong or left out, without any registry.

use serde_json::Value;

use crate::binary::Place;

const SHOP: &str = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\nstages:\n  - {name: staging, paths: [apps/**]}\n";

const POD: (&str, &str) = ("apps/shop.yaml", "image: ghcr.io/acme/shop:1.0.0\n");

fn place(files: &[(&str, &str)]) -> Place {
    Place::new(&[&[("policies/shop.yaml", SHOP), POD], files].concat())
}

/// What is told, a line each.
fn told(report: &Value) -> Vec<String> {
    let rows = report["diagnostics"].as_array().into_iter().flatten();
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let place = match (row["line"].as_u64(), row["column"].as_u64()) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", text("file")),
            _ => text("file"),
        };
        format!(
            "{place}: {}: {} ({})",
            text("severity"),
            text("message"),
            text("hint")
        )
    })
    .collect()
}

#[test]
fn a_sound_tree_has_nothing_to_tell() {
    let place = place(&[]);
    let ran = place.run(&["check", "--strict"]).exits(0);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr, "1 app, 1 managed site; 0 errors, 0 warnings\n");
    let report = place.run(&["check", "-o", "json"]).exits(0);
    insta::assert_snapshot!(report.stdout);
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_hint() {
    let place = place(&[(
        "policies/cart.yaml",
        "version: 1\napp: cart\nimgae: ghcr.io/acme/cart\n",
    )]);
    let ran = place.run(&["check"]).exits(2);
    for words in [
        "error: unknown key `imgae`",
        "policies/cart.yaml:3:1",
        "3 | imgae: ghcr.io/acme/cart",
        "did you mean `image`?",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{}", ran.stdout);
    }
    let report = place.run(&["check", "-o", "json"]).exits(2);
    insta::assert_snapshot!(report.stdout);
}

#[test]
fn every_kind_of_mistake_is_found_in_one_run() {
    let place = place(&[
        (
            "policies/cart.yaml",
            "version: 1\napp: cart\nimage: ghcr.io/acme/cart\n",
        ),
        (
            "policies/bad.yaml",
            "version: 1\napp: bad\nimage: ghcr.io/acme/bad\ntags: {semver: '>>1'}\n",
        ),
        (
            "apps/marker.yaml",
            "image: ghcr.io/acme/shop:1.0.0  # tagwright: shpo\n",
        ),
        ("apps/broken.yaml", "x: [\nimage: ghcr.io/acme/shop:1.0.0\n"),
        (
            "other/nginx.yaml",
            "a: {image: nginx:1}\nb: {image: nginx:2}\n",
        ),
        ("other/shop.yaml", POD.1),
    ]);
    let ran = place.run(&["check", "-o", "json"]).exits(2);
    let told = told(&ran.json());
    let wanted = [
        "apps/broken.yaml:1:4: error: not read, so nothing in it is updated",
        "apps/marker.yaml:1:8: warning: the marker names the app `shpo`",
        "other/nginx.yaml:1:12: warning: nobody manages docker.io/library/nginx, here and at 1 other place",
        "other/shop.yaml:1:8: warning: nobody manages ghcr.io/acme/shop: no stage of an app that watches it",
        "policies/bad.yaml:4:16: error: `>>` is not an operator",
        "policies/cart.yaml: error: no site for the stage `default`",
    ];
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}\n{wanted}");
    }
}

#[test]
fn warnings_fail_only_under_strict() {
    let place = place(&[("other/nginx.yaml", "image: nginx:1\n")]);
    let ran = place.run(&["check"]).exits(0);
    assert!(
        ran.stdout.contains("warning: nobody manages"),
        "{}",
        ran.stdout
    );
    place.run(&["check", "--strict"]).exits(1);
    place.write("other/nginx.yaml", "image: nginx:1  # tagwright: ignore\n");
    place.run(&["check", "--strict"]).exits(0);
}

#[test]
fn the_services_configuration_is_checked_and_its_limits_hold() {
    let place = place(&[]);
    let config = "version: 1\nrepositories:\n  - name: fleet\n    url: ./fleet.git\n    policies: [{path: policies/, images: [ghcr.io/other/**]}]\n";
    place.write("tagwright.yaml", config);
    let ran = place.run(&["check", "-o", "json"]).exits(2);
    let limited = |line: &String| line.starts_with("policies/shop.yaml:3:8: error: ");
    assert!(told(&ran.json()).iter().any(limited), "{}", ran.stdout);
    place.write(
        "tagwright.yaml",
        config.replace("url:", "URL:").replace("1\n", "2\n"),
    );
    let ran = place.run(&["check", "-o", "json"]).exits(2);
    let told = told(&ran.json());
    assert!(
        told.iter()
            .any(|line| line.contains("tagwright.yaml:4:5") && line.contains("`url`?")),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|line| line.contains("tagwright.yaml:1:10")),
        "{told:#?}"
    );
}

#[test]
fn another_tree_and_another_folder_can_be_checked() {
    let place = Place::new(&[
        ("tree/team/shop.yaml", SHOP),
        ("tree/apps/shop.yaml", POD.1),
    ]);
    let ran = place
        .run(&["check", "tree", "--policies", "team/"])
        .exits(0);
    assert!(
        ran.stderr.starts_with("1 app, 1 managed site"),
        "{}",
        ran.stderr
    );
    place.run(&["check", "tree", "--policies", "../x"]).exits(1);
    // Files are named as reached from the argument, so that an editor finds them.
    place.write("tree/team/shop.yaml", SHOP.replace("image:", "imgae:"));
    let ran = place
        .run(&["check", "tree", "--policies", "team/", "-o", "json"])
        .exits(2);
    assert!(
        told(&ran.json())
            .iter()
            .any(|line| line.starts_with("tree/team/shop.yaml:3:1")),
        "{}",
        ran.stdout
    );
    let ran = place
        .run(&["check", "tree", "--policies", "team/"])
        .exits(2);
    assert!(
        ran.stdout.contains("3 | imgae: ghcr.io/acme/shop"),
        "{}",
        ran.stdout
    );
    let ran = place.run(&["check", "nowhere"]).exits(1);
    assert!(
        ran.stderr.contains("nowhere can't be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn of_several_config_repos_one_must_be_named() {
    let place = place(&[]);
    let entry = |name: &str, images: &str| {
        format!(
            "  - name: {name}\n    url: ./{name}.git\n    policies: [{{path: policies/, images: [{images}]}}]\n"
        )
    };
    let config = format!(
        "version: 1\nrepositories:\n{}{}",
        entry("one", "ghcr.io/acme/**"),
        entry("two", "ghcr.io/other/**")
    );
    place.write("tagwright.yaml", config);
    let ran = place.run(&["check"]).exits(1);
    assert!(ran.stderr.contains("--repository"), "{}", ran.stderr);
    place.run(&["check", "--repository", "one"]).exits(0);
    place.run(&["check", "--repository", "two"]).exits(2);
    let ran = place.run(&["check", "--repository", "three"]).exits(1);
    assert!(ran.stderr.contains("`three`"), "{}", ran.stderr);
}

#[test]
fn checks_that_nobody_answers_are_told_with_their_place() {
    let app = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\nstages:\n  - {name: staging, paths: [apps/**]}\n  - name: live\n    paths: [live/**]\n    after: staging\n    checks: [{gate: budgte}, {gate: load}, {gate: budget}, {statuses: [ci/e2e]}]\n";
    let place = Place::new(&[("policies/shop.yaml", app), POD, ("live/shop.yaml", POD.1)]);
    // Without a configuration nobody knows.
    place.run(&["check", "--strict"]).exits(0);
    let config = "version: 1\nrepositories:\n  - name: fleet\n    url: ./fleet.git\n    policies: [policies/]\ngates: [{name: budget, url: 'https://slo.example.com'}]\n";
    place.write("tagwright.yaml", config);
    let ran = place.run(&["check", "--strict", "-o", "json"]).exits(1);
    assert_eq!(
        told(&ran.json()),
        [
            "policies/shop.yaml:9:14: warning: no gate is called `budgte`, so the stage never changes (did you mean `budget`?)",
            "policies/shop.yaml:9:30: warning: no gate is called `load`, so the stage never changes (add it under `gates` in tagwright.yaml)",
            "policies/shop.yaml:9:60: warning: no forge can be asked for statuses, so the stage never changes (add `forge` to the config repo in tagwright.yaml)",
        ]
    );
    let forge = "    forge: {kind: github, api: 'https://ghe.example.com/api/v3', repository: acme/fleet, credentials: {token: {env: T}}}\ngates:";
    place.write(
        "tagwright.yaml",
        config
            .replace("gates:", forge)
            .replace("budget, url", "budgte, url"),
    );
    let ran = place.run(&["check", "-o", "json"]).exits(0);
    assert_eq!(told(&ran.json()).len(), 2, "{}", ran.stdout);
    place.write(
        "policies/shop.yaml",
        app.replace("    after: staging\n", ""),
    );
    let ran = place.run(&["check", "-o", "json"]).exits(0);
    let alone = "policies/shop.yaml:8:60: warning: no stage comes before";
    assert!(
        told(&ran.json()).iter().any(|line| line.starts_with(alone)),
        "{}",
        ran.stdout
    );
}
