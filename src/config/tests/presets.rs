//! The ready-made policies, each with the table beside it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::image::Tag;
use crate::policy::{Current, Datum, Evidence, NoChoice, Outcome, Time, TimeSource, Times, select};

/// The texts between backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A tag, and the time after its `=`.
fn timed(text: &str) -> (Tag, Times) {
    let (name, time) = text.split_once('=').unwrap_or((text, ""));
    let pushed = match time {
        "" => Datum::Absent,
        time => Datum::Known(Time {
            at: time.parse().unwrap(),
            source: TimeSource::Given,
        }),
    };
    let created = pushed;
    (name.parse().unwrap(), Times { pushed, created })
}

/// What the policy in `yaml` chooses in a row of its table; empty for nothing.
fn chosen(yaml: &str, runs: Option<&str>, tags: &[&str]) -> String {
    let loaded = crate::config::policy("preset.yaml", yaml);
    assert!(
        loaded.diagnostics.is_empty(),
        "{}",
        rendered(&loaded.diagnostics)
    );
    let times: BTreeMap<Tag, Times> = tags.iter().map(|text| timed(text)).collect();
    let tags: Vec<Tag> = times.keys().cloned().collect();
    let runs: Option<Tag> = runs.map(|tag| tag.parse().unwrap());
    let current = runs.as_ref().map_or(Current::Nothing, Current::Tag);
    let evidence = Evidence::new(&tags, current, Timestamp::UNIX_EPOCH).with_times(&times);
    match select(&loaded.value.unwrap(), &evidence).outcome {
        Outcome::Selected(tag) | Outcome::UpToDate(tag) => tag.to_string(),
        Outcome::Unordered(_) | Outcome::Nothing(NoChoice::NotListed(_)) => String::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_ready_made_policy_chooses_what_its_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let yaml = std::fs::read_to_string(&path).unwrap();
        let table = std::fs::read_to_string(path.with_extension("md")).unwrap();
        assert!(table.starts_with(&format!("# {name}\n")), "{name}");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
            .map(|row| row.split('|').collect())
            .collect();
        assert_eq!(rows[0], [" runs ", " tags ", " choice "], "{name}");
        assert!(rows.len() >= 6, "{name} has few rows");
        for row in &rows[2..] {
            let (runs, tags, choice) = (quoted(row[0]), quoted(row[1]), quoted(row[2]));
            let found = chosen(&yaml, runs.first().copied(), &tags);
            assert_eq!(found, choice.concat(), "{name}: {row:?}");
        }
        names.push(name);
    }
    names.sort();
    let mut known = crate::config::preset_names();
    known.sort_unstable();
    assert_eq!(names, known);
}

/// The apps of a policies folder with these defaults and this app.
fn laid(files: &[(&str, &str)]) -> Apps {
    let apps = apps_of(&entry("policies/"), files);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    apps
}

#[test]
fn an_app_takes_a_ready_made_policy() {
    let app = |more: &str| format!("version: 1\napp: shop\nimage: a/b\n{more}\n");
    let defaults = |more: &str| format!("version: 1\n{more}\n");
    for (above, own, order, level) in [
        ("", "extends: semver-minor", "semver \"*\"", true),
        ("", "extends: numeric-build", "numerical highest", false),
        ("extends: numeric-build", "", "numerical highest", false),
        // The nearest counts, and nothing of the other one.
        (
            "extends: numeric-build",
            "extends: semver-minor",
            "semver \"*\"",
            true,
        ),
        (
            "extends: semver-minor",
            "extends: calver",
            "calver \"YYYY.MM[.MICRO]\"",
            false,
        ),
        // What is written counts more.
        (
            "",
            "extends: semver-minor\ntags: {semver: ^2}",
            "semver \"^2\"",
            true,
        ),
        (
            "",
            "extends: semver-minor\ntags: {numerical: lowest}",
            "numerical lowest",
            false,
        ),
        (
            "tags: {semver: ^3}",
            "extends: semver-minor",
            "semver \"*\"",
            true,
        ),
        (
            "extends: semver-minor\ntags: {semver: ^3}",
            "",
            "semver \"^3\"",
            true,
        ),
        (
            "extends: branch-build",
            "tags: {semver: ^3}",
            "semver \"^3\"",
            false,
        ),
    ] {
        let (defaults, app) = (defaults(above), app(own));
        let apps = laid(&[("defaults.yaml", &defaults), ("shop.yaml", &app)]);
        let policy = &apps.apps[0].policy;
        assert_eq!(policy.order.to_string(), order, "{above} {own}");
        assert_eq!(policy.level.is_some(), level, "{above} {own}");
    }
}

#[test]
fn an_unknown_ready_made_policy_has_a_suggestion() {
    let text = "version: 1\napp: shop\nimage: a/b\nextends: semver-stabel\n";
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", text)]);
    assert_eq!(
        lines(&apps.diagnostics),
        [
            "policies/shop.yaml:4:10: error: `semver-stabel` is not known here (did you mean `semver-stable`?)"
        ]
    );
}
