//! `plan`, `sync` and `explain` against a registry and a config repo.

use tagwright::demo::registry::{Fault, Faults, Rule};

use crate::binary::{Fleet, Place};
use crate::scenario::{CART, CART_POD, SHOP};

const SHOP_POD: (&str, &str) = (
    "apps/shop.yaml",
    "# a pod\nimage: HOST/acme/shop:1.0.0 # here\n",
);

/// A fleet in which shop has something newer and cart has not.
fn fleet() -> Option<Fleet> {
    let fleet = Fleet::new(&[SHOP, SHOP_POD, CART, CART_POD])?;
    fleet
        .scenario
        .push("acme/shop", &["1.0.0", "1.1.0", "2.0.0-rc.1"]);
    fleet.scenario.push("acme/cart", &["1.0.0"]);
    Some(fleet)
}

#[test]
fn plan_shows_what_sync_then_does() {
    let Some(fleet) = fleet() else {
        return;
    };
    let (scenario, place) = (&fleet.scenario, &fleet.place);
    let before = scenario.repo.head();
    let plan = place.run(&["plan"]).exits(0);
    insta::assert_snapshot!("plan_text", fleet.scrub(&plan.stdout));
    assert_eq!(scenario.repo.head(), before, "a plan touches nothing");
    let planned = place.run(&["plan", "-o", "json"]).exits(0);
    insta::assert_snapshot!("plan_json", fleet.scrub(&planned.stdout));
    let synced = place.run(&["sync", "-o", "json"]).exits(0);
    insta::assert_snapshot!("sync_json", fleet.scrub(&synced.stdout));
    let (plan, pass) = (
        &planned.json()["repositories"][0],
        &synced.json()["repositories"][0],
    );
    assert_eq!(plan["commit"], before.as_str());
    assert_eq!(pass["result"], "landed");
    assert_eq!(pass["changes"][0]["commit"], scenario.repo.head());
    for key in ["app", "stage", "from", "to", "digest", "reason", "edits"] {
        assert_eq!(plan["changes"][0][key], pass["changes"][0][key], "{key}");
    }
    assert!(
        scenario
            .read("apps/shop.yaml")
            .ends_with("shop:1.1.0 # here\n")
    );
    let rest = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(rest["repositories"][0]["result"], "nothing");
    assert_eq!(
        rest["repositories"][0]["changes"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn sync_prints_the_commit_that_landed() {
    let Some(fleet) = fleet() else {
        return;
    };
    let ran = fleet.place.run(&["sync"]).exits(0);
    assert!(
        ran.stdout
            .contains(&format!("commit {}", fleet.scenario.repo.head())),
        "{}",
        ran.stdout
    );
    insta::assert_snapshot!(fleet.scrub(&ran.stdout));
    // A diff starts at column 0, so that it can be applied.
    assert!(
        ran.stdout
            .contains("\n--- a/apps/shop.yaml\n+++ b/apps/shop.yaml\n")
    );
}

#[test]
fn pending_changes_have_an_exit_code_of_their_own() {
    let Some(fleet) = fleet() else {
        return;
    };
    let place = &fleet.place;
    place.run(&["plan", "--detailed-exitcode"]).exits(10);
    place
        .run(&["plan", "shop", "--detailed-exitcode"])
        .exits(10);
    place.run(&["plan", "cart", "--detailed-exitcode"]).exits(0);
    place.run(&["sync"]).exits(0);
    place.run(&["plan", "--detailed-exitcode"]).exits(0);
    let one = place.run(&["plan", "cart", "-o", "json"]).exits(0).json();
    assert_eq!(
        one["repositories"][0]["stages"].as_array().map(Vec::len),
        Some(1)
    );
    let ran = place.run(&["plan", "shpo"]).exits(1);
    assert!(ran.stderr.contains("`shpo`"), "{}", ran.stderr);
}

#[test]
fn a_working_tree_is_planned_before_it_is_merged() {
    let Some(fleet) = fleet() else {
        return;
    };
    let (scenario, place) = (&fleet.scenario, &fleet.place);
    let work = scenario.repo.clone_to();
    work.write(
        SHOP.0,
        scenario.text(SHOP.1) + "tags: {semver: '>=2.0.0-0'}\n",
    );
    let path = work.path().to_str().expect("paths are UTF-8 here");
    let plan = place
        .run(&["plan", "--path", path, "-o", "json"])
        .exits(0)
        .json();
    let plan = &plan["repositories"][0];
    assert_eq!(plan["changes"][0]["to"], "2.0.0-rc.1");
    assert!(plan["commit"].is_null(), "it is no commit");
    let branch = place.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(branch["repositories"][0]["changes"][0]["to"], "1.1.0");
    assert!(
        work.read("apps/shop.yaml").contains("1.0.0"),
        "a plan touches nothing"
    );
}

#[test]
fn explain_tells_every_tag_and_what_each_stage_runs() {
    let Some(fleet) = fleet() else {
        return;
    };
    let place = &fleet.place;
    let text = place.run(&["explain", "shop"]).exits(0);
    insta::assert_snapshot!("explain_text", fleet.scrub(&text.stdout));
    let json = place.run(&["explain", "shop", "-o", "json"]).exits(0);
    insta::assert_snapshot!("explain_json", fleet.scrub(&json.stdout));
    let stage = &json.json()["stages"][0];
    assert_eq!(stage["verdicts"].as_array().map(Vec::len), Some(3));
    place
        .run(&["explain", "shop", "--stage", "staging"])
        .exits(0);
    let ran = place
        .run(&["explain", "shop", "--stage", "stagng"])
        .exits(1);
    assert!(ran.stderr.contains("no stage `stagng`"), "{}", ran.stderr);
    let ran = place.run(&["explain", "shpo"]).exits(1);
    assert!(
        ran.stderr
            .contains("no config repo has a valid app named `shpo`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn explain_tells_the_policy_in_full() {
    let app = "version: 1\napp: shop\nimage: HOST/acme/shop\n\
               tags: {semver: '^1', ignore: ['*-x'], minimumAge: 3d}\nstages:\n  \
               - {name: staging, paths: [apps/**], tags: {numerical: lowest, match: '^1'}}\n";
    let files = [
        (SHOP.0, app),
        ("apps/shop.yaml", "image: HOST/acme/shop:10\n"),
    ];
    let Some(fleet) = Fleet::new(&files) else {
        return;
    };
    let text = fleet.place.run(&["explain", "shop"]).exits(0).stdout;
    let first = "shop  semver \"^1\", ignore [*-x], minimumAge 3d (policies/shop.yaml)\n";
    assert!(text.starts_with(first), "{text}");
    assert!(
        text.contains("\n  by numerical lowest, match '^1'\n"),
        "{text}"
    );
    let json = fleet.place.run(&["explain", "shop", "-o", "json"]);
    let json = json.exits(0).json();
    assert_eq!(json["policy"], "semver \"^1\"");
    assert_eq!(
        json["policyInFull"],
        "semver \"^1\", ignore [*-x], minimumAge 3d"
    );
    let own = &json["stages"][0]["policyInFull"];
    assert_eq!(own, "numerical lowest, match '^1'");
}

#[test]
fn explain_names_the_tags_that_are_the_image_behind_a_floating_one() {
    let files = [SHOP, ("apps/shop.yaml", "image: HOST/acme/shop:latest\n")];
    let Some(fleet) = Fleet::new(&files) else {
        return;
    };
    fleet.scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    fleet.scenario.push_content("acme/shop", "latest", "1.0.0");
    let ran = fleet.place.run(&["explain", "shop"]).exits(0);
    assert!(
        ran.stdout
            .contains("the same image as 1.0.0: write that tag"),
        "{}",
        ran.stdout
    );
    let json = fleet
        .place
        .run(&["explain", "shop", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        json["stages"][0]["sameDigest"],
        serde_json::json!(["1.0.0"])
    );
    assert_eq!(json["stages"][0]["state"], "waiting");
}

#[test]
fn what_fails_is_said_and_fails_the_command_after_the_rest_is_done() {
    let Some(fleet) = fleet() else {
        return;
    };
    let (scenario, place) = (&fleet.scenario, &fleet.place);
    scenario.push("acme/cart", &["1.1.0"]);
    scenario
        .registry
        .set_faults(Faults::one(Rule::new("acme/shop", Fault::status(403))));
    let ran = place.run(&["sync"]).exits(1);
    assert!(
        ran.stdout.contains("shop/staging  failed"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("denies access"), "{}", ran.stdout);
    assert!(scenario.read("apps/cart.yaml").ends_with("1.1.0\n"));
    place.run(&["plan", "--detailed-exitcode"]).exits(1);
    scenario.registry.set_faults(Faults::default());
    scenario
        .repo
        .hook("pre-receive", "echo 'not on Fridays' >&2; exit 1");
    let ran = place.run(&["sync", "-o", "json"]).exits(1);
    let pass = &ran.json()["repositories"][0];
    assert_eq!(pass["result"], "refused");
    assert!(
        pass["message"]
            .as_str()
            .is_some_and(|words| words.contains("not on Fridays")),
        "{pass:#}"
    );
}

#[test]
fn a_config_repo_that_fails_does_not_stop_the_others() {
    let Some(fleet) = fleet() else {
        return;
    };
    let place = &fleet.place;
    let config = place.read("tagwright.yaml");
    let gone = "repositories:\n  - {name: gone, url: /nowhere/gone.git, policies: [policies/]}\n";
    place.write("tagwright.yaml", config.replace("repositories:\n", gone));
    let ran = place.run(&["sync", "-o", "json"]).exits(1).json();
    assert_eq!(ran["repositories"][0]["result"], "error");
    assert!(
        ran["repositories"][0]["message"]
            .as_str()
            .is_some_and(|words| words.contains("no such repository"))
    );
    assert_eq!(ran["repositories"][1]["result"], "landed");
    let ran = place.run(&["plan"]).exits(1);
    assert!(ran.stderr.contains("(check the URL"), "{}", ran.stderr);
    assert!(ran.stdout.contains("shop/staging"), "{}", ran.stdout);
    place.run(&["plan", "--repository", "gone"]).exits(1);
    place.run(&["plan", "--repository", "fleet"]).exits(0);
    place.run(&["plan", "--repository", "other"]).exits(1);
}

#[test]
fn a_configuration_that_is_wrong_or_missing_is_told() {
    let place = Place::new(&[
        ("tagwright.yaml", "version: 1\nrepostories: []\n"),
        ("other.yaml", "version: 1\nrepositories: []\n"),
    ]);
    for command in [&["sync"][..], &["plan"], &["explain", "shop"], &["serve"]] {
        let ran = place.run(command).exits(2);
        assert!(
            ran.stderr.contains("did you mean `repositories`?"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    }
    place.run(&["sync", "--config", "other.yaml"]).exits(2);
    let ran = place.run(&["sync", "--config", "none.yaml"]).exits(1);
    assert!(
        ran.stderr.contains("none.yaml can't be read"),
        "{}",
        ran.stderr
    );
    let mut command = place.command(&["sync"]);
    let ran = command
        .env("TAGWRIGHT_CONFIG", "none.yaml")
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("none.yaml can't be read"));
}

#[test]
fn push_mode_off_says_so() {
    let keys = "policies: [policies/]\npush: {mode: off}";
    let Some(fleet) = Fleet::configured(&[SHOP, SHOP_POD], keys, "") else {
        return;
    };
    fleet.scenario.push("acme/shop", &["1.1.0"]);
    let before = fleet.scenario.repo.head();
    let ran = fleet.place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(ran["repositories"][0]["result"], "off");
    assert_eq!(ran["repositories"][0]["changes"][0]["to"], "1.1.0");
    assert_eq!(fleet.scenario.repo.head(), before);
}
