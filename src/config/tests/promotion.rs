//! What stages take from the stages before them: what is read, and what is refused with its place.

use std::time::Duration;

use super::*;
use crate::config::{Entry, Promote};

fn entries(stages: &str) -> Vec<Option<Entry>> {
    let text = format!("version: 1\napp: shop\nimage: a/b\nstages:\n{stages}");
    let mut apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let stages = apps.apps.remove(0).stages.into_iter();
    stages.map(|stage| stage.entry).collect()
}

#[test]
fn stages_come_after_one_or_several() {
    let found = entries(
        "  - {name: production, paths: [c], after: [canary, staging], soak: 24h, promote: queue}
  - {name: canary, paths: [b], after: staging}
  - {name: staging, paths: [a]}\n",
    );
    let production = Entry {
        after: vec![1, 2],
        soak: Duration::from_secs(86_400),
        promote: Promote::Queue,
    };
    let canary = Entry {
        after: vec![2],
        soak: Duration::ZERO,
        promote: Promote::Newest,
    };
    assert_eq!(found, [Some(production), Some(canary), None]);
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for (stages, expected) in [
        (
            "{name: a, paths: [a], after: b}",
            "policies/shop.yaml:5:34: error: no stage of the app is named `b`",
        ),
        (
            "{name: staging, paths: [a]}\n  - {name: b, paths: [b], after: stagin}",
            "no stage of the app is named `stagin`",
        ),
        (
            "{name: a, paths: [a], after: a}",
            "the stage `a` comes before itself",
        ),
        (
            "{name: a, paths: [a], after: c}\n  - {name: b, paths: [a], after: a}\n  - {name: c, paths: [a], after: [b]}",
            "the stage `c` comes before itself",
        ),
        (
            "{name: a, paths: [a]}\n  - {name: b, paths: [b], after: [a, a]}",
            "`a` is named twice",
        ),
        (
            "{name: a, paths: [a], soak: 2h}",
            "`soak` means nothing without `after`",
        ),
        (
            "{name: a, paths: [a], promote: queue}",
            "`promote` means nothing without `after`",
        ),
        (
            "{name: a, paths: [a]}\n  - {name: b, paths: [b], after: a, soak: soon}",
            "`soon` is not a duration",
        ),
        (
            "{name: a, paths: [a]}\n  - {name: b, paths: [b], after: a, promote: oldest}",
            "oldest",
        ),
        ("{name: a, paths: [a], after: []}", "this list is empty"),
        ("{name: a, paths: [a], after: A}", "`A` is not a name"),
    ] {
        let text = format!("version: 1\napp: shop\nimage: a/b\nstages:\n  - {stages}\n");
        let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
        assert!(apps.apps.is_empty(), "{text}");
        let told = rendered(&apps.diagnostics);
        let lines = lines(&apps.diagnostics).join("\n");
        let found = told.contains(expected) || lines.contains(expected);
        assert!(found, "{expected}\n{told}\n{lines}");
    }
}

#[test]
fn they_come_with_the_stages_of_the_defaults() {
    let defaults = "version: 1
stages:
  - {name: staging, paths: ['{app}/staging']}
  - {name: production, paths: ['{app}/production'], after: staging, soak: 2d}
";
    let app = "version: 1\napp: shop\nimage: a/b\n";
    let files = [("defaults.yaml", defaults), ("shop.yaml", app)];
    let apps = apps_of(&entry("policies/"), &files);
    let stages = &apps.apps[0].stages;
    let soak = stages[1].entry.as_ref().map(|entry| entry.soak);
    assert_eq!(soak, Some(Duration::from_secs(2 * 86_400)));
}
