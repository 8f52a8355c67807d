//! What `history` tells: the service's commits, people's edits and reverts, their decisions, and nothing of
//! what changed no image.

use crate::binary::{Fleet, Place};
use crate::scenario::{self, CART, CART_POD, SHOP};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

/// Ids as far as text shows them.
fn scrub(fleet: &Fleet, text: &str) -> String {
    let short = regex::Regex::new(r"\b[0-9a-f]{12}\b").expect("the pattern is valid");
    let text = fleet.scrub(text);
    short.replace_all(&text, "SHORT").into_owned()
}

/// A service's commits, an edit, a revert, a decision, a rename, a commit about nothing.
fn fleet() -> Option<Fleet> {
    let mut fleet = Fleet::new(&[SHOP, POD, CART, CART_POD])?;
    let scenario = &mut fleet.scenario;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    scenario.lands(2);
    scenario.writes("notes.txt", "nothing\n");
    let git = scenario.repo.git();
    let work = scenario.repo.clone_to();
    git.ok(work.path(), &["revert", "--no-edit", "HEAD~1"]);
    work.push();
    let entries = scenario.text("- reject: HOST/acme/shop:1.1.0\n  reason: leaks memory\n");
    scenario.person("Reject", |work| work.write(FILE, &entries));
    scenario.person("Tidy up", |work| {
        work.write("apps/moved/shop.yaml", work.read("apps/shop.yaml"));
        std::fs::remove_file(work.path().join("apps/shop.yaml")).expect("it is there");
    });
    scenario.writes("apps/moved/shop.yaml", "image: HOST/acme/shop:1.0.5\n");
    scenario.person("Take it back", |work| work.write(FILE, ""));
    Some(fleet)
}

#[test]
fn history_tells_who_changed_what_and_who_decided() {
    let Some(fleet) = fleet() else {
        return;
    };
    let text = fleet.place.run(&["history"]).exits(0);
    insta::assert_snapshot!("history_text", scrub(&fleet, &text.stdout));
    assert_eq!(text.stderr.lines().count(), 1, "{}", text.stderr);
    let shop = ["history", "shop", "--stage", "staging", "-o", "json"];
    let json = fleet.place.run(&shop).exits(0);
    insta::assert_snapshot!("history_json", fleet.scrub(&json.stdout));
    let log = fleet.scenario.repo.log("%H");
    let ids: Vec<&str> = log.lines().collect();
    let told = json.json();
    let events = told["repositories"][0]["events"].as_array();
    let commits = events.into_iter().flatten();
    let commits: Vec<&str> = commits
        .filter_map(|event| event["commit"].as_str())
        .collect();
    // Not the rename, the notes and what cart got.
    let expected = [0, 1, 3, 4, 6, 8].map(|at: usize| ids[at]);
    assert_eq!(commits, expected);
}

#[test]
fn history_is_as_long_as_asked_for() {
    let Some(fleet) = fleet() else {
        return;
    };
    let told = |more: &[&str]| {
        let all = [&["history", "-o", "json"], more].concat();
        let told = fleet.place.run(&all).exits(0).json();
        let repository = &told["repositories"][0];
        let count = repository["events"].as_array().map(Vec::len);
        (count, repository["end"].as_str().map(str::to_owned))
    };
    let (all, end) = told(&["--limit", "0"]);
    assert_eq!(end.as_deref(), Some("beginning"));
    assert_eq!(told(&["--limit", "2"]), (Some(2), Some("asked".into())));
    assert_eq!(
        told(&["--since", "2100-01-01"]),
        (Some(0), Some("asked".into()))
    );
    assert_eq!(
        told(&["--since", "2001-01-01"]),
        (all, Some("beginning".into()))
    );
    let (cart, _) = told(&["cart"]);
    assert_eq!(cart, Some(2));
    for arguments in [
        &["history", "shpo"][..],
        &["history", "shop", "--stage", "live"],
        &["history", "--since", "yesterday"],
        &["history", "--repository", "other"],
    ] {
        fleet.place.run(arguments).exits(1);
    }
}

#[test]
fn history_is_fetched_as_far_as_it_is_told() {
    let Some(fleet) = fleet() else {
        return;
    };
    let whole = fleet.place.run(&["history"]).exits(0);
    let keys = "policies: [policies/]\ndepth: 1";
    let scenario = &fleet.scenario;
    let configuration = scenario::configuration(&scenario.registry.host(), &scenario.repo, keys);
    let place = Place::new(&[("tagwright.yaml", &configuration)]);
    let newest = place.run(&["history", "--limit", "1"]).exits(0);
    let first = whole.stdout.lines().next();
    assert_eq!(newest.stdout.lines().next(), first, "{}", newest.stderr);
    let told = place.run(&["history"]).exits(0);
    assert_eq!(told.stdout, whole.stdout);
}
