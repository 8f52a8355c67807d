//! Keys and values whose work is not done are refused by name, each at its place.

use super::*;
use crate::config::raw_app::{RawApp, RawStage};
use crate::config::read::Mirror;

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
    for key in ["images", "formerly"] {
        assert!(RawApp::KEYS.known.contains(&key), "{key}");
        for value in ["", "x", "[a]", "{a: {b: c}}"] {
            refusal(key, &app_with(&format!("{key}: {value}")));
        }
    }
}

#[test]
fn keys_of_a_stage() {
    for key in ["repository", "image", "pin"] {
        assert!(RawStage::KEYS.known.contains(&key), "{key}");
        refusal(
            key,
            &app_with(&format!("stages: [{{name: s, paths: [a], {key}: x}}]")),
        );
    }
}

#[test]
fn keys_of_the_service() {
    let text = "version: 1\nrepositories: [{name: r, url: /r, policies: [p]}]\nnotifiers: x\n";
    let loaded = crate::config::service("tagwright.yaml", text);
    assert!(loaded.value.is_none());
    refusal("notifiers", &loaded.diagnostics);
    let told = lines(&loaded.diagnostics);
    assert_eq!(told.len(), 1, "{told:?}");
}
