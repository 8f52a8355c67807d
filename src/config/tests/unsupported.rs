//! Keys and values whose work is not done are refused by name, each at its place.

use super::*;
use crate::config::raw_app::{RawApp, RawStage};
use crate::config::raw_tags::RawTags;
use crate::config::read::Mirror;

const MINIMAL: &str = "version: 1\napp: shop\nimage: a/b\n";

/// What is said of `yaml`, put in the place of `HERE` in `file`.
fn refusal(key: &str, diagnostics: &[Diagnostic]) {
    let wanted = format!("`{key}` is not supported yet");
    let found = diagnostics.iter().find(|found| found.message == wanted);
    let found = found.unwrap_or_else(|| panic!("{key}: {:?}", lines(diagnostics)));
    assert_eq!(found.severity, Severity::Error);
    assert!(found.position.is_some() && found.hint.is_some(), "{key}");
}

fn app_with(yaml: &str) -> Vec<Diagnostic> {
    let text = format!("version: 1\napp: shop\nimage: a/b\n{yaml}\n");
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    assert!(apps.apps.is_empty(), "{text}");
    assert_eq!(apps.broken.len(), 1, "{text}");
    apps.diagnostics
}

#[test]
fn keys_of_an_app() {
    for key in ["images", "aliases", "formerly", "group"] {
        assert!(RawApp::KEYS.known.contains(&key), "{key}");
        for value in ["", "x", "[a]", "{a: {b: c}}"] {
            refusal(key, &app_with(&format!("{key}: {value}")));
        }
    }
    refusal("tag@digest", &app_with("write: tag@digest"));
    refusal("digest", &app_with("write: digest"));
}

#[test]
fn keys_of_tags() {
    for (key, value) in [
        ("newest", "pushed"),
        ("digest", "main"),
        ("platforms", "[linux/amd64]"),
        ("minimumAge", "1d"),
        ("onMissingTime", "hold"),
        ("settle", "10m"),
    ] {
        assert!(RawTags::KEYS.known.contains(&key), "{key}");
        refusal(key, &app_with(&format!("tags: {{{key}: {value}}}")));
        let stage = format!("stages: [{{name: s, paths: [a], tags: {{{key}: {value}}}}}]");
        refusal(key, &app_with(&stage));
        let tags = format!("version: 1\ntags: {{{key}: {value}}}\n");
        let files = [("defaults.yaml", tags.as_str()), ("shop.yaml", MINIMAL)];
        let apps = apps_of(&entry("policies/"), &files);
        refusal(key, &apps.diagnostics);
        assert!(apps.apps.is_empty());
    }
}

#[test]
fn ready_made_policies_that_need_such_keys() {
    let found = app_with("extends: digest-track");
    assert_eq!(
        lines(&found),
        [
            "policies/shop.yaml:4:10: error: the ready-made policy `digest-track` needs `digest`, which \
             is not supported yet"
        ]
    );
}

#[test]
fn keys_of_a_stage() {
    for key in [
        "repository",
        "image",
        "pin",
        "after",
        "promote",
        "soak",
        "windows",
        "freezes",
        "approvals",
        "fastLane",
        "checks",
        "push",
    ] {
        assert!(RawStage::KEYS.known.contains(&key), "{key}");
        refusal(
            key,
            &app_with(&format!("stages: [{{name: s, paths: [a], {key}: x}}]")),
        );
    }
}

#[test]
fn keys_of_the_service() {
    let good = "version: 1\nrepositories: [{name: r, url: /r, policies: [p]REPO}]\n";
    for (key, repository, service) in [
        ("signing", ", commit: {signing: {ssh: {file: k}}}", ""),
        ("limits", ", limits: {changesPerPass: 50}", ""),
        ("pullRequest", ", push: {mode: pullRequest}", ""),
        ("people", "", "people: []"),
        ("keys", "", "keys: {}"),
        ("groups", "", "groups: {a: [b]}"),
        ("notifiers", "", "notifiers: x"),
    ] {
        let text = format!("{}{service}\n", good.replace("REPO", repository));
        let loaded = crate::config::service("tagwright.yaml", &text);
        assert!(loaded.value.is_none(), "{key}");
        refusal(key, &loaded.diagnostics);
        assert_eq!(
            loaded.diagnostics.len(),
            1,
            "{:?}",
            lines(&loaded.diagnostics)
        );
    }
}
