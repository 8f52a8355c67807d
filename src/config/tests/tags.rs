//! `tags`: what may be written, what must fit together, and what lies beneath.

use super::*;
use crate::policy::{Level, Order, Write};

fn app_with(tags: &str) -> Apps {
    let text = format!("version: 1\napp: shop\nimage: a/b\ntags: {{{tags}}}\n");
    apps_of(&entry("policies/"), &[("shop.yaml", &text)])
}

#[test]
fn every_order_is_read() {
    for (tags, order) in [
        ("", "semver \"*\""),
        ("semver: ^1", "semver \"^1\""),
        ("calver: YYYY.MM.MICRO", "calver \"YYYY.MM.MICRO\""),
        ("calver: 'YYYYMMDD[.MICRO]'", "calver \"YYYYMMDD[.MICRO]\""),
        ("numerical: highest", "numerical highest"),
        ("numerical: lowest", "numerical lowest"),
        ("alphabetical: highest", "alphabetical highest"),
        ("alphabetical: lowest", "alphabetical lowest"),
    ] {
        let apps = app_with(tags);
        assert!(
            apps.diagnostics.is_empty(),
            "{}",
            rendered(&apps.diagnostics)
        );
        assert_eq!(apps.apps[0].policy.order.to_string(), order);
        assert_eq!(apps.apps[0].stages[0].write, Write::Tag);
    }
    let keyed = app_with("numerical: highest, match: {pattern: '-(?<ts>[0-9]+)$', key: $ts}");
    assert!(keyed.apps[0].policy.pattern.as_ref().unwrap().has_key());
    let level = app_with("semver: '*', level: patch");
    assert_eq!(level.apps[0].policy.level, Some(Level::Patch));
}

#[test]
fn keys_that_are_not_wired_are_still_checked() {
    for (yaml, wanted) in [
        ("newest: pushed", None),
        ("newest: lately", Some("`lately` is not known here")),
        ("digest: main", None),
        ("digest: 'a b'", Some("`a b` is not a tag")),
        ("platforms: [linux/amd64, linux/arm64]", None),
        ("platforms: [linux]", Some("`linux` is not a platform")),
        ("minimumAge: 3d", None),
        ("minimumAge: soon", Some("`soon` is not a duration")),
        ("onMissingTime: firstSeen", None),
        ("onMissingTime: never", Some("`never` is not known here")),
        ("settle: 10m", None),
        ("settle: 400d", Some("`400d` is out of range")),
    ] {
        let text = format!("version: 1\ntags: {{{yaml}}}\n");
        let loaded = crate::config::policy("p.yaml", &text);
        let said = lines(&loaded.diagnostics).concat();
        match wanted {
            None => assert!(loaded.value.is_some() && said.is_empty(), "{yaml}: {said}"),
            Some(wanted) => assert!(said.contains(wanted), "{yaml}: {said}"),
        }
    }
}

#[test]
fn what_does_not_fit_together_is_told_where_it_stands() {
    let at = "policies/shop.yaml:4:";
    for (tags, expected) in [
        (
            "semver: ^1, calver: YYYY",
            "20: error: `semver` and `calver` are two orders",
        ),
        (
            "numerical: highest, loose: true",
            "28: error: `loose` means nothing to `numerical`",
        ),
        (
            "alphabetical: lowest, variant: any",
            "30: error: `variant` means nothing to `alphabetical`",
        ),
        (
            "numerical: highest, level: minor",
            "28: error: `level` means nothing to `numerical`",
        ),
        (
            "numerical: highest, prereleases: true",
            "28: error: `prereleases` means nothing to `numerical`",
        ),
        (
            "calver: YYYY, loose: true",
            "22: error: `loose` means nothing to `calver`",
        ),
        ("calver: YYYY.M", "16: error: `M` is not known in a format"),
        ("numerical: first", "19: error: `first` is not known here"),
        ("level: huge", "15: error: `huge` is not known here"),
        ("match: {pattern: a}", "15: error: `key` is missing"),
        (
            "match: {pattern: a, key: $b}",
            "33: error: the pattern has no group `b`",
        ),
        (
            "match: {pattern: '(?<version>.)', key: $1}",
            "47: error: the group `version` is what is compared already; rename it or remove the key",
        ),
        (
            "match: {pattern: (, key: $1}",
            "25: error: not a regular expression: unclosed group",
        ),
        ("match: {patern: a}", "16: error: unknown key `patern`"),
        ("match: [a]", "15: error: expected a text, found a list"),
    ] {
        let said = lines(&app_with(tags).diagnostics);
        let expected = format!("{at}{expected}");
        assert!(
            said.iter().any(|line| line.starts_with(&expected)),
            "{tags}: {said:#?}"
        );
    }
}

#[test]
fn what_is_written_fits_what_is_followed() {
    let check = |tags: &str, write: &str| {
        let text = format!("version: 1\napp: shop\nimage: a/b\ntags: {{{tags}}}\n{write}\n");
        let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
        let said = lines(&apps.diagnostics);
        (said.len(), said)
    };
    for (tags, write, mistakes) in [
        ("digest: main", "", 0),
        ("digest: main", "write: tag@digest", 0),
        ("digest: main", "write: digest", 0),
        ("digest: main", "write: tag", 1),
        ("semver: ^1", "write: tag@digest", 0),
        ("semver: ^1", "write: tag", 0),
        ("semver: ^1", "write: digest", 1),
        ("digest: main, match: a", "", 1),
        ("digest: main, ignore: [a]", "", 1),
        ("newest: pushed, match: a, ignore: [b]", "", 0),
        ("newest: pushed, loose: true", "", 1),
        ("newest: created, match: {pattern: (a), key: $1}", "", 1),
    ] {
        let (found, said) = check(tags, write);
        assert_eq!(found, mistakes, "{tags} {write}: {said:#?}");
    }
}

#[test]
fn an_order_of_ones_own_leaves_other_orders_out() {
    let defaults =
        "version: 1\ntags: {semver: ^1, loose: true, variant: any, ignore: [a], match: b}\n";
    let order = |tags: &str| {
        let text = format!("version: 1\napp: shop\nimage: a/b\ntags: {{{tags}}}\n");
        let files = [("defaults.yaml", defaults), ("shop.yaml", text.as_str())];
        let apps = apps_of(&entry("policies/"), &files);
        assert!(
            apps.diagnostics.is_empty(),
            "{}",
            rendered(&apps.diagnostics)
        );
        apps.apps[0].policy.clone()
    };
    let calver = order("calver: YYYY.MM");
    assert!(matches!(calver.order, Order::Calver(_)));
    assert!(calver.pattern.is_some());
    let semver = order("semver: ^2");
    assert_eq!(semver.order.to_string(), "semver \"^2\"");
    assert_eq!(semver.loose, crate::policy::Parts::Loose);
    let default = order("ignore: [c]");
    assert_eq!(default.order.to_string(), "semver \"^1\"");
    // What one writes oneself has to mean something.
    let text = "version: 1\napp: shop\nimage: a/b\ntags: {numerical: highest, loose: true}\n";
    let files = [("defaults.yaml", defaults), ("shop.yaml", text)];
    assert_eq!(errors(&apps_of(&entry("policies/"), &files).diagnostics), 1);
}
