//! Apps that move together: whose group is whose, and which of its apps can't be used.

use super::*;
use crate::config::all;

fn app(name: &str, keys: &str) -> String {
    format!("version: 1\napp: {name}\nimage: ghcr.io/acme/{name}\n{keys}\n")
}

/// The apps of two policies entries, with what is said of them.
fn of_two<'t>(first: &[(&'t str, &'t str)], second: &[(&'t str, &'t str)]) -> (Apps, Vec<String>) {
    let entries = ["one/", "two/"].map(entry);
    let files = |files: &[(&'t str, &'t str)]| -> Vec<PolicyFile<'t>> {
        let files = files.iter().map(|(path, text)| PolicyFile {
            path,
            text,
            blob: "0123abc",
        });
        files.collect()
    };
    let (one, two) = (files(first), files(second));
    let apps = all(&[(&entries[0], &one), (&entries[1], &two)]);
    let told = lines(&apps.diagnostics);
    (apps, told)
}

/// The apps with their groups, and the file that can't be used of each.
fn groups(apps: &Apps) -> Vec<String> {
    let told = apps.apps.iter().map(|app| match &app.group {
        Some(group) => {
            let broken = group.broken.as_deref().unwrap_or("-");
            format!("{} {} {broken}", app.name, group.name)
        }
        None => format!("{} alone", app.name),
    });
    told.collect()
}

#[test]
fn a_group_is_read_and_may_be_a_default() {
    let (shop, cart) = (app("shop", ""), app("cart", "group: other"));
    let (docs, mail) = (app("docs", "group: other"), app("mail", ""));
    let apps = apps_of(
        &entry("policies/"),
        &[
            ("a/defaults.yaml", "version: 1\ngroup: web\n"),
            ("a/shop.yaml", &shop),
            ("a/mail.yaml", &mail),
            ("a/cart.yaml", &cart),
            ("docs.yaml", &docs),
        ],
    );
    assert_eq!(lines(&apps.diagnostics), Vec::<String>::new());
    let wanted = ["cart other -", "mail web -", "shop web -", "docs other -"];
    assert_eq!(groups(&apps), wanted);
}

#[test]
fn a_group_of_one_app_is_told() {
    let text = app("shop", "group: web");
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    assert_eq!(groups(&apps), ["shop web -"]);
    assert_eq!(
        lines(&apps.diagnostics),
        [
            "policies/shop.yaml:4:8: warning: no other app is of the group `web` (an app by itself needs \
             no `group`)"
        ]
    );
}

#[test]
fn an_app_that_shares_no_stage_is_told() {
    let stages = |names: &[&str]| {
        let stages = names.iter();
        let stages: Vec<String> = stages
            .map(|name| format!("{{name: {name}, paths: [{name}/**]}}"))
            .collect();
        format!("group: web\nstages: [{}]", stages.join(", "))
    };
    let shop = app("shop", &stages(&["test", "live"]));
    let cart = app("cart", &stages(&["live"]));
    let docs = app("docs", &stages(&["prod"]));
    let apps = apps_of(
        &entry("policies/"),
        &[
            ("shop.yaml", shop.as_str()),
            ("cart.yaml", &cart),
            ("docs.yaml", &docs),
        ],
    );
    assert_eq!(apps.apps.len(), 3);
    assert_eq!(
        lines(&apps.diagnostics),
        [
            "policies/docs.yaml:4:8: warning: no other app of the group `web` has a stage of the same name as \
             one of this app (apps of a group move together in the stages that have one name)"
        ]
    );
}

#[test]
fn what_is_no_name_is_no_group() {
    for value in ["Web", "[web]", "''", "a b"] {
        let text = app("shop", &format!("group: {value}"));
        let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
        assert_eq!(errors(&apps.diagnostics), 1, "{value}");
        assert!(apps.apps.is_empty(), "{value}");
    }
}

#[test]
fn the_others_of_a_group_know_of_a_file_that_cannot_be_used() {
    let (shop, cart) = (app("shop", "group: web"), app("cart", "group: web"));
    let (docs, mail) = (app("docs", "group: web\nspeed: 3"), app("mail", ""));
    let files = [
        ("shop.yaml", shop.as_str()),
        ("cart.yaml", &cart),
        ("docs.yaml", &docs),
        ("mail.yaml", &mail),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    let wanted = [
        "cart web policies/docs.yaml",
        "mail alone",
        "shop web policies/docs.yaml",
    ];
    assert_eq!(groups(&apps), wanted);
}

#[test]
fn the_entry_listed_first_keeps_the_name_of_a_group() {
    let (shop, cart) = (app("shop", "group: web"), app("cart", "group: web"));
    let docs = app("docs", "group: web");
    let (apps, told) = of_two(
        &[("one/shop.yaml", &shop), ("one/cart.yaml", &cart)],
        &[("two/docs.yaml", &docs)],
    );
    assert_eq!(groups(&apps), ["cart web -", "shop web -"]);
    assert_eq!(apps.broken[0].file, "two/docs.yaml");
    assert_eq!(
        told,
        [
            "two/docs.yaml:4:8: error: the group `web` is that of apps of `one/` (apps of different \
             `policies` entries don't move together; give it another name)"
        ]
    );
}

#[test]
fn a_default_of_another_entry_is_told_once() {
    let group = "version: 1\ngroup: web\n";
    let (shop, cart) = (app("shop", ""), app("cart", ""));
    let (docs, mail) = (app("docs", ""), app("mail", ""));
    let (apps, told) = of_two(
        &[
            ("one/defaults.yaml", group),
            ("one/shop.yaml", &shop),
            ("one/cart.yaml", &cart),
        ],
        &[
            ("two/defaults.yaml", group),
            ("two/docs.yaml", &docs),
            ("two/mail.yaml", &mail),
        ],
    );
    assert_eq!(groups(&apps), ["cart web -", "shop web -"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("two/defaults.yaml:2:8: error"),
        "{told:?}"
    );
    assert_eq!(apps.broken.len(), 2);
    assert!(
        apps.broken
            .iter()
            .all(|one| one.fault == "two/defaults.yaml")
    );
}
