//! People's commands: each is a commit by `git` in the person's own name, and counts in the next pass.

use std::path::Path;

use crate::binary::{Fleet, Ran};
use crate::repo::Work;
use crate::scenario::{CART, CART_POD, SHOP, assert_stage};

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

fn fleet() -> Option<Fleet> {
    let fleet = Fleet::new(&[SHOP, POD, CART, CART_POD])?;
    fleet.scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    fleet.scenario.push("acme/cart", &["1.0.0"]);
    Some(fleet)
}

/// A clone with somebody's name in it.
fn clone(fleet: &Fleet) -> Work {
    let work = fleet.scenario.repo.clone_to();
    for (key, value) in [
        ("user.name", "Grace Hopper"),
        ("user.email", "grace@example.com"),
    ] {
        let git = fleet.scenario.repo.git();
        git.ok(work.path(), &["config", key, value]);
    }
    work
}

/// Runs a command in a clone.
fn run(fleet: &Fleet, work: &Path, arguments: &[&str]) -> Ran {
    let path = work.to_str().expect("the folder's name is UTF-8");
    fleet.place.run(&[arguments, &["--path", path]].concat())
}

#[test]
fn each_command_is_a_commit_in_the_persons_name() {
    let Some(mut fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    let hold = [
        "hold",
        "shop",
        "staging",
        "--reason",
        "incident: 4711",
        "--until",
        "2026-12-01T09:00:00Z",
    ];
    let ran = run(&fleet, work.path(), &hold).exits(0);
    let entry = "- hold: \"incident: 4711\"\n  until: 2026-12-01T09:00:00Z\n";
    assert_eq!(ran.stdout, entry);
    assert_eq!(fleet.scenario.read(FILE), entry);
    let log = fleet.scenario.repo.log("%an <%ae> %s|%b");
    assert!(
        log.starts_with("Grace Hopper <grace@example.com> shop: hold staging|incident: 4711"),
        "{log}"
    );
    let pass = fleet.scenario.rests();
    let words = ["held until 2026-12-01T09:00:00Z by Grace Hopper"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);

    run(&fleet, work.path(), &["release", "shop", "staging"]).exits(0);
    fleet.scenario.rests_at("1.1.0");
    let rollback = [
        "rollback",
        "shop",
        "staging",
        "--reason",
        "login broken",
        "-o",
        "json",
    ];
    // What the clone has is behind; the branch says what ran before, and the clone what runs.
    let git = fleet.scenario.repo.git();
    git.ok(work.path(), &["pull", "--quiet", "--ff-only"]);
    let report = run(&fleet, work.path(), &rollback).exits(0).json();
    assert_eq!(report["result"], "pushed");
    assert_eq!(report["commit"], fleet.scenario.repo.head());
    let pass = fleet.scenario.pass();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "change",
        &["Grace Hopper", "login broken"],
    );
    assert!(fleet.scenario.read(POD.0).ends_with(":1.0.0\n"));
    let pass = fleet.scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["held by Grace Hopper"],
    );
    run(&fleet, work.path(), &["release", "shop", "staging"]).exits(0);
    let pass = fleet.scenario.rests();
    let words = ["went back from 1.1.0", "Grace Hopper"];
    assert_stage(&pass.observation, "shop/staging", "upToDate", &words);
    run(
        &fleet,
        work.path(),
        &["approve", "shop", "staging", "1.1.0"],
    )
    .exits(0);
    fleet.scenario.rests_at("1.1.0");
    let reject = ["reject", "shop", "staging", "1.2.0", "--reason", "not yet"];
    run(&fleet, work.path(), &reject).exits(0);
    fleet.scenario.push("acme/shop", &["1.2.0"]);
    fleet.scenario.rests();
    run(&fleet, work.path(), &["deploy", "shop", "staging", "1.2.0"]).exits(0);
    fleet.scenario.rests_at("1.2.0");
}

#[test]
fn all_apps_are_held_and_released_at_once() {
    let Some(mut fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    let freezes = ".tagwright/freezes.yaml";
    let hold = |more: &[&str]| {
        let all = ["hold", "--all", "--reason", "incident 4711"];
        run(&fleet, work.path(), &[&all, more].concat())
    };
    let until = ["--stage", "staging", "--until", "2100-01-01T00:00:00Z"];
    let named = hold(&until).exits(0);
    let entry = "- stages: [staging]\n  until: 2100-01-01T00:00:00Z\n  reason: incident 4711\n";
    assert_eq!(named.stdout, entry);
    let words = "no app has a stage `live`, but staging";
    let ran = hold(&["--stage", "live"]).exits(1);
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    // The branch has moved on when the next one is pushed.
    let scenario = &fleet.scenario;
    let theirs = format!("{entry}- reason: theirs\n");
    scenario.races("HEAD", |work| work.write(freezes, &theirs));
    let report = hold(&["-o", "json"]).exits(0).json();
    assert_eq!(report["stages"], serde_json::json!([]));
    assert_eq!(
        scenario.read(freezes),
        format!("{theirs}- reason: incident 4711\n")
    );
    let log = scenario.repo.log("%an: %s|%b");
    assert!(
        log.starts_with("Grace Hopper: freeze all stages|incident 4711"),
        "{log}"
    );
    let release = |more: &[&str]| run(&fleet, work.path(), &[&["release", "--all"], more].concat());
    release(&["--stage", "staging"]).exits(0);
    assert!(
        scenario
            .read(freezes)
            .ends_with("- release: true\n  stages: [staging]\n")
    );
    for wrong in [
        &["hold", "shop", "staging", "--all", "--reason", "x"][..],
        &["hold", "shop", "--reason", "x"],
    ] {
        run(&fleet, work.path(), wrong).exits(2);
    }
    let told = fleet.place.run(&["history", "-o", "json"]).exits(0).json();
    let events = told["repositories"][0]["events"].as_array();
    let words: Vec<String> = events
        .into_iter()
        .flatten()
        .map(|event| format!("{} {}", event["decision"], event["stages"]))
        .collect();
    let (all, staging) = ("\"freeze\" []", "[\"staging\"]");
    let expected = [
        format!("\"release\" {staging}"),
        all.to_owned(),
        all.to_owned(),
        format!("\"freeze\" {staging}"),
    ];
    assert_eq!(words[..4], expected);
    fleet.scenario.rests_at("1.1.0");
}

#[test]
fn a_persons_files_and_branches_stay_as_they_are() {
    let Some(fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    let git = fleet.scenario.repo.git();
    work.write("apps/shop.yaml", "image: unfinished\n");
    work.write("draft", "x");
    git.ok(work.path(), &["add", "draft"]);
    let state = |what: &[&str]| git.text(work.path(), what);
    let before = [
        state(&["status", "--porcelain"]),
        state(&["rev-parse", "HEAD"]),
    ];
    // The branch has moved on since the clone was made.
    fleet.scenario.writes("notes.txt", "x\n");
    let work_path = work.path();
    run(&fleet, work_path, &["release", "cart", "staging"]).exits(0);
    assert_eq!(
        before,
        [
            state(&["status", "--porcelain"]),
            state(&["rev-parse", "HEAD"])
        ]
    );
    assert_eq!(state(&["worktree", "list"]).lines().count(), 1);
    let changed = ["show", "--format=", "--name-status", "main"];
    let changed = git.text(fleet.scenario.repo.path(), &changed);
    assert_eq!(changed, "A\t.tagwright/decisions/cart/staging.yaml");
}

#[test]
fn a_branch_that_moves_meanwhile_is_followed() {
    let Some(fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    fleet
        .scenario
        .races("HEAD", |work| work.write(FILE, "- hold: first\n"));
    let reject = ["hold", "shop", "staging", "--reason", "second"];
    run(&fleet, work.path(), &reject).exits(0);
    assert_eq!(fleet.scenario.read(FILE), "- hold: first\n- hold: second\n");
}

#[test]
fn an_entry_that_is_refused_is_printed() {
    let Some(fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    let before = fleet.scenario.repo.head();
    fleet
        .scenario
        .repo
        .hook("pre-receive", "echo 'only by pull request' >&2; exit 1");
    let ran = run(&fleet, work.path(), &["release", "shop", "staging"]).exits(1);
    assert_eq!(ran.stdout, "- release: true\n");
    for word in ["only by pull request", FILE] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    assert_eq!(fleet.scenario.repo.head(), before);
}

#[test]
fn what_is_not_there_is_told() {
    let Some(fleet) = fleet() else {
        return;
    };
    let work = clone(&fleet);
    for (arguments, words) in [
        (
            &["release", "shpo", "staging"][..],
            "no valid app named `shpo`",
        ),
        (
            &["release", "shop", "live"],
            "`shop` has no stage `live`, but staging",
        ),
        (&["deploy", "shop", "staging", "a b"], "`a b` is no tag"),
        (&["rollback", "shop", "staging"], "name the tag"),
    ] {
        let ran = run(&fleet, work.path(), arguments).exits(1);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let nowhere = tempfile::tempdir().expect("a folder can be made");
    let ran = run(&fleet, nowhere.path(), &["release", "shop", "staging"]).exits(1);
    assert!(ran.stderr.contains("is no Git clone"), "{}", ran.stderr);
}
