//! Holds given through the API, as the reconciler has them: in force at once, brought into Git by the next
//! pass, ended by a release.

use tagwright::reconcile::PassResult;
use tagwright::reconcile::given::{Given, Of, Wanted};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

const FREEZES: &str = ".tagwright/freezes.yaml";

fn configured(keys: &str) -> Option<Scenario> {
    let scenario = Scenario::configured(
        &[SHOP, POD, CART, CART_POD],
        &format!("policies: [policies/]\n{keys}"),
    )?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    Some(scenario)
}

/// Somebody holds shop's staging, or all stages, through the API.
fn hold(scenario: &Scenario, of: Of) -> Given {
    let wanted = Wanted {
        of,
        reason: "incident: 4711".to_owned(),
        until: None,
    };
    let now = scenario.clock.now();
    let given = scenario.service.given().give("fleet", wanted, "ci", now);
    given.expect("it is taken in").0
}

fn staging() -> Of {
    Of::Stage {
        app: "shop".to_owned(),
        stage: "staging".to_owned(),
    }
}

/// The one hold that there is.
fn only(scenario: &Scenario) -> Given {
    let all = scenario.service.given().all();
    let [given] = &all[..] else {
        panic!("{all:?}");
    };
    given.clone()
}

#[test]
fn a_hold_stops_a_pending_change_and_is_committed_until_it_is_released() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    let given = hold(&scenario, staging());
    assert!(!given.is_durable());
    // It is in force before anything is in Git.
    let observation = scenario.observe();
    let words = ["held by ci", "incident: 4711", "DELETE /api/v1/holds/"];
    assert_stage(&observation, "shop/staging", "waiting", &words);
    let pass = scenario.pass();
    assert_eq!(pass.result, PassResult::Nothing);
    assert!(scenario.read(POD.0).ends_with(":1.0.0\n"));
    assert_eq!(scenario.read(FILE), "- hold: \"incident: 4711\"\n");
    let log = scenario.repo.log("%an|%s|%b");
    let expected =
        "Tagwright|shop: hold staging|incident: 4711\n\nThrough the API, on behalf of ci.";
    assert!(log.starts_with(expected), "{log}");
    let durable = only(&scenario);
    assert_eq!(durable.commit, Some(scenario.repo.head()));
    let pass = scenario.rests();
    let words = ["held by Tagwright", "incident: 4711"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    // It is the one in Git that holds, once.
    let stage = pass.observation.plan.stages.iter();
    assert!(stage.map(|stage| stage.stops.len()).max() == Some(1));
    scenario.restarts();
    assert_eq!(only(&scenario), durable);
    scenario.rests();

    let released = scenario.service.given().release(&durable.id, "ops");
    assert!(released.is_some());
    scenario.lands(1);
    assert!(scenario.read(POD.0).ends_with(":1.1.0\n"));
    let entries = "- hold: \"incident: 4711\"\n- release: true\n";
    assert_eq!(scenario.read(FILE), entries);
    let log = scenario.repo.log("%s|%b");
    assert!(
        log.contains("shop: release staging|Through the API, on behalf of ops."),
        "{log}"
    );
    assert!(scenario.service.given().all().is_empty());
    scenario.rests();
    scenario.assert_sound();
}

#[test]
fn a_hold_that_is_released_before_a_pass_leaves_nothing() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    let given = hold(&scenario, staging());
    scenario.service.given().release(&given.id, "ci");
    let before = scenario.commits();
    scenario.lands(1);
    assert_eq!(scenario.commits(), before + 1);
    assert!(scenario.service.given().all().is_empty());
}

#[test]
fn all_apps_are_held_by_a_freeze_and_people_s_entries_count_beside_it() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    scenario.person("Freeze", |work| {
        work.write(FREEZES, "- {stages: [staging], reason: show}\n");
    });
    hold(&scenario, Of::All(None));
    scenario.pass();
    let ours = "- {stages: [staging], reason: show}\n- reason: \"incident: 4711\"\n";
    assert_eq!(scenario.read(FREEZES), ours);
    assert!(scenario.repo.log("%s").starts_with("freeze all stages\n"));
    let id = only(&scenario).id;
    scenario.service.given().release(&id, "ops");
    scenario.rests();
    let waits = only(&scenario).waits.unwrap_or_default();
    assert!(waits.contains("would end that too"), "{waits}");
    // Once a person has ended theirs, ours ends as asked.
    scenario.writes(FREEZES, "- reason: \"incident: 4711\"\n");
    scenario.lands(1);
    assert!(scenario.read(FREEZES).ends_with("- release: true\n"));
    assert!(scenario.service.given().all().is_empty());
}

#[test]
fn where_the_service_writes_nothing_a_hold_holds_and_says_so() {
    for (keys, words) in [
        ("push: {mode: 'off'}", "`push.mode` is `off`"),
        (
            "push: {mode: pullRequest}\nforge: {kind: github, api: 'http://127.0.0.1:9/', repository: \
             acme/fleet, credentials: {token: {env: NOTHING}}}",
            "`push.mode` is `pullRequest`",
        ),
    ] {
        let Some(mut scenario) = configured(keys) else {
            return;
        };
        let given = hold(&scenario, staging());
        let head = scenario.repo.head();
        let pass = scenario.pass();
        assert_stage(
            &pass.observation,
            "shop/staging",
            "waiting",
            &["held by ci"],
        );
        assert_eq!(scenario.repo.head(), head);
        let waits = only(&scenario).waits.unwrap_or_default();
        assert!(waits.contains(words), "{waits}");
        scenario.restarts();
        let pass = scenario.pass();
        assert_stage(
            &pass.observation,
            "shop/staging",
            "waiting",
            &["held by ci"],
        );
        scenario.service.given().release(&given.id, "ci");
        let observation = scenario.observe();
        let mut stages = observation.plan.stages.iter();
        assert!(stages.all(|stage| stage.stops.is_empty()), "{keys}");
    }
}

#[test]
fn a_refused_entry_holds_all_the_same_and_is_tried_again() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    hold(&scenario, staging());
    scenario
        .repo
        .hook("pre-receive", "echo 'not on Fridays' >&2; exit 1");
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["held by ci"],
    );
    let given = only(&scenario);
    assert!(!given.is_durable());
    let waits = given.waits.unwrap_or_default();
    assert!(waits.contains("not on Fridays"), "{waits}");
    scenario.repo.hook("pre-receive", "exit 0");
    scenario.pass();
    assert!(only(&scenario).is_durable());
    assert!(scenario.read(POD.0).ends_with(":1.0.0\n"));
}

#[test]
fn a_restart_before_the_push_loses_no_hold() {
    let Some(mut scenario) = configured("commit: {signOff: true}") else {
        return;
    };
    hold(&scenario, staging());
    scenario.restarts();
    let pass = scenario.pass();
    assert_eq!(pass.result, PassResult::Nothing);
    assert!(scenario.read(POD.0).ends_with(":1.0.0\n"));
    assert_eq!(scenario.read(FILE), "- hold: \"incident: 4711\"\n");
    let log = scenario.repo.log("%(trailers:key=Signed-off-by,valueonly)");
    assert!(log.starts_with("Tagwright <"), "{log}");
    // Another service has it from Git.
    let pass = scenario.pass_of_another();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["held by Tagwright"],
    );
}

#[test]
fn a_hold_of_a_stage_that_is_not_there_is_not_written() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    let of = Of::Stage {
        app: "shop".to_owned(),
        stage: "live".to_owned(),
    };
    // Nobody has looked yet which stages there are.
    hold(&scenario, of);
    scenario.lands(1);
    let waits = only(&scenario).waits.unwrap_or_default();
    let words = "no valid app file has an app `shop` with a stage `live`";
    assert_eq!(waits, words);
}

#[test]
fn a_branch_that_moves_meanwhile_is_followed() {
    let Some(mut scenario) = configured("") else {
        return;
    };
    hold(&scenario, staging());
    scenario.races("HEAD", |work| work.write(FILE, "- release: true\n"));
    scenario.pass();
    let entries = "- release: true\n- hold: \"incident: 4711\"\n";
    assert_eq!(scenario.read(FILE), entries);
    // A person's release ends it, and then it is not told as one of ours.
    scenario.writes(
        FILE,
        "- release: true\n- hold: \"incident: 4711\"\n- release: true\n",
    );
    scenario.lands(1);
    assert!(scenario.service.given().all().is_empty());
}
