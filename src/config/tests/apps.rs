//! App files: defaults, limits, names, and all mistakes of a file at once.

use super::*;
use crate::config::{Detect, FluxMarker, all, looks_like_app_file};
use crate::policy::{Order, Parts, Policy, Prereleases, Unordered, Variant};

const MINIMAL: &str = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\n";

fn range(policy: &Policy) -> &str {
    let Order::Semver(range) = &policy.order else {
        panic!("{}", policy.order);
    };
    range.as_str()
}

#[test]
fn a_minimal_app_has_one_stage_over_everything() {
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", MINIMAL)]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let shop = &apps.apps[0];
    assert_eq!(
        (shop.name.as_str(), shop.blob.as_str()),
        ("shop", "0123abc")
    );
    assert_eq!(shop.file, "policies/shop.yaml");
    assert_eq!(shop.image.to_string(), "ghcr.io/acme/shop");
    assert_eq!(range(&shop.policy), "*");
    assert_eq!(shop.detect, Detect::ByName);
    assert_eq!(shop.marker, None);
    assert_eq!(shop.stages.len(), 1);
    assert_eq!(shop.stages[0].name.as_str(), "default");
    assert!(shop.stages[0].paths.matches("any/where.yaml"));
}

#[test]
fn every_supported_key_counts() {
    let text = "version: 1
app: shop
image: ghcr.io/acme/shop
tags:
  semver: ^1
  match: '^v(?<version>.+)$'
  ignore: ['*-debug']
  prereleases: true
  loose: true
  variant: alpine
write: tag
unordered: replace
detect: false
marker: apps:{app}-policy
stages:
  - name: staging
    paths: ['apps/staging/{app}/**']
  - name: production
    paths: [apps/production/]
    exclude: ['apps/production/{app}/old']
    tags: {semver: ~1.2}
";
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", text)]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let shop = &apps.apps[0];
    let policy = &shop.policy;
    assert_eq!(range(policy), "^1");
    assert!(policy.pattern.as_ref().unwrap().takes_out());
    assert_eq!(policy.prereleases, Prereleases::Allow);
    assert_eq!(policy.loose, Parts::Loose);
    assert_eq!(policy.variant, Variant::Named("alpine".to_owned()));
    assert_eq!(policy.unordered, Unordered::Replace);
    assert_eq!(shop.detect, Detect::MarkersOnly);
    let marker = FluxMarker {
        namespace: "apps".to_owned(),
        name: "shop-policy".to_owned(),
    };
    assert_eq!(shop.marker, Some(marker));
    let [staging, production] = &shop.stages[..] else {
        panic!("two stages")
    };
    assert!(staging.paths.matches("apps/staging/shop/a.yaml"));
    assert!(!staging.paths.matches("apps/staging/web/a.yaml"));
    assert_eq!(range(&staging.policy), "^1");
    assert!(production.paths.matches("apps/production/shop/a.yaml"));
    assert!(!production.paths.matches("apps/production/shop/old/a.yaml"));
    // A stage's tags take the place of the app's as a whole.
    assert_eq!(range(&production.policy), "~1.2");
    assert_eq!(production.policy.loose, Parts::Three);
    assert_eq!(production.policy.unordered, Unordered::Replace);
}

#[test]
fn the_nearest_defaults_win_key_by_key() {
    let files = [
        (
            "defaults.yaml",
            "version: 1\ntags: {semver: ^1, loose: true, ignore: [a, b]}\ndetect: false\nmarker: 'flux-system:{app}'\n",
        ),
        (
            "team/defaults.yaml",
            "version: 1\ntags: {semver: ^2, ignore: [c]}\nstages: [{name: s, paths: ['apps/{app}/']}]\n",
        ),
        ("web.yaml", "version: 1\napp: web\nimage: a/web\n"),
        (
            "team/shop.yaml",
            "version: 1\napp: shop\nimage: a/shop\ntags: {semver: ^3}\n",
        ),
        (
            "team/sub/own.yaml",
            "version: 1\napp: own\nimage: a/own\ndetect: true\nstages: [{name: t, paths: [x]}]\n",
        ),
        ("teams/far.yaml", "version: 1\napp: far\nimage: a/far\n"),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let shown: Vec<_> = apps
        .apps
        .iter()
        .map(|app| {
            let policy = &app.policy;
            let stage = &app.stages[0];
            format!(
                "{} {} {:?} {:?} {} {} {:?}",
                app.name,
                range(policy),
                policy.loose,
                app.detect,
                app.marker.as_ref().unwrap(),
                stage.name,
                stage.paths.include().written()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "shop ^3 Loose MarkersOnly flux-system:shop s [\"apps/shop/\"]",
            "own ^2 Loose ByName flux-system:own t [\"x\"]",
            "far ^1 Loose MarkersOnly flux-system:far default [\"**\"]",
            "web ^1 Loose MarkersOnly flux-system:web default [\"**\"]",
        ]
    );
}

#[test]
fn a_wrong_defaults_file_is_told_once_and_stops_what_rests_on_it() {
    let files = [
        (
            "a/defaults.yaml",
            "version: 1\napp: x\nimage: a/b\ntags: {ignore: ['[']}\ndetct: false\n",
        ),
        ("a/one.yaml", "version: 1\napp: one\nimage: a/one\n"),
        ("a/b/two.yaml", "version: 1\napp: two\nimage: a/two\n"),
        ("three.yaml", "version: 1\napp: three\nimage: a/three\n"),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    let told = lines(&apps.diagnostics);
    assert_eq!(
        told,
        [
            "policies/a/defaults.yaml:2:1: error: `app` can't have a default (write it into the app file)",
            "policies/a/defaults.yaml:3:1: error: `image` can't have a default (write it into the app file)",
            "policies/a/defaults.yaml:4:17: error: `[` is not a glob: unclosed character class; missing ']'",
            "policies/a/defaults.yaml:5:1: error: unknown key `detct` (did you mean `detect`?)",
        ]
    );
    assert_eq!(apps.apps.len(), 1);
    let broken: Vec<_> = apps
        .broken
        .iter()
        .map(|broken| {
            (
                broken.name.as_ref().unwrap().as_str(),
                broken.fault.as_str(),
            )
        })
        .collect();
    let fault = "policies/a/defaults.yaml";
    assert_eq!(broken, [("two", fault), ("one", fault)]);
}

#[test]
fn an_app_keeps_within_its_entry() {
    let limited = entry(
        "{path: policies/, mayWrite: [teams/a/**], images: [ghcr.io/acme/a/**], registries: [team-a]}",
    );
    let app = |image: &str, rest: &str| format!("version: 1\napp: shop\nimage: {image}\n{rest}");
    let inside = "stages: [{name: s, paths: [teams/a/prod/]}]\n";
    for (text, words) in [
        (app("ghcr.io/acme/a/shop", inside), None),
        (app("ghcr.io/acme/b/shop", inside), Some("may not watch")),
        (app("nginx", inside), Some("may not watch")),
        (app("ghcr.io/acme/a/shop", ""), Some("may reach beyond")),
        (
            app(
                "ghcr.io/acme/a/shop",
                "stages: [{name: s, paths: [teams/a/**, teams/b/**]}]\n",
            ),
            Some("`teams/b/**`"),
        ),
        (
            app(
                "ghcr.io/acme/a/shop",
                "stages: [{name: s, paths: ['teams/*/x']}]\n",
            ),
            Some("may reach beyond"),
        ),
    ] {
        let apps = apps_of(&limited, &[("shop.yaml", &text)]);
        match words {
            None => assert_eq!(apps.apps.len(), 1, "{}", rendered(&apps.diagnostics)),
            Some(words) => {
                assert!(apps.apps.is_empty(), "{text}");
                assert_eq!(apps.diagnostics.len(), 1);
                assert!(
                    apps.diagnostics[0].message.contains(words),
                    "{}",
                    apps.diagnostics[0]
                );
                assert_eq!(apps.diagnostics[0].file, "policies/shop.yaml");
            }
        }
    }
}

#[test]
fn defaults_outside_the_limits_stop_only_the_apps_that_use_them() {
    let limited = entry("{path: policies/, mayWrite: [teams/a/**]}");
    let files = [
        (
            "defaults.yaml",
            "version: 1\nstages: [{name: s, paths: [teams/b/]}]\n",
        ),
        ("out.yaml", "version: 1\napp: out\nimage: a/b\n"),
        (
            "own.yaml",
            "version: 1\napp: own\nimage: a/b\nstages: [{name: s, paths: [teams/a/]}]\n",
        ),
    ];
    let apps = apps_of(&limited, &files);
    assert_eq!(apps.apps[0].name.as_str(), "own");
    assert_eq!(apps.broken[0].fault, "policies/out.yaml");
}

#[test]
fn of_two_names_the_first_entry_keeps_it() {
    let (first, second) = (entry("policies/"), entry("more/"));
    let file = |path| PolicyFile {
        path,
        text: MINIMAL,
        blob: "0",
    };
    let (own, other) = ([file("policies/a.yaml")], [file("more/b.yaml")]);
    let apps = all(&[(&first, &own), (&second, &other)]);
    assert_eq!(apps.apps.len(), 1);
    assert_eq!(
        (apps.apps[0].file.as_str(), apps.apps[0].entry),
        ("policies/a.yaml", 0)
    );
    assert_eq!(apps.broken[0].file, "more/b.yaml");
    assert_eq!(
        lines(&apps.diagnostics),
        [
            "policies/a.yaml:2:6: warning: the app name `shop` is also used by more/b.yaml (this one is listed first and keeps the name)",
            "more/b.yaml:2:6: error: the app name `shop` is taken by policies/a.yaml (app names are unique in a config repo)",
        ]
    );
}

#[test]
fn of_two_names_in_one_entry_none_is_used() {
    let files = [("a.yaml", MINIMAL), ("b/c.yaml", MINIMAL)];
    let apps = apps_of(&entry("policies/"), &files);
    assert!(apps.apps.is_empty());
    assert_eq!(apps.broken.len(), 2);
    let told: Vec<_> = apps
        .diagnostics
        .iter()
        .map(|found| found.file.as_str())
        .collect();
    assert_eq!(told, ["policies/a.yaml", "policies/b/c.yaml"]);
}

#[test]
fn a_broken_app_keeps_its_name() {
    let files = [("a.yaml", "version: 1\napp: shop\nimage: a/b\nbad: 1\n")];
    let (first, second) = (entry("policies/"), entry("more/"));
    let broken = [PolicyFile {
        path: "policies/a.yaml",
        text: files[0].1,
        blob: "0",
    }];
    let other = [PolicyFile {
        path: "more/b.yaml",
        text: MINIMAL,
        blob: "0",
    }];
    let apps = all(&[(&first, &broken), (&second, &other)]);
    assert!(apps.apps.is_empty());
    assert!(
        apps.broken
            .iter()
            .all(|app| app.name.as_ref().unwrap().as_str() == "shop")
    );
}

#[test]
fn other_files_are_passed_over() {
    let files = [
        ("README.md", "# Policies\n"),
        ("app.schema.json", "{}"),
        ("shop.yaml", MINIMAL),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    assert_eq!((apps.apps.len(), apps.diagnostics.len()), (1, 0));
    let elsewhere = apps_of(&entry("other/"), &files);
    assert_eq!((elsewhere.apps.len(), elsewhere.diagnostics.len()), (0, 0));
}

#[test]
fn one_wrong_file_stops_one_app() {
    let files = [("a.yaml", "version: 1\napp: [\n"), ("shop.yaml", MINIMAL)];
    let apps = apps_of(&entry("policies/"), &files);
    assert_eq!(apps.apps.len(), 1);
    assert_eq!(apps.broken.len(), 1);
    assert_eq!(apps.broken[0].name, None);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = "version: 2
app: Shop
imgae: ghcr.io/acme/shop
tags:
  semver: '^1 <'
  match: '('
  ignore: [ok, '[']
  prereleases: 'yes'
  variant: alpine 3
  sufix: x
unordered: replcae
detect: 1
marker: shop
detect: true
targets: []
stages:
  - name: staging
    paths: [/apps, ../x, 'a/{ap}/**', 1.10]
    soak: 24h
  - name: staging
    paths: []
  - nam: production
    paths: apps/production
    tags: {semver: nope}
  - ~
";
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", text)]);
    assert!(apps.apps.is_empty());
    assert!(errors(&apps.diagnostics) >= 12);
    insta::assert_snapshot!(rendered(&apps.diagnostics));
}

#[test]
fn a_range_with_a_trap_is_warned_of_once_and_used() {
    let files = [
        (
            "defaults.yaml",
            "version: 1\ntags: {semver: '>=1.0.0-0 <2.0.0'}\n",
        ),
        ("a.yaml", "version: 1\napp: a\nimage: x/a\n"),
        ("b.yaml", "version: 1\napp: b\nimage: x/b\n"),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    assert_eq!(apps.apps.len(), 2);
    assert_eq!(apps.diagnostics.len(), 1, "{:?}", lines(&apps.diagnostics));
    let warning = &apps.diagnostics[0];
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.file, "policies/defaults.yaml");
    assert!(warning.message.contains("pre-releases"), "{warning}");
}

#[test]
fn app_files_are_known_by_two_keys() {
    for (text, app_file) in [
        (MINIMAL, true),
        ("app: x\nversion: 2\nmore: 1\n", true),
        ("version: 1\napp: [\n", false),
        ("apiVersion: apps/v1\nkind: Deployment\n", false),
        ("version: '3'\nservices: {app: {image: a}}\n", false),
        ("version: 1\nappVersion: 2\n", false),
        ("- version: 1\n- app: x\n", false),
        ("", false),
    ] {
        assert_eq!(looks_like_app_file(text), app_file, "{text}");
    }
}
