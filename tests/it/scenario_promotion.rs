//! Promotion: production takes what staging has run for long enough, through the service.

use jiff::{SignedDuration, Timestamp};

use tagwright::demo::registry::{Fault, Faults, Part, Rule};

use crate::repo::Work;
use crate::scenario::{Scenario, assert_stage, stage};

const STAGING: &str = "apps/staging.yaml";
const PRODUCTION: &str = "apps/production.yaml";

fn pod(tag: &str) -> String {
    format!("image: HOST/acme/shop:{tag}\n")
}

/// The app file of shop, whose production comes after staging under these conditions.
fn shop(keys: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - name: staging\n    paths: [{STAGING}]\n  - \
         name: production\n    paths: [{PRODUCTION}]\n    after: staging\n    {keys}\n"
    )
}

/// Both stages at 1.0.0, which was pushed.
fn scenario(keys: &str) -> Option<Scenario> {
    let (file, pod) = (shop(keys), pod("1.0.0"));
    let files = [
        ("policies/shop.yaml", file.as_str()),
        (STAGING, pod.as_str()),
        (PRODUCTION, pod.as_str()),
    ];
    let scenario = Scenario::new(&files)?.at_any_depth();
    scenario.push("acme/shop", &["1.0.0"]);
    Some(scenario)
}

fn wait(scenario: &Scenario, hours: i64) {
    scenario.clock.advance(SignedDuration::from_hours(hours));
}

fn later(scenario: &Scenario, hours: i64) -> String {
    let time: Timestamp = scenario.clock.now() + SignedDuration::from_hours(hours);
    time.to_string()
}

/// Asserts what the stages run.
#[track_caller]
fn runs(scenario: &Scenario, staging: &str, production: &str) {
    let found = [STAGING, PRODUCTION].map(|path| scenario.read(path));
    assert_eq!(
        found,
        [staging, production].map(|tag| scenario.text(&pod(tag)))
    );
}

/// A person edits the repository now.
fn person(scenario: &Scenario, edit: impl FnOnce(&Work)) {
    let work = scenario.repo.clone_to();
    edit(&work);
    work.commit_at("By hand", &scenario.clock.now().to_string());
    work.push();
}

/// A person has staging run `tag`.
fn stages(scenario: &Scenario, tag: &str) {
    let text = scenario.text(&pod(tag));
    person(scenario, |work| work.write(STAGING, &text));
}

#[track_caller]
fn says(scenario: &mut Scenario, state: &str, words: &[&str]) {
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/production", state, words);
    let another = scenario.pass_of_another();
    assert_stage(&another.observation, "shop/production", state, words);
    scenario.restarts();
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/production", state, words);
}

#[test]
fn production_takes_what_has_soaked_in_staging() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    let begun = scenario.clock.now();
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.0.0");
    let until = later(&scenario, 24);
    let words = format!("1.1.0 waits: soaks in staging until {until}");
    says(&mut scenario, "waiting", &[&words, "1.1.0 is the highest"]);
    let observation = scenario.observe();
    assert_eq!(observation.plan.expires, until.parse().ok());
    let view = stage(&observation, "shop/production");
    let told: Vec<_> = view.waits.iter().map(|it| it.kind).collect();
    assert_eq!(told, ["soak"]);

    // What is pushed again or read in vain meanwhile changes nothing.
    wait(&scenario, 23);
    says(&mut scenario, "waiting", &[&words]);
    wait(&scenario, 1);
    let pass = scenario.lands(1);
    assert_eq!(scenario.clock.now().duration_since(begun).as_hours(), 24);
    let words = ["1.1.0 is the highest", "of what staging ran for 1d"];
    assert_stage(&pass.observation, "shop/production", "change", &words);
    runs(&scenario, "1.1.0", "1.1.0");
    says(&mut scenario, "upToDate", &[]);
}

#[test]
fn without_a_soak_it_follows_in_the_next_pass_and_never_in_the_same() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.0.0");
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.1.0");
}

#[test]
fn what_was_replaced_by_something_newer_is_still_taken() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 30);
    scenario.push("acme/shop", &["1.2.0"]);
    // 1.1.0 had soaked, and nobody looked; both go in one pass.
    scenario.lands(2);
    runs(&scenario, "1.2.0", "1.1.0");
    wait(&scenario, 1);
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.lands(1);
    wait(&scenario, 24);
    scenario.lands(1);
    runs(&scenario, "1.3.0", "1.3.0");
}

#[test]
fn what_never_soaks_is_told_with_the_way_out() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    for tag in ["1.1.0", "1.2.0", "1.3.0"] {
        scenario.push("acme/shop", &[tag]);
        scenario.lands(1);
        wait(&scenario, 20);
    }
    runs(&scenario, "1.3.0", "1.0.0");
    let words = [
        "1.3.0 waits: soaks in staging until",
        "staging replaced 2 of them before they had soaked for 1d",
        "`promote: queue`",
    ];
    says(&mut scenario, "waiting", &words);
    let observation = scenario.observe();
    let verdicts = |tag: &str| {
        let plan = observation.plan.stages.iter().find(|it| it.key.stage == 1);
        let verdicts = &plan
            .and_then(|it| it.selection.as_ref())
            .expect("a selection")
            .verdicts;
        let found = verdicts.iter().find(|verdict| verdict.tag.as_str() == tag);
        found.expect("a verdict").reason.to_string()
    };
    assert_eq!(
        verdicts("1.2.0"),
        "ran in staging for 20h only, and has to soak there for 1d"
    );
}

#[test]
fn what_staging_went_back_from_is_not_taken_however_long_it_ran() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 20);
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    wait(&scenario, 23);
    stages(&scenario, "1.1.0");
    wait(&scenario, 2);
    // 1.2.0 ran for 23 hours, and 1.1.0 begins anew.
    says(&mut scenario, "waiting", &["1.1.0 waits"]);
    wait(&scenario, 22);
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.1.0");

    // Once more, where it had soaked already and production was held meanwhile.
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.lands(1);
    let file = ".tagwright/decisions/shop/production.yaml";
    scenario.writes(file, "- hold: incident\n");
    wait(&scenario, 30);
    stages(&scenario, "1.1.0");
    scenario.writes(file, "- hold: incident\n- release: true\n");
    says(&mut scenario, "upToDate", &[]);
    runs(&scenario, "1.1.0", "1.1.0");
}

#[test]
fn a_break_begins_the_soak_anew() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 20);
    // A second site lags behind: nothing is promoted from a stage that disagrees.
    let both =
        scenario.text("a: {image: HOST/acme/shop:1.1.0}\nb: {image: HOST/acme/shop:1.0.0}\n");
    person(&scenario, |work| work.write(STAGING, &both));
    let observation = scenario.observe();
    let words = ["staging is split", "nothing is promoted from it"];
    assert_stage(&observation, "shop/production", "waiting", &words);
    scenario.lands(1);
    wait(&scenario, 5);
    says(&mut scenario, "waiting", &["1.1.0 waits: soaks in staging"]);
    wait(&scenario, 19);
    scenario.lands(1);
    assert_eq!(scenario.read(PRODUCTION), scenario.text(&pod("1.1.0")));
}

#[test]
fn a_person_may_stage_by_hand_and_clocks_that_are_wrong_hasten_nothing() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 2);
    scenario.push("acme/shop", &["2.0.0"]);
    let text = scenario.text(&pod("2.0.0"));
    let work = scenario.repo.clone_to();
    work.write(STAGING, &text);
    work.commit_at("With a clock from last year", "2025-01-01T00:00:00Z");
    work.push();
    let until = scenario.clock.now() + SignedDuration::from_hours(22);
    says(
        &mut scenario,
        "waiting",
        &["2.0.0 waits", &until.to_string()],
    );
    // A clock that is ahead delays nothing either.
    wait(&scenario, 1);
    scenario.push("acme/shop", &["3.0.0"]);
    let text = scenario.text(&pod("3.0.0"));
    let work = scenario.repo.clone_to();
    work.write(STAGING, &text);
    work.commit_at("With a clock of next year", "2027-01-01T00:00:00Z");
    work.write("notes.txt", "more");
    work.commit_at("Another", &scenario.clock.now().to_string());
    work.push();
    let until = later(&scenario, 24);
    says(&mut scenario, "waiting", &["3.0.0 waits", &until]);
    wait(&scenario, 24);
    scenario.lands(1);
    runs(&scenario, "3.0.0", "3.0.0");
}

#[test]
fn production_has_tags_of_its_own() {
    let Some(mut scenario) = scenario("tags: {semver: ~1.0.0}") else {
        return;
    };
    for tag in ["1.0.1", "1.1.0"] {
        stages(&scenario, tag);
        scenario.push("acme/shop", &[tag]);
    }
    // 1.0.1 ran before 1.1.0, which production does not accept.
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.0.1");
    says(&mut scenario, "upToDate", &[]);
}

#[test]
fn a_list_that_can_not_be_read_delays_nothing_that_ran_already() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 24);
    let rule = Rule::new("acme/shop", Fault::status(502)).on(Part::Tags);
    scenario.registry.set_faults(Faults::one(rule));
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.1.0");
}

#[test]
fn a_tag_that_was_pushed_again_is_not_promoted() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    scenario.push_content("acme/shop", "1.1.0", "pushed again");
    wait(&scenario, 24);
    let words = ["moved: 1.1.0", "the commit that brought it to staging"];
    says(&mut scenario, "failed", &words);
    runs(&scenario, "1.1.0", "1.0.0");
}

#[test]
fn a_queue_keeps_staging_until_production_has_taken_or_rejected_it() {
    let Some(mut scenario) = scenario("soak: 24h\n    promote: queue") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 1);
    scenario.push("acme/shop", &["1.2.0"]);
    let pass = scenario.rests();
    let words = ["production takes 1.1.0 first", "`promote: queue`"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    wait(&scenario, 23);
    scenario.lands(1);
    runs(&scenario, "1.1.0", "1.1.0");
    scenario.lands(1);
    runs(&scenario, "1.2.0", "1.1.0");

    // What is rejected holds nobody up.
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.rests();
    let file = ".tagwright/decisions/shop/production.yaml";
    scenario.writes(file, "- reject: HOST/acme/shop:1.2.0\n");
    scenario.lands(1);
    runs(&scenario, "1.3.0", "1.1.0");
}

#[test]
fn a_queue_waits_for_nothing_that_was_pushed_again() {
    let Some(mut scenario) = scenario("soak: 24h\n    promote: queue") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    scenario.push_content("acme/shop", "1.1.0", "pushed again");
    scenario.push("acme/shop", &["1.2.0"]);
    wait(&scenario, 24);
    let pass = scenario.lands(1);
    let words = ["moved: 1.1.0"];
    assert_stage(&pass.observation, "shop/production", "failed", &words);
    runs(&scenario, "1.2.0", "1.0.0");
    wait(&scenario, 24);
    scenario.lands(1);
    runs(&scenario, "1.2.0", "1.2.0");
}

#[test]
fn going_back_by_a_decision_counts_with_and_without_a_cache() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 10);
    // Out of a tag that has no place, by a decision.
    stages(&scenario, "latest");
    scenario.push("acme/shop", &["latest"]);
    scenario.pass();
    wait(&scenario, 20);
    let file = ".tagwright/decisions/shop/staging.yaml";
    scenario.writes(file, "- deploy: HOST/acme/shop:1.0.0\n- hold: it is bad\n");
    scenario.lands(1);
    for _ in 0..2 {
        says(&mut scenario, "upToDate", &[]);
        wait(&scenario, 30);
    }
    runs(&scenario, "1.0.0", "1.0.0");
}

#[test]
fn a_queue_is_not_held_up_by_what_another_stage_will_not_take() {
    let Some(mut scenario) = two("soak: 24h\n    promote: queue", "~1.1.0") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(2);
    wait(&scenario, 1);
    // Staging goes on by hand, so 1.1.0 never soaks there; and canary never takes 1.2.0.
    scenario.push("acme/shop", &["1.2.0"]);
    stages(&scenario, "1.2.0");
    scenario.rests();
    scenario.push("acme/shop", &["1.3.0", "1.1.1"]);
    scenario.lands(2);
    assert_eq!(
        scenario.read("apps/canary.yaml"),
        scenario.text(&pod("1.1.1"))
    );
    assert_eq!(scenario.read(STAGING), scenario.text(&pod("1.3.0")));
}

/// Two stages before production, each with tags of its own.
fn two(keys: &str, canary_tags: &str) -> Option<Scenario> {
    let file = format!(
        "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - name: staging\n    paths: [{STAGING}]\n  - \
         name: canary\n    paths: [apps/canary.yaml]\n    tags: {{semver: '{canary_tags}'}}\n  - name: \
         production\n    paths: [{PRODUCTION}]\n    after: [staging, canary]\n    {keys}\n"
    );
    let pod = pod("1.0.0");
    let files = [
        ("policies/shop.yaml", file.as_str()),
        (STAGING, pod.as_str()),
        ("apps/canary.yaml", pod.as_str()),
        (PRODUCTION, pod.as_str()),
    ];
    let scenario = Scenario::new(&files)?;
    scenario.push("acme/shop", &["1.0.0"]);
    Some(scenario)
}

#[test]
fn two_stages_that_disagree_offer_what_both_ran() {
    let Some(mut scenario) = two("soak: 2h", "~1.1.0") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(2);
    wait(&scenario, 3);
    scenario.push("acme/shop", &["1.2.0"]);
    // Canary stays at 1.1.0, which both ran for long enough.
    scenario.lands(2);
    runs(&scenario, "1.2.0", "1.1.0");
    wait(&scenario, 3);
    says(&mut scenario, "upToDate", &[]);
    let observation = scenario.observe();
    let plan = observation
        .plan
        .stages
        .iter()
        .find(|it| it.key.stage == 2)
        .expect("production");
    let verdicts = &plan.selection.as_ref().expect("a selection").verdicts;
    let newest = verdicts
        .iter()
        .find(|it| it.tag.as_str() == "1.2.0")
        .expect("a verdict");
    assert_eq!(newest.reason.to_string(), "has not run in canary");
}

#[test]
fn a_queue_after_two_stages_waits_only_for_what_can_still_come() {
    let Some(mut scenario) = two("promote: queue", "*") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0", "1.2.0"]);
    // Staging is at 1.1.0 by hand, and canary has passed it: nothing can bring canary back to it.
    stages(&scenario, "1.1.0");
    scenario.pass();
    for _ in 0..3 {
        scenario.pass();
    }
    runs(&scenario, "1.2.0", "1.2.0");
}

#[test]
fn a_tag_that_is_followed_is_promoted_by_its_digest() {
    let file = shop("soak: 2h").replace(
        "stages:",
        "tags: {digest: main}\nwrite: tag@digest\nstages:",
    );
    let start = "image: HOST/acme/shop:main\n";
    let files = [
        ("policies/shop.yaml", file.as_str()),
        (STAGING, start),
        (PRODUCTION, start),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    let first = scenario.push_content("acme/shop", "main", "first");
    scenario.lands(1);
    wait(&scenario, 3);
    let second = scenario.push_content("acme/shop", "main", "second");
    scenario.lands(2);
    let holds = |scenario: &Scenario, path: &str| {
        let text = scenario.read(path);
        text.trim_end()
            .rsplit_once('@')
            .expect("a digest")
            .1
            .to_owned()
    };
    assert_eq!(holds(&scenario, STAGING), second.to_string());
    assert_eq!(holds(&scenario, PRODUCTION), first.to_string());
    wait(&scenario, 2);
    // Asked just before, whatever was known of it.
    let gone = Rule::new("acme/shop", Fault::status(500)).on(Part::Manifests);
    let gone = gone.reference(second.as_str());
    scenario.registry.set_faults(Faults::one(gone));
    let pass = scenario.rests();
    let words = ["ran in staging, and can't be read"];
    assert_stage(&pass.observation, "shop/production", "failed", &words);
    scenario.registry.set_faults(Faults::default());
    scenario.lands(1);
    assert_eq!(holds(&scenario, PRODUCTION), second.to_string());
    scenario.rests();

    // A digest that staging never ran is a person's, and stays until staging comes to something newer.
    let hotfix = scenario.push_content("acme/shop", "hotfix", "hotfix");
    wait(&scenario, 1);
    let text = scenario.text(&format!("image: HOST/acme/shop:main@{hotfix}\n"));
    person(&scenario, |work| work.write(PRODUCTION, &text));
    scenario.rests();
    scenario.service = scenario.another_service();
    scenario.rests();

    // What soaks takes nothing from what has soaked.
    wait(&scenario, 1);
    let third = scenario.push_content("acme/shop", "main", "third");
    scenario.lands(1);
    let file = ".tagwright/decisions/shop/production.yaml";
    scenario.writes(file, "- hold: incident\n");
    wait(&scenario, 3);
    scenario.push_content("acme/shop", "main", "fourth");
    scenario.lands(1);
    scenario.writes(file, "- hold: incident\n- release: true\n");
    scenario.lands(1);
    assert_eq!(holds(&scenario, PRODUCTION), third.to_string());
}

#[test]
fn a_working_tree_says_that_it_can_not_tell() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    let work = scenario.repo.clone_to();
    let observation = scenario.observe_folder(work.path());
    let words = [
        "what staging ran",
        "is told by the branch's history, which is not read here",
    ];
    assert_stage(&observation, "shop/production", "waiting", &words);
}

#[test]
fn a_rewritten_history_is_read_anew() {
    let Some(mut scenario) = scenario("soak: 24h") else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    wait(&scenario, 30);
    let now = scenario.clock.now().to_string();
    let work = scenario.repo.clone_to();
    let git = scenario.repo.git();
    git.ok(work.path(), &["reset", "-q", "--soft", "HEAD~1"]);
    work.commit_at("The same in other words", &now);
    git.ok(
        work.path(),
        &["push", "-q", "--force", "origin", "HEAD:main"],
    );
    let until = later(&scenario, 24);
    says(&mut scenario, "waiting", &["1.1.0 waits", &until]);
}
